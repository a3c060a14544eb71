"""The features show what the truth says, where and when it says so."""

import json
from pathlib import Path

import numpy as np
import pytest

from avground.data import pocket
from avground.data.pocket.features import Codes, audio_rows, visual_map
from avground.data.pocket.scene import make_scene
from avground.data.pocket.templates import INSTRUMENTS
from avground.data.pocket.world import PRESETS
from avground.errors import DataError

CLEAN = PRESETS["tiny"].replace(
    channels=128,
    occluded=0.0,
    burst=0.0,
    noise=0.3,
    audio_noise=0.3,
    clutter=0.1,
    voice=0.0,
    context_left=0.0,
    context_right=0.0,
)


def test_an_instrument_is_seen_at_its_cells_and_nowhere_else(tmp_path: Path) -> None:
    folder = pocket.generate(tmp_path / "world", CLEAN.replace(train=15, val=1, test=1), progress=False)
    codes = Codes.draw(CLEAN, 0)
    truth = pocket.read_truth(folder)
    for video, ones in truth.videos.items():
        clip = np.load(folder / "feats/res18_14x14" / f"{video}.npy").mean(0)
        for type_ in INSTRUMENTS[: CLEAN.types]:
            score = np.einsum("c,chw->hw", codes.look[INSTRUMENTS.index(type_)], clip) / CLEAN.channels
            cells = {cell for one in ones if one.type == type_ for cell in one.cells}
            there = {(row, column) for row, column in np.argwhere(score > 0.5).tolist()}
            assert there == cells


def test_an_instrument_looks_played_at_its_cells_when_it_is() -> None:
    codes = Codes.draw(CLEAN, 0)
    for index in range(15):
        scene = make_scene(CLEAN, 0, "train", index)
        clip = visual_map(scene, CLEAN, 0, codes)
        score = np.einsum("c,tchw->thw", codes.played, clip) / CLEAN.channels
        for one in scene.stage:
            rows, columns = np.array(one.cells).T
            at = score[:, rows, columns].mean(-1)
            if any(one.played) and not all(one.played):
                assert at[np.array(one.played)].min() - at[~np.array(one.played)].max() > 0.5


def test_what_sounds_is_heard_when_it_sounds() -> None:
    world = CLEAN.replace(audio_channels=4096)
    codes = Codes.draw(world, 0)
    for index in range(15):
        scene = make_scene(world, 0, "train", index)
        score = audio_rows(scene, world, 0, codes) @ codes.sound.T / world.audio_channels
        for number, type_ in enumerate(INSTRUMENTS[: world.types]):
            sounding = np.zeros(world.segments, dtype=bool)
            for one in scene.instruments:
                sounding |= (one.type == type_) & np.array(one.sounding)
            assert np.array_equal(score[::6, number] > 0.3, sounding)


def test_corruption_hides_a_segment() -> None:
    world = CLEAN.replace(occluded=1.0, burst=1.0)
    codes = Codes.draw(world, 0)
    scene = make_scene(world, 0, "train", 0)
    assert np.abs(np.einsum("kc,tchw->ktc", codes.look, visual_map(scene, world, 0, codes)) / 49).max() < 2
    assert np.abs(audio_rows(scene, world, 0, codes).mean(-1)).max() < 1
    for one in scene.stage:
        code = codes.look[INSTRUMENTS.index(one.type)]
        rows, columns = np.array(one.cells).T
        seen = visual_map(scene, world, 0, codes)[:, :, rows, columns].mean((0, 2))
        assert abs(float(code @ seen)) / world.channels < 0.2


def test_corruption_leaves_the_other_segments_as_they_are() -> None:
    world = CLEAN.replace(occluded=0.4, burst=0.4)
    codes = Codes.draw(world, 0)
    scene, clean = make_scene(world, 0, "train", 0), make_scene(CLEAN, 0, "train", 0)
    assert scene.instruments == clean.instruments
    same = visual_map(scene, world, 0, codes) == visual_map(clean, CLEAN, 0, codes)
    assert np.array_equal(same.all((1, 2, 3)), ~np.array(scene.occluded))
    same = audio_rows(scene, world, 0, codes) == audio_rows(clean, CLEAN, 0, codes)
    assert np.array_equal(same.all(-1)[::6], ~np.array(scene.burst))


def test_codes_do_not_depend_on_the_other_knobs() -> None:
    many = Codes.draw(CLEAN.replace(types=22, noise=3.0), 0)
    few = Codes.draw(CLEAN, 0)
    assert np.array_equal(many.look[: CLEAN.types], few.look)
    assert np.array_equal(many.sound[: CLEAN.types], few.sound)
    assert not np.array_equal(Codes.draw(CLEAN, 1).look, few.look)


def test_truth_round_trip(tiny: Path) -> None:
    truth = pocket.read_truth(tiny)
    assert (truth.rows, truth.columns) == (7, 7)
    assert json.loads((tiny / "truth.json").read_text(encoding="utf-8")) == json.loads(json.dumps(truth.to_dict()))


@pytest.mark.parametrize("content", [None, "{", "[]", '{"rows": 7}', '{"rows": 7, "columns": 7, "videos": {"a": 1}}'])
def test_unreadable_truth(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "truth.json").write_text(content)
    with pytest.raises(DataError, match=r"truth.json: expected the truth of a Pocket folder"):
        pocket.read_truth(tmp_path)
