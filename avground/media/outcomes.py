"""What became of each video, on the disk as soon as it is known."""

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from avground.errors import DataError
from avground.reading import open_regular

PREFIX = "extraction-"


class Outcome(NamedTuple):
    """What became of a video: the reason if it could not be used, else what is worth knowing."""

    reason: str = ""
    notes: tuple[str, ...] = ()


class OutcomeLog:
    """Outcomes in an output folder, a line of JSON each, which are only ever added to: a killed run loses none.

    Args:
        folder: The output folder.
        kinds: Names of the folders of features that a run writes to; the outcomes of other runs do not count.
        process: Number of the process. Each has a file of its own, as some shared disks mix what two add at once.
    """

    def __init__(self, folder: Path, kinds: Sequence[str], process: int) -> None:
        self.folder, self.kinds = folder, sorted(kinds)
        self.path = folder / f"{PREFIX}{process}.jsonl"

    def add(self, video: str, outcome: Outcome) -> None:
        """Write down what became of a video.

        Raises:
            DataError: if that is not possible, as on a full disk.
        """
        line = json.dumps({"video": video, "kinds": self.kinds, "time": time.time(), **outcome._asdict()})
        try:
            with self.path.open("ab", buffering=0) as file:
                # The line break comes first: then a line that was cut short does not spoil this one.
                file.write(f"\n{line}".encode())
        except OSError as error:
            raise DataError(
                f"{self.path}: cannot be written: {error}. What is finished stays, and is not done again"
            ) from error

    def read(self) -> dict[str, Outcome]:
        """The last outcome of each video, of all runs and processes whose files can be read."""
        lines: list[dict[str, Any]] = []
        for path in sorted(self.folder.glob(f"{PREFIX}*.jsonl")):
            # Another user's, for one: that is no reason to end without a report.
            with suppress(OSError, DataError), open_regular(path, "outcomes") as file:
                lines += _whole_lines(file.read())
        lines.sort(key=lambda line: line["time"])
        return {
            line["video"]: Outcome(line["reason"], tuple(line["notes"]))
            for line in lines
            if line["kinds"] == self.kinds
        }


def _whole_lines(content: bytes) -> Iterator[dict[str, Any]]:
    """The lines that are whole; a process that is killed, or a full disk, can leave half a line."""
    types = {"video": str, "kinds": list, "time": float, "reason": str, "notes": list}
    for text in content.splitlines():
        try:
            line = json.loads(text)
        except (ValueError, RecursionError):
            continue
        whole = isinstance(line, dict) and all(isinstance(line.get(name), kind) for name, kind in types.items())
        if whole and all(isinstance(note, str) for note in line["notes"]):
            yield line
