"""Whether what was exported returns what the model does."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from avground.errors import ConfigError
from avground.models import ModelConfig, ModelSizes
from avground.models.released import ReleasedConfig

TOLERANCE = 1e-4
"""Largest difference, beside numbers up to 1, and relative to larger ones."""

# Clips, segments and words; none of them those of the trace.
_SIZES = ((1, 1, 1), (2, 9, 14), (7, 3, 2))
_MAPS = ((1, 1), (3, 5), (7, 7))


def has_hard_choice(config: ModelSizes) -> bool:
    """Whether a model takes one of several by comparing numbers: a word, or the cells above a threshold.

    Which one it takes can hang on the last bit of a number.
    """
    if isinstance(config, ReleasedConfig):
        return True  # a word, and a threshold
    if not isinstance(config, ModelConfig) or config.target is None:
        return False  # without a target there is no threshold either
    return config.target in ("hard", "straight_through", "max") or config.threshold > 0


def check_same(
    name: str,
    model: Callable[..., Sequence[Tensor]],
    exported: Callable[..., Sequence[Tensor]],
    inputs: Callable[..., tuple[Tensor, ...]],
    map_size: tuple[int, int] | None,
    hard_choice: bool,
) -> None:
    """Compare the outputs of a model and of what was exported, on inputs of several sizes, two of each.

    Args:
        name: What was exported, for errors.
        model: The model.
        exported: The same for others.
        inputs: Makes inputs of a seed and of sizes.
        map_size: Rows and columns that maps must have; None for any.
        hard_choice: Whether one of three inputs may differ: see :func:`has_hard_choice`.

    Raises:
        ConfigError: if they differ; names the sizes, the output and by how much.
    """
    for (clips, segments, words), cells in zip(_SIZES, _MAPS, strict=True):
        sizes: dict[str, Any] = {"clips": clips, "segments": segments, "words": words, "map_size": map_size or cells}
        found = [_difference(model, exported, inputs(seed, **sizes)) for seed in (1, 2)]
        if hard_choice and found.count(None) == 1:
            found.append(_difference(model, exported, inputs(3, **sizes)))
        agreed = found.count(None)
        if agreed < 2:
            shown = ", ".join(f"{key}={value}" for key, value in sizes.items())
            difference = next(one for one in found if one is not None)
            raise ConfigError(
                f"{name}: expected what the model returns for {shown}, got {difference} "
                f"({agreed} of {len(found)} inputs agree)"
            )


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
