"""What training minimises: the answer loss, and beside it synchrony and matching, each with its weight."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Literal

from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from avground.errors import ConfigError, check_choice, check_not_negative
from avground.losses import CrossModalSynchronyLoss, PairMatchingLoss
from avground.models import Grounded
from avground.models.released import ReleasedSynchronyLoss

Part = Callable[[Grounded, Tensor | None], Tensor]
Divergence = Literal["js", "released"]

DIVERGENCES: Mapping[Divergence, Callable[[], nn.Module]] = {
    "js": CrossModalSynchronyLoss,
    "released": ReleasedSynchronyLoss,
}


@dataclass(frozen=True)
class Objective:
    r"""The weighted sum of the losses of stage II.

    .. math:: L = L_{qa} + \lambda_{csl} L_{csl} + \lambda_s L_s

    A part whose weight is 0 is never built; without the matching part no frames of other videos are read.

    Source: TJSTG (Jiang and Yin, 2023), section 3: weights 1 and 0.5.

    Args:
        synchrony: Weight of :class:`avground.losses.CrossModalSynchronyLoss`.
        matching: Weight of :class:`avground.losses.PairMatchingLoss`.
        divergence: ``"js"``, or ``"released"``: what the authors' code has in its place,
            :class:`avground.models.released.ReleasedSynchronyLoss`.

    Raises:
        ConfigError: if a weight is negative or not finite, or for another divergence.

    Example:
        >>> from avground.training import Objective
        >>> Objective(synchrony=0, matching=0).needs_negatives  # the answer's cross-entropy alone
        False
    """

    synchrony: float = 1.0
    matching: float = 0.5
    divergence: Divergence = "js"

    def __post_init__(self) -> None:
        for name in ("synchrony", "matching"):
            check_not_negative(f"objective.{name}", getattr(self, name))
        check_choice("objective.divergence", self.divergence, DIVERGENCES)

    @property
    def needs_negatives(self) -> bool:
        """Whether the network must be shown frames of other videos."""
        return "matching" in self.parts

    @cached_property
    def parts(self) -> Mapping[str, tuple[float, Part]]:
        """The parts besides the answer loss that count, each with its weight."""
        builders: dict[str, tuple[float, Callable[[], Part]]] = {
            "synchrony": (self.synchrony, partial(_synchrony, self.divergence)),
            "matching": (self.matching, _matching),
        }
        return {name: (weight, build()) for name, (weight, build) in builders.items() if weight > 0}

    def __call__(
        self, out: Grounded, answers: Int[Tensor, " b"], *, matched: Bool[Tensor, " b"] | None = None
    ) -> dict[str, Float[Tensor, ""]]:
        """Compute the losses of a batch.

        Args:
            out: What the network returned.
            answers: Numbers of the right answers.
            matched: Whether sound and picture of each clip are of one video; None if they all are.

        Returns:
            ``"total"``, then each part by its name, before weighting: ``"answer"``, ``"synchrony"``, ``"matching"``.

        Raises:
            ConfigError: if matching counts and the network was given no negatives.
        """
        losses = self.losses(out, answers, matched=matched)
        return {"total": self.total(losses), **losses}

    def losses(
        self, out: Grounded, answers: Int[Tensor, " b"], *, matched: Bool[Tensor, " b"] | None = None
    ) -> dict[str, Float[Tensor, ""]]:
        """What a call of the objective returns, without the total."""
        losses = {"answer": functional.cross_entropy(out.answer_logits, answers)}
        return {**losses, **{name: part(out, matched) for name, (_, part) in self.parts.items()}}

    def total(self, losses: Mapping[str, Float[Tensor, ""]]) -> Float[Tensor, ""]:
        """The weighted sum of the parts."""
        total = losses["answer"]
        for name, (weight, _) in self.parts.items():
            total = total + weight * losses[name]
        return total


def _synchrony(divergence: Divergence) -> Part:
    loss = DIVERGENCES[divergence]()
    return lambda out, matched: loss(out.audio_weights, out.visual_weights)


def _matching() -> Part:
    loss = PairMatchingLoss()

    def part(out: Grounded, matched: Tensor | None) -> Tensor:
        if out.match_logits is None:
            raise ConfigError(
                "objective.matching counts, but the network was given no negatives: expected match_logits, got None"
            )
        value: Tensor = loss(out.match_logits, matched)
        return value

    return part
