"""The knobs of a Pocket world, and its presets."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from avground.data.pocket.templates import INSTRUMENTS, TEMPLATES
from avground.errors import ConfigError

SPLITS = ("train", "val", "test")
PLACES = ("left", "middle", "right")
_SHARES = (
    "two_of_a_type",
    "silent",
    "looks_played",
    "off_stage",
    "voice",
    "occluded",
    "burst",
    "desynchronised",
)
_AMOUNTS = (
    "context_left",
    "context_right",
    "noise",
    "audio_noise",
    "variety",
    "background",
    "cue",
    "position",
    "view",
    "clutter",
)


@dataclass(frozen=True, slots=True)
class World:
    """Everything that decides what a Pocket benchmark contains, apart from its seed.

    Shares lie in [0, 1]. Amounts are deviations a channel, measured against the code of an instrument, which has 1; in
    videos they are the strength of what they stand for. Channels, ``cue``, ``position``, ``view`` and context are about
    features only.

    Args:
        types: How many of the 22 instruments exist.
        fewest: Fewest instruments on stage.
        most: Most instruments on stage, at most 4.
        two_of_a_type: Share of the scenes with two or more on stage that hold two of one type.
        silent: Share of the instruments on stage that are never heard.
        looks_played: Share of the silent instruments that look played all the same.
        off_stage: Share of the scenes in which an instrument is heard that nobody sees.
        voice: Share of the scenes with a voice; half of them show the singer, the others are a voice-over.
        occluded: Share of the segments whose picture shows nothing but noise.
        burst: Share of the segments whose sound is nothing but noise.
        desynchronised: Share of the scenes in which what is seen happens at other times than what is heard.
        noise: Noise at every cell of every picture.
        audio_noise: Noise in every row of the sound.
        variety: How much one instrument differs from another of its type, in looks and in sound.
        background: The code of the surroundings, indoor or outdoor, at every cell, and what is peculiar to one stage.
        cue: The code, the same for every type, of an instrument that looks played.
        position: The code of its row and column at every cell.
        view: How much a type looks different from the left, the middle and the right.
        context_left: What a cell of an instrument shows of the type next to it on the left, with a code for each type:
            the cells of a deep network see far beyond their own square.
        context_right: The same of the type next to it on the right.
        clutter: What is peculiar to every cell of a scene and stays the same in all of its segments.
        segments: Segments of a scene (T); 60 seconds must be a multiple of it.
        rows: Rows of cells (h).
        columns: Columns of cells (w).
        channels: Channels of a cell (c).
        audio_channels: Channels of a second of sound.
        train: Scenes to train on.
        val: Scenes to validate on.
        test: Scenes to test on.
        questions: Questions a scene, at most.
        templates: Names of the question templates asked, of :data:`avground.data.pocket.TEMPLATES`; none means all.

    Example:
        >>> from avground.data import pocket
        >>> pocket.PRESETS["core"].replace(silent=0.6).silent
        0.6
    """

    types: int = 8
    fewest: int = 1
    most: int = 3
    two_of_a_type: float = 0.2
    silent: float = 0.45
    looks_played: float = 0.8
    off_stage: float = 0.5
    voice: float = 0.3
    occluded: float = 0.05
    burst: float = 0.05
    desynchronised: float = 0.0
    noise: float = 0.5
    audio_noise: float = 0.5
    variety: float = 0.3
    background: float = 0.3
    cue: float = 1.0
    position: float = 0.5
    view: float = 0.3
    context_left: float = 0.6
    context_right: float = 0.6
    clutter: float = 0.3
    segments: int = 10
    rows: int = 7
    columns: int = 7
    channels: int = 64
    audio_channels: int = 128
    train: int = 2400
    val: int = 200
    test: int = 600
    questions: int = 5
    templates: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "templates", tuple(self.templates))
        kinds = {int: (int, "a whole number"), float: (int | float, "a number")}
        for field in dataclasses.fields(self):
            kind, expected = kinds.get(type(field.default), (object, "anything"))
            value = getattr(self, field.name)
            _check(isinstance(value, kind) and not isinstance(value, bool), field.name, expected, value)
        for name in _SHARES:
            _check(0 <= getattr(self, name) <= 1, name, "a share in [0, 1]", getattr(self, name))
        for name in _AMOUNTS:
            _check(0 <= getattr(self, name) <= 8, name, "an amount in [0, 8]", getattr(self, name))
        _check(4 <= self.types <= len(INSTRUMENTS), "types", f"4 to {len(INSTRUMENTS)}", self.types)
        _check(1 <= self.most <= 4, "most", "1 to 4 instruments on stage", self.most)
        _check(1 <= self.fewest <= self.most, "fewest", f"1 to most={self.most}", self.fewest)
        _check(
            4 <= self.segments <= 60 and 60 % self.segments == 0, "segments", "a divisor of 60 from 4", self.segments
        )
        _check(self.rows >= 6, "rows", "6 or more", self.rows)
        _check(self.columns >= 6, "columns", "6 or more", self.columns)
        for name in ("channels", "audio_channels"):
            _check(getattr(self, name) >= 8, name, "8 or more", getattr(self, name))
        for name in SPLITS:
            _check(1 <= getattr(self, name) < 10_000_000, name, "1 to 9999999 scenes", getattr(self, name))
        _check(1 <= self.questions <= 99, "questions", "1 to 99", self.questions)
        for name in self.templates:
            _check(name in TEMPLATES, "templates", f"names among {', '.join(TEMPLATES)}", name)

    def to_dict(self) -> dict[str, Any]:
        """The knobs as plain JSON values."""
        return {**dataclasses.asdict(self), "templates": list(self.templates)}

    def replace(self, **knobs: Any) -> "World":
        """A world with some knobs changed.

        Raises:
            ConfigError: for a knob that does not exist; the message lists those that do.
        """
        for name in knobs:
            _check(name in KNOBS, "knob", f"one of {', '.join(KNOBS)}", name)
        return dataclasses.replace(self, **knobs)


KNOBS = tuple(field.name for field in dataclasses.fields(World))


def _check(fits: bool, name: str, expected: str, got: object) -> None:
    if not fits:
        raise ConfigError(f"{name}: expected {expected}, got {got!r}")


_CORE = World()
# Few scenes, as each costs a third of a second or so to film and to look at.
_PIXELS = _CORE.replace(most=2, train=1000, val=100, test=300)

PRESETS: Mapping[str, World] = {
    "core": _CORE,
    "target": _CORE.replace(
        fewest=3,
        silent=0.15,
        off_stage=0.0,
        voice=0.0,
        view=0.0,
        train=2000,
        val=150,
        test=400,
        questions=4,
        context_left=1.2,
        context_right=0.0,
        templates=("side_of", "same_time", "before_after"),
    ),
    "sync": _CORE.replace(
        fewest=3,
        silent=0.2,
        off_stage=0.2,
        occluded=0.4,
        burst=0.4,
        train=2000,
        val=150,
        test=400,
        questions=4,
        templates=(
            "same_time",
            "before_after",
            "comes_in",
            "where_sounding",
            "sound_from",
            "side_of_sounding",
            "which_one_sounds",
            "always",
        ),
    ),
    "tiny": _CORE.replace(train=60, val=10, test=20, channels=32),
    "pixels": _PIXELS,
    "pixels_tiny": _PIXELS.replace(train=60, val=10, test=20),
    "full": _CORE.replace(types=22, most=4, rows=14, columns=14, channels=512, train=3200, val=200, test=600),
}


def get_world(world: str | World) -> tuple[str, World]:
    """The name and the knobs of a preset; a world of one's own is called ``custom``.

    Raises:
        ConfigError: for a preset that does not exist; the message lists those that do.
    """
    if isinstance(world, World):
        return next((name for name, preset in PRESETS.items() if preset == world), "custom"), world
    _check(world in PRESETS, "world", f"one of {', '.join(PRESETS)}, or a World", world)
    return world, PRESETS[world]
