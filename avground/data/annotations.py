"""The question files of MUSIC-AVQA, read exactly as they are published.

A file is a JSON list of rows. In a row ``type`` and ``templ_values`` are strings that hold JSON themselves (some rows
of the second version hold a real list), the answer is under ``anser``, and the question is a template whose
placeholders take the template values from left to right.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

from avground.errors import DataError

QUESTION_TYPES: tuple[tuple[str, str], ...] = (
    ("Audio", "Counting"),
    ("Audio", "Comparative"),
    ("Visual", "Counting"),
    ("Visual", "Location"),
    ("Audio-Visual", "Existential"),
    ("Audio-Visual", "Counting"),
    ("Audio-Visual", "Location"),
    ("Audio-Visual", "Comparative"),
    ("Audio-Visual", "Temporal"),
)
"""The nine kinds of question: about sound, about pictures, about both."""

PLACEHOLDERS = ("<Object>", "<LR>", "<FL>", "<LL>", "<TH>", "<BA>", "<LRer>")

_PLACEHOLDER = re.compile(r"<[^<>\s]*>")


@dataclass(frozen=True, slots=True)
class Record:
    """One question about one video.

    Attributes:
        video_id: The video it asks about; names the feature files.
        question_id: Its number, or None where the file gives none.
        type: Modality and kind, one of :data:`QUESTION_TYPES`.
        template: The question before its placeholders are filled, without blanks at either end.
        words: The words of the question; no word holds the final question mark. Case matters.
        answer: The answer as written; it may hold blanks and underscores.
        audio_id: The video whose sound is heard instead of the video's own, or None for its own.
        source: The file the question was read from; not compared.
        row: Its row there, counted from 0; not compared.
    """

    video_id: str
    question_id: int | None
    type: tuple[str, str]
    template: str
    words: tuple[str, ...]
    answer: str
    audio_id: str | None = None
    source: str = field(default="", compare=False)
    row: int | None = field(default=None, compare=False)

    @property
    def where(self) -> str:
        """Where the question stands, for error messages: ``avqa-val.json, row 3 (video 00000132, question 31)``."""
        named = (
            f"video {self.video_id}, question {'without a number' if self.question_id is None else self.question_id}"
        )
        return named if self.row is None else f"{self.source}, row {self.row} ({named})"


def read_annotations(path: str | PathLike[str]) -> list[Record]:
    """Read a question file of MUSIC-AVQA, of either version.

    Args:
        path: The JSON file, such as ``avqa-train.json``.

    Returns:
        One record a row, in the file's order. Rows marked ``question_deleted`` are kept, as in the published counts.

    Raises:
        DataError: if the file is missing or is not a JSON list, or if a row cannot be read; names the file and the row
            (counted from 0), what was expected there and what was found.
    """
    source = str(path)
    try:
        rows = json.loads(Path(path).read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise DataError(f"{source}: expected a JSON file of questions, got {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{source}: expected JSON, got a file that does not parse: {error}") from error
    if not isinstance(rows, list):
        raise DataError(f"{source}: expected a JSON list of questions, got {_brief(rows)}")
    return [_read_row(row, source, number) for number, row in enumerate(rows)]


def _read_row(row: Any, source: str, number: int) -> Record:
    where = f"{source}, row {number}"
    if not isinstance(row, dict):
        raise DataError(f"{where}: expected an object with the keys of a question, got {_brief(row)}")
    template = _text(row, "question_content", where).strip()
    return Record(
        video_id=_text(row, "video_id", where),
        question_id=_question_id(row.get("question_id"), where),
        type=_question_type(row, where),
        template=template,
        words=_fill(template, _strings(row, "templ_values", where), where),
        answer=_text(row, "anser", where),
        audio_id=None if row.get("unmatch_audio") is None else _text(row, "unmatch_audio", where),
        source=source,
        row=number,
    )


def _text(row: Mapping[str, Any], key: str, where: str) -> str:
    value = _value(row, key, where)
    if not isinstance(value, str) or not value.strip():
        raise DataError(f"{where}: {key}: expected a string that is not empty, got {_brief(value)}")
    return value


def _strings(row: Mapping[str, Any], key: str, where: str) -> list[str]:
    """A list of strings, either as it is or as a string that holds it as JSON."""
    found = _value(row, key, where)
    value = found
    if isinstance(found, str):
        try:
            value = json.loads(found)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{where}: {key}: expected a JSON list of strings, got {_brief(found)}") from error
    if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
        raise DataError(f"{where}: {key}: expected a JSON list of strings, got {_brief(found)}")
    return value


def _value(row: Mapping[str, Any], key: str, where: str) -> Any:
    if key not in row:
        raise DataError(f"{where}: expected the key {key!r}, got only {', '.join(map(repr, row)) or 'an empty object'}")
    return row[key]


def _question_id(value: Any, where: str) -> int | None:
    # The second version writes whole numbers as floats, and none for the questions that were added.
    if value is None:
        return None
    whole = value.is_integer() if isinstance(value, float) else isinstance(value, int) and not isinstance(value, bool)
    if not whole:
        raise DataError(f"{where}: question_id: expected a whole number or null, got {_brief(value)}")
    return int(value)


def _question_type(row: Mapping[str, Any], where: str) -> tuple[str, str]:
    parts = tuple(_strings(row, "type", where))
    for known in QUESTION_TYPES:
        if parts == known:
            return known
    choices = "; ".join(", ".join(known) for known in QUESTION_TYPES)
    raise DataError(f"{where}: type: expected one of: {choices}; got {_brief(row['type'])}")


def _fill(template: str, values: list[str], where: str) -> tuple[str, ...]:
    """The words of a question, its placeholders filled from left to right."""
    if template[-1].isalnum() or template[-1] in "<>_":
        # The last character is dropped unseen by every program for this data, so it had better not be part of a word.
        raise DataError(f"{where}: question_content: expected a question mark at the end, got {_brief(template)}")
    placeholders = _PLACEHOLDER.findall(template)
    unknown = [name for name in placeholders if name not in PLACEHOLDERS]
    if unknown:
        raise DataError(
            f"{where}: question_content: expected placeholders among {', '.join(PLACEHOLDERS)}, got {unknown[0]}"
        )
    if len(values) != len(placeholders):
        wanted = ", ".join(placeholders) or "no placeholder"
        raise DataError(
            f"{where}: templ_values: expected {len(placeholders)} ({wanted}), got {len(values)}: {_brief(values)}"
        )
    remaining = iter(values)
    return tuple(_PLACEHOLDER.sub(lambda _: next(remaining), word) for word in template[:-1].split())


def _brief(value: Any) -> str:
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) <= 120 else text[:117] + '...'}"
