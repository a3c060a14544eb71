"""Small models whose every parameter is an ordinary number, and clips for them."""

import torch

from avground.models import MODELS
from tests.strategies import normal

SIZES = {"vocabulary_size": 12, "answers": 5, "audio_dim": 3, "visual_dim": 6, "dim": 8}
QUESTIONS = [[3, 1, 4, 1], [2, 7, 0, 0], [5, 0, 0, 0]]


def make(name, sizes=SIZES, **changes):
    """A model in float64 whose every parameter is an ordinary number."""
    torch.manual_seed(0)
    model = MODELS[name](**sizes, **changes).double().eval()
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            if "temperature" not in key:
                parameter.copy_(torch.randn_like(parameter) / 2)
    return model


def sample(seed=1, b=3, t=4, n=4, h=2, w=3, sizes=SIZES):
    """Audio, visual and question; then the negative maps."""
    question = torch.tensor(QUESTIONS)[torch.arange(b) % 3]
    question = torch.nn.functional.pad(question, (0, n - 4)) if n >= 4 else question[:, :n]
    maps = (normal(seed + i, b, t, sizes["visual_dim"], h, w).abs() for i in (1, 2))
    return normal(seed, b, t, sizes["audio_dim"]), next(maps), question, next(maps)
