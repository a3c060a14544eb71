"""The arithmetic of the authors' released networks, for their checkpoints and for comparison; not the paper's.

Where the released TJSTG departs from the paper, part by part: :class:`ReleasedQuestionEncoder`,
:class:`ReleasedTarget`, :class:`TimeMajorGrounding`, :class:`ReleasedTemporalGrounding`,
:class:`ReleasedSynchronyLoss`. The spatial grounding is :class:`avground.TargetAwareSpatialGrounding` with the sum of
the two weights, a threshold of 0.01 and cosines; sound, matching and answer are the blocks of every model here. The
released AVST is ``avst(padding="read")`` to the last weight.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from avground.blocks import AnswerHead, AudioEncoder, MatchHead, QuestionEncoder, TargetAwareSpatialGrounding
from avground.blocks.question import of_only_layer
from avground.blocks.spatial import Spatial, ground_each
from avground.blocks.target import Target
from avground.blocks.temporal import Temporal
from avground.errors import ConfigError, check_choice, check_not_negative, check_whole
from avground.models.avst import avst
from avground.models.config import ModelSizes
from avground.models.official import KEYS, read_official
from avground.models.tjstg import GroundingNetwork
from avground.ops.arrange import deinterleave, interleave
from avground.ops.spatial_grounding import Maps
from avground.ops.weights import at_least_float32
from avground.shapes import check_shapes

__all__ = [
    "ReleasedConfig",
    "ReleasedQuestionEncoder",
    "ReleasedSynchronyLoss",
    "ReleasedTarget",
    "ReleasedTemporalGrounding",
    "StageOne",
    "TimeMajorGrounding",
    "from_official",
    "tjstg_released",
]

Pairing = Literal["clip", "time_major"]
PAIRINGS: tuple[Pairing, ...] = ("clip", "time_major")


@dataclass(frozen=True, kw_only=True)
class ReleasedConfig(ModelSizes):
    """All that :func:`tjstg_released` builds from.

    Attributes:
        pairing: ``"clip"``: every segment is grounded by the question about its own clip. ``"time_major"``: as the
            released code trains; see :class:`TimeMajorGrounding`.
        heads: Heads of both attentions.
        dropout: Share dropped in the temporal block.
    """

    pairing: Pairing = "clip"
    heads: int = 4
    dropout: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("pairing", self.pairing, PAIRINGS)
        check_whole("heads", self.heads)
        check_not_negative("dropout", self.dropout, below=1)
        if self.dim % 2 or self.dim % self.heads:
            raise ConfigError(f"dim: expected an even multiple of heads={self.heads}, got {self.dim}")


class ReleasedQuestion(NamedTuple):
    """What :class:`ReleasedQuestionEncoder` returns.

    Shapes: ``states`` (b, n, c) at every word, padding included; ``sentence`` and ``cell`` state (b, c).
    """

    states: Tensor
    sentence: Tensor
    cell: Tensor


class ReleasedQuestionEncoder(QuestionEncoder):
    """The LSTM reads on through the padding; its states there count as words, and its last cell state is kept.

    Args:
        vocabulary_size: Number of words, padding included.
        dim: Width c.
    """

    def __init__(self, vocabulary_size: int, dim: int = 512) -> None:
        super().__init__(vocabulary_size, dim, padding="read")

    def forward(self, question: Int[Tensor, "b n"]) -> ReleasedQuestion:  # type: ignore[override]
        """Encode questions."""
        check_shapes(question=(question, "b n"))
        states, (hidden, cell) = self.lstm(torch.tanh(self.embedding(question)))
        hidden, cell = of_only_layer(hidden), of_only_layer(cell)
        return ReleasedQuestion(states, self.sentence(torch.tanh(torch.cat((hidden, cell), dim=-1))), cell)


class ReleasedTarget(nn.Module):
    r"""Takes the word that an attention of the LSTM's cell state weighs most, through an MLP.

    .. math:: idx = \arg\max_n \mathrm{MHA}(c_N, f_q, f_q)_n, \quad f_{tgt} = W_2 \, \mathrm{relu}(W_1 f_q[idx])

    The paper's query is the sentence feature and its target the word as it is (Eqs. 1-3). The attended feature is
    dropped, so no parameter of the attention ever gets a gradient; padding can be chosen.

    Args:
        dim: Width c.
        heads: Heads of the attention.
    """

    def __init__(self, dim: int = 512, heads: int = 4) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(dim, heads, dropout=0.2, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, dim))

    def forward(
        self, states: Float[Tensor, "b n c"], sentence: Float[Tensor, "b c"], cell: Float[Tensor, "b c"]
    ) -> Target:
        """Pick a word; the weights are those of the attention, after dropout in training."""
        _, weights = self.attention(cell[:, None], states, states)
        chosen = weights[:, 0].argmax(-1)
        return Target(self.mlp(states[torch.arange(states.shape[0], device=states.device), chosen]), weights[:, 0])


class TimeMajorGrounding(TargetAwareSpatialGrounding):
    """Grounds segments by the questions of other clips while it trains.

    The released code repeats the b targets time-major while the frames of a batch lie clip by clip: segment j of clip i
    is grounded by question (i t + j) mod b. Only about one segment in b meets its own question. The authors test one
    clip at a time, where all is right, so in evaluation mode every segment has the question about its clip.
    """

    def forward(
        self,
        audio: Float[Tensor, "b t c"],
        visual: Maps | tuple[Maps, ...],
        target: Float[Tensor, "b c"] | None = None,
    ) -> Spatial:
        """Ground every segment; arguments and errors as in :class:`avground.TargetAwareSpatialGrounding`."""
        if self.training and target is not None:
            b, t = audio.shape[:2]
            target = target[torch.arange(b * t, device=target.device).remainder(b).unflatten(0, (b, t))]
        return super().forward(audio, visual, target)


class ReleasedTemporalGrounding(nn.Module):
    """One attention over both encoded streams, and a mean of the streams *before* they are encoded.

    Where it departs from Eqs. 13-19: a feed-forward layer with residual and layer norm follows the attention; what is
    added is a linear layer of tanh of the mean inputs of the LSTMs; and the weights returned are two halves of one
    softmax, taken after dropout, so each sums to about 1/2.

    Args:
        dim: Width c; even.
        heads: Heads of the attention.
        dropout: Share dropped.
    """

    def __init__(self, dim: int = 512, heads: int = 4, *, dropout: float = 0.1) -> None:
        super().__init__()
        self.audio_lstm = nn.LSTM(dim, dim // 2, batch_first=True, bidirectional=True)
        self.visual_lstm = nn.LSTM(dim, dim // 2, batch_first=True, bidirectional=True)
        self.attention = nn.MultiheadAttention(dim, heads, dropout=dropout, batch_first=True)
        self.feed_forward = nn.Sequential(
            nn.Linear(dim, dim), nn.ReLU(), nn.Dropout(dropout), nn.Linear(dim, dim), nn.Dropout(dropout)
        )
        self.norm = nn.LayerNorm(dim)
        self.fuse = nn.Linear(2 * dim, dim)

    def forward(
        self, audio: Float[Tensor, "b t c"], visual: Float[Tensor, "b t c"], sentence: Float[Tensor, "b c"]
    ) -> Temporal:
        """Ground a clip in time."""
        both = interleave(self.visual_lstm(visual)[0], self.audio_lstm(audio)[0])
        attended, weights = self.attention(sentence[:, None], both, both)
        visual_weights, audio_weights = deinterleave(weights.transpose(1, 2))
        attended = self.norm(attended[:, 0] + self.feed_forward(attended[:, 0]))
        means = self.fuse(torch.tanh(torch.cat((audio.mean(1), visual.mean(1)), dim=-1)))
        return Temporal(attended + means, audio_weights[..., 0], visual_weights[..., 0])


class ReleasedSynchronyLoss(nn.Module):
    r"""What the released code minimises under the name of a Jensen-Shannon divergence. Not a divergence.

    .. math:: \frac{1}{T} \sum_t \left( m_t \log m_t - m_t^2 \right), \quad m = \tfrac12 (w_a + w_v)

    It calls ``kl_div(p, m)`` with probabilities where the function takes log-probabilities, for p = w_a and w_v, and
    halves the sum. Only the average of the two rows counts: it is negative, lowest where that average is uniform,
    and the same for rows that agree and rows that do not. Compare :class:`avground.CrossModalSynchronyLoss`.
    """

    def forward(self, audio_weights: Float[Tensor, "*b t"], visual_weights: Float[Tensor, "*b t"]) -> Float[Tensor, ""]:
        """Compute the loss of a batch.

        Raises:
            ShapeError: if the shapes differ.
        """
        check_shapes(audio_weights=(audio_weights, "*b t"), visual_weights=(visual_weights, "*b t"))
        average = at_least_float32(audio_weights + visual_weights) / 2
        logs = average.clamp(min=torch.finfo(average.dtype).tiny).log()
        return (average * logs - average.square()).mean()


def tjstg_released(
    *,
    vocabulary_size: int = 93,
    answers: int = 42,
    audio_dim: int = 128,
    visual_dim: int = 512,
    dim: int = 512,
    **changes: Any,
) -> GroundingNetwork:
    """TJSTG as its authors released it: other than the paper in a dozen places; see the module.

    Args:
        vocabulary_size: Number of words, padding included.
        answers: Number of answers.
        audio_dim: Channels of the audio features.
        visual_dim: Channels of the visual maps; equal to ``dim`` in what was released. Where it is not, the queries are
            projected to it.
        dim: Width of the model.
        **changes: Any other setting of :class:`ReleasedConfig`.

    Raises:
        ConfigError: for a setting that does not exist, or sizes that do not go together.

    Example:
        >>> import torch
        >>> from avground.models import tjstg_released
        >>> model = tjstg_released(visual_dim=64, dim=64)
        >>> out = model(torch.rand(2, 10, 128), torch.rand(2, 10, 64, 7, 7), torch.randint(1, 93, (2, 14)))
        >>> out.answer_logits.shape, out.cell_weights.shape
        (torch.Size([2, 42]), torch.Size([2, 10, 7, 7]))
    """
    sizes = {"vocabulary_size": vocabulary_size, "answers": answers, "audio_dim": audio_dim, "visual_dim": visual_dim}
    config = ReleasedConfig().change(**sizes, dim=dim, **changes)
    grounding = {"clip": TargetAwareSpatialGrounding, "time_major": TimeMajorGrounding}[config.pairing]
    return GroundingNetwork(
        config,
        question=ReleasedQuestionEncoder(vocabulary_size, dim),
        target=ReleasedTarget(dim, config.heads),
        audio=AudioEncoder(audio_dim, dim),
        spatial=grounding(dim, visual_dim, threshold=0.01, combine="sum", similarity="cosine"),
        temporal=ReleasedTemporalGrounding(dim, config.heads, dropout=config.dropout),
        answer=AnswerHead(dim, answers, activation="tanh"),
        match=MatchHead(dim),
    )


class Paired(NamedTuple):
    """What :class:`StageOne` returns: fields as in :class:`avground.models.Grounded`; there is no answer."""

    cell_weights: Tensor
    match_logits: Tensor | None


class StageOne(GroundingNetwork):
    """The network of AVST's first stage: whether sound and sight are of one video, grounding by sound alone.

    Its parts are those of :func:`avground.models.avst` under the same names:
    ``avst().load_state_dict(stage_one.state_dict(), strict=False)`` starts the second stage from it.
    """

    def __init__(self) -> None:
        whole, absent = avst(), nn.Identity()
        super().__init__(
            whole.config,
            question=absent,
            target=absent,
            audio=whole.audio,
            spatial=whole.spatial,
            temporal=absent,
            answer=absent,
            match=whole.match,
        )

    def forward(  # type: ignore[override]
        self,
        audio: Float[Tensor, "b t 128"],
        visual: Maps,
        question: Tensor | None = None,
        negative: Maps | None = None,
    ) -> Paired:
        """Match sound with the maps of its own video and of others.

        Args:
            audio: Sound features of t segments.
            visual: Maps of the same segments.
            question: Ignored: it is here so that this network is called like the others.
            negative: Maps of other videos.

        Raises:
            ShapeError: as for a call of any model.
        """
        self.check(audio, visual, negative)
        audio = self.audio(audio)
        maps = (visual,) if negative is None else (visual, negative)
        spatial, *others = ground_each(self.spatial, audio, maps, None)
        match = self._match(audio, spatial, *others) if others else None
        return Paired(spatial.weights, match)


def from_official(
    source: str | os.PathLike[str] | Mapping[str, Tensor],
    network: Literal["avst", "tjstg", "stage1"],
    *,
    vocabulary_size: int = 93,
    answers: int = 42,
) -> GroundingNetwork:
    """Load a checkpoint of the authors of AVST or TJSTG into a network of the same arithmetic.

    For example ``from_official("avst.pt", "avst")(audio, visual, question).answer_logits``. Words and answers are
    numbered as in the train file of MUSIC-AVQA that the checkpoint was trained on.

    Args:
        source: The file, or the parameters in it; keys may start with ``module.``. Nothing in a file is executed.
        network: ``"avst"``: the whole AVST, as ``avst(padding="read")``. ``"stage1"``: its first stage, as
            :class:`StageOne`. ``"tjstg"``: as :func:`tjstg_released`.
        vocabulary_size: Number of words of the checkpoint, padding included.
        answers: Number of its answers.

    Returns:
        The network in evaluation mode, on the CPU. Its ``ignored_keys`` are those of the file that no output depends
        on: layers that the official networks build and never call, and AVST's unused ResNet18 (``visual_net.*``).

    Raises:
        DataError: if the file is missing, damaged or holds more than parameters; if a parameter is missing, unknown,
            of another shape, or not finite. It names file and parameters, and the network that they rather belong to.
        ConfigError: for another ``network``.
    """
    check_choice("network", network, KEYS)
    sizes = {"vocabulary_size": vocabulary_size, "answers": answers}
    builders: Mapping[str, Callable[[], GroundingNetwork]] = {
        "avst": lambda: avst(**sizes, padding="read"),
        "tjstg": lambda: tjstg_released(**sizes),
        "stage1": StageOne,
    }
    model = builders[network]()
    state, model.ignored_keys = read_official(source, network, model.state_dict())
    model.load_state_dict(state)
    return model.eval()
