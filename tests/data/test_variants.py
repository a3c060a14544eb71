from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avground.data import Record, read_annotations
from avground.data.pocket.templates import INSTRUMENTS
from avground.data.variants import (
    FileName,
    base_video,
    guess_variant,
    list_question_files,
    parse_file_name,
    question_files,
)
from avground.errors import DataError


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("avqa-train.json", ("avqa", "train", "")),
        ("avqa-val.json", ("avqa", "val", "")),
        ("music_avqa_val.json", ("music-avqa", "val", "")),
        ("bias_valid.json", ("bias", "val", "")),
        ("balance_train.json", ("balance", "train", "")),
        ("test_bias.json", ("bias", "test", "")),
        ("avqa-test-headtail.json", ("avqa", "test", "headtail")),
        ("avqa-test-head.json", ("avqa", "test", "head")),
        ("avqa-test-tail.json", ("avqa", "test", "tail")),
        ("TRAIN.JSON", ("", "train", "")),
        ("avqa-train.txt", None),
        ("split.json", None),
        ("train-test.json", None),
        ("latest.json", None),
        ("training.json", None),
    ],
)
def test_file_names(name, expected):
    assert parse_file_name(Path("somewhere/test") / name) == (None if expected is None else FileName(*expected))


def make(folder, *names):
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).write_text("[]")
    return folder


@pytest.mark.parametrize(
    ("names", "prefix", "expected"),
    [
        (("avqa-train.json", "avqa-val.json", "avqa-test.json"), None, ("avqa-train", "avqa-val", "avqa-test")),
        (("bias_train.json", "bias_valid.json", "bias_test.json"), None, ("bias_train", "bias_valid", "bias_test")),
        (("train_bias.json", "valid_bias.json", "test_bias.json"), "bias", ("train_bias", "valid_bias", "test_bias")),
        (
            [f"{name}_{split}.json" for name in ("bias", "balance") for split in ("train", "valid", "test")],
            "balance",
            ("balance_train", "balance_valid", "balance_test"),
        ),
        (
            (
                "avqa-train.json",
                "avqa-val.json",
                "avqa-test-head.json",
                "avqa-test-tail.json",
                "avqa-test-headtail.json",
            ),
            None,
            ("avqa-train", "avqa-val", "avqa-test-headtail"),
        ),
        (
            ("avqa-train.json", "avqa-val.json", "avqa-test.json", "avqa-test-headtail.json", "bias_train.json"),
            None,
            ("avqa-train", "avqa-val", "avqa-test"),
        ),
    ],
)
def test_question_files(tmp_path, names, prefix, expected):
    folder = make(tmp_path / "json", *names)
    found = question_files(folder, prefix=prefix)
    assert found == {
        split: folder / f"{name}.json" for split, name in zip(("train", "val", "test"), expected, strict=True)
    }


@pytest.mark.parametrize(
    ("names", "prefix", "message"),
    [
        ((), None, "expected avqa-.* or .*, got no question file"),
        (("avqa-train.json", "notes.json"), None, r"expected avqa-.*, got avqa-train\.json$"),
        (("bias_train.json",), "balance", r"prefix 'balance', got bias_train\.json$"),
        (("avqa-train.json", "avqa-val.json", "avqa-valid.json", "avqa-test.json"), None, "got .*avqa-valid"),
        (
            [f"{name}_{split}.json" for name in ("bias", "balance") for split in ("train", "valid", "test")],
            None,
            "expected one data set, or a prefix among 'balance', 'bias', got balance_train",
        ),
    ],
)
def test_question_files_that_cannot_be_told(tmp_path, names, prefix, message):
    folder = make(tmp_path / "json", *names)
    with pytest.raises(DataError, match=message) as error:
        question_files(folder, prefix=prefix)
    assert str(error.value).startswith(f"{folder}: ")


def test_listing_is_ordered_and_of_files_only(tmp_path):
    folder = make(tmp_path / "json", "bias_test.json", "avqa-test.json", "avqa-train.json", "avqa-val.json", "x.json")
    (folder / "balance_train.json").mkdir()
    names = [path.name for path in list_question_files(folder)]
    assert names == ["avqa-train.json", "avqa-val.json", "avqa-test.json", "bias_test.json"]
    with pytest.raises(DataError, match=r"x\.json: expected a folder of question files, got a file"):
        list_question_files(folder / "x.json")
    with pytest.raises(DataError, match="nowhere: expected a folder of question files, got none"):
        list_question_files(folder / "nowhere")


@pytest.mark.parametrize(
    ("video_id", "expected"),
    [
        ("00000722", "00000722"),
        ("eva00000722", "00000722"),
        ("sa00008371", "00008371"),
        ("vv00000396", "00000396"),
        ("00000722_flip", "00000722"),
        ("yU5kq-_ZI1w", "yU5kq-_ZI1w"),
        ("yU5kq-_ZI1w_flip", "yU5kq-_ZI1w"),
        ("6cjIJVzP6eI_#02", "6cjIJVzP6eI"),
        ("6cjIJVzP6eI_#02_flip", "6cjIJVzP6eI"),
        ("6cjIJVzP6eI_flip_#02", "6cjIJVzP6eI"),
        ("_flip", "_flip"),
        ("scene-12", "scene-12"),
        ("abc1234567", "abc1234567"),
    ],
)
def test_base_video(video_id, expected):
    assert base_video(video_id) == expected


@given(st.text(min_size=1, max_size=14))
def test_base_video_of_any_name_is_a_name(video_id):
    base = base_video(video_id)
    assert base
    assert base in video_id
    assert base_video(base_video(f"{video_id}_flip")) == base_video(base)


def test_synthetic_copies_show_what_their_number_names(val_json, second_version_json):
    """Where a numbered video and one with letters before that number are asked about, they show the same instruments.

    Two videos taken at random share one in less than a quarter of the cases.
    """
    heard: dict[str, set[str]] = {}
    for record in (*read_annotations(val_json), *read_annotations(second_version_json)):
        named = {record.answer} if record.answer in ("no", "zero") else {record.answer, *record.words}
        if record.matched and (found := named & set(INSTRUMENTS)):
            heard.setdefault(record.video_id, set()).update(found)
    pairs = [
        bool(found & heard[base_video(video_id)])
        for video_id, found in heard.items()
        if base_video(video_id) != video_id and base_video(video_id) in heard
    ]
    assert len(pairs) > 10
    assert sum(pairs) / len(pairs) > 0.6


def test_guesses_on_published_files(val_json, second_version_json):
    assert guess_variant(val_json, read_annotations(val_json)) == "MUSIC-AVQA (json_update)"
    assert guess_variant("questions.json", read_annotations(val_json)) == "MUSIC-AVQA (json_update)"
    assert guess_variant(second_version_json, read_annotations(second_version_json)) == "MUSIC-AVQA v2 (bias)"


@pytest.mark.parametrize(
    ("name", "count", "changes", "expected"),
    [
        ("avqa-test.json", 9129, {}, "MUSIC-AVQA (json_update)"),
        ("avqa-test.json", 9185, {}, "MUSIC-AVQA (json)"),
        ("avqa-train.json", 9185, {}, "MUSIC-AVQA, of a size that was not published"),
        ("avqa-test.json", 211_572, {}, "MUSIC-AVQA-R"),
        ("avqa-test-tail.json", 3, {}, "MUSIC-AVQA-R"),
        ("test.json", 3, {"frequency": "tail"}, "FortisAVQA"),
        ("balance_test.json", 3, {"audio_id": "00000002"}, "MUSIC-AVQA v2 (balance)"),
        ("test.json", 3, {"video_id": "yU5kq-_ZI1w"}, "MUSIC-AVQA v2"),
    ],
)
def test_guesses(name, count, changes, expected):
    fields = {"video_id": "00000001", "question_id": 1, "type": ("Audio", "Counting"), "template": "How many?"}
    records = [Record(**(fields | changes), words=("How", "many"), answer="two")] * count
    assert guess_variant(name, records) == expected
