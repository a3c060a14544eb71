"""Spatial grounding a few maps at a time: whatever is read twice is read from the processor's cache the second time.

Forward and backward are written out, so that nothing of the size of the maps is kept or made in between.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from avground.ops.spatial_grounding.reference import Combine, Normalize, weigh
from avground.ops.spatial_grounding.rows import shortest
from avground.ops.weights import at_least_float32

_CACHE_BYTES = 2**21
"""Bytes of maps that a core handles at once: about what its own cache holds."""

_FEW_BYTES = 2**24
"""Bytes of maps that need no copy."""

_PIECE = 2**15
"""Numbers from which on torch divides a piece among threads."""


class Forward(NamedTuple):
    """What a forward pass returns: m maps of s cells and c channels, k queries.

    Shapes: ``mean`` and ``attended`` (m, c), ``weights`` (m, s); ``each`` (m, k, s), what every query alone would give;
    ``scale`` (m, s), one over the length of every cell, or (m, 0) where lengths do not matter.
    """

    mean: Tensor
    attended: Tensor
    weights: Tensor
    each: Tensor
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
    pooled = queries.new_empty(m, 2, c)
    weights, each = queries.new_empty(m, s), queries.new_empty(m, k, s)
    scale = queries.new_empty(m, s if cosine else 0)
    room = queries.new_empty(0)
    for part, asked, cells in _parts(maps, rows, m, n, queries.dtype):
        scores = torch.bmm(queries[asked], cells)
        if cosine:
            if lengths is None:
                known = lengths_of(cells, maps.dtype, room)
            else:
                known = lengths[part if rows is None else rows[part]]
            torch.reciprocal(known.to(queries.dtype), out=scale[part])
            scores *= scale[part, None]
        torch.softmax(scores, -1, out=each[part])
        weights[part] = weigh(scores, threshold, combine, normalize)
        pooling = torch.stack((weights.new_full((len(cells), s), 1 / s), weights[part]), dim=1)
        if cosine:
            pooling[:, 1] *= scale[part]
        torch.bmm(pooling, cells.transpose(1, 2), out=pooled[part])
    return Forward(pooled[:, 0].clone(), pooled[:, 1].clone(), weights, each, scale)


def backward(
    maps: Float[Tensor, "r c s"],
    queries: Float[Tensor, "n k c"],
    rows: Int[Tensor, " m"] | None,
    weights: Float[Tensor, "m s"],
    each: Float[Tensor, "m k s"],
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
    # Expanded, as the gradient of a sum is, it would be multiplied row by row.
    attended_gradient = attended_gradient.contiguous()
    for part, _, cells in _parts(maps, rows, m, n, queries.dtype):
        pulls = torch.bmm(attended_gradient[part, None], cells, out=out.pulls[part, None])[:, 0]
        if cosine:
            pulls *= scale[part]
        gradient = pulls + weights_gradient[part]
        slopes = slopes_of(each[part], weights[part], gradient, threshold, combine, normalize)
        out.scores[part] = slopes
        torch.bmm(slopes * scale[part, None] if cosine else slopes, cells.transpose(1, 2), out=out.queries[part])
    return out


def slopes_of(
    each: Float[Tensor, "m k s"],
    weights: Float[Tensor, "m s"],
    gradient: Float[Tensor, "m s"],
    threshold: float,
    combine: Combine,
    normalize: Normalize,
) -> Float[Tensor, "m k s"]:
    """The gradient of the scores from that of the weights: the derivative of ``reference.weigh``."""
    level = gradient - (weights * gradient).sum(-1, keepdim=True)
    inner = weights * level
    if each.shape[1] == 1:
        return inner[:, None]
    audio, target = each.unbind(1)
    if combine == "product":
        share = inner if normalize == "sum" else inner * audio * target
        shares = (share * ~(target < threshold))[:, None]
    else:
        value = audio + target
        kept = ~(value < threshold)
        if normalize == "sum":
            total = (value * kept).sum(-1, keepdim=True)
            inner = level / total.masked_fill(total == 0, 1)
        shares = (inner * kept)[:, None] * each
    return shares - each * shares.sum(-1, keepdim=True)


def lengths_of(cells: Float[Tensor, "m c s"], dtype: torch.dtype, room: Tensor) -> Float[Tensor, "m s"]:
    """Lengths of cells, which were of type ``dtype``; see ``reference.unit_lengths``. ``room`` is for their squares."""
    squares = torch.mul(cells, cells, out=room.resize_(cells.shape))
    lengths = squares.sum(1).sqrt_()
    return lengths.masked_fill_(lengths < shortest(dtype), 1)


@torch.no_grad()
def cell_lengths(maps: Float[Tensor, "r c h w"]) -> Float[Tensor, "r h w"]:
    """Euclidean length of every cell, in float32 at least, with 1 for a cell too short to have a direction.

    For ``MapRows.lengths`` of maps that do not change; nothing of the size of the maps is made.

    Example:
        >>> import torch
        >>> from avground.ops import cell_lengths
        >>> cell_lengths(torch.tensor([3.0, 4.0]).reshape(1, 2, 1, 1))  # one map of one cell
        tensor([[[5.]]])
    """
    cells = maps.flatten(2)
    out = at_least_float32(cells.new_empty(len(cells), cells.shape[-1]))
    room = out.new_empty(0)
    for part, _, some in _parts(cells, None, len(cells), len(cells), out.dtype):
        out[part] = lengths_of(some, maps.dtype, room)
    lengths: Tensor = out.unflatten(1, maps.shape[2:])
    return lengths


def _parts(
    maps: Float[Tensor, "r c s"], rows: Int[Tensor, " m"] | None, m: int, n: int, dtype: torch.dtype
) -> Iterator[tuple[slice, slice, Float[Tensor, "part c s"]]]:
    """Go through m maps: which are next, which of the n queries are theirs, and their cells, copied into the cache.

    One plain copy fetches maps faster than a product that waits for memory, and it gathers and converts on the way. Few
    maps are in the cache anyway.
    """
    maps = maps if rows is None else maps.contiguous()
    few = rows is None and maps.dtype == dtype and maps.nbytes <= _FEW_BYTES
    bytes_of_map = max(1, maps.shape[1] * maps.shape[2] * dtype.itemsize)
    step = min(n, max(1, _CACHE_BYTES // bytes_of_map) * torch.get_num_threads())
    buffer = torch.empty(0 if few else step, *maps.shape[1:], dtype=dtype, device=maps.device)
    gathered = buffer if rows is None or maps.dtype == dtype else torch.empty_like(buffer, dtype=maps.dtype)
    for first in range(0, m, n or 1):
        for start in range(0, n, step or 1):
            end = min(start + step, n)
            part, cells = slice(first + start, first + end), buffer[: end - start]
            if few:
                cells = maps[part]
            elif rows is None:
                cells.copy_(maps[part])
            else:
                _gather(maps, rows[part], out=gathered[: end - start])
                if gathered is not buffer:
                    cells.copy_(gathered[: end - start])
            yield part, slice(start, end), cells


def _gather(maps: Float[Tensor, "r c s"], rows: Int[Tensor, " m"], out: Float[Tensor, "m c s"]) -> None:
    """``out[i] = maps[rows[i]]``, with whole maps for either thread, as products divide them.

    Large pieces are divided among threads one by one, and then every map travels from the cache of one core to that of
    another. So maps are cut into pieces that are not.
    """
    _, c, s = maps.shape
    pieces = next((k for k in range(1, c + 1) if c % k == 0 and c // k * s < _PIECE), c)
    numbers = (rows[:, None] * pieces + torch.arange(pieces, device=rows.device)).flatten()
    source, target = (whole.unflatten(1, (pieces, c // pieces)).flatten(0, 1) for whole in (maps, out))
    torch.index_select(source, 0, numbers, out=target)
