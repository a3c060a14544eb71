"""Spatial grounding a few maps at a time: whatever is read twice is read from the processor's cache the second time.

Forward and backward are written out, so that nothing of the size of the maps is kept or made in between.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from avground.ops.spatial_grounding.reference import Combine, Normalize, join, weigh
from avground.ops.spatial_grounding.rows import shortest
from avground.ops.weights import at_least_float32

_CACHE_BYTES = 2**21
"""Bytes of maps that a core handles at once: about what its own cache holds."""


class Forward(NamedTuple):
    """What a forward pass returns: m maps of s cells and c channels, k queries.

    Shapes: ``mean`` and ``attended`` (m, c), ``weights`` (m, s), ``scores`` (m, k, s); ``scale`` (m, s), one over the
    length of every cell, or (m, 0) where lengths do not matter.
    """

    mean: Tensor
    attended: Tensor
    weights: Tensor
    scores: Tensor
    scale: Tensor


class Backward(NamedTuple):
    """What a backward pass returns.

    Shapes: ``queries`` (m, k, c), the gradient of each map's queries; ``scores`` (m, k, s), that of its scores;
    ``pulls`` (m, s), that of the weights through the attended feature alone.
    """

    queries: Tensor
    scores: Tensor
    pulls: Tensor


def forward(
    maps: Float[Tensor, "r c s"],
    queries: Float[Tensor, "n k c"],
    rows: Int[Tensor, " m"] | None,
    lengths: Float[Tensor, "r s"] | None,
    cosine: bool,
    threshold: float,
    combine: Combine,
    normalize: Normalize,
) -> Forward:
    """Ground map i, which is row ``rows[i]``, by queries ``i % n``."""
    (n, k, c), m, s = queries.shape, len(maps if rows is None else rows), maps.shape[-1]
    out = Forward(
        queries.new_empty(m, c),
        queries.new_empty(m, c),
        queries.new_empty(m, s),
        queries.new_empty(m, k, s),
        queries.new_empty(m, s if cosine else 0),
    )
    for part, asked, cells in _parts(maps, rows, m, n, queries.dtype):
        scores = torch.bmm(queries[asked], cells, out=out.scores[part])
        if cosine:
            known = lengths_of(cells, maps.dtype) if lengths is None else lengths[part if rows is None else rows[part]]
            scale = torch.reciprocal(known.to(queries.dtype), out=out.scale[part])
            scores *= scale[:, None]
        weights = out.weights[part].copy_(weigh(scores, threshold, combine, normalize))
        torch.mean(cells, dim=-1, out=out.mean[part])
        pooling = weights * scale if cosine else weights
        torch.bmm(pooling[:, None], cells.transpose(1, 2), out=out.attended[part][:, None])
    return out


def backward(
    maps: Float[Tensor, "r c s"],
    queries: Float[Tensor, "n k c"],
    rows: Int[Tensor, " m"] | None,
    weights: Float[Tensor, "m s"],
    scores: Float[Tensor, "m k s"],
    scale: Float[Tensor, "m s"],
    attended_gradient: Float[Tensor, "m c"],
    weights_gradient: Float[Tensor, "m s"],
    threshold: float,
    combine: Combine,
    normalize: Normalize,
) -> Backward:
    """Gradients of everything but the maps."""
    (n, k, c), (m, s), cosine = queries.shape, weights.shape, scale.shape[-1] > 0
    out = Backward(queries.new_empty(m, k, c), queries.new_empty(m, k, s), queries.new_empty(m, s))
    for part, _, cells in _parts(maps, rows, m, n, queries.dtype):
        pulls = torch.bmm(attended_gradient[part][:, None], cells)[:, 0]
        pulls = out.pulls[part].copy_(pulls * scale[part] if cosine else pulls)
        slopes = slopes_of(scores[part], weights[part], pulls + weights_gradient[part], threshold, combine, normalize)
        out.scores[part].copy_(slopes)
        slopes = slopes * scale[part][:, None] if cosine else slopes
        torch.bmm(slopes, cells.transpose(1, 2), out=out.queries[part])
    return out


def slopes_of(
    scores: Float[Tensor, "m k s"],
    weights: Float[Tensor, "m s"],
    gradient: Float[Tensor, "m s"],
    threshold: float,
    combine: Combine,
    normalize: Normalize,
) -> Float[Tensor, "m k s"]:
    """The gradient of the scores from that of the weights: the derivative of ``reference.weigh``."""
    inner = weights * (gradient - (weights * gradient).sum(-1, keepdim=True))
    if scores.shape[1] == 1:
        return inner[:, None]
    logs = scores.log_softmax(-1)
    joint, judged = join(logs, combine)
    kept = inner if normalize == "sum" else inner * joint.exp()
    if threshold > 0:
        kept = kept.masked_fill(judged < math.log(threshold), 0)
    shares = kept[:, None].expand(logs.shape) if combine == "product" else kept[:, None] * (logs - joint[:, None]).exp()
    return shares - logs.exp() * shares.sum(-1, keepdim=True)


def lengths_of(cells: Float[Tensor, "m c s"], dtype: torch.dtype) -> Float[Tensor, "m s"]:
    """Lengths of cells, which were of type ``dtype`` before; see ``reference.unit_lengths``."""
    lengths: Tensor = (cells * cells).sum(1).sqrt()
    return lengths.masked_fill_(lengths < shortest(dtype), 1)


def cell_lengths(maps: Float[Tensor, "r c h w"]) -> Float[Tensor, "r h w"]:
    """Euclidean length of every cell, in float32 at least, with 1 for a cell too short to have a direction.

    For ``MapRows.lengths`` of maps that do not change; nothing of the size of the maps is made.
    """
    cells = maps.flatten(2)
    out = at_least_float32(cells.new_empty(len(cells), cells.shape[-1]))
    for part, _, some in _parts(cells, None, len(cells), len(cells), out.dtype):
        out[part] = lengths_of(some, maps.dtype)
    lengths: Tensor = out.unflatten(1, maps.shape[2:])
    return lengths


def _parts(
    maps: Float[Tensor, "r c s"], rows: Int[Tensor, " m"] | None, m: int, n: int, dtype: torch.dtype
) -> Iterator[tuple[slice, slice, Float[Tensor, "part c s"]]]:
    """Go through m maps: which are next, which of the n queries are theirs, and their cells, copied into the cache.

    One plain copy fetches maps faster than a product that waits for memory, and it gathers and converts on the way.
    """
    bytes_of_map = max(1, maps.shape[1] * maps.shape[2] * dtype.itemsize)
    step = min(n, max(1, _CACHE_BYTES // bytes_of_map) * torch.get_num_threads())
    buffer = torch.empty(step, *maps.shape[1:], dtype=dtype, device=maps.device)
    for first in range(0, m, n or 1):
        for start in range(0, n, step or 1):
            end = min(start + step, n)
            part, cells = slice(first + start, first + end), buffer[: end - start]
            if rows is None:
                cells.copy_(maps[part])
            elif maps.dtype == dtype:
                torch.index_select(maps, 0, rows[part], out=cells)
            else:
                cells.copy_(maps[rows[part]])
            yield part, slice(start, end), cells
