"""When: temporal grounding of the audio and the visual stream by the question."""

from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from avground.blocks.attention import QuestionAttention
from avground.blocks.temperature import Temperature
from avground.errors import ConfigError, check_choice
from avground.ops.arrange import concatenate, deinterleave, interleave, separate
from avground.ops.weights import at_least_float32, normalize_weights
from avground.shapes import check_shapes

Order = Literal["interleave_va", "interleave_av", "concat_va", "concat_av"]

_NOTHING = 1e-6


class Temporal(NamedTuple):
    r"""What the temporal blocks return.

    Shapes: ``context`` (\*b, c); ``audio_weights`` and ``visual_weights`` (\*b, t), each of which sums to 1.
    """

    context: Tensor
    audio_weights: Tensor
    visual_weights: Tensor


class _Arrangement(NamedTuple):
    """How two streams become one; ``split`` undoes ``merge``, on features and on weights of one channel alike."""

    merge: Callable[[Tensor, Tensor], Tensor]
    split: Callable[[Tensor], tuple[Tensor, Tensor]]
    audio_first: bool


ARRANGEMENTS: dict[Order, _Arrangement] = {
    "interleave_va": _Arrangement(interleave, deinterleave, audio_first=False),
    "interleave_av": _Arrangement(interleave, deinterleave, audio_first=True),
    "concat_va": _Arrangement(concatenate, separate, audio_first=False),
    "concat_av": _Arrangement(concatenate, separate, audio_first=True),
}


class JointTemporalGrounding(nn.Module):
    r"""One attention over both streams, so that a moment heard and a moment seen compete and agree.

    .. math::
        f_{av} = [v_1; a_1; \dots; v_T; a_T], \quad
        f_{att}, w = \mathrm{MHA}(h_q, f_{av}, f_{av}), \quad
        f_{avq} = f_{att} + \mathrm{MLP}\left(\tfrac{1}{2T} \sum f_{av}\right)

    where v and a are the streams encoded by a bidirectional LSTM each. The visual and the audio entries of w, each
    divided by their sum, are the weights returned: two distributions over time, as the divergence of Eq. 17 needs. (The
    printed Eqs. 18-19 index them the other way round than Eq. 13 does; Eq. 13 is followed. The released code keeps two
    halves of one softmax, which sum to about 1/2 each.)

    Source: TJSTG (Jiang and Yin, 2023), Eqs. 13-19.

    Args:
        dim: Width c of streams and question; even.
        heads: Heads of the attention.
        order: ``"interleave_va"`` (the paper), ``"interleave_av"``, ``"concat_va"`` or ``"concat_av"``
            (rows of Table 6).
        dropout: Share dropped in the attention and in the MLP.

    Example:
        >>> import torch
        >>> from avground import JointTemporalGrounding
        >>> audio, visual, sentence = torch.rand(2, 10, 64), torch.rand(2, 10, 64), torch.rand(2, 64)
        >>> found = JointTemporalGrounding(dim=64)(audio, visual, sentence)
        >>> found.context.shape, found.audio_weights.shape, found.visual_weights.shape
        (torch.Size([2, 64]), torch.Size([2, 10]), torch.Size([2, 10]))
    """

    def __init__(self, dim: int = 512, heads: int = 4, *, order: Order = "interleave_va", dropout: float = 0.1) -> None:
        super().__init__()
        check_choice("order", order, ARRANGEMENTS)
        if dim % 2:
            raise ConfigError(f"dim: expected an even number, for the two directions of the LSTMs, got {dim}")
        self.dim = dim
        self.order: Order = order
        self.audio_lstm = nn.LSTM(dim, dim // 2, batch_first=True, bidirectional=True)
        self.visual_lstm = nn.LSTM(dim, dim // 2, batch_first=True, bidirectional=True)
        self.attention = QuestionAttention(dim, heads, dropout=dropout)
        self.mlp = nn.Sequential(nn.Linear(dim, dim), nn.ReLU(), nn.Dropout(dropout), nn.Linear(dim, dim))

    def forward(
        self, audio: Float[Tensor, "*b t c"], visual: Float[Tensor, "*b t c"], sentence: Float[Tensor, "*b c"]
    ) -> Temporal:
        """Ground a clip in time.

        Args:
            audio: Sound feature of each segment.
            visual: Grounded visual feature of each segment.
            sentence: Sentence feature :math:`h_q`.

        Returns:
            The fused feature :math:`f_{avq}` and the weights of either stream.

        Raises:
            ShapeError: for example ``visual: expected (*b=(64,), t=10, 512), got (64, 9, 512)``.
        """
        _check(audio, visual, sentence, self.dim)
        arrangement = ARRANGEMENTS[self.order]
        streams = (_encode(self.visual_lstm, visual), _encode(self.audio_lstm, audio))
        both = arrangement.merge(*(streams[::-1] if arrangement.audio_first else streams))
        attended, weights = self.attention(sentence, both)
        first, second = arrangement.split(weights[..., None])
        audio_part, visual_part = (first, second) if arrangement.audio_first else (second, first)
        return Temporal(
            attended + self.mlp(both.mean(-2)),
            normalize_weights(audio_part[..., 0]),
            normalize_weights(visual_part[..., 0]),
        )

    def extra_repr(self) -> str:
        """The order, for ``print(model)``."""
        return f"order={self.order!r}"


class RelativeTemporalGrounding(JointTemporalGrounding):
    r"""The joint block, which also looks just before and just after the moments that the question is about.

    Of either stream x, as it comes in, k attentions find moments that fit the question, and for each the moments before
    and after them, the nearer the more:

    .. math::
        \alpha_k = \mathrm{softmax}_t\left(\frac{\cos(W_k h_q, W x_t)}{\theta}\right), \quad
        \beta_k(t) \propto \sum_{t' > t} \alpha_k(t') e^{-(t' - t - 1) / \lambda_k}, \quad
        \gamma_k(t) \propto \sum_{t' < t} \alpha_k(t') e^{-(t - t' - 1) / \lambda_k}

    Each of these 3 k weights pools x into one feature :math:`m_j`, and the question chooses among those of both
    streams, with either sign:

    .. math:: f_{avq} = f_{joint} + W_m \sum_j (W_g h_q)_j \, m_j

    Temperatures and ranges :math:`\lambda_k` (in segments) are learned. A question such as "which instrument sounds
    before the violin" needs this order, and an attention over the states of two LSTMs hardly ever learns it.

    Source: ours. The weights returned are those of :class:`JointTemporalGrounding`.

    Args:
        dim: Width c of streams and question; even.
        heads: Heads of the joint attention, and number k of the others.
        order: See :class:`JointTemporalGrounding`.
        dropout: Share dropped in the joint attention and in the MLP.

    Example:
        >>> import torch
        >>> from avground import RelativeTemporalGrounding
        >>> audio, visual, sentence = torch.rand(2, 10, 64), torch.rand(2, 10, 64), torch.rand(2, 64)
        >>> found = RelativeTemporalGrounding(dim=64)(audio, visual, sentence)
        >>> found.context.shape, found.audio_weights.shape, found.visual_weights.shape
        (torch.Size([2, 64]), torch.Size([2, 10]), torch.Size([2, 10]))
    """

    def __init__(self, dim: int = 512, heads: int = 4, *, order: Order = "interleave_va", dropout: float = 0.1) -> None:
        super().__init__(dim, heads, order=order, dropout=dropout)
        self.moments = nn.Linear(dim, heads * dim)
        self.audio_keys = nn.Linear(dim, dim)
        self.visual_keys = nn.Linear(dim, dim)
        self.temperature = Temperature()
        self.log_range = nn.Parameter(torch.logspace(0, 1, heads).log())
        self.choice = nn.Linear(dim, 2 * 3 * heads)
        self.value = nn.Linear(dim, dim)

    def forward(
        self, audio: Float[Tensor, "*b t c"], visual: Float[Tensor, "*b t c"], sentence: Float[Tensor, "*b c"]
    ) -> Temporal:
        """Ground a clip in time; arguments, result and errors as in :class:`JointTemporalGrounding`."""
        joint = super().forward(audio, visual, sentence)
        moments = self.moments(sentence).unflatten(-1, (-1, self.dim))
        streams = ((audio, self.audio_keys), (visual, self.visual_keys))
        pooled = [
            self._around(moments, keys(stream), temperature).to(stream.dtype) @ stream
            for (stream, keys), temperature in zip(streams, self.temperature(), strict=True)
        ]
        chosen = self.choice(sentence)[..., None, :] @ torch.cat(pooled, dim=-2)
        context = joint.context + self.value(chosen[..., 0, :])
        return Temporal(context, joint.audio_weights, joint.visual_weights)

    def _around(
        self, moments: Float[Tensor, "*b k c"], keys: Float[Tensor, "*b t c"], temperature: Float[Tensor, ""]
    ) -> Float[Tensor, "*b three_k t"]:
        """Weights of the moments asked for, of those before and of those after them."""
        cosines = nn.functional.normalize(moments, dim=-1) @ nn.functional.normalize(keys, dim=-1).transpose(-1, -2)
        at = (at_least_float32(cosines) / temperature).softmax(-1)
        segment = torch.arange(keys.shape[-2], device=keys.device)
        later = segment - segment[:, None]  # (t', t): by how much t is later than t'
        near = torch.exp((1 - later.abs()).clamp(max=0) / self.log_range.to(at.dtype).exp()[:, None, None])
        sides = torch.cat([(at[..., None] * near * side).sum(-2) for side in (later < 0, later > 0)], dim=-2)
        # At the start of a clip nothing is before: then the weights, and what they pool, are zero.
        return torch.cat((at, sides / sides.sum(-1, keepdim=True).clamp(min=_NOTHING)), dim=-2)


class DualStreamTemporalGrounding(nn.Module):
    r"""One attention for each stream, as in AVST.

    .. math::
        A_q = \mathrm{softmax}\left(\frac{h_q f_a^\top}{\sqrt d}\right), \quad
        V_q = \mathrm{softmax}\left(\frac{h_q f_v^\top}{\sqrt d}\right)

    Both are multi-head attentions with projections (AVST's notation, which TJSTG's Eqs. 8-9 follow, leaves these out);
    each attended feature goes through a feed-forward layer with residual and layer norm, gets the mean of its stream
    added, and both are fused: :math:`f_{avq} = FC(\tanh [\hat f_a; \hat f_v])`.

    Source: AVST (Li et al., 2022), Eqs. 3-6; TJSTG (Jiang and Yin, 2023), Eqs. 8-9 and "dual" of Table 7.

    Args:
        dim: Width c of streams and question.
        heads: Heads of each attention.
        dropout: Share dropped in attentions and feed-forward layers.

    Example:
        >>> import torch
        >>> from avground import DualStreamTemporalGrounding
        >>> audio, visual, sentence = torch.rand(2, 10, 64), torch.rand(2, 10, 64), torch.rand(2, 64)
        >>> found = DualStreamTemporalGrounding(dim=64)(audio, visual, sentence)
        >>> found.context.shape, found.audio_weights.shape, found.visual_weights.shape
        (torch.Size([2, 64]), torch.Size([2, 10]), torch.Size([2, 10]))
    """

    def __init__(self, dim: int = 512, heads: int = 4, *, dropout: float = 0.1) -> None:
        super().__init__()
        self.dim = dim
        self.audio = _StreamAttention(dim, heads, dropout)
        self.visual = _StreamAttention(dim, heads, dropout)
        self.fuse = nn.Linear(2 * dim, dim)

    def forward(
        self, audio: Float[Tensor, "*b t c"], visual: Float[Tensor, "*b t c"], sentence: Float[Tensor, "*b c"]
    ) -> Temporal:
        """Ground a clip in time; arguments, result and errors as in :class:`JointTemporalGrounding`."""
        _check(audio, visual, sentence, self.dim)
        heard, audio_weights = self.audio(sentence, audio)
        seen, visual_weights = self.visual(sentence, visual)
        return Temporal(self.fuse(torch.tanh(torch.cat((heard, seen), dim=-1))), audio_weights, visual_weights)


class _StreamAttention(nn.Module):
    """Attention of one stream, feed-forward layer, norm, and the stream's mean on top."""

    def __init__(self, dim: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.attention = QuestionAttention(dim, heads, dropout=dropout)
        self.feed_forward = nn.Sequential(
            nn.Linear(dim, dim), nn.ReLU(), nn.Dropout(dropout), nn.Linear(dim, dim), nn.Dropout(dropout)
        )
        self.norm = nn.LayerNorm(dim)

    def forward(self, sentence: Tensor, stream: Tensor) -> tuple[Tensor, Tensor]:
        attended, weights = self.attention(sentence, stream)
        return self.norm(attended + self.feed_forward(attended)) + stream.mean(-2), weights


def _encode(lstm: nn.LSTM, stream: Tensor) -> Tensor:
    states: Tensor = lstm(stream.flatten(0, -3) if stream.ndim > 2 else stream[None])[0]
    return states.reshape(stream.shape)


def _check(audio: Tensor, visual: Tensor, sentence: Tensor, dim: int) -> None:
    check_shapes(audio=(audio, f"*b t {dim}"), visual=(visual, f"*b t {dim}"), sentence=(sentence, f"*b {dim}"))
