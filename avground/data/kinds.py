"""What every kind of feature can do, wherever it lies, and what is checked of each."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from avground.data.manifest import MOST_ROWS, Kind, Manifest
from avground.errors import DataError, brief
from avground.reading import is_finite

DIMENSIONS: dict[Kind, str] = {"audio": "(rows, c)", "visual": "(rows, c, h, w)"}
"""Of the features of a video."""


class FeatureKind(ABC):
    """Sound or pictures of many videos: what :class:`avground.data.features.Features` needs of either.

    A checked video has a *place*, its number.

    Attributes:
        segments: Segments of a video, t.
        manifest: What the features were made with, where that is known.
        ids: The videos that can be read, in the order of their places.
    """

    segments: int
    manifest: Manifest | None
    ids: list[str]

    @property
    @abstractmethod
    def item(self) -> tuple[int, ...]:
        """The shape of one row."""

    @property
    @abstractmethod
    def layout(self) -> int:
        """Rows of a full video, of which each segment is one; 0 before any video was checked."""

    @property
    @abstractmethod
    def precision(self) -> str:
        """The type of the numbers on disk, such as ``"float16"``; of several the least precise."""

    @property
    @abstractmethod
    def stored_dtype(self) -> torch.dtype:
        """The type that keeps the numbers as they are on disk: half or single precision."""

    @property
    @abstractmethod
    def in_memory(self) -> bool:
        """Whether reading needs no disk."""

    @abstractmethod
    def check(self, video_ids: Iterable[str], progress: bool) -> bool:
        """Make sure that videos can be read; returns whether any was new."""

    @abstractmethod
    def missing(self, video_ids: Iterable[str]) -> list[str]:
        """The videos that are not there."""

    @abstractmethod
    def clips(self, video_ids: Sequence[str]) -> Float[Tensor, "b t ..."]:
        """All segments of videos."""

    @abstractmethod
    def stored(self, video_ids: Sequence[str]) -> Float[Tensor, "b t ..."]:
        """All segments of videos, in :attr:`stored_dtype`."""

    @abstractmethod
    def frames(self, video_ids: Sequence[str], segments: Sequence[int]) -> Float[Tensor, "k ..."]:
        """One segment of each video."""

    def describe(self) -> dict[str, Any]:
        """What decides the values: what they were made with, rows of a full video and the type of the numbers."""
        made = None if self.manifest is None else self.manifest.to_dict()
        return {"manifest": made, "layout": self.layout, "precision": self.precision}


def check_kind(manifest: Manifest, kind: Kind, where: str) -> None:
    """Raise :class:`DataError` unless a manifest is that of a kind of feature, and of as many dimensions."""
    dimensions = DIMENSIONS[kind].count(",")
    if manifest.kind != kind or len(manifest.shape) != dimensions:
        raise DataError(
            f"{where}: expected {kind} features with rows of {dimensions} dimensions, got {manifest.kind} features of "
            f"shape {manifest.shape}"
        )


def check_finite(values: Tensor, where: str) -> None:
    """Raise :class:`DataError` if there is a NaN or an infinity among values that were just read."""
    if not is_finite(values):
        raise DataError(f"{where}: expected finite values, got NaN or infinity")


def check_layout(layout: Any, where: str) -> None:
    """Raise :class:`DataError` unless ``layout`` can be the rows of a full video."""
    if not isinstance(layout, int) or isinstance(layout, bool) or not 1 <= layout <= MOST_ROWS:
        raise DataError(f"{where}: layout: expected a whole number from 1 to {MOST_ROWS}, got {brief(layout)}")


def check_segments(segments: Sequence[int], count: int, limit: int) -> NDArray[np.int64]:
    """The segments as an array.

    Raises:
        DataError: unless there are ``count`` of them, from 0 to ``limit`` - 1.
    """
    numbers = np.asarray(segments, dtype=np.int64)
    if len(numbers) != count or (numbers < 0).any() or (numbers >= limit).any():
        raise DataError(f"segments: expected {count} numbers from 0 to {limit - 1}, got {brief(numbers.tolist())}")
    return numbers
