"""The frames show what the truth says, where and when it says so, and each knob changes only what it is about."""

import dataclasses

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("PIL")

from avground.data.pocket import Rendering, World
from avground.data.pocket.pixels.draw import Frame, field, frames, free_cell
from avground.data.pocket.scene import Scene, make_scene

CLEAN = World(most=2, occluded=0.0, burst=0.0, noise=0.0, voice=0.0)
SHORT = Rendering(fps=4)
CELL = 32


def film(world: World, index: int = 0, rendering: Rendering = SHORT) -> tuple[Scene, NDArray[np.int64]]:
    """A scene and its frames, (segments, frames of a segment, size, size, 3)."""
    scene = make_scene(world, 0, "train", index)
    found: list[Frame] = list(frames(scene, world, 0, rendering))
    assert {frame.dtype for frame in found} == {np.dtype(np.uint8)}
    pictures = np.stack(found).astype(np.int64)
    assert pictures.shape == (rendering.seconds * rendering.fps, rendering.size, rendering.size, 3)
    return scene, pictures.reshape(world.segments, -1, *pictures.shape[1:])


def mask(cells: tuple[tuple[int, int], ...]) -> NDArray[np.bool_]:
    found = np.zeros((224, 224), dtype=bool)
    for row, column in cells:
        found[row * CELL : (row + 1) * CELL, column * CELL : (column + 1) * CELL] = True
    return found


def changed(one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.bool_]:
    flags: NDArray[np.bool_] = (one != other).any(-1)
    return flags


def test_same_arguments_same_frames_whatever_other_scenes_there_are() -> None:
    world = World(most=2)
    for index in range(2):
        first = film(world, index)[1]
        film(world, 7)
        assert np.array_equal(first, film(world.replace(train=9, test=1), index)[1])
    assert not np.array_equal(first, film(world, 0)[1])


def test_what_is_played_moves_within_its_cells_and_nothing_else_does() -> None:
    moved = 0
    for index in range(6):
        scene, pictures = film(CLEAN, index)
        for t in range(CLEAN.segments):
            motion = np.stack([changed(pictures[t, 0], picture) for picture in pictures[t, 1:]]).any(0)
            played = np.zeros((224, 224), dtype=bool)
            for one in scene.stage:
                if one.played[t]:
                    assert motion[mask(one.cells)].mean() > 0.01
                    moved += 1
                    played |= mask(one.cells)
            assert not motion[~played].any()
    assert moved


def test_the_pose_tells_in_any_frame_of_a_segment() -> None:
    told = 0
    for index in range(6):
        scene, pictures = film(CLEAN, index)
        for one in scene.stage:
            if any(one.played) and not all(one.played):
                there = mask(one.cells)
                still, alive = pictures[one.played.index(False)], pictures[one.played.index(True)]
                for frame in alive:
                    assert changed(still[0], frame)[there].mean() > 0.1
                told += 1
    assert told


def test_the_stage_is_seen_at_its_cells_only() -> None:
    scene, pictures = film(CLEAN)
    empty = Scene(scene.split, scene.index, (), scene.outdoor, scene.voice, (), scene.occluded, scene.burst)
    ground = next(frames(empty, CLEAN, 0, SHORT)).astype(np.int64)
    there = mask(tuple(cell for one in scene.stage for cell in one.cells))
    seen = changed(pictures[0, 0], ground)
    assert not seen[~there].any()
    for one in scene.stage:
        assert seen[mask(one.cells)].mean() > 0.05


def test_occluded_segments_show_nothing_and_leave_the_others_as_they_are() -> None:
    world = CLEAN.replace(occluded=0.4, noise=0.5)
    scene, pictures = film(world)
    clean = film(world.replace(occluded=0.0))[1]
    assert any(scene.occluded)
    same = (pictures == clean).all((1, 2, 3, 4))
    assert same.tolist() == [not covered for covered in scene.occluded]
    covers = pictures[np.array(scene.occluded)].mean(1)
    assert all(np.abs(np.corrcoef(cover.ravel(), clean.mean((0, 1)).ravel())[0, 1]) < 0.25 for cover in covers)
    assert np.abs(covers[0] - covers[1]).mean() > 20


@pytest.mark.parametrize("noise", [0.25, 0.5])
def test_noise(noise: float) -> None:
    grain = film(CLEAN.replace(noise=noise))[1] - film(CLEAN)[1]
    clear = grain[:, :, 150:, 100:]  # Nothing there is so bright or dark that noise would be cut off.
    assert abs(float(clear.std()) - 12 * noise) < 0.15 * 12 * noise
    assert abs(float(clear.mean())) < 0.2
    assert np.abs(np.corrcoef(grain[0, 0].ravel(), grain[0, 1].ravel())[0, 1]) < 0.1


def test_variety_is_about_the_instruments() -> None:
    scene, plain = film(CLEAN.replace(variety=0.0))
    varied = film(CLEAN.replace(variety=0.5))[1]
    there = mask(tuple(cell for one in scene.stage for cell in one.cells))
    different = changed(plain[:, 0], varied[:, 0]).any(0)
    assert not different[~there].any()
    assert different[there].mean() > 0.1


def test_background_and_clutter_are_about_the_surroundings() -> None:
    scene, plain = film(CLEAN.replace(clutter=0.0, background=0.0))
    there = mask(tuple(cell for one in scene.stage for cell in one.cells))
    cluttered = changed(plain[0, 0], film(CLEAN.replace(clutter=1.0, background=0.0))[1][0, 0])
    assert 0.02 < cluttered[~there].mean() < 0.6
    tinted = changed(plain[0, 0], film(CLEAN.replace(clutter=0.0, background=1.0))[1][0, 0])
    assert tinted[~there].mean() > 0.8


def test_indoor_and_outdoor() -> None:
    means: dict[bool, list[NDArray[np.float64]]] = {False: [], True: []}
    for index in range(20):
        scene = make_scene(CLEAN, 0, "train", index)
        frame = next(frames(scene, CLEAN, 0, SHORT)).astype(np.float64)
        means[scene.outdoor].append(frame[200:].mean((0, 1)))
    # Grass is green, a floor is brown.
    assert all(green > red for red, green, _ in means[True])
    assert all(red > green for red, green, _ in means[False])


def test_a_singer_opens_the_mouth_while_there_is_a_voice() -> None:
    world, seen = CLEAN.replace(voice=1.0), 0
    for index in range(12):
        scene = make_scene(world, 0, "train", index)
        if scene.singer and any(scene.voice) and not all(scene.voice):
            _, pictures = film(world, index)
            row, column = free_cell(scene.singer[0], scene, world)
            assert (row, column) not in {cell for one in scene.stage for cell in one.cells}
            mouth = pictures[:, :, row * CELL + 17 : row * CELL + 23, column * CELL + 13 : column * CELL + 20]
            open_, closed = mouth[np.array(scene.voice)], mouth[~np.array(scene.voice)]
            assert np.abs(open_ - open_[0, 0]).max() == 0
            assert np.abs(closed - closed[0, 0]).max() == 0
            assert np.abs(open_[0, 0] - closed[0, 0]).mean() > 20
            seen += 1
    assert seen


def test_a_singer_stays_where_there_is_room_and_else_next_to_it() -> None:
    scene = next(scene for n in range(99) if (scene := make_scene(CLEAN.replace(voice=1.0), 0, "train", n)).singer)
    cells = scene.stage[0].cells
    assert free_cell((0, 0), dataclasses.replace(scene, instruments=()), CLEAN) == (0, 0)
    moved = free_cell(cells[0], scene, CLEAN)
    assert moved not in {cell for one in scene.stage for cell in one.cells}
    assert abs(moved[0] - cells[0][0]) + abs(moved[1] - cells[0][1]) <= 3


def test_fields_follow_the_map() -> None:
    coarse, fine = CLEAN, CLEAN.replace(rows=14, columns=14)
    assert field(((2, 3), (2, 4), (3, 3), (3, 4)), coarse, 224) == (96, 64, 160, 128)
    assert field(((2, 3), (2, 4), (3, 3), (3, 4)), fine, 224) == (48, 32, 80, 64)
    assert field(((0, 0),), coarse, 112) == (0, 0, 16, 16)
    scene, pictures = film(fine, 0, Rendering(fps=1, size=448))
    assert pictures.shape[-2] == 448
    left, top, right, bottom = field(scene.stage[0].cells, fine, 448)
    assert (right - left, bottom - top) == (128, 192)


def test_longer_videos_hold_the_same_segments() -> None:
    scene, pictures = film(CLEAN, 1, Rendering(seconds=20, fps=2))
    assert pictures.shape[1] == 4
    assert np.array_equal(pictures[:, 0, 0, 0], film(CLEAN, 1)[1][:, 0, 0, 0])
    for one in scene.stage:
        there = mask(one.cells)
        moving = changed(pictures[:, 0], pictures[:, 1])[:, there].any(-1)
        assert moving.tolist() == list(one.played)


@pytest.mark.parametrize("amount", [0.0, 8.0])
def test_the_ends_of_the_knobs(amount: float) -> None:
    knobs = dict.fromkeys(("noise", "variety", "background", "clutter"), amount)
    world = World(types=22, most=4, fewest=4, rows=16, columns=6, voice=1.0).replace(**knobs)
    for index in range(3):
        film(world, index, Rendering(fps=1, size=64))
