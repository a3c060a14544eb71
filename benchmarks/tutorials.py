"""How long a newcomer waits: for pip, and for what the start page and the tutorials run.

    python benchmarks/tutorials.py [--skip-install]

Installs a copy of the repository into a fresh environment as docs/start.md says, and runs all blocks of each page once.
Writes benchmarks/results/tutorials.json and the table in docs/start.md. Run it on an idle machine.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from common import ROOT, environment, fill, read_result, write_result

sys.path.insert(0, str(ROOT))

from tests.docs.blocks import tutorial_blocks
from tests.docs.session import Session

PAGES = (ROOT / "docs" / "start.md", *sorted((ROOT / "docs" / "tutorials").glob("*.md")))
EXTRAS = ".[train,media]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--skip-install", action="store_true", help="keep the time of pip that was measured before")
    options = parser.parse_args()
    result: dict[str, Any] = {"command": "python benchmarks/tutorials.py", **environment()}
    result["install"] = read_result("tutorials")["install"] if options.skip_install else install()
    result["pages"] = {page.stem: run(page) for page in PAGES}
    page = ROOT / "docs" / "start.md"
    page.write_text(fill(page.read_text(), {"the tutorials": table(result)}))
    print(write_result("tutorials", result))


def install() -> float:
    """Seconds that the commands under "Install" take, packages fetched anew."""
    with tempfile.TemporaryDirectory() as folder:
        copy, venv = Path(folder) / "clone", Path(folder) / "venv"
        subprocess.run(["git", "clone", "-q", ROOT, copy], check=True)
        started = time.monotonic()
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        subprocess.run([venv / "bin" / "pip", "install", "-q", "--no-cache-dir", "-e", EXTRAS], cwd=copy, check=True)
        return round(time.monotonic() - started, 1)


def run(page: Path) -> float:
    """Seconds that all blocks of a page take."""
    with tempfile.TemporaryDirectory() as folder, Session(Path(folder)) as session:
        blocks = tutorial_blocks(page, ROOT)
        started = time.monotonic()
        for block in blocks:
            session.run(block)
        return round(time.monotonic() - started, 1)


def table(result: dict[str, Any]) -> str:
    """The times, for docs/start.md."""
    lines = ["| | seconds |", "|---|---:|", f'| the two commands under "Install" | {result["install"]:.0f} |']
    pages = result["pages"]
    lines.append(f"| everything else on this page | {pages['start']:.0f} |")
    lines += [
        f"| [{name.replace('_', ' ')}](tutorials/{name}.md) | {seconds:.0f} |"
        for name, seconds in pages.items()
        if name != "start"
    ]
    cores = result["machine"]["cores"]
    source = "[tutorials.json](../benchmarks/results/tutorials.json)"
    return "\n".join([*lines, "", f"Once each, on {cores} cores ({source}); pip depends on the network."])


if __name__ == "__main__":
    main()
