"""How a model spreads its weights: whether sound and picture agree in time, and how flat the weights are."""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torchmetrics import Metric

from avground.models import Grounded
from avground.ops.divergence import js_divergence
from avground.shapes import check_shapes

Row = tuple[Tensor, Tensor]  # for each question a sum over its rows that count, and how many those are

MEASURES = (
    ("time", "agreement"),
    ("time", "js_nats"),
    ("audio", "entropy"),
    ("visual", "entropy"),
    ("cells", "entropy"),
    ("cells", "peak_over_uniform"),
    ("target", "entropy"),
)
"""What is measured of which weights."""

COUNTS = {"time": "questions", "audio": "questions", "visual": "questions", "cells": "segments", "target": "questions"}
"""What the averages are over."""


class AttentionMetric(Metric):
    r"""Agreement and entropy of a model's weights, over batches and processes; the truth is not needed.

    *Agreement* of the audio and the visual weights over the t segments of a question is

    .. math:: 1 - \frac{\mathrm{JS}(w_a, w_v)}{\ln 2}

    1 where they are the same, 0 where they share no segment; beside it the divergence itself, in nats. Two flat rows
    agree as well as two sharp ones, so it says little without the entropies.

    *Entropy* is a share of the largest possible, ln t over segments, ln s over the cells of a segment, ln n over the n
    words of a question: 1 for uniform weights, 0 for all weight in one place. *Peak over uniform* is the largest weight
    of a segment's cells times s: 1 for a flat map, s for all weight on one cell.

    Means are over questions, over segments for cells. Every row of weights is first divided by its sum. Left out are
    rows that sum to 0 (a model that chooses no word has no target weights) and those of one place: one segment, cell
    or word leaves nothing to weigh. Weights that are not finite make the measure NaN.
    """

    full_state_update = False
    sums: Tensor
    counts: Tensor

    def __init__(self) -> None:
        super().__init__()
        for name in ("sums", "counts"):
            self.add_state(name, torch.zeros(len(MEASURES), dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, out: Grounded, words: Int[Tensor, " b"]) -> None:
        """Count a batch, without a look at any number.

        Args:
            out: What the model returned.
            words: How many words each question has; they stand before the padding. A model that reads padding as words
                can weigh it as well: then all n places of ``target_weights`` count.

        Raises:
            ShapeError: if the weights are not those of one batch.
        """
        check_shapes(
            audio_weights=(out.audio_weights, "b t"),
            visual_weights=(out.visual_weights, "b t"),
            cell_weights=(out.cell_weights, "b t h w"),
            target_weights=(out.target_weights, "b n"),
            words=(words, "b"),
        )
        audio, visual, cells, target = (self._exact(weights) for weights in out[1:5])
        js = _js(audio, visual)
        measured = [
            (js[1] - js[0] / math.log(2), js[1]),
            js,
            _entropy(audio),
            _entropy(visual),
            _entropy(cells.flatten(2)),
            _peak(cells.flatten(2)),
            _entropy(target, _places(target, words.to(target.device))),
        ]
        self.sums += torch.stack([torch.where(counted > 0, value, 0).sum() for value, counted in measured])
        self.counts += torch.stack([counted.sum() for _, counted in measured])

    def _exact(self, weights: Tensor) -> Tensor:
        """In two steps, since not every device that a model runs on has float64."""
        return weights.detach().to(self.sums.device).double()

    def compute(self) -> dict[str, dict[str, float | int]]:
        """The measures by :data:`MEASURES`, with how many questions or segments they are averages of.

        What nothing was counted for is left out.
        """
        found: dict[str, dict[str, float | int]] = {}
        for (of, name), total, count in zip(MEASURES, self.sums.tolist(), self.counts.tolist(), strict=True):
            if count:
                found[of] = {**found.get(of, {}), name: total / count, COUNTS[of]: int(count)}
        return found


def _rows(weights: Float[Tensor, "*b n"]) -> Row:
    """Rows that sum to 1, and whether they hold any weight; NaN does."""
    total = weights.sum(-1, keepdim=True)
    there = total != 0
    return weights / torch.where(there, total, 1), there[..., 0]


def _js(audio: Float[Tensor, "b t"], visual: Float[Tensor, "b t"]) -> Row:
    (p, there), (q, also) = _rows(audio), _rows(visual)
    return js_divergence(p, q), (there & also & (audio.shape[-1] > 1)).double()


def _entropy(weights: Float[Tensor, "b *t n"], places: Int[Tensor, " b"] | None = None) -> Row:
    """Entropies over that of uniform weights on so many places, all if None."""
    rows, there = _rows(weights)
    if places is None:
        places = torch.full(weights.shape[:1], weights.shape[-1], device=weights.device)
    most = places.double().log().reshape(-1, *[1] * (there.ndim - 1))
    counted = there & (most > 0)
    value = torch.where(counted, torch.special.entr(rows).sum(-1) / most, 0)
    return _by_question(value, counted)


def _peak(cells: Float[Tensor, "b t s"]) -> Row:
    rows, there = _rows(cells)
    counted = there & (cells.shape[-1] > 1)
    return _by_question(torch.where(counted, rows.amax(-1) * cells.shape[-1], 0), counted)


def _by_question(value: Float[Tensor, "b ..."], counted: Tensor) -> Row:
    return value.reshape(len(value), -1).sum(-1), counted.reshape(len(value), -1).sum(-1, dtype=value.dtype)


def _places(target: Float[Tensor, "b n"], words: Int[Tensor, " b"]) -> Int[Tensor, " b"]:
    """How many places a question's weight can go to: its words, or all n if there is weight behind them."""
    n = target.shape[-1]
    behind = torch.arange(n, device=target.device) >= words[:, None]
    return torch.where((target.masked_fill(~behind, 0) > 0).any(-1), n, words)
