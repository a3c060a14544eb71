"""What question files hold, told before anything is trained on them."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from os import PathLike
from pathlib import Path
from typing import Any, Literal

from avground.data.annotations import FREQUENCIES, Record, read_annotations
from avground.data.headtail import head_tail_of, score_head_tail
from avground.data.prior import template_prior
from avground.data.table import ALL, rows_of
from avground.data.variants import base_video, guess_variant, parse_file_name
from avground.data.vocabulary import Vocabulary
from avground.errors import DataError, check_choice

PriorFrom = Literal["train", "val", "itself"]
PRIORS: tuple[PriorFrom, ...] = ("train", "val", "itself")


@dataclass(frozen=True)
class QuestionFile:
    """A question file that was read.

    Attributes:
        path: The file.
        records: Its questions.
        split: ``"train"``, ``"val"`` or ``"test"``, as its name says; empty if it says none.
    """

    path: Path
    records: list[Record]
    split: str

    @classmethod
    def read(cls, path: str | PathLike[str]) -> "QuestionFile":
        """Read a file.

        Raises:
            DataError: if it cannot be read, or holds no question.
        """
        records = read_annotations(path)
        if not records:
            raise DataError(f"{path}: expected at least one question, got none")
        name = parse_file_name(path)
        return cls(Path(path), records, "" if name is None else name.split)

    @cached_property
    def videos(self) -> set[str]:
        """The videos that are seen or heard."""
        return {video for record in self.records for video in (record.video_id, record.heard_id)}

    @cached_property
    def base_videos(self) -> set[str]:
        """The videos that these come from."""
        return {base_video(video) for video in self.videos}


def inspect_files(
    files: Sequence[QuestionFile], *, prior_from: PriorFrom = "train", head_tail: bool = False
) -> dict[str, Any]:
    """Say what question files hold, and what they have in common.

    Args:
        files: The files; words, answers and the prior are compared with those of the train file among them, if any.
        prior_from: Where the template prior counts answers: in the train file, in the val file, or in each file itself,
            which is no prior but its upper bound.
        head_tail: Whether to report frequent and rare answers apart also where a file does not tell them apart.

    Returns:
        Plain lists, dictionaries, strings and numbers:

        - ``files``: for each what :func:`inspect_file` says;
        - ``overlap``: for each pair of files the ``videos`` and ``base_videos`` in both, and the ``questions`` of the
          second about (or with the sound of) base videos that are in the first;
        - ``vocabulary``: words and answers of the train file and their digest, or None without one;
        - ``prior``: ``from``, and for each file answered the accuracy by row; None without a file to count in.

    Raises:
        DataError: if there are two train files, or two val files to count answers in.
        ConfigError: for another ``prior_from``.
    """
    check_choice("prior_from", prior_from, PRIORS)
    train, source = _only(files, "train"), None if prior_from == "itself" else _only(files, prior_from)
    vocabulary = None if train is None else Vocabulary.from_annotations(train.records)
    return {
        "files": [inspect_file(file, vocabulary, head_tail=head_tail) for file in files],
        "overlap": [_overlap(first, second) for first, second in combinations(files, 2)],
        "vocabulary": None
        if vocabulary is None
        else {"words": len(vocabulary.words), "answers": len(vocabulary.answers), "digest": vocabulary.digest},
        "prior": _priors(files, source, prior_from, head_tail=head_tail),
    }


def inspect_file(file: QuestionFile, vocabulary: Vocabulary | None, *, head_tail: bool = False) -> dict[str, Any]:
    """Say what one file holds.

    Args:
        file: The file.
        vocabulary: That of the train questions, to compare with.
        head_tail: Whether to count frequent and rare answers also where the file does not tell them apart.

    Returns:
        ``file``, ``split``, ``variant`` (a guess), ``sha256``; how many ``questions``, ``deleted`` ones among them,
        ``videos``, ``base_videos``, ``unmatched_audio`` rows, rows ``without_id``; ``count`` by row of the table,
        with and without deleted questions; ``words`` and ``answers``, and those ``missing_in_train``;
        ``duplicates`` and ``contradictions``; ``frequencies`` (head and tail) where known or asked for.
    """
    records = file.records
    words = dict.fromkeys(word for record in records for word in record.words)
    answers = dict.fromkeys(record.answer for record in records)
    kept = [record for record in records if not record.deleted]
    known = None if vocabulary is None else {"words": vocabulary.words, "answers": vocabulary.answers}
    return {
        "file": str(file.path),
        "split": file.split,
        "variant": guess_variant(file.path, records),
        "sha256": hashlib.sha256(file.path.read_bytes()).hexdigest(),
        "questions": len(records),
        "deleted": len(records) - len(kept),
        "videos": len(file.videos),
        "base_videos": len(file.base_videos),
        "unmatched_audio": sum(not record.matched for record in records),
        "without_id": sum(record.question_id is None for record in records),
        "count": _counts(records),
        "count_without_deleted": _counts(kept),
        "words": len(words),
        "answers": len(answers),
        "longest_question": max(len(record.words) for record in records),
        "missing_in_train": None
        if known is None
        else {
            "words": [word for word in words if word not in known["words"]],
            "answers": [answer for answer in answers if answer not in known["answers"]],
        },
        **_repeated(records),
        "frequencies": dict(Counter(head_tail_of(records))) if _wants_parts(records, head_tail) else None,
    }


def _only(files: Iterable[QuestionFile], split: str) -> QuestionFile | None:
    found = [file for file in files if file.split == split]
    if len(found) > 1:
        raise DataError(f"expected one {split} file at a time, got {', '.join(str(file.path) for file in found)}")
    return found[0] if found else None


def _wants_parts(records: Sequence[Record], asked: bool) -> bool:
    return asked or any(record.frequency for record in records)


def _counts(records: Sequence[Record]) -> dict[str, int]:
    rows = rows_of([record.type for record in records])
    return {row: len(places) for row, places in rows.items()}


def _repeated(records: Sequence[Record]) -> dict[str, Any]:
    """Rows that ask again what an earlier row asks, and questions with more than one answer."""
    asked: defaultdict[tuple[str, str | None, tuple[str, ...]], list[Record]] = defaultdict(list)
    for record in records:
        asked[record.video_id, record.audio_id, record.words].append(record)
    contradictions = [found for found in asked.values() if len({record.answer for record in found}) > 1]
    return {
        "duplicates": len(records) - len(asked),
        "contradictions": [
            {
                "video": found[0].video_id,
                "question": " ".join(found[0].words),
                "rows": {str(record.row): record.answer for record in found},
            }
            for found in contradictions
        ],
    }


def _overlap(first: QuestionFile, second: QuestionFile) -> dict[str, Any]:
    common = first.base_videos & second.base_videos
    about = sum(
        base_video(record.video_id) in common or base_video(record.heard_id) in common for record in second.records
    )
    return {
        "files": [str(first.path), str(second.path)],
        "videos": len(first.videos & second.videos),
        "base_videos": len(common),
        "questions": about,
    }


def _priors(
    files: Sequence[QuestionFile], source: QuestionFile | None, prior_from: PriorFrom, *, head_tail: bool
) -> dict[str, Any] | None:
    if source is None and prior_from != "itself":
        return None
    answered = [file for file in files if file is not source]
    return {
        "from": prior_from if source is None else str(source.path),
        "accuracy": {str(file.path): _prior(source or file, file, head_tail=head_tail) for file in answered},
    }


def _prior(source: QuestionFile, file: QuestionFile, *, head_tail: bool) -> dict[str, Mapping[str, float]]:
    """By part (head, tail, both) and row, how far the majority answers go; only both, where parts are not wanted."""
    predicted = template_prior(source.records, file.records).answers
    wanted = _wants_parts(file.records, head_tail)
    # Without parts to tell apart every question is head, which is then left out.
    frequencies = None if wanted else [FREQUENCIES[0]] * len(predicted)
    scores = score_head_tail(predicted, file.records, frequencies)
    return {part: found.accuracy for part, found in scores.items() if (wanted or part == "both") and ALL in found.count}
