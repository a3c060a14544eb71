"""ResNet18 with maps of 14 x 14 cells, as the authors of MUSIC-AVQA used it."""

from pathlib import Path

from torch import nn

from avground.errors import ConfigError, check_choice
from avground.media.standard import Standardise
from avground.media.weights import Published, load

WEIGHTS = Published("https://download.pytorch.org/models/resnet18-f37072fd.pth", "--visual-weights")

STATISTICS = {
    "kinetics": ((0.43216, 0.394666, 0.37645), (0.22803, 0.22145, 0.216989)),
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
}
"""Mean and deviation of each colour. The authors used those of Kinetics, with weights that were trained on ImageNet."""


def make_resnet18(weights: Path, statistics: str) -> nn.Sequential:
    """From pictures (s, 3, 224, 224) to maps (s, 512, 14, 14), all at least 0.

    The last stage does not halve the maps: torchvision's ResNet18 would give 7 x 7 cells.

    Raises:
        ConfigError: if there are no such statistics, or torchvision is not installed.
        DataError: if the weights cannot be used.
    """
    check_choice("statistics", statistics, STATISTICS)
    try:
        from torchvision.models import resnet18
    except ImportError as error:
        raise ConfigError(f'resnet18: expected torchvision, got {error}: pip install "avground[media]"') from error
    network = resnet18()
    load(network, weights)
    first = network.layer4[0]
    for convolution in (first.conv1, first.downsample[0]):
        convolution.stride = (1, 1)
    mean, deviation = ([255 * value for value in values] for values in STATISTICS[statistics])
    stem = (network.conv1, network.bn1, network.relu, network.maxpool)
    return nn.Sequential(
        Standardise(mean, deviation), *stem, network.layer1, network.layer2, network.layer3, network.layer4
    )
