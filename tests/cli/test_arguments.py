"""Arguments that cannot be meant: status 2 and the usage, or 1 and one line that says what is wrong."""

import json

import pytest

from avground.cli import main
from tests.fuzz.targets import make_features

ROW = {
    "video_id": "a",
    "question_id": 1,
    "type": '["Audio", "Counting"]',
    "question_content": "How many sounds?",
    "templ_values": "[]",
    "anser": "one",
}


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with a few files, good and bad."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AVGROUND_CACHE", str(tmp_path / "cache"))
    make_features(tmp_path / "feats")
    for name, change in (
        ("good", {}),
        ("id", {"video_id": "../../a"}),
        ("escape", {"anser": "\x1b[2J"}),
        ("half", {"anser": "\ud800"}),
    ):
        (tmp_path / f"{name}-train.json").write_text(json.dumps([{**ROW, **change}]))
    (tmp_path / "deep.json").write_text("[" * 10**6)
    (tmp_path / "cut.pt").write_bytes(b"PK\x03\x04")
    (tmp_path / "text.mp4").write_text("no video")
    (tmp_path / "empty").mkdir()
    (tmp_path / "world").mkdir()
    (tmp_path / "world" / "pocket.json").write_text("[{}]")
    return tmp_path


def call(words, capsys):
    """The exit status, and what was said."""
    try:
        status = main(words)
    except SystemExit as stop:
        status = stop.code
    out, err = capsys.readouterr()
    assert "Traceback" not in err
    err.encode()
    return status, out, err


LONG, MANY, DIGITS = "x" * 300, "9" * 30, "9" * 5000
PACK = ["pack", "feats", "--output", "s.safetensors"]
TRAIN = ["train", "--data", "nowhere"]
ANSWER = ["answer", "text.mp4", "Is it?", "--checkpoint"]


@pytest.mark.parametrize(
    "words",
    [
        ["verify", "nowhere"],
        ["verify", ""],
        ["verify", "/dev/null"],
        ["verify", "empty"],
        ["verify", LONG],
        ["verify", "a\0b"],
        ["verify", "cut.pt"],
        ["pack", "nowhere", "--output", "s.safetensors"],
        ["pack", "feats", "--output", "s"],
        ["pack", "feats", "--output", ".safetensors"],
        ["pack", "feats", "--output", f"{LONG}.safetensors"],
        ["pack", "feats", "--output", "feats/vggish/a.npy/s.safetensors"],
        [*PACK, "--segments", "0"],
        [*PACK, "--segments", "-1"],
        [*PACK, "--segments", "7"],
        [*PACK, "--segments", MANY],
        [*PACK, "--every", "0"],
        [*PACK, "--every", MANY],
        [*PACK, "--audio-features", "../.."],
        [*PACK, "--audio-features", "nowhere"],
        ["inspect", "nowhere"],
        ["inspect", "deep.json"],
        ["inspect", "id-train.json"],
        ["inspect", "escape-train.json"],
        ["inspect", "half-train.json"],
        ["inspect", "feats"],
        ["split", "good-train.json", "--output", "out"],
        ["split", "good-train.json", "good-train.json", "--output", "out"],
        ["split", *["deep.json"] * 3, "--output", "out"],
        ["pocket", "world", "--world", "tiny"],
        ["pocket", "world", "--world", "nonsense"],
        ["pocket", "good-train.json", "--world", "tiny"],
        TRAIN,
        [*TRAIN, "--epochs", "0"],
        [*TRAIN, "--epochs", MANY],
        [*TRAIN, "--batch-size", "-64"],
        [*TRAIN, "--learning-rate", "nan"],
        [*TRAIN, "--learning-rate", "inf"],
        [*TRAIN, "--learning-rate", "-1"],
        [*TRAIN, "--synchrony", "nan"],
        [*TRAIN, "--matching", "-1"],
        [*TRAIN, "--seed", "-1"],
        [*TRAIN, "--seed", MANY],
        [*TRAIN, "--segments", "0"],
        [*TRAIN, "--devices", "0"],
        [*TRAIN, "--workers", "-1"],
        [*TRAIN, "--dim", "0"],
        ["train", "--data", LONG],
        [*ANSWER, "cut.pt"],
        [*ANSWER, "text.mp4"],
        [*ANSWER, "empty"],
        ["extract", "nowhere", "--output", "out"],
        ["extract", "empty", "--output", "out"],
        ["extract", "text.mp4", "--output", "out", "--seconds", "0"],
        ["extract", "text.mp4", "--output", "out", "--seconds", MANY],
        ["extract", "text.mp4", "--output", "out", "--workers", "0"],
        ["extract", "text.mp4", "--output", "out", "--devices", "0"],
        ["extract", "text.mp4", "--output", "out", "--visual-weights", "/dev/zero", "--audio", "logmel"],
        ["extract", "text.mp4", "--output", "out", "--weights", "nowhere"],
        ["extract", "text.mp4", "--output", "out", "--visual-weights", "cut.pt", "--audio", "logmel"],
    ],
)
def test_one_line_says_what_is_wrong(place, capsys, words):
    before = sorted(path.name for path in place.iterdir())
    status, _, err = call(words, capsys)
    assert status == 1
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert len(err) < 2000
    assert {path.name for path in place.iterdir()} - {*before, "out", "cache"} == set()


@pytest.mark.parametrize(
    "words",
    [
        [],
        [""],
        ["--nonsense"],
        ["nonsense"],
        ["verify"],
        ["verify", "feats", "more"],
        ["verify", "--", "feats", "more"],
        ["pack", "feats"],
        [*PACK, "--segments", "ten"],
        [*PACK, "--segments", "1.5"],
        [*PACK, "--segments", "1e1"],
        [*PACK, "--segments", DIGITS],
        [*PACK, "--segments", ""],
        [*PACK, "--segments"],
        [*PACK, "--segments", "5", "--every", "6"],
        [*PACK, "--dtype", "int8"],
        [*PACK, "--seg", "5"],
        ["pocket", "--seed", "x"],
        [*TRAIN, "--model", "nonsense"],
        [*TRAIN, "--ablation", "nonsense"],
        [*TRAIN, "--learning-rate", "fast"],
        [*TRAIN, "--world", "core"],
        [*ANSWER[:-1]],
        [*ANSWER, "cut.pt", "--start", "now"],
        ["extract", "--output", "out"],
        ["extract", "text.mp4"],
        ["extract", "text.mp4", "--output", "out", "--audio", "nonsense"],
    ],
)
def test_the_usage_is_shown(place, capsys, words):
    status, _, err = call(words, capsys)
    assert status == 2
    assert "usage: avground" in err
    assert "error: " in err
    assert not (place / "out").exists()
