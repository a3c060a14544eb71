"""The function that users call: it checks, chooses and calls an implementation."""

import os
import shutil
from contextlib import AbstractContextManager, nullcontext
from importlib.util import find_spec
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from avground.errors import ConfigError, ShapeError, check_choice, check_not_negative, check_positive
from avground.ops.spatial_grounding.reference import (
    COMBINES,
    NORMALIZES,
    SIMILARITIES,
    Combine,
    GroundedCells,
    Normalize,
    Similarity,
    reference,
    unit_lengths,
)
from avground.ops.spatial_grounding.registered import ground
from avground.ops.spatial_grounding.rows import MapRows, Maps, each_of, shortest
from avground.shapes import check_shapes

Impl = Literal["auto", "fused", "reference"]
IMPLS: tuple[Impl, ...] = ("auto", "fused", "reference")

_AUTOCAST = ("cpu", "cuda", "mps", "xpu")

# Triton compiles what launches a kernel with the system's C compiler.
_C_COMPILER = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
_TRITON_RUNS = find_spec("triton") is not None and bool(_C_COMPILER)


def spatial_grounding(
    audio: Float[Tensor, "*b c"],
    visual: Maps | tuple[Maps, ...],
    target: Float[Tensor, "*b c"] | None = None,
    *,
    threshold: float = 0.005,
    combine: Combine = "product",
    normalize: Normalize = "softmax",
    temperature: float | Float[Tensor, "2"] = 1.0,
    similarity: Similarity = "dot",
    impl: Impl = "auto",
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

    No transposed or normalised copy of the map is made. Weights are computed in float32 at least, also under autocast,
    and maps in half precision go with queries in single precision: what is read is half, what is computed is not.

    Source: TJSTG (Jiang and Yin, 2023), Eqs. 4-7; AVST (Li et al., 2022) for a map without target.

    Args:
        audio: Sound feature of each segment.
        visual: Map of h times w cells of c channels, channels first: (\*b, c, h, w), a tensor or :class:`MapRows`. A
            tuple of k maps of each segment (those of its video and those of others) is grounded by the same queries in
            one call; the results get a first dimension k.
        target: Feature of the asked-for thing; None for sound alone.
        threshold: :math:`\tau`, the smallest weight that counts. With ``combine="product"`` it applies to :math:`s_q`,
            with ``"sum"`` to the sum. 0 keeps every cell.
        combine: ``"product"`` (Eq. 4), or ``"sum"``: :math:`s_a + s_q`, as the authors' released code has it.
        normalize: ``"softmax"`` (Eq. 4), or ``"sum"``: divide by the sum over cells.
        temperature: Divides the scores before their softmax; two values are for audio and target.
        similarity: ``"dot"`` (Eqs. 5-6), or ``"cosine"``: queries and cells have unit length, for the scores and for
            the attended feature, as in AVST and in the authors' released code.
        impl: ``"reference"``: plain torch, which can be differentiated twice. ``"fused"``: the same in one pass over
            the map forward and one backward; differentiable once. ``"auto"``: fused where it runs, else reference. The
            meaning is the same.

    Returns:
        ``mean``, the plain average of the cells :math:`f_{vg}`; ``attended``, :math:`f_{vi}`; ``weights``, which are
        non-negative and sum to 1 over the map.

    Raises:
        ShapeError: for example ``target: expected (*b=(64, 10), c=512), got (64, 512)``.
        ConfigError: for a value that ``combine``, ``normalize``, ``similarity`` or ``impl`` does not have, a negative
            threshold, a temperature that is a number and not above 0, or ``impl="fused"`` where it does not run.

    Example:
        >>> import torch
        >>> from avground.ops import spatial_grounding
        >>> visual = torch.zeros(2, 2, 2)
        >>> visual[0, 0, 1] = 5  # the first channel, in the cell at the top on the right
        >>> spatial_grounding(torch.tensor([1.0, 0.0]), visual).weights
        tensor([[0.0066, 0.9802],
                [0.0066, 0.0066]])
    """
    check_choice("combine", combine, COMBINES)
    check_choice("normalize", normalize, NORMALIZES)
    check_choice("similarity", similarity, SIMILARITIES)
    check_choice("impl", impl, IMPLS)
    check_not_negative("threshold", threshold)
    _check_temperature(temperature)
    maps = each_of(visual)
    _check_maps(audio, maps, target)
    queries = torch.stack((audio,) if target is None else (audio, target), dim=-2)
    if similarity == "cosine":
        queries = queries / unit_lengths(queries, dim=-1, shortest=shortest(queries.dtype))
    way = fused if _runs_fused(impl, maps, queries) else reference
    settings: dict[str, Any] = {
        "threshold": threshold,
        "combine": combine,
        "normalize": normalize,
        "similarity": similarity,
    }
    with _no_autocast(audio.device):
        if isinstance(visual, (MapRows, Tensor)):
            return way(queries, visual, temperature, **settings)
        together = _together(maps)
        if together is not None:
            return way(queries, together, temperature, **settings)
        found = [way(queries, one, temperature, **settings) for one in maps]
        return GroundedCells(*(torch.stack(parts) for parts in zip(*found, strict=True)))


def fused(
    queries: Float[Tensor, "*b k c"],
    visual: Maps,
    temperature: float | Float[Tensor, "2"],
    *,
    threshold: float,
    combine: Combine,
    normalize: Normalize,
    similarity: Similarity,
) -> GroundedCells:
    """What ``reference`` returns, by ``avground::spatial_grounding``."""
    values, rows, lengths = visual if isinstance(visual, MapRows) else (visual, None, None)
    maps = values.flatten(-2).flatten(0, -3) if values.ndim > 3 else values.flatten(-2)[None]
    out = torch.promote_types(queries.dtype, maps.dtype)
    queries = queries.to(torch.promote_types(out, torch.float32))
    k, c = queries.shape[-2:]
    queries = queries / (temperature[:k, None].to(queries.dtype) if isinstance(temperature, Tensor) else temperature)
    mean, attended, weights, _, _ = ground(
        maps,
        queries.reshape(-1, k, c),
        None if rows is None else rows.flatten(),
        None if lengths is None or similarity == "dot" else lengths.flatten(1),
        similarity == "cosine",
        float(threshold),
        combine,
        normalize,
    )
    shape = visual.shape
    return GroundedCells(
        mean.to(out).reshape(shape[:-2]),
        attended.to(out).reshape(shape[:-2]),
        weights.reshape(*shape[:-3], *shape[-2:]),
    )


def fused_runs_on(device: torch.device, *dtypes: torch.dtype) -> bool:
    """Whether ``impl="fused"`` runs on a device with queries and maps of these types."""
    if device.type == "cpu":
        return all(dtype.is_floating_point for dtype in dtypes)
    halves_and_singles = {torch.float16, torch.bfloat16, torch.float32}
    return device.type == "cuda" and set(dtypes) <= halves_and_singles and _TRITON_RUNS


def _runs_fused(impl: Impl, maps: tuple[Maps, ...], queries: Tensor) -> bool:
    if impl == "reference" or (impl == "auto" and torch.compiler.is_exporting()):  # other runtimes lack the operation
        return False
    dtypes = (queries.dtype, *(one.dtype for one in maps))
    runs = fused_runs_on(maps[0].device, *dtypes)
    if impl == "fused" and not runs:
        raise ConfigError(
            "impl='fused': expected the CPU, or a CUDA device with Triton, a C compiler and no double precision, got "
            f"{maps[0].device.type} and {', '.join(str(dtype) for dtype in dtypes)}: use 'auto' or 'reference'"
        )
    return runs


def _together(maps: tuple[Maps, ...]) -> MapRows | None:
    """Rows of one bank as one, so that one launch reads them; None where the maps are anything else."""
    first = maps[0]
    if not isinstance(first, MapRows):
        return None
    rows = [one.rows for one in maps if isinstance(one, MapRows) and one.values is first.values]
    return MapRows(first.values, torch.stack(rows), first.lengths) if len(rows) == len(maps) else None


def _no_autocast(device: torch.device) -> AbstractContextManager[Any]:
    # Asking torch whether a device has autocast breaks the graph of compilers before 2.12; an exported graph has none.
    none = device.type not in _AUTOCAST or torch.compiler.is_exporting()
    return nullcontext() if none else torch.autocast(device.type, enabled=False)


def _check_temperature(temperature: float | Tensor) -> None:
    if isinstance(temperature, Tensor):
        check_shapes(temperature=(temperature, "2"))
    else:
        check_positive("temperature", temperature)


def _check_maps(audio: Tensor, maps: tuple[Maps, ...], target: Tensor | None) -> None:
    if not maps:
        raise ShapeError("visual: expected maps, got an empty tuple")
    asked: dict[str, Any] = {} if target is None else {"target": (target, "*b c")}
    for one in maps:
        check_shapes(audio=(audio, "*b c"), visual=(one, "*b c h w"), **asked)
        if 0 in one.shape[-3:]:
            raise ShapeError(f"visual: expected at least one channel and one cell, got {tuple(one.shape)}")
        if isinstance(one, MapRows):
            one.check()
