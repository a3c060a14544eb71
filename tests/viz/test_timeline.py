import math
from itertools import pairwise

import numpy as np
import pytest

from avground.errors import ConfigError, DataError
from avground.viz import spread, timeline_figure
from avground.viz.style import AUDIO, GROUND, VISUAL
from tests.viz.drawn import check_image, check_legible, words_of

pytest.importorskip("matplotlib", reason="figures need matplotlib")

T = 10
AUDIO_WEIGHTS = np.arange(1, T + 1) / 55
VISUAL_WEIGHTS = np.array([4, 0, 1, 0, 0, 2, 0, 0, 1, 2]) / 10
STARTS = 6.0 * np.arange(T)
WAVE = np.abs(np.sin(np.arange(120) / 7))


def pictures(t):
    frames = np.full((t, 9, 16, 3), 120, np.uint8)
    frames[:, 3:6, 4:8] = (230, 190, 60)
    return frames


def bars_of(axis, colour):
    from matplotlib.colors import to_hex

    return [bar for bars in axis.containers for bar in bars if to_hex(bar.get_facecolor()).upper() == colour]


def shaded(axis):
    """Where the background is shaded, as (start, length)."""
    from matplotlib.colors import to_hex

    found = [patch for patch in axis.patches if to_hex(patch.get_facecolor()).upper() == GROUND]
    return [(patch.get_x(), patch.get_width()) for patch in found]


def test_bars_stand_for_their_second_sound_above_and_pictures_below():
    axis = timeline_figure(AUDIO_WEIGHTS, VISUAL_WEIGHTS, starts=STARTS, seconds=60).axes[-1]
    for colour, weights in ((AUDIO, AUDIO_WEIGHTS), (VISUAL, -VISUAL_WEIGHTS)):
        bars = bars_of(axis, colour)
        assert [bar.get_x() for bar in bars] == STARTS.tolist()
        assert [bar.get_width() for bar in bars] == [1] * T
        assert [bar.get_height() for bar in bars] == weights.tolist()
    assert axis.get_xlim() == (0, 60)
    assert axis.get_xlabel() == "time in the video (s)"


def test_sound_and_pictures_differ_by_more_than_colour():
    axis = timeline_figure(AUDIO_WEIGHTS, VISUAL_WEIGHTS).axes[-1]
    assert {bar.get_hatch() for bar in bars_of(axis, AUDIO)} == {None}
    assert {bar.get_hatch() for bar in bars_of(axis, VISUAL)} == {"////"}


def test_weights_below_are_written_without_a_sign():
    figure = timeline_figure(AUDIO_WEIGHTS, VISUAL_WEIGHTS)
    assert "\N{MINUS SIGN}" not in words_of(figure)
    labels = [label.get_text() for label in figure.axes[-1].get_yticklabels()]
    assert labels == labels[::-1]
    assert float(labels[0]) > 0


def _agreement(p, q):
    def kl(a, b):
        return math.fsum(x * math.log(x / y) for x, y in zip(a, b, strict=True) if x)

    middle = [(x + y) / 2 for x, y in zip(p, q, strict=True)]
    return 1 - (kl(p, middle) + kl(q, middle)) / 2 / math.log(2)


@pytest.mark.parametrize(
    ("audio", "visual"),
    [(AUDIO_WEIGHTS, VISUAL_WEIGHTS), (np.eye(T)[0], np.eye(T)[9]), (np.full(T, 0.1), np.full(T, 0.1))],
)
def test_agreement_and_entropies_are_printed(audio, visual):
    text = words_of(timeline_figure(audio, visual))
    assert f"agreement 1 - JS/ln 2: {_agreement(audio, visual):.3f}" in text
    assert f"audio {spread(audio).entropy:.3f}, visual {spread(visual).entropy:.3f}" in text


def test_what_no_preference_would_be_is_dotted():
    uniform = np.array([1] * 9 + [3]) / 12
    for given, expected in ((None, np.full(T, 0.1)), (uniform, uniform)):
        axis = timeline_figure(AUDIO_WEIGHTS, VISUAL_WEIGHTS, starts=STARTS, uniform=given).axes[-1]
        up, down = (patch for patch in axis.patches if patch.get_linestyle() == ":")
        assert up.get_data().values.tolist() == pytest.approx(expected.tolist())
        assert down.get_data().values.tolist() == pytest.approx((-expected).tolist())
        edges = up.get_data().edges
        assert ((edges[:-1] <= STARTS) & (edges[1:] >= STARTS + 1)).all()


def test_flat_rows_do_not_fill_the_axes():
    axis = timeline_figure(np.full(T, 0.1), np.full(T, 0.1)).axes[-1]
    low, high = axis.get_ylim()
    assert high == -low
    assert high > 0.2


def test_seconds_that_decide_are_shaded_in_every_row():
    deciding = np.arange(T) % 4 == 1
    options = {"starts": STARTS, "waveform": WAVE, "frames": pictures(T)}
    figure = timeline_figure(AUDIO_WEIGHTS, VISUAL_WEIGHTS, deciding=deciding, **options)
    assert len(figure.axes) == 3
    for axis in figure.axes:
        assert shaded(axis) == [(start, 1) for start in STARTS[deciding]]
    assert "decides the answer" in words_of(figure)
    assert "decides" not in words_of(timeline_figure(AUDIO_WEIGHTS, VISUAL_WEIGHTS, deciding=[False] * T))


def test_the_waveform_spans_the_video():
    figure = timeline_figure(AUDIO_WEIGHTS, VISUAL_WEIGHTS, starts=STARTS, seconds=60, waveform=WAVE)
    (wave,) = figure.axes[0].patches
    data = wave.get_data()
    assert data.edges[[0, -1]].tolist() == [0, 60]
    assert data.values.tolist() == WAVE.tolist()
    assert data.baseline.tolist() == (-WAVE).tolist()


@pytest.mark.parametrize(("t", "step"), [(2, 1), (10, 1), (60, 5)])
def test_pictures_stand_at_their_second_and_are_as_wide_as_there_is_room(t, step):
    weights = np.full(t, 1 / t)
    figure = timeline_figure(weights, weights, frames=pictures(t))
    axis = figure.axes[0]
    extents = [image.get_extent() for image in axis.images]
    assert [extent[0] for extent in extents] == list(range(0, t, step))
    assert all(one[1] <= other[0] for one, other in pairwise(extents))
    assert axis.get_ylabel() == ("frames" if step == 1 else f"1 frame\nin {step}")
    left, right, bottom, top = extents[0]
    (x0, y0), (x1, y1) = axis.transData.transform([(left, bottom), (right, top)])
    assert (y1 - y0) / (x1 - x0) == pytest.approx(9 / 16)
    assert x1 - x0 > 0.6 * figure.dpi
    assert top <= 1


@pytest.mark.parametrize("t", [2, 10, 60])
def test_all_text_is_legible(t):
    weights = np.full(t, 1 / t)
    check_legible(timeline_figure(weights, weights))
    options = {"frames": pictures(t), "waveform": WAVE, "deciding": [True] * t}
    check_legible(timeline_figure(weights, weights, starts=2 * np.arange(t), **options))


def test_a_video_may_end_within_its_last_segment():
    axis = timeline_figure(AUDIO_WEIGHTS, VISUAL_WEIGHTS, seconds=9.5).axes[-1]
    assert axis.get_xlim() == (0, 10)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"audio_weights": [1.0]}, "audio_weights: expected at least 2 segments, got 1"),
        ({"audio_weights": AUDIO_WEIGHTS * 2}, "audio_weights: expected weights that sum to 1"),
        ({"visual_weights": [0.5, 0.5]}, r"visual_weights: expected t=10 segments, .* got shape \(2,\)"),
        ({"uniform": [0.5, 0.5]}, r"uniform: expected t=10 segments, .* got shape \(2,\)"),
        ({"deciding": [True]}, r"deciding: expected t=10 segments, .* got shape \(1,\)"),
        ({"starts": [0, 1]}, "starts: expected t=10 segments, got 2"),
        ({"seconds": 54.0}, "seconds: expected more than 54, where the last segment begins, got 54"),
        ({"waveform": [-0.5, 0.5]}, r"waveform: expected amplitudes from 0 to 1, got -0\.5 to 0\.5"),
        ({"frames": pictures(3)}, r"frames: expected \(t=10, H, W, 3\), got \(3, 9, 16, 3\)"),
    ],
)
def test_what_cannot_be_drawn_is_told(changed, told):
    given = {"audio_weights": AUDIO_WEIGHTS, "visual_weights": VISUAL_WEIGHTS, "starts": STARTS, **changed}
    with pytest.raises(DataError, match=told):
        timeline_figure(given.pop("audio_weights"), given.pop("visual_weights"), **given)


def test_a_length_that_is_no_number_is_told():
    with pytest.raises(ConfigError, match="seconds: expected a number above 0, got -1"):
        timeline_figure(AUDIO_WEIGHTS, VISUAL_WEIGHTS, seconds=-1)


def test_it_looks_as_it_did(tmp_path):
    check_image(timeline_figure(AUDIO_WEIGHTS, VISUAL_WEIGHTS), "timeline", tmp_path)


def test_it_looks_as_it_did_with_all_its_rows(tmp_path):
    figure = timeline_figure(
        AUDIO_WEIGHTS,
        VISUAL_WEIGHTS,
        starts=STARTS,
        seconds=60,
        waveform=WAVE,
        frames=pictures(T),
        deciding=np.arange(T) % 4 == 1,
    )
    check_image(figure, "timeline-rows", tmp_path)
