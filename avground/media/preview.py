"""Copies of a video for a page: one that every browser plays, and single pictures."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from io import BytesIO
from itertools import pairwise
from typing import Any, Literal, NamedTuple

import numpy as np

from avground.errors import DataError, check_not_negative, check_whole
from avground.media.decode import check_file, check_installed, moving_pictures, opened

_TICKS = 90_000
_SOUND_RATE = 44_100
_PICTURES_PER_KEY = "12"
"""A browser that is scrubbed decodes at most so many pictures for the one asked for."""

_ROUNDING = 1e-3
"""Seconds by which containers round times."""

LEAST_HEIGHT = 16
"""Rows of a picture."""


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
    check_whole("height", height, LEAST_HEIGHT)
    check_installed()
    import av

    content, stop = BytesIO(), start + seconds
    with _reading(path) as source:
        heard = bool(source.streams.audio)
    with av.open(content, "w", format="mp4") as copy:
        sound = copy.add_stream("aac", rate=_SOUND_RATE, layout="stereo") if heard else None
        end = _copy_pictures(path, copy, start, stop, height)
        if sound is not None:
            _copy_sound(path, copy, sound, start, stop)
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
    check_whole("height", height, LEAST_HEIGHT)
    if any(later < earlier for earlier, later in pairwise(times)):
        raise DataError(f"times: expected ascending seconds, got {list(times)}")
    stills: list[bytes] = []
    shown: _Shown | None = None
    for one in _frames(path, "video", times[0] if times else 0.0):
        shown = one if shown is None else shown
        while len(stills) < len(times) and times[len(stills)] < one.time:
            stills.append(_jpeg(shown, height))
        if len(stills) == len(times):
            break
        shown = one
    if shown is None:
        raise DataError(f"{path}: expected pictures, got none that can be decoded")
    return (*stills, *(_jpeg(shown, height) for _ in times[len(stills) :]))


def read_length(path: str | os.PathLike[str]) -> float | None:
    """Seconds that a video says it has; None if it does not say.

    Raises:
        DataError: if it cannot be read.
    """
    import av

    with _reading(path) as source:
        return None if source.duration is None else float(source.duration / av.time_base)


class _Shown(NamedTuple):
    """A decoded frame, the seconds at which it begins and ends, and the aspect of its pixels."""

    frame: Any
    time: float
    until: float
    aspect: float


@contextmanager
def _reading(path: str | os.PathLike[str]) -> Iterator[Any]:
    """A video to read from, whose faults in the middle are told as its own."""
    check_installed()
    check_file(path)
    import av

    with opened(path) as source:
        if not moving_pictures(source):
            raise DataError(f"{path}: expected pictures, got a file without a track of pictures")
        moving_pictures(source)[0].thread_type = "AUTO"
        try:
            yield source
        except av.FFmpegError as error:
            raise DataError(f"{path}: expected a video that can be decoded, got {error.strerror}") from error


def _frames(
    path: str | os.PathLike[str], kind: Literal["video", "audio"], start: float, *, jump: bool = True
) -> Iterator[_Shown]:
    """Decoded frames, from the one that is on at ``start``.

    A picture is on until the next one. After a jump into the middle that lands too late all is read from the beginning,
    as :func:`avground.media.decode` does; AVI, which has no timestamps to jump by, is always read so.
    """
    import av

    with _reading(path) as source:
        origin = (source.start_time or 0) / av.time_base
        stream = moving_pictures(source)[0] if kind == "video" else source.streams.audio[0]
        rate = stream.average_rate or stream.guessed_rate if kind == "video" else None
        usual = float(1 / rate) if rate else 0.04
        aspect = float(stream.sample_aspect_ratio or 1) if kind == "video" else 1.0
        jumped = jump and start > 0 and source.format.name != "avi"
        if jumped:
            source.seek(int((max(start - 1, 0) + origin) * av.time_base))
        before: _Shown | None = None
        late = jumped
        for frame in source.decode(stream):
            if frame.pts is None:
                continue
            time = float(frame.pts * frame.time_base) - origin
            if kind == "audio":
                long = frame.samples / frame.sample_rate
            else:
                long = float(frame.duration * frame.time_base) if frame.duration else usual
            if time <= start + _ROUNDING:
                before, late = _Shown(frame, time, time + long, aspect), False
                continue
            if late:
                break
            if before is not None:
                yield before._replace(until=max(before.until, time)) if kind == "video" else before
                before = None
            yield _Shown(frame, time, time + long, aspect)
        if before is not None and before.until > start:
            yield before
    if late:
        yield from _frames(path, kind, start, jump=False)


def _copy_pictures(path: str | os.PathLike[str], copy: Any, start: float, stop: float, height: int) -> float:
    """Encode the pictures between two seconds again; returns where they end."""
    import av

    video, last, end = None, -1, start
    for shown in _frames(path, "video", start):
        if shown.time >= stop:
            end = stop if video is not None else end
            break
        ticks = max(round((shown.time - start) * _TICKS), 0)
        if ticks <= last:
            continue
        image = _image(shown, height, even=True)
        if video is None:
            video = copy.add_stream("libx264", options={"preset": "veryfast", "crf": "26", "g": _PICTURES_PER_KEY})
            video.width, video.height = image.size
            video.pix_fmt = "yuv420p"
            video.codec_context.time_base = Fraction(1, _TICKS)
        picture = av.VideoFrame.from_ndarray(np.asarray(image.resize((video.width, video.height))), format="rgb24")
        picture.pts, picture.time_base = ticks, Fraction(1, _TICKS)
        copy.mux(video.encode(picture))
        last, end = ticks, min(shown.until, stop)
    if video is None:
        raise DataError(f"{path}: expected pictures from second {start:g} to {stop:g}, got none")
    copy.mux(video.encode(None))
    return end


def _copy_sound(path: str | os.PathLike[str], copy: Any, sound: Any, start: float, stop: float) -> None:
    """Encode the sound between two seconds again; its format may change in the middle."""
    import av

    resampler: Any = None
    kind: tuple[Any, ...] = ()
    for frame, time, *_ in _frames(path, "audio", start):
        if time >= stop:
            break
        if time < start:
            continue
        if kind != (kind := (frame.format.name, frame.layout.name, frame.sample_rate)):
            if resampler is not None:
                _encode(copy, sound, resampler.resample(None))
            resampler = av.AudioResampler(format="fltp", layout="stereo", rate=_SOUND_RATE)
        frame.pts, frame.time_base = round((time - start) * frame.sample_rate), Fraction(1, frame.sample_rate)
        _encode(copy, sound, resampler.resample(frame))
    if resampler is not None:
        _encode(copy, sound, resampler.resample(None))
    copy.mux(sound.encode(None))


def _encode(copy: Any, sound: Any, frames: Any) -> None:
    for frame in frames:
        copy.mux(sound.encode(frame))


def _image(shown: _Shown, height: int, *, even: bool = False) -> Any:
    """A decoded frame as Pillow's image, upright, with square pixels and at most so many rows."""
    from PIL import Image

    turns = round(shown.frame.rotation / 90) % 4
    image = Image.fromarray(shown.frame.to_ndarray(format="rgb24")).rotate(90 * turns, expand=True)
    wide, tall = (side * (shown.aspect if place == turns % 2 else 1) for place, side in enumerate(image.size))
    step = 2 if even else 1
    rows = max(step, int(min(height, tall) / step) * step)
    size = (max(step, round(wide * rows / tall / step) * step), rows)
    return image if size == image.size else image.resize(size, Image.Resampling.BILINEAR)


def _jpeg(shown: _Shown, height: int) -> bytes:
    content = BytesIO()
    _image(shown, height).save(content, "JPEG", quality=80)
    return content.getvalue()
