import pytest
import torch
from torch.nn import functional as F

from avground.errors import ConfigError, DataError
from avground.media.resnet import make_resnet18

torchvision = pytest.importorskip("torchvision")

STATISTICS = {
    "kinetics": ([0.43216, 0.394666, 0.37645], [0.22803, 0.22145, 0.216989]),
    "imagenet": ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
}


@pytest.fixture(scope="module")
def weights():
    torch.manual_seed(0)
    state = torchvision.models.resnet18().state_dict()
    for name, value in state.items():  # As after training: no layer of normalisation is without effect.
        if name.endswith(("running_mean", "bias")):
            value.normal_(std=0.1)
        elif name.endswith("running_var"):
            value.uniform_(0.5, 1.5)
    return state


def layer_by_layer(state, pictures, statistics):
    """ResNet18 from its weights with plain functions; the last stage keeps the size."""

    def convolve(x, convolution, norm, stride=1):
        kernel = state[f"{convolution}.weight"]
        x = F.conv2d(x, kernel, stride=stride, padding=kernel.shape[-1] // 2)
        mean, var, scale, bias = (state[f"{norm}.{k}"] for k in ("running_mean", "running_var", "weight", "bias"))
        mean, var, scale, bias = (values[:, None, None] for values in (mean, var, scale, bias))
        return (x - mean) / torch.sqrt(var + 1e-5) * scale + bias

    mean, deviation = (torch.tensor(values)[:, None, None] for values in STATISTICS[statistics])
    x = (pictures / 255 - mean) / deviation
    x = F.max_pool2d(convolve(x, "conv1", "bn1", 2).relu(), 3, 2, 1)
    for layer, first_stride in (("layer1", 1), ("layer2", 2), ("layer3", 2), ("layer4", 1)):
        for block, stride in ((f"{layer}.0", first_stride), (f"{layer}.1", 1)):
            y = convolve(x, f"{block}.conv1", f"{block}.bn1", stride).relu()
            y = convolve(y, f"{block}.conv2", f"{block}.bn2")
            if f"{block}.downsample.0.weight" in state:
                x = convolve(x, f"{block}.downsample.0", f"{block}.downsample.1", stride)
            x = (x + y).relu()
    return x


@pytest.mark.parametrize("statistics", ["kinetics", "imagenet"])
def test_layer_by_layer(tmp_path, weights, statistics):
    torch.save(weights, tmp_path / "r.pth")
    pictures = torch.randint(0, 256, (2, 3, 224, 224), dtype=torch.uint8)
    with torch.no_grad():
        maps = make_resnet18(tmp_path / "r.pth", statistics).eval()(pictures)
    assert maps.shape == (2, 512, 14, 14)
    expected = layer_by_layer(weights, pictures, statistics)
    assert expected.std() > 0.1
    torch.testing.assert_close(maps, expected, rtol=1e-3, atol=1e-3)


def test_counts_of_batches_may_be_missing(tmp_path, weights):
    old = {name: value for name, value in weights.items() if not name.endswith("num_batches_tracked")}
    torch.save(old, tmp_path / "r.pth")
    assert len(make_resnet18(tmp_path / "r.pth", "kinetics")) == 9
    del old["layer3.0.bn1.running_var"]
    torch.save(old, tmp_path / "r.pth")
    with pytest.raises(DataError, match=r"r\.pth: 1 weights do not fit the model: missing layer3\.0\.bn1\.running_var"):
        make_resnet18(tmp_path / "r.pth", "kinetics")


def test_unknown_statistics(tmp_path):
    with pytest.raises(ConfigError, match="statistics: expected one of 'kinetics', 'imagenet', got 'cifar'"):
        make_resnet18(tmp_path / "r.pth", "cifar")
