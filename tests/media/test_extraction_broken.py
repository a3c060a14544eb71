"""A folder of broken and odd videos is worked through to its end."""

import json
import os
import random

import numpy as np
import pytest

from avground.media import extraction
from avground.media.extraction import extract

from .clips import write_video
from .fakes import make_fake


def cut(source, path, share):
    content = source.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])


def damage(source, path):
    """Random bytes in the middle third."""
    content = bytearray(source.read_bytes())
    third = len(content) // 3
    content[third : 2 * third] = random.Random(0).randbytes(third)
    path.write_bytes(bytes(content))


def cover_only(path):
    """Music whose only picture is the cover."""
    import av

    with av.open(str(path), "w") as container:
        sound = container.add_stream("aac", rate=16_000, layout="mono")
        cover = container.add_stream("mjpeg")
        cover.width = cover.height = 64
        cover.pix_fmt = "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        picture = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24").reformat(
            format="yuvj420p"
        )
        picture.pts = 0
        packets = [*cover.encode(picture), *cover.encode(None)]
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 32_000), np.float32), format="fltp", layout="mono")
        frame.sample_rate, frame.pts = 16_000, 0
        packets += [*sound.encode(frame), *sound.encode(None)]
        for packet in packets:
            container.mux(packet)


def no_frames(source, path):
    """A header that tells of pictures and sound, and nothing after it."""
    content = source.read_bytes()
    path.write_bytes(content[: content.index(b"\x1f\x43\xb6\x75")])  # Where Matroska's first cluster begins.


@pytest.fixture
def broken(tmp_path):
    """The folder, and the ids that cannot give features."""
    folder, whole = tmp_path / "broken", tmp_path / "whole"
    folder.mkdir()
    whole.mkdir()
    mp4 = write_video(whole / "a.mp4", seconds=6, fps=8, picture=noise)
    mkv = write_video(whole / "a.mkv", seconds=6, fps=8, picture=noise)
    cut(mp4, folder / "cut-mp4.mp4", 0.6)
    cut(mkv, folder / "cut-mkv.mkv", 0.5)
    write_video(folder / "no-sound.mp4", audio=False)
    write_video(folder / "no-pictures.mp4", video=False)
    (folder / "empty.mp4").write_bytes(b"")
    (folder / "text.mp4").write_text("#!/bin/sh\necho no video\n" * 100)
    (folder / "noise.avi").write_bytes(random.Random(1).randbytes(100_000))
    (folder / "link.mp4").symlink_to(folder / "nowhere.mp4")
    damage(mp4, folder / "damaged.mp4")
    cover_only(folder / "cover.mp4")
    os.mkfifo(folder / "pipe.mp4")
    no_frames(mkv, folder / "no-frames.mkv")
    (folder / "playlist.mp4").write_text(f"#EXTM3U\n#EXTINF:6,\n{mp4}\n")
    (folder / "folder.mp4").mkdir()
    return folder, sorted(path.stem for path in folder.iterdir() if path.name != "folder.mp4")


def noise(index, height, width):
    return np.random.default_rng(index).integers(0, 256, (height, width, 3), np.uint8)


def write_odd(folder):
    """Videos that are unusual and fine, and the rows each gives."""
    folder.mkdir()
    write_video(folder / "three-seconds.mp4", seconds=3)
    write_video(folder / "high.mkv", seconds=2, fps=2, size=(2160, 3840))
    write_video(folder / "variable.mkv", times=[0, 0.1, 0.9, 1.0, 1.05, 2.5, 3.2, 3.9], audio_seconds=4)
    write_video(folder / "mono.mp4", seconds=2, layout="mono")
    write_video(folder / "surround.mkv", seconds=2, layout="5.1", rate=48_000)
    write_video(folder / "telephone.mkv", seconds=2, rate=8_000)
    write_video(folder / "odd name, $(x) & ü.mp4", seconds=2)
    rows = {"three-seconds": 3, "variable": 4}
    return {path.stem: rows.get(path.stem, 2) for path in folder.iterdir()}


def test_to_the_end(broken, tmp_path, monkeypatch, capsys):
    folder, bad = broken
    assert len(bad) >= 12
    rows = write_odd(tmp_path / "odd")
    monkeypatch.setattr(extraction, "make_extractor", make_fake)
    report = extract([folder, tmp_path / "odd"], tmp_path / "out", device="cpu")
    assert sorted(report.failed) == bad
    assert sorted(report.done) == sorted(rows)
    assert report.exit_status == 1
    assert report.ignored == {str(folder / "folder.mp4"): "a folder within the folder"}
    for name, expected in rows.items():
        for kind in ("fake_vggish", "fake_resnet18"):
            assert len(np.load(tmp_path / "out" / kind / f"{name}.npy")) == expected, name
    assert not [path for path in (tmp_path / "out").rglob("*.npy") if path.stem in bad]
    for name, reason in report.failed.items():  # A file's name, and then a sentence.
        file, _, words = reason.partition(": ")
        assert file.startswith(str(folder / name))
        assert len(words) > 15, reason
        assert "Error" not in reason.split(":")[1], reason
    assert json.loads(report.path.read_text())["failed"] == report.failed
    printed = capsys.readouterr().out
    assert printed.count("\nfailed  ") == 10
    assert f"and {len(bad) - 10} more\n" in printed


def test_reasons(broken, tmp_path, monkeypatch):
    folder, _ = broken
    monkeypatch.setattr(extraction, "make_extractor", make_fake)
    failed = extract(folder, tmp_path / "out", device="cpu", progress=False).failed
    for name, words in {
        "no-sound": "sound",
        "no-pictures": "pictures",
        "cover": "pictures",
        "empty": "empty",
        "link": "no such file",
        "pipe": "no regular file",
        "cut-mkv": "cut short",
        "damaged": "damaged",
        "text": "FFmpeg cannot open",
    }.items():
        assert words in failed[name], failed[name]
