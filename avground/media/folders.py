"""Folders of features that are being written: whole files only, and made in one way only."""

import errno
import hashlib
import itertools
import os
import platform
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from avground.data.files import atomic_file
from avground.data.headers import file_name, read_header
from avground.data.manifest import FILE, Manifest, dump_manifest, read_manifest
from avground.errors import DataError

_LEFTOVER = re.compile(r"\.avground-(?P<machine>[0-9a-f]{12})-(?P<process>\d{1,9})-\d+\.part")
_MACHINE = hashlib.sha256(platform.node().encode()).hexdigest()[:12]
_SURELY_DEAD = 24 * 3600.0  # Seconds; nothing here takes that long to write.
_numbers = itertools.count()


@dataclass(frozen=True)
class FeaturesOut:
    """A folder of one kind of feature.

    Attributes:
        folder: Where it is.
        manifest: What its features are made with; ``settings["dtype"]`` is their type.
    """

    folder: Path
    manifest: Manifest

    @property
    def dtype(self) -> str:
        """The name of the values' type."""
        return str(self.manifest.settings["dtype"])

    def check(self) -> None:
        """Refuse a folder whose features were made in another way, or nobody knows how.

        Raises:
            DataError: names both ways.
        """
        there = read_manifest(self.folder)
        if there is None:
            stranger = next(self.folder.glob("*.npy"), None)
            if stranger is not None:
                raise DataError(
                    f"{self.folder}: expected a folder with a {FILE}, or without features, got {stranger.name} "
                    "and nothing that says how it was made: choose another output folder"
                )
        elif differences := there.differences(self.manifest):
            raise DataError(
                f"{self.folder}: its features were made with {differences} as asked for now: "
                "ask for the same, or choose another output folder"
            )

    def prepare(self) -> None:
        """Make the folder, remove what killed runs left, and write the manifest if there is none.

        Raises:
            DataError: if that is not possible, or another run that makes other features was quicker.
        """
        make_folder(self.folder)
        if not (self.folder / FILE).exists():
            _write_new(self.folder / FILE, dump_manifest(self.manifest).encode())
        self.check()

    def path(self, video: str) -> Path:
        """The file of a video's features."""
        return self.folder / file_name(video)

    def check_name(self, video: str) -> None:
        """Refuse an id that makes too long a name.

        Raises:
            DataError: names the file that cannot be.
        """
        path = self.path(video)
        try:
            path.lstat()
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                raise DataError(f"{path}: cannot be written: {error.strerror}") from error

    def has(self, video: str) -> bool:
        """Whether a video's features are there, whole and of the right size and type."""
        try:
            header = read_header(self.path(video))
        except DataError:
            return False
        return (
            header.shape[:1] > (0,)
            and header.shape[1:] == self.manifest.shape
            and header.dtype == np.dtype(self.dtype).str
        )

    def write(self, video: str, features: NDArray[np.floating]) -> None:
        """Write a video's features, all or nothing.

        Raises:
            DataError: if they cannot be written, as on a full disk.
        """
        write_file(self.path(video), features)


def make_folder(folder: Path) -> None:
    """Make a folder, and remove from it the unfinished files of processes that are no more.

    Raises:
        DataError: if that is not possible.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path in folder.glob(".avground-*.part"):
            if _is_abandoned(path):
                path.unlink(missing_ok=True)
    except OSError as error:
        raise DataError(f"{folder}: expected a folder to write to, got {type(error).__name__}: {error}") from error


def write_file(path: Path, content: bytes | NDArray[np.floating]) -> None:
    """Write a file under a hidden name, and give it its own once all of it is on the disk.

    Args:
        path: The file; one that is there is replaced.
        content: Bytes, or an array for a ``.npy`` file.

    Raises:
        DataError: if it cannot be written; nothing is left of it then.
    """
    try:
        with atomic_file(path, _unfinished(path)) as file:
            if isinstance(content, bytes):
                file.write(content)
            else:
                np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(content))
                file.write(content.data)
    except (OSError, MemoryError) as error:
        reason = str(error) or type(error).__name__
        raise DataError(
            f"{path}: cannot be written: {reason}. What is finished stays, and is not done again"
        ) from error


def _write_new(path: Path, content: bytes) -> None:
    """Write a file unless there is one; of several processes that try, one does."""
    whole = _unfinished(path)
    write_file(whole, content)
    try:
        # Unlike a rename, a link never replaces another process's file.
        os.link(whole, path)
    except FileExistsError:
        pass
    except OSError:  # A disk without links.
        write_file(path, content)
    finally:
        whole.unlink(missing_ok=True)


def _unfinished(path: Path) -> Path:
    """A hidden name beside a file's own, which tells whose it is."""
    return path.with_name(f".avground-{_MACHINE}-{os.getpid()}-{next(_numbers)}.part")


def finished(kinds: Mapping[str, FeaturesOut], video: str) -> bool:
    """Whether all features of a video are there."""
    return all(kind.has(video) for kind in kinds.values())


def _is_abandoned(path: Path) -> bool:
    """Whether an unfinished file's process is gone: known for this machine's, and told by the age for others'."""
    named = _LEFTOVER.fullmatch(path.name)
    if named is None:
        return False
    if named["machine"] == _MACHINE and not _is_alive(int(named["process"])):
        return True
    try:
        return time.time() - path.stat().st_mtime > _SURELY_DEAD
    except FileNotFoundError:  # Finished, or removed by another process, just now.
        return False


def _is_alive(process: int) -> bool:
    """Whether another process has this number."""
    if process == os.getpid():
        # On purpose: in containers a new process often has the number of the one that was killed, and this one has
        # nothing unfinished when it asks.
        return False
    if os.name != "posix":  # Elsewhere signal 0 is not a question.
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
