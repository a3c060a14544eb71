"""Transformer streams of sound, picture and language, and layers in which they look at each other in a circle."""

from collections.abc import Sequence
from typing import NamedTuple, cast

import torch
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn

from avground.ops.weights import at_least_float32, masked_softmax


class Streams(NamedTuple):
    """One of each stream: tokens (b, tokens, c), or weights of each stream's first token over those it looked at."""

    audio: Tensor
    visual: Tensor
    language: Tensor


class TokenAttention(nn.Module):
    r"""Multi-head attention of one stream's tokens over a stream's, whose weights nothing drops.

    .. math::
        w = \mathrm{softmax}\left(\frac{(x W_q)(y W_k)^\top}{\sqrt{c / heads}}\right), \quad
        z = [\dots; w^{(head)} (y W_v^{(head)}); \dots] W_o

    :class:`torch.nn.MultiheadAttention` returns weights after dropout, drops some of them at a cost that on a CPU
    exceeds all the rest, and takes no empty batch with padding.

    Source: Vaswani et al., "Attention Is All You Need" (2017).

    Args:
        dim: Width c of the tokens.
        heads: Heads; divides ``dim``.
    """

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(dim, dim)
        self.key_value = nn.Linear(dim, 2 * dim)
        self.out = nn.Linear(dim, dim)

    def forward(
        self, tokens: Float[Tensor, "b k c"], seen: Float[Tensor, "b m c"], padding: Bool[Tensor, "b m"] | None = None
    ) -> Float[Tensor, "b k c"]:
        """Attend.

        Args:
            tokens: Tokens that look.
            seen: Tokens they look at.
            padding: True at those of ``seen`` that are none.
        """
        mask = None if padding is None else ~padding[:, None, None]
        query, key, value = self._project(tokens, seen)
        return self._join(nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=mask))

    def with_weights(
        self, tokens: Float[Tensor, "b k c"], seen: Float[Tensor, "b m c"], padding: Bool[Tensor, "b m"] | None = None
    ) -> tuple[Float[Tensor, "b k c"], Float[Tensor, "b k m"]]:
        """As a call, and the weights of each token over those seen, averaged over heads."""
        query, key, value = self._project(tokens, seen)
        scores = at_least_float32(query @ key.transpose(-1, -2)) * key.shape[-1] ** -0.5
        mask = torch.ones_like(scores, dtype=torch.bool) if padding is None else ~padding[:, None, None]
        weights = masked_softmax(scores, mask)
        return self._join(weights.to(value.dtype) @ value), weights.mean(1)

    def _project(self, tokens: Tensor, seen: Tensor) -> list[Tensor]:
        parts = (self.query(tokens), *self.key_value(seen).chunk(2, dim=-1))
        return [rearrange(part, "b k (heads c) -> b heads k c", heads=self.heads) for part in parts]

    def _join(self, attended: Tensor) -> Tensor:
        joined: Tensor = self.out(rearrange(attended, "b heads k c -> b k (heads c)"))
        return joined


class _FeedForward(nn.Module):
    """Two layers as wide as the tokens, normalised in front, with a sum around them."""

    def __init__(self, dim: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.LayerNorm(dim), nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, dim), nn.Dropout(dropout)
        )

    def forward(self, tokens: Tensor) -> Tensor:
        after: Tensor = tokens + self.layers(tokens)
        return after


class SelfAttentionLayer(nn.Module):
    r"""A stream looks at itself.

    .. math:: x' = x + \mathrm{MHA}(\bar x, \bar x, \bar x), \quad x'' = x' + \mathrm{FFN}(\bar x')

    with bars for layer normalisation.

    Args:
        dim: Width c of the stream.
        heads: Heads; divides ``dim``.
        dropout: Share dropped behind the feed-forward layers.
    """

    def __init__(self, dim: int, heads: int, *, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.attention = TokenAttention(dim, heads)
        self.feed_forward = _FeedForward(dim, dropout)

    def forward(self, tokens: Float[Tensor, "b k c"], padding: Bool[Tensor, "b k"] | None = None) -> Tensor:
        """Let every token look at all that are no padding."""
        normed = self.norm(tokens)
        after: Tensor = self.feed_forward(tokens + self.attention(normed, normed, padding))
        return after


class CyclicLayer(nn.Module):
    r"""Sound looks at the picture, the picture at language, language at sound.

    .. math::
        a' = a + \mathrm{MHA}(\bar a, \bar v, \bar v), \quad
        v' = v + \mathrm{MHA}(\bar v, \bar l, \bar l), \quad
        l' = l + \mathrm{MHA}(\bar l, \bar a, \bar a)

    with bars for layer normalisation: all three look at what the streams were before the layer. Feed-forward layers
    follow in each, as in :class:`SelfAttentionLayer`.

    Source: Yun et al., "Pano-AVQA" (ICCV 2021), whose layers have self-attention in between, are four times as wide
    inside and normalise behind each sum; normalising in front trains without a warm-up.

    Args:
        dim: Width c of the streams.
        heads: Heads; divides ``dim``.
        dropout: Share dropped behind the feed-forward layers.
    """

    def __init__(self, dim: int, heads: int, *, dropout: float) -> None:
        super().__init__()
        self.norm = nn.ModuleList(nn.LayerNorm(dim) for _ in Streams._fields)
        self.attention = nn.ModuleList(TokenAttention(dim, heads) for _ in Streams._fields)
        self.feed_forward = nn.ModuleList(_FeedForward(dim, dropout) for _ in Streams._fields)

    def forward(self, streams: Streams, padding: Bool[Tensor, "b tl"]) -> Streams:
        """Go once around.

        Args:
            streams: The tokens of the three streams.
            padding: True at tokens of language that stand for no word.

        Returns:
            What the tokens become.
        """
        normed, others = self._looks(streams, padding)
        looks = zip(self.attention, normed, others, strict=True)
        return self._add(streams, [attention(x, *other) for attention, x, other in looks])

    def first_tokens(self, streams: Streams, padding: Bool[Tensor, "b tl"]) -> tuple[Streams, Streams]:
        """What the layer makes of each stream's first token alone, and how that weighs the tokens it looks at.

        Args:
            streams: The tokens of the three streams.
            padding: True at tokens of language that stand for no word.

        Returns:
            The first tokens (b, c) of the streams after the layer; and for each stream the weights of its first token
            over all tokens of the stream that it looks at (b, tokens), averaged over heads.
        """
        normed, others = self._looks(streams, padding)
        seen, weights = [], []
        for attention, tokens, other in zip(self.attention, normed, others, strict=True):
            attended, rows = cast(TokenAttention, attention).with_weights(tokens[:, :1], *other)
            seen.append(attended)
            weights.append(rows[:, 0])
        after = self._add([stream[:, :1] for stream in streams], seen)
        return Streams(*(tokens[:, 0] for tokens in after)), Streams(*weights)

    def _looks(self, streams: Streams, padding: Tensor) -> tuple[list[Tensor], list[tuple[Tensor, Tensor | None]]]:
        """The streams normalised, and for each the one behind it, which it looks at, with that one's padding."""
        normed = [norm(stream) for norm, stream in zip(self.norm, streams, strict=True)]
        audio, visual, language = normed
        return normed, [(visual, None), (language, padding), (audio, None)]

    def _add(self, streams: Sequence[Tensor], seen: Sequence[Tensor]) -> Streams:
        sums = zip(self.feed_forward, streams, seen, strict=True)
        return Streams(*(feed_forward(stream + look) for feed_forward, stream, look in sums))


class Stream(nn.Module):
    """Features as tokens: normalised, told their positions, behind a first token that is learned; then self-attention.

    Args:
        dim: Width c of the stream.
        heads: Heads; divides ``dim``.
        layers: Number of :class:`SelfAttentionLayer`.
        dropout: Share dropped.
    """

    def __init__(self, dim: int, heads: int, *, layers: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.first = nn.Parameter(torch.randn(dim))
        self.layers = nn.ModuleList(SelfAttentionLayer(dim, heads, dropout=dropout) for _ in range(layers))

    def forward(
        self,
        features: Float[Tensor, "b k c"],
        positions: Float[Tensor, "k c"],
        padding: Bool[Tensor, "b k_1"] | None = None,
    ) -> Float[Tensor, "b k_1 c"]:
        """Make the tokens, and let each look at all.

        Args:
            features: What the tokens stand for.
            positions: Where they stand; the same for every clip.
            padding: True at tokens that stand for nothing, the first token counted.
        """
        tokens: Tensor = self.norm(features) + positions.to(features.dtype)
        tokens = torch.cat((self.first.to(tokens.dtype).expand(tokens.shape[0], 1, -1), tokens), dim=1)
        for layer in self.layers:
            tokens = layer(tokens, padding)
        return tokens


def sinusoids(length: int, dim: int, like: Tensor) -> Float[Tensor, "length dim"]:
    r"""Positions of any number of tokens in a row.

    .. math:: p_{k, 2i} = \sin(k \, 10^{-8i/c}), \quad p_{k, 2i + 1} = \cos(k \, 10^{-8i/c})

    Source: Vaswani et al., "Attention Is All You Need" (2017).

    Args:
        length: Number of tokens.
        dim: Channels c; even.
        like: On whose device.
    """
    rates = 10 ** (-8 / dim * torch.arange(dim // 2, device=like.device))
    angles = torch.arange(length, device=like.device)[:, None] * rates
    return torch.stack((angles.sin(), angles.cos()), dim=-1).flatten(-2)
