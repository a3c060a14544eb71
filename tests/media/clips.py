"""Small videos whose every picture and sample is known."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

TICKS = 24_000  # Divides by the usual rates, and MPEG-4 allows no finer ones than 65535.


def level(index: int) -> int:
    """The gray of picture number ``index``: nine apart, the same again after 24."""
    return 20 + 9 * (index % 24)


def tone(frequency: float = 440.0, *, since: float = 0.0, until: float = np.inf) -> Callable[[NDArray[Any]], Any]:
    """A sine of half the full amplitude that sounds from one second to another."""
    return lambda time: 0.5 * np.sin(2 * np.pi * frequency * time) * ((time >= since) & (time < until))


def gray(index: int, height: int, width: int) -> NDArray[np.uint8]:
    return np.full((height, width, 3), level(index), np.uint8)


def write_video(
    path: Path,
    *,
    seconds: float = 3,
    fps: int = 8,
    size: int | tuple[int, int] = 64,
    video: bool = True,
    audio: bool = True,
    rate: int = 16_000,
    layout: str = "mono",
    sound: Callable[[NDArray[Any]], Any] | None = None,
    picture: Callable[[int, int, int], NDArray[np.uint8]] = gray,
    times: Sequence[float] | None = None,
    audio_seconds: float | None = None,
    video_start: float = 0.0,
    audio_start: float = 0.0,
    video_codec: str = "mpeg4",
    audio_codec: str | None = None,
    pixels: str = "yuv420p",
    options: dict[str, str] | None = None,
    audio_gap: tuple[float, float] | None = None,
    cover: bool = False,
) -> Path:
    """Write a video; picture number n is uniformly ``level(n)`` and the sound is a tone, unless told otherwise.

    Args:
        path: The file; its ending decides the container.
        seconds, fps: Length and rate of the pictures.
        size: Height and width.
        video, audio: Whether there are pictures, and sound.
        rate, layout: Of the sound.
        sound: Samples for an array of times in seconds.
        picture: Picture number n, as (h, w, 3).
        times: When each picture is shown, instead of ``fps`` a second.
        audio_seconds: Length of the sound where it is not that of the pictures.
        video_start, audio_start: When each begins.
        video_codec, audio_codec: FFmpeg's names; the sound is exact in Matroska and AAC elsewhere by default.
        pixels: FFmpeg's name of the pixel format.
        options: Options of the container.
        audio_gap: From when to when there are no packets of sound.
        cover: Whether to attach a picture, after the tracks.
    """
    import av

    height, width = (size, size) if isinstance(size, int) else size
    with av.open(str(path), "w", options=options or {}) as container:
        packets: list[Any] = []
        if video:
            stream = container.add_stream(video_codec, rate=fps)
            stream.height, stream.width, stream.pix_fmt = height, width, pixels
            stream.codec_context.time_base = Fraction(1, TICKS)
            shown = [n / fps for n in range(round(seconds * fps))] if times is None else times
            packets += _pictures(stream, [video_start + time for time in shown], height, width, picture)
        if audio:
            codec = audio_codec or ("pcm_s16le" if path.suffix in (".mkv", ".avi", ".mov") else "aac")
            stream = container.add_stream(codec, rate=rate, layout=layout)
            length = seconds if audio_seconds is None else audio_seconds
            packets += _sound(stream, rate, layout, length, audio_start, sound or tone(), audio_gap)
        if cover:
            stream = container.add_stream("png", rate=1)
            stream.height, stream.width, stream.pix_fmt = 32, 32, "rgb24"
            stream.disposition = av.stream.Disposition.attached_pic.value
            packets += _pictures(stream, [0.0], 32, 32, gray)
        for packet in sorted(packets, key=lambda packet: float(packet.dts * packet.time_base)):
            container.mux(packet)
    return path


def _pictures(stream: Any, times: Sequence[float], height: int, width: int, picture: Any) -> list[Any]:
    import av

    packets = []
    for index, time in enumerate(times):
        frame = av.VideoFrame.from_ndarray(picture(index, height, width), format="rgb24")
        frame.pts, frame.time_base = round(time * TICKS), Fraction(1, TICKS)
        packets += stream.encode(frame)
    return packets + stream.encode(None)


def _sound(
    stream: Any, rate: int, layout: str, seconds: float, start: float, sound: Any, gap: tuple[float, float] | None
) -> list[Any]:
    import av

    total, step, packets = round(seconds * rate), 1024, []
    for begin in range(0, total, step):
        if gap and gap[0] <= begin / rate < gap[1]:
            continue
        time = np.arange(begin, min(begin + step, total)) / rate
        values = np.asarray(sound(start + time), np.float32)
        channels = av.AudioLayout(layout).nb_channels
        frame = av.AudioFrame.from_ndarray(np.tile(values, (channels, 1)), format="fltp", layout=layout)
        frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
        frame.pts = round(start * rate) + begin
        packets += stream.encode(frame)
    return packets + stream.encode(None)
