"""What was written comes back: as many frames and samples, at the right times, of the right scene."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("PIL")
pytest.importorskip("av")

import av

from avground.data.pocket import Rendering, World
from avground.data.pocket.pixels.draw import field, frames
from avground.data.pocket.pixels.film import film
from avground.data.pocket.pixels.sound import RATE, soundtrack
from avground.data.pocket.scene import Scene, make_scene

WORLD = World(most=1, off_stage=0.0, voice=0.0, occluded=0.0, burst=0.0)


def decode(path: Path) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Frames, their times, and samples from the time 0 on."""
    pictures, times, pieces = [], [], []
    with av.open(str(path)) as container:
        assert container.streams.video[0].codec_context.name == "h264"
        assert container.streams.audio[0].codec_context.name == "aac"
        assert container.streams.audio[0].rate == RATE
        for frame in container.decode():
            if isinstance(frame, av.VideoFrame):
                pictures.append(frame.to_ndarray(format="rgb24"))
                times.append(frame.time)
            else:
                assert round(frame.time * RATE) == sum(map(len, pieces))
                pieces.append(frame.to_ndarray()[0])
    return np.stack(pictures).astype(np.int64), np.array(times), np.concatenate(pieces).astype(np.float64)


def coming_in() -> Scene:
    """A scene whose only instrument comes in after the beginning."""
    for index in range(40):
        scene = make_scene(WORLD, 0, "train", index)
        if scene.stage[0].heard and not scene.stage[0].sounding[0]:
            return scene
    raise AssertionError


@pytest.mark.parametrize("rendering", [Rendering(), Rendering(seconds=20, fps=3, size=128)])
def test_round_trip(tmp_path: Path, rendering: Rendering) -> None:
    scene, path = coming_in(), tmp_path / "scene.mp4"
    digests = film(path, scene, WORLD, 0, rendering)
    drawn = np.stack(list(frames(scene, WORLD, 0, rendering)))
    sound = soundtrack(scene, WORLD, 0, rendering)
    assert digests[0] == hashlib.sha256(drawn.tobytes()).digest()
    assert digests[1] == hashlib.sha256(sound.astype("<i2").tobytes()).digest()

    pictures, times, samples = decode(path)
    assert pictures.shape == drawn.shape
    assert np.allclose(times, np.arange(len(drawn)) / rendering.fps)
    assert np.abs(pictures - drawn).mean() < 12
    # AAC comes in blocks of 1024 samples; what is beyond the end of the last one is silence.
    assert 0 <= len(samples) - len(sound) < 1024
    kept, wanted = samples[: len(sound)], sound / 32768
    lags = range(-800, 801, 2)
    inner = slice(RATE, len(sound) - RATE)
    scores = [float(np.roll(kept, -lag)[inner] @ wanted[inner]) for lag in lags]
    assert abs(lags[int(np.argmax(scores))]) <= 2
    assert np.corrcoef(kept, wanted)[0, 1] > 0.98


def test_sight_and_sound_come_in_together(tmp_path: Path) -> None:
    scene, path, rendering = coming_in(), tmp_path / "scene.mp4", Rendering()
    film(path, scene, WORLD, 0, rendering)
    pictures, times, samples = decode(path)
    one = scene.stage[0]
    starts = one.sounding.index(True)
    left, top, right, bottom = field(one.cells, WORLD, 224)
    alone = pictures[times < starts].mean(0)[top:bottom, left:right]
    there = np.abs(pictures[:, top:bottom, left:right] - alone).mean((1, 2, 3))
    quiet = there[times < starts].max()
    seen = times[np.flatnonzero(there > 2 * quiet)[0]]
    levels = np.abs(samples[: len(samples) // 160 * 160]).reshape(-1, 160).max(1)
    audible = np.flatnonzero(levels > 0.2 * levels.max())[0] * 0.01
    assert seen == starts
    assert abs(audible - starts) < 0.05


def test_bad_place(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        film(tmp_path / "missing" / "scene.mp4", coming_in(), WORLD, 0, Rendering(fps=1))
