import json

import pytest

from avground.cli import main


def write(folder, **counts):
    folder.mkdir(parents=True, exist_ok=True)
    number = 0
    for name, count in counts.items():
        rows = []
        for _ in range(count):
            rows.append(
                {
                    "video_id": f"{number % 20:08d}",
                    "question_id": number,
                    "type": '["Audio", "Counting"]' if number % 4 else '["Visual", "Location"]',
                    "question_content": "How many <Object>?",
                    "templ_values": '["piano"]',
                    "question_deleted": 0,
                    "anser": "two",
                }
            )
            number += 1
        (folder / f"{name}.json").write_text(json.dumps(rows))
    return folder


@pytest.mark.parametrize("as_files", [False, True])
def test_split(tmp_path, capsys, as_files):
    names = ["bias_train", "bias_valid", "bias_test"]
    folder = write(tmp_path / "json", **dict(zip(names, (70, 10, 20), strict=True)))
    output = tmp_path / "disjoint"
    paths = [str(folder / f"{name}.json") for name in names] if as_files else [str(folder)]
    assert main(["split", *paths, "--output", str(output), "--seed", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["questions", "train", "val", "test"]
    assert lines[1].split()[:2] == ["Audio", "Counting"]
    told = {" ".join(line.split()[:-3]): [int(cell) for cell in line.split()[-3:]] for line in lines[1:8]}
    assert told["questions before"] == [70, 10, 20]
    assert sum(told["videos"]) == 20
    assert sum(told["All"]) == 100
    assert told["All"] == [len(json.loads((output / f"avqa-{n}.json").read_text())) for n in ("train", "val", "test")]
    assert [sum(pair) for pair in zip(told["Audio average"], told["Visual average"], strict=True)] == told["All"]
    assert lines[-1] == str(output / "split.json")
    assert json.loads((output / "split.json").read_text())["seed"] == 2
    assert main(["split", *paths, "--output", str(output)]) == 1
    assert "expected a folder without question files" in capsys.readouterr().err


def test_prefix(tmp_path, capsys):
    folder = tmp_path / "json"
    for prefix in ("bias", "balance"):
        write(folder, **{f"{prefix}_train": 30, f"{prefix}_valid": 5, f"{prefix}_test": 5})
    assert main(["split", str(folder), "--output", str(tmp_path / "out")]) == 1
    assert "expected one data set, or a prefix among 'balance', 'bias'" in capsys.readouterr().err
    assert main(["split", str(folder), "--output", str(tmp_path / "out"), "--prefix", "bias"]) == 0
    sources = json.loads((tmp_path / "out" / "split.json").read_text())["sources"]
    assert sources["val"]["file"].endswith("bias_valid.json")


def test_two_paths(tmp_path, capsys):
    assert main(["split", "a.json", "b.json", "--output", str(tmp_path)]) == 1
    assert capsys.readouterr().err == "error: PATH: expected one folder, or the train, val and test files, got 2\n"
