"""Complete models, and the rows of the paper's tables as overrides of them."""

from avground.models.ablations import ABLATIONS, OBJECTIVES, Ablation
from avground.models.avst import avst
from avground.models.config import ModelConfig
from avground.models.tjstg import Grounded, GroundingNetwork, build, tjstg, tjstg_sharp

MODELS = {"tjstg": tjstg, "tjstg_sharp": tjstg_sharp, "avst": avst}

__all__ = [
    "ABLATIONS",
    "MODELS",
    "OBJECTIVES",
    "Ablation",
    "Grounded",
    "GroundingNetwork",
    "ModelConfig",
    "avst",
    "build",
    "tjstg",
    "tjstg_sharp",
]
