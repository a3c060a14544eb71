"""What the benchmark scripts share: places, the machine's description, statistics over seeds, training runs."""

import datetime
import json
import math
import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

import avground
from avground.data import pocket
from avground.env import processor

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"


def environment() -> dict[str, Any]:
    """When, on what machine and with what versions something was measured."""
    return {
        "date": datetime.date.today().isoformat(),
        "machine": {"processor": processor(), "cores": os.cpu_count()},
        "versions": {"avground": avground.__version__, "python": platform.python_version(), "torch": torch.__version__},
    }


def browser_path() -> str | None:
    """Where Chromium, or its like, is installed; None for the one that Playwright brings."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def write_result(name: str, result: dict[str, Any], folder: Path = RESULTS) -> Path:
    """Write a result file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    path.write_text(json.dumps(result, indent=1) + "\n")
    return path


def read_result(name: str) -> dict[str, Any]:
    """Read a result file."""
    found: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text())
    return found


def fill(text: str, tables: Mapping[str, str]) -> str:
    """Put tables between their marks, ``<!-- table of NAME: begin -->`` and ``... end -->``."""
    for name, table in tables.items():
        begin, end = f"<!-- table of {name}: begin -->", f"<!-- table of {name}: end -->"
        before, rest = text.split(begin)
        text = f"{before}{begin}\n{table}\n{end}{rest.split(end)[1]}"
    return text


# ---- statistics ------------------------------------------------------------------------------------------------------


def summary(values: Sequence[float]) -> dict[str, Any]:
    """Mean, and with several values standard deviation, 95 % interval of the mean (Student's t), and the values."""
    mean = statistics.fmean(values)
    if len(values) == 1:
        return {"mean": mean, "values": list(values)}
    deviation = statistics.stdev(values)
    half = t_quantile(0.975, len(values) - 1) * deviation / math.sqrt(len(values))
    return {"mean": mean, "deviation": deviation, "interval": [mean - half, mean + half], "values": list(values)}


def paired(values: Sequence[float], reference: Sequence[float]) -> dict[str, Any]:
    """The differences seed by seed: their summary, and the two-sided p of a paired t-test."""
    differences = [a - b for a, b in zip(values, reference, strict=True)]
    found = summary(differences)
    spread = found.get("deviation", 0.0)
    if spread > 0:
        t = found["mean"] / (spread / math.sqrt(len(differences)))
        found["p"] = 2 * (1 - t_distribution(abs(t), len(differences) - 1))
    return found


def t_distribution(t: float, degrees: int) -> float:
    """Student's t: the probability of a value of at most t, by the finite series for whole degrees of freedom."""
    angle = math.atan2(t, math.sqrt(degrees))
    cosine = math.cos(angle)
    term, total = 1.0, 0.0
    if degrees % 2:
        total, term = angle, math.sin(angle) * cosine
        for k in range(1, degrees - 1, 2):
            total, term = total + term, term * cosine**2 * (k + 1) / (k + 2)
        return 0.5 + total / math.pi
    for k in range(0, degrees, 2):
        total, term = total + term, term * cosine**2 * (k + 1) / (k + 2)
    return 0.5 + 0.5 * math.sin(angle) * total


def t_quantile(probability: float, degrees: int) -> float:
    """The value below which Student's t lies with a probability above one half, by bisection."""
    low, high = 0.0, 1e6
    while high - low > 1e-9 * max(1.0, high):
        middle = (low + high) / 2
        low, high = (middle, high) if t_distribution(middle, degrees) < probability else (low, middle)
    return high


# ---- training runs ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Job:
    """One training run: a row on one seed of a world. A seed decides world, weights and order at once.

    Attributes:
        name: Name of the row, which is the folder of its runs.
        options: Options of the training command that make the row.
        world: Preset of Pocket.
        seed: See above.
    """

    name: str
    options: tuple[str, ...]
    world: str
    seed: int

    def folder(self, runs: Path) -> Path:
        """Where the run is kept."""
        return runs / self.world / self.name / str(self.seed)


def run_jobs(jobs: Sequence[Job], runs: Path, at_once: int) -> dict[Job, dict[str, Any]]:
    """Train what is not trained yet, several runs at once with one thread each; returns the metrics of every run.

    Each run is the training command that users run, in a process of its own. An interrupted run goes on where it
    stopped, and one that is done is not repeated.
    """
    for world, seed in dict.fromkeys((job.world, job.seed) for job in jobs):
        pocket.generate(pocket.default_directory(world, seed=seed), world, seed=seed)
    stop: list[bool] = []
    with ThreadPoolExecutor(at_once) as pool, tqdm(total=len(jobs), unit="run", desc="runs") as bar:
        futures = {pool.submit(_run, job, job.folder(runs), stop): job for job in jobs}
        try:
            for future in as_completed(futures):
                job, report = futures[future], future.result()
                bar.update()
                accuracy = 100 * report["test"]["accuracy"]["All"]
                bar.write(
                    f"{job.world:<7} {job.name:<24} seed {job.seed}  {accuracy:6.2f} %  {report['seconds']:.0f} s"
                )
        except BaseException:
            stop.append(True)  # Runs under way got the same Ctrl-C, and save; no further one starts.
            pool.shutdown(cancel_futures=True)
            raise
    return {job: future.result() for future, job in futures.items()}


def _run(job: Job, output: Path, stop: list[bool]) -> dict[str, Any]:
    metrics = output / "metrics.json"
    if not metrics.exists() and not stop:
        command = [sys.executable, str(ROOT / "examples" / "train_music_avqa.py"), *job.options]
        command += ["--data", str(pocket.default_directory(job.world, seed=job.seed)), "--seed", str(job.seed)]
        command += ["--output", str(output)] + (["--resume"] if (output / "last.pt").exists() else [])
        one_thread = {**os.environ, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, env=one_thread, capture_output=True, text=True)
        if done.returncode in (130, -signal.SIGINT):
            raise KeyboardInterrupt
        if done.returncode:
            raise SystemExit(f"{job}: exit status {done.returncode}\n{done.stderr[-2000:]}")
    report: dict[str, Any] = json.loads(metrics.read_text())
    return report
