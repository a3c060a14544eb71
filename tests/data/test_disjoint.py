import hashlib
import json
from collections import Counter
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avground.data import QUESTION_TYPES, Record, read_annotations
from avground.data.disjoint import disjoint_split, group_videos, write_disjoint_split
from avground.data.variants import SPLITS, base_video
from avground.errors import ConfigError, DataError

SIZES = {"train": 7, "val": 1, "test": 2}


def record(video_id, answer="yes", kind=QUESTION_TYPES[0], audio_id=None, words=("Is", "it")):
    return Record(video_id, None, kind, "Is it?", words, answer, audio_id=audio_id)


def bases(records):
    return {base_video(video) for r in records for video in (r.video_id, r.audio_id or r.video_id)}


def parts(records, splits):
    return {name: [r for r, split in zip(records, splits, strict=True) if split == name] for name in SPLITS}


def check(records, splits):
    """No base video in two splits, and train holds every answer and word."""
    found = parts(records, splits)
    assert sum(map(len, found.values())) == len(records) == len(splits)
    for first, second in combinations(SPLITS, 2):
        assert not bases(found[first]) & bases(found[second])
    assert {r.answer for r in found["train"]} == {r.answer for r in records}
    assert {word for r in found["train"] for word in r.words} == {word for r in records for word in r.words}
    return found


_ids = st.integers(0, 40).map("{:08d}".format)
_videos = st.builds("{}{}{}".format, st.sampled_from(["", "", "va", "esa"]), _ids, st.sampled_from(["", "", "_flip"]))
_records = st.lists(
    st.builds(
        record,
        _videos,
        st.sampled_from(["yes", "no", "two", "ten"]),
        st.sampled_from(QUESTION_TYPES),
        st.none() | st.none() | st.none() | _videos,
        st.sampled_from([("Is", "it"), ("Is", "that"), ("Was", "it")]),
    ),
    min_size=1,
    max_size=80,
)


@given(_records, st.integers(0, 9), st.randoms(use_true_random=False))
def test_splits_share_no_video_and_do_not_depend_on_the_order(records, seed, random):
    try:
        splits = disjoint_split(records, SIZES, seed=seed)
    except DataError as error:
        # Few videos: there is no split, or train took the last one of another split for its answers and words.
        if "expected a group of videos for each of train, val, test" not in str(error):
            raise
        return
    check(records, splits)
    order = list(range(len(records)))
    random.shuffle(order)
    assert disjoint_split([records[place] for place in order], SIZES, seed=seed) == [splits[place] for place in order]


@given(_records)
def test_groups_are_those_of_a_search_from_video_to_video(records):
    groups = group_videos(records)
    assert set(groups) == bases(records)
    for start in groups:
        found, waiting = {start}, [start]
        while waiting:
            video = waiting.pop()
            for r in records:
                pair = {base_video(r.video_id), base_video(r.audio_id or r.video_id)}
                if video in pair:
                    waiting += pair - found
                    found |= pair
        assert {video for video, group in groups.items() if group == groups[start]} == found
        assert groups[start] == min(found)


def test_copies_and_borrowed_sounds_stay_together():
    records = [record("00000001"), record("eva00000001_flip", audio_id="yU5kq-_ZI1w_#02"), record("yU5kq-_ZI1w_flip")]
    records += [record(f"{number:08d}") for number in range(2, 30)]
    splits = disjoint_split(records, SIZES)
    assert len(set(splits[:3])) == 1
    assert Counter(splits) == {"train": 22, "val": 3, "test": 6}


@pytest.mark.parametrize("name", ["val_json", "second_version_json"])
def test_published_questions(name, request):
    records = read_annotations(request.getfixturevalue(name))
    splits = disjoint_split(records, SIZES)
    found = check(records, splits)
    for split, share in {"train": 0.7, "val": 0.1, "test": 0.2}.items():
        assert len(found[split]) == pytest.approx(share * len(records), abs=4)
        kinds = Counter(r.type for r in found[split])
        for kind, count in Counter(r.type for r in records).items():
            assert kinds[kind] == pytest.approx(share * count, abs=4)
        answers = Counter((r.type, r.answer) for r in found[split])
        for answer, count in Counter((r.type, r.answer) for r in records).items():
            assert answers[answer] == pytest.approx(share * count, abs=4)
    assert disjoint_split(records, SIZES, seed=1) != splits


def test_a_rare_answer_goes_to_train():
    records = [record(f"{number:08d}") for number in range(30)]
    for rare in (3, 17):
        records[rare] = record(f"{rare:08d}", answer=f"rare {rare}", words=("Is", f"word{rare}"))
        assert disjoint_split(records, SIZES)[rare] == "train"
    # A group of six questions would fill val or test best; its words take it to train all the same.
    records += [record("00000099", words=("Is", "new"))] * 6
    check(records, disjoint_split(records, {"train": 1, "val": 1, "test": 6}))


def test_what_cannot_be_shared_out():
    records = [record("00000001"), record("va00000001"), record("00000002")]
    with pytest.raises(DataError, match="expected a group of videos for each of train, val, test, got 2 groups in all"):
        disjoint_split(records, SIZES)
    with pytest.raises(DataError, match="val: expected at least one question, got 0"):
        disjoint_split(records, {"train": 3, "val": 0, "test": 1})
    with pytest.raises(ConfigError, match="seed: expected a whole number of at least 0, got -1"):
        disjoint_split(records, SIZES, seed=-1)


@pytest.fixture
def sources(tmp_path, row):
    """Three files by question, whose rows are ragged: the same videos are in all."""
    paths, number = {}, 0
    for name, count in {"train": 70, "val": 10, "test": 20}.items():
        rows = []
        for _ in range(count):
            changes = {} if number % 3 else {"question_id": ..., "unmatch_audio": float("nan"), "person": "Zoë"}
            rows.append(row(video_id=f"{number % 25:08d}", anser=("yes", "no")[number % 2], **changes))
            number += 1
        paths[name] = tmp_path / f"bias_{name}.json"
        paths[name].write_text(json.dumps(rows), encoding="utf-8")
    return paths


def test_files(sources, tmp_path):
    output = tmp_path / "new" / "json_disjoint"
    entry = write_disjoint_split(sources, output, seed=3)
    assert sorted(path.name for path in output.iterdir()) == [
        "avqa-test.json",
        "avqa-train.json",
        "avqa-val.json",
        "split.json",
    ]
    assert json.loads((output / "split.json").read_text()) == entry
    assert (entry["seed"], entry["groups"], entry["base_videos_of_the_largest_group"]) == (3, 25, 1)
    before = [repr(r) for path in sources.values() for r in json.loads(path.read_text())]
    after = [repr(r) for name in SPLITS for r in json.loads((output / f"avqa-{name}.json").read_text("utf-8"))]
    assert Counter(after) == Counter(before)
    for part, path_of in (("sources", sources.get), ("files", lambda name: output / f"avqa-{name}.json")):
        for name in SPLITS:
            path, told = path_of(name), entry[part][name]
            records = read_annotations(path)
            assert told["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
            assert told["questions"] == len(records)
            assert told["videos"] == len({r.video_id for r in records})
            assert told["kinds"] == {"Audio/Comparative": len(records)}
    videos = [{r.video_id for r in read_annotations(output / f"avqa-{name}.json")} for name in SPLITS]
    assert sum(map(len, videos)) == len(set.union(*videos)) == 25
    assert write_disjoint_split(sources, tmp_path / "again", seed=3) == entry
    for path in output.iterdir():
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes()


@pytest.mark.parametrize("name", ["avqa-train.json", "avqa-val.json", "avqa-test.json", "split.json"])
def test_nothing_is_overwritten(sources, tmp_path, name):
    output = tmp_path / "out"
    output.mkdir()
    (output / name).write_text("mine")
    with pytest.raises(DataError, match=f"out: expected a folder without question files, got {name}"):
        write_disjoint_split(sources, output)
    assert [path.name for path in output.iterdir()] == [name]
    assert (output / name).read_text() == "mine"


def test_a_bad_row_is_named_and_nothing_written(sources, tmp_path, row):
    sources["val"].write_text(json.dumps([row(), row(anser=None)]))
    with pytest.raises(DataError, match=r"bias_val\.json, row 1: anser: expected a string"):
        write_disjoint_split(sources, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_output_that_is_a_file(sources, tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(DataError, match="out: expected a folder to write to, got a file"):
        write_disjoint_split(sources, tmp_path / "out")
