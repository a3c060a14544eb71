"""A video file -> one picture a second and mono sound at 16 kHz."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avground.errors import ConfigError, DataError, check_not_negative, check_whole
from avground.media.tracks import RATE as RATE
from avground.media.tracks import SLACK, Pictures, Sound, Track


@dataclass(frozen=True)
class Clip:
    """What was decoded of a video.

    Picture k is what is on screen at the middle of second k; sound and pictures are aligned by their timestamps.

    Attributes:
        frames: Pictures (s, h, w, 3), one a second: RGB from 0 to 255.
        sound: Mono sound at 16 kHz in [-1, 1]: a whole number of seconds, which need not be that of ``frames``.
        video_seconds: Length of the pictures in the file.
        audio_seconds: Length of the sound in the file.
        notes: What a user should know, such as ``"60 of 240.3 s used"``.
    """

    frames: NDArray[np.uint8]
    sound: NDArray[np.float32]
    video_seconds: float
    audio_seconds: float
    notes: tuple[str, ...] = ()


def decode(path: str | os.PathLike[str], *, size: int = 224, start: float = 0.0, seconds: int = 60) -> Clip:
    """Read pictures and sound of a video, a frame at a time.

    A second counts if at least half of it is there, and a shorter clip still gives one. Only what is needed is decoded
    and kept, so neither the length nor the size of a video matters for memory.

    Args:
        path: The video.
        size: Height and width that pictures are resized to, whatever their aspect.
        start: Second of the video to begin at.
        seconds: Seconds to read, at most.

    Raises:
        ConfigError: if ``size``, ``start`` or ``seconds`` cannot be used, or PyAV or Pillow is not installed.
        DataError: if the file cannot be used as a whole, with the reason: it is missing or empty, is no media file, has
            no pictures or no sound, ends before ``start``, is cut short or damaged. Damaged is also one in whose
            middle both are missing; where only one is, a note says so.
    """
    check_whole("size", size)
    check_whole("seconds", seconds)
    check_not_negative("start", start)
    check_installed()
    check_file(path)
    # A jump into the middle is quick, but some files only allow one that lands too late.
    for jump in (True, False) if start else (False,):
        with opened(path) as container:
            pictures, sound = _read(container, path, size, start, seconds, jump)
            promised = _promised(container)
        if not jump or max(pictures.first, sound.first) <= start:
            break
    _check_whole_range(path, (pictures, sound), promised, start + seconds)
    _check_no_hole(path, pictures, sound)
    clip = Clip(pictures.finish(), sound.finish(), _length(pictures, promised), _length(sound, promised))
    return replace(clip, notes=_notes(clip, pictures, sound, start))


def check_installed() -> None:
    """Whether what decoding needs is there; without it every single video would fail.

    Raises:
        ConfigError: if PyAV or Pillow is not installed.
    """
    missing = [package for package, module in (("PyAV", "av"), ("Pillow", "PIL")) if find_spec(module) is None]
    if missing:
        raise ConfigError(f'decoding needs {" and ".join(missing)}: pip install "avground[media]"')


def check_file(path: str | os.PathLike[str]) -> None:
    """Whether there is a file that may be a video.

    Raises:
        DataError: if there is none, with the reason.
    """
    try:
        status = Path(path).stat()
    except FileNotFoundError as error:
        raise DataError(f"{path}: expected a video, got no such file") from error
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: expected a video, got {type(error).__name__}: {error}") from error
    if not stat.S_ISREG(status.st_mode):
        kind = "a folder" if stat.S_ISDIR(status.st_mode) else "something that is no regular file"
        raise DataError(f"{path}: expected a video, got {kind}")
    if status.st_size == 0:
        raise DataError(f"{path}: expected a video, got an empty file")


@contextmanager
def opened(path: str | os.PathLike[str]) -> Iterator[Any]:
    """A media file as PyAV's container, closed at the end.

    Raises:
        DataError: if FFmpeg cannot open it.
    """
    import av

    try:
        # The prefix keeps FFmpeg from reading a protocol into a file's name, and the option keeps a playlist from
        # fetching anything.
        container = av.open(
            f"file:{os.fspath(path)}",
            options={"protocol_whitelist": "file"},
            metadata_errors="replace",
        )
    except av.FFmpegError as error:
        raise DataError(
            f"{path}: expected a complete media file, got one that FFmpeg cannot open: {error.strerror}"
        ) from error
    with container:
        yield container


def _read(
    container: Any, path: str | os.PathLike[str], size: int, start: float, seconds: int, jump: bool
) -> tuple[Pictures, Sound]:
    """Decode until both tracks have what they need, or the file ends."""
    import av

    origin = (container.start_time or 0) / av.time_base
    videos = moving_pictures(container)
    for kind, found in (("pictures", videos), ("sound", container.streams.audio)):
        if not found:
            raise DataError(f"{path}: expected pictures and sound, got a file without a track of {kind}")
        if found[0].codec_context is None:
            raise DataError(
                f"{path}: expected pictures and sound, got no {kind} that can be decoded: FFmpeg has no decoder"
            )
    pictures = Pictures(path, videos[0], origin, start, seconds, size)
    sound = Sound(path, container.streams.audio[0], origin, start, seconds)
    tracks: dict[int, Track] = {track.stream.index: track for track in (pictures, sound)}
    try:
        # A second early: the first packets after a jump do not decode exactly. AVI has no timestamps, and those that
        # FFmpeg guesses after a jump are wrong.
        if jump and container.format.name != "avi":
            container.seek(int((max(start - 1, 0) + origin) * av.time_base))
        for packet in container.demux(pictures.stream, sound.stream):
            tracks[packet.stream_index].add(packet)
            if pictures.done and sound.done:
                break
    except av.FFmpegError as error:
        for track in tracks.values():
            if not track.done:
                track.damaged(str(error.strerror))
    return pictures, sound


def moving_pictures(container: Any) -> list[Any]:
    """The video tracks of a container but for covers, which are stored as video tracks of one picture."""
    import av

    cover = av.stream.Disposition.attached_pic
    return [stream for stream in container.streams.video if not stream.disposition & cover]


def _promised(container: Any) -> float | None:
    """Seconds that the file says it has."""
    import av

    return None if container.duration is None else container.duration / av.time_base


def _check_whole_range(
    path: str | os.PathLike[str], tracks: tuple[Track, ...], promised: float | None, limit: float
) -> None:
    """Whether everything up to second ``limit`` was there that the file promises."""
    for track in tracks:
        if not track.frames:
            reason = track.damage or "the track is empty"
            raise DataError(f"{path}: expected pictures and sound, got no {track.name} that can be decoded: {reason}")
    end = max(track.end for track in tracks)
    missing = [(track.end, track.promised) for track in tracks] + [(end, promised)]
    for got, expected in missing:
        if expected is not None and got < min(expected, limit) - SLACK:
            raise DataError(f"{path}: cut short: the file promises {expected:.1f} s, and {got:.1f} s can be decoded")
    for track in tracks:
        if track.damage:
            raise DataError(f"{path}: damaged: {track.damage}")


def _check_no_hole(path: str | os.PathLike[str], pictures: Pictures, sound: Sound) -> None:
    """Whether pictures and sound are missing together, as where bytes of a file were lost: FFmpeg skips those."""
    for one, other in product(pictures.gaps, sound.gaps):
        begin, stop = max(one[0], other[0]), min(one[1], other[1])
        # Pictures may be seconds apart and the sound be silent in between for a while: that is no damage.
        if stop - begin > max(one[1] - one[0], other[1] - other[0]) / 2:
            raise DataError(f"{path}: damaged: nothing between second {begin:.1f} and {stop:.1f}")


def _length(track: Track, promised: float | None) -> float:
    """How long a track is: as far as it was decoded or, where that was enough, what the file says."""
    if not track.done:
        return track.end
    return max(track.end, track.promised or promised or 0)


def _notes(clip: Clip, pictures: Pictures, sound: Sound, start: float) -> tuple[str, ...]:
    notes = []
    longest = max(clip.video_seconds, clip.audio_seconds)
    rows = len(clip.frames), len(clip.sound) // RATE
    used = max(rows)
    if start or longest - used >= 0.5:  # Less than half a second would not have been another row.
        since = f" from second {start:g}" if start else ""
        notes.append(f"{used} of {longest:.1f} s used{since}")
    if rows[0] != rows[1]:
        notes.append(f"pictures end after {clip.video_seconds:.1f} s, sound after {clip.audio_seconds:.1f} s")
    if max(pictures.first, sound.first) > start + SLACK:
        notes.append(f"pictures begin at second {pictures.first:.1f}, sound at second {sound.first:.1f}")
    for track in (pictures, sound):
        if track.gaps:
            begin, stop = track.gaps[0]
            more = f", and {len(track.gaps) - 1} more such gaps" if track.gaps[1:] else ""
            notes.append(f"no {track.name} from {begin:.1f} to {stop:.1f} s{more}")
    return tuple(notes)
