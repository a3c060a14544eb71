"""Whether the fast way to train learns what the plain one does: training curves of both over paired seeds, on Pocket.

    python benchmarks/curves.py [--seeds 3] [--world core] [--model tjstg] [--jobs 2]

Plain: single precision, features read from disk for every batch, step by step. Fast: features on the device, and
``bf16-mixed``; on a GPU also every step as one recorded graph. A third way, features on the device in single precision,
tells the two apart. Runs are those of the training command, and are kept and resumed under runs/curves.

Writes benchmarks/results/curves-<world>-<cpu|cuda>.json.
"""

import argparse
from pathlib import Path
from typing import Any

import torch
from common import ROOT, Job, environment, paired, run_jobs, summary, write_result

GRAPH = "on" if torch.cuda.is_available() else "off"
WAYS: dict[str, tuple[str, ...]] = {
    "plain": ("--precision", "32-true", "--features-on", "disk", "--graph", "off"),
    "device": ("--precision", "32-true", "--features-on", "device", "--graph", GRAPH),
    "fast": ("--precision", "bf16-mixed", "--features-on", "device", "--graph", GRAPH),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--world", default="core")
    parser.add_argument("--model", default="tjstg")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / "curves")
    options = parser.parse_args()
    jobs = [
        Job(f"{options.model}-{way}", ("--model", options.model, *settings), options.world, seed)
        for seed in range(options.seeds)
        for way, settings in WAYS.items()
    ]
    reports = run_jobs(jobs, options.runs, options.jobs)
    by_way = {way: [reports[job] for job in jobs if job.name.removeprefix(f"{options.model}-") == way] for way in WAYS}
    device = "cuda" if torch.cuda.is_available() else "cpu"
    result = {
        "command": f"python benchmarks/curves.py --seeds {options.seeds} --world {options.world} "
        f"--model {options.model} --jobs {options.jobs}",
        **environment(),
        "device": torch.cuda.get_device_name() if device == "cuda" else "cpu, one thread a run",
        "world": options.world,
        "model": options.model,
        "seeds": list(range(options.seeds)),
        "settings": {way: " ".join(settings) for way, settings in WAYS.items()},
        "ways": {way: measures(found) for way, found in by_way.items()},
        "against_plain": {way: differences(found, by_way["plain"]) for way, found in by_way.items() if way != "plain"},
    }
    path = write_result(f"curves-{options.world}-{device}", result)
    for way, found in result["against_plain"].items():
        low, high = (100 * edge for edge in found["accuracy"]["interval"])
        print(f"{way}: accuracy {100 * found['accuracy']['mean']:+.2f} points ({low:+.2f} to {high:+.2f})")
    print(path)


def curve(report: dict[str, Any]) -> list[float]:
    """The loss of every epoch of stage II."""
    return [entry["losses"]["total"] for entry in report["history"] if entry["stage"] == "stage II"]


def validation(report: dict[str, Any]) -> list[float]:
    """The accuracy on the validation questions after every epoch of stage II."""
    return [entry["validation"] for entry in report["history"] if entry["stage"] == "stage II"]


def measures(reports: list[dict[str, Any]]) -> dict[str, Any]:
    """Curves and test accuracy of every seed."""
    return {
        "accuracy": summary([report["test"]["accuracy"]["All"] for report in reports]),
        "seconds": [report["seconds"] for report in reports],
        "loss": [curve(report) for report in reports],
        "validation": [validation(report) for report in reports],
    }


def differences(reports: list[dict[str, Any]], plain: list[dict[str, Any]]) -> dict[str, Any]:
    """Seed by seed: in test accuracy, in the last loss, and the largest of any epoch; and between plain seeds."""
    curves, theirs = [curve(report) for report in reports], [curve(report) for report in plain]
    between = [max(values) - min(values) for values in zip(*theirs, strict=True)]
    apart = [
        max(abs(a - b) for a, b in zip(one, other, strict=True)) for one, other in zip(curves, theirs, strict=True)
    ]
    return {
        "accuracy": paired(
            [report["test"]["accuracy"]["All"] for report in reports],
            [report["test"]["accuracy"]["All"] for report in plain],
        ),
        "last_loss": paired([one[-1] for one in curves], [one[-1] for one in theirs]),
        "largest_in_any_epoch": apart,
        "largest_between_plain_seeds": max(between),
    }


if __name__ == "__main__":
    main()
