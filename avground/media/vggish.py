"""VGGish, a network that describes a second of sound by 128 numbers, and AudioSet's form of them."""

from collections.abc import Mapping
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from avground.errors import DataError
from avground.media.logmel import LogMel
from avground.media.weights import Published, load
from avground.models.weights import read_safely

_RELEASE = "https://github.com/harritaylor/torchvggish/releases/download/v0.1"
WEIGHTS = Published(f"{_RELEASE}/vggish-10086976.pth", "--audio-weights")
PCA_WEIGHTS = Published(f"{_RELEASE}/vggish_pca_params-970ea276.pth")


class VGGish(nn.Module):
    """VGGish (Hershey et al., 2017) with the names of weights of its widely used PyTorch port.

    Takes log-mel examples (s, 96, 64) of 0.96 s; every number of the result is at least 0, as the last ReLU leaves it.
    """

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 1
        for stage in ((64,), (128,), (256, 256), (512, 512)):
            for width in stage:
                layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
                channels = width
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.embeddings = nn.Sequential(
            nn.Linear(6 * 4 * channels, 4096),
            nn.ReLU(),
            nn.Linear(4096, 4096),
            nn.ReLU(),
            nn.Linear(4096, 128),
            nn.ReLU(),
        )

    def forward(self, examples: Float[Tensor, "s 96 64"]) -> Float[Tensor, "s 128"]:
        """Describe each example."""
        maps = self.features(examples.unsqueeze(1))
        # The weights come from a network that keeps channels last.
        embeddings: Tensor = self.embeddings(maps.permute(0, 2, 3, 1).flatten(1))
        return embeddings


class Quantised(nn.Module):
    r"""The form in which AudioSet published VGGish's embeddings: whole numbers from 0 to 255.

    .. math:: \lfloor 255 (\mathrm{clip}(E (x - m), -2, 2) + 2) / 4 \rfloor

    with the principal components :math:`E` and the mean :math:`m`, where :math:`x` is what the last layer gives before
    its ReLU. So AudioSet's reference code computes them, which also cuts the fraction off; the PyTorch port takes
    :math:`x` after the ReLU, and rounds. Published embeddings may differ in other ways.

    Args:
        components: E.
        mean: m.
    """

    components: Tensor
    mean: Tensor

    def __init__(self, components: Float[Tensor, "128 128"], mean: Float[Tensor, "128"]) -> None:
        super().__init__()
        self.register_buffer("components", components)
        self.register_buffer("mean", mean)

    def forward(self, embeddings: Float[Tensor, "s 128"]) -> Float[Tensor, "s 128"]:
        """Project and round."""
        projected = (embeddings - self.mean) @ self.components.T
        return torch.floor((projected.clamp(-2, 2) + 2) * (255 / 4))


def make_vggish(weights: Path, *, final_relu: bool = True) -> nn.Sequential:
    """From sound (s, 16000) to embeddings (s, 128).

    Args:
        weights: The file of weights.
        final_relu: Whether the last layer's ReLU is applied: it is in the features of MUSIC-AVQA, and is not in what
            :class:`Quantised` takes.

    Raises:
        DataError: if the weights cannot be used.
    """
    network = VGGish()
    load(network, weights)
    if not final_relu:
        network.embeddings = network.embeddings[:-1]
    return nn.Sequential(LogMel(), network)


def read_quantised(path: Path) -> Quantised:
    """Read the published principal components.

    Raises:
        DataError: if the file cannot be used.
    """
    content = read_safely(path, "file of principal components")  # The published one holds NumPy arrays.
    values = []
    for name, shape in (("pca_eigen_vectors", (128, 128)), ("pca_means", (128,))):
        value = content.get(name) if isinstance(content, Mapping) else None
        got = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
        if not isinstance(value, Tensor) or [length for length in value.shape if length != 1] != list(shape):
            raise DataError(f"{path}: expected {name} of shape {shape}, got {got}")
        values.append(value.float().reshape(shape))
    return Quantised(*values)
