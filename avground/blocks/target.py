"""What is asked for: a target feature from the words of a question; Eqs. 1-3 of TJSTG and the rivals of its Table 4."""

from typing import Literal, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from avground.errors import ShapeError, check_choice
from avground.ops.weights import at_least_float32, masked_softmax
from avground.shapes import check_shapes

Selection = Literal["hard", "straight_through", "soft"]
SELECTIONS: tuple[Selection, ...] = ("hard", "straight_through", "soft")


class Target(NamedTuple):
    r"""What every block of this module returns.

    Shapes: ``feature`` (\*b, c); ``weights`` (\*b, n), non-negative, zero at padding.
    """

    feature: Tensor
    weights: Tensor


class TargetAware(nn.Module):
    r"""Picks the word of a question that names what is asked for.

    .. math::
        s = \mathrm{softmax}\left(\frac{h_q f_q^\top}{\sqrt d}\right), \quad
        idx = \arg\max_n s_n, \quad f_{tgt} = f_q[idx]

    Padding gets no weight. It has no parameters.

    Source: TJSTG (Jiang and Yin, 2023), Eqs. 1-3. The argmax stops the gradient of the choice: nothing ever learns
    which word to pick. ``"straight_through"`` takes the same word forward and passes the gradient to all s as if it
    had taken :math:`\sum_n s_n f_q[n]`; ``"soft"`` uses that sum. The released code chooses by an untrained 4-head
    attention of the LSTM's cell state instead.

    Args:
        selection: ``"hard"`` (the paper), ``"straight_through"`` or ``"soft"``.

    Example:
        >>> import torch
        >>> from avground import TargetAware
        >>> words = torch.eye(3)
        >>> target = TargetAware()(words, sentence=words[1])  # a sentence that resembles its second word
        >>> target.feature
        tensor([0., 1., 0.])
        >>> target.weights
        tensor([0.2645, 0.4711, 0.2645])
    """

    def __init__(self, selection: Selection = "hard") -> None:
        super().__init__()
        check_choice("selection", selection, SELECTIONS)
        self.selection = selection

    def forward(
        self, words: Float[Tensor, "*b n c"], sentence: Float[Tensor, "*b c"], mask: Bool[Tensor, "*b n"] | None = None
    ) -> Target:
        """Pick a word.

        Args:
            words: Word features :math:`f_q`.
            sentence: Sentence feature :math:`h_q`.
            mask: True at real words; None if all are.

        Returns:
            The target's feature, and the weights :math:`s` over words, which sum to 1 (0 for a question without words).

        Raises:
            ShapeError: for example ``sentence: expected (*b=(64,), c=512), got (64, 256)``.
        """
        mask = _check(words, sentence, mask)
        scores = (words @ sentence[..., None])[..., 0] / words.shape[-1] ** 0.5
        weights = masked_softmax(scores, mask)
        chosen = torch.zeros_like(weights).scatter(-1, weights.argmax(-1, keepdim=True), 1.0) * mask
        taken = {
            "hard": chosen,
            "straight_through": chosen + weights - weights.detach(),
            "soft": weights,
        }[self.selection]
        return Target(_pool(taken, words), weights)

    def extra_repr(self) -> str:
        """The selection, for ``print(model)``."""
        return f"selection={self.selection!r}"


class MeanTarget(nn.Module):
    r"""The mean of the word features instead of one word: :math:`f_{tgt} = \frac1N \sum_n f_q[n]`, padding left out.

    Source: TJSTG (Jiang and Yin, 2023), Table 4, "mean". Same signature as :class:`TargetAware`.

    Example:
        >>> import torch
        >>> from avground import MeanTarget
        >>> MeanTarget()(torch.eye(2), sentence=torch.zeros(2)).feature
        tensor([0.5000, 0.5000])
    """

    def forward(
        self, words: Float[Tensor, "*b n c"], sentence: Float[Tensor, "*b c"], mask: Bool[Tensor, "*b n"] | None = None
    ) -> Target:
        """Average the words; the weights are uniform over them."""
        mask = _check(words, sentence, mask)
        weights = masked_softmax(torch.zeros_like(words[..., 0]), mask)
        return Target(_pool(weights, words), weights)


class MaxTarget(nn.Module):
    r"""The channel-wise maximum over words instead of one word: :math:`f_{tgt,c} = \max_n f_{q,c}[n]`, without padding.

    Source: TJSTG (Jiang and Yin, 2023), Table 4, "max". Same signature as :class:`TargetAware`.

    Example:
        >>> import torch
        >>> from avground import MaxTarget
        >>> target = MaxTarget()(torch.tensor([[1.0, 0.0, 2.0], [0.0, 3.0, 0.0]]), sentence=torch.zeros(3))
        >>> target.feature
        tensor([1., 3., 2.])
        >>> target.weights
        tensor([0.6667, 0.3333])
    """

    def forward(
        self, words: Float[Tensor, "*b n c"], sentence: Float[Tensor, "*b c"], mask: Bool[Tensor, "*b n"] | None = None
    ) -> Target:
        """Take the maximum; a word's weight is the share of channels it won."""
        mask = _check(words, sentence, mask)
        values, winners = words.masked_fill(~mask[..., None], torch.finfo(words.dtype).min).max(-2)
        share = torch.full_like(at_least_float32(values), 1 / words.shape[-1])
        won = _no_weights(words).scatter_add(-1, winners, share)
        return Target(values * mask.any(-1, keepdim=True), won * mask)


class SentenceTarget(nn.Module):
    """The sentence feature instead of one word: :math:`f_{tgt} = h_q`.

    Source: TJSTG (Jiang and Yin, 2023), Table 4, "hidden". Same signature as :class:`TargetAware`.

    Example:
        >>> import torch
        >>> from avground import SentenceTarget
        >>> SentenceTarget()(torch.eye(2), sentence=torch.tensor([1.0, 2.0])).feature
        tensor([1., 2.])
    """

    def forward(
        self, words: Float[Tensor, "*b n c"], sentence: Float[Tensor, "*b c"], mask: Bool[Tensor, "*b n"] | None = None
    ) -> Target:
        """Return the sentence; no word is chosen, so the weights are zero."""
        _check(words, sentence, mask)
        return Target(sentence, _no_weights(words))


class NoTarget(nn.Module):
    """No target: what stands in the place of :class:`TargetAware` in AVST and in "w/o T-A" of Table 2.

    Same signature as :class:`TargetAware`.

    Example:
        >>> import torch
        >>> from avground import NoTarget
        >>> NoTarget()(torch.eye(2), sentence=torch.tensor([1.0, 2.0])).feature
        tensor([0., 0.])
    """

    def forward(
        self, words: Float[Tensor, "*b n c"], sentence: Float[Tensor, "*b c"], mask: Bool[Tensor, "*b n"] | None = None
    ) -> Target:
        """Return zeros: an absent feature, and no weight on any word."""
        _check(words, sentence, mask)
        return Target(torch.zeros_like(sentence), _no_weights(words))


def _check(words: Tensor, sentence: Tensor, mask: Tensor | None) -> Tensor:
    """Check the shapes and return the mask, all True if there is none."""
    if mask is None:
        mask = torch.ones_like(words[..., 0], dtype=torch.bool)
    check_shapes(words=(words, "*b n c"), sentence=(sentence, "*b c"), mask=(mask, "*b n"))
    if mask.dtype != torch.bool:
        raise ShapeError(f"mask: expected bool, True at real words, got {mask.dtype}")
    return mask


def _no_weights(words: Tensor) -> Tensor:
    return at_least_float32(torch.zeros_like(words[..., 0]))


def _pool(weights: Tensor, words: Tensor) -> Tensor:
    return (weights[..., None, :].to(words.dtype) @ words)[..., 0, :]
