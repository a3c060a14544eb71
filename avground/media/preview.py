"""Copies of a video for a page: one that every browser plays, and single pictures."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from io import BytesIO
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from avground.errors import DataError, check_not_negative, check_whole
from avground.media.decode import check_file, check_installed, moving_pictures, opened

_TICKS = 90_000
_SOUND_RATE = 44_100
_PICTURES_PER_KEY = "12"
"""A browser that is scrubbed decodes at most so many pictures for the one asked for."""


class Preview(NamedTuple):
    """A copy of a video that browsers play.

    Attributes:
        content: An MP4 file with H.264 and AAC, without the metadata of the original; its second 0 is where it was told
            to begin.
        seconds: Its length.
    """

    content: bytes
    seconds: float


def make_preview(path: str | os.PathLike[str], *, start: float = 0.0, seconds: int = 60, height: int = 360) -> Preview:
    """Copy a stretch of a video into a small file that every browser plays.

    Pictures keep their times and their aspect, and are never enlarged; sound becomes stereo, and may be missing.

    Args:
        path: The video.
        start: Second of the video to begin at.
        seconds: Seconds to copy, at most.
        height: Rows of the copy's pictures, at most.

    Raises:
        ConfigError: if an argument cannot be used, or PyAV or Pillow is not installed.
        DataError: if the video cannot be read, or there are no pictures in the stretch.
    """
    check_not_negative("start", start)
    check_whole("seconds", seconds)
    check_whole("height", height, 16)
    check_installed()
    import av

    content, stop = BytesIO(), start + seconds
    with av.open(content, "w", format="mp4") as copy:
        with _reading(path) as source:
            sound = copy.add_stream("aac", rate=_SOUND_RATE, layout="stereo") if source.streams.audio else None
            end = _copy_pictures(path, source, copy, start, stop, height)
        if sound is not None:
            with _reading(path) as source:
                _copy_sound(source, copy, sound, start, stop)
    return Preview(content.getvalue(), end - start)


def read_stills(path: str | os.PathLike[str], times: Sequence[float], *, height: int = 96) -> tuple[bytes, ...]:
    """Single pictures of a video, as JPEG files.

    Args:
        path: The video.
        times: Seconds of the video, ascending: what is on screen then is taken; before the first picture that one, and
            after the last one the last.
        height: Rows of the pictures, at most; they keep their aspect.

    Raises:
        ConfigError: if ``height`` cannot be used, or PyAV or Pillow is not installed.
        DataError: if the video cannot be read, or ``times`` do not ascend.
    """
    check_whole("height", height, 16)
    if any(later < earlier for earlier, later in pairwise(times)):
        raise DataError(f"times: expected ascending seconds, got {list(times)}")
    stills: list[bytes] = []
    shown: Any = None
    with _reading(path) as source:
        for frame, time in _timed(source, source.decode(moving_pictures(source)[0])):
            shown = frame if shown is None else shown
            while len(stills) < len(times) and times[len(stills)] < time:
                stills.append(_jpeg(shown, height))
            if len(stills) == len(times):
                break
            shown = frame
    if shown is None:
        raise DataError(f"{path}: expected pictures, got none that can be decoded")
    return (*stills, *(_jpeg(shown, height) for _ in times[len(stills) :]))


@contextmanager
def _reading(path: str | os.PathLike[str]) -> Iterator[Any]:
    """A video to read from, whose faults in the middle are told as its own."""
    check_installed()
    check_file(path)
    import av

    with opened(path) as source:
        if not moving_pictures(source):
            raise DataError(f"{path}: expected pictures, got a file without a track of pictures")
        try:
            yield source
        except av.FFmpegError as error:
            raise DataError(f"{path}: expected a video that can be decoded, got {error.strerror}") from error


def _timed(source: Any, frames: Any) -> Iterator[tuple[Any, float]]:
    """Frames with their times in seconds since the file's beginning; one without a time is left out."""
    import av

    origin = (source.start_time or 0) / av.time_base
    for frame in frames:
        if frame.pts is not None:
            yield frame, float(frame.pts * frame.time_base) - origin


def _copy_pictures(
    path: str | os.PathLike[str], source: Any, copy: Any, start: float, stop: float, height: int
) -> float:
    """Encode the pictures between two seconds again; returns where they end."""
    import av

    stream = moving_pictures(source)[0]
    rate = stream.average_rate or stream.guessed_rate
    usual = float(1 / rate) if rate else 0.04
    _jump(source, start)
    video, last, end = None, -1, start
    for frame, time in _timed(source, source.decode(stream)):
        if time >= stop:
            break
        ticks = max(round((time - start) * _TICKS), 0)
        until = time + (float(frame.duration * frame.time_base) if frame.duration else usual)
        if until <= start or ticks <= last:
            continue
        image = _image(frame, height, even=True)
        if video is None:
            video = copy.add_stream("libx264", options={"preset": "veryfast", "crf": "26", "g": _PICTURES_PER_KEY})
            video.width, video.height = image.size
            video.pix_fmt = "yuv420p"
            video.codec_context.time_base = Fraction(1, _TICKS)
        picture = av.VideoFrame.from_ndarray(np.asarray(image.resize((video.width, video.height))), format="rgb24")
        picture.pts, picture.time_base = ticks, Fraction(1, _TICKS)
        copy.mux(video.encode(picture))
        last, end = ticks, min(until, stop)
    if video is None:
        raise DataError(f"{path}: expected pictures from second {start:g} to {stop:g}, got none")
    copy.mux(video.encode(None))
    return end


def _copy_sound(source: Any, copy: Any, sound: Any, start: float, stop: float) -> None:
    """Encode the sound between two seconds again."""
    import av

    _jump(source, start)
    resampler = av.AudioResampler(format="fltp", layout="stereo", rate=_SOUND_RATE)
    for frame, time in _timed(source, source.decode(source.streams.audio[0])):
        if time >= stop:
            break
        if time >= start:
            frame.pts, frame.time_base = round((time - start) * frame.sample_rate), Fraction(1, frame.sample_rate)
            for part in resampler.resample(frame):
                copy.mux(sound.encode(part))
    for part in resampler.resample(None):
        copy.mux(sound.encode(part))
    copy.mux(sound.encode(None))


def _jump(source: Any, start: float) -> None:
    """Go near a second, as :func:`avground.media.decode` does: AVI has no timestamps to go by."""
    import av

    if start and source.format.name != "avi":
        source.seek(int((max(start - 1, 0) + (source.start_time or 0) / av.time_base) * av.time_base))


def _image(frame: Any, height: int, *, even: bool = False) -> Any:
    """A decoded frame as Pillow's image, upright, with square pixels and at most so many rows."""
    from PIL import Image

    upright = np.rot90(frame.to_ndarray(format="rgb24"), round(frame.rotation / 90))
    image = Image.fromarray(np.ascontiguousarray(upright))
    scale = min(1.0, height / image.height)
    step = 2 if even else 1
    width, rows = (max(step, round(side * scale / step) * step) for side in image.size)
    size = (width, rows)
    return image if size == image.size else image.resize(size, Image.Resampling.BILINEAR)


def _jpeg(frame: Any, height: int) -> bytes:
    content = BytesIO()
    _image(frame, height).save(content, "JPEG", quality=80)
    return content.getvalue()
