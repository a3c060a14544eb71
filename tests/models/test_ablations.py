import dataclasses

import pytest

from avground.models import ABLATIONS, MODELS, OBJECTIVES, UNMATCHED, Ablation

SIZES = {"vocabulary_size": 12, "answers": 5, "audio_dim": 3, "visual_dim": 32, "dim": 32}
every_row = pytest.mark.parametrize("name", ABLATIONS)

#: Tables 1 to 7 of the paper: what a row changes, and its accuracy. Of the model unless it says "synchrony".
PAPER = {
    1: [("avsd", {}, 67.32), ("pano_avqa", {}, 69.53), ("avst", {}, 71.59), ("tjstg", {}, 73.04)],
    2: [
        ("tjstg", {"target": None}, 72.44),
        ("tjstg", {"synchrony": 0}, 72.28),
        ("tjstg", {"target": None, "synchrony": 0}, 71.78),
        ("tjstg", {}, 73.04),
    ],
    3: [("avst", {}, 71.59), ("avst", {"target": "hard"}, 72.43), ("avst", {"synchrony": 1}, 72.47)],
    4: [
        ("tjstg", {"target": "mean"}, 72.65),
        ("tjstg", {"target": "max"}, 72.70),
        ("tjstg", {"target": "sentence"}, 72.74),
        ("tjstg", {"target": "hard"}, 73.04),
    ],
    5: [
        ("tjstg", {"threshold": 0.0}, 72.23),
        ("tjstg", {"threshold": 0.002}, 72.65),
        ("tjstg", {"threshold": 0.005}, 73.04),
        ("tjstg", {"threshold": 0.010}, 72.71),
    ],
    6: [
        ("tjstg", {"order": "concat_av"}, 72.53),
        ("tjstg", {"order": "concat_va"}, 72.74),
        ("tjstg", {"order": "interleave_av"}, 73.04),
        ("tjstg", {"order": "interleave_va"}, 73.04),
    ],
    7: [("tjstg", {"stream": "dual"}, 72.89), ("tjstg", {"stream": "joint"}, 73.04)],
}


@pytest.mark.parametrize("table", PAPER)
def test_every_row_of_the_paper_is_here_with_its_number(table):
    ours = [
        (row.model, {**row.changes, **row.objective}, row.paper) for row in ABLATIONS.values() if table in row.tables
    ]
    assert len(ours) == len(PAPER[table])
    assert all(row in ours for row in PAPER[table])


def test_every_other_row_says_that_the_paper_does_not_list_it():
    assert all((row.tables == ()) == (row.paper is None) for row in ABLATIONS.values())
    assert {table for row in ABLATIONS.values() for table in row.tables} == set(PAPER)


def test_a_row_of_two_tables_is_one_entry_if_both_print_the_same_name():
    assert {name: row.tables for name, row in ABLATIONS.items() if len(row.tables) > 1} == {
        "full": (1, 2),
        "avst": (1, 3),
    }


def test_rows_are_told_apart_by_name():
    names = [(table, row.row) for row in ABLATIONS.values() for table in row.tables or (None,)]
    assert len(set(names)) == len(names)


def test_the_objective_of_a_model_is_the_papers_unless_said_here():
    assert set(OBJECTIVES) == set(MODELS)
    assert OBJECTIVES["avst"] == {"synchrony": 0.0}
    assert OBJECTIVES["tjstg"] == {}
    assert OBJECTIVES["tjstg_sharp"] == {"matching": 0.0}
    for name in UNMATCHED:
        assert OBJECTIVES[name] == {"synchrony": 0.0, "matching": 0.0}


@every_row
def test_a_row_changes_a_model_that_exists_and_nothing_else(name):
    row = ABLATIONS[name]
    base, config = MODELS[row.model](**SIZES).config, MODELS[row.model](**SIZES, **row.changes).config
    assert config == dataclasses.replace(base, **row.changes)
    assert set(row.objective) <= {"synchrony", "matching", "divergence"}


@pytest.mark.parametrize("mapping", [ABLATIONS, OBJECTIVES])
def test_the_tables_cannot_be_changed_by_accident(mapping):
    with pytest.raises(TypeError):
        mapping["mine"] = None
    with pytest.raises(dataclasses.FrozenInstanceError):
        ABLATIONS["full"].paper = 100.0


def test_a_row_of_ones_own_needs_a_name_only():
    row = Ablation((), "mine", None)
    assert (row.model, dict(row.changes), dict(row.objective)) == ("tjstg", {}, {})
