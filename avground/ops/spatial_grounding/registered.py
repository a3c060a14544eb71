"""Spatial grounding as operations of torch: what compilers, autograd and devices see."""

from importlib import import_module
from types import ModuleType
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from avground.ops.spatial_grounding import chunked


def _implementation(maps: Tensor) -> ModuleType:
    """What computes on the device of the maps."""
    if maps.device.type == "cpu":
        return chunked
    return import_module("avground.ops.spatial_grounding.launch")  # needs Triton, which is not everywhere


@torch.library.custom_op("avground::spatial_grounding", mutates_args=())
def ground(
    maps: Tensor,
    queries: Tensor,
    rows: Tensor | None,
    lengths: Tensor | None,
    cosine: bool,
    threshold: float,
    combine: str,
    normalize: str,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """See ``chunked.forward``."""
    found: tuple[Tensor, Tensor, Tensor, Tensor, Tensor] = _implementation(maps).forward(
        maps, queries, rows, lengths, cosine, threshold, combine, normalize
    )
    return found


@torch.library.custom_op("avground::spatial_grounding_backward", mutates_args=())
def _backward(
    maps: Tensor,
    queries: Tensor,
    rows: Tensor | None,
    weights: Tensor,
    each: Tensor,
    scale: Tensor,
    attended_gradient: Tensor,
    weights_gradient: Tensor,
    threshold: float,
    combine: str,
    normalize: str,
) -> tuple[Tensor, Tensor, Tensor]:
    """See ``chunked.backward``."""
    found: tuple[Tensor, Tensor, Tensor] = _implementation(maps).backward(
        maps,
        queries,
        rows,
        weights,
        each,
        scale,
        attended_gradient,
        weights_gradient,
        threshold,
        combine,
        normalize,
    )
    return found


@ground.register_fake
def _(
    maps: Tensor, queries: Tensor, rows: Tensor | None, lengths: Tensor | None, cosine: bool, *_: Any
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    m, c, s = maps.shape[0] if rows is None else rows.shape[0], maps.shape[1], maps.shape[2]
    shapes = ((m, c), (m, c), (m, s), (m, queries.shape[1], s), (m, s if cosine else 0))
    mean, attended, weights, scores, scale = (queries.new_empty(shape) for shape in shapes)
    return mean, attended, weights, scores, scale


@_backward.register_fake
def _(maps: Tensor, queries: Tensor, rows: Tensor | None, weights: Tensor, each: Tensor, *_: Any) -> Any:
    m, k = each.shape[:2]
    s = maps.shape[2]
    return queries.new_empty(m, k, maps.shape[1]), queries.new_empty(m, k, s), queries.new_empty(m, s)


def _save(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    maps, queries, rows, _, _, *ctx.settings = inputs
    _, _, weights, each, scale = output
    ctx.save_for_backward(maps, queries, rows, weights, each, scale)


def _differentiate(
    ctx: Any, mean: Tensor, attended: Tensor, weights: Tensor, *_: Tensor
) -> tuple[Tensor | None, Tensor | None, None, None, None, None, None, None]:
    """Gradients of maps and queries, from those of the first three results."""
    maps, queries, rows, cell_weights, each, scale = ctx.saved_tensors
    of_queries, of_scores, pulls = _backward(
        maps, queries, rows, cell_weights, each, scale, attended, weights, *ctx.settings
    )
    of_maps = None
    if ctx.needs_input_grad[0]:
        of_maps = _map_gradient(maps, queries, rows, cell_weights, scale, mean, attended, of_scores, pulls)
    # Queries serve as many maps each as there are maps for every query.
    n = queries.shape[0]  # the length of a tensor would be a constant to the compiler
    served = of_queries.unflatten(0, (-1, n)).sum(0) if n else torch.zeros_like(queries)
    return of_maps, served, None, None, None, None, None, None


def _map_gradient(
    maps: Float[Tensor, "r c s"],
    queries: Float[Tensor, "n k c"],
    rows: Tensor | None,
    weights: Float[Tensor, "m s"],
    scale: Float[Tensor, "m s"],
    mean: Float[Tensor, "m c"],
    attended: Float[Tensor, "m c"],
    of_scores: Float[Tensor, "m k s"],
    pulls: Float[Tensor, "m s"],
) -> Float[Tensor, "r c s"]:
    """The gradient of the maps, for those that are not frozen; ``mean`` and ``attended`` are gradients."""
    m, s = weights.shape
    n = queries.shape[0]
    asked = queries.expand(m // n if n else 0, *queries.shape).flatten(0, 1)
    left = torch.cat((asked, attended[:, None]), dim=1)  # (m, k + 1, c)
    right = torch.cat((of_scores, weights[:, None]), dim=1)  # (m, k + 1, s)
    if scale.shape[-1]:
        right = right * scale[:, None]
    gradient = left.transpose(1, 2) @ right + mean[..., None] / s
    if scale.shape[-1]:
        # A cell's length stays 1: what would change it is taken out.
        cells = (maps if rows is None else maps[rows]).to(asked.dtype)
        scores = (asked @ cells) * scale[:, None]
        along = ((of_scores * scores).sum(1) + weights * pulls) * scale.square()
        gradient = gradient - along[:, None] * cells
    if rows is not None:
        gradient = torch.zeros_like(maps, dtype=gradient.dtype).index_add(0, rows, gradient)
    return gradient.to(maps.dtype)


ground.register_autograd(_differentiate, setup_context=_save)
