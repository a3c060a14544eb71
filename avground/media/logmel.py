"""VGGish's front end: a second of sound -> 96 frames of 64 log-mel bands."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from avground.media.tracks import RATE as RATE

WINDOW, HOP, FFT = 400, 160, 512
FRAMES, BANDS = 96, 64
LOWEST, HIGHEST = 125.0, 7500.0


def mel(hertz: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    r"""Pitch in mel, :math:`1127 \ln(1 + f / 700)`."""
    return 1127.0 * torch.log1p(hertz / 700.0)


def mel_filters() -> Float[Tensor, "257 64"]:
    """The weight of each frequency of the spectrum in each band.

    Each band is a triangle over pitch that begins and ends at the centres of its neighbours, which are equally far
    apart. The constant part of the sound is in no band.
    """
    lowest, highest = mel(torch.tensor([LOWEST, HIGHEST], dtype=torch.float64))
    edges = torch.lerp(lowest, highest, torch.linspace(0, 1, BANDS + 2, dtype=torch.float64))
    lower, centre, upper = edges[:-2], edges[1:-1], edges[2:]
    pitch = mel(torch.arange(FFT // 2 + 1, dtype=torch.float64) * RATE / FFT).unsqueeze(1)
    rising, falling = (pitch - lower) / (centre - lower), (upper - pitch) / (upper - centre)
    filters = torch.minimum(rising, falling).clamp(min=0)
    filters[0] = 0
    return filters.float()


class LogMel(nn.Module):
    r"""Log-mel bands of the first 0.96 s of every second.

    .. math:: \log(M |F(w \cdot x)| + 0.01)

    for windows :math:`x` of 25 ms every 10 ms; :math:`w` is a periodic Hann window, :math:`F` a Fourier transform of
    512 points and :math:`M` the bands of :func:`mel_filters`. The magnitudes are not squared. 96 windows take 15,600 of
    the 16,000 samples, so that no second needs the next one.
    """

    window: Tensor
    filters: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("window", torch.hann_window(WINDOW, periodic=True), persistent=False)
        self.register_buffer("filters", mel_filters(), persistent=False)

    def forward(self, sound: Float[Tensor, "s 16000"]) -> Float[Tensor, "s 96 64"]:
        """Bands of each window of each second, in time order."""
        windows = sound.unfold(1, WINDOW, HOP)[:, :FRAMES] * self.window
        return torch.log(torch.fft.rfft(windows, FFT).abs() @ self.filters + 0.01)


class LogMelStatistics(nn.Module):
    """Mean and deviation of each log-mel band over a second, one after the other: 128 numbers without any weights."""

    def __init__(self) -> None:
        super().__init__()
        self.bands = LogMel()

    def forward(self, sound: Float[Tensor, "s 16000"]) -> Float[Tensor, "s 128"]:
        """Describe each second."""
        deviation, mean = torch.std_mean(self.bands(sound), dim=1, correction=0)
        return torch.cat([mean, deviation], dim=1)
