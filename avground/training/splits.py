"""The three question files of a data set, its features, and what is known about it."""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from avground.data import Features, MusicAVQA, Negatives, Record, Vocabulary, open_features, read_annotations
from avground.data.features import Keep
from avground.data.headtail import head_tail_of
from avground.data.pocket import Truth, read_truth
from avground.data.pocket.build import RECORD_FILE
from avground.data.pocket.truth import FILE as TRUTH_FILE
from avground.data.variants import SPLITS, question_files
from avground.data.vocabulary import UnknownWords
from avground.errors import DataError
from avground.training.run import Run


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
        unknown_words: See :class:`avground.training.Run`.
    """

    folder: Path
    records: dict[str, list[Record]]
    vocabulary: Vocabulary
    features: Features
    files: dict[str, dict[str, str | int]]
    truth: Truth | None
    unknown_words: UnknownWords = "error"

    @property
    def templates(self) -> list[str]:
        """The templates of the train questions, in the order of their first appearance."""
        return list(dict.fromkeys(record.template for record in self.records["train"]))

    @property
    def question_length(self) -> int:
        """Words of the longest question of all splits, and at least 14, as published networks have it."""
        return max(14, *(len(record.words) for records in self.records.values() for record in records))

    @property
    def videos(self) -> tuple[list[str], list[str]]:
        """The videos seen and the videos heard in all questions, each once."""
        return _videos_of(self.records)

    def dataset(self, name: str, negatives: Negatives | None = None) -> MusicAVQA:
        """The questions of a split, with features."""
        return MusicAVQA(
            self.records[name],
            self.features,
            self.vocabulary,
            question_length=self.question_length,
            negatives=negatives,
            unknown_words=self.unknown_words,
        )

    def negatives(self, seed: int) -> Negatives:
        """Draws frames of other train videos."""
        videos = (record.video_id for record in self.records["train"])
        return Negatives(videos, seed, segments=self.features.segments)


def load_splits(run: Run, *, keep: Keep = "auto") -> Splits:
    """Read and check everything that a run needs, before anything is trained.

    Args:
        run: The run.
        keep: See :class:`avground.data.FeatureFolder`.

    Raises:
        DataError: if a file or folder is missing, or anything in it cannot be used.
    """
    folder = Path(run.data)
    where = Path(run.features) if run.features is not None else folder / "feats"
    missing = [str(path) for path in (folder / run.annotations, where) if not path.exists()]
    if missing:
        raise DataError(
            f"{folder}: expected {run.annotations}/ with question files and {run.features or 'feats/'}, "
            f"got no {', '.join(missing)}"
        )
    paths = question_files(folder / run.annotations, prefix=run.prefix)
    records = {name: read_annotations(path) for name, path in paths.items()}
    head_tail_of(records["test"])  # Some questions may not be tagged: that is told now and not after training.
    features = open_features(
        where, segments=run.segments, audio=run.audio_features, visual=run.visual_features, keep=keep
    )
    video_ids, audio_ids = _videos_of(records)
    features.check(video_ids, audio_ids=audio_ids)
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
    vocabulary = Vocabulary.from_annotations(records["train"])
    return Splits(folder, records, vocabulary, features, files, truth, run.unknown_words)


def _videos_of(records: Mapping[str, list[Record]]) -> tuple[list[str], list[str]]:
    """The videos seen and the videos heard in some questions, each once."""
    every = [record for name in SPLITS for record in records[name]]
    heard = dict.fromkeys(record.heard_id for record in every)
    return list(dict.fromkeys(record.video_id for record in every)), list(heard)


def workers_for(run: Run, features: Features) -> int:
    """Processes that read features for one that trains: as the run says, none where they are in memory, or a few."""
    if run.workers is not None:
        return run.workers
    if features.in_memory:
        return 0
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(4, cores // run.devices))
