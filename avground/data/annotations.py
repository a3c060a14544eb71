"""The question files of MUSIC-AVQA, read exactly as they are published.

A file is a JSON list of rows. In a row ``type`` and ``templ_values`` are strings that hold JSON themselves (some rows
of the second version hold a real list), the answer is under ``anser``, and the question is a template whose
placeholders take the template values from left to right. In the rephrased questions of MUSIC-AVQA-R and FortisAVQA the
placeholders may be filled already: then there is no ``templ_values``, and often no question mark.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from os import PathLike
from typing import Any, Literal

from avground.data.headers import file_name
from avground.errors import DataError, brief
from avground.reading import parse_json, read_json

Frequency = Literal["head", "tail"]

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

FREQUENCIES: tuple[Frequency, ...] = ("head", "tail")
"""Whether an answer is frequent or rare among those to its kind of question."""

PLACEHOLDERS = ("<Object>", "<LR>", "<FL>", "<LL>", "<TH>", "<BA>", "<LRer>")

_PLACEHOLDER = re.compile(r"<[^<>\s]*>")

# What steers a terminal, and halves of characters, which no file can be written with.
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")

_LONGEST = 10_000
"""Characters of a template."""
_IN_A_WORD = 3

# No published template has any of these next to a word, but rephrased questions do: "In the video, is ...".
_PUNCTUATION = '.,;:!?？"()'  # noqa: RUF001


@dataclass(frozen=True, slots=True)
class Record:
    """One question about one video.

    Attributes:
        video_id: The video it asks about; names the feature files.
        question_id: Its number, or None where the file gives none.
        type: Modality and kind, one of :data:`QUESTION_TYPES`.
        template: The question before its placeholders are filled, without blanks at either end.
        words: The words of the question, without punctuation at their ends. Case matters.
        answer: The answer as written; it may hold blanks and underscores.
        audio_id: The video whose sound is heard instead of the video's own, or None for its own.
        frequency: Whether the answer is a frequent (``"head"``) or a rare one (``"tail"``), where the file says so
            under ``split``, as FortisAVQA's does; otherwise None, see :func:`avground.data.headtail.head_tail`.
        deleted: Whether the row is marked ``question_deleted``.
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
    frequency: Frequency | None = None
    deleted: bool = False
    source: str = field(default="", compare=False)
    row: int | None = field(default=None, compare=False)

    @property
    def heard_id(self) -> str:
        """The video whose sound is heard."""
        return self.audio_id or self.video_id

    @property
    def matched(self) -> bool:
        """Whether the sound heard is the video's own."""
        return self.audio_id in (None, self.video_id)

    @property
    def where(self) -> str:
        """Where the question stands, for error messages: ``avqa-val.json, row 3 (video 00000132, question 31)``."""
        named = (
            f"video {self.video_id}, question {'without a number' if self.question_id is None else self.question_id}"
        )
        return named if self.row is None else f"{self.source}, row {self.row} ({named})"


def read_annotations(path: str | PathLike[str]) -> list[Record]:
    """Read a question file of MUSIC-AVQA, of its second version, of MUSIC-AVQA-R or of FortisAVQA.

    Args:
        path: The JSON file, such as ``avqa-train.json``.

    Returns:
        One record a row, in the file's order. Rows marked ``question_deleted`` are kept, as in the published counts.

    Raises:
        DataError: if the file is missing or is not a JSON list, or if a row cannot be read; names the file and the row
            (counted from 0), what was expected there and what was found.
    """
    return parse_rows(read_rows(path), str(path))


def read_rows(path: str | PathLike[str]) -> list[Any]:
    """Read the rows of a question file as they are, unchecked.

    Raises:
        DataError: if the file is missing or is not a JSON list.
    """
    rows = read_json(path, "a JSON file of questions")
    if not isinstance(rows, list):
        raise DataError(f"{path}: expected a JSON list of questions, got {_brief(rows)}")
    return rows


def parse_rows(rows: list[Any], source: str) -> list[Record]:
    """The records of rows, in their order.

    Args:
        rows: What :func:`read_rows` returned.
        source: The file, for error messages.

    Raises:
        DataError: if a row cannot be used; names it (counted from 0), what was expected there and what was found.
    """
    return [_read_row(row, source, number) for number, row in enumerate(rows)]


def _read_row(row: Any, source: str, number: int) -> Record:
    where = f"{source}, row {number}"
    if not isinstance(row, dict):
        raise DataError(f"{where}: expected an object with the keys of a question, got {_brief(row)}")
    template = _text(row, "question_content", where).strip()
    check_template(template, f"{where}: question_content")
    values = [] if _absent(row, "templ_values") else _strings(row, "templ_values", where)
    split = row.get("split")
    return Record(
        video_id=_video_id(row, "video_id", where),
        question_id=_question_id(row, where),
        type=_question_type(row, where),
        template=template,
        words=_fill(template, values, where),
        answer=_text(row, "anser", where),
        audio_id=None if _absent(row, "unmatch_audio") else _video_id(row, "unmatch_audio", where),
        frequency=next((name for name in FREQUENCIES if name == split), None),
        deleted=_deleted(row, where),
        source=source,
        row=number,
    )


def _absent(row: Mapping[str, Any], key: str) -> bool:
    """Whether a key is missing or empty: a table turned into JSON has null or NaN where a row lacks a column."""
    value = row.get(key)
    return value is None or (isinstance(value, float) and math.isnan(value))


def _text(row: Mapping[str, Any], key: str, where: str) -> str:
    value = _value(row, key, where)
    if not isinstance(value, str) or not value.strip():
        raise DataError(f"{where}: {key}: expected a string that is not empty, got {_brief(value)}")
    return _printable(value, key, where)


def _printable(value: str, key: str, where: str) -> str:
    if not is_printable(value):
        raise DataError(f"{where}: {key}: expected printable characters, got {_brief(value)}")
    return value


def _video_id(row: Mapping[str, Any], key: str, where: str) -> str:
    """An id: it names files, so it must not lead out of their folder."""
    value = _text(row, key, where)
    if _UNPRINTABLE.search(value):
        raise DataError(f"{where}: {key}: expected printable characters, got {_brief(value)}")
    try:
        file_name(value)
    except DataError as error:
        raise DataError(f"{where}: {key}: {error}") from error
    return value


def _strings(row: Mapping[str, Any], key: str, where: str) -> list[str]:
    """A list of strings, either as it is or as a string that holds it as JSON."""
    found = _value(row, key, where)
    value = found
    if isinstance(found, str):
        value = parse_json(found, f"{where}: {key}: expected a JSON list of strings, got {_brief(found)}")
    if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
        raise DataError(f"{where}: {key}: expected a JSON list of strings, got {_brief(found)}")
    return [_printable(item, key, where) for item in value]


def _value(row: Mapping[str, Any], key: str, where: str) -> Any:
    if key not in row:
        there = ", ".join(map(repr, row))[:200] or "an empty object"
        raise DataError(f"{where}: expected the key {key!r}, got only {there}")
    return row[key]


def _question_id(row: Mapping[str, Any], where: str) -> int | None:
    # The second version writes whole numbers as floats, and none for the questions that were added.
    if _absent(row, "question_id"):
        return None
    value = row["question_id"]
    whole = value.is_integer() if isinstance(value, float) else isinstance(value, int) and not isinstance(value, bool)
    if not whole or not -(2**63) <= value < 2**63:
        raise DataError(f"{where}: question_id: expected a whole number or null, got {_brief(value)}")
    return int(value)


def _deleted(row: Mapping[str, Any], where: str) -> bool:
    if _absent(row, "question_deleted"):
        return False
    value = row["question_deleted"]
    if value not in (0, 1):  # False and 0.0 are 0 too.
        raise DataError(f"{where}: question_deleted: expected 0, 1 or null, got {_brief(value)}")
    return bool(value)


def _question_type(row: Mapping[str, Any], where: str) -> tuple[str, str]:
    parts = tuple(_strings(row, "type", where))
    for known in QUESTION_TYPES:
        if parts == known:
            return known
    choices = "; ".join(", ".join(known) for known in QUESTION_TYPES)
    raise DataError(f"{where}: type: expected one of: {choices}; got {_brief(row['type'])}")


def question_words(text: str) -> list[str]:
    """The words of a question or of a template, without punctuation at their ends."""
    return [word for part in text.split() if (word := part.strip(_PUNCTUATION))]


def is_printable(text: str) -> bool:
    """Whether a text, apart from white space, holds nothing that steers a terminal or cannot be written."""
    return _UNPRINTABLE.search(" ".join(text.split())) is None


def check_template(template: str, where: str) -> None:
    """Check a template that comes back from a file, as one that questions are compared with.

    Raises:
        DataError: unless it is printable, not too long, and no word of it has more than three placeholders: there are
            too many ways to read one then.
    """
    if len(template) > _LONGEST or not is_printable(template):
        raise DataError(f"{where}: expected at most {_LONGEST} printable characters, got {brief(template)}")
    if any(len(_PLACEHOLDER.findall(word)) > _IN_A_WORD for word in template.split()):
        raise DataError(f"{where}: expected at most {_IN_A_WORD} placeholders in a word, got {brief(template)}")


def _fill(template: str, values: list[str], where: str) -> tuple[str, ...]:
    """The words of a question, its placeholders filled from left to right."""
    placeholders = _PLACEHOLDER.findall(template)
    unknown = [name for name in placeholders if name not in PLACEHOLDERS]
    if unknown:
        raise DataError(
            f"{where}: question_content: expected placeholders among {', '.join(PLACEHOLDERS)}, got {unknown[0][:100]}"
        )
    if len(values) != len(placeholders):
        wanted = ", ".join(placeholders[:20]) or "no placeholder"
        raise DataError(
            f"{where}: templ_values: expected {len(placeholders)} ({wanted}), got {len(values)}: {_brief(values)}"
        )
    remaining = iter(values)
    filled = tuple(_PLACEHOLDER.sub(lambda _: next(remaining), word) for word in question_words(template))
    if not filled:
        raise DataError(f"{where}: question_content: expected words, got {_brief(template)}")
    return filled


def _brief(value: Any) -> str:
    return f"{type(value).__name__} {brief(value)}"
