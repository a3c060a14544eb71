"""Precomputed features on disk: one ``.npy`` file a video, read by segment."""

from collections.abc import Iterable, Sequence
from os import PathLike
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float
from torch import Tensor

from avground.data.memory import available_memory
from avground.data.segments import LAYOUTS, FeatureFiles
from avground.errors import ConfigError

Keep = Literal["auto", "memory", "disk"]


class FeatureFolder:
    """Sound and picture features of the videos of a data set.

    Sound lies in ``<root>/<audio>/<id>.npy`` as (rows, c), pictures in ``<root>/<visual>/<id>.npy`` as (rows, c, h, w),
    in half, single or double precision; single precision is what is returned. In one folder a full video has either 60
    rows (one a second) or 10; which of the two is told from the longest file checked, so check the videos of a data set
    together rather than one by one. Values are not looked at: a NaN on disk is a NaN in the batch.

    Args:
        root: The folder that holds both folders.
        segments: Segments of a video, t.
        audio: Name of the folder of sound features.
        visual: Name of the folder of picture features.
        keep: ``"memory"`` reads all checked videos once and keeps their segments, ``"disk"`` reads them whenever they
            are asked for, ``"auto"`` keeps what fits: each kind of feature by itself, sound first. The values are the
            same.
        memory_limit: Bytes that ``"auto"`` may use; it never uses more than half of the free memory.

    Raises:
        ConfigError: if ``segments`` or ``keep`` cannot be used.
        DataError: if a folder does not exist.
    """

    def __init__(
        self,
        root: str | PathLike[str],
        *,
        segments: int = 10,
        audio: str = "vggish",
        visual: str = "res18_14x14",
        keep: Keep = "auto",
        memory_limit: float = 2e9,
    ) -> None:
        if keep not in get_args(Keep):
            raise ConfigError(f"keep: expected one of {', '.join(get_args(Keep))}, got {keep!r}")
        if not 1 <= segments <= max(LAYOUTS):
            raise ConfigError(f"segments: expected 1 to {max(LAYOUTS)}, got {segments}")
        self.root = Path(root)
        self.segments = segments
        self.keep = keep
        self.memory_limit = memory_limit
        self._audio = FeatureFiles(self.root / audio, "(rows, c)", segments)
        self._visual = FeatureFiles(self.root / visual, "(rows, c, h, w)", segments)

    def check(self, video_ids: Iterable[str], *, audio_ids: Iterable[str] | None = None, progress: bool = True) -> None:
        """Read the headers of all files needed, so that a bad one is found before training starts, not in the middle.

        What is found is remembered between runs in the user's cache folder, see
        :func:`avground.data.headers.read_headers`. Videos checked before are not read again. Features that are kept in
        memory are read here.

        Args:
            video_ids: Videos whose pictures are needed.
            audio_ids: Videos whose sound is needed; the same ones by default.
            progress: Whether to show a progress bar when it takes long (needs tqdm).

        Raises:
            DataError: if an id is not a plain file name, or a file is missing, is cut short, has no row or more rows
                than a video can have, another type or rank, or another size than the rest. Names the first few and how
                many there are.
            ConfigError: if ``keep="memory"`` asks for more memory than there is.
        """
        pictures = list(dict.fromkeys(video_ids))
        sounds = pictures if audio_ids is None else list(dict.fromkeys(audio_ids))
        changed = [self._audio.check(sounds, progress), self._visual.check(pictures, progress)]
        if any(changed):
            self._load(progress)

    def audio(self, video_ids: Sequence[str]) -> Float[Tensor, "b t c"]:
        """The sound of videos.

        Raises:
            DataError: if a video was not checked, or its file has changed since.
        """
        return self._audio.clips(video_ids)

    def visual(self, video_ids: Sequence[str]) -> Float[Tensor, "b t c h w"]:
        """The pictures of videos.

        Raises:
            DataError: if a video was not checked, or its file has changed since.
        """
        return self._visual.clips(video_ids)

    def frames(self, video_ids: Sequence[str], segments: Sequence[int]) -> Float[Tensor, "k c h w"]:
        """One picture of each of k videos; from disk only that picture is read.

        Args:
            video_ids: The videos; may hold one more than once.
            segments: The segment of each, from 0 to t - 1.

        Raises:
            DataError: if a video was not checked, its file has changed since, or there is no such segment.
        """
        return self._visual.rows(self._visual.places(video_ids), np.asarray(segments, dtype=np.int64))

    @property
    def audio_dim(self) -> int:
        """Channels of the sound features, c."""
        return self._audio.item[0]

    @property
    def visual_shape(self) -> tuple[int, int, int]:
        """Channels, rows of cells and columns of cells of a picture: (c, h, w)."""
        channels, height, width = self._visual.item
        return channels, height, width

    @property
    def in_memory(self) -> bool:
        """Whether all checked pictures are in memory, so that separate loading processes gain nothing."""
        return self._visual.in_memory

    def _load(self, progress: bool) -> None:
        """Read what is to be kept in memory."""
        if self.keep == "disk":
            return
        free = available_memory()
        if self.keep == "memory":
            needed = sum(kind.bytes - kind.loaded_bytes for kind in (self._audio, self._visual))
            if free is not None and needed > free:
                raise ConfigError(
                    f"keep='memory' needs {needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free: use keep='disk'"
                )
        loaded = self._audio.loaded_bytes + self._visual.loaded_bytes
        budget = self.memory_limit if free is None else min(self.memory_limit, (free + loaded) / 2)
        for kind in (self._audio, self._visual):
            if self.keep == "memory" or kind.bytes <= budget:
                kind.load(progress)
                budget -= kind.bytes
            else:
                kind.unload()
