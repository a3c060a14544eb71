"""AVSD: factor-graph attention over sounds, cells and words, then an LSTM over what was attended to. Our port."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from avground.blocks import AudioEncoder
from avground.blocks.question import check_words
from avground.errors import ConfigError, check_not_negative
from avground.models.config import ModelSizes
from avground.models.network import Grounded, Network, uniform_weights
from avground.ops.spatial_grounding import Maps, as_tensor
from avground.ops.weights import at_least_float32, masked_softmax


@dataclass(frozen=True, kw_only=True)
class AVSDConfig(ModelSizes):
    """All that :class:`AVSD` is built from.

    Attributes:
        vocabulary_size: Number of words, padding included.
        answers: Number of answers.
        audio_dim: Channels of the audio features.
        visual_dim: Channels of the visual maps.
        dim: Width of the model; even, for the LSTM over what was attended to is half as wide.
        dropout: Share dropped before the answer.
    """

    dropout: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        check_not_negative("dropout", self.dropout, below=1)
        if self.dim % 2:
            raise ConfigError(f"dim: expected an even number, for an LSTM of half the width, got {self.dim}")


class Attention(NamedTuple):
    """What :class:`FactorGraphAttention` returns: weights over the elements of every utility.

    Shapes: ``audio`` (b, t), ``cells`` (b, t, s), ``words`` (b, n), zero at padding.
    """

    audio: Tensor
    cells: Tensor
    words: Tensor


class _Utility(nn.Module):
    """The parameters of one utility, whose elements come in g groups of n; a mean is over all groups.

    ``embed`` holds the matrices of its pairwise factors side by side: the left one of the factor with itself, one for
    each other utility, and the right one of the factor with itself.
    """

    def __init__(self, width: int, dim: int, others: int = 2) -> None:
        super().__init__()
        self.factors = 2 + others
        self.embed = nn.Linear(width, self.factors * dim)
        # The last layer has no bias: it would move all scores alike, which no softmax sees.
        self.unary = nn.Sequential(nn.Linear(width, dim), nn.ReLU(), nn.Linear(dim, 1, bias=False))
        self.mix = nn.Parameter(torch.ones(self.factors))

    def means(
        self, elements: Float[Tensor, "b g n width"], mask: Bool[Tensor, "b g n"]
    ) -> tuple[Float[Tensor, "b g n factors"], Float[Tensor, "b g factors_1 c"]]:
        """Lengths of all embeddings, and in each group the means of those of unit length, all but the left one.

        A mean of embeddings is the embedding of a mean, so the unit vectors are never made.
        """
        # One factor after the other: four small buffers cost a fraction of one large one.
        weights, biases = self._by_factor()
        embedded = (nn.functional.linear(elements, *parameters) for parameters in zip(weights, biases, strict=True))
        lengths = torch.stack([torch.linalg.vector_norm(vectors, dim=-1) for vectors in embedded], dim=-1)
        lengths = at_least_float32(lengths)
        lengths = lengths.masked_fill(lengths < torch.finfo(lengths.dtype).tiny, 1)
        counts = mask.sum(-1, keepdim=True).clamp(min=1)
        share = (mask[..., None] / (counts[..., None] * lengths[..., 1:])).to(elements.dtype)
        weight, bias = (parameter[1:] for parameter in self._by_factor())
        pooled = elements.transpose(-1, -2) @ share
        return lengths, torch.einsum("bgwk,kcw->bgkc", pooled, weight) + share.sum(-2)[..., None] * bias

    def scores(
        self,
        elements: Float[Tensor, "b g n width"],
        lengths: Float[Tensor, "b g n factors"],
        means: Float[Tensor, "b g factors_1 c"],
    ) -> Float[Tensor, "b g n"]:
        """Potentials of all elements, mixed; ``means`` are those that the factors compare with, its own first."""
        weight, bias = (parameter[:-1] for parameter in self._by_factor())
        queries = torch.einsum("bgkc,kcw->bgwk", means, weight)
        products = elements @ queries + (means * bias).sum(-1)[:, :, None]
        potentials = torch.cat((self.unary(elements), products / lengths[..., :-1]), dim=-1)
        return potentials @ self.mix.to(potentials.dtype)

    def _by_factor(self) -> list[Tensor]:
        return [parameter.unflatten(0, (self.factors, -1)) for parameter in (self.embed.weight, self.embed.bias)]


class FactorGraphAttention(nn.Module):
    r"""Weights over the elements of three utilities, each by what it is, its fellows and the other utilities.

    .. math::
        s_\alpha(x) = m_\alpha^0 \, u_\alpha^\top \mathrm{relu}(U_\alpha x)
        + m_\alpha^\alpha \, \overline{L_\alpha x} \cdot \frac{1}{|\alpha|} \sum_{y \in \alpha} \overline{R_\alpha y}
        + \sum_{\beta \ne \alpha} m_\alpha^\beta \, \overline{E_\alpha^\beta x} \cdot
          \frac{1}{|\beta|} \sum_{y \in \beta} \overline{E_\beta^\alpha y}, \quad
        w_\alpha = \mathrm{softmax}(s_\alpha)

    with capital letters for affine maps, bars for vectors of unit length and learned numbers m, 1 at the start. The
    utilities are the segments of sound, the cells of the map of each segment, and the words. Every segment's map is a
    utility of its own, with parameters in common: its softmax and its factor with itself are over its own cells, sound
    and words see the cells of all maps together, and there is no factor between two maps. Padding is no word: it has no
    weight and is in no mean.

    Source: Schwartz et al., "Factor Graph Attention" and "A Simple Baseline for Audio-Visual Scene-Aware Dialog" (both
    CVPR 2019). The code of the latter takes four frames, each with parameters of its own and with factors between
    them, drops half of each unary potential's inner features, and marks the last word by a potential that is given.

    Args:
        audio_dim: Channels of the segments of sound.
        visual_dim: Channels of the cells.
        question_dim: Channels of the words.
        dim: Width of the embeddings.
    """

    def __init__(self, audio_dim: int, visual_dim: int, question_dim: int, dim: int) -> None:
        super().__init__()
        self.audio = _Utility(audio_dim, dim)
        self.cells = _Utility(visual_dim, dim)
        self.words = _Utility(question_dim, dim)

    def forward(
        self,
        audio: Float[Tensor, "b t audio_dim"],
        cells: Float[Tensor, "b t s visual_dim"],
        words: Float[Tensor, "b n question_dim"],
        mask: Bool[Tensor, "b n"],
    ) -> Attention:
        """Weigh all elements.

        Args:
            audio: Segments of sound.
            cells: Cells of the map of each segment, channels last.
            words: Word features.
            mask: True at real words.

        Returns:
            See :class:`Attention`.
        """
        utilities = (self.audio, self.cells, self.words)
        elements = [audio[:, None], cells, words[:, None]]
        masks = [torch.ones_like(x[..., 0], dtype=torch.bool) for x in elements[:2]] + [mask[:, None]]
        embedded = [utility.means(x, m) for utility, x, m in zip(utilities, elements, masks, strict=True)]
        overall = [means[..., :-1, :].mean(1, keepdim=True) for _, means in embedded]
        weights = []
        for i, utility in enumerate(utilities):
            lengths, means = embedded[i]
            # Of another utility the mean of what it has for this one, which is number i among the others of those
            # before it in the list, and number i - 1 among those of the ones behind it.
            others = [overall[j][:, :, i - (j < i)] for j in range(len(overall)) if j != i]
            compared = [means[:, :, -1], *(other.expand(-1, means.shape[1], -1) for other in others)]
            scores = utility.scores(elements[i], lengths, torch.stack(compared, dim=2))
            weights.append(masked_softmax(scores, masks[i]))
        return Attention(weights[0][:, 0], weights[1], weights[2][:, 0])


class AVSD(Network):
    r"""AVSD (Schwartz et al., CVPR 2019) for one question about a clip: a port.

    .. math::
        \hat a, \hat v_1, \dots, \hat v_T, \hat q = \text{attended sound, maps and question}, \quad
        h = \mathrm{LSTM}(\hat a, \hat v_1, \dots, \hat v_T), \quad
        y = \mathrm{MLP}([\hat q; h_{T + 1}])

    Attended is what the weights of :class:`FactorGraphAttention` sum up to, whose embeddings are half as wide as the
    model; words are the states of an LSTM, as in the original. The original's history of a dialog and its decoder have
    no counterpart here.

    A port: the code behind the published 67.32 was never released. What it reaches here is what this construction does
    with these features and this training, and not what that code would.

    Args:
        config: What it is built from; kept for checkpoints.
    """

    def __init__(self, config: AVSDConfig) -> None:
        super().__init__(config)
        dim = config.dim
        self.embedding = nn.Embedding(config.vocabulary_size, dim)
        self.question = nn.LSTM(dim, dim, batch_first=True)
        self.audio = AudioEncoder(config.audio_dim, dim)
        self.attention = FactorGraphAttention(dim, config.visual_dim, dim, dim // 2)
        self.visual = nn.Linear(config.visual_dim, dim)
        self.sequence = nn.LSTM(dim, dim // 2, batch_first=True)
        self.answer = nn.Sequential(
            nn.Linear(dim + dim // 2, dim), nn.ReLU(), nn.Dropout(config.dropout), nn.Linear(dim, config.answers)
        )

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
            visual: Maps of the same segments.
            question: Word indices, int64; 0 is padding and stands behind the words only.
            negative: Maps of other videos; only their shape counts, for there is no matching head.

        Returns:
            See :class:`Grounded`. ``visual_weights`` are uniform: every frame enters the LSTM once.
            ``target_weights`` are those over words, and ``match_logits`` is None.

        Raises:
            ShapeError: for example ``visual: expected (b=64, t=10, 512, h, w), got (64, 9, 512, 14, 14)``.
        """
        self.check(audio, visual, negative, question)
        visual = as_tensor(visual, audio)
        check_words(question)
        cells = visual.flatten(-2).transpose(-1, -2).contiguous()  # read many times
        audio = self.audio(audio)
        words, _ = self.question(torch.tanh(self.embedding(question)))  # padding stands behind, so no word reads it
        weights = self.attention(audio, cells, words, question != 0)
        heard, frames, asked = (_attend(w, x) for w, x in zip(weights, (audio, cells, words), strict=True))
        states, _ = self.sequence(torch.cat((heard[:, None], self.visual(frames)), dim=1))
        answer = self.answer(torch.cat((asked, states[:, -1]), dim=-1))
        grounded = weights.cells.unflatten(-1, visual.shape[-2:])
        return Grounded(answer, weights.audio, uniform_weights(audio, *audio.shape[:2]), grounded, weights.words, None)


def _attend(weights: Float[Tensor, "*b n"], elements: Float[Tensor, "*b n c"]) -> Float[Tensor, "*b c"]:
    return (weights.to(elements.dtype)[..., None, :] @ elements)[..., 0, :]


def avsd(
    *,
    vocabulary_size: int = 93,
    answers: int = 42,
    audio_dim: int = 128,
    visual_dim: int = 512,
    dim: int = 512,
    **changes: Any,
) -> AVSD:
    """AVSD, the first row of TJSTG's Table 1: a port, see :class:`AVSD`.

    Args:
        vocabulary_size: Number of words, padding included.
        answers: Number of answers.
        audio_dim: Channels of the audio features.
        visual_dim: Channels of the visual maps.
        dim: Width of the model.
        **changes: Any other setting of :class:`AVSDConfig`.

    Raises:
        ConfigError: for a setting that does not exist; it lists those that do. For a dim that is odd.

    Example:
        >>> import torch
        >>> from avground.models import avsd
        >>> model = avsd(visual_dim=64, dim=64)
        >>> out = model(torch.rand(2, 10, 128), torch.rand(2, 10, 64, 7, 7), torch.randint(1, 93, (2, 14)))
        >>> out.answer_logits.shape, out.cell_weights.shape
        (torch.Size([2, 42]), torch.Size([2, 10, 7, 7]))
    """
    sizes = {"vocabulary_size": vocabulary_size, "answers": answers, "audio_dim": audio_dim, "visual_dim": visual_dim}
    return AVSD(AVSDConfig().change(**sizes, dim=dim, **changes))
