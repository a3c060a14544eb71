"""The history of a run as files that other programs draw: CSV, and TensorBoard's events."""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from lightning.fabric.loggers.csv_logs import CSVLogger
from lightning.fabric.loggers.logger import Logger
from lightning.fabric.loggers.tensorboard import TensorBoardLogger

from avground.errors import ConfigError, check_choice
from avground.training.run import LOGGERS, LoggerName

CSV, TENSORBOARD = "metrics.csv", "tensorboard"
"""The file, and the folder of events, in a run's output folder."""

_COUNTS = ("questions", "segments")  # how many things a mean is over: the same in every epoch


def check_logs(names: Sequence[LoggerName], folder: Path, *, resume: bool) -> None:
    """Make sure that a run can be logged; for the start of a run, before anything is trained.

    Args:
        names: ``"csv"`` and ``"tensorboard"``, both, one or none.
        folder: The run's output folder.
        resume: Whether the run goes on, so that the logs there are its own.

    Raises:
        ConfigError: for another name, one that is given twice, a missing package, or logs of something else.
    """
    for name in names:
        check_choice("loggers", name, LOGGERS)
    if len(set(names)) < len(names):
        raise ConfigError(f"loggers: expected each once, got {', '.join(map(repr, names))}")
    if "tensorboard" in names and find_spec("tensorboard") is None:
        raise ConfigError(
            "loggers: 'tensorboard' needs the package tensorboard, which is not installed: "
            'pip install "avground[log]"'
        )
    places = {"csv": folder / CSV, "tensorboard": folder / TENSORBOARD}
    for name in names:
        if places[name].exists() and not resume:
            raise ConfigError(
                f"output: expected a folder without logs, got {places[name]}: move it away, or choose another folder"
            )


def make_loggers(names: Sequence[LoggerName], folder: Path) -> list[Logger]:
    """The loggers of Fabric that write ``metrics.csv`` and ``tensorboard/`` into a folder, anew.

    What they find there is of the same run and earlier: the CSV file is replaced, and events get a new file which tells
    TensorBoard to forget those before it. Nothing is opened before the first number comes.

    Args:
        names: See :func:`check_logs`, which should have been asked.
        folder: The run's output folder.
    """
    loggers: list[Logger] = []
    for name in names:  # Without a name and a version there is no folder of theirs in between.
        if name == "csv":
            loggers.append(CSVLogger(folder, name="", version=""))
        else:
            loggers.append(TensorBoardLogger(folder, name=TENSORBOARD, version="", purge_step=0))
    return loggers


class HistoryLog:
    """Writes the epochs of a run to its loggers, each as it comes.

    A run that goes on writes all its epochs again, so that its logs are those of a run that was never interrupted.
    After every epoch the files are complete; the columns of the CSV file are all names so far in alphabetical order,
    with nothing where an epoch has no such number.

    Args:
        loggers: See :func:`make_loggers`; none for processes that are not the first.
        history: The epochs before.
    """

    def __init__(self, loggers: Iterable[Logger], history: Iterable[Mapping[str, Any]] = ()) -> None:
        self._loggers = list(loggers)
        self._epochs = 0
        for entry in history:
            self._log(entry)
        if self._epochs:
            self._save()

    def write(self, entry: Mapping[str, Any]) -> None:
        """Write an epoch, see :func:`flatten`."""
        self._log(entry)
        self._save()

    def close(self) -> None:
        """Close the files."""
        for logger in self._loggers:
            logger.finalize("success")

    def _log(self, entry: Mapping[str, Any]) -> None:
        self._epochs += 1
        for logger in self._loggers:
            with warnings.catch_warnings():
                # That the old file is replaced is meant; nothing else in the folder is touched, whatever it says.
                warnings.filterwarnings("ignore", "Experiment logs directory .* exists and is not empty")
                logger.log_metrics(flatten(entry), self._epochs)

    def _save(self) -> None:
        for logger in self._loggers:
            logger.save()


def flatten(entry: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of an epoch by names with slashes.

    ``losses`` are named by their stage, ``stage II/loss/answer``; ``validation`` is ``validation/accuracy``; the
    parts of ``grounding`` stand by themselves, ``pointing/accuracy``; all else keeps its names, ``learning_rate``,
    ``attention/cells/entropy``. Numbers of questions and segments, which never change, are left out, and what is None.

    Args:
        entry: An epoch of :attr:`avground.training.progress.Progress.history`: ``stage``, its name; ``epoch``, from 1
            in each stage; ``losses``, ``learning_rate``, and whatever was measured, in dicts of any depth.

    Raises:
        TypeError: for a value that is no number.
    """
    found: dict[str, float] = {}
    for name, value in entry.items():
        if name == "losses":
            found |= _numbers(f"{entry['stage']}/loss", value)
        elif name == "grounding":
            for part, measures in value.items():
                found |= _numbers(part, measures)
        elif name != "stage":
            found |= _numbers("validation/accuracy" if name == "validation" else name, value)
    return found


def _numbers(name: str, value: Any) -> dict[str, float]:
    if value is None:
        return {}
    if isinstance(value, Mapping):
        inner = [_numbers(f"{name}/{key}", part) for key, part in value.items() if key not in _COUNTS]
        return {key: number for part in inner for key, number in part.items()}
    if not isinstance(value, (int, float)):
        raise TypeError(f"{name}: expected a number, got {value!r}")
    return {name: value}
