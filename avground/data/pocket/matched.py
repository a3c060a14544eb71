"""The rules of the questions that take sound and sight together."""

from collections.abc import Iterator

from avground.data.pocket.offers import (
    LOUDER,
    Offer,
    beside,
    both,
    distinct,
    either,
    loudness,
    of_type,
    only_of_type,
    outer,
    start,
    stop,
    yes,
)
from avground.data.pocket.scene import Scene
from avground.data.pocket.templates import NUMBERS, ORDINALS
from avground.data.pocket.world import PLACES


def sounding(scene: Scene, types: tuple[str, ...]) -> Iterator[Offer]:
    """How many of those on stage are heard."""
    yield Offer((), NUMBERS[sum(one.heard for one in scene.stage)])


def never_sounding(scene: Scene, types: tuple[str, ...]) -> Iterator[Offer]:
    """How many of those on stage are never heard."""
    yield Offer((), NUMBERS[sum(not one.heard for one in scene.stage)])


def sounding_of_type(scene: Scene, types: tuple[str, ...]) -> Iterator[Offer]:
    """How many of one type on stage are heard."""
    for type_ in types:
        named = of_type(scene.stage, type_)
        # "Zero" is asked only about what is seen or heard: silent on stage, or heard off it.
        if of_type(scene.instruments, type_):
            yield Offer((type_,), NUMBERS[sum(one.heard for one in named)], named)


def types_sounding(scene: Scene, types: tuple[str, ...]) -> Iterator[Offer]:
    """How many types on stage are heard."""
    yield Offer((), NUMBERS[len({one.type for one in scene.stage if one.heard})])


def sound_from_stage(scene: Scene, types: tuple[str, ...]) -> Iterator[Offer]:
    """Whether what is heard is on stage or off it, where not both are and there is no voice."""
    origins = {one.on_stage for one in scene.heard}
    if len(origins) == 1 and not any(scene.voice):
        yield Offer((), yes(origins.pop()))


def sound_from(scene: Scene, types: tuple[str, ...]) -> Iterator[Offer]:
    """Whether the first or the last to be heard stands at a place that is taken."""
    for which in ("first", "last"):
        found = outer(scene, which)
        for place in PLACES if found else ():
            if any(one.place == place for one in scene.stage):
                one, seconds = found  # type: ignore[misc]
                yield Offer((which, place), yes(one.place == place), None, seconds)


def side_of_sounding(scene: Scene, types: tuple[str, ...]) -> Iterator[Offer]:
    """What stands next to the first or the last to be heard."""
    for which in ("first", "last"):
        found = outer(scene, which)
        if found and found[0].on_stage:
            for side in ("left", "right"):
                neighbour = beside(scene, found[0], side)
                if neighbour:
                    yield Offer((side, which), neighbour.type, None, found[1])


def where_loudest(scene: Scene, types: tuple[str, ...]) -> Iterator[Offer]:
    """Where the loudest or the softest stands, by 3 dB among all that are heard."""
    ones = sorted(scene.heard, key=loudness)
    if len(ones) < 2:
        return
    for which, one, next_one in (("lowest", ones[0], ones[1]), ("loudest", ones[-1], ones[-2])):
        if one.place and abs(one.loudness - next_one.loudness) >= LOUDER:
            yield Offer((which,), one.place, None, one.sounding)


def same_time(scene: Scene, types: tuple[str, ...]) -> Iterator[Offer]:
    """The only one that is heard together with the only one of a type."""
    for one in only_of_type(scene.heard):
        together = [
            (other, both(one.sounding, other.sounding))
            for other in scene.heard
            if other is not one and any(both(one.sounding, other.sounding))
        ]
        if len(together) == 1 and one.on_stage and len(of_type(scene.stage, one.type)) == 1:
            yield Offer((one.type,), together[0][0].type, (one,), together[0][1], together[0][0])


def comes_in(scene: Scene, types: tuple[str, ...]) -> Iterator[Offer]:
    """The one that comes in first, second and so on, where no two come in at once."""
    ones = sorted(scene.heard, key=start)
    starts = [start(one) for one in ones]
    for number, one in enumerate(ones[: len(ORDINALS)]):
        if starts[: number + 1] != sorted(set(starts[: number + 1])) or starts.count(starts[number]) > 1:
            return
        until = starts[number + 1] if number + 1 < len(ones) else stop(one)
        yield Offer((ORDINALS[number],), one.type, None, (starts[number] <= t < until for t in range(len(scene.voice))))


def where_sounding(scene: Scene, types: tuple[str, ...]) -> Iterator[Offer]:
    """Where the first or the last to be heard stands."""
    for which in ("first", "last"):
        found = outer(scene, which)
        if found and found[0].place:
            yield Offer((which,), found[0].place, None, found[1])


def which_one_sounds(scene: Scene, types: tuple[str, ...]) -> Iterator[Offer]:
    """Which of two of a type on stage comes in first or last, by its place."""
    for type_ in types:
        ones = sorted((one for one in scene.heard if one.type == type_), key=start)
        if len(ones) != 2 or not all(one.on_stage for one in ones) or ones[0].place == ones[1].place:
            continue
        starts = [start(one) for one in ones]
        if starts[0] == starts[1]:
            answers = {"first": "simultaneously"}
        else:
            answers = {"first": str(ones[0].place)}
            if stop(ones[1]) >= stop(ones[0]):
                answers["last"] = str(ones[1].place)
        for which, answer in answers.items():
            yield Offer((type_, which), answer, tuple(ones), either(ones[0].sounding, ones[1].sounding))


def before_after(scene: Scene, types: tuple[str, ...]) -> Iterator[Offer]:
    """The one that comes in next before or next after the only one of a type, where no two come in at once."""
    ones = sorted(scene.heard, key=start)
    starts = [start(one) for one in ones]
    if len(set(starts)) < len(starts) or not distinct(ones):
        return
    for number, one in enumerate(ones):
        if not one.on_stage or len(of_type(scene.stage, one.type)) != 1:
            continue
        for word, next_ in (("before", number - 1), ("after", number + 1)):
            if 0 <= next_ < len(ones):
                other = ones[next_]
                yield Offer((word, one.type), other.type, (one,), either(one.sounding, other.sounding), other)
