"""Learned temperatures."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from avground.errors import check_positive


class Temperature(nn.Module):
    """Two learned, positive temperatures: of the audio query and of the target, or of the two streams.

    Args:
        start: Value of both before training. Small is sharp: a cosine lies in [-1, 1], so at 1 no cell can weigh more
            than e squared times another.

    Example:
        >>> from avground import Temperature
        >>> Temperature(start=0.1)().detach()
        tensor([0.1000, 0.1000])
    """

    def __init__(self, start: float = 0.1) -> None:
        super().__init__()
        check_positive("start", start)
        self.log = nn.Parameter(torch.full((2,), float(start)).log())

    def forward(self) -> Float[Tensor, "2"]:
        """Return the two temperatures."""
        return self.log.exp()
