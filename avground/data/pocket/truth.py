"""What is so in each Pocket video, and what each question is about: ``truth.json``."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from avground.errors import DataError

FILE = "truth.json"


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
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        videos = {
            video: tuple(
                Seen(
                    one["type"],
                    one["on_stage"],
                    one["place"],
                    tuple((row, column) for row, column in one["cells"]),
                    tuple(one["sounding"]),
                    tuple(one["played"]),
                )
                for one in of["instruments"]
            )
            for video, of in found["videos"].items()
        }
        questions = {
            int(number): Decides(
                asked["video_id"], tuple(asked["targets"]), asked["names"], asked["found"], tuple(asked["seconds"])
            )
            for number, asked in found["questions"].items()
        }
        return Truth(found["rows"], found["columns"], videos, questions)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{path}: expected the truth of a Pocket folder, got {type(error).__name__}: {error}"
        ) from error
