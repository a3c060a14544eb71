"""A scene: which instruments are on stage and off it, where, when each is heard and when it looks played."""

from dataclasses import dataclass

from avground.data.pocket.streams import Stream
from avground.data.pocket.templates import INSTRUMENTS
from avground.data.pocket.world import PLACES, World

# Amplitudes 3 dB apart, so two that differ are clearly louder and softer.
LOUDNESS = (0.6, 0.85, 1.2, 1.7)
# Strength of the beat in the sound of an instrument.
RHYTHM = (0.0, 0.7, 1.4)
SHORTEST = 2  # segments of sound of an instrument that is heard
_ID_OFFSETS = {"train": 0, "val": 10_000_000, "test": 20_000_000}

Flags = tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class Instrument:
    """One instrument of a scene.

    Args:
        type: One of the 22 types.
        place: ``left``, ``middle`` or ``right`` of the stage, or ``None`` off stage.
        cells: Rows and columns of the cells that it covers.
        sounding: For each segment, whether it is heard.
        played: For each segment, whether it looks played.
        loudness: Amplitude of its sound.
        rhythm: Strength of its beat.
    """

    type: str
    place: str | None
    cells: tuple[tuple[int, int], ...]
    sounding: Flags
    played: Flags
    loudness: float
    rhythm: float

    @property
    def on_stage(self) -> bool:
        """Whether it can be seen."""
        return self.place is not None

    @property
    def heard(self) -> bool:
        """Whether it sounds in any segment."""
        return any(self.sounding)


@dataclass(frozen=True, slots=True)
class Scene:
    """All that is so in one video, before it is seen and heard through noise.

    Args:
        split: ``train``, ``val`` or ``test``.
        index: Number of the scene in its split.
        instruments: Those on stage, from the left, then those off it.
        outdoor: Whether the surroundings are outdoor.
        voice: For each segment, whether a voice is heard.
        singer: The cells of a singer on stage, whose voice it is; empty without one.
        occluded: For each segment, whether its picture shows nothing.
        burst: For each segment, whether noise covers its sound.
    """

    split: str
    index: int
    instruments: tuple[Instrument, ...]
    outdoor: bool
    voice: Flags
    singer: tuple[tuple[int, int], ...]
    occluded: Flags
    burst: Flags

    @property
    def number(self) -> int:
        """A number that no other scene of any split has."""
        return _ID_OFFSETS[self.split] + self.index

    @property
    def video_id(self) -> str:
        """The eight digits under which its files are stored."""
        return f"{self.number:08d}"

    @property
    def stage(self) -> tuple[Instrument, ...]:
        """The instruments that can be seen."""
        return tuple(one for one in self.instruments if one.on_stage)

    @property
    def heard(self) -> tuple[Instrument, ...]:
        """The instruments that sound, on stage or off it."""
        return tuple(one for one in self.instruments if one.heard)


def make_scene(world: World, seed: int, split: str, index: int) -> Scene:
    """The scene of this number: a pure function of its arguments, whatever other scenes there are.

    Every kind of decision has a stream of its own, so that a knob changes only what it is about: the same scenes come
    with and without corruption, in step and out of it.
    """

    def stream(purpose: str) -> Stream:
        return Stream(seed, split, index, purpose)

    types = _types_on_stage(world, stream("types"))
    sounds = _sounds(world, types, stream("sounds"))
    plays = _plays(world, types, sounds, stream("plays"))
    blocks = _blocks(world, len(types), stream("places"))
    loudness, rhythm = stream("loudness").shuffled(LOUDNESS), stream("rhythm").shuffled(RHYTHM * 2)
    instruments = [
        Instrument(type_, place, cells, sounds[number], plays[number], loudness[number], rhythm[number])
        for number, (type_, (place, cells)) in enumerate(zip(types, blocks, strict=True))
    ]
    instruments.sort(key=lambda one: PLACES.index(str(one.place)))
    for sounding in sounds[len(types) :]:
        type_ = stream("off stage").choose([other for other in INSTRUMENTS[: world.types] if other not in types])
        nothing = (False,) * world.segments
        number = len(types)
        instruments.append(Instrument(type_, None, (), sounding, nothing, loudness[number % 4], rhythm[number]))
    occluded, burst = stream("occluded"), stream("burst")
    return Scene(
        split,
        index,
        tuple(instruments),
        stream("surroundings").chance(0.5),
        *_voice(world, stream("voice")),
        tuple(occluded.chance(world.occluded) for _ in range(world.segments)),
        tuple(burst.chance(world.burst) for _ in range(world.segments)),
    )


def neighbours(scene: Scene, one: Instrument) -> tuple[tuple[Instrument, ...], tuple[Instrument, ...]]:
    """The instruments at the next place to the left of ``one``, and at the next to its right."""
    here = PLACES.index(str(one.place))
    found = []
    for places in (PLACES[:here][::-1], PLACES[here + 1 :]):
        at = [tuple(other for other in scene.stage if other.place == place) for place in places]
        found.append(next((others for others in at if others), ()))
    return found[0], found[1]


def _types_on_stage(world: World, stream: Stream) -> list[str]:
    count = world.fewest + stream.below(world.most - world.fewest + 1)
    types = stream.shuffled(INSTRUMENTS[: world.types])[:count]
    # With every type on stage none would be left to sound off stage.
    if count > 1 and (stream.chance(world.two_of_a_type) or count == world.types):
        types[0] = types[1]
    return stream.shuffled(types)


def _sounds(world: World, types: list[str], stream: Stream) -> list[Flags]:
    """When each instrument on stage is heard, and after them one off stage, if there is one."""
    silent = [stream.chance(world.silent) for _ in types]
    off_stage = stream.chance(world.off_stage)
    one = stream.below(len(types))
    if all(silent) and not off_stage:
        silent[one] = False
    timetable = _timetable(world.segments, silent.count(False) + off_stage, stream)
    sounds = [(False,) * world.segments if still else timetable.pop() for still in silent]
    return [*sounds, *timetable]


def _plays(world: World, types: list[str], sounds: list[Flags], stream: Stream) -> list[Flags]:
    """When each instrument on stage looks played: when it is heard, unless the scene is out of step, or in pretence."""
    shift = 1 + stream.below(world.segments - 1)
    if not stream.chance(world.desynchronised):
        shift = 0
    plays = []
    for number, type_ in enumerate(types):
        played = sounds[number]
        # Where one of two of a type sounds, the other does not look played: nothing would tell which one is heard.
        rivals = [any(sounds[other]) for other, of in enumerate(types) if of == type_]
        pretends, pretended = stream.chance(world.looks_played), _timetable(world.segments, 1, stream)[0]
        if pretends and not any(rivals):
            played = pretended
        plays.append(played[shift:] + played[:shift])
    return plays


def _timetable(segments: int, count: int, stream: Stream) -> list[Flags]:
    """When each of ``count`` instruments sounds: an unbroken stretch of at least ``SHORTEST`` segments each."""
    style = stream.weighted((0.2, 0.3, 0.25, 0.25))
    starts, stops = [0] * count, [segments] * count
    if style == 0 or count > segments // SHORTEST:  # all together
        start, stop = _stretch(segments, stream) if stream.chance(0.5) else (0, segments)
        starts, stops = [start] * count, [stop] * count
    elif style == 1:  # one after the other comes in and stays
        latest = segments - SHORTEST
        starts = sorted(stream.shuffled(range(latest + 1))[:count])
        stops = [segments] * count
    elif style == 2:  # they take turns
        cuts = sorted(stream.shuffled(range(1, segments // SHORTEST))[: count - 1])
        edges = [0, *(SHORTEST * cut for cut in cuts), segments]
        starts, stops = edges[:-1], edges[1:]
    else:  # each as it likes
        for number in range(count):
            starts[number], stops[number] = _stretch(segments, stream)
    order = stream.shuffled(range(count))
    return [tuple(starts[number] <= t < stops[number] for t in range(segments)) for number in order]


def _stretch(segments: int, stream: Stream) -> tuple[int, int]:
    length = SHORTEST + stream.below(segments - SHORTEST)
    start = stream.below(segments - length + 1)
    return start, start + length


def _blocks(world: World, count: int, stream: Stream) -> list[tuple[str, tuple[tuple[int, int], ...]]]:
    """A place and its cells for each instrument: one to a place; a fourth stands in front of another."""
    places = stream.shuffled(PLACES)[:count]
    shared = stream.choose(PLACES) if count > len(PLACES) else None
    tall, wide = 3 * world.rows // 7, 2 * world.columns // 7
    third = world.columns // 3
    regions = {
        "left": (0, third),
        "middle": (third, world.columns - third),
        "right": (world.columns - third, world.columns),
    }
    half = world.rows // 2
    found: list[tuple[str, tuple[tuple[int, int], ...]]] = []
    for place in [*places, *([shared] if shared else [])]:
        # Two in one place keep to the back and the front half of the stage.
        low, high = (
            (0, world.rows) if place != shared else (0, half) if len(found) < len(PLACES) else (half, world.rows)
        )
        width = min(wide, regions[place][1] - regions[place][0])
        height = min(tall, high - low)
        row = low + stream.below(high - low - height + 1)
        column = regions[place][0] + stream.below(regions[place][1] - regions[place][0] - width + 1)
        block = tuple((row + r, column + c) for r in range(height) for c in range(width))
        found.append((place, block))
    return found


def _voice(world: World, stream: Stream) -> tuple[Flags, tuple[tuple[int, int], ...]]:
    nothing = (False,) * world.segments
    sung, seen = stream.chance(world.voice), stream.chance(0.5)
    voice = _timetable(world.segments, 1, stream)[0] if sung else nothing
    # A singer who says nothing is seen as often among the scenes without a voice.
    singer = ((stream.below(world.rows), stream.below(world.columns)),) if seen and world.voice else ()
    return voice, singer
