"""Kill extractions at random moments and go on: does the output differ?

Every run is the command that users run, on 24 videos of Pocket. One runs undisturbed. Each trial starts another, kills
it (SIGKILL) a random moment after a random number of videos are finished (so that a busy machine does not move the kill
past the end), looks at what is there, runs the same command again, and compares all files byte by byte. Writes
benchmarks/results/killed-extraction.json.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from common import environment, write_result
from tqdm import tqdm

from avground.data import pocket
from avground.data.pocket.rendering import Rendering

WORLD = pocket.World(train=16, val=4, test=4)
RENDERING = Rendering(seconds=10, fps=8, size=224)
EXTRACTORS = ("logmel", "efficientnet_lite0")
REPORTS = "extraction*.json*"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0, help="decides the videos and the moments (default: 0)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        pocket.generate(place / "pocket", WORLD, seed=options.seed, rendering=RENDERING)
        videos = place / "pocket" / "videos"
        seconds = _undisturbed(videos, place / "whole")
        expected = _contents(place / "whole")
        count = len(list(videos.iterdir()))
        draw = random.Random(options.seed)
        moments = [(draw.randrange(count), draw.uniform(0, seconds / count)) for _ in range(options.trials)]
        trials = [
            _trial(videos, place / f"trial-{number}", moment, expected)
            for number, moment in enumerate(tqdm(moments, unit="trial"))
        ]
    result = {
        **environment(),
        "command": f"python benchmarks/killed_extraction.py --trials {options.trials} --seed {options.seed}",
        "extraction": _command(Path("VIDEOS"), Path("FEATURES"))[2:],
        "videos": count,
        "undisturbed_seconds": round(seconds, 3),
        "killed": sum(trial["killed"] for trial in trials),
        "half_written": sum(len(trial["half_written"]) for trial in trials),
        "redone": sum(len(trial["redone"]) for trial in trials),
        "differing": sum(len(trial["differing"]) for trial in trials),
        "trials": trials,
    }
    print(write_result("killed-extraction", result))


def _command(videos: Path, output: Path) -> list[str]:
    audio, visual = EXTRACTORS
    names = ["--audio", audio, "--visual", visual, "--device", "cpu"]
    return [sys.executable, "-m", "avground", "extract", str(videos), "--output", str(output), *names]


def _start(videos: Path, output: Path) -> subprocess.Popen[str]:
    one_thread = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        _command(videos, output), env=one_thread, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )


def _finish(process: subprocess.Popen[str]) -> None:
    _, errors = process.communicate()
    if process.returncode:
        raise SystemExit(f"exit status {process.returncode}\n{errors[-2000:]}")


def _undisturbed(videos: Path, output: Path) -> float:
    """Extract all; returns the seconds it took."""
    start = time.monotonic()
    _finish(_start(videos, output))
    return time.monotonic() - start


def _trial(videos: Path, output: Path, moment: tuple[int, float], expected: dict[str, bytes]) -> dict[str, Any]:
    """Kill a run, look, run again, compare."""
    wanted, delay = moment
    with _start(videos, output) as process:
        while process.poll() is None and len(_finished(videos, output)) < wanted:
            time.sleep(0.01)
        if wanted == 0:  # While it is still starting.
            time.sleep(1)
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
    there = _contents(output)
    hidden = [name for name in there if Path(name).name.startswith(".")]
    final = [name for name in there if name not in hidden]
    finished = _finished(videos, output)
    stamps = {name: (output / name).stat() for name in final}
    _finish(_start(videos, output))
    after = _contents(output)
    changed = {
        name
        for name, stamp in stamps.items()
        if (output / name).stat().st_ino != stamp.st_ino or (output / name).stat().st_mtime_ns != stamp.st_mtime_ns
    }
    return {
        "killed": process.returncode == -signal.SIGKILL,
        "asked_for": {"finished": wanted, "seconds_more": round(delay, 3)},
        "finished": len(finished),
        "being_written": len(hidden),
        "half_written": [name for name in final if there[name] != expected.get(name)],
        "redone": [video for video in finished if any(f"{kind}/{video}.npy" in changed for kind in EXTRACTORS)],
        "differing": sorted(name for name in {*after, *expected} if after.get(name) != expected.get(name)),
    }


def _finished(videos: Path, output: Path) -> list[str]:
    """The videos all of whose features have their final names."""
    ids = sorted(path.stem for path in videos.iterdir())
    return [video for video in ids if all((output / kind / f"{video}.npy").exists() for kind in EXTRACTORS)]


def _contents(output: Path) -> dict[str, bytes]:
    """The bytes of all files but the report and its log, which hold times, by their place in the folder."""
    files = (path for path in output.rglob("*") if path.is_file() and not path.match(REPORTS))
    return {path.relative_to(output).as_posix(): path.read_bytes() for path in files}


if __name__ == "__main__":
    main()
