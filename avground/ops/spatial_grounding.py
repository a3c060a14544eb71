"""Where on the map: weights over cells from one or two queries, and the features they pool."""

import math
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from avground.errors import check_choice, check_not_negative, check_positive
from avground.ops.weights import at_least_float32
from avground.shapes import check_shapes

Similarity = Literal["dot", "cosine"]
Combine = Literal["product", "sum"]
Normalize = Literal["softmax", "sum"]

SIMILARITIES: tuple[Similarity, ...] = ("dot", "cosine")
COMBINES: tuple[Combine, ...] = ("product", "sum")
NORMALIZES: tuple[Normalize, ...] = ("softmax", "sum")


class GroundedCells(NamedTuple):
    r"""What :func:`spatial_grounding` returns.

    Shapes: ``mean`` and ``attended`` (\*b, c), ``weights`` (\*b, h, w).
    """

    mean: Tensor
    attended: Tensor
    weights: Tensor


def spatial_grounding(
    audio: Float[Tensor, "*b c"],
    visual: Float[Tensor, "*b c h w"],
    target: Float[Tensor, "*b c"] | None = None,
    *,
    threshold: float = 0.005,
    combine: Combine = "product",
    normalize: Normalize = "softmax",
    temperature: float | Float[Tensor, "2"] = 1.0,
    similarity: Similarity = "dot",
) -> GroundedCells:
    r"""Weigh the cells of a map by what is heard and what is asked for, and pool the map with these weights.

    .. math::
        s_a = \mathrm{softmax}(f_a^\top f_{vm}), \quad
        s_q = \mathrm{softmax}(f_{tgt}^\top f_{vm}), \quad
        \hat s_q = s_q \, \mathbb{1}[s_q \ge \tau], \quad
        f_{vi} = f_{vm} \cdot \mathrm{softmax}(s_a \hat s_q)

    The defaults are these equations. An outer softmax over numbers that are probabilities already is almost flat (over
    196 cells the largest weight is at most e times the smallest); ``normalize="sum"`` divides by the sum instead, which
    makes the weights a product of experts that can point at one cell. Where the threshold leaves no cell, the weights
    are uniform. Without a target the weights are :math:`s_a`, AVST's grounding.

    No transposed or normalised copy of the map is made. Weights are computed in float32 at least.

    Source: TJSTG (Jiang and Yin, 2023), Eqs. 4-7; AVST (Li et al., 2022) for a map without target.

    Args:
        audio: Sound feature of each segment.
        visual: Map of h times w cells of c channels, channels first.
        target: Feature of the asked-for thing; None for sound alone.
        threshold: :math:`\tau`, the smallest weight that counts. With ``combine="product"`` it applies to :math:`s_q`,
            with ``"sum"`` to the sum. 0 keeps every cell.
        combine: ``"product"`` (Eq. 4), or ``"sum"``: :math:`s_a + s_q`, as the authors' released code has it.
        normalize: ``"softmax"`` (Eq. 4), or ``"sum"``: divide by the sum over cells.
        temperature: Divides the scores before their softmax; two values are for audio and target.
        similarity: ``"dot"`` (Eqs. 5-6), or ``"cosine"``: queries and cells have unit length, for the scores and for
            the attended feature, as in AVST and in the authors' released code.

    Returns:
        ``mean``, the plain average of the cells :math:`f_{vg}`; ``attended``, :math:`f_{vi}`; ``weights``, which are
        non-negative and sum to 1 over the map.

    Raises:
        ShapeError: for example ``target: expected (*b=(64, 10), c=512), got (64, 512)``.
        ConfigError: for a value that ``combine``, ``normalize`` or ``similarity`` does not have, a negative
            threshold, or a temperature that is a number and not above 0.
    """
    check_choice("combine", combine, COMBINES)
    check_choice("normalize", normalize, NORMALIZES)
    check_choice("similarity", similarity, SIMILARITIES)
    check_not_negative("threshold", threshold)
    _check_temperature(temperature)
    shapes = {"audio": (audio, "*b c"), "visual": (visual, "*b c h w")}
    sizes = check_shapes(**shapes if target is None else {**shapes, "target": (target, "*b c")})

    cells = visual.flatten(-2)
    queries = torch.stack((audio,) if target is None else (audio, target), dim=-2)
    if similarity == "cosine":
        queries = queries / _lengths(queries, dim=-1)
        lengths = _lengths(cells, dim=-2)

    # Products of wide half-precision features overflow: a power of two taken out before and put back after is exact.
    scale = 2.0 ** (sizes["c"].bit_length() // 2)
    scores = at_least_float32((queries / scale) @ cells) * scale  # (*b, 1 or 2, s)
    if similarity == "cosine":
        scores = scores / lengths
    scores = scores / (temperature[: queries.shape[-2], None] if isinstance(temperature, Tensor) else temperature)
    weights = _combine(scores.log_softmax(-1), threshold, combine, normalize)

    # Both poolings in one pass over the map: weights / lengths pools unit cells without making them.
    pooling = weights / lengths[..., 0, :] if similarity == "cosine" else weights
    pooling = torch.stack((torch.full_like(pooling, 1 / cells.shape[-1]), pooling), dim=-1)
    mean, attended = (cells @ pooling.to(cells.dtype)).unbind(-1)
    return GroundedCells(mean, attended, weights.unflatten(-1, visual.shape[-2:]))


def _lengths(vectors: Tensor, dim: int) -> Tensor:
    """Euclidean lengths, with 1 for a vector too short to have a direction: divided by it, it stays as it is."""
    lengths: Tensor = torch.linalg.vector_norm(vectors, dim=dim, keepdim=True)
    return lengths.masked_fill(lengths < max(1e-12, torch.finfo(lengths.dtype).tiny), 1)


def _check_temperature(temperature: float | Tensor) -> None:
    if isinstance(temperature, Tensor):
        check_shapes(temperature=(temperature, "2"))
    else:
        check_positive("temperature", temperature)


def _combine(logs: Tensor, threshold: float, combine: Combine, normalize: Normalize) -> Tensor:
    """Weights (*b, s) from the log-weights (*b, 1 or 2, s) of each query: in logarithms no product underflows."""
    if logs.shape[-2] == 1:
        return logs[..., 0, :].exp()
    log_audio, log_target = logs.unbind(-2)
    joint = log_audio + log_target if combine == "product" else torch.logaddexp(log_audio, log_target)
    judged = log_target if combine == "product" else joint
    if threshold > 0:
        joint = joint.masked_fill(judged < math.log(threshold), torch.finfo(joint.dtype).min)
    return (joint if normalize == "sum" else joint.exp()).softmax(-1)
