"""The headers of feature files: read with care, and remembered between runs."""

import hashlib
import json
import math
import os
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from io import BytesIO
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import BinaryIO, Literal, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from avground.data.cache import cache_directory
from avground.errors import DataError, brief
from avground.reading import check_plain, open_regular, read_json

_T = TypeVar("_T")

_LONGEST_HEADER = 12 + 10_000
_MOST_DIMENSIONS = 8
_MOST_LENGTH = 2**48


class Header(NamedTuple):
    """What a ``.npy`` file says of itself.

    Attributes:
        shape: The array's shape; its first entry counts rows.
        dtype: NumPy's name of the type, such as ``<f4``.
    """

    shape: tuple[int, ...]
    dtype: str


def file_name(video_id: str) -> str:
    """The name of a video's feature file.

    Raises:
        DataError: if the id would name anything but a file directly inside the folder.
    """
    plain = isinstance(video_id, str) and video_id not in ("", ".", "..") and "\0" not in video_id
    if not plain or not PurePosixPath(video_id).name == PureWindowsPath(video_id).name == video_id:
        raise DataError(f"video id: expected a plain file name without a folder, got {brief(video_id)}")
    return f"{video_id}.npy"


def read_header(path: Path) -> Header:
    """Read what a ``.npy`` file holds without reading its values.

    Raises:
        DataError: if the file is missing, is no ``.npy`` file, holds anything but half, single or double precision
            floats, or is shorter than its header promises.
    """
    with _opened(path) as file:
        return _read_header(file, path.name)[0]


def map_array(path: Path) -> NDArray[np.floating]:
    """The values of a ``.npy`` file, mapped and not read.

    Raises:
        DataError: as :func:`read_header`, and if there is no value in it.
    """
    with _opened(path) as file:
        header, order, start = _read_header(file, path.name)
        if 0 in header.shape:
            raise DataError(f"{path.name}: expected values, got none in shape {header.shape}")
        mapped = np.memmap(file, header.dtype, "r", start, header.shape, order)
    return np.asarray(mapped)


def _opened(path: Path) -> BinaryIO:
    try:
        return open_regular(path, "a .npy file")
    except DataError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            raise DataError(f"{path.name} is missing") from error
        raise DataError(f"{path.name}: {str(error).partition(': ')[2]}") from error


def _read_header(file: BinaryIO, name: str) -> tuple[Header, Literal["C", "F"], int]:
    """What a file says of itself, the order of its values, and where they begin."""
    beginning = BytesIO(file.read(_LONGEST_HEADER))  # A longer header is none, and is not read.
    try:
        version = np.lib.format.read_magic(beginning)
        read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}.get(version)
        if read is None:
            raise ValueError(f"format version {version}")
        shape, fortran, dtype = read(beginning)
    except Exception as error:  # A damaged header makes NumPy's parser fail in many ways, tokenize.TokenError for one.
        raise DataError(f"{name}: expected a .npy file, got {type(error).__name__}: {str(error)[:200]}") from error
    start, size = beginning.tell(), os.fstat(file.fileno()).st_size
    if dtype.kind != "f" or dtype.itemsize not in (2, 4, 8):
        raise DataError(f"{name}: expected float16, float32 or float64, got {str(dtype)[:100]}")
    if any(length < 0 for length in shape):
        raise DataError(f"{name}: expected lengths of at least 0, got shape {brief(shape)}")
    promised = start + math.prod(shape) * dtype.itemsize
    if size < promised:
        raise DataError(
            f"{name}: expected {brief(promised)} bytes for shape {brief(shape)}, got {size}: the file is cut short"
        )
    if len(shape) > _MOST_DIMENSIONS or max(shape, default=0) > _MOST_LENGTH:
        raise DataError(f"{name}: expected lengths that an array can have, got shape {brief(shape)}")
    return Header(tuple(map(int, shape)), dtype.str), "F" if fortran else "C", start


def read_headers(directory: Path, names: Iterable[str], *, progress: bool) -> dict[str, Header | DataError]:
    """The header of each named file of a folder, or why it cannot be used.

    What was read is remembered in the user's cache folder (``AVGROUND_CACHE``, else ``XDG_CACHE_HOME/avground``, else
    ``~/.cache/avground``) and taken from there as long as a file keeps its size and its time of change. The folder of
    features itself is never written to.

    Args:
        directory: The folder.
        names: File names in it.
        progress: Whether to show a progress bar for the files that must be opened.
    """
    memory = _memory_path(directory)
    remembered = _recall(memory)
    found: dict[str, Header | DataError] = {}
    stamps: dict[str, tuple[int, int]] = {}
    for name in names:
        try:
            status = (directory / name).stat()
        except (OSError, ValueError) as error:
            reason = "is missing" if isinstance(error, FileNotFoundError) else f"cannot be read: {error}"
            found[name] = DataError(f"{name} {reason}")
            continue
        stamps[name] = (status.st_size, status.st_mtime_ns)
        if name in remembered and remembered[name][0] == stamps[name]:
            found[name] = remembered[name][1]
    unread = [name for name in stamps if name not in found]
    for name in show_progress(unread, f"checking {directory.name}", progress):
        try:
            header = read_header(directory / name)
            found[name], remembered[name] = header, (stamps[name], header)
        except DataError as error:
            found[name] = error
    if unread:
        _remember(memory, remembered)
    return found


def show_progress(items: list[_T], description: str, wanted: bool) -> Iterable[_T]:
    """The items, with a progress bar on a terminal when that takes longer than a second and tqdm is installed."""
    if not wanted:
        return items
    try:
        from tqdm import tqdm
    except ImportError:
        return items
    return tqdm(items, desc=description, unit="file", delay=1, disable=None)  # type: ignore[no-any-return]


def _memory_path(directory: Path) -> Path | None:
    """Where the headers of a folder are remembered; None without a home folder."""
    try:
        root = cache_directory()
        key = hashlib.sha256(os.fsencode(directory.resolve())).hexdigest()[:24]
    except (OSError, RuntimeError):
        return None
    return root / "headers" / f"{key}.json"


_Remembered = dict[str, tuple[tuple[int, int], Header]]


def _recall(memory: Path | None) -> _Remembered:
    """What was remembered; anything unreadable or malformed counts as nothing."""
    if memory is None:
        return {}
    try:
        remembered: _Remembered = {}
        for name, (size, changed, shape, dtype) in read_json(memory, "headers").items():
            header = Header(tuple(int(length) for length in shape), np.dtype(str(dtype)).str)
            check_plain([size, changed, header.shape], name)
            good = header.dtype[1:] in ("f2", "f4", "f8") and all(0 <= length <= size for length in header.shape)
            good = good and len(header.shape) <= _MOST_DIMENSIONS
            if not good or not name.endswith(".npy") or math.prod(header.shape) * int(header.dtype[2:]) > size:
                return {}
            remembered[name] = ((int(size), int(changed)), header)
        return remembered
    except Exception:  # NumPy's parser of types fails in many ways.
        return {}


def _remember(memory: Path | None, remembered: _Remembered) -> None:
    """Write what is known in one step, so that another process never reads half a file; failing is no error."""
    if memory is None:
        return
    entries = {name: [*stamp, header.shape, header.dtype] for name, (stamp, header) in remembered.items()}
    with suppress(OSError, ValueError):
        memory.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=memory.parent, prefix=memory.name)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(entries, file)
            os.replace(temporary, memory)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
