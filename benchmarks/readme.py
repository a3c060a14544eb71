"""Run the README's first command as written, keep what it measured, and put the result files' tables into the README.

python benchmarks/readme.py             # writes benchmarks/results/readme.json, then the tables
python benchmarks/readme.py --tables    # only the tables
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tracks import RESULTS, ROOT, environment

COMMAND = ["examples/train_music_avqa.py"]


def main() -> None:
    if "--tables" not in sys.argv[1:]:
        measure()
    readme = ROOT / "README.md"
    text = readme.read_text()
    for name, make in {"the first command": first_command, "the tracks": tracks}.items():
        begin, end = f"<!-- table of {name}: begin -->", f"<!-- table of {name}: end -->"
        before, rest = text.split(begin)
        text = f"{before}{begin}\n{make()}\n{end}{rest.split(end)[1]}"
    readme.write_text(text)


def measure() -> None:
    """Run the command, into a folder of its own, and write readme.json."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.monotonic()
        subprocess.run([sys.executable, *COMMAND, "--output", folder], cwd=ROOT, check=True)
        seconds = time.monotonic() - started
        report = json.loads((Path(folder) / "metrics.json").read_text())
    result = {
        "command": "python " + " ".join(COMMAND),
        **environment(),
        "wall_seconds": round(seconds, 1),
        **{key: report[key] for key in ("model", "parameters", "seed", "test")},
    }
    (RESULTS / "readme.json").write_text(json.dumps(result, indent=1) + "\n")


def first_command() -> str:
    """Accuracy by question type."""
    test = _read("readme")["test"]
    lines = ["| question type | questions | prior, % | TJSTG, % |", "|---|---:|---:|---:|"]
    for row, accuracy in test["accuracy"].items():
        name = row.replace("/", ", ") if "/" in row else "**All**" if row == "All" else f"**{row} Avg.**"
        numbers = f"{test['count'][row]:,} | {100 * test['prior'][row]:.1f} | {100 * accuracy:.1f}"
        lines.append(f"| {name} | {numbers} |")
    return "\n".join(lines)


def tracks() -> str:
    """Every model on every track that was measured."""
    lines = [
        "| track | model | accuracy, % | pointing, % | flat map | largest weight | audio shuffled | visual shuffled |"
    ]
    lines += ["|---|---|---:|---:|---:|---:|---:|---:|"]
    for track in ("core", "target", "sync"):
        result = _read(f"pocket-{track}")
        for name, measured in result["models"].items():
            where = [_spread(measured[key]) for key in ("accuracy", "pointing", "pointing_by_chance")]
            without = [_spread(measured[key]) for key in ("audio_shuffled", "visual_shuffled")]
            cells = [*where, f"{measured['peak_over_uniform']['mean']:.1f} x", *without]
            lines.append(f"| {track} | `{name}` | " + " | ".join(cells) + " |")
        prior = _spread(next(iter(result["models"].values()))["prior"])
        lines.append(f"| {track} | prior | {prior} | | | | | |")
    return "\n".join(lines)


def _spread(summary: dict[str, Any]) -> str:
    return f"{100 * summary['mean']:.1f} ± {100 * summary['deviation']:.1f}"


def _read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text())
    return found


if __name__ == "__main__":
    main()
