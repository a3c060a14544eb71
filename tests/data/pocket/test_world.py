"""The knobs: what is refused, and with which words."""

import pytest

from avground.data.pocket import KNOBS, PRESETS, World
from avground.errors import ConfigError


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"silent": 1.5}, r"silent: expected a share in \[0, 1\], got 1.5"),
        ({"noise": -1.0}, "noise: expected an amount"),
        ({"fewest": 3, "most": 2}, "fewest: expected 1 to most=2, got 3"),
        ({"noise": "x"}, "noise: expected a number, got 'x'"),
        ({"types": 4.5}, "types: expected a whole number, got 4.5"),
        ({"types": 23}, "types: expected 4 to 22, got 23"),
        ({"segments": 7}, "segments: expected a divisor of 60"),
        ({"rows": 2}, "rows: expected 6 or more, got 2"),
        ({"train": 0}, "train: expected 1 to"),
        ({"templates": ("side_off",)}, "templates: expected names among louder, .*side_of.*, got 'side_off'"),
    ],
)
def test_impossible_worlds(knobs: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        World().replace(**knobs)


def test_unknown_knob_lists_the_right_ones() -> None:
    with pytest.raises(ConfigError, match=r"knob: expected one of types, fewest, .*noise.*, got 'nose'"):
        World().replace(nose=1)


def test_presets() -> None:
    assert list(PRESETS) == ["core", "target", "sync", "tiny", "pixels", "pixels_tiny", "full"]
    assert PRESETS["core"] == World()
    assert (PRESETS["target"].fewest, PRESETS["target"].most) == (3, 3)
    assert PRESETS["pixels_tiny"].replace(train=1000, val=100, test=300) == PRESETS["pixels"]
    full = PRESETS["full"]
    assert (full.types, full.most, full.channels, full.rows, full.columns) == (22, 4, 512, 14, 14)
    for world in PRESETS.values():
        assert World(**world.to_dict()) == world
        assert tuple(world.to_dict()) == KNOBS
