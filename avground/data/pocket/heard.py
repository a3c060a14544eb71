"""The rules of the questions that sound can answer, and of those that compare sounds."""

from collections.abc import Callable, Iterable, Iterator
from itertools import permutations

from avground.data.pocket.offers import (
    LONGER,
    LOUDER,
    MORE_RHYTHMIC,
    Offer,
    distinct,
    either,
    loudness,
    of_type,
    only_at_place,
    only_of_type,
    yes,
)
from avground.data.pocket.scene import Instrument, Scene
from avground.data.pocket.templates import NUMBERS


def _compare(
    pairs: Iterable[tuple[tuple[str, ...], Instrument, Instrument]],
    measure: Callable[[Instrument], float],
    apart: float,
) -> Iterator[Offer]:
    for values, one, other in pairs:
        difference = measure(one) - measure(other)
        if one.heard and other.heard and abs(difference) >= apart:
            yield Offer(values, yes(difference > 0), (one, other), either(one.sounding, other.sounding))


def _pairs_by_type(scene: Scene) -> Iterator[tuple[tuple[str, ...], Instrument, Instrument]]:
    for one, other in permutations(only_of_type(scene.instruments), 2):
        yield (one.type, other.type), one, other


def _pairs_by_place(scene: Scene, named: bool) -> Iterator[tuple[tuple[str, ...], Instrument, Instrument]]:
    for (here, one), (there, other) in permutations(only_at_place(scene).items(), 2):
        yield ((one.type, here, other.type, there) if named else (here, there)), one, other


def _rhythm(one: Instrument) -> float:
    return one.rhythm


def _duration(one: Instrument) -> int:
    return sum(one.sounding)


def louder(scene: Scene, types: tuple[str, ...]) -> Iterator[Offer]:
    """Two types that one instrument each stands for, both heard and of different loudness."""
    return _compare(_pairs_by_type(scene), loudness, LOUDER)


def more_rhythmic(scene: Scene, types: tuple[str, ...]) -> Iterator[Offer]:
    """As :func:`louder`, for the beat."""
    return _compare(_pairs_by_type(scene), _rhythm, MORE_RHYTHMIC)


def longer(scene: Scene, types: tuple[str, ...]) -> Iterator[Offer]:
    """As :func:`louder`, for how long they are heard."""
    return _compare(_pairs_by_type(scene), _duration, LONGER)


def louder_named_at(scene: Scene, types: tuple[str, ...]) -> Iterator[Offer]:
    """As :func:`louder`, for two on stage, each alone at its place."""
    return _compare(_pairs_by_place(scene, named=True), loudness, LOUDER)


def more_rhythmic_named_at(scene: Scene, types: tuple[str, ...]) -> Iterator[Offer]:
    """As :func:`louder_named_at`, for the beat."""
    return _compare(_pairs_by_place(scene, named=True), _rhythm, MORE_RHYTHMIC)


def louder_at(scene: Scene, types: tuple[str, ...]) -> Iterator[Offer]:
    """As :func:`louder_named_at`, without the types."""
    return _compare(_pairs_by_place(scene, named=False), loudness, LOUDER)


def more_rhythmic_at(scene: Scene, types: tuple[str, ...]) -> Iterator[Offer]:
    """As :func:`louder_at`, for the beat."""
    return _compare(_pairs_by_place(scene, named=False), _rhythm, MORE_RHYTHMIC)


def both_sound(scene: Scene, types: tuple[str, ...]) -> Iterator[Offer]:
    """Whether both types are heard, on stage or off it."""
    heard = {one.type for one in scene.heard}
    for pair in permutations(types, 2):
        # "No" is asked about pairs of which one is heard, so that hearing either is not enough.
        if heard.intersection(pair):
            named = tuple(one for one in scene.instruments if one.type in pair)
            yield Offer(pair, yes(heard.issuperset(pair)), named)


def heard(scene: Scene, types: tuple[str, ...]) -> Iterator[Offer]:
    """How many are heard, on stage or off it, where no two share a type."""
    if distinct(scene.heard):
        yield Offer((), NUMBERS[len(scene.heard)])


def is_heard(scene: Scene, types: tuple[str, ...]) -> Iterator[Offer]:
    """Whether a type is heard, on stage or off it."""
    for type_ in types:
        named = of_type(scene.instruments, type_)
        flags = either(*(one.sounding for one in named)) if named else ()
        yield Offer((type_,), yes(any(flags)), named, flags if any(flags) else None)


def always(scene: Scene, types: tuple[str, ...]) -> Iterator[Offer]:
    """Whether the only one of a type on stage is heard in every segment, or pauses for two at least."""
    for one in only_of_type(scene.stage):
        if one.heard and (all(one.sounding) or _duration(one) <= len(one.sounding) - 2):
            pauses = tuple(not now for now in one.sounding)
            yield Offer((one.type,), yes(all(one.sounding)), (one,), pauses if any(pauses) else None)


def voiceover(scene: Scene, types: tuple[str, ...]) -> Iterator[Offer]:
    """Whether there is a voice and no singer to be seen."""
    voice = any(scene.voice)
    yield Offer((), yes(voice and not scene.singer), None, scene.voice if voice else None)
