"""What can be asked about a scene, and the answers that follow from it.

A question is offered only where its answer is unambiguous: a type that the question names stands for one instrument,
what comes first comes first by a segment, what is louder is so by 3 dB, and "left of" has one instrument next to it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from avground.data.pocket import heard, matched, seen
from avground.data.pocket.offers import Offer
from avground.data.pocket.scene import Flags, Instrument, Scene
from avground.data.pocket.templates import INSTRUMENTS, TEMPLATES
from avground.data.pocket.world import World


@dataclass(frozen=True, slots=True)
class Question:
    """A question about a scene with its answer and what decides it.

    Args:
        template: Short name of the template.
        values: What fills its placeholders, from left to right.
        answer: The answer.
        targets: Indices into the scene's instruments: those that the question names, see
            :class:`avground.data.pocket.Decides`.
        names: Whether the question names them; if not, they are those on stage that sound.
        found: Index of the instrument that is the answer; None where the answer is none.
        seconds: For each segment, whether it decides the answer.
    """

    template: str
    values: tuple[str, ...]
    answer: str
    targets: tuple[int, ...]
    names: bool
    found: int | None
    seconds: Flags


RULES: dict[str, Callable[[Scene, tuple[str, ...]], Iterator[Offer]]] = {
    "louder": heard.louder,
    "more_rhythmic": heard.more_rhythmic,
    "longer": heard.longer,
    "both_sound": heard.both_sound,
    "heard": heard.heard,
    "is_heard": heard.is_heard,
    "louder_named_at": heard.louder_named_at,
    "more_rhythmic_named_at": heard.more_rhythmic_named_at,
    "louder_at": heard.louder_at,
    "more_rhythmic_at": heard.more_rhythmic_at,
    "sounding": matched.sounding,
    "never_sounding": matched.never_sounding,
    "sounding_of_type": matched.sounding_of_type,
    "types_sounding": matched.types_sounding,
    "always": heard.always,
    "voiceover": heard.voiceover,
    "sound_from_stage": matched.sound_from_stage,
    "sound_from": matched.sound_from,
    "side_of_sounding": matched.side_of_sounding,
    "where_loudest": matched.where_loudest,
    "same_time": matched.same_time,
    "comes_in": matched.comes_in,
    "where_sounding": matched.where_sounding,
    "which_one_sounds": matched.which_one_sounds,
    "before_after": matched.before_after,
    "both_seen": seen.both_seen,
    "seen_of_type": seen.seen_of_type,
    "types_seen": seen.types_seen,
    "is_seen": seen.is_seen,
    "side_of": seen.side_of,
    "outermost": seen.outermost,
    "only_one": seen.only_one,
    "performance": seen.performance,
}


def all_questions(scene: Scene, world: World) -> list[Question]:
    """Every question of the world's templates that has one answer in this scene."""
    types = INSTRUMENTS[: world.types]
    everything = (True,) * world.segments
    sounding = tuple(number for number, one in enumerate(scene.instruments) if one.on_stage and one.heard)
    found = []
    for name in world.templates or TEMPLATES:
        for offer in RULES[name](scene, types):
            targets = sounding if offer.named is None else _indices(scene, offer.named)
            found_one = None if offer.found is None else _indices(scene, [offer.found])[0]
            seconds = everything if offer.seconds is None else tuple(offer.seconds)
            names = offer.named is not None
            found.append(Question(name, offer.values, offer.answer, targets, names, found_one, seconds))
    return found


def _indices(scene: Scene, named: Sequence[Instrument]) -> tuple[int, ...]:
    return tuple(number for number, one in enumerate(scene.instruments) if any(one is other for other in named))
