"""Pano-AVQA: three transformer streams that look at each other in a circle. Our port; parts in ``cyclic``."""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from avground.blocks.question import check_words
from avground.errors import ConfigError, check_not_negative, check_whole
from avground.models.config import ModelSizes
from avground.models.cyclic import CyclicLayer, Stream, Streams, sinusoids
from avground.models.network import Grounded, Network
from avground.ops.spatial_grounding import Maps, as_tensor
from avground.ops.weights import normalize_weights


@dataclass(frozen=True, kw_only=True)
class PanoAVQAConfig(ModelSizes):
    """All that :class:`PanoAVQA` is built from.

    Attributes:
        vocabulary_size: Number of words, padding included.
        answers: Number of answers.
        audio_dim: Channels of the audio features.
        visual_dim: Channels of the visual maps.
        dim: Width of the model; even, and a multiple of ``heads``.
        regions: Rows and columns of regions that each map is averaged into.
        self_layers: Layers of self-attention in every stream.
        cross_layers: Layers of cyclic cross-attention after them.
        heads: Heads of every attention.
        dropout: Share dropped behind the feed-forward layers and before the answer.
    """

    regions: int = 3
    self_layers: int = 1
    cross_layers: int = 2
    heads: int = 4
    dropout: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("regions", "self_layers", "cross_layers", "heads"):
            check_whole(name, getattr(self, name))
        check_not_negative("dropout", self.dropout, below=1)
        if self.dim % 2 or self.dim % self.heads:
            raise ConfigError(f"dim: expected an even number that heads={self.heads} divides, got {self.dim}")


class Regions(nn.Module):
    r"""A map averaged into regions, in place of detected objects, and weights over regions spread over its cells.

    .. math:: r_{ij} = \sum_{yx} P_{yi} P_{xj} v_{yx}, \quad w_{yx} = \sum_{ij} P_{yi} P_{xj} w_{ij}

    with P the adaptive average pooling of torch: regions overlap where they do not divide the cells evenly, and there
    may be fewer cells than regions. Spreading is the transpose of averaging, so a cell's weight is what it counts in
    the weighted sum of regions.

    Args:
        regions: Rows and columns of regions.
        dim: Width c of the position of a region.
    """

    def __init__(self, regions: int, dim: int) -> None:
        super().__init__()
        self.regions = regions
        self.rows = nn.Parameter(torch.randn(regions, dim))
        self.columns = nn.Parameter(torch.randn(regions, dim))

    def forward(self, visual: Float[Tensor, "b t vc h w"]) -> Float[Tensor, "b t k vc"]:
        """Average the cells of every region; channels come last."""
        return (visual.flatten(-2) @ self._shares(visual).to(visual.dtype)).transpose(-1, -2)

    def spread(self, weights: Float[Tensor, "b t k"], visual: Float[Tensor, "b t vc h w"]) -> Float[Tensor, "b t h w"]:
        """Give every cell of a map its part of its regions' weights; each map's weights then sum to 1."""
        cells: Tensor = normalize_weights(weights @ self._shares(visual).T).unflatten(-1, visual.shape[-2:])
        return cells

    def positions(self) -> Float[Tensor, "k c"]:
        """Learned positions of the regions."""
        return (self.rows[:, None] + self.columns).flatten(0, 1)

    def _shares(self, visual: Tensor) -> Float[Tensor, "s k"]:
        """What each cell counts in the average of each region."""
        rows, columns = (self._pooling(size, visual) for size in visual.shape[-2:])
        return torch.einsum("hi,wj->hwij", rows, columns).flatten(2).flatten(0, 1)

    def _pooling(self, size: int, like: Tensor) -> Float[Tensor, "size regions"]:
        """The adaptive average pooling of torch as a matrix, which compilers and exports take for any size."""
        place = torch.arange(size, device=like.device)[:, None]
        region = torch.arange(self.regions, device=like.device)
        first, behind = region * size // self.regions, -((region + 1) * -size // self.regions)
        inside = (first <= place) & (place < behind)
        return inside.to(torch.promote_types(like.dtype, torch.float32)) / (behind - first)


class PanoAVQA(Network):
    r"""Pano-AVQA (Yun et al., ICCV 2021) for ordinary videos: a port.

    .. math::
        y = \mathrm{MLP}\left(\left[\tanh W_a \bar a_1; \tanh W_v \bar v_1; \tanh W_l \bar l_1\right]\right)

    with :math:`a_1, v_1, l_1` the first token of each stream after layers of self-attention and of
    :class:`CyclicLayer`, and bars for layer normalisation. Tokens of sound are its segments, those of the picture the
    :class:`Regions` of every segment's map, those of language the words; all know their segment or place by sinusoids,
    regions their row and column by learned positions.

    A port: the code behind the published 69.53 was never released. Where the original has detected objects, panoramic
    coordinates and many layers that start from a pretrained language model, it has regions, plain positions and a few
    layers that start from nothing.

    Args:
        config: What it is built from; kept for checkpoints.
    """

    def __init__(self, config: PanoAVQAConfig) -> None:
        super().__init__(config)
        dim = config.dim
        self.audio = nn.Linear(config.audio_dim, dim)
        self.regions = Regions(config.regions, dim)
        self.visual = nn.Linear(config.visual_dim, dim)
        self.question = nn.Embedding(config.vocabulary_size, dim)
        self.streams = nn.ModuleList(
            Stream(dim, config.heads, layers=config.self_layers, dropout=config.dropout) for _ in Streams._fields
        )
        self.cyclic = nn.ModuleList(
            CyclicLayer(dim, config.heads, dropout=config.dropout) for _ in range(config.cross_layers - 1)
        )
        self.last = CyclicLayer(dim, config.heads, dropout=config.dropout)
        self.poolers = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, dim), nn.Tanh()) for _ in Streams._fields
        )
        self.answer = nn.Sequential(
            nn.Linear(3 * dim, dim), nn.ReLU(), nn.Dropout(config.dropout), nn.Linear(dim, config.answers)
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
            See :class:`Grounded`. Weights are those of the last layer, averaged over heads, of the first token of a
            stream over the others of the stream it looks at, that one's first token left out: ``audio_weights``, of
            language over segments of sound; ``visual_weights``, of sound over the regions of each segment together, and
            ``cell_weights``, how each segment's share is spread over its cells; ``target_weights``, of the picture over
            words. ``match_logits`` is None.

        Raises:
            ShapeError: for example ``visual: expected (b=64, t=10, 512, h, w), got (64, 9, 512, 14, 14)``.
        """
        self.check(audio, visual, negative, question)
        visual = as_tensor(visual, audio)
        check_words(question)
        padding = nn.functional.pad(question == 0, (1, 0))  # the first token is none
        streams = self.tokens(audio, visual, question, padding)
        for layer in self.cyclic:
            streams = layer(streams, padding)
        first, weights = self.last.first_tokens(streams, padding)  # nothing else of the last layer would be read
        pooled = [pool(token) for pool, token in zip(self.poolers, first, strict=True)]
        return Grounded(self.answer(torch.cat(pooled, dim=-1)), *self._over_inputs(weights, visual, question), None)

    def tokens(self, audio: Tensor, visual: Tensor, question: Tensor, padding: Tensor) -> Streams:
        """The tokens of all streams before the first cyclic layer."""
        seconds, places = (sinusoids(x.shape[1], self.config.dim, audio) for x in (audio, question))
        where = (seconds[:, None] + self.regions.positions()).flatten(0, 1)
        heard, seen, read = self.streams
        return Streams(
            heard(self.audio(audio), seconds),
            seen(self.visual(self.regions(visual)).flatten(1, 2), where),
            read(self.question(question), places, padding),
        )

    def _over_inputs(self, weights: Streams, visual: Tensor, question: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The weights of first tokens over tokens, as weights over segments, cells and words."""
        regions = normalize_weights(weights.audio[:, 1:]).unflatten(-1, (visual.shape[1], -1))
        words = question != 0
        return (
            normalize_weights(weights.language[:, 1:]),
            normalize_weights(regions.sum(-1)),
            self.regions.spread(regions, visual),
            normalize_weights(weights.visual[:, 1:] * words) * words,
        )


def pano_avqa(
    *,
    vocabulary_size: int = 93,
    answers: int = 42,
    audio_dim: int = 128,
    visual_dim: int = 512,
    dim: int = 512,
    **changes: Any,
) -> PanoAVQA:
    """Pano-AVQA, the second row of TJSTG's Table 1: a port, see :class:`PanoAVQA`.

    Args:
        vocabulary_size: Number of words, padding included.
        answers: Number of answers.
        audio_dim: Channels of the audio features.
        visual_dim: Channels of the visual maps.
        dim: Width of the model.
        **changes: Any other setting of :class:`PanoAVQAConfig`, such as ``regions=7``.

    Raises:
        ConfigError: for a setting that does not exist; it lists those that do. For a dim that is odd or that
            ``heads`` does not divide.

    Example:
        >>> import torch
        >>> from avground.models import pano_avqa
        >>> model = pano_avqa(visual_dim=64, dim=64)
        >>> out = model(torch.rand(2, 10, 128), torch.rand(2, 10, 64, 7, 7), torch.randint(1, 93, (2, 14)))
        >>> out.answer_logits.shape, out.cell_weights.shape
        (torch.Size([2, 42]), torch.Size([2, 10, 7, 7]))
    """
    sizes = {"vocabulary_size": vocabulary_size, "answers": answers, "audio_dim": audio_dim, "visual_dim": visual_dim}
    return PanoAVQA(PanoAVQAConfig().change(**sizes, dim=dim, **changes))
