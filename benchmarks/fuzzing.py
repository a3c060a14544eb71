"""Bad files by the thousand: does all that reads them end in a documented error, soon, and in little memory?

    python benchmarks/fuzzing.py                         2,000 bad files of each kind
    python benchmarks/fuzzing.py --mutations 100 --target checkpoint
    python benchmarks/fuzzing.py --guided 60             and 60 s of each guided by coverage (needs atheris)

Each kind is read in a process of its own, whose memory is limited and in which nothing may be started or fetched.
"""

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

ROOT = Path(__file__).resolve().parent.parent

MEMORY = 4 * 2**30
"""Bytes of address space that a process may take beyond what it has once everything is imported."""

SECONDS_EACH = 20.0
"""Until a file counts as one that hangs."""

_FORBIDDEN = (
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.fork",
    "subprocess.Popen",
    "socket.connect",
    "pickle.find_class",
)


def run(mutations: int = 2000, seed: int = 0, targets: Sequence[str] = (), guided: float = 0.0) -> dict[str, Any]:
    """Read bad files.

    Args:
        mutations: How many of each kind.
        seed: Another seed makes other files.
        targets: Names of kinds; none for all.
        guided: Seconds for each kind in which atheris makes more files, guided by the code that they reach.

    Returns:
        For each kind ``tried``, ``accepted``, ``refused`` (by kind of error), ``undocumented`` (errors that must not
        be, each once, with the file in hexadecimal), ``slowest_ms`` and ``memory_mb``, the growth of the peak; and
        under ``undocumented`` their number in all.
    """
    found: dict[str, Any] = {"mutations": mutations, "seed": seed, "targets": {}}
    for name in targets or _names():
        command = [sys.executable, __file__, "--in-process", name, str(mutations), str(seed)]
        found["targets"][name] = entry = _child(command, 60 + mutations * 0.5)
        if guided:
            entry["guided"] = _child([*command[:2], "--guided-in-process", name, str(guided)], guided + 120)
    entries = [part for entry in found["targets"].values() for part in (entry, entry.get("guided", {}))]
    found["undocumented"] = sum(len(entry.get("undocumented", ())) for entry in entries)
    return found


def _names() -> list[str]:
    sys.path.insert(0, str(ROOT))
    from tests.fuzz.targets import TARGETS

    return list(TARGETS)


def _child(command: list[str], limit: float) -> dict[str, Any]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": f"{ROOT}:{ROOT / 'benchmarks'}"}
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=limit)
    except subprocess.TimeoutExpired:
        return {"undocumented": [f"did not end within {limit:.0f} s"]}
    try:
        entry: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    except (ValueError, IndexError):
        return {"undocumented": [f"ended with status {done.returncode}: {done.stderr[-1000:]}"]}
    return entry


class Hang(BaseException):
    """A file takes too long: no error that anything could catch."""


class Tally:
    """What became of the files of a kind."""

    def __init__(self, name: str) -> None:
        from tests.fuzz.targets import DOCUMENTED, TARGETS

        self.target, self.documented = TARGETS[name], DOCUMENTED
        self.tried = self.accepted = 0
        self.refused: Counter[str] = Counter()
        self.undocumented: dict[tuple[Any, ...], str] = {}
        self.slowest = 0.0
        self.longest = 0
        self._forbidden: list[str] = []
        warnings.simplefilter("error")
        with tempfile.TemporaryDirectory() as folder:
            for content in self.target.seeds:
                try:
                    self.target.read(content, Path(folder))
                except self.documented:
                    continue
        self._before = _peak()
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
        sys.addaudithook(self._audit)
        signal.signal(signal.SIGALRM, _give_up)

    def _audit(self, event: str, _: tuple[Any, ...]) -> None:
        if event in _FORBIDDEN:
            self._forbidden.append(event)

    def read(self, content: bytes) -> None:
        """Read a file, and note how that ended."""
        self.tried += 1
        started = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            signal.setitimer(signal.ITIMER_REAL, SECONDS_EACH)
            try:
                self.target.read(content, Path(folder))
                self.accepted += 1
            except self.documented as error:
                self.refused[type(error).__name__] += 1
                self.longest = max(self.longest, len(str(error)))
            except BaseException as error:
                self._note(error, content)
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
        self.slowest = max(self.slowest, time.perf_counter() - started)
        if self._forbidden:
            self._note(RuntimeError(f"something was called: {self._forbidden.pop()}"), content)

    def _note(self, error: BaseException, content: bytes) -> None:
        places = traceback.extract_tb(error.__traceback__)
        place = (type(error).__name__, *(f"{step.filename}:{step.lineno}" for step in places[-1:]))
        own = next((f"{step.filename}:{step.lineno}" for step in reversed(places) if "avground/" in step.filename), "")
        if len(self.undocumented) < 50:
            self.undocumented.setdefault(
                place, f"{' '.join(place)} ({own}) {str(error)[:200]} | {content.hex()[:4000]}"
            )

    def entry(self) -> dict[str, Any]:
        """All of it as plain values."""
        return {
            "tried": self.tried,
            "accepted": self.accepted,
            "refused": dict(self.refused),
            "undocumented": list(self.undocumented.values()),
            "slowest_ms": round(1000 * self.slowest, 1),
            "longest_message": self.longest,
            "memory_mb": round((_peak() - self._before) / 2**20, 1),
        }


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _give_up(*_: object) -> None:
    raise Hang(f"not done after {SECONDS_EACH:g} s")


def _in_process(name: str, mutations: int, seed: int) -> None:
    tally, random = Tally(name), Random(seed)
    for _ in range(mutations):
        tally.read(tally.target.bad(random))
    print(json.dumps(tally.entry()))


def _guided(name: str, seconds: float) -> None:
    """Atheris makes the files: from the good ones, and from those that reached new code.

    Each file is tried as it is, and as the seed of a change that means something, which atheris cannot know.
    """
    import atheris

    with atheris.instrument_imports(include=["avground"], enable_loader_override=False):
        import tests.fuzz.targets  # noqa: F401
    tally = Tally(name)
    ends = time.monotonic() + seconds

    def test(content: bytes) -> None:
        if time.monotonic() > ends:
            print(json.dumps(tally.entry()), flush=True)
            os._exit(0)
        tally.read(content)

    with tempfile.TemporaryDirectory() as corpus:
        for number, content in enumerate(tally.target.seeds):
            (Path(corpus) / str(number)).write_bytes(content)
        atheris.Setup([sys.argv[0], "-rss_limit_mb=0", "-timeout=0", "-max_len=200000", "-verbosity=0", corpus], test)
        atheris.Fuzz()


def main() -> None:
    """Print what became of the files, and end with status 1 if any error was not a documented one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mutations", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--target", action="append", default=[])
    parser.add_argument("--guided", type=float, default=0.0, metavar="SECONDS")
    options = parser.parse_args()
    found = run(options.mutations, options.seed, options.target, options.guided)
    print(json.dumps(found, indent=1))
    sys.exit(bool(found["undocumented"]))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--in-process"]:
        _in_process(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    elif sys.argv[1:2] == ["--guided-in-process"]:
        _guided(sys.argv[2], float(sys.argv[3]))
    else:
        main()
