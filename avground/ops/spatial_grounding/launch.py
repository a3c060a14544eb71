"""Launches the kernels; the counterpart of ``chunked`` on a GPU."""

from typing import NamedTuple

import torch
import triton
from torch import Tensor

from avground.ops.spatial_grounding.chunked import Backward, Forward
from avground.ops.spatial_grounding.kernels import backward_kernel, forward_kernel
from avground.ops.spatial_grounding.rows import shortest


class Config(NamedTuple):
    """How a kernel is laid out; results differ by rounding only.

    Attributes:
        tile: Numbers of the map that a program holds at once.
        cells: Most cells of a tile; a power of two.
        warps: Groups of 32 threads a program.
        stages: Tiles that are under way at once.
    """

    tile: int = 8192
    cells: int = 256
    warps: int = 8
    stages: int = 3


DEFAULT = Config()


def forward(
    maps: Tensor,
    queries: Tensor,
    rows: Tensor | None,
    lengths: Tensor | None,
    cosine: bool,
    threshold: float,
    combine: str,
    normalize: str,
    config: Config = DEFAULT,
) -> Forward:
    """As ``chunked.forward``."""
    maps, queries = maps.contiguous(), queries.contiguous()
    (n, k, c), m, s = queries.shape, len(maps if rows is None else rows), maps.shape[-1]
    out = Forward(
        queries.new_empty(m, c),
        queries.new_empty(m, c),
        queries.new_empty(m, s),
        queries.new_empty(m, k, s),
        queries.new_empty(m, s if cosine else 0),
    )
    with torch.cuda.device_of(maps):  # Triton launches where torch is, which need not be where the maps are
        launch = forward_kernel[(m,)] if m else _nothing
        launch(
            maps,
            queries,
            maps if rows is None else rows.contiguous(),  # a pointer that is not read must still be one
            maps if lengths is None else lengths.contiguous(),
            *out,
            torch.empty_like(out.each),  # the scores, which nobody needs later
            n,
            threshold,
            shortest(maps.dtype),
            LENGTHS=lengths is not None,
            **settings_of(c, s, k, rows, cosine, combine, normalize, config),
        )
    return out


def backward(
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
    config: Config = DEFAULT,
) -> Backward:
    """As ``chunked.backward``."""
    maps = maps.contiguous()
    (m, k, s), c = each.shape, maps.shape[1]
    out = Backward(queries.new_empty(m, k, c), queries.new_empty(m, k, s), queries.new_empty(m, s))
    with torch.cuda.device_of(maps):
        launch = backward_kernel[(m,)] if m else _nothing
        launch(
            maps,
            maps if rows is None else rows.contiguous(),
            weights.contiguous(),
            each.contiguous(),
            scale.contiguous(),
            attended_gradient.contiguous(),
            weights_gradient.contiguous(),
            *out,
            threshold,
            **settings_of(c, s, k, rows, scale.shape[-1] > 0, combine, normalize, config),
        )
    return out


def settings_of(
    c: int,
    s: int,
    k: int,
    rows: Tensor | None,
    cosine: bool,
    combine: str,
    normalize: str,
    config: Config,
) -> dict[str, int | bool]:
    """What both kernels are compiled for."""
    cells = min(triton.next_power_of_2(s), config.cells)
    channels = min(triton.next_power_of_2(c), max(1, config.tile // cells))
    return {
        "C": c,
        "S": s,
        "K": k,
        "BC": channels,
        "BS": cells,
        "LARGE": c * s >= 2**31,
        "ROWS": rows is not None,
        "COSINE": cosine,
        "PRODUCT": combine == "product",
        "SOFTMAX": normalize == "softmax",
        "STAGES": config.stages,
        "num_warps": config.warps,
    }


def _nothing(*_: object, **__: object) -> None:
    """What is launched where there are no maps."""
