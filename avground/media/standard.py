"""Standardisation by constants: of pictures before a network, and of features after one."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Float, Real
from torch import Tensor, nn

FILE = Path(__file__).with_name("standard.json")
"""Mean and deviation of each channel of some extractors' features; with them, one recipe of training fits all."""


class Standardise(nn.Module):
    """Values -> (x - mean) / deviation, for each channel.

    Args:
        mean: Of each channel.
        deviation: Of each channel.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, mean: Sequence[float], deviation: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean), persistent=False)
        self.register_buffer("deviation", torch.tensor(deviation), persistent=False)

    def forward(self, values: Real[Tensor, "s c *hw"]) -> Float[Tensor, "s c *hw"]:
        """Standardise; whole numbers become floating point."""
        places = (...,) + (None,) * (values.ndim - 2)
        return (values - self.mean[places]) / self.deviation[places]


def read_standard(name: str) -> tuple[Standardise, str]:
    """The standardisation of an extractor's features, and the beginning of the SHA-256 of its constants.

    Args:
        name: The extractor.
    """
    constants = json.loads(FILE.read_text(encoding="utf-8"))[name]
    digest = hashlib.sha256(json.dumps(constants, sort_keys=True).encode()).hexdigest()[:16]
    return Standardise(constants["mean"], constants["deviation"]), digest
