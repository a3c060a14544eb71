"""What :func:`torch.save` wrote, read without :func:`torch.load`.

With ``weights_only=True`` that function runs nothing either, but it believes what a file says: thirty bytes can ask it
for gigabytes, and in torch 2.8 a tensor that claims more numbers than the file has is read from whatever lies behind
them in memory. Here nothing in the file can name a function to call, and every claim is held against the file.

Such a file is a zip file of uncompressed records (or, from before torch 1.6, a sequence of pickles and numbers): one
record is a pickle, a small program that builds the saved value, and the others are the numbers of tensors. The
program's few harmless steps are carried out one by one.
"""

import math
import os
import zipfile
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import IO, Any, BinaryIO

import numpy as np
import torch
from torch import Tensor

from avground.models.unpickle import Refused, Storage, load

_MOST_PICKLED = 2**25
"""Bytes of a pickle: far more than that of any model, and few enough to be worked off in seconds."""

_CHUNK = 2**20
_LOCAL_HEADER = 30  # Bytes in front of a record, at least.
_MAGIC, _PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
LEGACY = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
"""What files begin with that torch.save wrote before it wrote zip files: its magic number, pickled."""


class Damaged(ValueError):
    """A file that is not as :func:`torch.save` writes it."""


def read_saved(file: BinaryIO) -> Any:
    """Read a file that :func:`torch.save` wrote, on the CPU.

    Args:
        file: The file, open at its beginning.

    Returns:
        Tensors and plain values; dictionaries of any kind as plain ones, parameters, and the NumPy arrays
        that some published files hold, as tensors.

    Raises:
        Refused: if it holds anything else; names it.
        Damaged: if it is cut short or damaged; the checksums of all records are compared.
        Exception: any other that Python's readers of zip files and pickles raise for one that is.
    """
    size = os.fstat(file.fileno()).st_size
    legacy = file.read(len(LEGACY)) == LEGACY
    file.seek(0)
    return _read_legacy(file, size) if legacy else _read_zip(file, size)


def _read_zip(file: BinaryIO, size: int) -> Any:
    with zipfile.ZipFile(file) as archive:
        records = _records(archive, size)
        if records.get("byteorder") is not None and archive.read(records["byteorder"]) != b"little":
            raise Damaged("its numbers are not little-endian")
        if "data.pkl" not in records or records["data.pkl"].file_size > _MOST_PICKLED:
            raise Damaged(f"no record data.pkl of at most {_MOST_PICKLED:,} bytes")
        storages: dict[str, Tensor] = {}

        def storage(key: str, count: int, itemsize: int) -> Tensor:
            record = records.get(f"data/{key}")
            if record is None or record.file_size != count * itemsize:
                raise Damaged(f"no record of {count * itemsize:,} bytes for a tensor of as many")
            if key not in storages:
                storages[key] = torch.empty(count * itemsize, dtype=torch.uint8)
                with archive.open(record) as source:
                    _fill(storages[key], source)
            return storages[key]

        content = load(archive.read(records["data.pkl"]), storage)[0]
        for name, record in records.items():  # What was not read above counts too: a damaged file is no good file.
            if name.removeprefix("data/") not in storages:
                with archive.open(record) as source:
                    while source.read(_CHUNK):
                        pass
        return content


def _records(archive: zipfile.ZipFile, size: int) -> dict[str, zipfile.ZipInfo]:
    """The records by their names, of which all have the same folder; none is compressed, and no two share bytes."""
    infos = sorted(archive.infolist(), key=lambda info: info.header_offset)
    ends = [info.header_offset + _LOCAL_HEADER + info.file_size for info in infos]
    for info in infos:
        if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size or info.flag_bits & 1:
            raise Damaged("a compressed or encrypted record, which torch.save never writes")
    if any(end > following.header_offset for end, (_, following) in zip(ends, pairwise(infos), strict=False)):
        raise Damaged("records that overlap")
    if any(end > size for end in ends):
        raise Damaged("records larger than the file")
    records = {info.filename.partition("/")[2]: info for info in infos}
    if len(records) < len(infos) or len({info.filename.partition("/")[0] for info in infos}) > 1:
        raise Damaged("records of one name, or of several folders")
    return records


def _read_legacy(file: BinaryIO, size: int) -> Any:
    storages: dict[str, Tensor] = {}
    counts: dict[str, int] = {}
    left = size

    def storage(key: str, count: int, itemsize: int) -> Tensor:
        nonlocal left
        if key not in storages:
            left -= count * itemsize
            if left < 0:
                raise Damaged("tensors larger than the file")
            storages[key], counts[key] = torch.empty(count * itemsize, dtype=torch.uint8), count
        if (counts[key], len(storages[key])) != (count, count * itemsize):
            raise Damaged("one tensor of two sizes")
        return storages[key]

    content_of = _pickles(file, storage)
    magic, protocol, system = content_of(), content_of(), content_of()
    if (magic, protocol) != (_MAGIC, _PROTOCOL) or not isinstance(system, Mapping):
        raise Damaged("another format")
    if system.get("little_endian") is not True:
        raise Damaged("its numbers are not little-endian")
    content, keys = content_of(), content_of()
    if not isinstance(keys, list) or [key for key in keys if isinstance(key, str)] != keys:
        raise Damaged("no list of tensors")
    if len(keys) != len(storages) or set(keys) != set(storages):
        raise Damaged("other tensors than it announces")
    for key in keys:
        if int.from_bytes(file.read(8), "little") != counts[key]:
            raise Damaged("a tensor of another size than it announces")
        _fill(storages[key], file)
    return content


def _pickles(file: BinaryIO, storage: Storage) -> Callable[[], Any]:
    """A function that reads the next of several pickles in a file."""

    def following() -> Any:
        start = file.tell()
        value, length = load(file.read(_MOST_PICKLED), storage)
        file.seek(start + length)
        return value

    return following


def _fill(storage: Tensor, source: IO[bytes]) -> None:
    """Read the bytes of a storage, a piece at a time."""
    numbers, at = storage.numpy(), 0
    while at < len(numbers):
        piece = source.read(min(_CHUNK, len(numbers) - at))
        if not piece:
            raise Damaged("it ends within a tensor")
        numbers[at : at + len(piece)] = np.frombuffer(piece, np.uint8)
        at += len(piece)


def claimed_bytes(tensors: list[Tensor]) -> int:
    """What tensors would take if each had memory of its own."""
    return sum(math.prod(tensor.shape) * tensor.element_size() for tensor in tensors)


__all__ = ["LEGACY", "Damaged", "Refused", "claimed_bytes", "read_saved"]
