"""Audio-visual grounding: find where and when the asked-for thing is seen and heard."""

from avground.blocks import (
    AnswerHead,
    AudioEncoder,
    AudioVisualSpatialGrounding,
    DualStreamTemporalGrounding,
    JointTemporalGrounding,
    MatchHead,
    MaxTarget,
    MeanTarget,
    NoTarget,
    QuestionEncoder,
    RelativeTemporalGrounding,
    SentenceTarget,
    TargetAware,
    TargetAwareSpatialGrounding,
    Temperature,
)
from avground.errors import AvgroundError, ConfigError, DataError, ShapeError
from avground.losses import CrossModalSynchronyLoss, PairMatchingLoss

__version__ = "0.1.0.dev0"

__all__ = [
    "AnswerHead",
    "AudioEncoder",
    "AudioVisualSpatialGrounding",
    "AvgroundError",
    "ConfigError",
    "CrossModalSynchronyLoss",
    "DataError",
    "DualStreamTemporalGrounding",
    "JointTemporalGrounding",
    "MatchHead",
    "MaxTarget",
    "MeanTarget",
    "NoTarget",
    "PairMatchingLoss",
    "QuestionEncoder",
    "RelativeTemporalGrounding",
    "SentenceTarget",
    "ShapeError",
    "TargetAware",
    "TargetAwareSpatialGrounding",
    "Temperature",
    "__version__",
]
