"""The two stages of training: what each shows the network, and what it minimises there."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from avground.data import Batch, MusicAVQA
from avground.errors import DataError
from avground.losses import PairMatchingLoss
from avground.models import Network
from avground.training.batches import Samples
from avground.training.run import Run
from avground.training.splits import Splits

Losses = Callable[[Any, Batch], dict[str, Tensor]]


@dataclass(frozen=True)
class Stage:
    """A part of training with its own samples, losses and optimiser.

    Attributes:
        name: ``"stage I"`` or ``"stage II"``.
        unit: What a sample is.
        epochs: Passes over the samples.
        first_epoch: Epochs of the stages before, so that negatives are drawn anew.
        dataset: Where the samples come from.
        indices: Which samples.
        parts: Names of the losses, the first of which is the total.
        losses: Given the network and a batch, the losses by name, each a mean over samples; without the total.
        total: What is minimised, of these.
        validate: Whether answers are scored after each epoch.
    """

    name: str
    unit: str
    epochs: int
    first_epoch: int
    dataset: MusicAVQA
    indices: Sequence[int]
    parts: tuple[str, ...]
    losses: Losses
    total: Callable[[Mapping[str, Tensor]], Tensor]
    validate: bool

    def videos_of(self, samples: Sequence[int]) -> list[str]:
        """The videos seen and heard in samples, each once."""
        data = self.dataset
        return list(dict.fromkeys(name for i in samples for name in (data.video_ids[i], data.audio_ids[i])))

    def shares(self, mine: Sequence[int], batch: Sequence[int], processes: int) -> dict[str, float]:
        """What the losses of a process count for, so that their mean over processes is the loss of the whole batch.

        Gradients are averaged over processes too, so they come out as those of one process that sees all of the batch,
        however unevenly it is shared.

        Args:
            mine: The samples of this process.
            batch: Those of all processes.
            processes: How many there are.
        """
        matched = self.dataset.matched
        of_all = processes * len(mine) / len(batch)
        of_matched = processes * int(matched[list(mine)].sum()) / max(1, int(matched[list(batch)].sum()))
        return {part: of_matched if part == "matching" else of_all for part in self.parts[1:]}


def make_stages(run: Run, splits: Splits) -> list[Stage]:
    """Stage I learns which sound and sight belong together, stage II to answer, starting from what stage I learned.

    Source: TJSTG (Jiang and Yin, 2023), section 3: Eqs. 21-22, then the whole objective. A stage without epochs is
    left out, and so are the frames of other videos where no loss needs them.
    """
    negatives = splits.negatives(run.seed) if run.stage_one_epochs or run.objective.needs_negatives else None
    stages = []
    if run.stage_one_epochs:
        dataset = splits.dataset("train", negatives)
        # A question that is heard with another video's sound shows no pair that belongs together.
        matched = [(place, record) for place, record in enumerate(dataset.records) if record.matched]
        first_of_video = {record.video_id: place for place, record in reversed(matched)}
        videos = sorted(first_of_video.values())
        if not videos:
            raise DataError(
                "stage I: expected train questions that are heard with their own video's sound, got none: leave the "
                "stage out (stage_one_epochs=0)"
            )
        parts: tuple[str, ...] = ("total", "matching")
        stages.append(
            Stage(
                "stage I",
                "video",
                run.stage_one_epochs,
                0,
                dataset,
                videos,
                parts,
                _pair_losses(),
                lambda losses: losses["matching"],
                validate=False,
            )
        )
    dataset = splits.dataset("train", negatives if run.objective.needs_negatives else None)
    questions = range(len(dataset))
    parts = ("total", "answer", *run.objective.parts)
    first = run.stage_one_epochs
    stages.append(
        Stage(
            "stage II",
            "question",
            run.epochs,
            first,
            dataset,
            questions,
            parts,
            _answer_losses(run, all(record.matched for record in dataset.records)),
            run.objective.total,
            validate=True,
        )
    )
    return stages


def _pair_losses() -> Losses:
    loss = PairMatchingLoss()

    def losses(model: Any, batch: Batch) -> dict[str, Tensor]:
        return {"matching": loss(model.pair(batch.audio, batch.visual, batch.negative))}

    return losses


def _answer_losses(run: Run, all_matched: bool) -> Losses:
    def losses(model: Any, batch: Batch) -> dict[str, Tensor]:
        out = model(batch.audio, batch.visual, batch.question, batch.negative)
        return run.objective.losses(out, batch.answer, matched=None if all_matched else batch.matched)

    return losses


class StageLosses(nn.Module):
    """A stage's losses as one call, whichever methods of the model it uses, as processes that share gradients need it.

    It is given samples and not tensors, which Fabric would convert to half precision, a whole bank of features too.
    """

    def __init__(self, model: Network, stage: Stage) -> None:
        super().__init__()
        self.model, self.losses, self.total = model, stage.losses, stage.total

    def forward(self, samples: Samples, shares: Mapping[str, float] | None = None) -> dict[str, Tensor]:
        """The losses by name, the total first.

        Args:
            samples: What to compute them of.
            shares: What each of them counts for, see :meth:`Stage.shares`; None where there is one process.
        """
        losses = self.losses(self.model, samples.make())
        if shares is not None:
            losses = {name: shares[name] * loss for name, loss in losses.items()}
        return {"total": self.total(losses), **losses}
