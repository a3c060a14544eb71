"""Questions and features on disk, and batches made of them."""

from avground.data.annotations import QUESTION_TYPES, Record, read_annotations
from avground.data.features import FeatureFolder
from avground.data.music_avqa import Batch, MusicAVQA
from avground.data.negatives import Negatives
from avground.data.prior import TemplatePrior, template_prior
from avground.data.vocabulary import Vocabulary

__all__ = [
    "QUESTION_TYPES",
    "Batch",
    "FeatureFolder",
    "MusicAVQA",
    "Negatives",
    "Record",
    "TemplatePrior",
    "Vocabulary",
    "read_annotations",
    "template_prior",
]
