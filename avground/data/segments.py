"""The feature files of one kind: which videos there are, and their segments from memory or disk."""

import math
import os
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from avground.data.headers import Header, file_name, map_array, read_headers, show_progress
from avground.data.kinds import DIMENSIONS, FeatureKind, check_finite, check_kind, check_segments
from avground.data.manifest import FILE, Kind, read_manifest
from avground.errors import ConfigError, DataError

_NUMPY = {torch.float16: np.float16, torch.float32: np.float32}

LAYOUTS = (10, 60)
"""Rows a full video may have on disk: one for each of ten segments, or one a second."""


def sample_rows(rows: int, layout: int, segments: int) -> NDArray[np.int64]:
    """The row of a file that stands for each segment.

    A file with fewer rows than the layout is first continued by its last row; then one row is taken every
    ``layout // segments``, the first of each stretch.

    Args:
        rows: Rows in the file, at least 1.
        layout: Rows of a full video.
        segments: Segments of a video, t.

    Returns:
        t row numbers; for 60 rows and 10 segments 0, 6, ..., 54.
    """
    return np.minimum(np.arange(segments, dtype=np.int64) * (layout // segments), rows - 1)


class FeatureFiles(FeatureKind):
    """The ``.npy`` files of one kind of feature.

    In memory the segments of all videos follow each other in ``_chunks``, one tensor for each time that videos were
    added.
    """

    def __init__(self, directory: Path, kind: Kind, segments: int) -> None:
        if not directory.is_dir():
            raise DataError(
                f"{directory}: expected a folder of .npy files, got {'a file' if directory.exists() else 'none'}"
            )
        self.directory, self.kind = directory, kind
        self.dimensions = DIMENSIONS[kind]
        self.segments = segments
        self.manifest = read_manifest(directory)
        if self.manifest is not None:
            check_kind(self.manifest, kind, str(directory / FILE))
        self._item: tuple[int, ...] | None = None if self.manifest is None else self.manifest.shape
        self._layout = 0
        self.ids: list[str] = []
        self._places: dict[str, int] = {}
        self._headers: list[Header] = []
        self._chunks: list[Float[Tensor, "rows ..."]] = []

    @property
    def item(self) -> tuple[int, ...]:
        """The shape of one row."""
        if self._item is None:
            raise DataError(f"{self.directory}: no video was checked yet: call check(video_ids) first")
        return self._item

    @property
    def layout(self) -> int:
        """See :class:`FeatureKind`."""
        return self._layout

    @property
    def precision(self) -> str:
        """See :class:`FeatureKind`."""
        found = {np.dtype(header.dtype) for header in self._headers}
        return min(found, key=lambda dtype: dtype.itemsize).name if found else ""

    @property
    def stored_dtype(self) -> torch.dtype:
        """See :class:`FeatureKind`: half precision if all files have it."""
        sizes = {np.dtype(header.dtype).itemsize for header in self._headers}
        return torch.float16 if sizes == {2} else torch.float32

    @property
    def bytes(self) -> int:
        """Memory that all checked videos take."""
        return len(self.ids) * self.segments * math.prod(self._item or ()) * 4

    @property
    def loaded_bytes(self) -> int:
        """Memory that the loaded videos take."""
        return sum(chunk.nbytes for chunk in self._chunks)

    @property
    def in_memory(self) -> bool:
        """Whether all checked videos are in memory."""
        return 0 < len(self.ids) == self._loaded

    @property
    def _loaded(self) -> int:
        """Videos in memory: the first so many."""
        return sum(len(chunk) for chunk in self._chunks) // self.segments

    def check(self, video_ids: Iterable[str], progress: bool) -> bool:
        """Check the videos that are new; returns whether there were any."""
        names = {video_id: file_name(video_id) for video_id in video_ids if video_id not in self._places}
        if not names:
            return False
        found = read_headers(self.directory, names.values(), progress=progress)
        headers = {video_id: found[name] for video_id, name in names.items()}
        good = {video_id: header for video_id, header in headers.items() if isinstance(header, Header)}
        item = self._item or _most_frequent([header.shape[1:] for header in good.values() if self._fits_rank(header)])
        bad = [str(header) for header in headers.values() if isinstance(header, DataError)]
        bad += [reason for video_id, header in good.items() if (reason := self._misfit(names[video_id], header, item))]
        if bad:
            more = f" (and {len(bad) - 5} more)" if len(bad) > 5 else ""
            raise DataError(
                f"{self.directory}: {len(bad)} of {len(names)} videos cannot be used: {'; '.join(bad[:5])}{more}"
            )
        longest = max(header.shape[0] for header in good.values())
        layout = max(self._layout, self._layout_for(longest))
        if layout < self.segments:
            raise DataError(
                f"{self.directory}: expected at least {self.segments} rows in a full video (segments), got {longest}"
            )
        if layout % self.segments:
            raise ConfigError(
                f"segments: expected a divisor of {layout}, the rows of a full video in {self.directory}, "
                f"got {self.segments}"
            )
        self.take_layout(layout)
        self._item = item
        self._places.update((video_id, place) for place, video_id in enumerate(good, start=len(self.ids)))
        self.ids.extend(good)
        self._headers.extend(good.values())
        return True

    def _layout_for(self, longest: int) -> int:
        """Rows of a full video, where the longest file has so many."""
        if self.manifest is not None:
            return min(size for size in (*LAYOUTS, self.manifest.rows) if size >= longest)
        if longest == self.segments:
            return longest  # One row for each segment.
        return min(size for size in LAYOUTS if size >= longest)

    def take_layout(self, layout: int) -> None:
        """Let a full video have so many rows."""
        if layout != self._layout:
            self._chunks.clear()  # Loaded segments were taken from other rows.
        self._layout = layout

    def missing(self, video_ids: Iterable[str]) -> list[str]:
        """The videos without a file."""
        there = set(os.listdir(self.directory))
        return [video_id for video_id in video_ids if file_name(video_id) not in there]

    def _fits_rank(self, header: Header) -> bool:
        return len(header.shape) == len(self.dimensions.split(","))

    def _misfit(self, name: str, header: Header, item: tuple[int, ...]) -> str:
        """Why an array cannot be used; empty if it can."""
        got = f"{name}: expected {self.dimensions}"
        if not self._fits_rank(header) or 0 in header.shape[1:]:
            return f"{got}, got {header.shape}"
        if header.shape[0] == 0:
            return f"{got} with at least one row, got {header.shape}"
        most = max(LAYOUTS) if self.manifest is None else max(*LAYOUTS, self.manifest.rows)
        if header.shape[0] > most:
            return f"{got} with at most {most} rows, got {header.shape}"
        if header.shape[1:] != item:
            source = "most files have" if self.manifest is None else "the manifest says"
            return f"{name}: expected (rows, {', '.join(map(str, item))}) as {source}, got {header.shape}"
        return ""

    def places(self, video_ids: Sequence[str]) -> NDArray[np.int64]:
        """The places of videos."""
        try:
            return np.array([self._places[video_id] for video_id in video_ids], dtype=np.int64)
        except KeyError as error:
            raise DataError(
                f"video {error.args[0]!r} was not checked: call check(video_ids) with all videos first"
            ) from None

    def clips(self, video_ids: Sequence[str]) -> Float[Tensor, "b t ..."]:
        """All segments of videos."""
        return self._clips(video_ids, torch.float32)

    def stored(self, video_ids: Sequence[str]) -> Float[Tensor, "b t ..."]:
        """All segments of videos, in :attr:`stored_dtype`."""
        return self._clips(video_ids, self.stored_dtype)

    def _clips(self, video_ids: Sequence[str], dtype: torch.dtype) -> Float[Tensor, "b t ..."]:
        places = self.places(video_ids)
        every = np.arange(self.segments, dtype=np.int64)
        rows = self.rows(np.repeat(places, self.segments), np.tile(every, len(places)), dtype)
        return rows.reshape(len(places), self.segments, *self.item)

    def frames(self, video_ids: Sequence[str], segments: Sequence[int]) -> Float[Tensor, "k ..."]:
        """One segment of each video; from disk only that row is read."""
        return self.rows(self.places(video_ids), check_segments(segments, len(video_ids), self.segments))

    def rows(
        self, places: NDArray[np.int64], segments: NDArray[np.int64], dtype: torch.dtype = torch.float32
    ) -> Float[Tensor, "k ..."]:
        """One segment of each place."""
        if not self.in_memory:
            return torch.from_numpy(self._read(places, segments, dtype))
        numbers = torch.from_numpy(places * self.segments + segments)
        if len(self._chunks) == 1:
            return self._chunks[0].index_select(0, numbers).to(dtype)
        rows, start = torch.empty(len(places), *self.item), 0
        for chunk in self._chunks:
            here = (numbers >= start) & (numbers < start + len(chunk))
            rows[here] = chunk.index_select(0, numbers[here] - start)
            start += len(chunk)
        return rows.to(dtype)

    def load(self, progress: bool) -> None:
        """Read the videos that are not in memory yet."""
        loaded = self._loaded
        if loaded == len(self.ids):
            return
        every = np.arange(self.segments, dtype=np.int64)
        chunk = torch.empty(len(self.ids) - loaded, self.segments, *self.item)
        for place in show_progress(list(range(loaded, len(self.ids))), f"reading {self.directory.name}", progress):
            chunk[place - loaded] = torch.from_numpy(self._read(np.full_like(every, place), every, chunk.dtype))
        self._chunks.append(chunk.flatten(0, 1))

    def unload(self) -> None:
        """Read from disk from now on."""
        self._chunks.clear()

    def _read(self, places: NDArray[np.int64], segments: NDArray[np.int64], dtype: torch.dtype) -> NDArray[Any]:
        """Segments from disk; the file of neighbouring equal places is opened once, and closed again."""
        out = np.empty((len(places), *self.item), dtype=_NUMPY[dtype])
        for place, group in groupby(range(len(places)), key=places.tolist().__getitem__):
            numbers = list(group)
            header = self._headers[place]
            path = self.directory / f"{self.ids[place]}.npy"  # The check found the id to be a plain name.
            try:
                array = map_array(path)
            except (DataError, OSError) as error:
                raise DataError(f"{path}: expected the array that was checked, got {error}") from error
            if array.shape != header.shape or array.dtype.str != header.dtype:
                raise DataError(
                    f"{path}: expected shape {header.shape} and type {header.dtype} as when it was checked, "
                    f"got {array.shape} and {array.dtype.str}"
                )
            taken = sample_rows(header.shape[0], self._layout, self.segments)[segments[numbers]]
            rows = out[numbers[0] : numbers[-1] + 1]
            with np.errstate(over="ignore", invalid="ignore"):  # What becomes infinity is told next.
                rows[...] = array[taken]
            check_finite(torch.from_numpy(rows), f"{path}: {self.kind}")
        return out


def _most_frequent(shapes: list[tuple[int, ...]]) -> tuple[int, ...]:
    """The most frequent shape, the first of equals; empty if there is none."""
    return max(dict.fromkeys(shapes), key=shapes.count, default=())
