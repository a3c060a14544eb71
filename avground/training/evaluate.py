"""Evaluation: every question is answered once, however many processes share the work."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Literal, cast

import numpy as np
import torch
from lightning.fabric import Fabric
from lightning.fabric.wrappers import is_wrapped
from torch import Tensor, nn

from avground.data import Bank, Batch, MusicAVQA, Record
from avground.data.pocket import Truth
from avground.errors import ConfigError, DataError, check_choice
from avground.training.attention import AttentionMetric
from avground.training.batches import find_source
from avground.training.grounding import GroundingMetric, masks_of
from avground.training.metrics import Scores, score

Shuffle = Literal["audio", "visual"]
Show = Callable[[Iterable[Batch], int], Iterable[Batch]]


@dataclass(frozen=True)
class Evaluation(Scores):
    """What a model scores.

    Attributes:
        accuracy: See :class:`avground.training.Scores`.
        count: See :class:`avground.training.Scores`.
        predicted: The answer given to each question, in the order of the records.
        grounding: What :class:`avground.training.GroundingMetric` found; empty where the truth is not known.
        attention: What :class:`avground.training.AttentionMetric` found.
    """

    predicted: tuple[str, ...] = ()
    grounding: dict[str, dict[str, float | int]] = field(default_factory=dict)
    attention: dict[str, dict[str, float | int]] = field(default_factory=dict)


def evaluate(
    model: nn.Module,
    dataset: MusicAVQA,
    *,
    fabric: Fabric | None = None,
    batch_size: int = 64,
    workers: int = 0,
    shuffle: Shuffle | None = None,
    seed: int = 0,
    truth: Truth | None = None,
    show: Show | None = None,
    bank: Bank | None = None,
) -> Evaluation:
    """Answer every question of a data set once, and score the answers.

    Args:
        model: A model as :mod:`avground.models` builds it, plain or set up by ``fabric``; it is left in the mode
            (training or evaluation) that it was in.
        dataset: The questions. Negatives are not used; give a data set without them.
        fabric: Shares the work among processes; None for this process and the device that the model is on.
        batch_size: Questions at once, in each process; changes what is found no more than rounding does.
        workers: Processes that read features from disk.
        shuffle: ``"audio"`` gives every video the sound of another one, ``"visual"`` the pictures: what a model still
            answers then it does not take from there.
        seed: Decides which other video.
        truth: What is so in the videos, to measure grounding; not together with ``shuffle``.
        show: Wraps the batches, of which it is told the number, to show progress.
        bank: Features in memory. If it holds all that the questions need, none are read, and where it lies on the
            model's device the model is given :class:`avground.ops.MapRows` of it.

    Raises:
        ConfigError: for another ``shuffle``, or one together with ``truth``.
        DataError: if there is only one video to shuffle, or ``truth`` does not know a question.
    """
    check_choice("shuffle", shuffle, (None, "audio", "visual"))
    if shuffle is not None:
        if truth is not None:
            raise ConfigError("truth: expected None together with shuffle: the truth is about videos as they are")
        records = shuffle_videos(dataset.records, shuffle, seed)
        dataset = MusicAVQA(
            records,
            dataset.features,
            dataset.vocabulary,
            question_length=dataset.question_length,
            progress=False,
            unknown_words=dataset.unknown_words,
        )
    fabric = _fabric_for(model) if fabric is None else fabric
    metric = None if truth is None else _metric(dataset, truth, fabric)
    attention = AttentionMetric().to("cpu" if fabric.device.type == "mps" else fabric.device)  # it needs float64
    # Wrapped for several processes, it would expect as many batches in each.
    plain = cast(nn.Module, model.module) if is_wrapped(model) else model
    was_training = plain.training
    predicted = torch.full((len(dataset),), -1, dtype=torch.int64, device=fabric.device)
    mine = range(fabric.global_rank, len(dataset), fabric.world_size)
    batches = [list(mine[first : first + batch_size]) for first in range(0, len(mine), batch_size)]
    source = find_source(bank, dataset, fabric, workers)
    loader: Iterable[Batch] = (samples.make() for samples in source.batches(dataset, batches))
    try:
        plain.eval()
        with torch.inference_mode(), fabric.autocast():
            for batch in show(loader, len(batches)) if show else loader:
                out = plain(batch.audio, batch.visual, batch.question)
                predicted[batch.index] = out.answer_logits.argmax(-1)
                attention.update(out, (batch.question != 0).sum(-1))
                if metric is not None:
                    metric.update(out, batch.index)
    finally:
        plain.train(was_training)
    # Each question is answered by exactly one process; the others hold -1 for it.
    together = reduce(fabric, predicted, "max").cpu()
    answers = torch.tensor([dataset.vocabulary.answer_index(record.answer) for record in dataset.records])
    choices = dataset.vocabulary.answers
    scores = score(together, answers, [record.type for record in dataset.records], len(choices))
    names = tuple(choices[number] for number in together.tolist())
    grounding = {} if metric is None else metric.compute()
    return Evaluation(scores.accuracy, scores.count, names, grounding, attention.compute())


def reduce(fabric: Fabric, tensor: Tensor, how: Literal["max", "mean"]) -> Tensor:
    """One tensor of the tensors of all processes."""
    return cast(Tensor, fabric.all_reduce(tensor, reduce_op=how))


def shuffle_videos(records: Iterable[Record], what: Shuffle, seed: int = 0) -> list[Record]:
    """The same questions, with the sound or the pictures of another video: never of their own.

    Args:
        records: The questions.
        what: ``"audio"`` or ``"visual"``.
        seed: Decides which other video; the same one for all questions about a video.

    Raises:
        DataError: if there is only one video.
    """
    records = list(records)
    videos = list(dict.fromkeys(record.video_id for record in records))
    if len(videos) < 2:
        raise DataError(f"records: expected at least 2 videos to shuffle, got {len(videos)}")
    order = np.random.Generator(np.random.PCG64(seed)).permutation(len(videos))
    # Each takes the place of its successor on one ring through all of them, so none keeps its own.
    other = {videos[a]: videos[b] for a, b in zip(order, np.roll(order, -1), strict=True)}
    if what == "audio":
        return [replace(record, audio_id=other[record.video_id]) for record in records]
    return [replace(record, video_id=other[record.video_id], audio_id=record.heard_id) for record in records]


def _metric(dataset: MusicAVQA, truth: Truth, fabric: Fabric) -> GroundingMetric:
    metric = GroundingMetric(
        masks_of(dataset.records, truth, dataset.features.segments, dataset.features.visual_shape[1:])
    )
    return metric.to(fabric.device)


def _fabric_for(model: nn.Module) -> Fabric:
    device: torch.device = next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
    devices: Any = 1 if device.type == "cpu" else [device.index or 0]
    return Fabric(accelerator=device.type, devices=devices)
