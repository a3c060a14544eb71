"""What is told of a run while it goes on: logs, speed and memory, and what looks wrong."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lightning.fabric import Fabric

from avground.data import template_prior
from avground.models import Network
from avground.training.evaluate import Evaluation
from avground.training.health import answer_alerts, attention_alerts, is_due
from avground.training.logs import HistoryLog, make_loggers
from avground.training.run import Run
from avground.training.splits import Splits
from avground.training.usage import Usage


class Observer:
    """Watches the epochs of a run.

    Args:
        run: The run.
        splits: The data.
        model: The model.
        output: Folder of the run.
        fabric: Only the first process logs.

    Attributes:
        told: Kinds of warnings given so far.
    """

    def __init__(self, run: Run, splits: Splits, model: Network, output: Path, fabric: Fabric) -> None:
        self.epochs, self.usage = run.epochs, Usage(fabric.device)
        self._config = vars(model.config)
        train, val = splits.records["train"], splits.records["val"]
        self._answers, self._prior = [record.answer for record in val], template_prior(train, val).answers
        self._names, self._output = run.log if fabric.is_global_zero else (), output
        self._log = HistoryLog([])
        self.told: set[str] = set()

    def open(self, history: Sequence[Mapping[str, Any]]) -> None:
        """Begin to log, with the epochs that the run has behind it."""
        self._log = HistoryLog(make_loggers(self._names, self._output), history)

    def write(self, entry: Mapping[str, Any]) -> None:
        """Log a finished epoch."""
        self._log.write(entry)

    def close(self) -> None:
        """Close the logs."""
        self._log.close()

    def alerts(self, found: Evaluation, epoch: int) -> list[str]:
        """What to look at, each kind once a run; not what the model cannot be otherwise, which the report says.

        Args:
            found: The validation after an epoch.
            epoch: Counted from 1.
        """
        if not is_due(epoch, self.epochs):
            return []
        when = f"validation, epoch {epoch} of {self.epochs}"
        every = [
            *answer_alerts(found.predicted, self._answers, self._prior, when),
            *attention_alerts(found.attention, self._config),
        ]
        new = [alert for alert in every if not alert.by_design and alert.kind not in self.told]
        self.told.update(alert.kind for alert in new)
        return [f"warning: {alert.text}" for alert in new]
