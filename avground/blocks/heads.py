"""Heads: the answer, and whether sound and sight belong together."""

from itertools import pairwise
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from avground.errors import check_choice, check_whole
from avground.shapes import check_shapes


class AnswerHead(nn.Module):
    r"""Scores over answers from what was found and what was asked.

    .. math:: e = f_{avq} \odot h_q, \quad y = \mathrm{Linear}(e)

    Source: TJSTG (Jiang and Yin, 2023), Eq. 20, before its softmax. AVST and the released code put a tanh on e.

    Args:
        dim: Width c of context and sentence.
        answers: Number of answers.
        activation: ``"none"`` (the paper) or ``"tanh"``.

    Example:
        >>> import torch
        >>> from avground import AnswerHead
        >>> AnswerHead(dim=64, answers=42)(torch.rand(2, 64), torch.rand(2, 64)).shape
        torch.Size([2, 42])
    """

    def __init__(self, dim: int = 512, answers: int = 42, *, activation: Literal["none", "tanh"] = "none") -> None:
        super().__init__()
        check_choice("activation", activation, ("none", "tanh"))
        self.dim = dim
        self.activation = nn.Tanh() if activation == "tanh" else nn.Identity()
        self.classify = nn.Linear(dim, answers)

    def forward(self, context: Float[Tensor, "*b c"], sentence: Float[Tensor, "*b c"]) -> Float[Tensor, "*b answers"]:
        """Score the answers.

        Args:
            context: What the temporal block returns.
            sentence: Sentence feature :math:`h_q`.

        Returns:
            Logits.

        Raises:
            ShapeError: for example ``sentence: expected (*b=(64,), 512), got (1, 512)``.
        """
        check_shapes(context=(context, f"*b {self.dim}"), sentence=(sentence, f"*b {self.dim}"))
        logits: Tensor = self.classify(self.activation(context * sentence))
        return logits


class MatchHead(nn.Module):
    r"""Whether a sound and a sight are of the same video.

    .. math:: \hat y = \mathrm{softmax}(\mathrm{MLP}([f_a; f_v]))

    The MLP narrows c to c/2, c/4 and 2 with ReLU between, as in AVST.

    Source: TJSTG (Jiang and Yin, 2023), Eq. 22, before its softmax (the paper stacks [f_v; f_a], which is the same up
    to the order of columns).

    Args:
        dim: Width c of either feature; at least 4.

    Example:
        >>> import torch
        >>> from avground import MatchHead
        >>> MatchHead(dim=64)(torch.rand(2, 10, 64), torch.rand(2, 10, 64)).shape
        torch.Size([2, 10, 2])
    """

    def __init__(self, dim: int = 512) -> None:
        super().__init__()
        check_whole("dim", dim, 4)
        self.dim = dim
        widths = (2 * dim, dim, dim // 2, dim // 4)
        hidden = (layer for pair in pairwise(widths) for layer in (nn.Linear(*pair), nn.ReLU()))
        self.mlp = nn.Sequential(*hidden, nn.Linear(widths[-1], 2))

    def forward(self, audio: Float[Tensor, "*b c"], visual: Float[Tensor, "*b c"]) -> Float[Tensor, "*b 2"]:
        """Score "different videos" (class 0) and "same video" (class 1).

        Args:
            audio: Sound feature of each segment.
            visual: Grounded visual feature of each segment.

        Returns:
            Logits.

        Raises:
            ShapeError: for example ``visual: expected (*b=(64, 10), 512), got (64, 512)``.
        """
        check_shapes(audio=(audio, f"*b {self.dim}"), visual=(visual, f"*b {self.dim}"))
        logits: Tensor = self.mlp(torch.cat((audio, visual), dim=-1))
        return logits
