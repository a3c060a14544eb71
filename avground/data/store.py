"""Packed features: one memory-mapped file that holds the sampled segments of all videos.

The file is a safetensors file, so others can read it too: ``audio`` (videos, t, c) in single precision, ``visual``
(videos, t, c, h, w), and ``audio_digest`` and ``visual_digest`` (videos, 16), a BLAKE2b checksum of each video's bytes.
Its metadata holds the videos' ids in the order of the rows and what the features were made with.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from avground.data.features import Features
from avground.data.headers import file_name
from avground.data.kinds import DIMENSIONS, FeatureKind, check_finite, check_kind, check_layout, check_segments
from avground.data.manifest import Kind, Manifest
from avground.data.memory import available_memory
from avground.errors import ConfigError, DataError, brief
from avground.reading import open_regular, parse_json

SUFFIX = ".safetensors"
FORMAT = "avground store 1"
DTYPES = {"float16": torch.float16, "bfloat16": torch.bfloat16, "float32": torch.float32}
DIGEST_BYTES = 16

NAMES = {torch.float16: "F16", torch.bfloat16: "BF16", torch.float32: "F32"}
"""What safetensors files call these types."""


class Stored(NamedTuple):
    """What the header of a safetensors file says of a tensor."""

    dtype: str
    shape: tuple[int, ...]


class FeatureStore(Features):
    """Features that :func:`avground.data.pack` packed, read from a memory-mapped file.

    A batch reads no more than the rows it returns. Once the system has read the file, it stays in the system's cache as
    long as there is memory, and all processes share it.

    Args:
        path: The file.
        segments: Segments of a video, t; a divisor of those in the file.
        dtype: What is returned; None for pictures as they are stored.

    Raises:
        DataError: if it is no store, is cut short, or its metadata are damaged.
        ConfigError: if ``segments`` does not divide the segments in the file.
    """

    def __init__(
        self, path: str | PathLike[str], *, segments: int = 10, dtype: torch.dtype | None = torch.float32
    ) -> None:
        contents = read_contents(Path(path))
        kinds = {kind: StoredKind(Path(path), kind, about, segments, dtype) for kind, about in contents.items()}
        super().__init__(Path(path), segments, kinds["audio"], kinds["visual"])


class StoredKind(FeatureKind):
    """One kind of feature in a store; see :class:`avground.data.kinds.FeatureKind`."""

    def __init__(self, path: Path, kind: Kind, about: dict[str, Any], segments: int, dtype: torch.dtype | None) -> None:
        self.path, self.kind, self.segments, self.dtype = path, kind, segments, dtype
        self.manifest = about["manifest"]
        self._layout: int = about["layout"]
        self.ids = list(about["ids"])
        self._places = {video_id: place for place, video_id in enumerate(self.ids)}
        self._values: Tensor | None = None
        stored = self.values.shape[1]
        if not 1 <= segments <= stored or stored % segments:
            raise ConfigError(f"segments: expected a divisor of {stored}, the segments in {path}, got {segments}")

    @property
    def values(self) -> Tensor:
        """All videos, (videos, segments in the file, ...); the file is mapped when first asked for."""
        if self._values is None:
            self._values = open_tensor(self.path, self.kind)
        return self._values

    def __getstate__(self) -> dict[str, Any]:
        """A process that is handed this object maps the file anew."""
        return {**vars(self), "_values": None}

    @property
    def item(self) -> tuple[int, ...]:
        """See :class:`FeatureKind`."""
        return tuple(self.values.shape[2:])

    @property
    def layout(self) -> int:
        """See :class:`FeatureKind`."""
        return self._layout

    @property
    def precision(self) -> str:
        """See :class:`FeatureKind`."""
        return str(self.values.dtype).removeprefix("torch.")

    @property
    def stored_dtype(self) -> torch.dtype:
        """See :class:`FeatureKind`."""
        return self.values.dtype

    @property
    def in_memory(self) -> bool:
        """Whether the whole file fits into the system's cache, so that loading processes of their own gain nothing."""
        free = available_memory()
        return free is not None and self.values.nbytes <= free / 2

    def check(self, video_ids: Iterable[str], progress: bool) -> bool:
        """See :class:`FeatureKind`."""
        videos = list(video_ids)
        missing = self.missing(videos)
        if missing:
            more = f" (and {len(missing) - 5} more)" if len(missing) > 5 else ""
            raise DataError(
                f"{self.path}: expected {self.kind} features of {len(videos)} videos, got none of {len(missing)}: "
                f"{', '.join(missing[:5])}{more}"
            )
        return False

    def missing(self, video_ids: Iterable[str]) -> list[str]:
        """See :class:`FeatureKind`."""
        return [video_id for video_id in video_ids if video_id not in self._places]

    def clips(self, video_ids: Sequence[str]) -> Float[Tensor, "b t ..."]:
        """See :class:`FeatureKind`."""
        return self._clips(video_ids, self.dtype)

    def stored(self, video_ids: Sequence[str]) -> Float[Tensor, "b t ..."]:
        """See :class:`FeatureKind`."""
        return self._clips(video_ids, self.stored_dtype)

    def _clips(self, video_ids: Sequence[str], dtype: torch.dtype | None) -> Float[Tensor, "b t ..."]:
        sampled = self.values[:, :: self.values.shape[1] // self.segments]
        return self._take(sampled, self._numbers(video_ids), video_ids, dtype)

    def frames(self, video_ids: Sequence[str], segments: Sequence[int]) -> Float[Tensor, "k ..."]:
        """See :class:`FeatureKind`."""
        wanted = check_segments(segments, len(video_ids), self.segments)
        stored = self.values.shape[1]
        return self._take(
            self.values.flatten(0, 1),
            self._numbers(video_ids) * stored + wanted * (stored // self.segments),
            video_ids,
            self.dtype,
        )

    def _numbers(self, video_ids: Sequence[str]) -> NDArray[np.int64]:
        try:
            return np.array([self._places[video_id] for video_id in video_ids], dtype=np.int64)
        except KeyError as error:
            raise DataError(f"{self.path}: expected a video that it holds, got {error.args[0]!r}") from None

    def _take(
        self, values: Tensor, numbers: NDArray[np.int64], video_ids: Sequence[str], dtype: torch.dtype | None
    ) -> Tensor:
        """Some rows, copied and converted in one pass, and checked while they are at hand."""
        out = torch.empty(len(numbers), *values.shape[1:], dtype=dtype or values.dtype)
        for row, number, video_id in zip(out, numbers.tolist(), video_ids, strict=True):
            row.copy_(values[number])
            check_finite(row, f"{self.path}: {self.kind} of {video_id}")
        return out


def check_installed() -> None:
    """Raise :class:`ConfigError` where the package that reads stores is missing."""
    if find_spec("safetensors") is None:
        raise ConfigError('stores of features: expected the package safetensors: pip install "avground[train]"')


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """A safetensors file, whose errors become :class:`DataError`."""
    try:
        from safetensors import SafetensorError, safe_open
    except ImportError as error:
        raise ConfigError(
            'stores of features: expected the package safetensors: pip install "avground[train]"'
        ) from error
    try:
        with safe_open(path, framework="pt") as file:
            yield file
    except (SafetensorError, OSError) as error:
        raise DataError(
            f"{path}: expected a store of features, got {type(error).__name__}: {str(error)[:200]}"
        ) from error


def open_tensor(path: Path, name: str) -> Tensor:
    """A tensor of a safetensors file, mapped and not read.

    Raises:
        DataError: if the file or the tensor cannot be read.
    """
    with _opened(path) as file:
        tensor: Tensor = file.get_tensor(name)
        return tensor


def read_contents(path: Path) -> dict[Kind, dict[str, Any]]:
    """What a store says of itself, checked: for each kind ``ids``, ``layout`` and ``manifest``.

    Raises:
        DataError: if it is no store, is cut short, or says what cannot be.
    """
    open_regular(path, "a store of features").close()
    with _opened(path) as file:
        metadata = dict(file.metadata() or {})
        slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
        tensors = {name: Stored(part.get_dtype(), tuple(part.get_shape())) for name, part in slices.items()}
    if metadata.pop("format", None) != FORMAT:
        raise DataError(f"{path}: expected a store of the format {FORMAT!r}, got another safetensors file")
    if metadata.pop("digest", None) != digest_of(metadata, tensors):
        raise DataError(f"{path}: expected metadata that fit their checksum, got damaged ones")
    return {kind: _contents_of(kind, metadata, tensors, path) for kind in DIMENSIONS}


def _contents_of(kind: Kind, metadata: Mapping[str, str], tensors: Mapping[str, Stored], path: Path) -> dict[str, Any]:
    """What the metadata say of one kind, checked against the tensors."""
    where = f"{path}: {kind}"
    try:
        about = parse_json(metadata[kind], f"{where}: expected ids, layout and manifest")
        ids, layout, manifest = about["ids"], about["layout"], about["manifest"]
    except (KeyError, TypeError) as error:
        got = f"{type(error).__name__}: {error}"
        raise DataError(f"{where}: expected ids, layout and manifest, got {got[:200]}") from error
    if not isinstance(ids, list):
        raise DataError(f"{where}: expected a list of ids, got {brief(ids)}")
    try:
        names = {file_name(video_id) for video_id in ids}
    except DataError as error:
        raise DataError(f"{where}: {error}") from error
    if len(names) != len(ids):
        raise DataError(f"{where}: expected a list of different ids, got {len(names)} in {len(ids)}")
    check_layout(layout, where)
    values, digests = tensors.get(kind), tensors.get(f"{kind}_digest")
    dimensions, count = 2 + DIMENSIONS[kind].count(","), len(ids)
    good = (
        values is not None
        and values.dtype in NAMES.values()
        and len(values.shape) == dimensions
        and 0 not in values.shape
    )
    if not good or values is None or values.shape[0] != count or digests != Stored("U8", (count, DIGEST_BYTES)):
        raise DataError(
            f"{where}: expected {count} videos in {dimensions} dimensions with a checksum each, got "
            f"{brief(values)} and {brief(digests)}"
        )
    made = None if manifest is None else Manifest.from_dict(manifest, where)
    if made is not None:
        check_kind(made, kind, where)
        if made.shape != values.shape[2:]:
            got = brief(values.shape[2:])
            raise DataError(f"{where}: expected rows of shape {brief(made.shape)}, as its manifest says, got {got}")
    return {"ids": ids, "layout": layout, "manifest": made}


def digest_of(metadata: Mapping[str, str], tensors: Mapping[str, Stored]) -> str:
    """The checksum of what the header of a store says, apart from this checksum."""
    content = json.dumps([sorted(metadata.items()), sorted(tensors.items())])
    return hashlib.sha256(content.encode()).hexdigest()


def video_bytes(values: Tensor) -> memoryview:
    """A video's features as they lie in the file."""
    # torch has no other way to see numbers of one type as bytes, and NumPy knows no bfloat16.
    content: memoryview = values.contiguous().flatten().view(torch.uint8).numpy().data
    return content


def video_digest(content: memoryview) -> bytes:
    """The checksum of a video's bytes."""
    return hashlib.blake2b(content, digest_size=DIGEST_BYTES).digest()
