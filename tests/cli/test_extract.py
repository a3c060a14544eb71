import json
import re

import numpy as np
import pytest

from avground.cli import main
from avground.media import extraction
from tests.media.clips import write_video
from tests.media.fakes import make_fake


@pytest.fixture
def videos(tmp_path, monkeypatch):
    monkeypatch.setattr(extraction, "make_extractor", make_fake)
    folder = tmp_path / "videos"
    folder.mkdir()
    for name in "ab":
        write_video(folder / f"{name}.mkv", seconds=3, size=32)
    return folder


def test_all_done(videos, tmp_path, capsys):
    assert main(["extract", str(videos), "--output", str(tmp_path / "out"), "--device", "cpu"]) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith("videos  2: 2 extracted, 0 there already, 0 failed;")
    assert captured.out.endswith(f"report  {tmp_path / 'out' / 'extraction.json'}\n")
    assert json.loads((tmp_path / "out" / "extraction.json").read_text())["done"] == ["a", "b"]
    assert (tmp_path / "out" / "fake_vggish" / "a.npy").exists()
    assert (tmp_path / "out" / "fake_resnet18" / "a.npy").exists()


def test_one_failed(videos, tmp_path, capsys):
    (videos / "c.mp4").write_bytes(b"")
    assert main(["extract", str(videos), "--output", str(tmp_path / "out"), "--device", "cpu"]) == 1
    assert f"failed  c: {videos / 'c.mp4'}: expected a video, got an empty file" in capsys.readouterr().out
    (videos / "c.mp4").unlink()
    assert main(["extract", str(videos), "--output", str(tmp_path / "out"), "--device", "cpu"]) == 0


def test_options(videos, tmp_path):
    names = ["--audio", "logmel", "--visual", "efficientnet_lite0", "--dtype", "float16", "--seconds", "2"]
    others = ["--workers", "1", "--devices", "1", "--nodes", "1", "--device", "cpu", "--statistics", "kinetics"]
    files = [str(videos / "a.mkv"), str(videos / "b.mkv")]
    assert main(["extract", *files, "--output", str(tmp_path / "out"), *names, *others]) == 0
    audio = np.load(tmp_path / "out" / "fake_logmel" / "b.npy")
    visual = np.load(tmp_path / "out" / "fake_efficientnet_lite0" / "b.npy")
    assert (audio.shape, audio.dtype) == ((2, 3), np.float16)
    assert (visual.shape, visual.dtype) == ((2, 3, 1, 1), np.float16)


def test_weights(videos, tmp_path, monkeypatch):
    seen = {}
    monkeypatch.setattr(
        extraction, "make_extractor", lambda name, **named: (seen.update({name: named}), make_fake(name))[1]
    )
    paths = ["--weights", "folder", "--audio-weights", "a.pth", "--visual-weights", "v.pth"]
    assert main(["extract", str(videos), "--output", str(tmp_path / "out"), "--device", "cpu", *paths]) == 0
    assert {str(named["weights_folder"]) for named in seen.values()} == {"folder"}
    assert {name: str(named["weights"]) for name, named in seen.items()} == {"vggish": "a.pth", "resnet18": "v.pth"}


def test_errors(videos, tmp_path, capsys):
    assert main(["extract", str(tmp_path / "nowhere"), "--output", str(tmp_path / "out")]) == 1
    captured = capsys.readouterr()
    assert re.fullmatch(r"error: .*nowhere: expected a video or a folder of videos, got nothing there\n", captured.err)


def test_interrupted(videos, tmp_path, monkeypatch, capsys):
    def stop(*_, **__):
        raise KeyboardInterrupt("interrupted with 1 of 2 videos done")

    monkeypatch.setattr("avground.cli.extract.extract", stop)
    assert main(["extract", str(videos), "--output", str(tmp_path / "out")]) == 130
    assert capsys.readouterr().err == "\ninterrupted with 1 of 2 videos done\n"


@pytest.mark.parametrize(
    ("option", "listed"),
    [
        ("--audio", ["vggish", "vggish_pca", "logmel"]),
        ("--visual", ["resnet18", "efficientnet_lite0"]),
        ("--statistics", ["kinetics", "imagenet"]),
        ("--dtype", ["float32", "float16"]),
        ("--device", ["auto", "cpu", "cuda"]),
    ],
)
def test_wrong_names(tmp_path, capsys, option, listed):
    with pytest.raises(SystemExit) as error:
        main(["extract", str(tmp_path), "--output", str(tmp_path), option, "wrong"])
    assert error.value.code == 2
    message = capsys.readouterr().err
    assert f"argument {option}: invalid choice: 'wrong'" in message
    assert all(name in message for name in listed)


def test_help(capsys):
    with pytest.raises(SystemExit):
        main(["extract", "--help"])
    text = capsys.readouterr().out
    assert "Turn videos into features" in text
    assert "--audio-weights" in text
