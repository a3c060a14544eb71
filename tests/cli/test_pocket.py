"""``avground pocket``: the options reach the folder."""

from pathlib import Path

import pytest

from avground.cli import main
from avground.data import pocket

FEW = ["--world", "tiny", "--train", "6", "--val", "2", "--test", "2", "--quiet"]


def test_features(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "world"
    assert main(["pocket", str(folder), *FEW, "--seed", "3", "--noise", "0.25", "--two-of-a-type", "1"]) == 0
    assert capsys.readouterr().out == f"{folder}\n"
    record = pocket.read_record(folder)
    assert (record["seed"], record["knobs"]["noise"], record["knobs"]["two_of_a_type"]) == (3, 0.25, 1.0)
    assert "rendering" not in record


def test_videos(tmp_path: Path) -> None:
    pytest.importorskip("PIL")
    pytest.importorskip("av")
    folder = tmp_path / "world"
    options = ["--pixels", "--seconds", "20", "--fps", "1", "--size", "64", "--workers", "2"]
    assert main(["pocket", str(folder), *FEW, *options]) == 0
    assert pocket.read_record(folder)["rendering"] == {"version": 1, "seconds": 20, "fps": 1, "size": 64}
    assert len(list((folder / "videos").iterdir())) == 10


def test_default_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("AVGROUND_CACHE", str(tmp_path))
    assert main(["pocket", *FEW, "--seed", "1"]) == 0
    assert capsys.readouterr().out.strip().startswith(str(tmp_path / "pocket-custom-"))
    assert pocket.read_record(next(tmp_path.iterdir()))["knobs"]["train"] == 6


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--fps", "4"], "--fps: expected --pixels with it, got 4 without"),
        (["--workers", "2"], "--workers: expected --pixels with it"),
        (["--pixels", "--seconds", "7"], "seconds: expected a multiple of the world's 10 segments, got 7"),
        (["--world", "no"], "expected one of core"),
        (["--silent", "2"], "silent: expected a share"),
    ],
)
def test_errors(tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], message: str) -> None:
    assert main(["pocket", str(tmp_path / "world"), *FEW, *options]) == 1
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_help_names_every_knob(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["pocket", "--help"])
    shown = capsys.readouterr().out
    assert all(f"--{knob.replace('_', '-')}" in shown for knob in pocket.KNOBS)
    assert "--pixels" in shown
