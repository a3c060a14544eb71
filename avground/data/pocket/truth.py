"""What is so in each Pocket video, and what each question is about: ``truth.json``."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from avground.errors import DataError, brief
from avground.reading import read_json

FILE = "truth.json"
_LARGEST = 1000
"""Rows or columns of cells, and segments."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One instrument of a video.

    Args:
        type: One of the 22 types.
        on_stage: Whether it can be seen; one off stage has neither place nor cells.
        place: ``left``, ``middle``, ``right`` or ``None``.
        cells: Row and column of each cell that it covers.
        sounding: For each segment, whether it is heard.
        played: For each segment, whether it looks played.
    """

    type: str
    on_stage: bool
    place: str | None
    cells: tuple[tuple[int, int], ...]
    sounding: tuple[bool, ...]
    played: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class Decides:
    """What decides the answer to one question.

    Args:
        video_id: The video that it is about.
        targets: Indices into the video's instruments: those that the question names, by their type or as the leftmost
            one; where it names none, those on stage that sound. Empty where it names only what is not there.
        names: Whether the question names the targets: it is then about them in every segment, else while they sound.
        found: Index of the instrument that is the answer ("the instrument on the left of the violin"); None where the
            answer is no instrument. Whoever looks there has found the answer, if not by way of the violin.
        seconds: For each segment, whether it decides the answer.
    """

    video_id: str
    targets: tuple[int, ...]
    names: bool
    found: int | None
    seconds: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class Truth:
    """All that is so in a Pocket folder.

    Args:
        rows: Rows of cells of a map.
        columns: Columns of cells of a map.
        videos: The instruments of each video.
        questions: What decides each question, by ``question_id``.
    """

    rows: int
    columns: int
    videos: dict[str, tuple[Seen, ...]]
    questions: dict[int, Decides]

    def target_cells(self, question_id: int) -> set[tuple[int, int]]:
        """The cells of the instruments that a question names; empty where none of them is on stage."""
        asked = self.questions[question_id]
        instruments = self.videos[asked.video_id]
        return {cell for target in asked.targets for cell in instruments[target].cells}

    def to_dict(self) -> dict[str, Any]:
        """The truth as plain JSON values."""
        return {
            "rows": self.rows,
            "columns": self.columns,
            "videos": {video: {"instruments": [asdict(one) for one in ones]} for video, ones in self.videos.items()},
            "questions": {str(number): asdict(asked) for number, asked in self.questions.items()},
        }


def read_truth(directory: str | Path) -> Truth:
    """Read what is so in a Pocket folder.

    Args:
        directory: A folder that :func:`avground.data.pocket.generate` made.

    Raises:
        DataError: if there is no readable ``truth.json`` in it.
    """
    path = Path(directory) / FILE
    found = read_json(path, "the truth of a Pocket folder")
    try:
        size = tuple(_whole(found[name], "rows and columns", 1, _LARGEST) for name in ("rows", "columns"))
        videos = {video: tuple(_seen(one, size) for one in of["instruments"]) for video, of in found["videos"].items()}
        questions = {int(number): _decides(asked, videos) for number, asked in found["questions"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        got = f"{type(error).__name__}: {error}"
        raise DataError(f"{path}: expected the truth of a Pocket folder, got {got[:300]}") from error
    return Truth(size[0], size[1], videos, questions)


def _seen(one: Mapping[str, Any], size: tuple[int, ...]) -> Seen:
    place = one["place"]
    return Seen(
        _of_type(one["type"], str),
        _of_type(one["on_stage"], bool),
        None if place is None else _of_type(place, str),
        tuple(_cell(cell, size) for cell in _of_type(one["cells"], list)),
        _booleans(one["sounding"]),
        _booleans(one["played"]),
    )


def _cell(cell: Any, size: tuple[int, ...]) -> tuple[int, int]:
    row, column = _of_type(cell, list)
    return _whole(row, "row", 0, size[0] - 1), _whole(column, "column", 0, size[1] - 1)


def _decides(asked: Mapping[str, Any], videos: Mapping[str, tuple[Seen, ...]]) -> Decides:
    last = len(videos[asked["video_id"]]) - 1
    return Decides(
        asked["video_id"],
        tuple(_whole(target, "target", 0, last) for target in _of_type(asked["targets"], list)),
        _of_type(asked["names"], bool),
        None if asked["found"] is None else _whole(asked["found"], "found", 0, last),
        _booleans(asked["seconds"]),
    )


def _booleans(values: Any) -> tuple[bool, ...]:
    if len(_of_type(values, list)) > _LARGEST:
        raise ValueError(f"expected at most {_LARGEST} segments, got {len(values)}")
    return tuple(_of_type(value, bool) for value in values)


def _whole(value: Any, what: str, least: int, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise ValueError(f"{what}: expected a whole number from {least} to {most}, got {brief(value)}")
    return value


def _of_type(value: Any, kind: type) -> Any:
    if not isinstance(value, kind):
        raise TypeError(f"expected a {kind.__name__}, got {brief(value)}")
    return value
