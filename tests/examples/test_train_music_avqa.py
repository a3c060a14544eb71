import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "examples" / "train_music_avqa.py"


def test_two_processes_train_the_tiny_world_and_a_second_run_does_not_overwrite_it(tmp_path):
    options = ["--world", "tiny", "--epochs", "1", "--stage-one-epochs", "1", "--device", "cpu", "--devices", "2"]
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
        "AVGROUND_CACHE": str(tmp_path / "cache"),
    }
    command = [sys.executable, "-W", "error", str(SCRIPT), *options]
    kept = {"env": environment, "cwd": tmp_path, "capture_output": True, "text": True, "timeout": 240, "check": False}
    done = subprocess.run(command, **kept)
    assert done.returncode == 0, done.stderr
    output = tmp_path / "runs" / "tjstg-tiny-0"
    report = json.loads((output / "metrics.json").read_text())
    questions = json.loads((tmp_path / "cache" / "pocket-tiny-0" / "json" / "avqa-test.json").read_text())
    assert report["test"]["count"]["All"] == len(questions)
    assert sum(n for row, n in report["test"]["count"].items() if "/" in row) == len(questions)
    for expected in ("making Pocket world 'tiny' in", "2 x cpu", "Audio-Visual  average", "/metrics.json"):
        assert done.stdout.count(expected) == 1
    assert (output / "best.pt").exists()
    assert (output / "last.pt").exists()
    again = subprocess.run(command, **kept)
    assert again.returncode == 1
    assert "--resume" in again.stderr
