import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch

from avground.errors import DataError
from avground.media.logmel import LogMel
from avground.media.vggish import VGGish, make_vggish, read_quantised


def ported(module):
    """A module of the PyTorch port. Its package as a whole imports more than is needed here."""
    package = importlib.util.find_spec("torchvggish")
    if package is None:
        pytest.skip("torchvggish is not installed")
    path = Path(package.submodule_search_locations[0]) / f"{module}.py"
    spec = importlib.util.spec_from_file_location(f"ported_{module}", path)
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


@pytest.fixture(scope="module")
def network():
    """Random weights that are large enough for the outputs to differ, and to survive the last ReLU."""
    torch.manual_seed(1)
    made = VGGish().eval().requires_grad_(False)
    for name, weights in made.named_parameters():
        if weights.ndim > 1:
            torch.nn.init.kaiming_normal_(weights)
        elif name == "embeddings.4.bias":
            weights.fill_(0.5)
    return made


def seconds(rows=3):
    return torch.from_numpy(np.random.default_rng(0).uniform(-1, 1, (rows, 16_000)).astype(np.float32))


def test_names_and_shapes(network):
    convolutions = {0: (64, 1), 3: (128, 64), 6: (256, 128), 8: (256, 256), 11: (512, 256), 13: (512, 512)}
    linear = {0: (4096, 12_288), 2: (4096, 4096), 4: (128, 4096)}
    expected = {f"features.{n}.weight": (*shape, 3, 3) for n, shape in convolutions.items()}
    expected |= {f"features.{n}.bias": shape[:1] for n, shape in convolutions.items()}
    expected |= {f"embeddings.{n}.weight": shape for n, shape in linear.items()}
    expected |= {f"embeddings.{n}.bias": shape[:1] for n, shape in linear.items()}
    assert {name: tuple(value.shape) for name, value in network.state_dict().items()} == expected


def test_log_mel_against_the_port():
    mel_features = ported("mel_features")
    for second in seconds().numpy():
        bands = mel_features.log_mel_spectrogram(
            second.astype(np.float64),
            audio_sample_rate=16_000,
            log_offset=0.01,
            num_mel_bins=64,
            lower_edge_hertz=125,
            upper_edge_hertz=7500,
        )
        found = LogMel()(torch.from_numpy(second)[None])[0]
        np.testing.assert_allclose(found.numpy(), bands[:96], atol=1e-4)


def test_network_against_the_port(network):
    other = ported("torchvggish")._vgg().eval().requires_grad_(False)
    other.load_state_dict(network.state_dict())
    examples = LogMel()(seconds())
    expected, found = other(examples[:, None]), network(examples)
    assert (expected > 0).any(1).all()
    assert expected.std() > 0.1
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_channels_come_last(network):
    """What the port does between its two halves, written out for one example."""
    examples = LogMel()(seconds(1))
    maps = network.features(examples[:, None])[0]
    assert maps.shape == (512, 6, 4)
    flat = torch.tensor([[float(maps[c, h, w]) for h in range(6) for w in range(4) for c in range(512)]])
    torch.testing.assert_close(network(examples), network.embeddings(flat))


def test_whole(network, tmp_path):
    torch.save(network.state_dict(), tmp_path / "v.pth")
    torch.testing.assert_close(make_vggish(tmp_path / "v.pth")(seconds()), network(LogMel()(seconds())))


def test_before_the_last_relu(network, tmp_path):
    """A dot product of the last layer, written out, in float64."""
    torch.save(network.state_dict(), tmp_path / "v.pth")
    found = make_vggish(tmp_path / "v.pth", final_relu=False)(seconds()).detach()
    hidden = network.features(LogMel()(seconds())[:, None]).permute(0, 2, 3, 1).reshape(3, -1).numpy()
    for number in (0, 2, 4):
        weight, bias = (network.state_dict()[f"embeddings.{number}.{name}"].numpy() for name in ("weight", "bias"))
        hidden = np.maximum(hidden, 0).astype(np.float64) @ weight.T.astype(np.float64) + bias
    assert (hidden < -0.1).any()
    np.testing.assert_allclose(found.numpy(), hidden, rtol=1e-4, atol=1e-4)
    plain = make_vggish(tmp_path / "v.pth")(seconds()).detach()
    torch.testing.assert_close(plain, found.clamp(min=0))


# Principal components.


def save_components(path, numpy=True, zipped=True, **changes):
    generator = np.random.default_rng(0)
    content = {
        "pca_eigen_vectors": generator.standard_normal((128, 128)).astype(np.float32),
        "pca_means": generator.standard_normal((128, 1)),
    }
    content |= changes
    if not numpy:
        content = {name: torch.from_numpy(value) for name, value in content.items()}
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    return content


@pytest.mark.parametrize("numpy", [True, False])
@pytest.mark.parametrize("zipped", [True, False])
def test_quantised(tmp_path, numpy, zipped):
    content = save_components(tmp_path / "p.pth", numpy, zipped)
    matrix, means = (np.asarray(content[name], np.float64) for name in ("pca_eigen_vectors", "pca_means"))
    embeddings = np.random.default_rng(1).uniform(0, 2, (5, 128)) / 8
    projected = (matrix @ (embeddings.T - means)).T
    expected = ((np.clip(projected, -2, 2) + 2) * (255 / 4)).astype(np.uint8)
    found = read_quantised(tmp_path / "p.pth")(torch.from_numpy(embeddings).float()).numpy()
    differs = found != expected  # Only where the fraction is nearly 0 or 1.
    assert differs.mean() < 0.01
    np.testing.assert_allclose(found, expected, atol=1)
    assert (found.min(), found.max()) == (0, 255)


def test_components_of_an_older_numpy(tmp_path):
    path = tmp_path / "p.pth"
    save_components(path, zipped=False)
    content = path.read_bytes()
    assert b"numpy._core.multiarray" in content or b"numpy.core.multiarray" in content
    path.write_bytes(content.replace(b"numpy._core.multiarray", b"numpy.core.multiarray"))
    assert read_quantised(path).components.shape == (128, 128)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"pca_means": np.zeros(127)}, r"pca_means of shape \(128,\), got \(127,\)"),
        ({"pca_eigen_vectors": np.zeros((64, 256))}, r"pca_eigen_vectors of shape \(128, 128\), got \(64, 256\)"),
        ({"pca_eigen_vectors": 3}, r"pca_eigen_vectors of shape \(128, 128\), got int"),
    ],
)
def test_components_that_do_not_fit(tmp_path, content, message):
    save_components(tmp_path / "p.pth", **content)
    with pytest.raises(DataError, match=rf"p\.pth: expected {message}"):
        read_quantised(tmp_path / "p.pth")


def test_another_file_of_components(tmp_path):
    torch.save([1], tmp_path / "p.pth")
    with pytest.raises(DataError, match="got NoneType"):
        read_quantised(tmp_path / "p.pth")
    with pytest.raises(DataError, match="expected a file of principal components, got no such file"):
        read_quantised(tmp_path / "none.pth")
