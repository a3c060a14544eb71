"""The definition of spatial grounding in plain torch: what the other implementations are held against."""

from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from avground.ops.spatial_grounding.rows import MapRows, Maps, shortest
from avground.ops.weights import at_least_float32, normalize_weights

Similarity = Literal["dot", "cosine"]
Combine = Literal["product", "sum"]
Normalize = Literal["softmax", "sum"]

SIMILARITIES: tuple[Similarity, ...] = ("dot", "cosine")
COMBINES: tuple[Combine, ...] = ("product", "sum")
NORMALIZES: tuple[Normalize, ...] = ("softmax", "sum")


class GroundedCells(NamedTuple):
    r"""What :func:`avground.ops.spatial_grounding` returns.

    Shapes: ``mean`` and ``attended`` (\*b, c), ``weights`` (\*b, h, w).
    """

    mean: Tensor
    attended: Tensor
    weights: Tensor


def reference(
    queries: Float[Tensor, "*b k c"],
    visual: Maps,
    temperature: float | Float[Tensor, "2"],
    *,
    threshold: float,
    combine: Combine,
    normalize: Normalize,
    similarity: Similarity,
) -> GroundedCells:
    """Ground by k queries (audio, or audio and target), which have unit length already where it is about cosines."""
    maps = visual.gather() if isinstance(visual, MapRows) else visual
    cells = maps.flatten(-2).to(torch.promote_types(maps.dtype, queries.dtype))

    # Products of wide half-precision features overflow: a power of two taken out before and put back after is exact.
    scale = 2.0 ** (cells.shape[-2].bit_length() // 2)
    scores = at_least_float32((queries.to(cells.dtype) / scale) @ cells) * scale  # (*b, k, s)
    lengths = unit_lengths(cells, dim=-2, shortest=shortest(maps.dtype)) if similarity == "cosine" else None
    scores = scores if lengths is None else scores / lengths
    scores = scores / (temperature[: scores.shape[-2], None] if isinstance(temperature, Tensor) else temperature)
    weights = weigh(scores, threshold, combine, normalize)

    # Both poolings at once; weights / lengths pools unit cells without making them.
    pooling = weights if lengths is None else weights / lengths[..., 0, :]
    pooling = torch.stack((torch.full_like(pooling, 1 / cells.shape[-1]), pooling), dim=-2)
    mean, attended = (pooling.to(cells.dtype) @ cells.transpose(-1, -2)).unbind(-2)
    return GroundedCells(mean, attended, weights.unflatten(-1, maps.shape[-2:]))


def unit_lengths(vectors: Tensor, dim: int, shortest: float) -> Tensor:
    """Euclidean lengths, with 1 for a vector too short to have a direction: divided by it, it stays as it is."""
    lengths: Tensor = torch.linalg.vector_norm(vectors, dim=dim, keepdim=True)
    return lengths.masked_fill(lengths < shortest, 1)


def weigh(
    scores: Float[Tensor, "*b k s"], threshold: float, combine: Combine, normalize: Normalize
) -> Float[Tensor, "*b s"]:
    """Weights of cells from the scores of each query; uniform where the threshold leaves none."""
    each = scores.softmax(-1)
    if each.shape[-2] == 1:
        return each[..., 0, :]
    audio, target = each.unbind(-2)
    value = audio * target if combine == "product" else audio + target
    kept = ~((target if combine == "product" else value) < threshold)  # what is not a number is kept, and seen
    if normalize == "softmax":
        return (value * kept).softmax(-1)
    if combine == "sum":
        return normalize_weights(value * kept)
    # The product divided by its sum, as a softmax of the summed scores: no product underflows.
    return scores.sum(-2).masked_fill(~kept, torch.finfo(scores.dtype).min).softmax(-1)
