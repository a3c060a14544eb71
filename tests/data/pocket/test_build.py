"""The folder: same seed same bytes, the official layout, and nothing ever overwritten."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from avground.data import FeatureFolder, pocket
from avground.data.pocket.__main__ import main
from avground.data.pocket.build import AUDIO_FOLDER, RECORD_FILE, VISUAL_FOLDER
from avground.errors import ConfigError, DataError

SMALL = pocket.PRESETS["tiny"].replace(train=12, val=3, test=4, channels=8, audio_channels=8)


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def _rows(folder: Path, split: str) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = json.loads((folder / "json" / f"avqa-{split}.json").read_text(encoding="utf-8"))
    return rows


def test_same_seed_same_bytes(tmp_path: Path) -> None:
    first = pocket.generate(tmp_path / "first", SMALL, seed=1, progress=False)
    second = pocket.generate(tmp_path / "second", SMALL, seed=1, progress=False)
    assert _files(first) == _files(second)


def test_other_seed_other_world(tmp_path: Path) -> None:
    first = pocket.generate(tmp_path / "first", SMALL, seed=1, progress=False)
    second = pocket.generate(tmp_path / "second", SMALL, seed=2, progress=False)
    mine, theirs = _files(first), _files(second)
    assert mine.keys() == theirs.keys()
    assert all(mine[name] != theirs[name] for name in mine)


def test_bytes_do_not_depend_on_the_machine(tmp_path: Path) -> None:
    """Frozen: a change of these hashes changes everyone's world, and needs a new VERSION."""
    record = pocket.read_record(pocket.generate(tmp_path / "world", SMALL, seed=0, progress=False))
    digest = hashlib.sha256(json.dumps(record["sha256"], sort_keys=True).encode()).hexdigest()
    assert (record["version"], digest[:16]) == (1, "621c77b607a33045")


def test_more_scenes_leave_the_first_ones_as_they_are(tmp_path: Path) -> None:
    few = pocket.generate(tmp_path / "few", SMALL, progress=False)
    many = pocket.generate(tmp_path / "many", SMALL.replace(train=20, val=4, test=6), progress=False)
    mine, theirs = _files(few), _files(many)
    assert all(theirs[name] == mine[name] for name in mine if name.endswith(".npy"))
    rows = _rows(few, "train")
    assert _rows(many, "train")[: len(rows)] == rows


def test_splits_share_no_video_and_no_question(tiny: Path) -> None:
    rows = {split: _rows(tiny, split) for split in ("train", "val", "test")}
    for key, unique_in_split in (("video_id", False), ("question_id", True)):
        values = {split: [row[key] for row in rows[split]] for split in rows}
        together = set().union(*values.values())
        assert sum(len(set(of)) for of in values.values()) == len(together)
        assert not unique_in_split or sum(map(len, values.values())) == len(together)


def test_annotations_have_the_official_form(tiny: Path) -> None:
    texts = {(template.type_string, template.text) for template in pocket.TEMPLATES.values()}
    for row in _rows(tiny, "train"):
        assert list(row) == [
            "video_id",
            "question_id",
            "type",
            "question_content",
            "templ_values",
            "question_deleted",
            "anser",
        ]
        assert isinstance(row["video_id"], str)
        assert len(row["video_id"]) == 8
        assert isinstance(row["question_id"], int)
        assert (row["type"], row["question_content"]) in texts
        values = json.loads(str(row["templ_values"]))
        assert len(values) == str(row["question_content"]).count("<")
        assert isinstance(row["anser"], str)
        assert row["question_deleted"] == 0


def test_33_templates_as_published() -> None:
    texts = [template.text for template in pocket.TEMPLATES.values()]
    assert len(set(texts)) == 33
    assert [text for text in texts if text.endswith("？")] == ["How many sounding <Object> in the video？"]  # noqa: RUF001
    assert sum(text.endswith("? ") for text in texts) == 2


def test_features_of_every_video(tiny: Path) -> None:
    videos = pocket.read_truth(tiny).videos
    world = pocket.PRESETS["tiny"]
    assert len(videos) == world.train + world.val + world.test
    for folder, shape in ((AUDIO_FOLDER, (60, 128)), (VISUAL_FOLDER, (10, world.channels, 7, 7))):
        assert {path.stem for path in (tiny / folder).glob("*.npy")} == set(videos)
        for video in videos:
            array = np.load(tiny / folder / f"{video}.npy")
            assert array.shape == shape
            assert array.dtype == np.float32
            assert np.array_equal(array * 1024, np.rint(array * 1024))


def test_train_knows_every_word_and_answer(tiny: Path) -> None:
    by_text = {template.text: template for template in pocket.TEMPLATES.values()}

    def known(split: str) -> tuple[set[str], set[str]]:
        rows = _rows(tiny, split)
        words = {
            word
            for row in rows
            for word in by_text[str(row["question_content"])].words(tuple(json.loads(str(row["templ_values"]))))
        }
        return words, {str(row["anser"]) for row in rows}

    words, answers = known("train")
    for split in ("val", "test"):
        their_words, their_answers = known(split)
        assert their_words <= words
        assert their_answers <= answers


def test_a_matching_folder_is_reused(tmp_path: Path) -> None:
    folder = pocket.generate(tmp_path / "world", SMALL, progress=False)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    assert pocket.generate(folder, SMALL, progress=False) == folder
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_a_different_folder_is_never_overwritten(tmp_path: Path) -> None:
    folder = pocket.generate(tmp_path / "world", SMALL, progress=False)
    before = _files(folder)
    with pytest.raises(DataError, match=r"seed 7, got world 'custom' with seed 0.*seed=0 there, 7 asked for"):
        pocket.generate(folder, SMALL, seed=7, progress=False)
    with pytest.raises(DataError, match=r"noise=0\.5 there, 0\.9 asked for"):
        pocket.generate(folder, SMALL.replace(noise=0.9), progress=False)
    assert _files(folder) == before


def test_a_folder_of_something_else_is_never_touched(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(DataError, match=RECORD_FILE):
        pocket.generate(tmp_path, SMALL, progress=False)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_nothing_is_left_of_a_world_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("avground.data.pocket.build.visual_map", fails)
    with pytest.raises(KeyboardInterrupt):
        pocket.generate(tmp_path / "world", SMALL, progress=False)
    assert list(tmp_path.iterdir()) == []


def test_record_tells_how_it_was_made(tiny: Path) -> None:
    record = pocket.read_record(tiny)
    assert (record["world"], record["seed"], record["version"]) == ("tiny", 3, 1)
    assert pocket.World(**record["knobs"]) == pocket.PRESETS["tiny"]
    for name in ("json/avqa-test.json", "truth.json"):
        assert record["sha256"][name] == hashlib.sha256((tiny / name).read_bytes()).hexdigest()


def test_default_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("AVGROUND_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert pocket.default_directory("target", seed=2) == tmp_path / "avground" / "pocket-target-2"
    monkeypatch.setenv("AVGROUND_CACHE", str(tmp_path / "own"))
    assert pocket.default_directory() == tmp_path / "own" / "pocket-core-0"
    assert pocket.default_directory(pocket.PRESETS["sync"]).name == "pocket-sync-0"
    names = {pocket.default_directory(SMALL.replace(noise=noise)).name for noise in (0.1, 0.2)}
    assert len(names) == 2


def test_unknown_names_list_the_right_ones(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"world: expected one of core, target, .*got 'cor'"):
        pocket.generate(tmp_path / "world", "cor")


def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = [str(tmp_path / "world"), "--world", "tiny", "--quiet"]
    main([*command, "--train", "3", "--val", "1", "--test", "1", "--noise", "0.25", "--templates", "side_of", "always"])
    assert capsys.readouterr().out.strip() == str(tmp_path / "world")
    record = pocket.read_record(tmp_path / "world")
    assert record["knobs"]["noise"] == 0.25
    assert record["knobs"]["templates"] == ["side_of", "always"]
    with pytest.raises(SystemExit, match="2"):
        main([*command, "--world", "no"])
    assert "expected one of core" in capsys.readouterr().err


def test_the_manifests_tell_worlds_and_seeds_apart(tmp_path):
    worlds = {"one": (SMALL, 0), "again": (SMALL, 0), "other": (SMALL.replace(noise=0.6), 0), "seed": (SMALL, 1)}
    made = {}
    for name, (world, seed) in worlds.items():
        folder = pocket.generate(tmp_path / name, world, seed=seed, progress=False)
        made[name] = FeatureFolder(folder / "feats").kinds["visual"].manifest
    assert made["one"] == made["again"]
    assert (made["one"].shape, made["one"].rows) == ((8, 7, 7), 10)
    assert made["other"].differences(made["one"]).startswith("knobs ")
    assert made["seed"].differences(made["one"]) == "seed 1, not 0"
