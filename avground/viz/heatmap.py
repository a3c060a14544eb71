"""Heat maps: where a model looked in each segment, as sure as it was and as it is usually shown."""

import math
import textwrap
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from avground.viz.checks import check_frames, check_starts, check_weights
from avground.viz.example import Outline
from avground.viz.scale import spread, stretched_scale, true_scale
from avground.viz.style import HEAT, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_COLUMNS = 5
_WIDTH = 1.75
"""Of a map, inches."""
_TEXT = 0.95
"""Height of what stands above and under a pair of maps, inches."""
_OUTLINES = "Solid line: what the question asks for.\nDashed: what else is known to be there."
_GREY = (0.299, 0.587, 0.114)
"""How light red, green and blue are."""


@styled
def heatmap_figure(
    cell_weights: ArrayLike,
    frames: ArrayLike | None = None,
    *,
    starts: ArrayLike | None = None,
    outlines: Iterable[Outline] = (),
    title: str = "",
) -> "Figure":
    """Draw each segment's map twice: on the true scale above, on the stretched scale below.

    The true scale (:func:`avground.viz.true_scale`) is the same for every map, model and figure: a flat map shows
    nothing on it. The stretched scale shows each map from its own smallest weight to its own largest, which are
    printed. Under the first stands how spread out the map is (:func:`avground.viz.spread`).

    Args:
        cell_weights: (t, h, w) For each segment a map that sums to 1.
        frames: (t, H, W, 3) The picture of each segment, uint8. Drawn grey, so that all colour is heat.
        starts: (t,) The second at which each segment begins, ascending; by default segments are numbered from 1.
        outlines: What is known to be where. The target has a solid line, the others dashed ones.
        title: What stands above it all, such as the model and the question.

    Raises:
        ConfigError: if matplotlib is not installed.
        DataError: if an array is not as described: names it.
    """
    maps = check_weights("cell_weights", cell_weights, dims=3, axes=(1, 2))
    t, rows, columns = maps.shape
    true, stretched = true_scale(maps), stretched_scale(maps)
    names = [f"segment {place + 1}" for place in range(t)]
    if starts is not None:
        names = [f"{start:g} s" for start in check_starts(starts, t)]
    pictures: Sequence[NDArray[np.float64] | None] = [None] * t
    tall = rows / columns
    if frames is not None:
        checked = check_frames(frames, t)
        tall = checked.shape[1] / checked.shape[2]
        pictures = [frame @ _GREY for frame in checked]
    outlines = tuple(outlines)
    figure, axes = _make_axes(t, tall, title, _OUTLINES if outlines else "")
    for band in axes:
        _draw_scales(figure, band, rows * columns)
    pairs = axes.swapaxes(1, 2).reshape(-1, 2)
    for place, (upper, lower) in enumerate(pairs[:t]):
        for axis, values in ((upper, true[place]), (lower, stretched[place])):
            _draw_map(axis, values, pictures[place], tall)
            _draw_outlines(axis, outlines, values.shape, named=axis is upper)
        upper.set_title(names[place], fontweight="bold", pad=8)
        upper.set_xlabel(str(spread(maps[place])).replace(", ", "\n", 1), fontsize=7)
        lower.set_xlabel(f"from {maps[place].min():.4g} to {maps[place].max():.4g}", fontsize=7)
    for axis in pairs[t:].ravel():
        axis.set_axis_off()
    return figure


def _make_axes(t: int, tall: float, title: str, note: str) -> tuple["Figure", "NDArray[np.object_]"]:
    """A figure, and its axes by band of segments, row and column."""
    from matplotlib.figure import Figure

    bands = math.ceil(t / _MOST_COLUMNS)
    wide = math.ceil(t / bands)
    width = wide * (_WIDTH + 0.12) + 1.5
    lines = textwrap.wrap(title, int(11 * width))  # So many letters go into an inch.
    height = bands * (2 * (tall * _WIDTH + 0.1) + _TEXT) + 0.2 * (len(lines) + bool(title)) + 0.35 * bool(note)
    figure = Figure(figsize=(width, height), layout="compressed")
    if title:
        figure.suptitle("\n".join(lines), fontsize=10)
    if note:
        figure.supxlabel(note, fontsize=7)
    return figure, figure.subplots(2 * bands, wide, squeeze=False).reshape(bands, 2, wide)


def _draw_map(axis: "Axes", values: NDArray[np.float64], picture: NDArray[np.float64] | None, tall: float) -> None:
    rows, columns = values.shape
    extent = (0, columns, rows, 0)
    if picture is not None:
        axis.imshow(picture, cmap="gray", vmin=0, vmax=255, extent=extent)
    opacity = np.ones_like(values) if picture is None else 0.9 * np.sqrt(values)
    axis.imshow(values, cmap=HEAT, vmin=0, vmax=1, alpha=opacity, extent=extent, interpolation="nearest")
    axis.set(xticks=[], yticks=[], aspect=tall * columns / rows)
    axis.spines[:].set_visible(False)


def _draw_scales(figure: "Figure", axes: "NDArray[np.object_]", cells: int) -> None:
    """The names and colour bars of the two rows of a band."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LogNorm, Normalize

    true, stretched = (
        figure.colorbar(ScalarMappable(norm, HEAT), ax=list(row), aspect=14, pad=0.02)
        for norm, row in zip((LogNorm(1, cells), Normalize(0, 1)), axes, strict=True)
    )
    ticks = [*(tick for power in range(9) for tick in (10**power, 2 * 10**power, 5 * 10**power)), cells]
    ticks = [tick for tick in ticks if tick == cells or tick <= 0.7 * cells]
    axes[0, 0].set_ylabel("true scale,\nalike for all maps")
    true.set_ticks(ticks, labels=[f"{tick}" for tick in ticks])
    true.ax.minorticks_off()
    true.set_label("weight, x flat")
    axes[1, 0].set_ylabel("stretched scale,\neach map's own")
    stretched.set_ticks([0, 1], labels=["smallest", "largest"])
    stretched.set_label("weight, of its map", labelpad=-18)


def _draw_outlines(axis: "Axes", outlines: Sequence[Outline], shape: tuple[int, ...], named: bool) -> None:
    """Lines around cells, white on black so that they are seen on any ground."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path
    from matplotlib.patheffects import withStroke

    for place, outline in enumerate(outlines):
        scale = np.array([shape[1] / outline.columns, shape[0] / outline.rows])
        loops = [np.array(loop) * scale for loop in _loops(outline.cells)]
        if not loops:
            continue
        path = Path.make_compound_path(*(Path(loop, closed=True) for loop in loops))
        style = "solid" if outline.target else (0, (3, 2))
        halo = [withStroke(linewidth=2.4, foreground="black", alpha=0.7)]
        axis.add_patch(
            PathPatch(path, fill=False, edgecolor="white", linewidth=1.2, linestyle=style, path_effects=halo)
        )
        if named:
            _write_name(axis, outline.name, np.concatenate(loops), shape, above=place % 2 == 0)


def _write_name(axis: "Axes", name: str, corners: NDArray[np.float64], shape: tuple[int, ...], above: bool) -> None:
    """The name of an outline at its upper or lower edge, inside the map."""
    from matplotlib.patheffects import withStroke

    (left, top), (right, bottom) = corners.min(0), corners.max(0)
    at_left = left + right < shape[1]
    above = top > 0.12 * shape[0] if above else bottom > 0.88 * shape[0]
    axis.text(
        left if at_left else right,
        top if above else bottom,
        name,
        fontsize=6.5,
        color="white",
        ha="left" if at_left else "right",
        va="bottom" if above else "top",
        path_effects=[withStroke(linewidth=2, foreground="black")],
    )


def _loops(cells: Iterable[tuple[int, int]]) -> list[list[tuple[int, int]]]:
    """The closed lines around cells, as corners (x, y); the last of each is its first again."""
    inside = set(cells)
    following: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for y, x in sorted(inside):
        for (dy, dx), start, end in (
            ((-1, 0), (x, y), (x + 1, y)),
            ((0, 1), (x + 1, y), (x + 1, y + 1)),
            ((1, 0), (x + 1, y + 1), (x, y + 1)),
            ((0, -1), (x, y + 1), (x, y)),
        ):
            if (y + dy, x + dx) not in inside:
                following.setdefault(start, []).append(end)
    loops = []
    while following:
        loop = [next(iter(following))]
        while len(loop) == 1 or loop[-1] != loop[0]:
            ends = following[loop[-1]]
            loop.append(ends.pop())
            if not ends:
                del following[loop[-2]]
        loops.append(loop)
    return loops
