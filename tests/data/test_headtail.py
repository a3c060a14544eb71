from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avground.data import Record, read_annotations
from avground.data.headtail import head_tail, head_tail_of, score_head_tail
from avground.errors import ConfigError, DataError

COUNT, WHERE = ("Audio", "Counting"), ("Visual", "Location")


def record(answer, kind=COUNT, frequency=None, row=None):
    return Record("v", None, kind, "What?", ("What",), answer, frequency=frequency, source="q.json", row=row)


def test_by_the_published_definition():
    # COUNT: 12 questions over 3 answers, a mean of 4: head above 4.8. WHERE: 5 questions over 2 answers, above 3.
    answers = {"one": 5, "two": 4, "three": 3}
    records = [record(answer) for answer, count in answers.items() for _ in range(count)]
    records += [record("left", WHERE)] * 3 + [record("one", WHERE)] * 2
    assert head_tail(records) == ("head",) * 5 + ("tail",) * 7 + ("tail",) * 5
    assert head_tail(records, threshold=1) == ("head",) * 5 + ("tail",) * 7 + ("head",) * 3 + ("tail",) * 2
    assert set(head_tail(records, threshold=0)) == {"head"}
    assert head_tail([]) == ()


@pytest.mark.parametrize("threshold", [-1, float("nan"), "1.2"])
def test_bad_threshold(threshold):
    with pytest.raises(ConfigError, match="threshold: expected a number"):
        head_tail([record("one")], threshold=threshold)


def test_published_questions(val_json):
    records = read_annotations(val_json)
    found = head_tail(records)
    assert Counter(found) == {"head": 2316, "tail": 2252}
    for kind in {record.type for record in records}:
        answers = [record.answer for record in records if record.type == kind]
        mean = len(answers) / len(set(answers))
        heads = {
            r.answer for r, frequency in zip(records, found, strict=True) if r.type == kind and frequency == "head"
        }
        assert heads == {answer for answer in answers if answers.count(answer) > 1.2 * mean}


def test_what_the_file_says_comes_first():
    tagged = [record("one", frequency="tail"), record("one", frequency="tail"), record("two", frequency="head")]
    assert head_tail_of(tagged) == ("tail", "tail", "head")
    plain = [record("one")] * 3 + [record("two")]
    assert head_tail_of(plain) == head_tail(plain) == ("head", "head", "head", "tail")
    with pytest.raises(DataError, match=r"q\.json, row 7 .*: split: expected 'head' or 'tail' as in 3 other rows"):
        head_tail_of([*tagged, record("one", row=7)])


def test_scores():
    records = [record("one", frequency="head"), record("two", frequency="tail"), record("left", WHERE, "tail")]
    scores = score_head_tail(["one", "one", "left"], records)
    assert list(scores) == ["head", "tail", "both"]
    assert scores["head"].accuracy == {"Audio/Counting": 1.0, "Audio": 1.0, "All": 1.0}
    assert scores["tail"].accuracy == {
        "Audio/Counting": 0.0,
        "Audio": 0.0,
        "Visual/Location": 1.0,
        "Visual": 1.0,
        "All": 0.5,
    }
    assert scores["both"].count == {
        "Audio/Counting": 2,
        "Audio": 2,
        "Visual/Location": 1,
        "Visual": 1,
        "All": 3,
    }
    only_head = score_head_tail(["one"], records[:1])
    assert (only_head["tail"].accuracy, only_head["tail"].count) == ({}, {})


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from([COUNT, WHERE]), st.sampled_from("abc")), min_size=1))
def test_head_and_tail_make_up_both(drawn):
    records = [record(answer, kind) for answer, kind, _ in drawn]
    scores = score_head_tail([guess for *_, guess in drawn], records)
    for row, accuracy in scores["both"].accuracy.items():
        parts = [(s.accuracy[row], s.count[row]) for s in (scores["head"], scores["tail"]) if row in s.count]
        assert sum(count for _, count in parts) == scores["both"].count[row]
        assert sum(share * count for share, count in parts) == pytest.approx(accuracy * scores["both"].count[row])


def test_bad_lengths_and_names():
    records = [record("one"), record("two")]
    with pytest.raises(DataError, match="predicted: expected 2, one for each question, got 1"):
        score_head_tail(["one"], records)
    with pytest.raises(DataError, match="frequencies: expected 2, one for each question, got 1"):
        score_head_tail(["one", "two"], records, ["head"])
    with pytest.raises(DataError, match="frequencies: expected 'head' or 'tail', got 'body'"):
        score_head_tail(["one", "two"], records, ["head", "body"])


def test_just_as_frequent_as_the_threshold_says_is_tail():
    """14 of 35 questions with 3 answers: exactly 1.2 times the mean, which rounding would put above it."""
    answers = ["a"] * 14 + ["b"] * 11 + ["c"] * 10
    records = [Record("v", None, ("Audio", "Counting"), "How?", ("How",), answer) for answer in answers]
    assert set(head_tail(records)) == {"tail"}
    assert head_tail(records, threshold=1.19).count("head") == 14
