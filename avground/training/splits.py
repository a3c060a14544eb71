"""The three question files of a data set, its features, and what is known about it."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from avground.data import FeatureFolder, MusicAVQA, Negatives, Record, Vocabulary, read_annotations
from avground.data.pocket import Truth, read_truth
from avground.data.pocket.build import RECORD_FILE
from avground.data.pocket.truth import FILE as TRUTH_FILE
from avground.errors import DataError
from avground.training.run import Run

NAMES = ("train", "val", "test")


@dataclass(frozen=True)
class Splits:
    """A data set, ready to be trained on.

    Attributes:
        folder: Where it lies.
        records: The questions of ``"train"``, ``"val"`` and ``"test"``.
        vocabulary: Words and answers of the train questions.
        features: The features, all checked.
        files: For each question file its SHA-256, and how many questions and videos it holds; for a Pocket world the
            SHA-256 of its record too, which holds those of the features.
        truth: What is so in the videos, where ``truth.json`` tells.
    """

    folder: Path
    records: dict[str, list[Record]]
    vocabulary: Vocabulary
    features: FeatureFolder
    files: dict[str, dict[str, str | int]]
    truth: Truth | None

    @property
    def question_length(self) -> int:
        """Words of the longest question of all splits, and at least 14, as published networks have it."""
        return max(14, *(len(record.words) for records in self.records.values() for record in records))

    def dataset(self, name: str, negatives: Negatives | None = None) -> MusicAVQA:
        """The questions of a split, with features."""
        length = self.question_length
        records = self.records[name]
        return MusicAVQA(records, self.features, self.vocabulary, question_length=length, negatives=negatives)

    def negatives(self, seed: int) -> Negatives:
        """Draws frames of other train videos."""
        videos = (record.video_id for record in self.records["train"])
        return Negatives(videos, seed, segments=self.features.segments)


def load_splits(run: Run) -> Splits:
    """Read and check everything that a run needs, before anything is trained.

    Raises:
        DataError: if a file or folder is missing, or anything in it cannot be used.
    """
    folder = Path(run.data)
    paths = {name: folder / run.annotations / f"avqa-{name}.json" for name in NAMES}
    missing = [str(path) for path in (*paths.values(), folder / "feats") if not path.exists()]
    if missing:
        raise DataError(
            f"{folder}: expected {run.annotations}/avqa-{{train,val,test}}.json and feats/, got no {', '.join(missing)}"
        )
    records = {name: read_annotations(path) for name, path in paths.items()}
    features = FeatureFolder(folder / "feats", segments=run.segments)
    every = [record for name in NAMES for record in records[name]]
    features.check(
        [record.video_id for record in every], audio_ids=[record.audio_id or record.video_id for record in every]
    )
    files: dict[str, dict[str, str | int]] = {
        f"{run.annotations}/{path.name}": {
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "questions": len(records[name]),
            "videos": len({record.video_id for record in records[name]}),
        }
        for name, path in paths.items()
    }
    if (folder / RECORD_FILE).exists():
        files[RECORD_FILE] = {"sha256": hashlib.sha256((folder / RECORD_FILE).read_bytes()).hexdigest()}
    truth = read_truth(folder) if (folder / TRUTH_FILE).exists() else None
    return Splits(folder, records, Vocabulary.from_annotations(records["train"]), features, files, truth)


def workers_for(run: Run, features: FeatureFolder) -> int:
    """Processes that read features: as the run says, or none where the features are in memory, or a few."""
    if run.workers is not None:
        return run.workers
    if features.in_memory:
        return 0
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(4, cores)
