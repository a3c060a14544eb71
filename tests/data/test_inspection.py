import hashlib
import json

import pytest

from avground.data import read_annotations
from avground.data.inspection import QuestionFile, inspect_files
from avground.errors import ConfigError, DataError


@pytest.fixture
def files(tmp_path, row):
    """Write files by name; returns them as read."""

    def write(**rows):
        for name, held in rows.items():
            (tmp_path / f"avqa-{name}.json").write_text(json.dumps([row(**changes) for changes in held]))
        return [QuestionFile.read(tmp_path / f"avqa-{name}.json") for name in rows]

    return write


def test_one_file(files):
    (file,) = files(
        train=[
            {},
            {"question_id": None, "anser": "no"},
            {"question_id": ..., "video_id": "va00000108", "question_deleted": 1},
            {"video_id": "00000003", "unmatch_audio": "00000004", "type": '["Visual", "Counting"]'},
            {},
        ]
    )
    (found,) = inspect_files([file])["files"]
    assert found["file"] == str(file.path)
    assert (found["split"], found["variant"]) == ("train", "MUSIC-AVQA v2")
    assert found["sha256"] == hashlib.sha256(file.path.read_bytes()).hexdigest()
    assert (found["questions"], found["deleted"], found["videos"], found["base_videos"]) == (5, 1, 4, 3)
    assert (found["unmatched_audio"], found["without_id"]) == (1, 2)
    assert found["count"] == {"Audio/Comparative": 4, "Audio": 4, "Visual/Counting": 1, "Visual": 1, "All": 5}
    assert found["count_without_deleted"]["All"] == 4
    assert (found["words"], found["answers"], found["longest_question"]) == (6, 2, 7)
    assert found["duplicates"] == 2
    assert found["contradictions"] == [
        {
            "video": "00000108",
            "question": "Is the guzheng louder than the piano",
            "rows": {"0": "yes", "1": "no", "4": "yes"},
        }
    ]
    assert found["frequencies"] is None


def test_the_same_question_with_another_sound_is_another_question(files):
    (file,) = files(val=[{}, {"unmatch_audio": "00000004", "anser": "no"}])
    (found,) = inspect_files([file])["files"]
    assert (found["duplicates"], found["contradictions"]) == (0, [])


def test_files_are_compared_with_train(files):
    found = inspect_files(
        files(
            train=[{}, {"anser": "no"}, {"video_id": "00000002"}],
            test=[
                {"anser": "maybe", "templ_values": ["erhu", "piano"]},
                {"video_id": "esa00000002"},
                {"video_id": "x"},
            ],
        )
    )
    assert found["vocabulary"]["words"] == 7
    assert found["vocabulary"]["answers"] == 2
    assert len(found["vocabulary"]["digest"]) == 16
    train, test = found["files"]
    assert train["missing_in_train"] == {"words": [], "answers": []}
    assert test["missing_in_train"] == {"words": ["erhu"], "answers": ["maybe"]}
    assert found["overlap"] == [
        {"files": [train["file"], test["file"]], "videos": 1, "base_videos": 2, "questions": 2},
    ]
    assert found["prior"]["from"] == train["file"]
    assert list(found["prior"]["accuracy"]) == [test["file"]]
    assert found["prior"]["accuracy"][test["file"]] == {
        "both": {"Audio/Comparative": 2 / 3, "Audio": 2 / 3, "All": 2 / 3}
    }


def test_prior_from_another_file(files):
    given = files(val=[{}, {}, {"anser": "no"}], test=[{"anser": "no"}])
    val, test = (str(file.path) for file in given)
    assert inspect_files(given)["vocabulary"] is None
    assert inspect_files(given)["prior"] is None
    found = inspect_files(given, prior_from="val")["prior"]
    assert (found["from"], found["accuracy"].keys()) == (val, {test})
    assert found["accuracy"][test]["both"]["All"] == 0
    found = inspect_files(given, prior_from="itself")["prior"]
    assert found["from"] == "itself"
    assert found["accuracy"][val]["both"]["All"] == 2 / 3
    assert found["accuracy"][test]["both"]["All"] == 1
    with pytest.raises(ConfigError, match="prior_from: expected one of 'train', 'val', 'itself', got 'test'"):
        inspect_files(given, prior_from="test")


def test_head_and_tail(files):
    rows = [{}, {}, {}, {"anser": "no"}]
    given = files(train=rows, test=rows)
    found = inspect_files(given, head_tail=True)
    assert found["files"][1]["frequencies"] == {"head": 3, "tail": 1}
    (scores,) = found["prior"]["accuracy"].values()
    assert {part: accuracy["All"] for part, accuracy in scores.items()} == {"head": 1, "tail": 0, "both": 0.75}
    tagged = files(train=rows, test=[{"split": "tail"}])
    found = inspect_files(tagged)
    assert found["files"][1]["frequencies"] == {"tail": 1}
    (scores,) = found["prior"]["accuracy"].values()
    assert list(scores) == ["tail", "both"]


def test_published_files(val_json, second_version_json):
    found = inspect_files([QuestionFile.read(val_json), QuestionFile.read(second_version_json)], prior_from="itself")
    first, second = found["files"]
    assert (first["variant"], first["questions"], first["videos"], first["deleted"]) == (
        "MUSIC-AVQA (json_update)",
        4568,
        3815,
        0,
    )
    assert (second["questions"], second["without_id"], second["unmatched_audio"]) == (4499, 259, 20)
    assert (first["count"]["Audio"], first["count"]["Visual"], first["count"]["Audio-Visual"]) == (806, 1213, 2549)
    assert (first["duplicates"], first["contradictions"]) == (0, [])
    assert found["prior"]["accuracy"][str(val_json)]["both"]["All"] == pytest.approx(2356 / 4568)
    seen = {record.video_id for record in read_annotations(val_json)}
    again = {record.video_id for record in read_annotations(second_version_json)}
    heard = {record.audio_id for record in read_annotations(second_version_json)} - {None}
    assert found["overlap"][0]["videos"] == len(seen & (again | heard))
    json.dumps(found, allow_nan=False)


def test_bad_files(tmp_path, files):
    (tmp_path / "avqa-val.json").write_text("[]")
    with pytest.raises(DataError, match=r"avqa-val\.json: expected at least one question, got none"):
        QuestionFile.read(tmp_path / "avqa-val.json")
    (train,) = files(train=[{}])
    with pytest.raises(DataError, match=r"expected one train file at a time, got .*avqa-train\.json, .*"):
        inspect_files([train, train])
