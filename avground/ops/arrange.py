"""Two streams of segments arranged as one, and taken apart again: Eq. 13 and Table 6 of TJSTG (Jiang and Yin, 2023)."""

import torch
from jaxtyping import Shaped
from torch import Tensor

from avground.errors import ShapeError
from avground.shapes import check_shapes


def interleave(first: Shaped[Tensor, "*b t c"], second: Shaped[Tensor, "*b t c"]) -> Shaped[Tensor, "*b two_t c"]:
    r"""Alternate two streams segment by segment.

    .. math:: [x_1; y_1; x_2; y_2; \dots; x_T; y_T]

    Source: TJSTG (Jiang and Yin, 2023), Eq. 13, with the visual stream as ``first``.

    Args:
        first: t segments of c channels, under any number of leading dimensions.
        second: As ``first``, same shape.

    Returns:
        2 t segments: ``first`` at the even places (from 0), ``second`` at the odd ones.

    Raises:
        ShapeError: if the shapes differ: ``second: expected (*b=(64,), t=10, c=512), got (64, 9, 512)``.

    Example:
        >>> import torch
        >>> from avground.ops import interleave
        >>> pictures, sounds = torch.tensor([[1], [2]]), torch.tensor([[10], [20]])  # two segments of one channel
        >>> interleave(pictures, sounds).flatten()
        tensor([ 1, 10,  2, 20])
    """
    check_shapes(first=(first, "*b t c"), second=(second, "*b t c"))
    return torch.stack((first, second), dim=-2).flatten(-3, -2)


def deinterleave(both: Shaped[Tensor, "*b two_t c"]) -> tuple[Shaped[Tensor, "*b t c"], Shaped[Tensor, "*b t c"]]:
    """Take apart what :func:`interleave` arranged.

    Args:
        both: 2 t segments of c channels.

    Returns:
        The segments at the even places (from 0), and those at the odd ones.

    Raises:
        ShapeError: if the number of segments is odd.

    Example:
        >>> import torch
        >>> from avground.ops import deinterleave
        >>> pictures, sounds = deinterleave(torch.tensor([[1], [10], [2], [20]]))
        >>> pictures.flatten(), sounds.flatten()
        (tensor([1, 2]), tensor([10, 20]))
    """
    _check_even(both)
    first, second = both.unflatten(-2, (-1, 2)).unbind(-2)
    return first, second


def concatenate(first: Shaped[Tensor, "*b t c"], second: Shaped[Tensor, "*b t c"]) -> Shaped[Tensor, "*b two_t c"]:
    r"""Put the second stream behind the first.

    .. math:: [x_1; \dots; x_T; y_1; \dots; y_T]

    Source: TJSTG (Jiang and Yin, 2023), Table 6, rows "Cat".

    Args:
        first: t segments of c channels, under any number of leading dimensions.
        second: As ``first``, same shape.

    Returns:
        2 t segments.

    Raises:
        ShapeError: if the shapes differ.

    Example:
        >>> import torch
        >>> from avground.ops import concatenate
        >>> pictures, sounds = torch.tensor([[1], [2]]), torch.tensor([[10], [20]])  # two segments of one channel
        >>> concatenate(pictures, sounds).flatten()
        tensor([ 1,  2, 10, 20])
    """
    check_shapes(first=(first, "*b t c"), second=(second, "*b t c"))
    return torch.cat((first, second), dim=-2)


def separate(both: Shaped[Tensor, "*b two_t c"]) -> tuple[Shaped[Tensor, "*b t c"], Shaped[Tensor, "*b t c"]]:
    """Take apart what :func:`concatenate` arranged.

    Args:
        both: 2 t segments of c channels.

    Returns:
        The first half of the segments, and the second.

    Raises:
        ShapeError: if the number of segments is odd.

    Example:
        >>> import torch
        >>> from avground.ops import separate
        >>> pictures, sounds = separate(torch.tensor([[1], [2], [10], [20]]))
        >>> pictures.flatten(), sounds.flatten()
        (tensor([1, 2]), tensor([10, 20]))
    """
    _check_even(both)
    first, second = both.chunk(2, dim=-2)
    return first, second


def _check_even(both: Tensor) -> None:
    check_shapes(both=(both, "*b two_t c"))
    if both.shape[-2] % 2:
        raise ShapeError(f"both: expected (*b, two_t, c) with an even two_t, got {tuple(both.shape)}")
