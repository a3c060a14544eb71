"""Multi-head attention with one query, the question."""

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from avground.errors import ConfigError, check_not_negative, check_whole
from avground.ops.weights import at_least_float32
from avground.shapes import check_shapes


class QuestionAttention(nn.Module):
    r"""Multi-head attention whose one query is the question, returning the weights it really used.

    .. math::
        w = \mathrm{softmax}\left(\frac{(h_q W_q)(f W_k)^\top}{\sqrt{d / heads}}\right), \quad
        f_{att} = [\dots; w^{(head)} (f W_v^{(head)}); \dots] W_o

    Parameters are named and shaped as in :class:`torch.nn.MultiheadAttention`. The weights returned are averaged over
    heads and taken before dropout, so they sum to 1; the authors' released code takes them after it.

    Source: TJSTG (Jiang and Yin, 2023), Eqs. 14-15.

    Args:
        dim: Width c of question and segments.
        heads: Number of heads; divides ``dim``.
        dropout: Share of weights dropped in training.

    Example:
        >>> import torch
        >>> from avground.blocks import QuestionAttention
        >>> attended, weights = QuestionAttention(dim=64)(torch.rand(2, 64), torch.rand(2, 10, 64))
        >>> attended.shape, weights.shape
        (torch.Size([2, 64]), torch.Size([2, 10]))
    """

    def __init__(self, dim: int = 512, heads: int = 4, *, dropout: float = 0.1) -> None:
        super().__init__()
        check_whole("heads", heads)
        check_not_negative("dropout", dropout, below=1)
        if dim % heads:
            raise ConfigError(f"heads: expected a divisor of dim={dim}, got {heads}")
        self.dim = dim
        self.heads = heads
        self.in_proj_weight = nn.Parameter(torch.empty(3 * dim, dim))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * dim))
        self.out_proj = nn.Linear(dim, dim)
        self.dropout = nn.Dropout(dropout)
        nn.init.xavier_uniform_(self.in_proj_weight)
        nn.init.zeros_(self.out_proj.bias)

    def forward(
        self, question: Float[Tensor, "*b c"], segments: Float[Tensor, "*b t c"]
    ) -> tuple[Float[Tensor, "*b c"], Float[Tensor, "*b t"]]:
        """Attend.

        Args:
            question: The query, one a clip.
            segments: What it attends to.

        Returns:
            The attended feature, and the weights over segments.

        Raises:
            ShapeError: for example ``segments: expected (*b=(64,), t, 512), got (64, 10, 256)``.
        """
        check_shapes(question=(question, f"*b {self.dim}"), segments=(segments, f"*b t {self.dim}"))
        query_weight, rest_weight = self.in_proj_weight.split((self.dim, 2 * self.dim))
        query_bias, rest_bias = self.in_proj_bias.split((self.dim, 2 * self.dim))
        query = nn.functional.linear(question, query_weight, query_bias) * (self.dim // self.heads) ** -0.5
        keys_values = nn.functional.linear(segments, rest_weight, rest_bias)
        query = rearrange(query, "... (heads c) -> ... heads 1 c", heads=self.heads)
        keys, values = rearrange(keys_values, "... t (two heads c) -> two ... heads t c", two=2, heads=self.heads)
        weights = at_least_float32(query @ keys.transpose(-1, -2)).softmax(-1)
        attended = rearrange(self.dropout(weights).to(values.dtype) @ values, "... heads 1 c -> ... (heads c)")
        return self.out_proj(attended), weights.mean(-3)[..., 0, :]
