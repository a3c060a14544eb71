"""When a model listened and looked, at the seconds of the video, with what there was to hear and to see."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from avground.errors import DataError, check_positive
from avground.ops.divergence import js_divergence
from avground.viz.checks import check_frames, check_starts, check_waveform, check_weights
from avground.viz.scale import spread
from avground.viz.style import AUDIO, FAINT, GROUND, INK, VISUAL, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Row = NDArray[np.float64]

_WIDTH = 10.0
_MARGINS = {"left": 0.8, "right": 0.15, "top": 0.6, "bottom": 0.45}
_HEIGHTS = {"frames": 0.7, "waveform": 0.6, "weights": 2.4}
_NARROWEST = 0.7
"""Of a picture. All in inches."""


@styled
def timeline_figure(
    audio_weights: ArrayLike,
    visual_weights: ArrayLike,
    *,
    starts: ArrayLike | None = None,
    seconds: float | None = None,
    uniform: ArrayLike | None = None,
    waveform: ArrayLike | None = None,
    frames: ArrayLike | None = None,
    deciding: ArrayLike | None = None,
) -> "Figure":
    r"""Draw the weights of the sound upwards and those of the pictures downwards, where each segment is in the video.

    A segment is one second long; between segments a model neither hears nor sees, and nothing is drawn. Above stand
    the agreement of the two and their entropies, as shares of the largest possible: two flat rows agree as well as two
    sharp ones.

    .. math:: \text{agreement} = 1 - \frac{\mathrm{JS}(w_a, w_v)}{\ln 2}

    Args:
        audio_weights: (t,) Attention to the sound, of sum 1.
        visual_weights: (t,) Attention to the pictures, of sum 1.
        starts: (t,) The second at which each segment begins, ascending; by default one follows the other from 0.
        seconds: Length of the video; by default it ends with the last segment.
        uniform: (t,) The weights of a model without preference, which are dotted; by default all alike.
        waveform: (m,) The largest amplitude, from 0 to 1, in each of m equal parts of the video.
        frames: (t, H, W, 3) The picture of each segment, uint8. Where all would be too narrow, one in so many is drawn,
            which is said.
        deciding: (t,) Whether each segment decides the answer; those that do are shaded.

    Raises:
        ConfigError: if matplotlib is not installed, or ``seconds`` is no number above 0.
        DataError: if an array is not as described, or there are fewer than 2 segments: names it.
    """
    audio = check_weights("audio_weights", audio_weights, dims=1)
    t = len(audio)
    if t < 2:
        raise DataError(f"audio_weights: expected at least 2 segments, got {t}")
    visual = _of_length(t, "visual_weights", check_weights("visual_weights", visual_weights, dims=1))
    none = np.full(t, 1 / t) if uniform is None else check_weights("uniform", uniform, dims=1)
    none = _of_length(t, "uniform", none)
    shaded = _of_length(t, "deciding", np.zeros(t, bool) if deciding is None else np.asarray(deciding, bool))
    begins = check_starts(np.arange(t) if starts is None else starts, t)
    end = float(begins[-1] + 1) if seconds is None else seconds
    check_positive("seconds", end)
    if end <= begins[-1]:
        raise DataError(f"seconds: expected more than {begins[-1]:g}, where the last segment begins, got {end:g}")

    there = {"frames": frames is not None, "waveform": waveform is not None, "weights": True}
    figure, axes = _make_axes([row for row, wanted in there.items() if wanted], max(end, float(begins[-1] + 1)))
    for axis in axes.values():
        for begin in begins[shaded]:
            axis.axvspan(begin, begin + 1, color=GROUND, linewidth=0, zorder=0)
    if frames is not None:
        _draw_frames(axes["frames"], check_frames(frames, t), begins, tuple(figure.get_size_inches()))
    if waveform is not None:
        _draw_waveform(axes["waveform"], waveform, end)
    _draw_weights(axes["weights"], audio, visual, none, begins)
    _write_head(figure, audio, visual, deciding=bool(shaded.any()))
    return figure


def _of_length(t: int, name: str, row: NDArray[Any]) -> NDArray[Any]:
    if row.shape != (t,):
        raise DataError(f"{name}: expected t={t} segments, as audio_weights has, got shape {row.shape}")
    return row


def _make_axes(rows: list[str], end: float) -> tuple["Figure", dict[str, "Axes"]]:
    """A figure, and under each other the axes of its rows, with the seconds as their common x."""
    from matplotlib.figure import Figure

    heights = [_HEIGHTS[row] for row in rows]
    height = sum(heights) + _MARGINS["top"] + _MARGINS["bottom"]
    figure = Figure(figsize=(_WIDTH, height))
    grid = figure.add_gridspec(
        len(rows),
        height_ratios=heights,
        hspace=0.1,
        left=_MARGINS["left"] / _WIDTH,
        right=1 - _MARGINS["right"] / _WIDTH,
        top=1 - _MARGINS["top"] / height,
        bottom=_MARGINS["bottom"] / height,
    )
    drawn = grid.subplots(sharex=True, squeeze=False)[:, 0]
    drawn[-1].set_xlim(0, end)
    drawn[-1].set_xlabel("time in the video (s)")
    return figure, dict(zip(rows, drawn, strict=True))


def _draw_frames(axis: "Axes", frames: NDArray[np.uint8], begins: Row, size: tuple[float, float]) -> None:
    """Pictures as large as there is room for, each from the second on that it is of."""
    box, end = axis.get_position(), axis.get_xlim()[1]
    width, height = box.width * size[0], box.height * size[1]
    step = 1
    while step < len(begins) and np.diff(begins[::step]).min() * width / end < _NARROWEST:
        step += 1
    room = np.diff(begins[::step]).min() if step < len(begins) else end
    tall = frames.shape[1] / frames.shape[2]
    wide = min(0.96 * room, height / tall * end / width)
    share = wide * width / end * tall / height
    for begin, frame in zip(begins[::step], frames[::step], strict=True):
        axis.imshow(frame, extent=(begin, begin + wide, 0, share), aspect="auto")
    axis.set(xlim=(0, end), ylim=(0, 1), yticks=[])
    axis.set_ylabel("frames" if step == 1 else f"1 frame\nin {step}")
    axis.tick_params(bottom=False, labelbottom=False)
    axis.spines[:].set_visible(False)


def _draw_waveform(axis: "Axes", waveform: ArrayLike, end: float) -> None:
    wave = check_waveform(waveform)
    axis.stairs(wave, np.linspace(0, end, len(wave) + 1), baseline=-wave, fill=True, color=FAINT)
    axis.set(ylim=(-1.05, 1.05), yticks=[-1, 0, 1], ylabel="amplitude\n(full scale)")


def _draw_weights(axis: "Axes", audio: Row, visual: Row, none: Row, begins: Row) -> None:
    from matplotlib.ticker import FuncFormatter

    axis.bar(begins, audio, width=1, align="edge", color=AUDIO, edgecolor="white", linewidth=0.5)
    axis.bar(begins, -visual, width=1, align="edge", color=VISUAL, edgecolor="white", linewidth=0.5, hatch="////")
    edges = np.concatenate([[0], (begins[1:] + begins[:-1] + 1) / 2, [axis.get_xlim()[1]]])
    for sign in (1, -1):
        axis.stairs(sign * none, edges, baseline=None, color=INK, linestyle=":", linewidth=1.2)
    axis.axhline(0, color=INK, linewidth=0.8)
    top = 1.1 * max(audio.max(), visual.max(), 2 * none.max())  # Flat rows fill no more than half of it.
    axis.set_ylim(-top, top)
    axis.yaxis.set_major_formatter(FuncFormatter(lambda weight, _: f"{abs(weight):g}"))
    axis.set_ylabel("weight (share of 1)")


def _write_head(figure: "Figure", audio: Row, visual: Row, deciding: bool) -> None:
    """What the two rows have in common, and what the marks mean."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    pair = (torch.from_numpy(row / row.sum()) for row in (audio, visual))
    agreement = 1 - js_divergence(*pair).item() / math.log(2)
    entropies = f"audio {spread(audio).entropy:.3f}, visual {spread(visual).entropy:.3f}"
    left, top = _MARGINS["left"] / _WIDTH, 1 - 0.1 / figure.get_figheight()
    text = f"agreement 1 - JS/ln 2: {agreement:.3f}        entropy (1 is flat): {entropies}"
    figure.text(left, top, text, fontsize=9, va="top")
    marks: list[Patch | Line2D] = [
        Patch(facecolor=AUDIO, label="audio, upwards"),
        Patch(facecolor=VISUAL, edgecolor="white", hatch="////", label="visual, downwards"),
        Line2D([], [], color=INK, linestyle=":", label="without preference"),
    ]
    if deciding:
        marks.append(Patch(facecolor=GROUND, label="decides the answer"))
    under = 1 - 0.28 / figure.get_figheight()
    figure.legend(handles=marks, loc="upper left", ncols=len(marks), bbox_to_anchor=(left, under), borderaxespad=0)
