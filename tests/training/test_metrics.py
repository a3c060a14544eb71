from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from avground.data import QUESTION_TYPES, Record, Vocabulary
from avground.training import prior_scores, score, table

ROWS = [
    *("Audio/Counting", "Audio/Comparative", "Audio"),
    *("Visual/Counting", "Visual/Location", "Visual"),
    *("Audio-Visual/Existential", "Audio-Visual/Counting", "Audio-Visual/Location"),
    *("Audio-Visual/Comparative", "Audio-Visual/Temporal", "Audio-Visual", "All"),
]

questions = st.lists(
    st.tuples(st.sampled_from(QUESTION_TYPES), st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=40
)


@given(questions)
def test_scores_are_those_of_counting(asked):
    types, predicted, answers = zip(*asked, strict=True)
    found = score(torch.tensor(predicted), torch.tensor(answers), types, 4)
    right, total = Counter(), Counter()
    for (modality, kind), guess, answer in asked:
        for row in (f"{modality}/{kind}", modality, "All"):
            total[row] += 1
            right[row] += guess == answer
    assert found.count == dict(total)
    assert list(found.accuracy) == [row for row in ROWS if row in total]
    for row, share in found.accuracy.items():
        assert share == pytest.approx(right[row] / total[row], abs=1e-6)
    assert found.all == found.accuracy["All"]


def test_the_rows_are_in_the_order_of_the_published_tables():
    n = len(QUESTION_TYPES)
    found = score(torch.zeros(n, dtype=torch.int64), torch.zeros(n, dtype=torch.int64), QUESTION_TYPES, 2)
    assert list(found.accuracy) == ROWS


def test_an_unknown_kind_gets_a_row_of_its_own():
    found = score(torch.tensor([0, 1]), torch.tensor([0, 0]), [("Smell", "Counting"), ("Audio", "Counting")], 2)
    assert found.accuracy == {"Audio/Counting": 0.0, "Audio": 0.0, "Smell/Counting": 1.0, "Smell": 1.0, "All": 0.5}


def _record(template, answer, kind=("Audio", "Counting")):
    return Record("v", None, kind, template, ("Is", "it"), answer)


def test_the_prior_answers_with_the_majority_of_the_template():
    train = [_record("A?", "yes"), _record("A?", "yes"), _record("A?", "no"), _record("B?", "no")]
    test = [_record("A?", "yes"), _record("A?", "no"), _record("B?", "no", ("Visual", "Location"))]
    prior = prior_scores(train, test, Vocabulary.from_annotations(train))
    assert prior.accuracy["Audio"] == 0.5
    assert prior.accuracy["Visual/Location"] == 1.0
    assert prior.all == pytest.approx(2 / 3)


def test_the_table_shows_percent_with_prior_and_gain():
    rows = {"Audio/Counting": 0.5, "Audio": 0.5, "All": 0.25}
    lines = table(rows, dict.fromkeys(rows, 0.3), {"Audio/Counting": 2, "Audio": 2, "All": 4}).splitlines()
    assert [line.split() for line in lines[1:]] == [
        ["Audio", "Counting", "2", "50.00", "30.00", "+20.00"],
        ["Audio", "average", "2", "50.00", "30.00", "+20.00"],
        ["All", "4", "25.00", "30.00", "-5.00"],
    ]
    assert len({len(line) for line in lines}) == 1
