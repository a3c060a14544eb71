"""What comes back from a question: the answer, and the moments and the word it was grounded in."""

from dataclasses import asdict, dataclass
from typing import Any

from jaxtyping import Float
from torch import Tensor

from avground.errors import check_whole

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
    """

    start: float
    audio_weight: float
    visual_weight: float
    uniform: float

    @property
    def over_uniform(self) -> float:
        """How many times as much attention it gets as without any preference, over sound and pictures."""
        return (self.audio_weight + self.visual_weight) / 2 / self.uniform


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, and what it was grounded in.

    Attributes:
        question: The question, as asked.
        answers: All answers that the model knows with their probabilities, the likeliest first.
        target: The word that says what is asked for, with its weight; None for a model that chooses none.
        moments: The seconds that were looked at, in their order; the weights of each kind sum to 1.
        template: The question template of the training data that the question fits; None if it fits none.
        cell_weights: Where the model looked: (t, h, w), for each segment a map that sums to 1.
    """

    question: str
    answers: tuple[tuple[str, float], ...]
    target: tuple[str, float] | None
    moments: tuple[Moment, ...]
    template: str | None
    cell_weights: Float[Tensor, "t h w"]

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
        return {
            "question": self.question,
            "answers": [{"answer": answer, "probability": share} for answer, share in self.answers],
            "target": None if self.target is None else {"word": self.target[0], "weight": self.target[1]},
            "moments": [asdict(moment) for moment in self.moments],
            "template": self.template,
        }
