"""Small models to export."""

import functools

import torch

from avground.models import MODELS
from avground.testing.contract import outputs_of

SIZES = {"vocabulary_size": 20, "answers": 7, "audio_dim": 6, "visual_dim": 12, "dim": 16}
BUILDS = {**{name: {} for name in MODELS}, "avst_released": {"padding": "read"}}


@functools.cache
def make(name):
    """A model whose parameters are not small, so that a wrong one shows."""
    torch.manual_seed(0)
    model = MODELS[name.replace("avst_released", "avst")](**SIZES, **BUILDS[name])
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            if "temperature" not in key and parameter.ndim > 1:
                parameter.copy_(torch.randn_like(parameter) / parameter.shape[-1] ** 0.5)
    return model.train()  # exporting takes evaluation mode, whichever the model is in


def sample(b, t, n, h, w, seed=5):
    """Audio, visual and question."""
    generator = torch.Generator().manual_seed(seed)
    question = torch.randint(1, 20, (b, n), generator=generator)
    question[-1, 1:] = 0
    audio, visual = (torch.randn(b, t, *rest, generator=generator) for rest in ((6,), (12, h, w)))
    return audio, visual.abs(), question


def expected(model, inputs):
    """What the model says in evaluation mode; the model is left in the mode it was in."""
    was = model.training
    with torch.no_grad():
        out = outputs_of(model.eval()(*inputs))
    model.train(was)
    return out
