"""TJSTG: find where and when the asked-for thing is seen and heard, and answer. Figure 3 of the paper."""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from avground.blocks import AnswerHead, AudioEncoder, MatchHead, QuestionEncoder
from avground.blocks.spatial import Spatial, ground_each
from avground.models.config import ModelConfig, ModelSizes, spatial_block, target_block, temporal_block
from avground.models.network import Grounded, Network
from avground.ops.spatial_grounding import Maps


class GroundingNetwork(Network):
    """The assembly that TJSTG and AVST share; the parts make the difference.

    Args:
        config: What the parts were built from; kept for checkpoints.
        question: Words to word features, sentence feature and mask.
        target: Word features to the feature of what is asked for.
        audio: Sound features to the model's width.
        spatial: Where: sound, map and target to a visual feature of each segment.
        temporal: When: both streams and the sentence to one feature of the clip.
        answer: That feature and the sentence to scores over answers.
        match: Sound and visual feature to whether they are of the same video.

    Attributes:
        ignored_keys: What :func:`avground.models.released.from_official` found in a file and had no use for.
    """

    ignored_keys: tuple[str, ...] = ()

    def __init__(
        self,
        config: ModelSizes,
        *,
        question: nn.Module,
        target: nn.Module,
        audio: nn.Module,
        spatial: nn.Module,
        temporal: nn.Module,
        answer: nn.Module,
        match: nn.Module,
    ) -> None:
        super().__init__(config)
        self.question = question
        self.target = target
        self.audio = audio
        self.spatial = spatial
        self.temporal = temporal
        self.answer = answer
        self.match = match

    def forward(
        self,
        audio: Float[Tensor, "b t audio_dim"],
        visual: Maps,
        question: Int[Tensor, "b n"],
        negative: Maps | None = None,
    ) -> Grounded:
        """Answer one question about each clip.

        Args:
            audio: Sound features of t segments.
            visual: Maps of the same segments, (b, t, c, h, w), as a tensor or as rows of a bank.
            question: Word indices, int64; 0 is padding and stands behind the words only.
            negative: Maps of other videos, for the matching loss.

        Returns:
            See :class:`Grounded`.

        Raises:
            ShapeError: for example ``visual: expected (b=64, t=10, 512, h, w), got (64, 9, 512, 14, 14)``.
        """
        self.check(audio, visual, negative, question)
        asked = self.question(question)
        target = self.target(*asked)
        audio = self.audio(audio)
        maps = (visual,) if negative is None else (visual, negative)
        spatial, *others = ground_each(self.spatial, audio, maps, target.feature)
        temporal = self.temporal(audio, spatial.feature, asked.sentence)
        answer = self.answer(temporal.context, asked.sentence)
        match = self._match(audio, spatial, *others) if others else None
        return Grounded(answer, temporal.audio_weights, temporal.visual_weights, spatial.weights, target.weights, match)

    def pair(
        self,
        audio: Float[Tensor, "b t audio_dim"],
        visual: Maps,
        negative: Maps,
    ) -> Float[Tensor, "2 b t 2"]:
        """Stage I: tell sound and sight of one video from sound and sight of two, grounding by sound alone.

        Args:
            audio: Sound features of t segments.
            visual: Maps of the same segments, (b, t, c, h, w), as a tensor or as rows of a bank.
            negative: Maps of other videos.

        Returns:
            ``match_logits`` of :class:`Grounded`.

        Raises:
            ShapeError: as for a call of the model.
        """
        self.check(audio, visual, negative)
        audio = self.audio(audio)
        return self._match(audio, *ground_each(self.spatial, audio, (visual, negative), None))

    def _match(self, audio: Tensor, *spatials: Spatial) -> Tensor:
        features = torch.stack([spatial.feature for spatial in spatials])
        logits: Tensor = self.match(audio.expand(features.shape), features)
        return logits


def build(config: ModelConfig) -> GroundingNetwork:
    """Build the model that a config describes; a setting of a part that it does not have changes nothing.

    Raises:
        ConfigError: for sizes that do not go together, such as heads that do not divide dim.
    """
    return GroundingNetwork(
        config,
        question=QuestionEncoder(config.vocabulary_size, config.dim, padding=config.padding),
        target=target_block(config),
        audio=AudioEncoder(config.audio_dim, config.dim),
        spatial=spatial_block(config),
        temporal=temporal_block(config),
        answer=AnswerHead(config.dim, config.answers, activation=config.answer_activation),
        match=MatchHead(config.dim),
    )


def tjstg(
    *,
    vocabulary_size: int = 93,
    answers: int = 42,
    audio_dim: int = 128,
    visual_dim: int = 512,
    dim: int = 512,
    **changes: Any,
) -> GroundingNetwork:
    """TJSTG as the paper has it (Jiang and Yin, 2023).

    Args:
        vocabulary_size: Number of words, padding included.
        answers: Number of answers.
        audio_dim: Channels of the audio features.
        visual_dim: Channels of the visual maps.
        dim: Width of the model.
        **changes: Any other setting of :class:`ModelConfig`, such as ``target="mean"``, a row of Table 4.

    Raises:
        ConfigError: for a setting that does not exist; it lists those that do.

    Example:
        >>> import torch
        >>> from avground.models import tjstg
        >>> model = tjstg(visual_dim=64, dim=64)
        >>> out = model(torch.rand(2, 10, 128), torch.rand(2, 10, 64, 7, 7), torch.randint(1, 93, (2, 14)))
        >>> out.answer_logits.shape, out.cell_weights.shape
        (torch.Size([2, 42]), torch.Size([2, 10, 7, 7]))
    """
    sizes = ModelConfig(
        vocabulary_size=vocabulary_size, answers=answers, audio_dim=audio_dim, visual_dim=visual_dim, dim=dim
    )
    return build(sizes.change(**changes))


def tjstg_sharp(
    *,
    vocabulary_size: int = 93,
    answers: int = 42,
    audio_dim: int = 128,
    visual_dim: int = 512,
    dim: int = 512,
    **changes: Any,
) -> GroundingNetwork:
    """TJSTG with a target that is learned and a grounding that can point and tell before from after: ours.

    Where it differs from :func:`tjstg`: the target is a weighted mean of the words, so that the choice gets a gradient;
    scores are cosines divided by learned temperatures; the product of the two weights is divided by its sum instead
    of going through a second softmax; and the temporal block also looks before and after the moments asked for
    (:class:`avground.RelativeTemporalGrounding`). Runs train it without the matching loss; see ``OBJECTIVES``.

    Args:
        vocabulary_size: Number of words, padding included.
        answers: Number of answers.
        audio_dim: Channels of the audio features.
        visual_dim: Channels of the visual maps.
        dim: Width of the model.
        **changes: Any other setting of :class:`ModelConfig`.

    Raises:
        ConfigError: for a setting that does not exist; it lists those that do.

    Example:
        >>> import torch
        >>> from avground.models import tjstg_sharp
        >>> model = tjstg_sharp(visual_dim=64, dim=64)
        >>> out = model(torch.rand(2, 10, 128), torch.rand(2, 10, 64, 7, 7), torch.randint(1, 93, (2, 14)))
        >>> out.answer_logits.shape, out.cell_weights.shape
        (torch.Size([2, 42]), torch.Size([2, 10, 7, 7]))
    """
    ours = {
        "target": "soft",
        "threshold": 0.0,
        "normalize": "sum",
        "temperature": "learned",
        "similarity": "cosine",
        "stream": "relative",
    }
    sizes = {"vocabulary_size": vocabulary_size, "answers": answers, "audio_dim": audio_dim, "visual_dim": visual_dim}
    return tjstg(**sizes, dim=dim, **{**ours, **changes})
