"""Which answers a model takes for which, by type of question."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from avground.data.table import rows_of
from avground.errors import DataError, check_whole
from avground.viz.style import AUDIO, FAINT, styled, text_on, tint

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLUMNS = 3


@styled
def confusion_figure(
    predicted: Sequence[str], right: Sequence[str], types: Sequence[tuple[str, str]], *, top: int = 12
) -> "Figure":
    """Draw for each type of question how often each right answer (row) got each predicted one (column).

    The shade is the share of the row, alike in all panels; the numbers are questions. Answers are in order of how often
    they are right. Those beyond the most frequent are put together as "other", and where both answers are among them,
    the number says how many of the questions are answered rightly all the same: ``3/5``.

    Args:
        predicted: The answer given to each question.
        right: The right one.
        types: Modality and kind of each question, such as ``("Audio-Visual", "Counting")``.
        top: How many answers of a type are shown by themselves.

    Raises:
        ConfigError: if matplotlib is not installed, or ``top`` is no whole number of at least 1.
        DataError: if the lengths differ, or there is no question.
    """
    from matplotlib.figure import Figure

    check_whole("top", top)
    lengths = {"right": len(right), "types": len(types)}
    for name, length in lengths.items():
        if length != len(predicted):
            raise DataError(f"{name}: expected one for each of {len(predicted)} predicted answers, got {length}")
    if not len(predicted):
        raise DataError("predicted: expected at least one answer, got none")
    panels = {row: places for row, places in rows_of(types).items() if "/" in row}
    columns = min(_COLUMNS, len(panels))
    rows = math.ceil(len(panels) / columns)
    figure = Figure(figsize=(4.2 * columns + 0.8, 3.9 * rows + 0.3), layout="constrained")
    figure.supxlabel("predicted answer", fontsize=9)
    figure.supylabel("right answer (how many questions)", fontsize=9)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis, (row, places) in zip(axes, panels.items(), strict=False):
        _draw_panel(axis, row, [predicted[place] for place in places], [right[place] for place in places], top)
    for axis in axes[len(panels) :]:
        axis.set_axis_off()
    _draw_scale(figure, list(axes))
    return figure


def _draw_panel(axis: "Axes", title: str, predicted: Sequence[str], right: Sequence[str], top: int) -> None:
    names, counts = _count(predicted, right, top)
    totals = counts.sum(1)
    hits = sum(answer == truth for answer, truth in zip(predicted, right, strict=True))
    shares = counts / np.maximum(totals, 1)[:, None]
    n = len(names)
    axis.imshow([[tint(AUDIO, share) for share in row] for row in shares])
    size = 7 if n <= 8 else 5.5
    for y, x in np.argwhere(counts):
        text = str(counts[y, x])
        if x == y == top:
            text = f"{hits - np.trace(counts[:top, :top])}/\n{text}"
        colour = text_on(tint(AUDIO, shares[y, x]))
        axis.text(x, y, text, fontsize=size, color=colour, ha="center", va="center")
    axis.set_xticks(range(n), names, rotation=90 if n > 4 else 0, fontsize=6.5)
    axis.set_yticks(range(n), [f"{name} ({total})" for name, total in zip(names, totals, strict=True)], fontsize=6.5)
    axis.tick_params(length=0)
    axis.spines[:].set(visible=True, color=FAINT)
    axis.set_title(f"{title.replace('/', ', ')}: accuracy {100 * hits / len(right):.1f} %, n = {len(right):,}")


def _count(predicted: Sequence[str], right: Sequence[str], top: int) -> tuple[list[str], NDArray[np.int64]]:
    """Names of the answers, and how many questions have each as the right one (row) and as the predicted one."""
    truths, guesses = Counter(right), Counter(predicted)
    order = sorted({*truths, *guesses}, key=lambda answer: (-truths[answer], -guesses[answer], answer))
    others = len(order) - top
    names = order[:top]
    if others > 0:
        names.append(f"other ({others} answer{'s' * (others > 1)})")
    place = {answer: min(number, top) for number, answer in enumerate(order)}
    counts = np.zeros((len(names), len(names)), np.int64)
    for truth, guess in zip(right, predicted, strict=True):
        counts[place[truth], place[guess]] += 1
    return names, counts


def _draw_scale(figure: "Figure", axes: "list[Axes]") -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LinearSegmentedColormap, Normalize

    shades = LinearSegmentedColormap.from_list("share", ["white", AUDIO])
    bar = figure.colorbar(ScalarMappable(Normalize(0, 100), shades), ax=axes, aspect=40, fraction=0.03, pad=0.01)
    bar.set_label("share of the questions with this right answer (%)")
