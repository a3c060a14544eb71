"""Which of the possible questions are asked: few from the same template, few with the same answer."""

from collections import Counter, defaultdict
from collections.abc import Iterable

from avground.data.pocket.questions import Question
from avground.data.pocket.streams import Stream
from avground.data.pocket.templates import TEMPLATES

_Subject = tuple[str, ...]


def words(question: Question) -> list[str]:
    """The words of a question, as a loader of MUSIC-AVQA reads them."""
    return TEMPLATES[question.template].words(question.values)


class Chooser:
    """Chooses the questions of one split, scene after scene.

    A choice looks only at the scenes before it, so more scenes leave the questions of the first ones as they are.

    Args:
        known_words: The words that may be used; ``None`` allows all (the train split).
        known_answers: The answers that may be given; ``None`` allows all.
    """

    def __init__(self, known_words: set[str] | None = None, known_answers: set[str] | None = None) -> None:
        self._known_words = known_words
        self._known_answers = known_answers
        self._templates: Counter[str] = Counter()
        self._answers: defaultdict[_Subject, Counter[str]] = defaultdict(Counter)

    def choose(self, candidates: Iterable[Question], count: int, stream: Stream) -> list[Question]:
        """At most ``count`` different questions about one scene."""
        groups: dict[tuple[_Subject, str], list[Question]] = {}
        for question in candidates:
            if self._allowed(question):
                subject = _subject(question)
                groups.setdefault((subject, question.answer), []).append(question)
                self._answers[subject][question.answer] += 0
        chosen: list[Question] = []
        while groups and len(chosen) < count:
            keys = list(groups)
            subject, answer = key = keys[stream.weighted(self._weights(keys, chosen))]
            question = groups[key].pop(stream.below(len(groups[key])))
            if not groups[key]:
                del groups[key]
            chosen.append(question)
            self._templates[question.template] += 1
            self._answers[subject][answer] += 1
        return chosen

    def _allowed(self, question: Question) -> bool:
        return (self._known_words is None or self._known_words.issuperset(words(question))) and (
            self._known_answers is None or question.answer in self._known_answers
        )

    def _weights(self, keys: list[tuple[_Subject, str]], chosen: list[Question]) -> list[float]:
        """How much each group of questions is wanted: rare templates, and within a subject rare answers."""
        here = Counter(question.template for question in chosen)
        rivals = Counter(subject[0] for subject, _ in keys)
        weights = []
        for subject, answer in keys:
            template, answers = subject[0], self._answers[subject]
            # A template already asked about this scene comes again only where hardly any other is left.
            often = (1 + self._templates[template]) ** 3 * 1000 ** here[template] * rivals[template]
            # The 8th power without the platform's pow, which may round in its own way.
            rare = (1 + sum(answers.values()) / len(answers)) / (1 + answers[answer])
            rare *= rare
            rare *= rare
            weights.append(rare * rare / often)
        return weights


def _subject(question: Question) -> _Subject:
    """The template and the values that are no instrument: within each subject the answers are balanced."""
    slots = [word for word in TEMPLATES[question.template].text.split() if word.startswith("<")]
    kept = [value for slot, value in zip(slots, question.values, strict=True) if not slot.startswith("<Object>")]
    return (question.template, *kept)
