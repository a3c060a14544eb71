"""Rows of weights: non-negative numbers that sum to 1."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

# A row of smaller numbers counts as zeros: dividing by them could overflow the gradient.
_SMALLEST = 1e-30


def at_least_float32(x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Return ``x`` in float32, or unchanged if it is more precise: weights are never kept in half precision."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def normalize_weights(weights: Float[Tensor, "*b t"]) -> Float[Tensor, "*b t"]:
    """Divide rows of non-negative numbers by their sums; a row of zeros (all below 1e-30) becomes uniform.

    Args:
        weights: Rows of non-negative numbers.

    Returns:
        Rows that sum to 1, in float32 at least. Gradients are finite; a row of zeros gets none.

    Example:
        >>> import torch
        >>> from avground.ops import normalize_weights
        >>> normalize_weights(torch.tensor([[1.0, 3.0], [0.0, 0.0]]))
        tensor([[0.2500, 0.7500],
                [0.5000, 0.5000]])
    """
    weights = at_least_float32(weights)
    largest = weights.detach().amax(-1, keepdim=True)
    empty = largest < _SMALLEST
    weights = weights / largest.masked_fill(empty, 1)  # so that no sum overflows
    return torch.where(empty, 1 / weights.shape[-1], weights / weights.sum(-1, keepdim=True).masked_fill(empty, 1))


def masked_softmax(scores: Float[Tensor, "*b n"], mask: Bool[Tensor, "*b n"]) -> Float[Tensor, "*b n"]:
    """Softmax over the entries where ``mask`` is True; the others, and rows without any, get exactly 0.

    Args:
        scores: Any numbers.
        mask: Which entries take part.

    Returns:
        Weights, in float32 at least.

    Example:
        >>> import torch
        >>> from avground.ops import masked_softmax
        >>> masked_softmax(torch.tensor([1.0, 1.0, 9.0]), torch.tensor([True, True, False]))
        tensor([0.5000, 0.5000, 0.0000])
    """
    scores = at_least_float32(scores)
    return scores.masked_fill(~mask, torch.finfo(scores.dtype).min).softmax(-1) * mask
