"""Packing a folder of features into a store, and checking either."""

import json
import math
from collections.abc import Iterator, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from avground.data.features import FeatureFolder, Features, Keep
from avground.data.files import atomic_file
from avground.data.headers import map_array, read_header, show_progress
from avground.data.manifest import Kind, read_manifest
from avground.data.store import (
    DIGEST_BYTES,
    DTYPES,
    FORMAT,
    NAMES,
    SUFFIX,
    FeatureStore,
    Stored,
    check_installed,
    digest_of,
    open_tensor,
    read_contents,
    video_bytes,
    video_digest,
)
from avground.errors import ConfigError, DataError, check_choice, check_whole
from avground.reading import is_finite


def open_features(
    path: str | PathLike[str],
    *,
    segments: int = 10,
    audio: str | None = None,
    visual: str | None = None,
    keep: Keep = "auto",
) -> Features:
    """Open a folder of ``.npy`` files or a packed store: training reads both alike.

    Args:
        path: A folder, or a file that :func:`pack` wrote.
        segments: Segments of a video, t.
        audio: See :class:`FeatureFolder`; a store holds one kind of sound only.
        visual: See :class:`FeatureFolder`; a store holds one kind of picture only.
        keep: See :class:`FeatureFolder`; what is read of a store the system keeps in memory by itself.

    Raises:
        DataError: if it cannot be read.
        ConfigError: if ``segments`` does not fit, or ``audio`` or ``visual`` is given for a store.
    """
    if not Path(path).is_file():
        return FeatureFolder(path, segments=segments, audio=audio, visual=visual, keep=keep)
    for name, value in (("audio", audio), ("visual", visual)):
        if value is not None:
            raise ConfigError(f"{name}: expected None for {path}, which is a store, got {value!r}")
    return FeatureStore(path, segments=segments)


def pack(
    features: str | PathLike[str],
    output: str | PathLike[str],
    *,
    dtype: str = "float16",
    segments: int = 10,
    every: int | None = None,
    audio: str | None = None,
    visual: str | None = None,
    progress: bool = True,
) -> Path:
    """Put the sampled segments of all videos of a folder into one file.

    Args:
        features: A folder as :class:`FeatureFolder` reads it; every video in it is packed.
        output: The file, ``<name>.safetensors``. It is written whole or not at all, and never overwritten.
        dtype: Of the pictures: ``"float16"``, ``"bfloat16"`` or ``"float32"``; sound, which is small, stays in single
            precision.
        segments: Segments of a full video that are kept, as :class:`FeatureFolder` takes them.
        every: In place of ``segments``: one row in so many is kept, from the first on.
        audio: See :class:`FeatureFolder`.
        visual: See :class:`FeatureFolder`.
        progress: Whether to show a progress bar.

    Returns:
        ``output``.

    Raises:
        ConfigError: for another ``dtype``, or an ``every`` that does not divide the rows of a full video.
        DataError: if ``output`` exists, or a video cannot be used: a bad file, a value that is not finite or not in the
            range of ``dtype``.
    """
    check_choice("dtype", dtype, DTYPES)
    check_installed()
    names: dict[str, Any] = {"audio": audio, "visual": visual, "keep": "disk"}
    output = Path(output)
    if output.suffix != SUFFIX:
        raise ConfigError(f"output: expected a name that ends in {SUFFIX}, got {output.name!r}")
    if output.exists():
        raise DataError(f"{output}: expected a new file, got one that is there: it is left as it is")
    folder = FeatureFolder(features, segments=1 if every is not None else segments, **names)
    _check_all(folder, progress)
    if every is not None:
        rows = {kind: files.layout for kind, files in folder.kinds.items()}
        folder = FeatureFolder(features, segments=_segments_left(every, rows), **names)
        _check_all(folder, progress=False)
        for kind, files in folder.kinds.items():
            files.take_layout(rows[kind])  # As many rows a full video as before, whatever the number of segments.
    _write(output, folder, DTYPES[dtype], progress)
    return output


def verify(path: str | PathLike[str], *, progress: bool = True) -> dict[str, int]:
    """Read all features of a store, or of a folder, and check them.

    Args:
        path: A store: every video must fit its checksum. Or a folder of features, or one that holds such folders:
            every file must be whole and have rows of one shape, that of the manifest where there is one.
        progress: Whether to show a progress bar.

    Returns:
        How many videos were checked of each kind in a store, or in each folder.

    Raises:
        DataError: names the videos that are damaged or hold values that are not finite.
    """
    bad: list[str] = []
    counts: dict[str, int] = {}
    for kind, video_id, values, digest in _all_videos(Path(path), progress):
        counts[kind] = counts.get(kind, 0) + 1
        if digest is not None and video_digest(video_bytes(values)) != digest:
            bad.append(f"{kind} of {video_id}: expected bytes that fit their checksum, got damaged ones")
        elif not is_finite(values):
            bad.append(f"{kind} of {video_id}: expected finite values, got NaN or infinity")
    if bad:
        more = f" (and {len(bad) - 5} more)" if len(bad) > 5 else ""
        raise DataError(f"{path}: {len(bad)} of {sum(counts.values())} cannot be used: {'; '.join(bad[:5])}{more}")
    return counts


def _all_videos(path: Path, progress: bool) -> Iterator[tuple[str, str, Tensor, bytes | None]]:
    """Kind or folder, id, values and expected checksum of everything in a store or in folders."""
    if path.is_file():
        for kind, about in read_contents(path).items():
            values, digests = open_tensor(path, kind), open_tensor(path, f"{kind}_digest")
            for place, video_id in enumerate(show_progress(about["ids"], f"verifying {kind}", progress)):
                yield kind, video_id, values[place], digests[place].numpy().tobytes()
        return
    folders = [path] if next(path.glob("*.npy"), None) else sorted({file.parent for file in path.glob("*/*.npy")})
    if not folders:
        raise DataError(f"{path}: expected a store, or a folder with .npy files in it or in its folders, got none")
    for folder in folders:
        yield from _all_of_folder(folder, progress)


def _all_of_folder(folder: Path, progress: bool) -> Iterator[tuple[str, str, Tensor, bytes | None]]:
    manifest = read_manifest(folder)
    shape = None if manifest is None else manifest.shape
    for file in show_progress(sorted(folder.glob("[!.]*.npy")), f"verifying {folder.name}", progress):
        header = read_header(file)
        shape = header.shape[1:] if shape is None else shape
        if not header.shape or header.shape[1:] != shape or 0 in header.shape:
            raise DataError(f"{file}: expected rows of shape {shape} as in the files before, got {header.shape}")
        array = map_array(file)
        yield folder.name, file.stem, torch.from_numpy(array.astype(array.dtype.newbyteorder("="))), None


def _check_all(folder: FeatureFolder, progress: bool) -> None:
    """Check every video of a folder."""
    ids: dict[Kind, list[str]] = {}
    for kind, files in folder.kinds.items():
        ids[kind] = sorted(path.stem for path in files.directory.glob("[!.]*.npy"))
        if not ids[kind]:
            raise DataError(f"{files.directory}: expected .npy files, got none")
    folder.check(ids["visual"], audio_ids=ids["audio"], progress=progress)


def _segments_left(every: int, rows: Mapping[Kind, int]) -> int:
    """Segments of a full video, of so many rows, if one row in so many is kept."""
    check_whole("every", every)
    if len(set(rows.values())) > 1 or rows["audio"] % every:
        listed = " and ".join(f"{count} of {kind}" for kind, count in rows.items())
        raise ConfigError(f"every: expected a divisor of the rows of a full video, {listed}, got {every}")
    return rows["audio"] // every


def _write(output: Path, folder: FeatureFolder, dtype: torch.dtype, progress: bool) -> None:
    types = {"audio": torch.float32, "visual": dtype}
    tensors: dict[str, Stored] = {}
    metadata: dict[str, str] = {}
    for kind, files in folder.kinds.items():
        about = files.describe()
        tensors[kind] = Stored(NAMES[types[kind]], (len(files.ids), folder.segments, *files.item))
        metadata[kind] = json.dumps({"ids": files.ids, "layout": about["layout"], "manifest": about["manifest"]})
    for kind, files in folder.kinds.items():
        tensors[f"{kind}_digest"] = Stored("U8", (len(files.ids), DIGEST_BYTES))
    digests: list[bytes] = []
    with atomic_file(output) as file:
        file.write(_header(tensors, metadata))
        for kind, files in folder.kinds.items():
            for video_id in show_progress(files.ids, f"packing {kind}", progress):
                values = files.clips([video_id])[0]
                stored = values.to(types[kind])
                if not is_finite(stored):
                    found = f"{values.abs().max().item():g}"
                    path = files.directory / f"{video_id}.npy"
                    raise DataError(f"{path}: expected finite values in the range of {types[kind]}, got {found}")
                content = video_bytes(stored)
                file.write(content)
                digests.append(video_digest(content))
        file.write(b"".join(digests))


def _header(tensors: Mapping[str, Stored], metadata: Mapping[str, str]) -> bytes:
    """What a safetensors file begins with: the length of the header, and the header, filled up to whole words."""
    about = {"format": FORMAT, "digest": digest_of(metadata, tensors), **metadata}
    entries: dict[str, Any] = {"__metadata__": about}
    start = 0
    for name, (dtype, shape) in tensors.items():
        stop = start + math.prod(shape) * {"F32": 4, "U8": 1}.get(dtype, 2)
        entries[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [start, stop]}
        start = stop
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text
