import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from avground.data import pocket

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "examples" / "train_music_avqa.py"


@pytest.fixture
def main():
    return runpy.run_path(str(SCRIPT))["main"]


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("AVGROUND_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


def test_two_processes_train_the_tiny_world_and_a_second_run_does_not_overwrite_it(main, tmp_path, capsys):
    options = ["--world", "tiny", "--epochs", "1", "--stage-one-epochs", "1", "--device", "cpu", "--devices", "2"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "error", str(SCRIPT), *options]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    output = tmp_path / "runs" / "tjstg-tiny-0"
    report = json.loads((output / "metrics.json").read_text())
    questions = json.loads((tmp_path / "cache" / "pocket-tiny-0" / "json" / "avqa-test.json").read_text())
    assert report["test"]["count"]["All"] == len(questions)
    assert sum(n for row, n in report["test"]["count"].items() if "/" in row) == len(questions)
    for expected in ("making Pocket world 'tiny' in", "2 x cpu", "Audio-Visual  average", "metrics.json"):
        assert done.stdout.count(expected) == 1
    assert (output / "best.pt").exists()
    assert (output / "last.pt").exists()
    assert main(options) == 1
    assert "--resume" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "listed"),
    [
        (["--model", "tjst"], "'tjstg'"),
        (["--world", "cores"], "'core'"),
        (["--ablation", "none"], "'without_synchrony'"),
        (["--device", "gpu"], "'cuda'"),
        (["--precision", "fp16"], "'16-mixed'"),
        (["--data", "x", "--world", "core"], "not allowed with argument --data"),
        (["--epoch", "3"], "--epoch"),
    ],
)
def test_a_wrong_name_is_an_error_that_lists_the_right_ones(main, options, listed, capsys, tmp_path):
    with pytest.raises(SystemExit) as stop:
        main(options)
    assert stop.value.code == 2
    assert listed in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--epochs", "0"], "epochs: expected a whole number of at least 1, got 0"),
        (["--model", "avst", "--ablation", "full"], "model: expected 'tjstg'"),
        (["--data", "nowhere"], "nowhere: expected json/avqa-"),
        (["--data", "nowhere", "--resume"], "resume: expected last.pt or best.pt in runs/tjstg-nowhere-0"),
    ],
)
def test_what_cannot_be_is_named_before_a_world_is_made(main, options, named, capsys, tmp_path):
    assert main(options) == 1
    assert named in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_says_how_to_go_on(main, tmp_path, monkeypatch, capsys):
    world = pocket.World(types=4, rows=6, columns=6, channels=8, train=10, val=3, test=5, questions=3)
    folder = str(pocket.generate(tmp_path / "mine", world, progress=False))
    options = ["--data", folder, "--epochs", "1", "--batch-size", "8", "--device", "cpu", "--output", "out"]
    from avground.training.loop import Loop

    with monkeypatch.context() as patch:
        patch.setattr(Loop, "_step", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        assert main(options) == 130
    assert "To go on, run the same again with --resume" in capsys.readouterr().err
    assert main([*options, "--resume"]) == 0
    assert (tmp_path / "out" / "metrics.json").exists()
