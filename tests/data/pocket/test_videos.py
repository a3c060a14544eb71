"""The folder with videos: the truth of the features, and the same whatever the number of workers."""

import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("PIL")
pytest.importorskip("av")

from avground.data import pocket
from avground.data.pocket.build import VIDEO_FOLDER
from avground.data.pocket.pixels.film import film
from avground.data.pocket.scene import Scene, make_scene
from avground.errors import ConfigError, DataError

WORLD = pocket.PRESETS["pixels_tiny"].replace(train=8, val=2, test=2, segments=5)
FAST = pocket.Rendering(seconds=5, fps=1, size=64)
Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def made(name: str = "videos", world: pocket.World = WORLD, *, seed: int = 5, **options: object) -> Path:
        options = {"rendering": FAST, **options}
        return pocket.generate(tmp_path / name, world, seed=seed, progress=False, **options)  # type: ignore[arg-type]

    return made


def test_truth_and_questions_are_those_of_the_features(make: Make) -> None:
    videos, features = make(), make("features", rendering=None)
    for name in ("truth.json", *(f"json/avqa-{split}.json" for split in ("train", "val", "test"))):
        assert (videos / name).read_bytes() == (features / name).read_bytes()
    ids = set(pocket.read_truth(videos).videos)
    assert {path.name for path in (videos / VIDEO_FOLDER).iterdir()} == {f"{video}.mp4" for video in ids}
    assert {path.name for path in videos.iterdir()} == {"json", "pocket.json", "truth.json", VIDEO_FOLDER}


def test_the_same_whatever_the_number_of_workers(make: Make) -> None:
    records = [pocket.read_record(make(str(workers), workers=workers)) for workers in (1, 3)]
    assert records[0] == records[1]
    assert records[0] != pocket.read_record(make("other", seed=6))


def test_the_same_file_every_time(tmp_path: Path) -> None:
    """As large as usual: some builds of x264 have made another file of these pictures each time."""
    world, rendering = pocket.PRESETS["pixels"], pocket.Rendering(seconds=10, fps=2)
    for number in range(4):
        film(tmp_path / f"{number}.mp4", make_scene(world, 0, "train", 0), world, 0, rendering)
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1


def test_record(make: Make, tmp_path: Path) -> None:
    record = pocket.read_record(make())
    assert record["rendering"] == {"version": 1, "seconds": 5, "fps": 1, "size": 64}
    pictures, sounds = hashlib.sha256(), hashlib.sha256()
    for index in range(WORLD.val):
        digests = film(tmp_path / "scene.mp4", make_scene(WORLD, 5, "val", index), WORLD, 5, FAST)
        pictures.update(digests[0])
        sounds.update(digests[1])
    assert record["sha256"]["videos frames val"] == pictures.hexdigest()
    assert record["sha256"]["videos sound val"] == sounds.hexdigest()
    assert "rendering" not in pocket.read_record(make("features", rendering=None))


def test_more_scenes_leave_the_first_ones_as_they_are(make: Make) -> None:
    few, many = (pocket.read_record(make(str(train), WORLD.replace(train=train))) for train in (10, 12))
    kept = [name for name in few["sha256"] if name.startswith("videos") and "train" not in name]
    assert len(kept) == 4
    assert all(few["sha256"][name] == many["sha256"][name] for name in kept)


def test_a_matching_folder_is_reused_even_without_the_packages(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make()
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    monkeypatch.delitem(sys.modules, "avground.data.pocket.pixels.film")
    monkeypatch.setitem(sys.modules, "av", None)
    assert make() == folder
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_another_folder_is_never_overwritten(make: Make) -> None:
    folder, _ = make(), make("features", rendering=None)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(DataError, match=r"rendering=\{.*'fps': 1.*\} there, \{.*'fps': 2.*\} asked for"):
        make(rendering=pocket.Rendering(seconds=5, fps=2, size=64))
    with pytest.raises(DataError, match=r"rendering=\{.*\} there, None asked for"):
        make(rendering=None)
    with pytest.raises(DataError, match=r"rendering=None there, \{.*\} asked for"):
        make("features")
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("package", ["av", "PIL"])
def test_without_the_packages(make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, package: str) -> None:
    for name in [name for name in sys.modules if name.startswith(("avground.data.pocket.pixels.", f"{package}."))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ConfigError, match=r'rendering: expected Pillow and PyAV .*pip install "avground\[media\]"'):
        make()
    assert list(tmp_path.iterdir()) == []
    make("features", rendering=None)


@pytest.mark.parametrize("workers", [1, 2])
def test_nothing_is_left_of_videos_that_fail(
    make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, workers: int
) -> None:
    done = []

    def fails(path: Path, scene: Scene, **options: object) -> tuple[bytes, bytes]:
        if scene.index == 3:
            raise KeyboardInterrupt
        done.append(scene.index)
        path.write_bytes(b"half a video")
        return b"", b""

    monkeypatch.setattr("avground.data.pocket.pixels.film.film", fails)
    with pytest.raises(KeyboardInterrupt):
        make(workers=workers)
    assert done
    assert list(tmp_path.iterdir()) == []


def test_impossible_settings(make: Make, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="seconds: expected a multiple of the world's 5 segments, got 12"):
        make(rendering=pocket.Rendering(seconds=12))
    with pytest.raises(ConfigError, match="workers: expected a whole number of at least 1, got 0"):
        make(workers=0)
    assert list(tmp_path.iterdir()) == []


def test_default_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AVGROUND_CACHE", str(tmp_path))
    assert pocket.default_directory("core", seed=2, rendering=pocket.Rendering()).name == "pocket-core-pixels-2"
    other = pocket.default_directory("core", rendering=pocket.Rendering(seconds=60, fps=4))
    assert other.name == "pocket-core-pixels-60s-4fps-224-0"


def test_progress(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tqdm")
    pocket.generate(tmp_path / "quiet", WORLD, rendering=FAST)
    assert capsys.readouterr().err == ""  # no terminal, no bar
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    pocket.generate(tmp_path / "videos", WORLD, rendering=FAST)
    assert "12/12" in capsys.readouterr().err


def test_pixels_preset_needs_both_senses(make: Make) -> None:
    """The preset holds what keeps one sense from being enough: silent ones that look played, and unseen ones heard."""
    world = pocket.PRESETS["pixels"]
    scenes = [make_scene(world, 0, "train", index) for index in range(100)]
    assert {len(scene.stage) for scene in scenes} == {1, 2}
    assert (world.types, world.rows, world.columns, world.segments) == (8, 7, 7, 10)
    assert sum(any(one.played) and not one.heard for scene in scenes for one in scene.stage) > 20
    assert sum(one.heard and not one.on_stage for scene in scenes for one in scene.instruments) > 20
    rows = json.loads((make() / "json" / "avqa-train.json").read_text(encoding="utf-8"))
    assert len({row["question_content"] for row in rows}) > 12
