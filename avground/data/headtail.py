"""Frequent and rare answers apart: what MUSIC-AVQA-R reports under head and tail."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, get_args

from avground.data.annotations import FREQUENCIES, Frequency, Record
from avground.data.table import rows_of
from avground.errors import DataError, check_not_negative

Part = Literal["head", "tail", "both"]


@dataclass(frozen=True)
class PartScores:
    """Accuracies over some of the questions.

    Attributes:
        accuracy: Share of right answers, from 0 to 1, in each row of :func:`avground.data.table.rows_of`.
        count: Questions in the row.
    """

    accuracy: dict[str, float]
    count: dict[str, int]


def head_tail(records: Sequence[Record], *, threshold: float = 1.2) -> tuple[Frequency, ...]:
    r"""Tell frequent from rare answers.

    .. math:: \text{head} \iff |a| > 1.2\, \mu, \quad
        \mu = \frac{\text{questions of a kind}}{\text{different answers to them}}

    where :math:`|a|` counts the questions of that kind, one of the nine, whose answer is a.

    Source: MUSIC-AVQA-R (Ma et al., 2024), after GQA-OOD (Kervadec et al., 2021). What the files themselves say, where
    they do (:attr:`avground.data.Record.frequency`), is not looked at.

    Args:
        records: The questions; frequencies are those among them, so give a whole test file.
        threshold: How many times as frequent as the mean an answer must be; exactly as many is tail.

    Returns:
        ``"head"`` or ``"tail"`` for each question.

    Raises:
        ConfigError: if the threshold is negative or not finite.
    """
    check_not_negative("threshold", threshold)
    answers = Counter((record.type, record.answer) for record in records)
    questions = Counter(record.type for record in records)
    different = Counter(kind for kind, _ in answers)
    # Exactly: rounding must not decide what is just as frequent as the threshold says.
    times = Fraction(str(threshold))
    limit = {kind: times * questions[kind] / different[kind] for kind in questions}
    return tuple("head" if answers[record.type, record.answer] > limit[record.type] else "tail" for record in records)


def head_tail_of(records: Sequence[Record]) -> tuple[Frequency, ...]:
    """Head or tail as the files say, or by :func:`head_tail` where they do not say it of any question.

    Raises:
        DataError: if they say it of some questions only; names the first of the others.
    """
    tagged = [record for record in records if record.frequency is not None]
    if not tagged:
        return head_tail(records)
    if len(tagged) < len(records):
        first = next(record for record in records if record.frequency is None)
        raise DataError(f"{first.where}: split: expected 'head' or 'tail' as in {len(tagged)} other rows, got neither")
    return tuple(record.frequency for record in tagged if record.frequency is not None)


def score_head_tail(
    predicted: Sequence[str], records: Sequence[Record], frequencies: Sequence[Frequency] | None = None
) -> dict[Part, PartScores]:
    """Score predictions over the head questions, over the tail questions and over both.

    Args:
        predicted: The answer given to each question.
        records: The questions.
        frequencies: Head or tail for each; None for :func:`head_tail_of`.

    Returns:
        The scores of ``"head"``, ``"tail"`` and ``"both"``; head or tail may hold no question.

    Raises:
        DataError: if the lengths differ, or something else than head and tail is given.
    """
    frequencies = head_tail_of(records) if frequencies is None else frequencies
    for name, given in (("predicted", predicted), ("frequencies", frequencies)):
        if len(given) != len(records):
            raise DataError(f"{name}: expected {len(records)}, one for each question, got {len(given)}")
    if unknown := set(frequencies) - set(FREQUENCIES):
        raise DataError(f"frequencies: expected 'head' or 'tail', got {min(map(repr, unknown))}")
    right = [answer == record.answer for answer, record in zip(predicted, records, strict=True)]
    parts: dict[Part, list[int]] = {
        part: [place for place, frequency in enumerate(frequencies) if part in ("both", frequency)]
        for part in get_args(Part)
    }
    return {
        part: _score([right[i] for i in places], [records[i].type for i in places]) for part, places in parts.items()
    }


def _score(right: Sequence[bool], types: Sequence[tuple[str, str]]) -> PartScores:
    rows = rows_of(types)
    accuracy = {row: sum(right[place] for place in places) / len(places) for row, places in rows.items()}
    return PartScores(accuracy, {row: len(places) for row, places in rows.items()})
