"""The two tracks of a video while it is decoded: what each keeps of its frames."""

import os
from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avground.errors import DataError

RATE = 16_000
"""Samples of sound a second."""

SLACK = 1.0
"""Seconds by which lengths and starts may differ, and that may be missing, before anybody is told."""

JUMP = 0.1
"""Seconds between where sound is and where its timestamps say it is, from which on the timestamps are believed."""


def _promised(stream: Any, origin: float) -> float | None:
    """Where a stream ends by what the file says of it, in seconds since the file's beginning."""
    if stream.type == "video" and stream.container.format.name == "avi" and stream.frames:
        return float(stream.frames / stream.average_rate)  # The duration is what FFmpeg found, not what was promised.
    if stream.duration is None:
        return None
    return float(((stream.start_time or 0) + stream.duration) * stream.time_base) - origin


class Track(ABC):
    """A stream whose packets are decoded one by one. All times are seconds since the file's beginning.

    Args:
        path: The file, for errors.
        stream: PyAV's stream.
        origin: The timestamp of the file's beginning, in seconds.
        start: Where to begin.
        seconds: Seconds to keep, at most.

    Attributes:
        first: Where the first frame that was decoded begins; infinite before there is one.
        end: Where the last frame that was decoded ends.
        frames: How many were decoded.
        done: Whether everything that is wanted was seen.
        damage: What the decoder complained about first; empty if nothing.
        gaps: From when to when there is nothing, where that is more than ``slack`` seconds of what is wanted.
        promised: Where the stream ends by what the file says of it, if it does.
    """

    name: str
    slack = SLACK

    def __init__(self, path: str | os.PathLike[str], stream: Any, origin: float, start: float, seconds: int) -> None:
        self.path, self.stream, self.origin, self.start, self.seconds = path, stream, origin, start, seconds
        self.first, self.end, self.frames, self.done, self.damage = float("inf"), 0.0, 0, False, ""
        self.promised = _promised(stream, origin)
        self.gaps: list[tuple[float, float]] = []

    def add(self, packet: Any) -> None:
        """Decode a packet; the empty one at the end brings what the decoder still holds."""
        import av

        if self.done:
            return
        try:
            frames = packet.decode()
        except av.FFmpegError as error:
            self.damaged(str(error.strerror))
            return
        for frame in frames:
            # Without a timestamp, a frame follows the one before.
            time = self.end if frame.pts is None else float(frame.pts * frame.time_base) - self.origin
            if self.frames:
                self._look_for_gap(time)
            self.first = min(self.first, time)
            self.frames += 1
            if frame.is_corrupt and time >= self.start:  # Not before: after a jump that is as it should be.
                self.damaged("a frame with errors")
            self.take(frame, time)

    def damaged(self, reason: str) -> None:
        """Remember what is wrong where decoding stands, unless something was before."""
        self.damage = self.damage or f"{reason}, in the {self.name} at second {max(self.end, 0):.1f}"

    def _look_for_gap(self, time: float) -> None:
        """Remember what is missing before a frame that begins at ``time``."""
        wanted = min(time, self.start + self.seconds) - max(self.end, self.start)
        if wanted > self.slack:
            self.gaps.append((self.end, time))

    @abstractmethod
    def take(self, frame: Any, time: float) -> None:
        """Keep what is wanted of a frame that begins at ``time``."""

    def rows(self) -> int:
        """Seconds to return: those of which at least half is there, and at least one.

        Raises:
            DataError: if the track ends before it is to begin.
        """
        if self.end <= self.start:
            expected = f"less than {self.end:.1f} s, the end of the {self.name}"
            raise DataError(f"{self.path}: start: expected {expected}, got {self.start:g}")
        return max(1, int(min(self.end - self.start, self.seconds) + 0.5))


class Pictures(Track):
    """Keeps what is on screen at the middle of each second. The first picture is also what is there before it.

    Args:
        path, stream, origin, start, seconds: As in :class:`Track`.
        size: Height and width of the pictures kept.
    """

    name = "pictures"

    def __init__(
        self, path: str | os.PathLike[str], stream: Any, origin: float, start: float, seconds: int, size: int
    ) -> None:
        super().__init__(path, stream, origin, start, seconds)
        self.size = size
        rate = stream.average_rate or stream.guessed_rate
        self._usual = float(1 / rate) if rate else 0.04
        self.slack = max(SLACK, self._usual)
        self._kept: list[NDArray[np.uint8]] = []
        self._shown: Any = None
        self._resized: tuple[Any, NDArray[np.uint8]] | None = None

    def take(self, frame: Any, time: float) -> None:
        """See :meth:`Track.take`."""
        if self._shown is None:
            self._shown = frame
        while not self.done and self.start + len(self._kept) + 0.5 < time:
            self._keep()
        self._shown = frame
        duration = float(frame.duration * frame.time_base) if frame.duration else self._usual
        self.end = max(self.end, time + duration)

    def finish(self) -> NDArray[np.uint8]:
        """The pictures (s, h, w, 3); the last one is shown until its end."""
        rows = self.rows()
        while len(self._kept) < rows:
            self._keep()
        return np.stack(self._kept)

    def _keep(self) -> None:
        if self._resized is None or self._resized[0] is not self._shown:
            self._resized = (self._shown, resize(self._shown, self.size))
        self._kept.append(self._resized[1])
        self.done = len(self._kept) == self.seconds


def resize(frame: Any, size: int) -> NDArray[np.uint8]:
    """A decoded frame as (size, size, 3), upright, whatever its aspect."""
    from PIL import Image

    upright = np.rot90(frame.to_ndarray(format="rgb24"), round(frame.rotation / 90))
    # Pillow's bilinear filter is what the authors' code used, and it computes with whole numbers: the bytes are the
    # same on every machine, which does not hold for filters in floating point.
    image = Image.fromarray(np.ascontiguousarray(upright))
    return np.asarray(image.resize((size, size), Image.Resampling.BILINEAR))


class Sound(Track):
    """Keeps mono samples, each where its timestamp says; what is missing is silence."""

    name = "sound"

    def __init__(self, path: str | os.PathLike[str], stream: Any, origin: float, start: float, seconds: int) -> None:
        super().__init__(path, stream, origin, start, seconds)
        self._samples = np.zeros(seconds * RATE, np.float32)
        self._place, self._next = 0, 0.0
        self._resampler: Any = None
        self._kind: tuple[Any, ...] = ()

    def take(self, frame: Any, time: float) -> None:
        """See :meth:`Track.take`."""
        import av

        kind = (frame.format.name, frame.layout.name, frame.layout.nb_channels, frame.sample_rate)
        if kind != self._kind or abs(time - self._next) > JUMP:
            self._flush()
            self._kind, self._next = kind, time
            self._place = round((time - self.start) * RATE)
            self._resampler = av.AudioResampler(format="fltp", rate=RATE)
        self._next += frame.samples / frame.sample_rate
        self.end = max(self.end, self._next)
        self._put(self._resampler.resample(frame))
        self.done = self._place >= len(self._samples)

    def finish(self) -> NDArray[np.float32]:
        """The samples of a whole number of seconds."""
        self._flush()
        return self._samples[: self.rows() * RATE].clip(-1, 1)

    def _flush(self) -> None:
        if self._resampler is not None:
            self._put(frame for frame in self._resampler.resample(None) if frame is not None)
            self._resampler = None

    def _put(self, frames: Any) -> None:
        for frame in frames:
            # The mean of all channels, as in VGGish's own code: FFmpeg's mix to mono is louder for some types of sample
            # than for others.
            values = frame.to_ndarray().mean(axis=0)
            begin, stop = max(self._place, 0), min(self._place + len(values), len(self._samples))
            if begin < stop:
                self._samples[begin:stop] = values[begin - self._place : stop - self._place]
            self._place += len(values)
