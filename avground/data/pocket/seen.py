"""The rules of the questions that sight can answer."""

from collections.abc import Iterator
from itertools import permutations

from avground.data.pocket.offers import Offer, beside, of_type, only_at_place, only_of_type, yes
from avground.data.pocket.scene import Scene
from avground.data.pocket.templates import NUMBERS
from avground.data.pocket.world import PLACES


def both_seen(scene: Scene, types: tuple[str, ...]) -> Iterator[Offer]:
    """Whether both types are on stage."""
    seen = {one.type for one in scene.stage}
    for pair in permutations(types, 2):
        # "No" is asked about pairs of which one is there, so that seeing either is not enough.
        if seen.intersection(pair):
            named = tuple(one for one in scene.stage if one.type in pair)
            yield Offer(pair, yes(seen.issuperset(pair)), named)


def seen_of_type(scene: Scene, types: tuple[str, ...]) -> Iterator[Offer]:
    """How many of a type are on stage."""
    for type_ in types:
        named = of_type(scene.stage, type_)
        if of_type(scene.instruments, type_):
            yield Offer((type_,), NUMBERS[len(named)], named)


def types_seen(scene: Scene, types: tuple[str, ...]) -> Iterator[Offer]:
    """How many types are on stage."""
    yield Offer((), NUMBERS[len({one.type for one in scene.stage})])


def is_seen(scene: Scene, types: tuple[str, ...]) -> Iterator[Offer]:
    """Whether a type is on stage."""
    for type_ in types:
        named = of_type(scene.stage, type_)
        yield Offer((type_,), yes(bool(named)), named)


def side_of(scene: Scene, types: tuple[str, ...]) -> Iterator[Offer]:
    """What stands next to the only one of a type."""
    for one in only_of_type(scene.stage):
        for side in ("left", "right"):
            neighbour = beside(scene, one, side)
            if neighbour:
                yield Offer((side, one.type), neighbour.type, (one,), None, neighbour)


def outermost(scene: Scene, types: tuple[str, ...]) -> Iterator[Offer]:
    """What stands alone farthest to one side, of two places or more."""
    order = sorted({str(one.place) for one in scene.stage}, key=PLACES.index)
    alone = only_at_place(scene)
    for word, place in (("leftest", order[0]), ("rightest", order[-1])):
        if place in alone and len(order) > 1:
            yield Offer((word,), alone[place].type, (alone[place],))


def only_one(scene: Scene, types: tuple[str, ...]) -> Iterator[Offer]:
    """The type of the only one on stage."""
    if len(scene.stage) == 1:
        yield Offer((), scene.stage[0].type, scene.stage)


def performance(scene: Scene, types: tuple[str, ...]) -> Iterator[Offer]:
    """Whether the surroundings are indoor or outdoor."""
    yield Offer((), "outdoor" if scene.outdoor else "indoor")
