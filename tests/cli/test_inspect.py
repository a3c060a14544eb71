import json
import subprocess
import sys

import numpy as np
import pytest

from avground.cli import main


@pytest.fixture(autouse=True)
def _no_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("AVGROUND_CACHE", str(tmp_path / "cache"))


def row(video_id, answer="two", **changes):
    published = {
        "video_id": video_id,
        "question_id": 1,
        "type": '["Audio", "Counting"]',
        "question_content": "How many <Object>?",
        "templ_values": '["piano"]',
        "question_deleted": 0,
        "anser": answer,
    }
    return published | changes


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "data" / "json"
    folder.mkdir(parents=True)
    rows = {
        "train": [row("00000001"), row("00000001", "one"), row("00000002")],
        "val": [row("eva00000002", templ_values='["erhu"]'), row("00000003", question_deleted=1)],
        "test": [row("00000004", unmatch_audio="00000001"), row("00000005", "five")],
    }
    for name, held in rows.items():
        (folder / f"avqa-{name}.json").write_text(json.dumps(held))
    return folder


def test_text(folder, capsys):
    assert main(["inspect", str(folder)]) == 0
    text = capsys.readouterr().out
    train, val, test, rest = text.split("\n\n")[:4]
    assert train.startswith(str(folder / "avqa-train.json"))
    assert "3 questions, 0 of them marked deleted; 2 videos" in train
    assert "1 repeated questions, 1 questions with more than one answer" in train
    assert "video 00000001: How many piano: row 0 two, row 1 one" in train
    assert "2 questions, 1 of them marked deleted" in val
    assert "1 words that train lacks: erhu" in val
    assert val.splitlines()[-1].split() == ["All", "2", "1"]
    assert "1 with the sound of another video" in test
    assert "1 answers that train lacks: five" in test
    assert (
        "avqa-val.json: 0 videos in both, 1 counting copies as one; 1 questions of the second are about these" in rest
    )
    assert "vocabulary of train: 4 words, 2 answers, digest " in rest
    prior = text[text.index("template prior") :].splitlines()
    assert prior[0].endswith("avqa-train.json")
    assert prior[1].endswith("avqa-val.json")
    assert [line.split() for line in prior[4:]] == [
        ["Audio", "Counting", "100.00", "50.00"],
        ["Audio", "average", "100.00", "50.00"],
        ["All", "100.00", "50.00"],
    ]


def test_without_train(folder, capsys):
    assert main(["inspect", str(folder / "avqa-val.json")]) == 0
    text = capsys.readouterr().out
    assert "no train file given" in text
    assert "no template prior" in text
    assert main(["inspect", str(folder / "avqa-val.json"), "--prior-from", "itself", "--head-tail"]) == 0
    text = capsys.readouterr().out
    assert "template prior, percent, from itself" in text
    assert "avqa-val.json, tail" in text


def test_json(folder, capsys):
    assert main(["inspect", str(folder), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [file["questions"] for file in found["files"]] == [3, 2, 2]
    assert [pair["videos"] for pair in found["overlap"]] == [0, 1, 0]
    assert found["features"] is None


def test_features(folder, tmp_path, capsys):
    for kind, shape, ids in (("vggish", (60, 4), (1, 2)), ("res18_14x14", (60, 3, 2, 2), (1, 2, 4))):
        (tmp_path / "feats" / kind).mkdir(parents=True)
        for number in ids:
            np.save(tmp_path / "feats" / kind / f"{number:08d}.npy", np.zeros(shape, np.float32))
    path = str(tmp_path / "feats")
    assert main(["inspect", str(folder), "--json", "--features", path]) == 0
    found = json.loads(capsys.readouterr().out)["features"]
    assert found["missing"] == {
        "audio": ["eva00000002", "00000003", "00000005"],
        "visual": ["eva00000002", "00000003", "00000005"],
    }
    assert found["needed"] == {"audio": 5, "visual": 6}
    assert main(["inspect", str(folder), "--features", path]) == 0
    text = capsys.readouterr().out
    assert f"{path}, audio: 3 of 5 videos missing: eva00000002, 00000003, 00000005\n" in text
    assert f"{path}, visual: 3 of 6 videos missing" in text


def test_folders(folder, capsys):
    assert main(["inspect", str(folder.parent), "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["files"]) == 3
    (folder.parent / "json_update").mkdir()
    (folder.parent / "json_update" / "avqa-val.json").write_text(json.dumps([row("1")]))
    assert main(["inspect", str(folder.parent)]) == 1
    assert "data: expected one folder of question files, got " in capsys.readouterr().err
    (folder / "bias_test.json").write_text(json.dumps([row("1")]))
    assert main(["inspect", str(folder), "--prefix", "bias", "--json"]) == 0
    (file,) = json.loads(capsys.readouterr().out)["files"]
    assert file["variant"] == "MUSIC-AVQA v2 (bias)"
    assert main(["inspect", str(folder), "--prefix", "balance"]) == 1
    assert (
        "prefix 'balance', got avqa-train.json, avqa-val.json, avqa-test.json, bias_test.json"
        in capsys.readouterr().err
    )


def test_empty_folder_and_missing_file(tmp_path, capsys):
    assert main(["inspect", str(tmp_path)]) == 1
    assert "expected question files, such as avqa-train.json, got none" in capsys.readouterr().err
    assert main(["inspect", str(tmp_path / "nowhere.json")]) == 1
    assert "nowhere.json: expected a JSON file of questions, got no such file" in capsys.readouterr().err


def test_a_reader_that_stops_reading(folder):
    """As with ``| head -1``: the pipe is closed before anything is printed."""
    command = [sys.executable, "-m", "avground", "inspect", str(folder), "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    with process.stderr:
        complaints = process.stderr.read().decode()
    assert (process.wait(), complaints) == (0, "")
