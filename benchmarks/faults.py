"""What happens to runs that are killed, find no room, meet broken numbers or files of strangers, or are many processes.

    python benchmarks/faults.py [--trials 42] [--mutations 2000] [--seed 0]

Every run is the command that users run, in a process of its own; benchmarks/victim.py kills it from within at exact
moments, and some trials kill it from outside at random times. A trial kills a run up to three times, looks at what is
there after each, lets it end, and compares every loss, the weights and the report bit by bit with those of a run that
nothing disturbed. Each scenario is also a fast test. Writes benchmarks/results/faults.json and the tables of
docs/trust.md.
"""

import argparse
import csv
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import fuzzing
import numpy as np
import torch
from common import ROOT, environment, fill, write_result
from tqdm import tqdm

from avground.data import pocket
from avground.errors import DataError
from avground.training import read_checkpoint

VICTIM = ROOT / "benchmarks" / "victim.py"
WORLD = pocket.World(types=4, segments=5, rows=6, columns=6, channels=8, train=24, val=6, test=8, questions=4)
OPTIONS = ["--segments", "5", "--stage-one-epochs", "2", "--epochs", "3", "--batch-size", "8", "--dim", "16"]
KINDS = ("step", "edge", "update", "write", "name", "evaluation", "time")
CHANGING = ("seconds", "speed", "memory")
"""What differs between any two runs: how long things took."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=42)
    parser.add_argument("--full-disks", type=int, default=8)
    parser.add_argument("--mutations", type=int, default=2000, help="of each kind of file (default: 2000)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        place = Place(Path(folder))
        with ThreadPoolExecutor(options.jobs) as pool:
            draw = random.Random(options.seed)
            kills = [draw_kills(draw, KINDS[number % len(KINDS)], place) for number in range(options.trials)]
            jobs = [pool.submit(killed, place, place.folder / f"killed-{n}", kill) for n, kill in enumerate(kills)]
            jobs += [pool.submit(full, place, n, draw.randrange(3, 40)) for n in range(options.full_disks)]
            done = [job.result() for job in tqdm(jobs, unit="trial")]
        result = {
            **environment(),
            "command": f"python benchmarks/faults.py --trials {options.trials} --full-disks {options.full_disks} "
            f"--mutations {options.mutations} --seed {options.seed}",
            "run": ["avground", "train", *OPTIONS],
            "steps": len(place.losses),
            "killed": summary(done[: options.trials]),
            "full_disk": summary(done[options.trials :]),
            "disk_of_a_file_system": small_disk(place),
            "processes": processes(place),
            "numbers": numbers(place),
            "files": fuzzing.run(options.mutations, options.seed),
        }
    result["seconds"] = round(time.monotonic() - started)
    found = tables(result)
    print(*found.values(), write_result("faults", result), sep="\n\n")
    page = ROOT / "docs" / "trust.md"
    page.write_text(fill(page.read_text(), found))


class Place:
    """Where trials happen: a world, and the run that nothing disturbed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.world = pocket.generate(folder / "world", WORLD, progress=False)
        started = time.monotonic()
        self.whole = folder / "whole"
        code, output = run(self, self.whole)
        assert code == 0, output
        self.seconds = time.monotonic() - started
        self.losses = read_losses(self.whole)
        self.bytes = (self.whole / "best.pt").stat().st_size  # The last one holds no moments any more.


def command(place: Place, output: Path, *before: str, extra: tuple[str, ...] = ()) -> list[str]:
    victim = [sys.executable, str(VICTIM), *before, "--losses", f"{output}.losses", "--"]
    return [*victim, "train", "--data", str(place.world), *OPTIONS, "--device", "cpu", "--output", str(output), *extra]


def surroundings() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "PYTHONPATH": str(ROOT)}


def run(place: Place, output: Path, *before: str, extra: tuple[str, ...] = ()) -> tuple[int, str]:
    """Let a run end, or die; returns its exit status and what it printed."""
    done = subprocess.run(
        command(place, output, *before, extra=extra), env=surroundings(), capture_output=True, text=True, timeout=300
    )
    return done.returncode, done.stdout[-2000:] + done.stderr[-2000:]


def resume(output: Path) -> tuple[str, ...]:
    """Whether there is something to resume."""
    return ("--resume",) if any((output / name).exists() for name in ("last.pt", "best.pt")) else ()


def read_losses(output: Path) -> dict[str, str]:
    """The loss of every step; of one that was repeated with another value, all of them."""
    found: dict[str, str] = {}
    for line in Path(f"{output}.losses").read_text().splitlines():
        where, _, loss = line.rpartition(" ")
        if where.count(" ") == 2:  # The last line of a run that was killed may be cut short.
            found[where] = loss if found.get(where, loss) == loss else f"{found[where]} {loss}"
    return found


# ---- killed, and without room ----------------------------------------------------------------------------------------


def draw_kills(draw: random.Random, kind: str, place: Place) -> list[tuple[str, ...]]:
    """Up to three moments: one of the kind, then any."""
    steps = len(place.losses)
    edges = [number for number, name in enumerate(place.losses) if name.endswith(" 0")]
    kinds = [kind, *draw.choices(KINDS, k=draw.randrange(3))]
    moments: dict[str, Any] = {
        "step": lambda: ("--die", f"step:{draw.randrange(steps)}"),
        "edge": lambda: ("--die", f"step:{draw.choice(edges)}"),
        "update": lambda: ("--die", f"update:{draw.randrange(steps)}"),
        "write": lambda: ("--die", f"write:{draw.randrange(steps)}:{draw.randrange(1, place.bytes)}"),
        "name": lambda: ("--die", f"name:{draw.randrange(steps)}"),
        "evaluation": lambda: ("--die", f"evaluation:{draw.randrange(6)}"),
        "time": lambda: ("time", str(draw.uniform(0.2, 1.0) * place.seconds)),
    }
    return [moments[name]() for name in kinds]


def killed(place: Place, output: Path, kills: list[tuple[str, ...]]) -> dict[str, Any]:
    """A run that dies at these moments and is resumed each time, then ends."""
    trial: dict[str, Any] = {"kills": [" ".join(kill).removeprefix("--die ") for kill in kills], "died": 0}
    trial.update(half_written=0, unreadable=[], differences=[])
    for kill in kills:
        if kill[0] == "time":
            process = subprocess.Popen(
                command(place, output, extra=resume(output)),
                env=surroundings(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            try:
                code = process.wait(float(kill[1]))
            except subprocess.TimeoutExpired:
                process.kill()
                code = process.wait()
            if code not in (0, -signal.SIGKILL):
                trial["differences"].append(f"exit status {code}")
        else:
            code, text = run(place, output, *kill, extra=resume(output))
            if code not in (0, -signal.SIGKILL):
                trial["differences"].append(f"exit status {code}: {text[-500:]}")
        trial["died"] += code == -signal.SIGKILL
        look(output, trial)
    return finish(place, output, trial)


def look(output: Path, trial: dict[str, Any]) -> None:
    """Count what was half written, and name what has a checkpoint's name and is none."""
    trial["half_written"] += len(list(output.glob(".*.tmp")))
    for name in ("last.pt", "best.pt"):
        if (output / name).exists():
            try:
                read_checkpoint(output / name)
            except DataError as error:
                trial["unreadable"].append(str(error))


def finish(place: Place, output: Path, trial: dict[str, Any]) -> dict[str, Any]:
    """Let the run end, and name what is not as in the run that nothing disturbed."""
    code, text = run(place, output, extra=resume(output))
    if code:
        trial["differences"].append(f"exit status {code}: {text[-500:]}")
        return trial
    trial["differences"] += differences(place.whole, output)
    if read_losses(output) != place.losses:
        trial["differences"].append("losses")
    if leftovers := [path.name for path in output.glob(".*.tmp")]:
        trial["differences"].append(f"left: {leftovers}")
    shutil.rmtree(output)
    return trial


def differences(one: Path, other: Path) -> list[str]:
    """What differs between two runs, bit by bit."""
    found = []
    for name in ("last.pt", "best.pt"):
        mine, theirs = (strip(read_checkpoint(folder / name)) for folder in (one, other))
        found += [f"{name}: {key}" for key in mine if not equal(mine[key], theirs.get(key))]
    mine, theirs = (strip(json.loads((folder / "metrics.json").read_text())) for folder in (one, other))
    found += [f"metrics.json: {key}" for key in mine if mine[key] != theirs.get(key)]
    return found + ([] if read_table(one) == read_table(other) else ["metrics.csv"])


def read_table(folder: Path) -> list[dict[str, str]]:
    """The log of a run, without what only says how long something took."""
    with (folder / "metrics.csv").open(newline="") as file:
        return [
            {name: value for name, value in row.items() if name.split("/")[0] not in CHANGING}
            for row in csv.DictReader(file)
        ]


def strip(value: Any) -> Any:
    """Without what only says how long something took."""
    if isinstance(value, dict):
        return {key: strip(entry) for key, entry in value.items() if key not in CHANGING}
    return [strip(entry) for entry in value] if isinstance(value, list) else value


def equal(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(equal(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(equal, one, other))
    return bool(one == other)


def full(place: Place, number: int, step: int) -> dict[str, Any]:
    """A run for whose files there is no room from some step on, then a run that has it."""
    output = place.folder / f"full-{number}"
    room = place.bytes * (number + 1) // 10
    trial: dict[str, Any] = {"room": f"{room} of {place.bytes} bytes from step {step} on"}
    trial.update(died=0, half_written=0, unreadable=[], differences=[])
    code, text = run(place, output, "--room", f"{step}:{room}")
    trial["died"] += code == 1
    if code != 1 or "expected to write a checkpoint" not in text:
        trial["differences"].append(f"exit status {code}: {text[-500:]}")
    look(output, trial)
    return finish(place, output, trial)


def small_disk(place: Place) -> dict[str, Any] | str:
    """The same with a file system that is really full, where one can be mounted."""
    disk = place.folder / "disk"
    disk.mkdir()
    size = 8 * place.bytes
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(disk)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        return "not measured: no file system could be mounted"
    try:
        (disk / "filler").write_bytes(b"\0" * (size - place.bytes * 5 // 2))
        output = disk / "run"
        trial: dict[str, Any] = {"died": 0, "half_written": 0, "unreadable": [], "differences": []}
        code, text = run(place, output)
        trial["died"] += code == 1
        if code != 1 or "No space left on device" not in text:
            trial["differences"].append(f"exit status {code}: {text[-500:]}")
        look(output, trial)
        (disk / "filler").unlink()
        return summary([finish(place, output, trial)])
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def summary(trials: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "trials": len(trials),
        "stopped": sum(trial["died"] for trial in trials),
        "half_written": sum(trial["half_written"] for trial in trials),
        "unreadable": sum(len(trial["unreadable"]) for trial in trials),
        "failures": sum(bool(trial["differences"]) for trial in trials),
        "each": trials,
    }


# ---- several processes -----------------------------------------------------------------------------------------------


def processes(place: Place) -> dict[str, Any]:
    """Two and four processes beside one, the two ways to start them, and one of two that is killed."""
    found: dict[str, Any] = {}
    run_alone = place.folder / "alone"
    launch(place, run_alone, 1, "--without-dropout")
    alone = json.loads((run_alone / "metrics.json").read_text())
    for count in (2, 4):
        output = place.folder / f"processes-{count}"
        launch(place, output, count, "--without-dropout")
        together = json.loads((output / "metrics.json").read_text())
        pairs = [
            (ours["losses"][name], theirs["losses"][name])
            for ours, theirs in zip(alone["history"], together["history"], strict=True)
            for name in ours["losses"]
        ]
        weights, others = (read_checkpoint(folder / "last.pt")["model"] for folder in (run_alone, output))
        found[f"{count} processes"] = {
            "largest_difference_of_a_loss": max(abs(a - b) for a, b in pairs),
            "largest_difference_of_a_weight": max((weights[k] - others[k]).abs().max().item() for k in weights),
            "same_test_accuracy": alone["test"]["accuracy"] == together["test"]["accuracy"],
            "same_test_count": alone["test"]["count"] == together["test"]["count"],
        }
    ways = {way: place.folder / f"way-{way}" for way in ("devices", "torchrun")}
    for way, output in ways.items():
        launch(place, output, 2, way=way)
    found["devices against torchrun"] = {"differences": differences(*ways.values())}
    found["one of two killed"] = one_killed(place, ways["torchrun"])
    return found


def launch(
    place: Place, output: Path, count: int, *before: str, way: str = "torchrun", extra: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    _, script, *rest = command(place, output, *before, extra=extra)
    start = [sys.executable, script]
    if way == "torchrun":
        start = [sys.executable, "-m", "torch.distributed.run", "--master-addr", "127.0.0.1", "--master-port"]
        start += [str(free_port()), "--nproc-per-node", str(count), script]
    else:
        rest += ["--devices", str(count)]
    done = subprocess.run([*start, *rest], env=surroundings(), capture_output=True, text=True, timeout=300)
    if done.returncode and "--die" not in before:
        raise SystemExit(f"{output}: exit status {done.returncode}\n{done.stderr[-2000:]}")
    return done


def one_killed(place: Place, whole: Path) -> dict[str, Any]:
    """The second of two processes dies; the launcher ends the other, and the run goes on exactly."""
    output = place.folder / "one-killed"
    # Two epochs of 3 steps, then of 12: the first process has saved after the tenth.
    done = launch(place, output, 2, "--die", "step:17", "--only-rank", "1")
    step = read_checkpoint(output / "last.pt")["progress"]["step"]
    again = launch(place, output, 2, extra=resume(output))
    return {
        "exit_status": done.returncode,
        "resumed_from_step": step,
        "resumed": again.returncode == 0,
        "differences": differences(whole, output),
    }


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# ---- numbers that are not finite -------------------------------------------------------------------------------------


def numbers(place: Place) -> dict[str, Any]:
    """NaN and infinity in features: found by verify, and by training before its first step, by the video's name."""
    found: dict[str, Any] = {}
    for value in (float("nan"), float("inf")):
        for kind in ("vggish", "res18_14x14"):
            world = place.folder / "broken"
            shutil.copytree(place.world, world)
            path = sorted((world / "feats" / kind).glob("*.npy"))[3]
            array = np.load(path)
            array.flat[7] = value
            np.save(path, array)
            texts = {}
            for name, words in {
                "verify": ["verify", str(world / "feats")],
                "train": ["train", "--data", str(world), *OPTIONS, "--output", str(place.folder / "broken-run")],
            }.items():
                done = subprocess.run(
                    [sys.executable, "-m", "avground", *words], env=surroundings(), capture_output=True, text=True
                )
                texts[name] = done.returncode == 1 and path.stem in done.stderr and "Traceback" not in done.stderr
            found[f"{value} in {kind}"] = texts
            shutil.rmtree(world)
    return found


# ---- tables ----------------------------------------------------------------------------------------------------------


def tables(result: dict[str, Any]) -> dict[str, str]:
    rows = [("killed (SIGKILL) at exact and at random moments", result["killed"])]
    rows += [("no room for a checkpoint (limit on the size of files)", result["full_disk"])]
    if isinstance(result["disk_of_a_file_system"], dict):
        rows += [("a file system that is full", result["disk_of_a_file_system"])]
    lines = [
        "| what happened | runs | times stopped | half-written files | unreadable checkpoints | ended otherwise |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {name} | {row['trials']} | {row['stopped']} | {row['half_written']} | {row['unreadable']} | "
        f"{row['failures']} |"
        for name, row in rows
    ]
    several = ["| processes | largest difference of a loss | of a weight | same test accuracies and counts |"]
    several += ["|---|---:|---:|---|"]
    for count in (2, 4):
        row = result["processes"][f"{count} processes"]
        same = "yes" if row["same_test_accuracy"] and row["same_test_count"] else "no"
        loss, weight = row["largest_difference_of_a_loss"], row["largest_difference_of_a_weight"]
        several.append(f"| {count} | {loss:.1e} | {weight:.1e} | {same} |")
    files = ["| what was changed | mutations | still read | refused by name | other errors | slowest |"]
    files += ["|---|---:|---:|---:|---:|---:|"]
    for name, row in result["files"]["targets"].items():
        refused = sum(row["refused"].values())
        files.append(
            f"| {name} | {row['tried']:,} | {row['accepted']:,} | {refused:,} | {len(row['undocumented'])} | "
            f"{row['slowest_ms']:.0f} ms |"
        )
    return {"the killed": "\n".join(lines), "the processes": "\n".join(several), "the files": "\n".join(files)}


if __name__ == "__main__":
    main()
