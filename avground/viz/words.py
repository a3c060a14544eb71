"""Which words of the question a model took as what is asked for."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from avground.errors import DataError
from avground.viz.checks import check_weights
from avground.viz.style import AUDIO, FAINT, styled, text_on, tint

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDTH, _HIGH, _GAP, _SIZE = 720, 30, 4, 10
"""Of the figure, at most; of a box, between boxes, and of the words in them: points."""
_NO_WEIGHT = 1e-3
"""What is missing from a sum of 1 by rounding, and no weight of padding."""
_NOTE = "weight of each word (share of 1); white is 0, blue is 1"


@styled
def words_figure(words: Sequence[str], word_weights: ArrayLike, *, labels: Sequence[str] | None = None) -> "Figure":
    """Draw the words of a question as boxes, the darker the more weight a word has, one row for each model.

    The shade is the same for all models: white for 0, blue for 1. Weight that padding got is a box of its own.

    Args:
        words: The n words.
        word_weights: (n,), or (k, n) of k models: non-negative, each row with a sum of 1, or less where padding was
            weighed too.
        labels: Names of the k models.

    Raises:
        ConfigError: if matplotlib is not installed.
        DataError: if there is another number of weights or of labels, or they are no weights.
    """
    from matplotlib.figure import Figure

    weights = check_weights("word_weights", word_weights, axes=(-1,), at_most=True)
    rows = weights[None] if weights.ndim == 1 else weights
    if rows.ndim != 2 or rows.shape[1] != len(words):
        raise DataError(f"word_weights: expected (n={len(words)},) or (k, n={len(words)}), got {weights.shape}")
    if labels is not None and len(labels) != len(rows):
        raise DataError(f"labels: expected k={len(rows)}, as word_weights has, got {len(labels)}")
    names = [""] * len(rows) if labels is None else list(labels)
    figure = Figure()
    axis = figure.add_axes((0, 0, 1, 1))
    axis.set_axis_off()
    left = 2 * _GAP + max(_width_of(name) + 2 * _GAP * bool(name) for name in names)
    right = left + _width_of(_NOTE, 7) + _GAP
    top: float = _GAP
    for name, row in zip(names, rows, strict=True):
        axis.text(2 * _GAP, top + _HIGH / 2, name, fontsize=_SIZE, va="center")
        end, top = _draw_row(axis, words, row, left, top)
        right, top = max(right, end), top + 2 * _GAP
    axis.text(left, top, _NOTE, fontsize=7, va="top")
    top += 4 * _GAP
    axis.set(xlim=(0, right + _GAP), ylim=(top, 0))
    figure.set_size_inches((right + _GAP) / 72, top / 72)
    return figure


def _draw_row(
    axis: "Axes", words: Sequence[str], weights: NDArray[np.float64], left: float, top: float
) -> tuple[float, float]:
    """Draw a model's boxes, on several lines where one is too short; returns their right and their lower end."""
    from matplotlib.patches import Rectangle

    boxes = [(word, float(weight), False) for word, weight in zip(words, weights, strict=True)]
    if 1 - weights.sum() > _NO_WEIGHT:
        boxes.append(("padding", 1 - float(weights.sum()), True))
    x = right = left
    for word, weight, padding in boxes:
        width = max(_width_of(word), 24) + 2 * _GAP
        if x > left and x + width > _WIDTH - _GAP:
            x, top = left, top + _HIGH + _GAP
        ground = tint(AUDIO, weight)
        style = "--" if padding else "-"
        axis.add_patch(
            Rectangle((x, top), width, _HIGH, facecolor=ground, edgecolor=FAINT, linestyle=style, linewidth=0.8)
        )
        colour = text_on(ground)
        middle = x + width / 2
        slant = "italic" if padding else "normal"
        axis.text(middle, top + 11, word, fontsize=_SIZE, color=colour, ha="center", va="center", fontstyle=slant)
        axis.text(middle, top + 23, f"{weight:.3f}", fontsize=7, color=colour, ha="center", va="center")
        right = max(right, x + width)
        x += width + _GAP
    return right, top + _HIGH


def _width_of(text: str, size: float = _SIZE) -> float:
    """Of a text, in points."""
    from matplotlib.textpath import TextPath

    return float(TextPath((0, 0), text, size=size).get_extents().width) if text.strip() else 0.0
