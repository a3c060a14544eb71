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

from common import ROOT, environment, fill, read_result, write_result

COMMAND = ["examples/train_music_avqa.py"]


def main() -> None:
    if "--tables" not in sys.argv[1:]:
        measure()
    readme = ROOT / "README.md"
    readme.write_text(tables(readme.read_text()))


def tables(text: str) -> str:
    """The README with its tables as the result files have them."""
    return fill(text, {"the first command": first_command(), "the tracks": tracks()})


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
    write_result("readme", result)


def first_command() -> str:
    """Accuracy by question type."""
    test = read_result("readme")["test"]
    lines = ["| question type | questions | prior, % | TJSTG, % |", "|---|---:|---:|---:|"]
    for row, accuracy in test["accuracy"].items():
        name = row.replace("/", ", ") if "/" in row else "**All**" if row == "All" else f"**{row} Avg.**"
        numbers = f"{test['count'][row]:,} | {100 * test['prior'][row]:.1f} | {100 * accuracy:.1f}"
        lines.append(f"| {name} | {numbers} |")
    return "\n".join(lines)


def tracks() -> str:
    """Models on the tracks of Pocket."""
    lines = [
        "| track | model | accuracy, % | pointing, % | flat map | largest weight | audio shuffled | visual shuffled |"
    ]
    lines += ["|---|---|---:|---:|---:|---:|---:|---:|"]
    for table, track in (("1", "core"), ("1", "target"), ("2", "sync")):
        result = read_result(f"table-{table}-{track}")
        for name, measured in result["rows"].items():
            where = [_spread(measured[key]) for key in ("accuracy", "pointing", "pointing_by_chance")]
            without = [_spread(measured[key]) for key in ("audio_shuffled", "visual_shuffled")]
            cells = [*where, f"{measured['peak_over_uniform']['mean']:.1f} x", *without]
            lines.append(f"| {track} | `{name}` | " + " | ".join(cells) + " |")
        lines.append(f"| {track} | prior | {_spread(result['prior'])} | | | | | |")
    return "\n".join(lines)


def _spread(summary: dict[str, Any]) -> str:
    return f"{100 * summary['mean']:.1f} ± {100 * summary['deviation']:.1f}"


if __name__ == "__main__":
    main()
