"""What avground runs on, for reports of faults: ``python -m avground.env [--json]``.

It needs nothing but what avground itself needs, and leaves out who uses the machine: home folder and user name become
``~``, and of the environment only what changes results or speed is shown.
"""

import argparse
import getpass
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

import avground
from avground.data.cache import cache_directory
from avground.data.memory import available_memory
from avground.ops.spatial_grounding.op import fused_runs_on

VARIABLES = (
    *("AVGROUND_CACHE", "XDG_CACHE_HOME", "CC", "CUDA_VISIBLE_DEVICES", "CUDA_LAUNCH_BLOCKING"),
    *("CUBLAS_WORKSPACE_CONFIG", "NVIDIA_TF32_OVERRIDE", "PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF"),
    *("TRITON_INTERPRET", "TRITON_CACHE_DIR", "MKL_NUM_THREADS", "HF_HUB_OFFLINE"),
    *("MASTER_ADDR", "MASTER_PORT", "RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE"),
    *("SLURM_NTASKS", "SLURM_NTASKS_PER_NODE", "SLURM_TASKS_PER_NODE", "SLURM_NNODES", "SLURM_JOB_NUM_NODES"),
    *("SLURM_PROCID", "SLURM_LOCALID", "SLURM_NODEID", "SLURM_CPUS_PER_TASK", "SLURM_GPUS_ON_NODE", "SLURM_JOB_NAME"),
)
"""Environment variables that are shown; SLURM's others hold user names and secrets."""

PREFIXES = ("OMP_", "KMP_", "GOMP_", "NCCL_", "GLOO_")
"""And all that begin so."""

MISSING = "not installed"

_SECONDS = 10


def describe() -> dict[str, Any]:
    """Everything, as plain values; what cannot be found out says why.

    Returns:
        ``versions``, ``packages`` (those of every extra), ``system``, ``gpus``, ``backends``, ``environment`` and
        ``avground`` (what it would do here), each a dict.
    """
    parts: dict[str, Callable[[], dict[str, Any]]] = {
        "versions": _versions,
        "packages": _packages,
        "system": _system,
        "gpus": _gpus,
        "backends": _backends,
        "environment": _environment,
        "avground": _avground,
    }
    found: dict[str, Any] = _private({name: _or_why(part) for name, part in parts.items()})
    return found


def processor() -> str:
    """The processor's name, or its architecture where the system does not tell."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _versions() -> dict[str, Any]:
    return {
        "avground": avground.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "cuda": torch.version.cuda or "none: torch is built for the CPU",
        "cudnn": _or_why(torch.backends.cudnn.version) or "none",
        "triton": _installed("triton", "pytorch-triton", "triton-windows"),
    }


def _packages() -> dict[str, Any]:
    """The version of every package that avground can use, with the extras it belongs to, from its own metadata."""
    try:
        requirements = metadata.requires("avground") or []
    except metadata.PackageNotFoundError:
        return {"avground": f"{MISSING}: it runs from a folder, which does not say what belongs to its extras"}
    extras: dict[str, list[str]] = {}
    for requirement in requirements:
        named, belongs = re.match(r"[\w.-]+", requirement), re.search(r"extra == ['\"]([\w-]+)['\"]", requirement)
        if named is not None and named[0] != "avground":
            extras.setdefault(named[0], []).extend([belongs[1]] if belongs else [])
    return {name: {"version": _installed(name), "extras": _own_extras(of)} for name, of in extras.items()}


def _own_extras(extras: Sequence[str]) -> list[str]:
    """Without those that only gather others, unless there is no other."""
    return [extra for extra in extras if extra not in ("all", "dev")] or sorted(set(extras) - {"all"})


def _installed(*names: str) -> str:
    """The version of the first of some packages that is there."""
    for name in names:
        with suppress(metadata.PackageNotFoundError):
            return metadata.version(name)
    return MISSING


def _system() -> dict[str, Any]:
    return {
        "platform": platform.platform(),
        "processor": processor(),
        "cores": os.cpu_count(),
        "cores for this process": _or_why(lambda: len(os.sched_getaffinity(0))),
        "threads of torch": torch.get_num_threads(),
        "memory": _or_why(lambda: _size(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))),
        "memory free": "unknown" if (free := available_memory()) is None else _size(free),
    }


def _gpus() -> dict[str, Any]:
    if not torch.cuda.is_available():
        return {"count": 0, "driver": _driver()}
    found: dict[str, Any] = {"count": torch.cuda.device_count(), "driver": _driver()}
    for number in range(torch.cuda.device_count()):
        device = torch.cuda.get_device_properties(number)
        found[str(number)] = f"{device.name}, {_size(device.total_memory)}, compute {device.major}.{device.minor}"
    return found


def _driver() -> str:
    """The version of NVIDIA's driver, which torch does not know."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return "unknown: no nvidia-smi"
    command = [program, "--query-gpu=driver_version", "--format=csv,noheader"]
    done = _or_why(lambda: subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=True).stdout)
    return ", ".join(sorted(set(str(done).split("\n")) - {""}))


def _backends() -> dict[str, Any]:
    here = torch.distributed.is_available()
    return {
        "gloo": here and torch.distributed.is_gloo_available(),
        "nccl": here and torch.distributed.is_nccl_available(),
        "nccl version": _or_why(_nccl) if here and torch.distributed.is_nccl_available() else "none",
        "c compiler": next((name for name in ("cc", "gcc", "clang") if shutil.which(name)), "none"),
    }


def _nccl() -> str:
    return ".".join(map(str, torch.cuda.nccl.version()))


def _environment() -> dict[str, Any]:
    return {name: os.environ[name] for name in sorted(os.environ) if name in VARIABLES or name.startswith(PREFIXES)}


def _avground() -> dict[str, Any]:
    return {
        **{f"impl='auto' on {kind}": _or_why(partial(_chosen, kind)) for kind in ("cpu", "cuda")},
        "cache": str(_or_why(cache_directory)),
        "cache writable": _or_why(_cache_writable),
    }


def _chosen(kind: str) -> str:
    """What ``impl="auto"`` of :func:`avground.ops.spatial_grounding` takes on a kind of device."""
    if kind == "cuda" and not torch.cuda.is_available():
        return "no such device"
    dtypes = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
    fused = [str(dtype).removeprefix("torch.") for dtype in dtypes if fused_runs_on(torch.device(kind), dtype)]
    if len(fused) == len(dtypes):
        return "fused"
    return f"fused for {', '.join(fused)}, else reference" if fused else "reference: no Triton or no C compiler"


def _cache_writable() -> bool:
    """Whether files can be made there, or where that folder would be made; nothing is left."""
    folder = cache_directory()
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _or_why(find: Callable[[], Any]) -> Any:
    """What a function finds, or in words why it cannot: a report of faults must not add one."""
    try:
        return find()
    except Exception as error:
        return f"unknown: {type(error).__name__}: {error}"


def _private(value: Any) -> Any:
    """The same with ``~`` for the home folder, and for the user's name wherever a path has it."""
    if isinstance(value, dict):
        return {key: _private(part) for key, part in value.items()}
    if not isinstance(value, str):
        return value
    with suppress(RuntimeError):
        if (home := str(Path.home())) != "/":
            value = re.sub(rf"(?<![\w.-]){re.escape(home)}(?![\w.-])", "~", value)
    with suppress(Exception):  # A user without an entry has no name; the kind of error depends on the version.
        value = re.sub(rf"(?<=[/\\]){re.escape(getpass.getuser())}(?![\w.-])", "~", value)
    return value


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB"


def _text(found: dict[str, Any]) -> str:
    lines = []
    for part, values in found.items():
        rows = values if isinstance(values, dict) else {"": values}
        lines += [part, *(f"  {name:<32}  {_line(value)}" for name, value in rows.items())]
    return "\n".join(lines)


def _line(value: Any) -> str:
    if isinstance(value, dict):
        return f"{value['version']}{''.join(f' [{extra}]' for extra in value['extras'])}"
    return str(value)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print it; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m avground.env", description=__doc__, allow_abbrev=False)
    parser.add_argument("--json", action="store_true", help="as JSON")
    found = describe()
    print(json.dumps(found, indent=2) if parser.parse_args(arguments).json else _text(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
