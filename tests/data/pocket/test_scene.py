"""Scenes: pure functions of their number, and what holds in each."""

import itertools

import pytest

from avground.data.pocket.scene import Scene, make_scene
from avground.data.pocket.streams import Stream
from avground.data.pocket.world import PLACES, PRESETS

WORLDS = ("core", "target", "sync", "full")


def scenes(name: str, count: int = 150) -> list[Scene]:
    return [make_scene(PRESETS[name], 0, "train", index) for index in range(count)]


def test_pure() -> None:
    world = PRESETS["core"]
    assert make_scene(world, 0, "train", 5) == make_scene(world.replace(train=9), 0, "train", 5)
    others = [make_scene(world, 1, "train", 5), make_scene(world, 0, "test", 5), make_scene(world, 0, "train", 6)]
    assert make_scene(world, 0, "train", 5).instruments not in [other.instruments for other in others]


@pytest.mark.parametrize("name", WORLDS)
def test_every_scene(name: str) -> None:
    world = PRESETS[name]
    for scene in scenes(name):
        assert world.fewest <= len(scene.stage) <= world.most
        assert scene.heard
        places = [one.place for one in scene.stage]
        assert places == sorted(places, key=lambda place: PLACES.index(str(place)))
        cells = [cell for one in scene.stage for cell in one.cells]
        assert len(cells) == len(set(cells))
        assert all(0 <= row < world.rows and 0 <= column < world.columns for row, column in cells)
        for one in scene.instruments:
            stretches = [now for now, _ in itertools.groupby(one.sounding)]
            assert stretches.count(True) <= 1
            assert sum(one.sounding) != 1
            assert not (one.on_stage and one.heard) or one.played == one.sounding
            assert one.on_stage or (one.heard and not one.cells and not any(one.played))
            thirds = {"left": (0, world.columns // 3), "right": (world.columns - world.columns // 3, world.columns)}
            low, high = thirds.get(str(one.place), (world.columns // 3, world.columns - world.columns // 3))
            assert all(low <= column < high for _, column in one.cells)


def test_knobs_have_the_effect_that_they_name() -> None:
    world = PRESETS["core"].replace(silent=0.0, off_stage=0.0, voice=0.0, two_of_a_type=0.0, occluded=1.0, burst=0.0)
    for index in range(40):
        scene = make_scene(world, 0, "train", index)
        assert scene.heard == scene.stage == scene.instruments
        assert not any(scene.voice)
        assert not scene.singer
        assert len({one.type for one in scene.stage}) == len(scene.stage)
        assert all(scene.occluded)
        assert not any(scene.burst)
    shifted = make_scene(world.replace(desynchronised=1.0), 0, "train", 0)
    plain = make_scene(world, 0, "train", 0)
    assert [one.sounding for one in shifted.stage] == [one.sounding for one in plain.stage]
    assert any(
        one.played != one.sounding
        for i in range(9)
        for one in make_scene(world.replace(desynchronised=1.0), 0, "train", i).stage
    )


def test_streams() -> None:
    stream = Stream(0, "x")
    assert [Stream(0, "x").below(1000) for _ in range(3)] == [stream.below(1000)] * 3
    assert Stream(0, "x").below(10**9) != Stream(0, "y").below(10**9)
    noise = Stream("noise").noise(100, 1000)
    assert abs(float(noise.mean())) < 0.01
    assert abs(float(noise.std()) - 1) < 0.01
    signs = Stream("signs").signs(100, 100)
    assert set(signs.flatten().tolist()) == {-1.0, 1.0}
    assert abs(float(signs.mean())) < 0.05
    assert sorted(stream.shuffled(range(9))) == list(range(9))
    drawn = [stream.weighted((1.0, 0.0, 3.0)) for _ in range(400)]
    assert drawn.count(1) == 0
    assert 50 < drawn.count(0) < 150
