"""One run at a time in a folder."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from avground.errors import ConfigError

LOCK = ".lock"


@contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Keep a folder to this process; the system lets go of it when the process ends, however it ends.

    Where the system or the file system has no such locks, nothing is kept.

    Args:
        folder: The folder, which is made.

    Raises:
        ConfigError: if a process holds it that still runs; says which.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("a+") as file:
        _take(file.fileno(), folder)
        with suppress(OSError):  # Only for others to read.
            file.truncate(0)
            file.write(f"process {os.getpid()} on {socket.gethostname()}")
            file.flush()
        yield


def _take(descriptor: int, folder: Path) -> None:
    try:
        import fcntl
    except ImportError:  # Windows
        return
    try:
        # Unlike flock, this is not handed on to the processes that load data, which may outlive this one a little.
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError) as error:
        holder = (folder / LOCK).read_text() or "another process"
        raise ConfigError(
            f"output: expected a folder that no running training uses, got {folder}, which {holder} does"
        ) from error
    except OSError:  # A file system without locks.
        return
