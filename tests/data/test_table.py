from hypothesis import given
from hypothesis import strategies as st

from avground.data import QUESTION_TYPES
from avground.data.table import row_name, rows_of


def test_rows_in_the_order_of_the_published_tables():
    types = [*reversed(QUESTION_TYPES)]
    assert list(rows_of(types)) == [
        "Audio/Counting",
        "Audio/Comparative",
        "Audio",
        "Visual/Counting",
        "Visual/Location",
        "Visual",
        "Audio-Visual/Existential",
        "Audio-Visual/Counting",
        "Audio-Visual/Location",
        "Audio-Visual/Comparative",
        "Audio-Visual/Temporal",
        "Audio-Visual",
        "All",
    ]
    assert rows_of(types)["Audio"] == [7, 8]
    assert rows_of([]) == {}


@given(st.lists(st.sampled_from([*QUESTION_TYPES, ("Touch", "Rough"), ("Audio", "Odd")])))
def test_each_row_counts_its_questions(types):
    rows = rows_of(types)
    for row, places in rows.items():
        modality, _, kind = row.partition("/")
        counted = [i for i, t in enumerate(types) if row == "All" or (t == (modality, kind) if kind else t[0] == row)]
        assert places == counted
    assert {place for places in rows.values() for place in places} == set(range(len(types)))


def test_names():
    assert [row_name(row) for row in ("Audio/Counting", "Audio", "All")] == [
        "Audio         Counting",
        "Audio         average",
        "All",
    ]
