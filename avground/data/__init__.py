"""Questions and features on disk, and batches made of them."""

from avground.data.annotations import QUESTION_TYPES, Record, read_annotations
from avground.data.bank import Bank
from avground.data.disjoint import disjoint_split, write_disjoint_split
from avground.data.features import FeatureFolder, Features
from avground.data.headtail import head_tail, score_head_tail
from avground.data.inspection import inspect_files
from avground.data.manifest import Manifest
from avground.data.music_avqa import Batch, MusicAVQA
from avground.data.negatives import Negatives
from avground.data.pack import open_features, pack, verify
from avground.data.prior import TemplatePrior, template_prior
from avground.data.store import FeatureStore
from avground.data.variants import question_files
from avground.data.vocabulary import Vocabulary

__all__ = [
    "QUESTION_TYPES",
    "Bank",
    "Batch",
    "FeatureFolder",
    "FeatureStore",
    "Features",
    "Manifest",
    "MusicAVQA",
    "Negatives",
    "Record",
    "TemplatePrior",
    "Vocabulary",
    "disjoint_split",
    "head_tail",
    "inspect_files",
    "open_features",
    "pack",
    "question_files",
    "read_annotations",
    "score_head_tail",
    "template_prior",
    "verify",
    "write_disjoint_split",
]
