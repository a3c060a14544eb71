"""The features of many videos in one place in memory, where a batch of them is named by row numbers."""

import math
from collections.abc import Iterable, Mapping, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from avground.data.features import Features, by_kind
from avground.data.headers import show_progress
from avground.data.kinds import FeatureKind
from avground.data.manifest import Kind
from avground.errors import DataError
from avground.ops.spatial_grounding import cell_lengths


class Bank:
    """Sound and pictures of videos as tensors on one device, with the rows at which each video lies.

    Pictures are kept as precise as they are on disk, and no more: the models take half precision as it is. Sound, which
    is small, is in single precision.

    For example ``MapRows(bank.maps, bank.map_rows(["00000093"]), bank.lengths)`` is what a model takes as ``visual``.

    Args:
        audio: Sound of every video, (videos, t, c).
        maps: Pictures of every segment of every video, video by video, (videos * t, c, h, w).
        lengths: See :func:`avground.ops.cell_lengths`; None where they are not known.
        places: For both kinds the number of each video.

    Attributes:
        segments: Segments of a video, t.
    """

    def __init__(
        self,
        audio: Float[Tensor, "v t ca"],
        maps: Float[Tensor, "r c h w"],
        lengths: Float[Tensor, "r h w"] | None,
        places: Mapping[Kind, Mapping[str, int]],
    ) -> None:
        self.audio, self.maps, self.lengths = audio, maps, lengths
        self.segments = audio.shape[1]
        self._places = places

    @classmethod
    def load(
        cls,
        features: Features,
        video_ids: Iterable[str],
        *,
        audio_ids: Iterable[str] | None = None,
        device: torch.device | str = "cpu",
        lengths: bool = True,
        progress: bool = True,
    ) -> "Bank":
        """Read features. At no time is there more than one video in memory besides the bank.

        Args:
            features: Where they lie; the videos were checked.
            video_ids: Videos whose pictures are needed.
            audio_ids: Videos whose sound is needed; the same ones by default.
            device: Where to put them.
            lengths: Whether to compute the length of every cell, which grounding by cosines needs.
            progress: Whether to show a progress bar when it takes long (needs tqdm).

        Raises:
            DataError: if a video was not checked, its file has changed since, or a value is not finite: names it.
        """
        wanted = by_kind(video_ids, audio_ids)
        kinds = features.kinds
        audio = _read(kinds["audio"], wanted["audio"], torch.float32, device, "reading sound", progress)
        visual = _read(
            kinds["visual"], wanted["visual"], kinds["visual"].stored_dtype, device, "reading pictures", progress
        )
        maps = visual.flatten(0, 1)
        places: dict[Kind, dict[str, int]] = {
            kind: {video_id: place for place, video_id in enumerate(ids)} for kind, ids in wanted.items()
        }
        return cls(audio, maps, cell_lengths(maps) if lengths else None, places)

    @property
    def device(self) -> torch.device:
        """Where the features are."""
        return self.maps.device

    def holds(self, video_ids: Iterable[str], audio_ids: Iterable[str]) -> bool:
        """Whether the pictures and the sound of these videos are here."""
        return all(i in self._places["visual"] for i in video_ids) and all(
            i in self._places["audio"] for i in audio_ids
        )

    def audio_rows(self, video_ids: Sequence[str]) -> Int[Tensor, " n"]:
        """Rows of ``audio``, on the CPU.

        Raises:
            DataError: for a video that is not here.
        """
        return self._find("audio", video_ids)

    def map_rows(self, video_ids: Sequence[str]) -> Int[Tensor, "n t"]:
        """Rows of ``maps``, on the CPU.

        Raises:
            DataError: for a video that is not here.
        """
        return self._find("visual", video_ids)[:, None] * self.segments + torch.arange(self.segments)

    def _find(self, kind: Kind, video_ids: Sequence[str]) -> Int[Tensor, " n"]:
        try:
            return torch.tensor([self._places[kind][video_id] for video_id in video_ids], dtype=torch.int64)
        except KeyError as error:
            raise DataError(f"expected a video whose {kind} features were read, got {error.args[0]!r}") from None


def bank_bytes(
    features: Features, video_ids: Iterable[str], *, audio_ids: Iterable[str] | None = None, lengths: bool = True
) -> int:
    """What :meth:`Bank.load` would take; the videos were checked."""
    wanted = by_kind(video_ids, audio_ids)
    audio, visual = features.kinds["audio"], features.kinds["visual"]
    c, *cells = visual.item
    of_cell = c * visual.stored_dtype.itemsize + 4 * lengths
    of_segments = math.prod(audio.item) * 4 * len(wanted["audio"]) + math.prod(cells) * of_cell * len(wanted["visual"])
    return features.segments * of_segments


def _read(
    kind: FeatureKind,
    video_ids: list[str],
    dtype: torch.dtype,
    device: torch.device | str,
    description: str,
    progress: bool,
) -> Float[Tensor, "v t ..."]:
    out = torch.empty(len(video_ids), kind.segments, *kind.item, dtype=dtype, device=device)
    for place, video_id in enumerate(show_progress(video_ids, description, progress)):
        out[place].copy_(kind.stored([video_id])[0])
    return out
