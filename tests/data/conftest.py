import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of the test's own."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("AVGROUND_CACHE", str(folder))
    return folder


def _published(name: str) -> Path:
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"the published annotations are not at {path}")
    return path


@pytest.fixture
def val_json() -> Path:
    return _published("music_avqa/avqa-val.json")


@pytest.fixture
def vocabulary_json() -> dict[str, list[str]]:
    return json.loads(_published("music_avqa/vocabulary.json").read_text())


@pytest.fixture
def second_version_json() -> Path:
    return _published("music_avqa_v2/bias_valid.json")


@pytest.fixture
def row() -> Callable[..., dict[str, Any]]:
    """A row as published, with some keys changed; a key changed to ... is left out."""

    def make(**changes: Any) -> dict[str, Any]:
        published = {
            "video_id": "00000108",
            "question_id": 10,
            "type": '["Audio", "Comparative"]',
            "question_content": "Is the <Object> louder than the <Object>?",
            "templ_values": '["guzheng", "piano"]',
            "question_deleted": 0,
            "anser": "yes",
        }
        return {key: value for key, value in (published | changes).items() if value is not ...}

    return make


@pytest.fixture
def questions(tmp_path: Path) -> Callable[[Any], Path]:
    """Write a question file."""

    def write(rows: Any) -> Path:
        path = tmp_path / "avqa-train.json"
        path.write_text(json.dumps(rows), encoding="utf-8")
        return path

    return write


@pytest.fixture
def save(tmp_path: Path) -> Callable[..., np.ndarray]:
    """Write one feature file: ``save("vggish", "a", (60, 4))``; returns what was written."""

    def write(kind: str, video_id: str, shape: tuple[int, ...], dtype: str = "<f4", order: str = "C") -> np.ndarray:
        folder = tmp_path / "feats" / kind
        folder.mkdir(parents=True, exist_ok=True)
        generator = np.random.default_rng(list(f"{kind}/{video_id}".encode()))
        values = np.asarray(generator.standard_normal(shape), dtype=dtype, order=order)
        np.save(folder / f"{video_id}.npy", values)
        return values

    return write


@pytest.fixture
def feats(tmp_path: Path, save: Callable[..., np.ndarray]) -> Path:
    """Five small videos: two full, three short, stored in different types and orders."""
    for kind, item in (("vggish", (4,)), ("res18_14x14", (3, 2, 5))):
        save(kind, "a", (60, *item))
        save(kind, "b", (60, *item), order="F")
        save(kind, "c", (45, *item), dtype="<f2")
        save(kind, "d", (7, *item), dtype=">f8")
        save(kind, "e", (1, *item))
    return tmp_path / "feats"
