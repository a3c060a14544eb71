"""What comes back from a question: the answer, and the moments and the word it was grounded in."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from jaxtyping import Float
from torch import Tensor

from avground.data import Vocabulary
from avground.errors import check_whole
from avground.models import Grounded
from avground.ops.weights import normalize_weights

_STANDS_OUT = 1.5
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Moment:
    """A second of the video that the model looked at and listened to.

    Attributes:
        start: Where it begins, in seconds of the video; it is one second long.
        audio_weight: Share of the attention to the sound, from 0 to 1.
        visual_weight: Share of the attention to the pictures, from 0 to 1.
        uniform: The share that it would have if no second were preferred: more for the last second of a short video,
            which stands for all that are missing.
        segment: Which of the model's segments it is: the index of its map.
    """

    start: float
    audio_weight: float
    visual_weight: float
    uniform: float
    segment: int

    @property
    def over_uniform(self) -> float:
        """How many times as much attention it gets as without any preference, over sound and pictures."""
        return (self.audio_weight + self.visual_weight) / 2 / self.uniform


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, and what it was grounded in.

    Attributes:
        question: The question, as asked.
        words: Its words, as the model reads them.
        answers: All answers that the model knows with their probabilities, the likeliest first.
        target: The word that says what is asked for, with its weight; None for a model that chooses none.
        moments: The seconds that were looked at, in their order; the weights of each kind sum to 1.
        template: The question template of the training data that the question fits; None if it fits none.
        cell_weights: Where the model looked: (t, h, w), for each segment a map that sums to 1.
        word_weights: (n,) The weight of each word, of sum 1 unless padding was weighed too; None for a model that
            chooses none.
    """

    question: str
    words: tuple[str, ...]
    answers: tuple[tuple[str, float], ...]
    target: tuple[str, float] | None
    moments: tuple[Moment, ...]
    template: str | None
    cell_weights: Float[Tensor, "t h w"]
    word_weights: Float[Tensor, " n"] | None

    @property
    def best(self) -> str:
        """The likeliest answer."""
        return self.answers[0][0]

    def __str__(self) -> str:
        return self.describe()

    def describe(self, top: int = _SHOWN) -> str:
        """The answer as text, with the ``top`` likeliest answers and the seconds that stand out, at most as many.

        Raises:
            ConfigError: if ``top`` is not a whole number of at least 1.
        """
        check_whole("top", top)
        lines = [self.question, *(f"  {share:6.1%}  {answer}" for answer, share in self.answers[:top])]
        if self.target is not None:
            lines.append(f"  asked for: {self.target[0]} (weight {self.target[1]:.2f})")
        order = sorted(self.moments, key=lambda moment: -moment.over_uniform)
        times = [
            f"{m.start:g}-{m.start + 1:g} s (sound {m.audio_weight:.2f}, pictures {m.visual_weight:.2f})"
            for m in order[:top]
            if m.over_uniform >= _STANDS_OUT
        ]
        flat = f"none stands out (largest {order[0].over_uniform:.1f} x uniform)"
        lines.append(f"  seconds: {', '.join(times) or flat}")
        if self.template is None:
            lines.append("  note: the training data held no question of this form")
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values, without the maps."""
        weights = None if self.word_weights is None else self.word_weights.tolist()
        return {
            "question": self.question,
            "answers": [{"answer": answer, "probability": share} for answer, share in self.answers],
            "target": None if self.target is None else {"word": self.target[0], "weight": self.target[1]},
            "words": [{"word": word, "weight": weights and weights[place]} for place, word in enumerate(self.words)],
            "moments": [asdict(moment) for moment in self.moments],
            "template": self.template,
        }


def make_answer(
    out: Grounded,
    place: int,
    vocabulary: Vocabulary,
    *,
    question: str,
    words: Sequence[str],
    seconds: Sequence[float],
    template: str | None,
) -> Answer:
    """What a model returned for one question of a batch.

    Args:
        out: What it returned.
        place: Which of the batch's questions.
        vocabulary: The words and answers that the model knows.
        question: As asked.
        words: Its words. One that the vocabulary lacks was not read, and gets no weight.
        seconds: The second that each segment stands for; where a short video was continued several stand for its last.
        template: See :class:`Answer`.
    """
    shares = out.answer_logits[place].double().softmax(-1).cpu()
    order = shares.argsort(descending=True).tolist()
    weighed = out.target_weights[place].detach().cpu()
    word_weights = None
    if weighed.sum() > 0:
        read = [number for number, word in enumerate(words) if word in vocabulary.words]
        word_weights = weighed.new_zeros(len(words))
        word_weights[read] = weighed[: len(read)]
    # Padding may weigh more than any word; then no word is the target.
    chosen = None if word_weights is None or word_weights.max() < weighed.max() else int(word_weights.argmax())
    heard, seen = (normalize_weights(row[place].double()).tolist() for row in (out.audio_weights, out.visual_weights))
    return Answer(
        question=question,
        words=tuple(words),
        answers=tuple((vocabulary.answers[number], float(shares[number])) for number in order),
        target=None if word_weights is None or chosen is None else (words[chosen], float(word_weights[chosen])),
        moments=_moments(seconds, heard, seen),
        template=template,
        cell_weights=out.cell_weights[place].detach().cpu(),
        word_weights=word_weights,
    )


def _moments(seconds: Sequence[float], heard: Sequence[float], seen: Sequence[float]) -> tuple[Moment, ...]:
    """The weights by second."""
    moments = []
    for second in dict.fromkeys(seconds):
        places = [place for place, other in enumerate(seconds) if other == second]
        audio, visual = (math.fsum(weights[place] for place in places) for weights in (heard, seen))
        moments.append(Moment(second, audio, visual, len(places) / len(seconds), places[0]))
    return tuple(moments)
