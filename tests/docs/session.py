"""Runs the blocks of a page in a folder of its own, as a reader would in one terminal and one Python session."""

import difflib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from tests.docs.blocks import Block, PageError, matches

ROOT = Path(__file__).parents[2]
SECONDS = 300
"""What a block may take. It ends a block that hangs, and says nothing about how fast one is."""

_BASH = """\
set -euo pipefail
trap 'echo "$((LINENO - 4))" > "$BLOCK_STATE/line"' ERR
trap 'env -0 > "$BLOCK_STATE/environment"' EXIT
# The block follows.
"""


class Session:
    """The terminal and the Python session of a reader.

    They stand in a folder that holds ``examples``, as a clone does, with an empty cache and the programs of this
    environment. What a block exports, and where it goes with ``cd``, the next ones see. Python starts when first
    needed, and keeps its names. A warning is an error.

    Args:
        folder: An empty folder.
    """

    def __init__(self, folder: Path) -> None:
        self.state = folder / "state"
        self.folder = folder / "work"
        for made in (self.state, self.folder):
            made.mkdir(parents=True)
        shutil.copytree(ROOT / "examples", self.folder / "examples", ignore=shutil.ignore_patterns("__pycache__"))
        programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        of_tests = ("PYTEST_", "COV_", "TRITON_")
        of_servers = ("CI", "BUILD_NUMBER")  # They make pytest tell more than it tells readers.
        self.environment = {
            **{
                name: value
                for name, value in os.environ.items()
                if not name.startswith(of_tests) and name not in of_servers
            },
            "AVGROUND_CACHE": str(folder / "cache"),
            "BLOCK_STATE": str(self.state),
            "MPLBACKEND": "agg",
            "MPLCONFIGDIR": str(folder / "matplotlib"),
            "OMP_NUM_THREADS": "1",
            "OMP_WAIT_POLICY": "PASSIVE",
            "PATH": programs,
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
            "PYTHONWARNINGS": "error",
            "PWD": str(self.folder),
        }
        self._python: subprocess.Popen[str] | None = None

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_: object) -> None:
        if self._python is not None:
            with self._python:  # closes its input, which ends it, and waits
                pass

    def run(self, block: Block) -> None:
        """Do what a block says, and compare what it prints with what the page shows.

        Raises:
            PageError: names file and line, and shows what was printed.
        """
        if block.file:
            path = Path(self.environment["PWD"]) / block.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding="utf-8")
            return
        printed = self._run_python(block) if block.language == "python" else self._run_bash(block)
        if block.shown is not None and not matches(block.shown, printed):
            shown = f"{block.page}:{block.shown_line}"
            lines = difflib.unified_diff(block.shown.splitlines(), printed.splitlines(), shown, "printed", lineterm="")
            raise PageError(f"{shown}: not what the block of line {block.line} prints:\n" + "\n".join(lines))

    def _run_bash(self, block: Block) -> str:
        script = self.state / "block.sh"
        script.write_text(_BASH + block.text, encoding="utf-8")
        (self.state / "line").unlink(missing_ok=True)
        started = subprocess.Popen(
            ["bash", str(script)],
            cwd=self.environment["PWD"],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
        try:
            printed, _ = started.communicate(timeout=SECONDS)  # until all that it started are done, too
        except subprocess.TimeoutExpired:
            os.killpg(started.pid, signal.SIGKILL)
            printed, _ = started.communicate()
            raise PageError(f"{block.where}: still runs after {SECONDS} s; ended. It printed:\n{printed}") from None
        if started.returncode != block.status:
            said = self.state / "line"
            line = block.line - 1 + int(said.read_text()) if said.exists() else block.line
            raise PageError(
                f"{block.page}:{line}: expected exit status {block.status}, got {started.returncode}. "
                f"It printed:\n{printed}"
            )
        entries = (self.state / "environment").read_bytes().decode().split("\0")
        self.environment = dict(entry.split("=", 1) for entry in entries if entry)
        return str(printed)

    def _run_python(self, block: Block) -> str:
        if self._python is None:
            self._python = subprocess.Popen(
                [sys.executable, str(Path(__file__).with_name("interpreter.py"))],
                cwd=self.environment["PWD"],
                env=self.environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                encoding="utf-8",
                start_new_session=True,
            )
        print(json.dumps({"page": block.page, "line": block.line, "text": block.text}), file=self._python.stdin)
        self._python.stdin.flush()
        ready, _, _ = select.select([self._python.stdout], [], [], SECONDS)
        reply = self._python.stdout.readline() if ready else ""
        if not reply:
            self._python.kill()
            raise PageError(f"{block.where}: Python {'ended' if ready else f'still runs after {SECONDS} s'}")
        result = json.loads(reply)
        if result["error"]:
            raise PageError(f"{block.where}: {result['error']}\nIt printed:\n{result['printed']}")
        return str(result["printed"])
