"""A scene as a video file with sound."""

import hashlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from avground.data.pocket.pixels.draw import frames
from avground.data.pocket.pixels.sound import RATE, soundtrack
from avground.data.pocket.rendering import Rendering
from avground.data.pocket.scene import Scene
from avground.data.pocket.world import World


def film(path: Path, scene: Scene, world: World, seed: int, rendering: Rendering) -> tuple[bytes, bytes]:
    """Write a scene as MP4, with H.264 and AAC.

    The bytes of the file differ from one version of the encoders to the next; what is drawn and synthesised does not.

    Returns:
        The SHA-256 of the frames, one after the other, and that of the samples, little-endian, before encoding.
    """
    seen, sound = hashlib.sha256(), soundtrack(scene, world, seed, rendering).astype("<i2")
    pictures = frames(scene, world, seed, rendering)
    with av.open(str(path), "w", format="mp4") as container:
        video: Any = container.add_stream("libx264", rate=rendering.fps)
        video.width = video.height = rendering.size
        video.pix_fmt = "yuv420p"
        # With the look-ahead tree of macroblocks some builds of x264 make another file each time.
        video.options = {"preset": "veryfast", "crf": "26", "threads": "1", "x264-params": "mbtree=0"}
        audio: Any = container.add_stream("aac", rate=RATE, layout="mono")
        audio.bit_rate = 64_000
        audio.options = {"aac_coder": "fast"}
        for number in range(rendering.seconds * rendering.fps):
            if number % rendering.fps == 0:  # Both go on second by second, so that a player finds them side by side.
                second = number // rendering.fps
                container.mux(list(_heard(audio, sound[second * RATE : (second + 1) * RATE], second * RATE)))
            picture = next(pictures)
            seen.update(picture.data)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, rendering.fps)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        container.mux(audio.encode(None))
    return seen.digest(), hashlib.sha256(sound.data).digest()


def _heard(audio: Any, samples: NDArray[np.int16], start: int) -> Iterator[Any]:
    frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
    frame.sample_rate = RATE
    frame.pts, frame.time_base = start, Fraction(1, RATE)
    yield from audio.encode(frame)
