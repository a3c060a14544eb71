"""The audio encoder."""

from jaxtyping import Float
from torch import Tensor, nn

from avground.shapes import check_shapes


class AudioEncoder(nn.Module):
    r"""Sound features of every segment brought to the model's width.

    .. math:: f_a = W_2 \, \mathrm{relu}(W_1 a + b_1) + b_2

    Source: AVST (Li et al., 2022), kept by TJSTG (Jiang and Yin, 2023), which writes it as one linear layer.

    Args:
        audio_dim: Channels of the input; 128 for VGGish.
        dim: Channels of the output.

    Example:
        >>> import torch
        >>> from avground import AudioEncoder
        >>> AudioEncoder(audio_dim=128, dim=64)(torch.rand(2, 10, 128)).shape
        torch.Size([2, 10, 64])
    """

    def __init__(self, audio_dim: int = 128, dim: int = 512) -> None:
        super().__init__()
        self.audio_dim = audio_dim
        self.layers = nn.Sequential(nn.Linear(audio_dim, dim), nn.ReLU(), nn.Linear(dim, dim))

    def forward(self, audio: Float[Tensor, "*b t audio_dim"]) -> Float[Tensor, "*b t c"]:
        """Encode segments, each by itself.

        Raises:
            ShapeError: for example ``audio: expected (*b, 128), got (64, 10, 64)``.
        """
        check_shapes(audio=(audio, f"*b {self.audio_dim}"))
        encoded: Tensor = self.layers(audio)
        return encoded
