"""What the steps of an epoch add up to, kept on the device, and whether one of them had to be left undone."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

_MOST_LOSSES = 7

SUMS = _MOST_LOSSES + 1
"""Numbers that are added up."""


class Tally:
    """Sums of losses, and the guard against numbers that are not finite.

    Nothing here waits for the device. From the first step on whose loss or gradients are NaN or infinite nothing
    changes any more, neither the sums nor, as the optimiser reads :attr:`broken`, weights and moments: whenever
    somebody looks, the run is as it was before that step.

    Args:
        device: Where the run computes.

    Attributes:
        sums: Sum of each loss over all processes' shares, then, at the end, the number of steps.
        broken: 1 from that step on, else 0; what Adam calls ``found_inf``.
        found: The norm of the gradients and the loss of that step.
    """

    def __init__(self, device: torch.device) -> None:
        self.sums = torch.zeros(SUMS, dtype=torch.float64, device=device)
        self.broken = torch.zeros((), dtype=torch.float32, device=device)
        self.found = torch.zeros(2, dtype=torch.float64, device=device)

    def judge(self, found: Float[Tensor, "2"]) -> None:
        """Look at the norm of the gradients and the loss of a step before it changes anything."""
        bad = ~found.isfinite().all()
        self.found.copy_(torch.where(bad & (self.broken == 0), found, self.found))
        self.broken.masked_fill_(bad, 1.0)

    def add(self, losses: Float[Tensor, " n"]) -> None:
        """Count a step, unless it or one before was left undone."""
        undone = self.broken != 0
        self.sums[: losses.shape[0]] += losses.masked_fill(undone, 0.0)
        self.sums[-1] += ~undone

    def restore(self, sums: Sequence[float], steps: int) -> None:
        """Go on with what :attr:`sums` held after so many steps."""
        self.sums.copy_(torch.tensor(sums, dtype=self.sums.dtype))
        self.sums[-1] = steps  # which checkpoints did not hold twice once

    def clear(self) -> None:
        """Begin a new epoch."""
        self.sums.zero_()

    @property
    def steps(self) -> int:
        """Steps added up; waits for the device."""
        return int(self.sums[-1].item())

    def describe(self) -> str:
        """What was found, in words; waits for the device."""
        norm, loss = self.found.tolist()
        return f"expected finite numbers, got a loss of {loss:g} with gradients of norm {norm:g}"

    def means(self, losses: int, steps: int) -> Float[Tensor, " losses"]:
        """The mean of each loss over so many steps."""
        return self.sums[:losses] / steps
