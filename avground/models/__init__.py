"""Complete models, and the rows of the paper's tables as overrides of them."""

from collections.abc import Callable, Mapping

from avground.models.ablations import ABLATIONS, OBJECTIVES, UNMATCHED, Ablation
from avground.models.avsd import AVSD, AVSDConfig, avsd
from avground.models.avst import avst
from avground.models.config import ModelConfig, ModelSizes
from avground.models.network import Grounded, Network
from avground.models.pano_avqa import PanoAVQA, PanoAVQAConfig, pano_avqa
from avground.models.question_lstm import QuestionLSTM, question_lstm
from avground.models.released import from_official, tjstg_released
from avground.models.tjstg import GroundingNetwork, build, tjstg, tjstg_sharp

MODELS: Mapping[str, Callable[..., Network]] = {
    "tjstg": tjstg,
    "tjstg_sharp": tjstg_sharp,
    "avst": avst,
    "avsd": avsd,
    "pano_avqa": pano_avqa,
    "question_lstm": question_lstm,
    "tjstg_released": tjstg_released,
}

__all__ = [
    "ABLATIONS",
    "AVSD",
    "MODELS",
    "OBJECTIVES",
    "UNMATCHED",
    "AVSDConfig",
    "Ablation",
    "Grounded",
    "GroundingNetwork",
    "ModelConfig",
    "ModelSizes",
    "Network",
    "PanoAVQA",
    "PanoAVQAConfig",
    "QuestionLSTM",
    "avsd",
    "avst",
    "build",
    "from_official",
    "pano_avqa",
    "question_lstm",
    "tjstg",
    "tjstg_released",
    "tjstg_sharp",
]
