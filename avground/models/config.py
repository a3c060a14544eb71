"""The settings of a model as one frozen value, and the parts they stand for."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, Self

from torch import nn

from avground.blocks import (
    AudioVisualSpatialGrounding,
    DualStreamTemporalGrounding,
    JointTemporalGrounding,
    MaxTarget,
    MeanTarget,
    NoTarget,
    RelativeTemporalGrounding,
    SentenceTarget,
    TargetAware,
    TargetAwareSpatialGrounding,
    Temperature,
)
from avground.blocks.question import Padding
from avground.blocks.spatial import ThresholdUnit
from avground.blocks.target import SELECTIONS
from avground.blocks.temporal import ARRANGEMENTS, Order
from avground.errors import check_choice, check_not_negative, check_positive, check_whole
from avground.ops.spatial_grounding import COMBINES, NORMALIZES, SIMILARITIES, Combine, Normalize, Similarity

TargetName = Literal["hard", "straight_through", "soft", "mean", "max", "sentence"]

#: What the settings that are names can be.
CHOICES: Mapping[str, Iterable[object]] = {
    "target": (*SELECTIONS, "mean", "max", "sentence", None),
    "threshold_unit": ("absolute", "relative"),
    "combine": COMBINES,
    "normalize": NORMALIZES,
    "similarity": SIMILARITIES,
    "stream": ("joint", "dual", "relative"),
    "order": ARRANGEMENTS,
    "answer_activation": ("none", "tanh"),
    "padding": ("skip", "read"),
}


@dataclass(frozen=True, kw_only=True)
class ModelSizes:
    """The sizes that every model has: the number of words and of answers, the channels of its inputs, its width.

    Attributes:
        vocabulary_size: Number of words, padding included.
        answers: Number of answers.
        audio_dim: Channels of the audio features.
        visual_dim: Channels of the visual maps.
        dim: Width of the model.
    """

    vocabulary_size: int = 93
    answers: int = 42
    audio_dim: int = 128
    visual_dim: int = 512
    dim: int = 512

    def __post_init__(self) -> None:
        for field in fields(ModelSizes):
            check_whole(field.name, getattr(self, field.name))

    def change(self, **changes: Any) -> Self:
        """Return this config with some settings changed.

        Raises:
            ConfigError: for a setting that does not exist; it lists those that do.
        """
        names = [field.name for field in fields(self)]
        for name in changes:
            check_choice("model setting", name, names)
        return replace(self, **changes)


@dataclass(frozen=True, kw_only=True)
class ModelConfig(ModelSizes):
    """All that a model is built from; the defaults are TJSTG as the paper has it.

    Attributes:
        vocabulary_size: Number of words, padding included.
        answers: Number of answers.
        audio_dim: Channels of the audio features.
        visual_dim: Channels of the visual maps.
        dim: Width of the model.
        target: How the target is made of the words: ``"hard"``, ``"straight_through"`` or ``"soft"`` selection
            (:class:`avground.TargetAware`), ``"mean"``, ``"max"``, ``"sentence"`` (Table 4), or None: by sound alone.
        threshold: See :class:`avground.TargetAwareSpatialGrounding`, as for the next five.
        threshold_unit: ``"absolute"`` or ``"relative"``.
        combine: ``"product"`` or ``"sum"``.
        normalize: ``"softmax"`` or ``"sum"``.
        temperature: A number, or ``"learned"`` (from 0.1).
        similarity: ``"dot"`` or ``"cosine"``.
        stream: ``"joint"`` or ``"dual"`` (Table 7), or ``"relative"``: which temporal block, see
            :class:`avground.RelativeTemporalGrounding`.
        order: Of the joint stream (Table 6); see :class:`avground.JointTemporalGrounding`.
        heads: Heads of the temporal attention.
        dropout: Share dropped in the temporal block.
        answer_activation: ``"none"`` or ``"tanh"``; see :class:`avground.AnswerHead`.
        padding: ``"skip"`` or ``"read"``; see :class:`avground.QuestionEncoder`.

    Example:
        >>> from avground.models import ModelConfig, build
        >>> config = ModelConfig(dim=64, visual_dim=64).change(target="mean")  # a row of Table 4
        >>> build(config).target
        MeanTarget()
    """

    target: TargetName | None = "hard"
    threshold: float = 0.005
    threshold_unit: ThresholdUnit = "absolute"
    combine: Combine = "product"
    normalize: Normalize = "softmax"
    temperature: float | Literal["learned"] = 1.0
    similarity: Similarity = "dot"
    stream: Literal["joint", "dual", "relative"] = "joint"
    order: Order = "interleave_va"
    heads: int = 4
    dropout: float = 0.1
    answer_activation: Literal["none", "tanh"] = "none"
    padding: Padding = "skip"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole("heads", self.heads)
        for name, choices in CHOICES.items():
            check_choice(name, getattr(self, name), choices)
        check_not_negative("threshold", self.threshold)
        check_not_negative("dropout", self.dropout, below=1)
        if self.temperature != "learned":
            check_positive("temperature", self.temperature)


def target_block(config: ModelConfig) -> nn.Module:
    """Return the block that makes the target of the words."""
    match config.target:
        case None:
            return NoTarget()
        case "mean":
            return MeanTarget()
        case "max":
            return MaxTarget()
        case "sentence":
            return SentenceTarget()
        case selection:
            return TargetAware(selection)


def spatial_block(config: ModelConfig) -> nn.Module:
    """Return the block that grounds in space: target-aware if there is a target."""
    temperature = Temperature() if config.temperature == "learned" else config.temperature
    if config.target is None:
        return AudioVisualSpatialGrounding(
            config.dim, config.visual_dim, temperature=temperature, similarity=config.similarity
        )
    return TargetAwareSpatialGrounding(
        config.dim,
        config.visual_dim,
        threshold=config.threshold,
        threshold_unit=config.threshold_unit,
        combine=config.combine,
        normalize=config.normalize,
        temperature=temperature,
        similarity=config.similarity,
    )


def temporal_block(config: ModelConfig) -> nn.Module:
    """Return the block that grounds in time."""
    if config.stream == "dual":
        return DualStreamTemporalGrounding(config.dim, config.heads, dropout=config.dropout)
    block = {"joint": JointTemporalGrounding, "relative": RelativeTemporalGrounding}[config.stream]
    return block(config.dim, config.heads, order=config.order, dropout=config.dropout)
