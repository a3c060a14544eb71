"""How much memory is free."""

from contextlib import suppress
from pathlib import Path


def available_memory() -> int | None:
    """Bytes that this process can still take without swapping, or None where the system does not tell.

    On Linux the smaller of what the machine has and what a container leaves.
    """
    limits: list[int] = []
    with suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                limits.append(int(line.split()[1]) * 1024)
    with suppress(OSError, ValueError):
        group = Path("/sys/fs/cgroup")
        most = int((group / "memory.max").read_text(encoding="ascii"))
        limits.append(max(0, most - int((group / "memory.current").read_text(encoding="ascii"))))
    return min(limits, default=None)
