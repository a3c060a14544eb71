"""What every model is: how it is called, what it returns, and the sizes it was built for."""

from typing import NamedTuple

from torch import Tensor, nn

from avground.models.config import ModelSizes
from avground.ops.spatial_grounding import Maps
from avground.ops.weights import normalize_weights
from avground.shapes import check_shapes


class Grounded(NamedTuple):
    """What a model returns: the answer, and what it is grounded in.

    Shapes: ``answer_logits`` (b, answers); ``audio_weights`` and ``visual_weights`` (b, t), over segments;
    ``cell_weights`` (b, t, h, w), over the cells of each segment; ``target_weights`` (b, n), over words, zero where a
    model chooses none; ``match_logits`` (2, b, t, 2), of the positives and of the negatives, class 1 being "same
    video", or None without negatives.
    """

    answer_logits: Tensor
    audio_weights: Tensor
    visual_weights: Tensor
    cell_weights: Tensor
    target_weights: Tensor
    match_logits: Tensor | None


def uniform_weights(like: Tensor, *shape: int) -> Tensor:
    """Rows of equal weights, for a model that weighs nothing there; on the device of ``like``, in float32 at least."""
    return normalize_weights(like.new_zeros(shape))


class Network(nn.Module):
    """Base of every model; called as ``model(audio, visual, question, negative=None)``, it returns :class:`Grounded`.

    Args:
        config: What the model was built from; kept for checkpoints.
    """

    def __init__(self, config: ModelSizes) -> None:
        super().__init__()
        self.config = config

    def check(self, audio: Tensor, visual: Maps, negative: Maps | None = None, question: Tensor | None = None) -> None:
        """Check the shapes of a call.

        Raises:
            ShapeError: for example ``visual: expected (b=64, t=10, 512, h, w), got (64, 9, 512, 14, 14)``.
        """
        map_shape = f"b t {self.config.visual_dim} h w"
        others: dict[str, tuple[Maps | None, str]] = {"negative": (negative, map_shape), "question": (question, "b n")}
        given = {name: (tensor, shape) for name, (tensor, shape) in others.items() if tensor is not None}
        check_shapes(audio=(audio, f"b t {self.config.audio_dim}"), visual=(visual, map_shape), **given)
