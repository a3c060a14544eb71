"""Losses: agreement of two attentions in time, and matching of sound and sight."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from avground.errors import ShapeError
from avground.ops.divergence import js_divergence
from avground.ops.weights import at_least_float32, normalize_weights
from avground.shapes import check_shapes


class CrossModalSynchronyLoss(nn.Module):
    r"""How far the attention over what is heard and the attention over what is seen lie apart in time, in nats.

    .. math:: L_{csl} = \mathrm{JS}(w_a \| w_v), \quad \text{averaged over the leading dimensions}

    Rows are normalised here: any two rows of non-negative numbers will do, and only their proportions count. A row of
    zeros counts as uniform. Exactly symmetric; finite, with finite gradients, at zeros and one-hot rows. Computed in
    float32 at least, also under autocast.

    Source: TJSTG (Jiang and Yin, 2023), Eqs. 10-12 and 17. The released code optimises something else: see
    :func:`avground.ops.js_divergence`.

    Example:
        >>> import torch
        >>> from avground import CrossModalSynchronyLoss
        >>> early, late = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
        >>> CrossModalSynchronyLoss()(early, late)
        tensor(0.6931)
        >>> CrossModalSynchronyLoss()(early, early)
        tensor(0.)
    """

    def forward(self, audio_weights: Float[Tensor, "*b t"], visual_weights: Float[Tensor, "*b t"]) -> Float[Tensor, ""]:
        """Compare two rows of weights for each clip.

        Args:
            audio_weights: Non-negative weights over t segments.
            visual_weights: As ``audio_weights``, same shape.

        Returns:
            A scalar in [0, ln 2].

        Raises:
            ShapeError: if the shapes differ: ``visual_weights: expected (*b=(64,), t=10), got (64, 9)``.
        """
        check_shapes(audio_weights=(audio_weights, "*b t"), visual_weights=(visual_weights, "*b t"))
        return js_divergence(normalize_weights(audio_weights), normalize_weights(visual_weights)).mean()


class PairMatchingLoss(nn.Module):
    r"""Cross-entropy of telling sound and sight of one video from sound and sight of two.

    .. math:: L_s = \mathrm{CE}(y^{match}, \hat y), \quad \text{averaged over positives and negatives}

    A clip that is heard with the sound of another video is no positive: ``matched`` leaves such clips out.

    Source: TJSTG (Jiang and Yin, 2023), Eq. 21.

    Example:
        >>> import torch
        >>> from avground import PairMatchingLoss
        >>> PairMatchingLoss()(torch.zeros(2, 64, 10, 2))  # a head that knows nothing, of 64 clips of 10 segments
        tensor(0.6931)
    """

    def forward(
        self, match_logits: Float[Tensor, "2 *b 2"], matched: Bool[Tensor, "*b"] | None = None
    ) -> Float[Tensor, ""]:
        """Compute the loss.

        Args:
            match_logits: Logits of the positives, then of the negatives; class 1 means "same video".
            matched: Whether sound and picture of a clip are of one video, in the first of the dimensions ``*b`` or in
                all of them. Clips where they are not are left out with their negatives. None leaves out none.

        Returns:
            A scalar, in nats; computed in float32 at least. Zero, with zero gradients, if every clip is left out.

        Raises:
            ShapeError: if the first or the last dimension is not 2, or ``matched`` is not boolean or does not fit:
                ``matched: expected (b=64,), or further dimensions of (64, 10), got (32,)``.
        """
        check_shapes(match_logits=(match_logits, "2 *b 2"))
        labels = torch.zeros_like(match_logits[..., 0], dtype=torch.int64)
        labels[0] = 1
        logits = at_least_float32(match_logits).flatten(0, -2)
        if matched is None:
            return nn.functional.cross_entropy(logits, labels.flatten())
        kept = _spread(matched, match_logits.shape[1:-1])
        losses = nn.functional.cross_entropy(logits, labels.flatten(), reduction="none").unflatten(0, labels.shape)
        loss: Tensor = losses.masked_fill(~kept, 0).sum() / (2 * kept.sum()).clamp(min=1)
        return loss


def _spread(matched: Bool[Tensor, "*b"], leading: torch.Size) -> Bool[Tensor, "*b"]:
    """What is so of clips, for all leading dimensions."""
    if matched.dtype != torch.bool:
        raise ShapeError(f"matched: expected bool, got {matched.dtype}")
    shape = tuple(matched.shape)
    if shape != leading[: len(shape)] or (leading and not shape):
        first = f"(b={leading[0]},)" if leading else "()"
        raise ShapeError(f"matched: expected {first}, or further dimensions of {tuple(leading)}, got {shape}")
    return matched.reshape(shape + (1,) * (len(leading) - len(shape))).expand(leading)
