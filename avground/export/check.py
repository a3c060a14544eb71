"""Whether what was exported returns what the model does."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from avground.errors import ConfigError

TOLERANCE = 1e-4
"""Largest difference, beside numbers up to 1, and relative to larger ones."""

# Clips, segments and words; none of them those of the trace.
_SIZES = ((1, 1, 1), (2, 9, 14), (7, 3, 2))
_MAPS = ((1, 1), (3, 5), (7, 7))


def check_same(
    name: str,
    model: Callable[..., Sequence[Tensor]],
    exported: Callable[..., Sequence[Tensor]],
    inputs: Callable[..., tuple[Tensor, ...]],
    map_size: tuple[int, int] | None,
) -> None:
    """Compare the outputs of a model and of what was exported, on inputs of several sizes.

    Args:
        name: What was exported, for errors.
        model: The model.
        exported: The same for others.
        inputs: Makes inputs of a seed and of sizes.
        map_size: Rows and columns that maps must have; None for any.

    Raises:
        ConfigError: if they differ; names the sizes, the output and by how much.
    """
    for (clips, segments, words), cells in zip(_SIZES, _MAPS, strict=True):
        sizes: dict[str, Any] = {"clips": clips, "segments": segments, "words": words, "map_size": map_size or cells}
        # Which word is chosen and which cell passes a threshold can hang on the last bit of a number. That is no
        # difference of the two, and other inputs show that it is none.
        found = [_difference(model, exported, inputs(1, **sizes))]
        if found[0] is not None:
            found.append(_difference(model, exported, inputs(2, **sizes)))
        if found[-1] is not None:
            shown = ", ".join(f"{key}={value}" for key, value in sizes.items())
            raise ConfigError(f"{name}: expected what the model returns for {shown}, got {found[-1]}")


def _difference(
    model: Callable[..., Sequence[Tensor]], exported: Callable[..., Sequence[Tensor]], inputs: tuple[Tensor, ...]
) -> str | None:
    """How outputs differ, or None."""
    with torch.no_grad():
        expected, got = model(*inputs), exported(*inputs)
    if len(expected) != len(got):
        return f"{len(got)} outputs"
    for place, (right, other) in enumerate(zip(expected, got, strict=True)):
        if right.shape != other.shape or right.dtype != other.dtype:
            return f"output {place} as {tuple(other.shape)} {other.dtype}, not {tuple(right.shape)} {right.dtype}"
        off = (right - other).abs() / right.abs().clamp(min=1)
        if not bool((off <= TOLERANCE).all()):  # what is not a number is no small difference
            return f"output {place} that differs by {float(off.max()):.2g}"
    return None
