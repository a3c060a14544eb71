"""Files that lost a part of their middle, which FFmpeg skips without a word."""

import re
from pathlib import Path
from random import Random

import numpy as np
import pytest

from avground.errors import DataError
from avground.media.decode import RATE, decode

from .clips import tone, write_video

pytest.importorskip("av")
pytest.importorskip("PIL")

SECONDS = 12
FILES = {
    "vp8.webm": {"video_codec": "libvpx", "audio_codec": "libopus", "rate": 48_000},
    "vp9.webm": {"video_codec": "libvpx-vp9", "audio_codec": "libopus", "rate": 48_000},
    "mpeg4.mkv": {},
    "h264.mkv": {"video_codec": "libx264", "audio_codec": "aac"},
    "h264.ts": {"video_codec": "libx264"},
    "mpeg4.ts": {"audio_codec": "mp2", "rate": 48_000},
    "index-last.mp4": {},
    "index-first.mp4": {"options": {"movflags": "faststart"}},
    "mpeg4.avi": {},
}
SILENT = ("vp8.webm", "vp9.webm", "mpeg4.mkv")
"""Files of which no decoder says that something is wrong."""


def noise(index, height, width):
    return np.random.default_rng(index).integers(0, 256, (height, width, 3), np.uint8)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    for name, codecs in FILES.items():
        write_video(folder / name, seconds=SECONDS, size=64, picture=noise, **codecs)
    return folder


def zeroed(content):
    return bytes(len(content))


def randomised(content):
    return Random(0).randbytes(len(content))


def removed(content):
    return b""


def spoil(source, path, change):
    """Change the middle quarter of a file."""
    content = source.read_bytes()
    first, last = len(content) * 3 // 8, len(content) * 5 // 8
    path.write_bytes(content[:first] + change(content[first:last]) + content[last:])
    return path


@pytest.mark.parametrize("name", FILES)
def test_whole(whole, name):
    clip = decode(whole / name)
    assert (len(clip.frames), len(clip.sound)) == (SECONDS, SECONDS * RATE)
    assert clip.notes == ()


@pytest.mark.parametrize("change", [zeroed, randomised, removed])
@pytest.mark.parametrize("name", FILES)
def test_a_hole(whole, tmp_path, name, change):
    path = spoil(whole / name, tmp_path / name, change)
    with pytest.raises(DataError, match=r"damaged: |cut short: |expected a complete media file") as error:
        decode(path)
    if name in SILENT:
        found = re.search(r"damaged: nothing between second (.*) and (.*)$", str(error.value))
        begin, stop = map(float, found.groups())
        assert 3 < begin < 5
        assert 7 < stop < 10.5


@pytest.mark.parametrize("name", SILENT)
def test_a_hole_beyond_what_is_wanted(whole, tmp_path, name):
    path = spoil(whole / name, tmp_path / name, removed)
    clip = decode(path, seconds=3)
    assert np.array_equal(clip.frames, decode(whole / name, seconds=3).frames)
    assert clip.notes == ("3 of 12.0 s used",)


def remade(source, path, wanted):
    """A file without the packets of one stream, or of all, that begin between two seconds."""
    import av

    with av.open(str(source)) as old, av.open(str(path), "w") as new:
        copies = {stream.index: new.add_stream_from_template(stream) for stream in old.streams}
        for packet in old.demux():
            if packet.dts is not None and wanted(packet.stream.type, float(packet.pts * packet.time_base)):
                packet.stream = copies[packet.stream_index]
                new.mux(packet)
    return path


@pytest.mark.parametrize("name", ["vp8.webm", "mpeg4.mkv", "mpeg4.ts"])
def test_without_some_packets(whole, tmp_path, name):
    """A file that nobody can tell is damaged but by what is missing."""
    both = remade(whole / name, tmp_path / name, lambda kind, time: not 4 <= time < 8)
    with pytest.raises(DataError, match=r"damaged: nothing between second [34]\.\d and [78]\.\d$"):
        decode(both)
    for kind, other in (("audio", "sound"), ("video", "pictures")):
        path = remade(
            whole / name,
            tmp_path / f"{kind}-{name}",
            lambda each, time, kind=kind: each != kind or not 4 <= time < 8,
        )
        clip = decode(path)
        assert len(clip.frames) == SECONDS
        assert len(clip.notes) == 1
        assert re.fullmatch(rf"no {other} from [34]\.\d to [78]\.\d s", clip.notes[0])


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4", "a.webm"])
def test_pictures_seconds_apart(tmp_path, name):
    """Slides, with sound that goes on: a note at most."""
    codecs = FILES["vp8.webm"] if Path(name).suffix == ".webm" else {}
    times = [0, 3.5, 4, 9, 9.5]
    path = write_video(tmp_path / name, times=times, audio_seconds=SECONDS, sound=tone(330), **codecs)
    clip = decode(path)
    assert len(clip.sound) == SECONDS * RATE
    assert all(note.startswith(("no pictures from 0.1 to 3.5 s", "pictures end after ")) for note in clip.notes)


def test_slides_and_a_pause(tmp_path):
    """A pause in the sound that is much shorter than the time between two slides is no damage."""
    path = write_video(tmp_path / "a.mkv", times=[0, 6, 11.9], audio_seconds=SECONDS, audio_gap=(2, 4))
    assert decode(path).notes == (
        "no pictures from 0.1 to 6.0 s, and 1 more such gaps",
        "no sound from 2.0 to 4.0 s",
    )
