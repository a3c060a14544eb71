"""Reading files that strangers made: no read waits or grows without bound, and only plain values come out."""

import json
import math
import os
import stat
from collections.abc import Sequence
from typing import Any, BinaryIO

import torch
from torch import Tensor

from avground.errors import DataError, brief

_MOST_BYTES = 2**29
_MOST_VALUES = 2_000_000
_DEEPEST = 20
_CHARACTERS = 100  # Of a string, that count as one value.


def open_regular(path: str | os.PathLike[str], what: str) -> BinaryIO:
    """Open a file for reading; unlike :func:`open` it never waits, as it would for a pipe that nobody writes to.

    Args:
        path: The file.
        what: What it should be, for errors, such as ``"a checkpoint"``.

    Raises:
        DataError: if there is no such file, it is no regular file (a folder, a pipe, a device), or the system does not
            let it be read.
    """
    try:
        # A pipe is opened at once with O_NONBLOCK, and Windows has no such pipes.
        flags = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
        descriptor = os.open(path, os.O_RDONLY | flags)
    except FileNotFoundError as error:
        raise DataError(f"{path}: expected {what}, got no such file") from error
    except (OSError, ValueError) as error:  # A name with a NUL is a ValueError.
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{_shown(path)}: expected {what}, got {reason}") from error
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        raise DataError(f"{path}: expected {what}, got {'a folder' if stat.S_ISDIR(mode) else 'no regular file'}")
    return os.fdopen(descriptor, "rb")


def read_json(path: str | os.PathLike[str], what: str, *, most: int = _MOST_BYTES) -> Any:
    """Read a JSON file in UTF-8, with or without a byte order mark.

    Args:
        path: The file.
        what: What it should be, for errors, such as ``"a manifest"``.
        most: Bytes it may have, as JSON in memory takes many times its size.

    Raises:
        DataError: as :func:`open_regular`, and if it is larger, does not parse, or gives a key of an object twice.
    """
    with open_regular(path, what) as file:
        if os.fstat(file.fileno()).st_size > most:
            raise DataError(f"{path}: expected {what} of at most {most:,} bytes, got a larger file")
        content = file.read()
    return parse_json(content, f"{path}: expected {what}")


def parse_json(content: str | bytes, expected: str) -> Any:
    """What JSON says.

    Args:
        content: The text, or its bytes in UTF-8.
        expected: What an error message begins with, such as ``"manifest.json: expected a manifest"``.

    Raises:
        DataError: if it does not parse, or gives a key of an object twice.
    """
    try:
        text = content if isinstance(content, str) else content.decode("utf-8-sig")
        return json.loads(text, object_pairs_hook=_object)
    except (ValueError, RecursionError, MemoryError) as error:
        raise DataError(f"{expected}, got a text that does not parse as JSON: {_cut(error)}") from error


def is_finite(values: Tensor) -> bool:
    """Whether there is neither a NaN nor an infinity among values.

    A sum, which is such a number then, takes a fraction of the time of a look at each value.
    """
    return math.isfinite(values.sum(dtype=torch.float32).item()) or bool(torch.isfinite(values).all())


def check_plain(value: Any, where: str, *leaves: type) -> list[Any]:
    """Make sure that a value is made of dictionaries, lists, tuples, strings, numbers, booleans and None, and not huge.

    A value that appears in two places counts twice: written out, a few lists within lists can be larger than any disk.

    Args:
        value: What came from a file.
        where: What to call it in errors.
        *leaves: Other types that may be in it.

    Returns:
        All that is of these types, as often as it appears.

    Raises:
        DataError: names what is too much.
    """
    found: list[Any] = []
    left: list[tuple[Any, int]] = [(value, 0)]
    count = 0
    while left:
        item, depth = left.pop()
        if isinstance(item, dict):
            _check_keys(item, where)
            count += len(item)
            inner: Sequence[Any] = list(item.values())
        elif isinstance(item, list | tuple):
            inner = item
        elif isinstance(item, leaves):
            found.append(item)
            continue
        else:
            _check_scalar(item, where)
            count += len(item) // _CHARACTERS if isinstance(item, str) else 0
            inner = ()
        count += len(inner)
        if count > _MOST_VALUES or depth > _DEEPEST:
            limits = f"at most {_MOST_VALUES:,} values, nested at most {_DEEPEST} deep"
            raise DataError(f"{where}: expected {limits}, got {'more' if depth <= _DEEPEST else 'deeper ones'}")
        left.extend((part, depth + 1) for part in inner)
    return found


def _check_keys(item: dict[Any, Any], where: str) -> None:
    for key in item:
        if not isinstance(key, str | int):
            raise DataError(f"{where}: expected strings or whole numbers as keys, got {brief(key)}")
        _check_scalar(key, where)


def _check_scalar(item: Any, where: str) -> None:
    if not (item is None or isinstance(item, str | int | float)):
        raise DataError(f"{where}: expected plain values, got something of type {type(item).__name__}")
    if isinstance(item, int) and not -(2**63) <= item < 2**63:
        raise DataError(f"{where}: expected whole numbers of 64 bits, got one of {item.bit_length()}")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {brief(key)} appears twice in an object")
        found[key] = value
    return found


def _cut(error: BaseException) -> str:
    text = str(error) or type(error).__name__
    return text if len(text) <= 200 else f"{text[:197]}..."


def _shown(path: str | os.PathLike[str]) -> str:
    return repr(os.fspath(path))[1:-1]
