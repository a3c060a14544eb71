"""How fast avground is, and how much memory it takes, beside the published arithmetic and the compiler.

    python benchmarks/run.py                     all cases, on the GPU if there is one
    python benchmarks/run.py op model            some of them
    python benchmarks/run.py --quick             small sizes and few repeats, to see that all works; writes nothing

Each case first checks that all ways compute the same, then times them by turns. ``op``: spatial grounding alone, at the
published size and around it. ``model``: a training step. ``loader``: batches from files, stores and memory.
``schedule``: all epochs of a MUSIC-AVQA-size training run with evaluation, on synthetic features of the true shapes
(needs a GPU).

Writes benchmarks/results/speed-<case>-<cpu|cuda>.json; ``speed_tables.py`` makes the tables of docs/speed.md from them.
"""

import argparse
import subprocess
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from common import RESULTS, ROOT, environment, write_result
from speed.timing import FULL, QUICK

CASES = ("op", "model", "loader", "schedule")


def main(arguments: list[str] | None = None) -> dict[str, dict[str, Any]]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(CASES)} (default: all)")
    parser.add_argument("--quick", action="store_true", help="small sizes; writes nothing unless --output is given")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--output", type=Path, help="folder for the result files (default: benchmarks/results)")
    options = parser.parse_args(arguments)
    unknown = sorted(set(options.cases) - set(CASES))
    if unknown:
        parser.error(f"CASE: expected {', '.join(CASES)}, got {', '.join(unknown)}")
    device = torch.device(options.device)
    effort = QUICK if options.quick else FULL[device.type]
    found, failed = {}, []
    for name in options.cases or CASES:
        try:
            result = import_module(f"speed.{name}").run(device, effort)
        except SystemExit as error:  # Ways that disagree: the other cases are still worth something.
            print(f"{name}: {error}")
            failed.append(name)
            continue
        if "not_measured" in result:
            print(f"{name}: not measured: {result['not_measured']}")
            continue
        found[name] = {"command": f"python benchmarks/run.py {name} --device {device.type}", **about(device), **result}
        if options.output is not None or not options.quick:
            path = write_result(f"speed-{name}-{device.type}", found[name], options.output or RESULTS)
            print(f"{name}: {path}")
        else:
            print(f"{name}: works")
    if failed:
        raise SystemExit(f"not reported: {', '.join(failed)}")
    return found


def about(device: torch.device) -> dict[str, Any]:
    """Machine, versions, commit, and what decides the speed."""
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout.strip()
    changed = subprocess.run(["git", "status", "--porcelain", "avground"], cwd=ROOT, capture_output=True, text=True)
    found = {**environment(), "commit": commit + (" and changes" if changed.stdout else ""), "seed": 0}
    if device.type == "cpu":
        return {**found, "device": "cpu", "threads": torch.get_num_threads()}
    properties = torch.cuda.get_device_properties(device)
    found["versions"] |= {"cuda": torch.version.cuda, "cudnn": torch.backends.cudnn.version()}
    return {**found, "device": properties.name, "device_memory_bytes": properties.total_memory}


if __name__ == "__main__":
    main()
