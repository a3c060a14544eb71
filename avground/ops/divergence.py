"""Divergences between rows of weights, in nats: Eqs. 10-12 of TJSTG (Jiang and Yin, 2023)."""

import torch
from jaxtyping import Float
from torch import Tensor

from avground.ops.weights import at_least_float32
from avground.shapes import check_shapes


def kl_divergence(p: Float[Tensor, "*b t"], q: Float[Tensor, "*b t"]) -> Float[Tensor, "*b"]:
    r"""Kullback-Leibler divergence of ``q`` from ``p``, in nats.

    .. math:: \mathrm{KL}(p \| q) = \sum_t p_t \log \frac{p_t}{q_t}

    Computed in float32 at least. A term with :math:`p_t = 0` counts nothing. A weight below the dtype's smallest normal
    number counts as that number inside the logarithm, so that values and gradients stay finite where the formula's do
    not: ``q = 0`` against ``p = 1`` gives about 87 nats in float32 and 708 in float64.

    Source: TJSTG (Jiang and Yin, 2023), Eq. 12.

    Args:
        p: Rows of weights over t segments, each summing to 1.
        q: The rows to measure them against.

    Returns:
        One value a row, at least 0 up to rounding; float32, or float64 if an input is.

    Raises:
        ShapeError: if the shapes differ: ``q: expected (*b=(64,), t=10), got (64, 9)``.

    Example:
        >>> import torch
        >>> from avground.ops import kl_divergence
        >>> kl_divergence(torch.tensor([0.5, 0.5]), torch.tensor([0.9, 0.1]))
        tensor(0.5108)
    """
    check_shapes(p=(p, "*b t"), q=(q, "*b t"))
    p, q = at_least_float32(p), at_least_float32(q)
    tiny = torch.finfo(p.dtype).tiny
    return (p * (p.clamp(min=tiny).log() - q.clamp(min=tiny).log())).sum(-1)


def js_divergence(p: Float[Tensor, "*b t"], q: Float[Tensor, "*b t"]) -> Float[Tensor, "*b"]:
    r"""Jensen-Shannon divergence: how far two rows of weights lie apart, in nats.

    .. math:: \mathrm{JS}(p, q) = \tfrac12 \mathrm{KL}(p \| m) + \tfrac12 \mathrm{KL}(q \| m), \quad m = \frac{p + q}{2}

    Exactly symmetric, and differentiable with finite gradients everywhere, one-hot and zero rows included.

    Source: TJSTG (Jiang and Yin, 2023), Eqs. 10-12. The released code computes something else: it calls
    ``F.kl_div`` on probabilities where log-probabilities are due, which is lowest for uniform rows and never compares
    ``p`` with ``q``.

    Args:
        p: Rows of weights over t segments, each summing to 1.
        q: The rows to compare them with.

    Returns:
        For each pair of rows a number from 0, where they are the same, to ln 2, where they share no segment; in
        float32, or float64 if an input is.

    Raises:
        ShapeError: if the shapes differ: ``q: expected (*b=(64,), t=10), got (64, 9)``.

    Example:
        >>> import torch
        >>> from avground.ops import js_divergence
        >>> js_divergence(torch.tensor([[0.5, 0.5], [1.0, 0.0]]), torch.tensor([[0.5, 0.5], [0.0, 1.0]]))
        tensor([0.0000, 0.6931])
    """
    check_shapes(p=(p, "*b t"), q=(q, "*b t"))
    p, q = at_least_float32(p), at_least_float32(q)
    middle = (p + q) / 2
    # Two equal rows may miss 0 by a rounding error on either side; the true value is never negative.
    return ((kl_divergence(p, middle) + kl_divergence(q, middle)) / 2).clamp(min=0)
