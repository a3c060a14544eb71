"""Complete models, and the rows of the paper's tables as overrides of them."""

from collections.abc import Callable, Mapping

from avground.models.ablations import ABLATIONS, OBJECTIVES, Ablation
from avground.models.avst import avst
from avground.models.config import ModelConfig, ModelSizes
from avground.models.network import Grounded, Network
from avground.models.tjstg import GroundingNetwork, build, tjstg, tjstg_sharp

MODELS: Mapping[str, Callable[..., Network]] = {"tjstg": tjstg, "tjstg_sharp": tjstg_sharp, "avst": avst}

__all__ = [
    "ABLATIONS",
    "MODELS",
    "OBJECTIVES",
    "Ablation",
    "Grounded",
    "GroundingNetwork",
    "ModelConfig",
    "ModelSizes",
    "Network",
    "avst",
    "build",
    "tjstg",
    "tjstg_sharp",
]
