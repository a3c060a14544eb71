"""What the rules of the question templates share: offers, and who is who in a scene."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from avground.data.pocket.scene import Flags, Instrument, Scene, neighbours
from avground.data.pocket.world import PLACES

# Amplitudes of two levels of loudness differ by at least 0.25, those of two rhythms by 0.7.
LOUDER, MORE_RHYTHMIC, LONGER = 0.2, 0.5, 2


@dataclass(frozen=True, slots=True)
class Offer:
    """A question that one template can ask about a scene.

    Args:
        values: What fills its placeholders, from left to right.
        answer: The answer.
        named: The instruments that it names; ``None`` where it names none.
        seconds: For each segment, whether it decides the answer; ``None`` for all.
        found: The instrument that is the answer, if it is one.
    """

    values: tuple[str, ...]
    answer: str
    named: tuple[Instrument, ...] | None = None
    seconds: Iterable[bool] | None = None
    found: Instrument | None = None


def yes(truth: bool) -> str:
    """The answer that means this."""
    return "yes" if truth else "no"


def either(*flags: Flags) -> Flags:
    """The segments in which any of the flags is set."""
    return tuple(any(now) for now in zip(*flags, strict=True))


def both(first: Flags, second: Flags) -> Flags:
    """The segments in which both flags are set."""
    return tuple(a and b for a, b in zip(first, second, strict=True))


def of_type(instruments: Iterable[Instrument], type_: str) -> tuple[Instrument, ...]:
    """Those of one type."""
    return tuple(one for one in instruments if one.type == type_)


def only_of_type(instruments: Sequence[Instrument]) -> list[Instrument]:
    """The instruments that no other shares its type with."""
    return [one for one in instruments if len(of_type(instruments, one.type)) == 1]


def only_at_place(scene: Scene) -> dict[str, Instrument]:
    """The instruments that have their place on stage to themselves, by place."""
    at = {place: [one for one in scene.stage if one.place == place] for place in PLACES}
    return {place: ones[0] for place, ones in at.items() if len(ones) == 1}


def distinct(instruments: Sequence[Instrument]) -> bool:
    """Whether no two share a type."""
    return len(only_of_type(instruments)) == len(instruments)


def start(one: Instrument) -> int:
    """The segment in which it comes in."""
    return one.sounding.index(True)


def stop(one: Instrument) -> int:
    """The segment after the last in which it is heard."""
    return len(one.sounding) - one.sounding[::-1].index(True)


def beside(scene: Scene, one: Instrument, side: str) -> Instrument | None:
    """The instrument next to ``one`` on that side, if it is alone at its place."""
    there = neighbours(scene, one)[0 if side == "left" else 1]
    return there[0] if len(there) == 1 else None


def outer(scene: Scene, which: str) -> tuple[Instrument, Flags] | None:
    """The first or the last instrument to be heard, on stage or off it, and the segments that show it."""
    heard = scene.heard
    times = range(len(scene.voice))
    if which == "first" and heard:
        ones = sorted(heard, key=start)
        second = start(ones[1]) if len(ones) > 1 else stop(ones[0])
        if second > start(ones[0]):
            return ones[0], tuple(start(ones[0]) <= t < second for t in times)
    if which == "last" and len(heard) > 1:
        ones = sorted(heard, key=start)
        last = ones[-1]
        # Both the last to begin and none goes on longer: whatever "last" means, it is this one.
        if start(last) > start(ones[-2]) and all(stop(one) <= stop(last) for one in ones):
            return last, last.sounding
    return None


def loudness(one: Instrument) -> float:
    """Its loudness."""
    return one.loudness
