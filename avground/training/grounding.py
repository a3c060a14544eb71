"""Whether the weights lie where and when the thing asked for is, measured where that is known."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torchmetrics import Metric

from avground.data import Record
from avground.data.pocket import Truth
from avground.errors import DataError
from avground.models import Grounded
from avground.ops.weights import normalize_weights
from avground.shapes import check_shapes


class Masks(NamedTuple):
    """Where and when the answers to q questions lie.

    Attributes:
        named: Cells of the instruments that a question names; of those that sound, while they do, where it names none.
        answer: The same, and the cells of the instrument that is the answer.
        seconds: The segments that decide the answer.
    """

    named: Bool[Tensor, "q t h w"]
    answer: Bool[Tensor, "q t h w"]
    seconds: Bool[Tensor, "q t"]


def masks_of(records: Sequence[Record], truth: Truth, segments: int, map_size: tuple[int, int] | None = None) -> Masks:
    """Find where and when the answer to each question lies.

    Args:
        records: Questions of a Pocket world.
        truth: What is so in that world.
        segments: Segments of a video, t.
        map_size: Rows and columns of the maps, h and w, where they are not those of the truth: a cell then counts if at
            least half of it is covered.

    Raises:
        DataError: names the first question that the truth does not know, or whose segments differ in number.
    """
    named = torch.zeros(len(records), segments, truth.rows, truth.columns, dtype=torch.bool)
    answer = torch.zeros_like(named)
    seconds = torch.zeros(len(records), segments, dtype=torch.bool)
    for place, record in enumerate(records):
        asked = truth.questions.get(record.question_id) if record.question_id is not None else None
        if asked is None or asked.video_id != record.video_id:
            raise DataError(f"{record.where}: expected a question of truth.json, got one that it does not know")
        if len(asked.seconds) != segments:
            raise DataError(f"{record.where}: truth.json: expected {segments} segments, got {len(asked.seconds)}")
        seconds[place] = torch.tensor(asked.seconds)
        instruments = truth.videos[asked.video_id]
        for target in asked.targets:
            there = torch.tensor([asked.names or sounding for sounding in instruments[target].sounding])
            for row, column in instruments[target].cells:
                named[place, :, row, column] |= there
        answer[place] = named[place]
        for row, column in () if asked.found is None else instruments[asked.found].cells:
            answer[place, :, row, column] = True
    if map_size is not None:
        named, answer = (_resized(mask, *map_size) for mask in (named, answer))
    return Masks(named, answer, seconds)


def _resized(mask: Bool[Tensor, "q t rows columns"], h: int, w: int) -> Bool[Tensor, "q t h w"]:
    """The cells of another map of the same picture of which at least half is covered."""
    rows, columns = mask.shape[2:]
    if (h, w) == (rows, columns):
        return mask
    # The finest grid that both maps divide; each cell of the new map is a block of it.
    fine = mask.repeat_interleave(math.lcm(h, rows) // rows, 2).repeat_interleave(math.lcm(w, columns) // columns, 3)
    blocks = fine.unflatten(3, (w, -1)).unflatten(2, (h, -1))
    covered: Tensor = blocks.double().mean((3, 5)) >= 0.5
    return covered


class GroundingMetric(Metric):
    """Pointing accuracy and temporal overlap, over batches and processes.

    *Pointing accuracy* asks, segment by segment, whether the heaviest cell belongs to an instrument that the question
    names (to one that sounds, if it names none); segments without such an instrument are left out. If several cells
    tie, the expected value of drawing one of them counts, so a flat map gets what a random cell gets: ``chance``, the
    share of cells covered. Segments whose picture is covered by noise are counted like the others.

    Beside it ``accuracy_with_answer``: the instrument that is the answer counts too, over the same segments. Whoever is
    asked for the instrument on the left of the violin may well look at the one that stands there.

    *Temporal overlap*: the weight that lies on the segments that decide the answer, averaged over the questions that
    are decided by some segments and not by others; beside it what uniform weights get.

    Args:
        masks: See :func:`masks_of`.
    """

    full_state_update = False
    hits: Tensor
    covered: Tensor
    hits_with_answer: Tensor
    covered_with_answer: Tensor
    peaks: Tensor
    pointed: Tensor
    audio: Tensor
    visual: Tensor
    uniform: Tensor
    timed: Tensor

    def __init__(self, masks: Masks) -> None:
        super().__init__()
        self.masks = masks
        pointing = ("hits", "covered", "hits_with_answer", "covered_with_answer", "peaks", "pointed")
        for name in (*pointing, "audio", "visual", "uniform", "timed"):
            self.add_state(name, torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, out: Grounded, index: Int[Tensor, " b"]) -> None:
        """Count a batch.

        Args:
            out: What the model returned.
            index: Places of its questions among those of the masks.

        Raises:
            ShapeError: if the maps have other sizes than the truth.
        """
        named, answer, seconds = (mask[index.cpu()].to(out.cell_weights.device) for mask in self.masks)
        self._point(out.cell_weights.detach().float(), named, answer)
        self._time(out.audio_weights.detach(), out.visual_weights.detach(), seconds)

    def _point(
        self, weights: Float[Tensor, "b t h w"], named: Bool[Tensor, "b t h w"], answer: Bool[Tensor, "b t h w"]
    ) -> None:
        b, t, h, w = named.shape
        check_shapes(cell_weights=(weights, f"{b} {t} {h} {w}"))
        there = named.flatten(2).any(-1)
        weights, named, answer = (x.flatten(2)[there] for x in (weights, named, answer))
        peak = weights.amax(-1, keepdim=True)
        tied = weights == peak
        self.hits += ((tied & named).sum(-1) / tied.sum(-1)).sum(dtype=torch.float64)
        self.covered += named.double().mean(-1).sum()
        self.hits_with_answer += ((tied & answer).sum(-1) / tied.sum(-1)).sum(dtype=torch.float64)
        self.covered_with_answer += answer.double().mean(-1).sum()
        self.peaks += (peak.mean(-1) / weights.mean(-1)).sum(dtype=torch.float64)
        self.pointed += len(weights)

    def _time(self, audio: Float[Tensor, "b t"], visual: Float[Tensor, "b t"], seconds: Bool[Tensor, "b t"]) -> None:
        telling = seconds.any(-1) & ~seconds.all(-1)
        deciding = seconds[telling].double()
        self.audio += (normalize_weights(audio[telling].double()) * deciding).sum()
        self.visual += (normalize_weights(visual[telling].double()) * deciding).sum()
        self.uniform += deciding.mean(-1).sum()
        self.timed += len(deciding)

    def compute(self) -> dict[str, dict[str, float | int]]:
        """The measures, with how many segments or questions they are averages of; a measure of none is left out."""
        found: dict[str, dict[str, float | int]] = {}
        if n := int(self.pointed):
            sums: dict[str, Any] = {
                "accuracy": self.hits,
                "chance": self.covered,
                "accuracy_with_answer": self.hits_with_answer,
                "chance_with_answer": self.covered_with_answer,
                "peak_over_uniform": self.peaks,
            }
            found["pointing"] = {**{name: float(total) / n for name, total in sums.items()}, "segments": n}
        if n := int(self.timed):
            sums = {"audio": self.audio, "visual": self.visual, "uniform": self.uniform}
            overlap = {name: float(total) / n for name, total in sums.items()}
            mean = (overlap["audio"] + overlap["visual"]) / 2
            found["temporal_overlap"] = {"mean": mean, **overlap, "questions": n}
        return found
