"""Truth and record that come back from a folder which strangers made."""

import json

import pytest

from avground.data import pocket
from avground.data.pocket.build import read_record
from avground.errors import DataError

SMALL = pocket.PRESETS["tiny"].replace(train=3, val=1, test=1, channels=8, audio_channels=8, questions=2)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return pocket.generate(tmp_path_factory.mktemp("pocket") / "world", SMALL, progress=False)


@pytest.fixture
def truth(world):
    return json.loads((world / "truth.json").read_text())


def written(folder, value):
    (folder / "truth.json").write_text(value if isinstance(value, str) else json.dumps(value))
    return folder


def test_it_comes_back(world, truth, tmp_path):
    found = pocket.read_truth(world)
    assert found.to_dict() == pocket.read_truth(written(tmp_path, truth)).to_dict()
    assert json.loads(json.dumps(found.to_dict())) == truth
    assert any(found.target_cells(number) for number in found.questions)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda _: "{", "does not parse as JSON"),
        (lambda _: [], "TypeError"),
        (lambda t: {**t, "rows": 0}, "rows and columns: expected a whole number from 1 to 1000, got 0"),
        (lambda t: {**t, "rows": 10**9}, "rows and columns: expected a whole number from 1 to 1000"),
        (lambda t: {**t, "rows": 2.0}, "rows and columns: expected a whole number from 1 to 1000, got 2.0"),
        (lambda t: {**t, "videos": []}, "AttributeError"),
        (lambda t: {**t, "videos": {}}, "KeyError"),
        (lambda t: {**t, "questions": {"x": {}}}, "invalid literal|KeyError"),
        (lambda t: _seen(t, cells=[[0, 7]]), "column: expected a whole number from 0 to 6, got 7"),
        (lambda t: _seen(t, cells=[[-1, 0]]), "row: expected a whole number from 0 to 6, got -1"),
        (lambda t: _seen(t, cells=[[1]]), "ValueError"),
        (lambda t: _seen(t, cells="ab"), "expected a list, got 'ab'"),
        (lambda t: _seen(t, sounding="yes"), "expected a list, got 'yes'"),
        (lambda t: _seen(t, sounding=[1]), "expected a bool, got 1"),
        (lambda t: _seen(t, played=[True] * 1001), "expected at most 1000 segments, got 1001"),
        (lambda t: _seen(t, type=None), "expected a str, got None"),
        (lambda t: _seen(t, on_stage=1), "expected a bool, got 1"),
        (lambda t: _asked(t, targets=[99]), "target: expected a whole number from 0 to"),
        (lambda t: _asked(t, targets=[-1]), "target: expected a whole number from 0 to"),
        (lambda t: _asked(t, found=99), "found: expected a whole number from 0 to"),
        (lambda t: _asked(t, video_id="../x"), "KeyError: '../x'"),
        (lambda t: _asked(t, video_id={"a": 1}), "TypeError"),
        (lambda t: _asked(t, seconds=[[]]), r"expected a bool, got \[\]"),
    ],
)
def test_truth_that_cannot_be(truth, tmp_path, change, message):
    with pytest.raises(
        DataError, match=f"truth.json: expected the truth of a Pocket folder, got .*({message})"
    ) as error:
        pocket.read_truth(written(tmp_path, change(truth)))
    assert len(str(error.value)) < 600


def _seen(truth, **changes):
    """The first instrument of all is another."""
    video, about = next(item for item in truth["videos"].items() if item[1]["instruments"])
    first, *rest = about["instruments"]
    return {**truth, "videos": {**truth["videos"], video: {"instruments": [{**first, **changes}, *rest]}}}


def _asked(truth, **changes):
    number, asked = next(iter(truth["questions"].items()))
    return {**truth, "questions": {**truth["questions"], number: {**asked, **changes}}}


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ("[{}]", r"expected the record of a Pocket folder, got \[\{\}\]"),
        ("null", "expected the record of a Pocket folder, got None"),
        ("{}", "got one without knobs, seed, sha256, version, world"),
        (
            '{"version": 1, "world": "x", "seed": 1, "knobs": [], "sha256": {}}',
            r"knobs: expected names and values, got \[\]",
        ),
        ("[" * 30 + "]" * 30, "nested at most 20 deep"),
        ("[" * 10**6, "does not parse as JSON"),
        ('{"seed": 1, "seed": 2}', "the key 'seed' appears twice"),
    ],
)
def test_a_record_that_cannot_be(tmp_path, record, message):
    (tmp_path / "pocket.json").write_text(record)
    with pytest.raises(DataError, match=rf"pocket\.json: .*{message}"):
        read_record(tmp_path)
    with pytest.raises(DataError, match=rf"pocket\.json: .*{message}"):
        pocket.generate(tmp_path, SMALL, progress=False)


def test_another_world_is_told_in_few_words(world, tmp_path):
    record = json.loads((world / "pocket.json").read_text())
    record["knobs"] = {**record["knobs"], "types": "x" * 10**6, **{f"more{number}": 1 for number in range(1000)}}
    (tmp_path / "pocket.json").write_text(json.dumps({**record, "world": ["y" * 10**6]}))
    with pytest.raises(DataError, match="expected world 'custom' with seed 0, got world") as error:
        pocket.generate(tmp_path, SMALL, progress=False)
    assert len(str(error.value)) < 6000
