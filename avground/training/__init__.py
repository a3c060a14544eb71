"""Training, evaluation and checkpoints."""

from avground.training.attention import AttentionMetric
from avground.training.checkpoint import load_checkpoint, read_checkpoint, rebuild
from avground.training.evaluate import Evaluation, evaluate
from avground.training.grounding import GroundingMetric
from avground.training.interrupt import Interrupted
from avground.training.metrics import Scores, prior_scores, score, table
from avground.training.objective import Objective
from avground.training.report import make_report
from avground.training.run import DEVICES, FEATURES_ON, GRAPHS, LOGGERS, PRECISIONS, Run, music_avqa_run, pocket_run
from avground.training.splits import Splits, load_splits
from avground.training.train import make_model, train

__all__ = [
    "DEVICES",
    "FEATURES_ON",
    "GRAPHS",
    "LOGGERS",
    "PRECISIONS",
    "AttentionMetric",
    "Evaluation",
    "GroundingMetric",
    "Interrupted",
    "Objective",
    "Run",
    "Scores",
    "Splits",
    "evaluate",
    "load_checkpoint",
    "load_splits",
    "make_model",
    "make_report",
    "music_avqa_run",
    "pocket_run",
    "prior_scores",
    "read_checkpoint",
    "rebuild",
    "score",
    "table",
    "train",
]
