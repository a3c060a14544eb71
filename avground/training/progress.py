"""Where a run is, and showing it."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from tqdm import tqdm

from avground.errors import DataError, brief
from avground.training.stages import Stage
from avground.training.tally import SUMS

T = TypeVar("T")

_REFRESH_SECONDS = 0.25


@dataclass(frozen=True)
class Progress:
    """Where a run is; all that it needs besides weights and optimiser to go on exactly.

    Order, negatives and dropout need no state: they are functions of the seed and of these numbers.

    Attributes:
        stage: Place of the stage among the run's stages; their number once all is done.
        epoch: Epochs done in the stage.
        step: Steps done in the epoch.
        best: Best validation accuracy so far; below 0 before the first.
        best_epoch: The epoch of stage II, counted from 1, that reached it.
        seconds: Time spent so far, interruptions left out.
        history: For each finished epoch its losses, rate, validation accuracy, and whatever else was measured.
    """

    stage: int = 0
    epoch: int = 0
    step: int = 0
    best: float = -1.0
    best_epoch: int = 0
    seconds: float = 0.0
    history: tuple[dict[str, Any], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for checkpoints."""
        return {**asdict(self), "history": list(self.history)}

    def check(self, stages: Sequence[Stage], path: str) -> None:
        """Make sure that a run of these stages can be here.

        Raises:
            DataError: if it cannot.
        """
        epochs = [*(stage.epochs for stage in stages), 1]  # Once all is done there is one place left.
        if self.stage >= len(epochs) or self.epoch >= epochs[self.stage]:
            raise DataError(
                f"{path}: progress: expected a moment of this run, got epoch {self.epoch} of stage {self.stage}"
            )

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Progress":
        """The inverse of :meth:`to_dict`."""
        return cls(**{**values, "history": tuple(values["history"])})


def check_progress(values: Mapping[str, Any], where: str) -> None:
    """Check what :meth:`Progress.to_dict` once returned, with the sums of losses, and comes back from a file.

    Args:
        values: What came back.
        where: What to call it in errors.

    Raises:
        DataError: names what was expected and what came.
    """
    known = {*Progress.__dataclass_fields__, "sums"}
    if set(values) != known:
        raise DataError(f"{where}: expected {', '.join(sorted(known))}, got {brief(sorted(map(str, values)))}")
    for name in ("stage", "epoch", "step", "best_epoch"):
        if not isinstance(values[name], int) or values[name] < 0:
            raise DataError(f"{where}: {name}: expected a whole number from 0, got {brief(values[name])}")
    for name in ("best", "seconds"):
        if not isinstance(values[name], int | float):
            raise DataError(f"{where}: {name}: expected a number, got {brief(values[name])}")
    sums = values["sums"]
    if not isinstance(sums, list) or len(sums) != SUMS or not all(isinstance(x, float) for x in sums):
        raise DataError(f"{where}: sums: expected {SUMS} numbers, got {brief(sums)}")
    if not isinstance(values["history"], list) or not all(isinstance(entry, dict) for entry in values["history"]):
        raise DataError(f"{where}: history: expected a list of epochs, got {brief(values['history'])}")


class Bar:
    """A progress bar on a terminal, which asks for numbers only a few times a second.

    Args:
        description: What is being done.
        total: Samples in all.
        done: Samples done already.
        unit: What a sample is.
        visible: False for all processes but the first; without a terminal nothing is shown either.
    """

    def __init__(self, description: str, total: int, done: int, unit: str, visible: bool) -> None:
        # ``disable=None`` hides the bar where there is no terminal.
        hidden = None if visible else True
        self._bar = tqdm(
            desc=description,
            total=total,
            initial=done,
            unit=unit,
            leave=False,
            disable=hidden,
            mininterval=_REFRESH_SECONDS,
            dynamic_ncols=True,
        )
        self._next = 0.0

    def __enter__(self) -> "Bar":
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def advance(self, samples: int, text: Callable[[], str]) -> None:
        """Move on; ``text`` is called when the bar is due to be drawn."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + _REFRESH_SECONDS
            self._bar.set_postfix_str(text(), refresh=False)
        self._bar.update(samples)


def show_batches(
    description: str, visible: bool, stop: Callable[[], bool]
) -> Callable[[Iterable[T], int], Iterator[T]]:
    """A wrapper of batches, for :func:`avground.training.evaluate`, that shows a bar and ends when asked to.

    Raises:
        KeyboardInterrupt: between two batches, once ``stop`` says so.
    """

    def show(batches: Iterable[T], total: int) -> Iterator[T]:
        with Bar(description, total, 0, "batch", visible) as bar:
            for batch in batches:
                if stop():
                    raise KeyboardInterrupt
                yield batch
                bar.advance(1, lambda: "")

    return show


def summary(stage: Stage, entry: dict[str, Any], improved: bool) -> str:
    """A finished epoch in a line: losses, accuracy, how far sound and picture agree in time, pointing accuracy, speed.

    Args:
        stage: Its stage.
        entry: What :attr:`Progress.history` holds of it; ``attention`` and ``grounding`` may be missing.
        improved: Whether it is the best so far.
    """
    parts = ", ".join(f"{name} {mean:.4f}" for name, mean in entry["losses"].items() if name != "total")
    epoch = f"epoch {entry['epoch']:>2}/{stage.epochs}"
    words = [f"{stage.name:<8}", epoch, f"loss {entry['losses']['total']:.4f} ({parts})"]
    if stage.validate:
        words.append(f"validation {100 * entry['validation']:.2f} % {'*' if improved else ' '}")
    if time_of := entry.get("attention", {}).get("time"):
        words.append(f"agree {time_of['agreement']:.3f}")
    if where := entry.get("grounding", {}).get("pointing"):
        words.append(f"point {100 * where['accuracy']:.1f} %")
    return "  ".join([*words, f"lr {entry['learning_rate']:.2g}", f"{entry['speed']['samples_per_second']:,.0f}/s"])
