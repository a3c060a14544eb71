"""The parts of Figure 3 of the paper as modules, one file each."""

from avground.blocks.attention import QuestionAttention
from avground.blocks.audio import AudioEncoder
from avground.blocks.heads import AnswerHead, MatchHead
from avground.blocks.question import Question, QuestionEncoder
from avground.blocks.spatial import AudioVisualSpatialGrounding, Spatial, TargetAwareSpatialGrounding
from avground.blocks.target import MaxTarget, MeanTarget, NoTarget, SentenceTarget, Target, TargetAware
from avground.blocks.temperature import Temperature
from avground.blocks.temporal import (
    DualStreamTemporalGrounding,
    JointTemporalGrounding,
    RelativeTemporalGrounding,
    Temporal,
)

__all__ = [
    "AnswerHead",
    "AudioEncoder",
    "AudioVisualSpatialGrounding",
    "DualStreamTemporalGrounding",
    "JointTemporalGrounding",
    "MatchHead",
    "MaxTarget",
    "MeanTarget",
    "NoTarget",
    "Question",
    "QuestionAttention",
    "QuestionEncoder",
    "RelativeTemporalGrounding",
    "SentenceTarget",
    "Spatial",
    "Target",
    "TargetAware",
    "TargetAwareSpatialGrounding",
    "Temperature",
    "Temporal",
]
