"""Runs as users start them: killed, interrupted, and shared among processes."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from avground.data.headers import read_header
from avground.errors import DataError

from .clips import write_video

VIDEOS = 5
MORE = 300  # Copies, with which no run ends before it is stopped.
SECONDS = 240.0  # Until a process that hangs is given up.


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with five good videos and a broken one, random weights, and the features of an undisturbed run."""
    from torchvision.models import resnet18

    place = tmp_path_factory.mktemp("extraction")
    (place / "videos").mkdir()
    for number in range(VIDEOS):
        write_video(place / "videos" / f"v{number}.mkv", seconds=2 + number % 2, audio_seconds=1, picture=noise)
    (place / "many").mkdir()
    for number in range(VIDEOS):
        (place / "many" / f"v{number}.mkv").symlink_to(place / "videos" / f"v{number}.mkv")
    for number in range(MORE):
        (place / "many" / f"w{number}.mkv").symlink_to(place / "videos" / "v0.mkv")
    (place / "videos" / "v0.broken.mp4").write_text("no video")
    torch.manual_seed(0)
    torch.save(resnet18().state_dict(), place / "weights.pth")
    done = subprocess.run(command(place, "whole"), env=environment(), capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 1, done.stderr
    assert f"videos  {VIDEOS + 1}: {VIDEOS} extracted, 0 there already, 1 failed;" in done.stdout
    return place


def noise(index, height, width):
    return np.random.default_rng(index).integers(0, 256, (height, width, 3), np.uint8)


def environment():
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])}


def command(place, output, *options, videos="videos"):
    names = ["--audio", "logmel", "--visual", "resnet18", "--visual-weights", str(place / "weights.pth")]
    return [sys.executable, "-m", "avground", "extract", str(place / videos), "--output", str(place / output), *names,
            "--device", "cpu", "--workers", "1", *options]  # fmt: skip


def contents(output):
    """The bytes of all files of features but those of copies, by their place in the folder."""
    files = (path for path in output.glob("*/*") if path.is_file() and not path.name.startswith("w"))
    return {str(path.relative_to(output)): path.read_bytes() for path in files}


def stop_at(place, output, count, number):
    """Start a run over all copies, send it a signal once ``count`` maps are there, and return how it ended."""
    maps = place / output / "res18_14x14"
    with subprocess.Popen(
        command(place, output, videos="many"),
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        limit = time.monotonic() + SECONDS
        while len(list(maps.glob("*.npy"))) < count:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < limit
            time.sleep(0.005)
        process.send_signal(number)
        try:
            _, errors = process.communicate(timeout=SECONDS / 4)
        except subprocess.TimeoutExpired:  # Python drops an interrupt that comes while it frees an object.
            process.send_signal(number)
            _, errors = process.communicate(timeout=SECONDS)
    return process.returncode, errors


@pytest.mark.parametrize("count", [1, 3])
def test_killed(place, count):
    output = f"killed-{count}"
    assert stop_at(place, output, count, signal.SIGKILL)[0] == -signal.SIGKILL
    whole, there = contents(place / "whole"), contents(place / output)
    finished = {name: content for name, content in there.items() if not name.endswith(".part")}
    assert finished.items() <= whole.items()
    assert len(list((place / output / "res18_14x14").glob("*.npy"))) < VIDEOS + MORE
    (place / output / "logmel" / f".avground-{'0' * 12}-1-0.part").write_bytes(b"of a living process elsewhere")

    done = subprocess.run(command(place, output), env=environment(), capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 1, done.stderr
    (place / output / "logmel" / f".avground-{'0' * 12}-1-0.part").unlink()
    assert contents(place / output) == whole
    report = json.loads((place / output / "extraction.json").read_text())
    both = [f"v{n}" for n in range(VIDEOS) if {f"logmel/v{n}.npy", f"res18_14x14/v{n}.npy"} <= finished.keys()]
    assert report["already_there"] == both
    assert len(both) >= count
    notes = {video: note for video, note in report["notes"].items() if not video.startswith("w")}
    assert notes == json.loads((place / "whole" / "extraction.json").read_text())["notes"]
    assert set(notes) == {f"v{n}" for n in range(VIDEOS)}


def test_interrupted(place):
    status, errors = stop_at(place, "interrupted", 2, signal.SIGINT)
    assert status == 130, errors
    assert f"of {VIDEOS + MORE} videos done. To go on, run the same again" in errors
    assert "Traceback" not in errors
    there = contents(place / "interrupted")
    assert there.items() <= contents(place / "whole").items()
    assert len(there) >= 2 + 2 * 2


def test_two_processes(place):
    """The broken video is the second process's; all the same the first one's exit status is 1."""
    run = command(place, "two", "--devices", "2")
    done = subprocess.run(run, env=environment(), capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 1, done.stderr
    assert done.stdout.count(f"videos  {VIDEOS + 1}: {VIDEOS} extracted, 0 there already, 1 failed;") == 1
    assert contents(place / "two") == contents(place / "whole")
    report = json.loads((place / "two" / "extraction.json").read_text())
    alone = json.loads((place / "whole" / "extraction.json").read_text())
    assert report["processes"] == 2
    for name in ("done", "failed", "already_there", "notes", "ignored", "features", "versions"):
        assert report[name] == alone[name]


def test_whole_files(place):
    """What the other tests compare with is what it should be."""
    for number in range(VIDEOS):
        shapes = [read_header(place / "whole" / kind / f"v{number}.npy").shape for kind in ("logmel", "res18_14x14")]
        assert shapes == [(1, 128), (2 + number % 2, 512, 14, 14)]
    with pytest.raises(DataError):
        read_header(place / "whole" / "logmel" / "v0.broken.npy")
