"""What can be scored without looking or listening: the most frequent answer to each question template."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from avground.data.annotations import QUESTION_TYPES, Record
from avground.errors import DataError


@dataclass(frozen=True, slots=True)
class TemplatePrior:
    """How far the most frequent answer of each template goes.

    Attributes:
        answers: The answer given to each test question.
        correct: For each test question whether that is right.
        by_type: For each kind of question in the test set, how many are right and how many there are, in the order of
            :data:`avground.data.QUESTION_TYPES`.
    """

    answers: tuple[str, ...]
    correct: tuple[bool, ...]
    by_type: dict[tuple[str, str], tuple[int, int]]

    @property
    def accuracy(self) -> float:
        """The share of right answers over all questions, from 0 to 1."""
        return sum(self.correct) / len(self.correct)


def template_prior(train: Iterable[Record], test: Iterable[Record]) -> TemplatePrior:
    """Answer every test question with the answer its template has most often in the train questions.

    Of answers that are equally frequent the one seen first is taken. A template that the train questions lack gets the
    answer most frequent over all of them.

    Args:
        train: Questions to count answers in.
        test: Questions to answer.

    Raises:
        DataError: if either holds no question.
    """
    train, test = list(train), list(test)
    for name, records in (("train", train), ("test", test)):
        if not records:
            raise DataError(f"{name}: expected at least one question, got none")
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for record in train:
        counts[record.template][record.answer] += 1
    # max keeps the first of equals, and a Counter keeps the order of first appearance.
    majority = {template: max(answers, key=answers.__getitem__) for template, answers in counts.items()}
    overall = Counter(record.answer for record in train)
    fallback = max(overall, key=overall.__getitem__)
    answers = tuple(majority.get(record.template, fallback) for record in test)
    correct = tuple(answer == record.answer for answer, record in zip(answers, test, strict=True))
    right = Counter(record.type for record, is_right in zip(test, correct, strict=True) if is_right)
    total = Counter(record.type for record in test)
    order = [*QUESTION_TYPES, *(kind for kind in total if kind not in QUESTION_TYPES)]
    return TemplatePrior(answers, correct, {kind: (right[kind], total[kind]) for kind in order if kind in total})
