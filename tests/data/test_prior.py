import pytest

from avground.data import QUESTION_TYPES, Record, read_annotations, template_prior
from avground.errors import DataError

COUNT, WHERE = ("Audio", "Counting"), ("Visual", "Location")


def record(template, answer, kind=COUNT):
    return Record("v", None, kind, template, ("How",), answer)


def test_majority_of_each_template():
    train = [record("A?", "two"), record("A?", "one"), record("A?", "one"), record("B?", "yes"), record("B?", "no")]
    test = [record("A?", "one"), record("A?", "two"), record("B?", "yes", WHERE), record("B?", "no", WHERE)]
    prior = template_prior(iter(train), iter(test))
    assert prior.answers == ("one", "one", "yes", "yes")  # "yes" was seen before "no".
    assert prior.correct == (True, False, True, False)
    assert prior.by_type == {COUNT: (1, 2), WHERE: (1, 2)}
    assert prior.accuracy == 0.5


def test_unknown_template_gets_the_overall_majority():
    train = [record("A?", "two"), record("B?", "one"), record("C?", "one")]
    assert template_prior(train, [record("D?", "x")]).answers == ("one",)


def test_kinds_keep_the_order_of_the_types_and_unknown_ones_come_last():
    test = [record("A?", "x", ("Touch", "Rough")), *(record("A?", "x", kind) for kind in reversed(QUESTION_TYPES))]
    assert tuple(template_prior(test, test).by_type) == (*QUESTION_TYPES, ("Touch", "Rough"))


def test_published_questions(val_json):
    records = read_annotations(val_json)
    prior = template_prior(records, records)
    assert sum(prior.correct) == 2356
    assert prior.accuracy == pytest.approx(0.5158, abs=1e-4)
    assert tuple(prior.by_type) == QUESTION_TYPES
    assert sum(total for _, total in prior.by_type.values()) == len(prior.correct) == 4568


def test_nothing_to_count_or_answer():
    with pytest.raises(DataError, match="train: expected at least one question, got none"):
        template_prior([], [record("A?", "x")])
    with pytest.raises(DataError, match="test: expected at least one question, got none"):
        template_prior([record("A?", "x")], [])
