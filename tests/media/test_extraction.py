import dataclasses
import errno
import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from avground.data.manifest import read_manifest
from avground.errors import ConfigError, DataError
from avground.media import extraction, folders, pipeline
from avground.media.decode import Clip, decode
from avground.media.extraction import extract

from .clips import write_video
from .fakes import make_fake


@pytest.fixture(autouse=True)
def made(monkeypatch):
    """Quick extractors; the arguments that they were made with."""
    made = []

    def make(name, **arguments):
        made.append((name, arguments))
        return make_fake(name, **arguments)

    monkeypatch.setattr(extraction, "make_extractor", make)
    return made


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """Videos a to e, of 2 and 3 seconds."""
    folder = tmp_path_factory.mktemp("videos")
    for number, name in enumerate("abcde"):
        write_video(folder / f"{name}.mkv", seconds=2 + number % 2, size=32)
    return folder


def run(videos, output, **options):
    return extract(videos, output, **{"device": "cpu", "progress": False, **options})


def contents(output):
    """The bytes of all files of features, by their place in the folder."""
    files = (path for path in Path(output).glob("*/*") if path.is_file())
    return {str(path.relative_to(output)): path.read_bytes() for path in files}


def test_files(videos, tmp_path):
    report = run(videos, tmp_path / "out")
    names = [f"{name}.npy" for name in "abcde"]
    there = ["extraction-0.jsonl", "extraction.json", "fake_resnet18", "fake_vggish"]
    assert sorted(os.listdir(tmp_path / "out")) == there
    for folder in ("fake_vggish", "fake_resnet18"):
        assert sorted(os.listdir(tmp_path / "out" / folder)) == [*names, "manifest.json"]
    for number, name in enumerate("abcde"):
        clip = decode(videos / f"{name}.mkv")
        rows = 2 + number % 2
        sound = clip.sound.reshape(rows, 16_000)
        audio = np.load(tmp_path / "out" / "fake_vggish" / f"{name}.npy")
        assert audio.dtype == np.float32
        np.testing.assert_allclose(audio, np.stack([sound.min(1), sound.mean(1), sound.max(1)], 1), atol=1e-6)
        visual = np.load(tmp_path / "out" / "fake_resnet18" / f"{name}.npy")
        np.testing.assert_allclose(visual[..., 0, 0], clip.frames.mean((1, 2)), rtol=1e-5)
        assert visual.shape == (rows, 3, 1, 1)
    assert report.done == tuple("abcde")
    assert report.exit_status == 0


def test_manifests(videos, tmp_path):
    run(videos, tmp_path, statistics="imagenet", seconds=2, dtype="float16")
    audio, visual = (read_manifest(tmp_path / name) for name in ("fake_vggish", "fake_resnet18"))
    expected = make_fake("resnet18", statistics="imagenet", seconds=2).manifest
    assert visual == dataclasses.replace(expected, settings={"statistics": "imagenet", "dtype": "float16"})
    assert (audio.seconds, audio.settings) == (2, {"dtype": "float16"})
    assert np.load(tmp_path / "fake_vggish" / "a.npy").dtype == np.float16


def test_manifest_is_written_first(videos, tmp_path, monkeypatch):
    written = []
    write = folders.write_file
    monkeypatch.setattr(
        folders, "write_file", lambda path, content: (written.append(path.suffix), write(path, content))
    )
    run(videos, tmp_path)
    assert written == [".part"] * 2 + [".npy"] * 10


def test_arguments_reach_the_extractors(videos, tmp_path, made):
    run(
        videos / "a.mkv",
        tmp_path,
        audio="vggish_pca",
        visual="efficientnet_lite0",
        audio_weights="A",
        visual_weights="V",
        weights_folder="F",
        statistics="kinetics",
        seconds=1,
    )
    shared = {"weights_folder": Path("F"), "seconds": 1, "device": torch.device("cpu")}
    assert made == [
        ("vggish_pca", {"weights": Path("A"), "statistics": None, **shared}),
        ("efficientnet_lite0", {"weights": Path("V"), "statistics": "kinetics", **shared}),
    ]
    assert len(np.load(tmp_path / "fake_vggish_pca" / "a.npy")) == 1


def test_same_bytes_however_it_is_run(videos, tmp_path):
    run(videos, tmp_path / "one")
    run([videos / "e.mkv", videos / "b.mkv"], tmp_path / "two", workers=1)
    run(videos, tmp_path / "two", workers=3)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert len(contents(tmp_path / "one")) == 12


def test_only_what_is_missing_is_done(videos, tmp_path, monkeypatch):
    run(videos, tmp_path)
    before = contents(tmp_path)
    (tmp_path / "fake_vggish" / "a.npy").unlink()
    whole = (tmp_path / "fake_resnet18" / "c.npy").read_bytes()
    (tmp_path / "fake_resnet18" / "c.npy").write_bytes(whole[:-1])
    (tmp_path / "fake_resnet18" / "d.npy").write_bytes(b"no array")
    decoded = []
    monkeypatch.setattr(pipeline, "decode", lambda path, **named: (decoded.append(path.stem), decode(path, **named))[1])
    report = run(videos, tmp_path)
    assert sorted(decoded) == list(report.done) == ["a", "c", "d"]
    assert report.already_there == ("b", "e")
    assert contents(tmp_path) == before


def test_report(videos, tmp_path, capsys):
    mixed = tmp_path / "videos"
    mixed.mkdir()
    write_video(mixed / "fine.mkv", seconds=2, size=32)
    write_video(mixed / "long.mkv", seconds=4, size=32)
    (mixed / "text.mp4").write_text("no video")
    (mixed / "notes.txt").write_text("notes")
    run(mixed / "fine.mkv", tmp_path / "out", seconds=3)
    report = run(mixed, tmp_path / "out", seconds=3, progress=True)
    assert report.path == tmp_path / "out" / "extraction.json"
    assert (report.done, report.already_there, list(report.failed)) == (("long",), ("fine",), ["text"])
    assert "text.mp4: expected a complete media file" in report.failed["text"]
    assert report.notes == {"long": ("3 of 4.0 s used",)}
    assert report.ignored == {str(mixed / "notes.txt"): "not the suffix of a video"}
    assert report.exit_status == 1
    content = json.loads(report.path.read_text())
    assert content.pop("format") == "avground extraction 1"
    assert content.pop("videos_per_second") == pytest.approx(2 / report.seconds, abs=1e-3)
    expected = json.loads(json.dumps(dataclasses.asdict(report), default=str))
    del expected["path"]
    assert content == expected
    assert content["features"]["audio"]["folder"] == "fake_vggish"
    assert content["features"]["visual"]["manifest"]["settings"] == {"dtype": "float32"}
    assert (content["device"], content["processes"]) == ("cpu", 1)
    assert content["versions"]["torch"].split("+")[0] == torch.__version__.split("+")[0]
    printed = capsys.readouterr().out
    assert printed == report.summary() + "\n"
    assert "3: 1 extracted, 1 there already, 1 failed" in printed
    assert f"failed  text: {mixed / 'text.mp4'}: expected" in printed


def test_the_report_keeps_what_is_known(tmp_path, monkeypatch):
    """Notes of videos that are there already, and failures of videos that are not asked for again."""
    folder = tmp_path / "videos"
    folder.mkdir()
    for name in ("one", "two"):
        write_video(folder / f"{name}.mkv", seconds=4, size=32)
    (folder / "broken.mp4").write_text("no video")
    first = run([folder / "one.mkv", folder / "broken.mp4"], tmp_path / "out", seconds=3)
    assert (first.exit_status, first.failed_before) == (1, {})
    second = run(folder / "two.mkv", tmp_path / "out", seconds=3)
    assert second.exit_status == 0
    assert (second.done, second.failed, second.failed_before) == (("two",), {}, first.failed)
    assert second.notes == dict.fromkeys(("one", "two"), ("3 of 4.0 s used",))
    third = run([folder / "one.mkv", folder / "broken.mp4"], tmp_path / "out", seconds=3)
    assert third.exit_status == 1
    assert (third.already_there, third.failed, third.failed_before) == (("one",), first.failed, {})
    assert third.notes == second.notes

    (folder / "broken.mp4").unlink()
    write_video(folder / "broken.mp4", seconds=3, size=32)
    assert run(folder, tmp_path / "out", seconds=3).done == ("broken",)
    assert run(folder / "two.mkv", tmp_path / "out", seconds=3).failed_before == {}
    (tmp_path / "out" / "fake_vggish" / "one.npy").unlink()
    assert list(run(folder / "two.mkv", tmp_path / "out", seconds=3).notes) == ["two"]

    other = run(folder / "two.mkv", tmp_path / "out", audio="logmel", visual="efficientnet_lite0", seconds=4)
    assert other.notes == {}  # Other features, and nothing is left out.


def test_notes_come_before_features(videos, tmp_path, monkeypatch):
    """A run that is killed in between makes the video again; the other way round it would not, and lose the notes."""
    logged = []
    write = folders.FeaturesOut.write

    def look(kind, video, features):
        lines = (kind.folder.parent / "extraction-0.jsonl").read_text()
        logged.append(f'"video": "{video}"' in lines)
        write(kind, video, features)

    monkeypatch.setattr(folders.FeaturesOut, "write", look)
    run(videos, tmp_path)
    assert logged == [True] * 10


def test_a_name_that_is_too_long(videos, tmp_path):
    """A file can be called so, and its features cannot: four letters more."""
    long = tmp_path / ("x" * 252 + ".ts")
    long.symlink_to(videos / "a.mkv")
    report = run([videos, long], tmp_path / "out")
    assert report.done == tuple("abcde")
    assert list(report.failed) == ["x" * 252]
    path = tmp_path / "out" / "fake_vggish" / ("x" * 252 + ".npy")
    assert report.failed["x" * 252] == f"{path}: cannot be written: File name too long"
    assert len(contents(tmp_path / "out")) == 12


def test_nothing_is_printed_unless_asked(videos, tmp_path, capfd):
    run(videos, tmp_path)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("error", [RuntimeError("odd"), MemoryError(), OSError(5, "Input/output error"), KeyError("x")])
def test_a_decoder_that_fails_in_any_way(videos, tmp_path, monkeypatch, error):
    def fail(path, **named):
        if path.stem == "b":
            raise error
        return decode(path, **named)

    monkeypatch.setattr(pipeline, "decode", fail)
    report = run(videos, tmp_path)
    assert report.done == tuple("acde")
    assert report.failed == {"b": f"{videos / 'b.mkv'}: {type(error).__name__}: {error}"}


@pytest.mark.parametrize(("value", "dtype"), [(np.nan, "float32"), (1e5, "float16")])
def test_features_that_are_no_numbers(videos, tmp_path, monkeypatch, value, dtype):
    def loud(path, **named):
        clip = decode(path, **named)
        return dataclasses.replace(clip, sound=clip.sound + np.float32(value)) if path.stem == "b" else clip

    monkeypatch.setattr(pipeline, "decode", loud)
    report = run(videos, tmp_path, dtype=dtype)
    assert list(report.failed) == ["b"]
    assert f"b.mkv: expected finite audio features, got some that are not, as {dtype}" in report.failed["b"]
    assert not list(tmp_path.rglob("b.npy"))


def test_decoded_clips_may_be_read_only(videos, tmp_path, monkeypatch):
    def frozen(path, **named):
        clip = decode(path, **named)
        frames, sound = clip.frames.copy(), clip.sound.copy()
        frames.flags.writeable = sound.flags.writeable = False
        return Clip(frames, sound, clip.video_seconds, clip.audio_seconds)

    monkeypatch.setattr(pipeline, "decode", frozen)
    assert run(videos, tmp_path).exit_status == 0


def test_memory_is_bounded(videos, tmp_path, monkeypatch):
    """Clips decoded and not yet computed are few, however slow the extractors."""
    waiting, most = 0, 0

    def count(path, **named):
        nonlocal waiting, most
        waiting += 1
        most = max(most, waiting)
        return decode(path, **named)

    class Slow(type(make_fake("vggish"))):
        def forward(self, seconds):
            nonlocal waiting
            waiting -= self.kind == "audio"
            return super().forward(seconds)

    many = tmp_path / "many"
    many.mkdir()
    for number in range(20):
        (many / f"{number}.mkv").symlink_to(videos / "a.mkv")
    monkeypatch.setattr(pipeline, "decode", count)
    monkeypatch.setattr(
        extraction,
        "make_extractor",
        lambda name, **named: Slow(name, None, None, None, named["seconds"], named["device"]),
    )
    assert len(run(many, tmp_path / "out", workers=2).done) == 20
    assert most <= 2 * 2 + 1


def test_full_disk_stops(videos, tmp_path, monkeypatch):
    real = os.fsync
    synced = []

    def full_after_some(descriptor):
        if len(synced) >= 12:  # Two manifests and two videos, and their folders each time: 2 * 2 + 4 * 2.
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        synced.append(descriptor)
        real(descriptor)

    monkeypatch.setattr(folders.os, "fsync", full_after_some)
    with pytest.raises(DataError, match=r"\.npy: cannot be written: .*No space left on device") as error:
        run(videos, tmp_path / "out", workers=1)
    assert "What is finished stays" in str(error.value)
    files = contents(tmp_path / "out")
    assert len(files) == 6
    assert not any(".part" in name for name in files)
    assert not (tmp_path / "out" / "extraction.json").exists()
    monkeypatch.undo()
    monkeypatch.setattr(extraction, "make_extractor", make_fake)
    assert len(run(videos, tmp_path / "out").already_there) == 2
    run(videos, tmp_path / "whole")
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_ctrl_c(videos, tmp_path, monkeypatch):
    class Interrupting(type(make_fake("vggish"))):
        calls = 0

        def forward(self, seconds):
            Interrupting.calls += 1
            if Interrupting.calls == 6:
                raise KeyboardInterrupt
            return super().forward(seconds)

    monkeypatch.setattr(
        extraction,
        "make_extractor",
        lambda name, **named: Interrupting(name, None, None, None, named["seconds"], named["device"]),
    )
    with pytest.raises(KeyboardInterrupt, match=r"interrupted with 2 of 5 videos done\. To go on, run the same again"):
        run(videos, tmp_path)
    names = list(contents(tmp_path))
    assert len(names) == 2 + 2 * 2
    assert not any(".part" in name for name in names)


# What stops a run before it starts.


def test_another_manifest(videos, tmp_path):
    run(videos, tmp_path)
    before = contents(tmp_path)
    with pytest.raises(DataError, match="fake_resnet18: its features were made with statistics None, not 'kinetics'"):
        run(videos, tmp_path, statistics="kinetics")
    with pytest.raises(DataError, match="dtype 'float32', not 'float16'"):
        run(videos, tmp_path, dtype="float16")
    with pytest.raises(DataError, match="seconds 60, not 30"):
        run(videos, tmp_path, seconds=30)
    assert contents(tmp_path) == before


def test_features_of_others_are_not_touched(videos, tmp_path):
    (tmp_path / "fake_resnet18").mkdir()
    np.save(tmp_path / "fake_resnet18" / "a.npy", np.zeros((60, 512, 14, 14), np.float16))
    before = contents(tmp_path)
    with pytest.raises(DataError, match=r"fake_resnet18: expected a folder with a manifest\.json"):
        run(videos, tmp_path)
    assert contents(tmp_path) == before
    assert not (tmp_path / "fake_vggish").exists()


def test_two_videos_with_one_id(videos, tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"")
    with pytest.raises(DataError, match="two videos with the id 'a'"):
        run([videos, tmp_path / "a.mp4"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_output_that_cannot_be_made(videos, tmp_path):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(DataError, match="out: expected a folder to write to"):
        run(videos, tmp_path / "out")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"audio": "resnet18"}, "audio: expected one of 'vggish', 'vggish_pca', 'logmel', got 'resnet18'"),
        ({"visual": "vgg"}, "visual: expected one of 'resnet18', 'efficientnet_lite0', got 'vgg'"),
        ({"dtype": "float64"}, "dtype: expected one of 'float32', 'float16', got 'float64'"),
        ({"device": "tpu"}, "device: expected one of 'auto', 'cpu', 'cuda', got 'tpu'"),
        ({"seconds": 0}, "seconds: expected a whole number of at least 1, got 0"),
        ({"workers": 0}, "workers: expected a whole number of at least 1, got 0"),
        ({"devices": 0}, "devices: expected a whole number of at least 1, got 0"),
        ({"nodes": 1.5}, "nodes: expected a whole number of at least 1, got 1.5"),
    ],
)
def test_settings_that_do_not_exist(videos, tmp_path, options, words):
    with pytest.raises(ConfigError) as error:
        run(videos, tmp_path / "out", **options)
    assert str(error.value) == words
    assert not (tmp_path / "out").exists()


def test_cuda_that_is_not_there(videos, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match="device='cuda', devices=2: expected at most the 0 that torch finds here"):
        run(videos, tmp_path, device="cuda", devices=2)


def test_packages_that_are_missing(videos, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(ConfigError, match=r'^decoding needs PyAV: pip install "avground\[media\]"$'):
        run(videos, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_several_processes_need_lightning(videos, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "lightning.fabric", None)
    with pytest.raises(ConfigError, match=r'several processes need Lightning: pip install "avground\[train\]"'):
        run(videos, tmp_path, devices=2)
    assert run(videos, tmp_path).exit_status == 0
