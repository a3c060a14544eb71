"""How far a fast implementation may be off: no further than the plain one in the same precision, and then some."""

from collections.abc import Mapping

import torch
from torch import Tensor

FLOORS: Mapping[torch.dtype, float] = {
    torch.float64: 1e-12,
    torch.float32: 2e-6,
    torch.float16: 1e-3,
    torch.bfloat16: 8e-3,
}
"""Error that is always allowed, by the precision of the inputs, as a share of the largest exact number."""


def error_of(got: Tensor, exact: Tensor) -> float:
    """Largest deviation, as a share of the largest exact number; infinite where ``got`` is not finite.

    Example:
        >>> import torch
        >>> from avground.testing import error_of
        >>> error_of(torch.tensor([1.0, 2.5]), torch.tensor([1.0, 2.0]))
        0.25
    """
    if not got.isfinite().all():
        return float("inf")
    if not exact.numel():
        return 0.0
    size = exact.abs().amax().clamp(min=torch.finfo(exact.dtype).tiny)
    return float((got.to(exact) - exact).abs().amax() / size)


def assert_as_precise(got: Tensor, plain: Tensor, exact: Tensor, dtype: torch.dtype, name: str = "output") -> None:
    r"""Raise unless :math:`error(got) \le 2\, error(plain) + floor`.

    Args:
        got: What the fast implementation returned.
        plain: What the plain one returned, from the same inputs in the same precision.
        exact: What the plain one returned in float64.
        dtype: Precision of the inputs.
        name: What to call it in the message.

    Raises:
        AssertionError: names both errors and what was allowed; also for another shape.
    """
    if not got.shape == plain.shape == exact.shape:
        raise AssertionError(
            f"{name}: expected shape {tuple(exact.shape)}, got {tuple(got.shape)} and {tuple(plain.shape)}"
        )
    ours, theirs = error_of(got, exact), error_of(plain, exact)
    allowed = 2 * theirs + FLOORS[dtype]
    if not ours <= allowed:
        raise AssertionError(f"{name}: expected an error of at most {allowed:.2g} in {dtype}, got {ours:.2g}")
