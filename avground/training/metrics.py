"""Accuracy by kind of question, as the published tables have it, and beside it the template prior."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor
from torchmetrics.classification import MulticlassAccuracy

from avground.data import Record, Vocabulary, template_prior
from avground.data.table import ALL, row_name, rows_of


@dataclass(frozen=True)
class Scores:
    """Accuracies by row of the table.

    The rows, in order: ``"Audio/Counting"`` and the other kinds that the questions hold, each modality's average under
    ``"Audio"``, ``"Visual"`` and ``"Audio-Visual"``, and ``"All"``. Averages are over questions, not over kinds. Rows
    without a question are left out.

    Attributes:
        accuracy: Share of right answers, from 0 to 1.
        count: Questions in the row.
    """

    accuracy: dict[str, float]
    count: dict[str, int]

    @property
    def all(self) -> float:
        """The share of right answers over all questions."""
        return self.accuracy[ALL]


def score(
    predicted: Int[Tensor, " n"], answers: Int[Tensor, " n"], types: Sequence[tuple[str, str]], choices: int
) -> Scores:
    """Score predictions, every question once.

    Args:
        predicted: Numbers of the predicted answers.
        answers: Numbers of the right ones.
        types: Modality and kind of each question.
        choices: How many answers there are to choose from.

    Example:
        >>> import torch
        >>> from avground.training import score
        >>> types = [("Audio", "Counting"), ("Visual", "Location")]
        >>> score(torch.tensor([0, 1]), torch.tensor([0, 0]), types, choices=2).accuracy["All"]
        0.5
    """
    accuracy: dict[str, float] = {}
    count: dict[str, int] = {}
    for row, places in rows_of(types).items():
        # Every process holds all predictions, so the metric must not add them up over processes.
        metric = MulticlassAccuracy(choices, average="micro", sync_on_compute=False)
        members = torch.tensor(places)
        metric.update(predicted.cpu()[members], answers.cpu()[members])
        accuracy[row], count[row] = float(metric.compute()), len(places)
    return Scores(accuracy, count)


def prior_scores(train: Iterable[Record], test: Sequence[Record], vocabulary: Vocabulary) -> Scores:
    """What the most frequent answer to each template in the train questions scores: the floor of every comparison."""
    prior = template_prior(train, test)
    numbers = torch.tensor([vocabulary.answer_index(answer) for answer in prior.answers])
    answers = torch.tensor([vocabulary.answer_index(record.answer) for record in test])
    return score(numbers, answers, [record.type for record in test], len(vocabulary.answers))


def table(accuracy: Mapping[str, float], prior: Mapping[str, float], count: Mapping[str, int]) -> str:
    """The scores as plain text, in percent, one row a line."""
    lines = [f"{'questions':<26} {'n':>6} {'accuracy':>9} {'prior':>7} {'gain':>7}"]
    for row, share in accuracy.items():
        gain = 100 * (share - prior[row])
        lines.append(f"{row_name(row):<26} {count[row]:>6} {100 * share:>9.2f} {100 * prior[row]:>7.2f} {gain:>+7.2f}")
    return "\n".join(lines)
