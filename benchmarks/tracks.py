"""Models on the tracks of Pocket, several seeds each, through the training command that users run.

    python benchmarks/tracks.py --track target --seeds 3
    python benchmarks/tracks.py --track core --models tjstg,avst --seeds 3 --jobs 2

A seed decides everything at once: the world's scenes and codes, the model's weights, the order of the questions. Runs
that are done are not repeated, so an interrupted benchmark goes on where it stopped. Writes
benchmarks/results/pocket-<track>.json.
"""

import argparse
import datetime
import itertools
import json
import math
import os
import platform
import statistics
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch

import avground
from avground.data import pocket

#: The models compared, by the options that they are trained with. The matching loss, with stage I, is part of TJSTG and
#: no part of tjstg_sharp: each is shown the other way round too.
VARIANTS = {
    "tjstg": ["--model", "tjstg"],
    "tjstg-unmatched": ["--model", "tjstg", "--matching", "0"],
    "tjstg-unsynchronised": ["--model", "tjstg", "--synchrony", "0"],
    "tjstg_sharp": ["--model", "tjstg_sharp"],
    "tjstg_sharp-matched": ["--model", "tjstg_sharp", "--matching", "0.5"],
    "avst": ["--model", "avst"],
}

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"

# Two-sided 95 % points of Student's t for 1, 2, ... degrees of freedom.
_T95 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--track", choices=pocket.PRESETS, default="target")
    parser.add_argument("--models", default=",".join(VARIANTS), help=f"some of {', '.join(VARIANTS)}")
    parser.add_argument("--seeds", type=int, default=3, help="seeds 0, 1, ... of world and model")
    parser.add_argument("--jobs", type=int, default=2, help="runs at once, one thread each")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / "tracks", help="folder for the runs")
    options = parser.parse_args()
    names = options.models.split(",")
    seeds = range(options.seeds)
    for seed in seeds:
        pocket.generate(pocket.default_directory(options.track, seed=seed), options.track, seed=seed)
    jobs = [(name, seed) for seed in seeds for name in names]
    with ThreadPoolExecutor(options.jobs) as pool:
        reports = dict(zip(jobs, pool.map(lambda job: run(options.track, *job, options.runs), jobs), strict=True))
    write(options.track, names, list(seeds), options.jobs, reports)


def run(track: str, model: str, seed: int, runs: Path) -> dict[str, Any]:
    """Train and test one model on one seed, unless that is done already, and return its metrics."""
    output = runs / f"{model}-{track}-{seed}"
    metrics = output / "metrics.json"
    if not metrics.exists():
        command = [
            sys.executable,
            str(ROOT / "examples" / "train_music_avqa.py"),
            *VARIANTS[model],
            "--seed",
            str(seed),
        ]
        command += ["--data", str(pocket.default_directory(track, seed=seed)), "--output", str(output)]
        command += ["--resume"] if (output / "last.pt").exists() else []
        print(" ".join(command[1:]), flush=True)
        done = subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{model}, seed {seed}: exit status {done.returncode}\n{done.stderr[-2000:]}")
    report: dict[str, Any] = json.loads(metrics.read_text())
    print(f"{model}, seed {seed}: {100 * report['test']['accuracy']['All']:.2f}", flush=True)
    return report


def write(track: str, names: list[str], seeds: list[int], jobs: int, reports: dict[tuple[str, int], Any]) -> None:
    """Write the result file, and print it as a table."""
    values = {name: {key: [] for key in MEASURES} for name in names}
    for (name, _), report in reports.items():
        for key, read in MEASURES.items():
            values[name][key].append(read(report["test"]))
    first = reports[names[0], seeds[0]]
    settings = ("stage_one_epochs", "epochs", "batch_size", "learning_rate", "objective")
    result = {
        "script": f"benchmarks/tracks.py --track {track} --models {','.join(names)} --seeds {len(seeds)} --jobs {jobs}",
        **environment(),
        "runs_at_once": jobs,
        "threads_a_run": 1,
        "world": {"name": track, **pocket.read_record(first["data"]["folder"])["knobs"]},
        "questions": first["test"]["count"]["All"],
        "seeds": seeds,
        "models": {
            name: {
                "options": VARIANTS[name],
                "schedule": {setting: reports[name, seeds[0]]["run"][setting] for setting in settings},
                "parameters": reports[name, seeds[0]]["parameters"],
                **{key: summary(values[name][key]) for key in MEASURES},
                "seconds": summary([reports[name, seed]["seconds"] for seed in seeds]),
                "accuracy_by_type": [reports[name, seed]["test"]["accuracy"] for seed in seeds],
            }
            for name in names
        },
        "differences": {
            f"{a} - {b}": summary([x - y for x, y in zip(values[a]["accuracy"], values[b]["accuracy"], strict=True)])
            for a, b in itertools.combinations(names, 2)
        },
    }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"pocket-{track}.json"
    path.write_text(json.dumps(result, indent=1) + "\n")
    print("\n" + table(result) + f"\n\n{path}")


#: What is reported of each run: shares from 0 to 1, and how many times uniform the largest weight is.
MEASURES = {
    "accuracy": lambda test: test["accuracy"]["All"],
    "prior": lambda test: test["prior"]["All"],
    "pointing": lambda test: test["grounding"]["pointing"]["accuracy"],
    "pointing_by_chance": lambda test: test["grounding"]["pointing"]["chance"],
    "peak_over_uniform": lambda test: test["grounding"]["pointing"]["peak_over_uniform"],
    "overlap": lambda test: test["grounding"]["temporal_overlap"]["mean"],
    "overlap_uniform": lambda test: test["grounding"]["temporal_overlap"]["uniform"],
    "audio_shuffled": lambda test: test["shuffled"]["audio"]["All"],
    "visual_shuffled": lambda test: test["shuffled"]["visual"]["All"],
}


def summary(values: list[float]) -> dict[str, Any]:
    """Mean, standard deviation and 95 % interval of the mean over seeds (Student's t), and the values."""
    mean = statistics.fmean(values)
    if len(values) == 1:
        return {"mean": mean, "values": values}
    deviation = statistics.stdev(values)
    half = _T95[min(len(values) - 2, len(_T95) - 1)] * deviation / math.sqrt(len(values))
    return {"mean": mean, "deviation": deviation, "interval": [mean - half, mean + half], "values": values}


def table(result: dict[str, Any]) -> str:
    """A result file as text: means and standard deviations over seeds, in percent."""
    shown = [key for key in MEASURES if key != "peak_over_uniform"]
    lines = [" | ".join(["model", *(key.replace("_", " ") for key in shown), "peak"])]
    for name, measured in result["models"].items():
        cells = [f"{100 * measured[k]['mean']:.1f} ± {100 * measured[k].get('deviation', 0):.1f}" for k in shown]
        lines.append(" | ".join([name, *cells, f"{measured['peak_over_uniform']['mean']:.1f} x"]))
    for name, measured in result["differences"].items():
        low, high = measured.get("interval", (math.nan, math.nan))
        lines.append(
            f"{name}: {100 * measured['mean']:+.1f} points, 95 % interval {100 * low:+.1f} to {100 * high:+.1f}"
        )
    return "\n".join(lines)


def environment() -> dict[str, Any]:
    """When, on what machine and with what versions something was measured."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return {
        "date": datetime.date.today().isoformat(),
        "machine": {"processor": names[0] if names else platform.machine(), "cores": os.cpu_count()},
        "versions": {"avground": avground.__version__, "python": platform.python_version(), "torch": torch.__version__},
    }


if __name__ == "__main__":
    main()
