"""Extractors that are quick, and whose features are easily computed again."""

import torch
from torch import nn

from avground.data.manifest import Manifest


class FakeExtractor(nn.Module):
    """Sound: the least, mean and greatest sample of each second. Pictures: the mean of each color, as 3 x 1 x 1."""

    def __init__(self, name, weights, weights_folder, statistics, seconds, device):
        super().__init__()
        self.kind = "audio" if name in ("vggish", "vggish_pca", "logmel") else "visual"
        self.name, self.folder = name, f"fake_{name}"
        self.arguments = {"weights": weights, "weights_folder": weights_folder, "statistics": statistics}
        self.manifest = Manifest(
            kind=self.kind,
            extractor=name,
            shape=(3,) if self.kind == "audio" else (3, 1, 1),
            seconds=seconds,
            weights="a" * 64,
            settings={} if statistics is None else {"statistics": statistics},
            versions={"torch": torch.__version__},
        )
        self.to(device)

    def forward(self, seconds):
        if self.kind == "audio":
            return torch.stack([seconds.amin(1), seconds.mean(1), seconds.amax(1)], 1)
        return seconds.float().mean((2, 3), keepdim=True)


def make_fake(name, *, weights=None, weights_folder=None, statistics=None, seconds=60, device="cpu"):
    return FakeExtractor(name, weights, weights_folder, statistics, seconds, device)
