"""The scripts of the benchmarks as modules."""

import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"


def load(*names: str) -> dict[str, ModuleType]:
    """Import scripts as they import each other: their folder is where Python looks first."""
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        return {name.rpartition(".")[2]: import_module(name) for name in names}
    finally:
        sys.path.remove(str(ROOT / "benchmarks"))
