"""A model that is shown nothing: what the questions alone give away."""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from avground.blocks import QuestionEncoder
from avground.models.config import ModelSizes
from avground.models.network import Grounded, Network, uniform_weights
from avground.ops.spatial_grounding import Maps


class QuestionLSTM(Network):
    r"""Answers from the question alone.

    .. math:: y = \mathrm{Linear}(\tanh h_q)

    with :math:`h_q` the sentence feature of :class:`avground.QuestionEncoder`. Sound and picture are checked and not
    used, so what this model scores is what a data set's questions and answers give away between them. No row of the
    paper: it stands beside them as the learned counterpart of the template prior.

    Args:
        config: What it is built from; kept for checkpoints.
    """

    def __init__(self, config: ModelSizes) -> None:
        super().__init__(config)
        self.question = QuestionEncoder(config.vocabulary_size, config.dim)
        self.answer = nn.Linear(config.dim, config.answers)

    def forward(
        self,
        audio: Float[Tensor, "b t audio_dim"],
        visual: Maps,
        question: Int[Tensor, "b n"],
        negative: Maps | None = None,
    ) -> Grounded:
        """Answer one question about each clip without looking or listening.

        Args:
            audio: Sound features of t segments; only their shape counts.
            visual: Maps of the same segments; only their shape counts.
            question: Word indices, int64; 0 is padding and stands behind the words only.
            negative: Maps of other videos; only their shape counts, for there is no matching head.

        Returns:
            See :class:`Grounded`. Weights over segments and cells are uniform and those over words zero: nothing is
            chosen. ``match_logits`` is None.

        Raises:
            ShapeError: for example ``visual: expected (b=64, t=10, 512, h, w), got (64, 9, 512, 14, 14)``.
        """
        self.check(audio, visual, negative, question)
        asked = self.question(question)
        b, t, _, h, w = visual.shape
        segments = uniform_weights(audio, b, t)
        cells = uniform_weights(audio, b, t, h * w).unflatten(-1, (h, w))
        words = torch.zeros_like(asked.mask, dtype=segments.dtype)
        return Grounded(self.answer(torch.tanh(asked.sentence)), segments, segments, cells, words, None)


def question_lstm(
    *,
    vocabulary_size: int = 93,
    answers: int = 42,
    audio_dim: int = 128,
    visual_dim: int = 512,
    dim: int = 512,
    **changes: Any,
) -> QuestionLSTM:
    """An LSTM over the question, and nothing else.

    Args:
        vocabulary_size: Number of words, padding included.
        answers: Number of answers.
        audio_dim: Channels of the audio features.
        visual_dim: Channels of the visual maps.
        dim: Width of the model.
        **changes: None: this model has no other settings.

    Raises:
        ConfigError: for a setting that does not exist; it lists those that do.
    """
    sizes = {"vocabulary_size": vocabulary_size, "answers": answers, "audio_dim": audio_dim, "visual_dim": visual_dim}
    return QuestionLSTM(ModelSizes().change(**sizes, dim=dim, **changes))
