"""Run the README's first command as written, keep what it measured, and put its table into the README.

    python benchmarks/readme.py

Writes benchmarks/results/readme.json.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tracks import RESULTS, ROOT, environment

COMMAND = ["examples/train_music_avqa.py"]
BEGIN, END = "<!-- table of the first command: begin -->", "<!-- table of the first command: end -->"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        started = time.monotonic()
        subprocess.run([sys.executable, *COMMAND, "--output", folder], cwd=ROOT, check=True)
        seconds = time.monotonic() - started
        report = json.loads((Path(folder) / "metrics.json").read_text())
    test = report["test"]
    result = {
        "command": "python " + " ".join(COMMAND),
        **environment(),
        "wall_seconds": round(seconds, 1),
        "model": report["model"],
        "parameters": report["parameters"],
        "seed": report["seed"],
        "test": test,
    }
    (RESULTS / "readme.json").write_text(json.dumps(result, indent=1) + "\n")
    readme = ROOT / "README.md"
    before, rest = readme.read_text().split(BEGIN)
    after = rest.split(END)[1]
    readme.write_text(f"{before}{BEGIN}\n{table(test)}\n{END}{after}")


def table(test: dict) -> str:
    """The accuracies by question type, as a Markdown table."""
    lines = ["| question type | questions | prior, % | TJSTG, % |", "|---|---:|---:|---:|"]
    for row, accuracy in test["accuracy"].items():
        bold = "" if "/" in row else "**"
        name = row.replace("/", ", ") if "/" in row else row if row == "All" else f"{row} Avg."
        lines.append(
            f"| {bold}{name}{bold} | {test['count'][row]:,} | {100 * test['prior'][row]:.1f} | {100 * accuracy:.1f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
