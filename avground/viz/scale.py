"""How spread out a map of weights is, and the two scales that it is shown on."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike, NDArray

from avground.errors import DataError
from avground.viz.checks import check_weights


class Spread(NamedTuple):
    """How spread out a row of weights is.

    Attributes:
        entropy: Of the weights, as a share of the largest possible: 1 for a flat row, 0 for all weight in one place.
        peak_over_uniform: The largest weight times the number of places: 1 for a flat row.
        contrast: ``(largest - smallest) / (largest + smallest)``: 0 for a flat row, 1 where a place has no weight.
    """

    entropy: float
    peak_over_uniform: float
    contrast: float

    def __str__(self) -> str:
        return f"entropy {self.entropy:.3f}, largest {self.peak_over_uniform:.2f} x flat, contrast {self.contrast:.3f}"


def spread(weights: ArrayLike) -> Spread:
    r"""Measure how spread out weights are: what a picture of them on a stretched scale hides.

    .. math:: \frac{-\sum_i w_i \ln w_i}{\ln s}, \qquad s \max_i w_i, \qquad
        \frac{\max_i w_i - \min_i w_i}{\max_i w_i + \min_i w_i}

    Args:
        weights: Of one map or row of s places, in any shape: non-negative numbers that sum to 1.

    Raises:
        DataError: if they are not, or s is less than 2.
    """
    row = check_weights("weights", weights).ravel()
    if row.size < 2:
        raise DataError(f"weights: expected at least 2 places, got {row.size}")
    row = row / row.sum()
    there = row[row > 0]
    entropy = float(-(there * np.log(there)).sum() / np.log(row.size))
    largest, smallest = float(row.max()), float(row.min())
    return Spread(min(max(0.0, entropy), 1.0), largest * row.size, (largest - smallest) / (largest + smallest))


def true_scale(weights: ArrayLike) -> NDArray[np.float64]:
    r"""Maps on a scale that is the same for every map and every model.

    .. math:: \max\!\left(0, \frac{\ln (s w)}{\ln s}\right)

    A cell that gets s = h w times as much as in a flat map, which is all, is 1; one that gets as much as in a flat map,
    or less, is 0. So a flat map shows nothing, and no map is made to look surer than it is.

    Args:
        weights: (..., h, w), each map non-negative and of sum 1.

    Raises:
        DataError: if they are not, or a map has fewer than 2 cells.
    """
    maps = _maps(weights)
    cells = maps.shape[-2] * maps.shape[-1]
    return np.asarray(np.log(np.maximum(maps * cells, 1)) / np.log(cells))


def stretched_scale(weights: ArrayLike) -> NDArray[np.float64]:
    """Each map from its own smallest weight, 0, to its own largest, 1: shows where, and hides how much.

    Published heat maps are drawn like this. A flat map is 0 everywhere; one that is flat to the third digit looks as
    sure as any other, so whoever shows this scale shows :func:`true_scale` or :func:`spread` beside it.

    Args:
        weights: As for :func:`true_scale`.

    Raises:
        DataError: as for :func:`true_scale`.
    """
    maps = _maps(weights)
    lowest = maps.min((-2, -1), keepdims=True)
    width = maps.max((-2, -1), keepdims=True) - lowest
    flat = width < _ROUNDING * maps.max((-2, -1), keepdims=True)
    return np.asarray(np.where(flat, 0, (maps - lowest) / np.where(flat, 1, width)))


_ROUNDING = 1e-6
"""Differences below this share of the largest weight are those of single precision, and no structure."""


def _maps(weights: ArrayLike) -> Float[np.ndarray, "*t h w"]:
    maps = check_weights("weights", weights, axes=(-2, -1))
    if maps.shape[-2] * maps.shape[-1] < 2:
        raise DataError(f"weights: expected maps of at least 2 cells, got {maps.shape[-2]} x {maps.shape[-1]}")
    sums = maps.sum((-2, -1), keepdims=True)  # Half precision may have missed 1, where the scale ends.
    return np.asarray(maps / sums)
