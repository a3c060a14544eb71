"""How training went, epoch by epoch: losses by part, and accuracy on the validation questions."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from avground.errors import DataError, brief
from avground.viz.style import INK, PALETTE, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Entry = Mapping[str, Any]
Curves = dict[str, dict[int, float]]
"""Values by run and by epoch."""

_ACCURACY = "validation accuracy"
_LINES, _MARKERS = ("-", "--", "-.", ":"), ("o", "s", "^", "D", "v", "P", "X")


@styled
def curves_figure(history: Sequence[Entry] | Mapping[str, Sequence[Entry]]) -> "Figure":
    """Draw the losses and the validation accuracy of one or more runs by epoch, a row of panels for each stage.

    A number that is missing or not finite leaves a gap in its line, and a cross at the bottom.

    Args:
        history: ``history`` of a run's ``metrics.json``, see :func:`avground.training.make_report`; for several runs
            that of each by its name.

    Raises:
        ConfigError: if matplotlib is not installed.
        DataError: if it is not that: names the run, the entry and what was expected.
    """
    from matplotlib.figure import Figure

    runs = {str(run): entries for run, entries in history.items()} if isinstance(history, Mapping) else {"": history}
    stages = _read(runs)
    wide = max(map(len, stages.values()))
    figure = Figure(figsize=(2.6 * wide + 0.3, 2.2 * len(stages) + 0.4), layout="constrained")
    grid = figure.subplots(len(stages), wide, squeeze=False)
    gaps = False
    for axes, (stage, parts) in zip(grid, stages.items(), strict=True):
        epochs = {run: sorted({epoch for curves in parts.values() for epoch in curves.get(run, ())}) for run in runs}
        for axis, part in zip(axes, sorted(parts, key=lambda part: part == _ACCURACY), strict=False):
            axis.set_title(f"{stage}: {part}")
            _draw_axes(axis, part)
            for number, run in enumerate(runs):
                if run in parts[part]:
                    values = [parts[part][run].get(epoch, math.nan) for epoch in epochs[run]]
                    gaps |= _draw_curve(axis, epochs[run], values, number)
        for axis in axes[len(parts) :]:
            axis.set_axis_off()
    _write_key(figure, list(runs), gaps)
    return figure


def _read(runs: Mapping[str, Sequence[Entry]]) -> dict[str, dict[str, Curves]]:
    """The curves of each stage by what they are of."""
    stages: dict[str, dict[str, Curves]] = {}
    for run, entries in runs.items():
        name = f"history of {run}" if run else "history"
        if not isinstance(entries, Sequence) or isinstance(entries, str):
            raise DataError(f"{name}: expected a list of epochs, got {brief(entries)}")
        for place, entry in enumerate(entries):
            if not isinstance(entry, Mapping) or not {"stage", "epoch", "losses"} <= entry.keys():
                raise DataError(f"{name}: entry {place}: expected stage, epoch and losses, got {brief(entry)}")
            values = dict(entry["losses"])
            if "validation" in entry:
                values[_ACCURACY] = entry["validation"]
            for part, value in values.items():
                if not isinstance(value, int | float | None):
                    raise DataError(f"{name}: entry {place}: {part}: expected a number, got {brief(value)}")
                curves = stages.setdefault(entry["stage"], {}).setdefault(part, {})
                curves.setdefault(run, {})[entry["epoch"]] = math.nan if value is None else float(value)
    if not stages:
        raise DataError("history: expected at least one epoch, got none")
    return stages


def _draw_axes(axis: "Axes", part: str) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    factor, unit = (100, "accuracy (%)") if part == _ACCURACY else (1, "loss (nats)")
    axis.set(xlabel="epoch", ylabel=unit)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{factor * value:g}"))
    axis.grid(axis="y", alpha=0.4, linewidth=0.6)


def _draw_curve(axis: "Axes", epochs: Sequence[int], values: Sequence[float], number: int) -> bool:
    """Draw the curve of the run of this number; returns whether it has gaps."""
    axis.plot(epochs, values, **_look(number))
    gaps = [epoch for epoch, value in zip(epochs, values, strict=True) if not math.isfinite(value)]
    if gaps:
        cross = {**_look(number), "marker": "x", "markersize": 6, "linestyle": "none", "clip_on": False}
        axis.plot(gaps, [0] * len(gaps), transform=axis.get_xaxis_transform(), **cross)
    return bool(gaps)


def _look(number: int) -> dict[str, Any]:
    """Colour, line and marker of a run: told apart by each of the three."""
    return {
        "color": PALETTE[number % len(PALETTE)],
        "linestyle": _LINES[number % len(_LINES)],
        "marker": _MARKERS[number % len(_MARKERS)],
        "markersize": 3.5,
        "linewidth": 1.2,
    }


def _write_key(figure: "Figure", runs: Sequence[str], gaps: bool) -> None:
    from matplotlib.lines import Line2D

    marks = [Line2D([], [], label=run, **_look(number)) for number, run in enumerate(runs) if run]
    if gaps:
        marks.append(Line2D([], [], color=INK, marker="x", linestyle="none", label="missing or not finite"))
    if marks:
        figure.legend(handles=marks, loc="outside upper left", ncols=5, handlelength=3)
