from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest

from avground.media.tracks import RATE, Pictures, Sound
from tests.media.clips import gray, level, tone

av = pytest.importorskip("av")
pytest.importorskip("PIL")


def stream(**changes):
    """A stream of which a file says nothing but a rate."""
    container = SimpleNamespace(format=SimpleNamespace(name="mpegts"))
    values = {"type": "video", "container": container, "duration": None, "average_rate": None, "guessed_rate": None}
    return SimpleNamespace(**values | changes)


def packet(*frames):
    return SimpleNamespace(decode=lambda: list(frames))


def picture(index, pts=None):
    frame = av.VideoFrame.from_ndarray(gray(index, 16, 16), format="rgb24")
    frame.pts, frame.time_base = pts, Fraction(1, 100)
    return frame


def samples(begin, count, rate=RATE, pts=None, layout="mono"):
    """Samples of a tone, by their number within it."""
    values = tone()(np.arange(begin, begin + count) / rate).astype(np.float32)
    channels = av.AudioLayout(layout).nb_channels
    frame = av.AudioFrame.from_ndarray(np.tile(values, (channels, 1)), format="fltp", layout=layout)
    frame.sample_rate, frame.pts, frame.time_base = rate, pts, Fraction(1, 1000)
    return frame


def expected(seconds):
    return tone()(np.arange(round(seconds * RATE)) / RATE)


def test_pictures_without_timestamps_go_by_the_rate():
    pictures = Pictures("a", stream(average_rate=Fraction(4)), 0, 0, 60, 8)
    for index in range(10):
        pictures.add(packet(picture(index)))
    assert pictures.finish()[:, 0, 0, 0].tolist() == [level(2), level(6), level(9)]
    assert pictures.end == 2.5
    assert not pictures.done


def test_pictures_count_from_the_origin():
    pictures = Pictures("a", stream(), 10, 0, 2, 8)
    pictures.add(packet(*(picture(index, 1000 + 40 * index) for index in range(6))))
    assert pictures.finish()[:, 0, 0, 0].tolist() == [level(1), level(3)]
    assert pictures.done
    pictures.add(None)  # Enough: nothing more is decoded.


def test_sound_without_timestamps_has_no_gaps():
    sound = Sound("a", stream(), 0, 0, 60)
    for begin in range(0, 2 * RATE, 1000):
        sound.add(packet(samples(begin, 1000)))
    assert np.abs(sound.finish() - expected(2)).max() < 1e-6


def test_jitter_is_no_gap():
    sound = Sound("a", stream(), 0, 0, 1)
    for number in range(16):
        sound.add(packet(samples(1000 * number, 1000, pts=round(62.5 * number) + 30 * (number % 2))))
    assert np.abs(sound.finish() - expected(1)).max() < 1e-6


def test_sound_that_changes_on_the_way():
    sound = Sound("a", stream(), 0, 0, 60)
    sound.add(packet(samples(0, 8_000)))
    sound.add(packet(samples(24_000, 24_000, rate=48_000, pts=500, layout="stereo")))
    found = sound.finish()
    assert len(found) == RATE
    assert np.abs(found[:7990] - expected(1)[:7990]).max() < 1e-6
    assert np.abs(found - expected(1))[8100:-100].max() < 1e-3


def test_sound_that_goes_back_is_not_shorter():
    sound = Sound("a", stream(), 0, 0, 60)
    sound.add(packet(samples(0, 2 * RATE, pts=0)))
    sound.add(packet(samples(0, 1600, pts=500)))
    assert sound.end == 2
    assert len(sound.finish()) == 2 * RATE


@pytest.mark.parametrize(
    ("start", "gaps"),
    [(0, [(1, 3)]), (1.5, [(1, 3)]), (2, []), (2.5, []), (4, [])],  # A second of what is wanted may be missing.
)
def test_gaps_of_sound(start, gaps):
    sound = Sound("a", stream(), 0, start, 60)
    for second in (0, 3, 4.9):  # From 4 to 4.9 there is nothing either: too little to mention.
        sound.add(packet(samples(0, RATE, pts=round(second * 1000))))
    assert sound.gaps == gaps


def test_gaps_beyond_what_is_wanted():
    sound = Sound("a", stream(), 0, 0, 2)
    sound.add(packet(samples(0, RATE, pts=0), samples(0, RATE, pts=3000)))
    assert sound.done
    assert sound.gaps == []


@pytest.mark.parametrize(
    ("rate", "gaps"), [(Fraction(10), [(0.1, 3), (3.1, 6)]), (Fraction(1, 3), []), (None, [(0.04, 3), (3.04, 6)])]
)
def test_gaps_of_pictures(rate, gaps):
    pictures = Pictures("a", stream(average_rate=rate), 0, 0, 60, 8)
    pictures.add(packet(*(picture(index, 300 * index) for index in range(3))))
    assert pictures.gaps == gaps


def test_slow_pictures_need_not_be_regular():
    pictures = Pictures("a", stream(average_rate=Fraction(1, 3)), 0, 0, 60, 8)
    pictures.add(packet(picture(0, 0), picture(1, 500), picture(2, 1200)))
    assert pictures.gaps == [(8, 12)]


def test_a_picture_that_is_shown_for_long_is_no_gap():
    pictures = Pictures("a", stream(average_rate=Fraction(10)), 0, 0, 60, 8)
    long = picture(0, 0)
    long.duration = 300
    pictures.add(packet(long, picture(1, 300)))
    assert pictures.gaps == []


def test_what_begins_late_has_no_gap():
    sound = Sound("a", stream(), 0, 0, 60)
    sound.add(packet(samples(0, RATE, pts=5000)))
    assert sound.gaps == []


def test_the_first_damage_is_told():
    sound = Sound("a", stream(), 0, 0, 60)

    def fail():
        raise av.error.InvalidDataError(1, "no sense")

    sound.add(packet(samples(0, RATE)))
    sound.add(SimpleNamespace(decode=fail))
    sound.damaged("later")
    assert sound.damage == "no sense, in the sound at second 1.0"
