"""How a world is filmed: what is refused, and with which words."""

import pytest

from avground.data.pocket import Rendering, World
from avground.errors import ConfigError


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seconds": 0}, "seconds: expected a whole number of at least 1, got 0"),
        ({"seconds": 61}, "seconds: expected at most 60, got 61"),
        ({"seconds": 1.5}, r"seconds: expected a whole number of at least 1, got 1\.5"),
        ({"fps": 0}, "fps: expected a whole number of at least 1, got 0"),
        ({"fps": 61}, "fps: expected at most 60, got 61"),
        ({"size": 62}, "size: expected a whole number of at least 64, got 62"),
        ({"size": 4096}, "size: expected at most 2048, got 4096"),
        ({"size": 225}, "size: expected an even number of pixels, got 225"),
    ],
)
def test_impossible_renderings(changes: dict[str, int], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Rendering(**changes)


def test_segments_are_whole_seconds() -> None:
    for seconds in (10, 20, 60):
        Rendering(seconds=seconds).check(World())
    with pytest.raises(ConfigError, match="seconds: expected a multiple of the world's 10 segments, got 15"):
        Rendering(seconds=15).check(World())
    Rendering(seconds=15).check(World(segments=5))


def test_cells_are_large_enough_to_draw_in() -> None:
    Rendering(size=64).check(World(columns=16))
    with pytest.raises(ConfigError, match="size: expected 4 pixels for each of the world's 17 cells, got 64"):
        Rendering(size=64).check(World(columns=17))


def test_to_dict() -> None:
    assert Rendering().to_dict() == {"seconds": 10, "fps": 8, "size": 224}
    assert Rendering(**Rendering(fps=3).to_dict()) == Rendering(fps=3)
