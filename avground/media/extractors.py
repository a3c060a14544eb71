"""What turns decoded seconds into features: frozen networks by name."""

from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor, nn

from avground.data.manifest import Kind, Manifest
from avground.errors import ConfigError, ShapeError, check_choice
from avground.media import efficientnet, resnet, vggish
from avground.media.logmel import RATE, LogMelStatistics
from avground.media.standard import read_standard
from avground.media.weights import Found

AUDIO_EXTRACTORS = ("vggish", "vggish_pca", "logmel")
VISUAL_EXTRACTORS = ("resnet18", "efficientnet_lite0")

SIZE = 224
"""Height and width of the pictures that extractors take."""


class Extractor(nn.Module):
    """A frozen network that describes every second of a video.

    Always in evaluation mode. One call takes one whole video, so features never depend on which videos are processed
    together.

    Args:
        network: Maps a batch of seconds to rows.
        folder: Name of the folder of such features under a root.
        manifest: What decides the features.

    Attributes:
        kind: ``"audio"`` or ``"visual"``.
        name: The extractor's name.
        folder: As given.
        manifest: As given; its shape is that of a row.
    """

    def __init__(self, network: nn.Module, *, folder: str, manifest: Manifest) -> None:
        super().__init__()
        self.network = network
        self.folder, self.manifest = folder, manifest
        self.kind: Kind = manifest.kind
        self.name = manifest.extractor
        self.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> Self:
        """Stay in evaluation mode, whatever ``mode`` says."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, seconds: Tensor) -> Tensor:
        """Features of each second of a video.

        Args:
            seconds: Pictures (s, 3, 224, 224) in ``uint8``, or sound (s, 16000) in ``float32`` from -1 to 1.

        Returns:
            (s, ...) in ``float32``, where ... is the manifest's shape.

        Raises:
            ShapeError: if ``seconds`` has another shape or type.
        """
        item, dtype = ((RATE,), torch.float32) if self.kind == "audio" else ((3, SIZE, SIZE), torch.uint8)
        if tuple(seconds.shape[1:]) != item or seconds.dtype != dtype:
            expected = f"(s, {', '.join(map(str, item))}) in {dtype}"
            raise ShapeError(f"seconds: expected {expected}, got {tuple(seconds.shape)} in {seconds.dtype}")
        features: Tensor = self.network(seconds)
        return features


class _Made(NamedTuple):
    """An extractor's parts; ``weights`` is None where there are none."""

    network: nn.Module
    folder: str
    shape: tuple[int, ...]
    weights: Found | None
    settings: dict[str, Any]


def make_extractor(
    name: str,
    *,
    weights: Path | None = None,
    weights_folder: Path | None = None,
    statistics: str | None = None,
    seconds: int = 60,
    device: str | torch.device = "cpu",
) -> Extractor:
    """Build an extractor; published weights are fetched on first use into the user's cache folder.

    Args:
        name: One of :data:`AUDIO_EXTRACTORS` or :data:`VISUAL_EXTRACTORS`.
        weights: A file of weights to use instead of the published ones.
        weights_folder: A folder that holds published weights under their published names.
        statistics: What pictures are normalised with, for ``"resnet18"`` only: ``"kinetics"``, the default and what the
            authors used, or ``"imagenet"``, which the weights were trained with.
        seconds: Seconds of a video that will be looked at, for the manifest.
        device: Where to compute.

    Raises:
        ConfigError: if a name does not exist, the extractor has no such setting, or a package is missing.
        DataError: if weights cannot be found, fetched or used.
    """
    check_choice("extractor", name, _MAKERS)
    if statistics is not None and name != "resnet18":
        raise ConfigError(f"statistics: expected none for {name!r}, which has its own, got {statistics!r}")
    if weights is not None and name == "logmel":
        raise ConfigError(f"weights: expected none for 'logmel', which has no weights, got {str(weights)!r}")
    made = _MAKERS[name](weights, weights_folder, statistics)
    manifest = Manifest(
        kind="audio" if name in AUDIO_EXTRACTORS else "visual",
        extractor=name,
        shape=made.shape,
        seconds=seconds,
        weights=made.weights and made.weights.digest,
        settings=made.settings,
        versions=_versions(),
    )
    return Extractor(made.network, folder=made.folder, manifest=manifest).to(device)


def _vggish(weights: Path | None, folder: Path | None, _: str | None) -> _Made:
    found = vggish.WEIGHTS.find(weights, folder)
    return _Made(vggish.make_vggish(found.path), "vggish", (128,), found, {})


def _vggish_pca(weights: Path | None, folder: Path | None, _: str | None) -> _Made:
    found, components = vggish.WEIGHTS.find(weights, folder), vggish.PCA_WEIGHTS.find(None, folder)
    embeddings = vggish.make_vggish(found.path, final_relu=False)
    network = nn.Sequential(embeddings, vggish.read_quantised(components.path))
    settings = {"components": components.digest, "final_relu": False}
    return _Made(network, "vggish_pca", (128,), found, settings)


def _logmel(*_: Any) -> _Made:
    standard, digest = read_standard("logmel")
    return _Made(nn.Sequential(LogMelStatistics(), standard), "logmel", (128,), None, {"standard": digest})


def _resnet18(weights: Path | None, folder: Path | None, statistics: str | None) -> _Made:
    statistics = statistics or "kinetics"
    check_choice("statistics", statistics, resnet.STATISTICS)
    found = resnet.WEIGHTS.find(weights, folder)
    network = resnet.make_resnet18(found.path, statistics)
    return _Made(network, "res18_14x14", (512, 14, 14), found, {"statistics": statistics})


def _efficientnet_lite0(weights: Path | None, folder: Path | None, _: str | None) -> _Made:
    found = efficientnet.find_weights(weights)
    standard, digest = read_standard("efficientnet_lite0")
    network = nn.Sequential(efficientnet.make_efficientnet_lite0(found.path), standard)
    return _Made(network, "efficientnet_lite0", (112, 7, 7), found, {"standard": digest})


_MAKERS: dict[str, Callable[[Path | None, Path | None, str | None], _Made]] = {
    "vggish": _vggish,
    "vggish_pca": _vggish_pca,
    "logmel": _logmel,
    "resnet18": _resnet18,
    "efficientnet_lite0": _efficientnet_lite0,
}


def _versions() -> dict[str, str]:
    """The versions of the packages that features depend on, as far as they are installed."""
    found = {}
    for package in ("avground", "torch", "torchvision", "av", "pillow", "numpy"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:  # Not needed for every extractor, or run from a folder that was not installed.
            continue
    return found
