"""When and in which order checkpoints are written."""

import copy
import time
from pathlib import Path
from typing import Any

from avground.models.weights import line
from avground.training.checkpoint import write_atomically

LAST, BEST = "last.pt", "best.pt"

_EPOCH_SECONDS = 15.0
_STEP_SECONDS = 600.0


class Saver:
    """Writes the checkpoints of a run: not after every epoch where epochs take seconds, and the best one first.

    A run that dies goes on from the last checkpoint written, whatever was kept back since.

    Args:
        output: Folder of the run.
        writes: Whether this process does; only one of a run may.
    """

    def __init__(self, output: Path, writes: bool) -> None:
        self.output, self.writes = output, writes
        self._best: dict[str, Any] | None = None
        self._written = time.monotonic()

    def keep_best(self, content: dict[str, Any]) -> None:
        """Remember the best weights so far until the next writing."""
        self._best = copy.deepcopy(content) if self.writes else None

    def due(self, within_epoch: bool) -> bool:
        """Whether it is long enough since the last writing; after the first epoch of all it is."""
        if not within_epoch and not (self.output / LAST).exists():
            return True
        return time.monotonic() - self._written > (_STEP_SECONDS if within_epoch else _EPOCH_SECONDS)

    def write(self, content: dict[str, Any]) -> None:
        """Write the best weights, if there are new ones, and where the run is."""
        self._written = time.monotonic()
        if not self.writes:
            return
        # A run that dies between the two repeats what came since and finds the same best again.
        if self._best is not None:
            self._write(BEST, self._best)
            self._best = None
        self._write(LAST, content)

    def _write(self, name: str, content: dict[str, Any]) -> None:
        path = self.output / name
        try:
            write_atomically(path, content)
        except (OSError, RuntimeError) as error:
            # When its file cannot be written, torch may have more to say about what follows from that.
            cause = error.__context__ if isinstance(error.__context__, OSError) else error
            raise OSError(
                f"{path}: expected to write a checkpoint, got {line(cause)}. What {self.output} holds is whole, from "
                "before: once there is room, go on with --resume (resume=True)"
            ) from error


def remove_unfinished(output: Path, *names: str) -> None:
    """Remove what runs left of files that they were writing when they were killed; nobody else may be writing there."""
    for name in names:
        for path in output.glob(f".{name}.*.tmp"):
            path.unlink(missing_ok=True)
