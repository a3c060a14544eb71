import json
import math

import numpy as np
import pytest

from avground.errors import DataError
from avground.viz import curves_figure
from tests.viz.drawn import check_image, check_legible, words_of

pytest.importorskip("matplotlib", reason="figures need matplotlib")


def make_history(one=3, two=8, shift=0.0):
    """What ``metrics.json`` holds of so many epochs of each stage."""
    first = [{"total": 0.7 - 0.1 * epoch, "matching": 0.7 - 0.1 * epoch} for epoch in range(one)]
    second = [
        {"total": 1.8 - 0.1 * epoch + shift, "answer": 1.7 - 0.1 * epoch + shift, "synchrony": 0.1 / (1 + epoch)}
        for epoch in range(two)
    ]
    return [
        *({"stage": "stage I", "epoch": place + 1, "losses": losses} for place, losses in enumerate(first)),
        *(
            {"stage": "stage II", "epoch": place + 1, "losses": losses, "validation": 0.3 + 0.04 * place + shift / 10}
            for place, losses in enumerate(second)
        ),
    ]


def panels(figure):
    return {axis.get_title(): axis for axis in figure.axes if axis.get_title()}


def curve(axis, number=0):
    lines = [line for line in axis.lines if line.get_linestyle() != "None"]
    return lines[number].get_xdata().tolist(), lines[number].get_ydata().tolist()


def crosses(axis):
    return [x for line in axis.lines if line.get_linestyle() == "None" for x in line.get_xdata().tolist()]


def test_each_stage_has_a_row_of_its_losses_and_its_accuracy_at_the_end():
    figure = curves_figure(make_history())
    assert list(panels(figure)) == [
        "stage I: total",
        "stage I: matching",
        "stage II: total",
        "stage II: answer",
        "stage II: synchrony",
        "stage II: validation accuracy",
    ]
    rows = [axis.get_subplotspec().rowspan.start for axis in panels(figure).values()]
    assert rows == [0, 0, 1, 1, 1, 1]


def test_curves_are_the_numbers_by_epoch_in_units_that_are_named():
    history = make_history()
    drawn = panels(curves_figure(history))
    second = [entry for entry in history if entry["stage"] == "stage II"]
    assert curve(drawn["stage II: answer"]) == (list(range(1, 9)), [entry["losses"]["answer"] for entry in second])
    accuracy = drawn["stage II: validation accuracy"]
    assert curve(accuracy)[1] == [entry["validation"] for entry in second]
    assert accuracy.yaxis.get_major_formatter()(0.625) == "62.5"
    assert accuracy.get_ylabel() == "accuracy (%)"
    assert drawn["stage I: total"].get_ylabel() == "loss (nats)"
    assert {axis.get_xlabel() for axis in drawn.values()} == {"epoch"}


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf])
def test_what_is_not_finite_leaves_a_gap_that_is_marked(value):
    history = make_history(one=0)
    history[2]["losses"]["answer"] = value
    history[5]["validation"] = value
    figure = curves_figure(history)
    drawn = panels(figure)
    for name, epoch in (("stage II: answer", 3), ("stage II: validation accuracy", 6)):
        values = curve(drawn[name])[1]
        assert [place + 1 for place, found in enumerate(values) if not math.isfinite(found)] == [epoch]
        assert crosses(drawn[name]) == [epoch]
    assert crosses(drawn["stage II: total"]) == []
    assert "missing or not finite" in words_of(figure)
    assert "missing" not in words_of(curves_figure(make_history()))


def test_what_is_missing_leaves_a_gap_too():
    history = make_history(one=0)
    del history[3]["validation"], history[4]["losses"]["synchrony"]
    drawn = panels(curves_figure(history))
    assert crosses(drawn["stage II: validation accuracy"]) == [4]
    assert crosses(drawn["stage II: synchrony"]) == [5]


def test_a_curve_without_any_number_is_all_gaps():
    history = make_history(one=0, two=3)
    for entry in history:
        entry["losses"]["answer"] = None
    figure = curves_figure(history)
    assert crosses(panels(figure)["stage II: answer"]) == [1, 2, 3]
    check_legible(figure)


def test_runs_differ_by_colour_line_and_marker_and_are_named():
    runs = {f"seed {seed}": make_history(shift=seed / 10) for seed in range(4)}
    figure = curves_figure(runs)
    lines = panels(figure)["stage II: total"].lines
    for look in ("get_color", "get_linestyle", "get_marker"):
        assert len({getattr(line, look)() for line in lines}) == 4
    assert all(run in words_of(figure) for run in runs)
    assert curve(panels(figure)["stage II: total"], 2)[1][0] == pytest.approx(2.0)


def test_a_run_that_lacks_a_loss_or_a_stage_has_no_curve_of_it():
    shorter = make_history(one=0)
    for entry in shorter:
        del entry["losses"]["synchrony"]
    drawn = panels(curves_figure({"full": make_history(), "shorter": shorter}))
    assert len(drawn["stage II: synchrony"].lines) == 1
    assert len(drawn["stage I: total"].lines) == 1
    assert len(drawn["stage II: answer"].lines) == 2


def test_many_runs_still_look_different():
    runs = {str(number): make_history(one=0, two=2) for number in range(30)}
    lines = panels(curves_figure(runs))["stage II: total"].lines
    assert len({(line.get_color(), line.get_linestyle(), line.get_marker()) for line in lines}) == 30


@pytest.mark.parametrize(("one", "runs"), [(0, 1), (1, 2), (3, 1), (3, 6)])
def test_all_text_is_legible(one, runs):
    histories = {f"tjstg_sharp, seed {run}": json.loads(json.dumps(make_history(one))) for run in range(runs)}
    histories["tjstg_sharp, seed 0"][-1]["validation"] = None
    check_legible(curves_figure(histories if runs > 1 else histories["tjstg_sharp, seed 0"]))


def test_small_numbers_are_written_out():
    history = [{"stage": "stage II", "epoch": 1 + i, "losses": {"synchrony": 1e-7 * (1 + i)}} for i in range(3)]
    figure = curves_figure(history)
    check_legible(figure)
    labels = [label.get_text() for label in panels(figure)["stage II: synchrony"].get_yticklabels()]
    assert all(float(label) < 1e-6 for label in labels)
    assert not np.allclose([float(label) for label in labels], 0, atol=1e-9)


@pytest.mark.parametrize(
    ("history", "told"),
    [
        ([], "history: expected at least one epoch, got none"),
        ({"model": "tjstg"}, "history of model: expected a list of epochs, got 'tjstg'"),
        ({"a": 3}, "history of a: expected a list of epochs, got 3"),
        ([{"stage": "stage I"}], "history: entry 0: expected stage, epoch and losses, got "),
        ([3], "history: entry 0: expected stage, epoch and losses, got 3"),
        (
            {"a": [{"stage": "stage I", "epoch": 1, "losses": {"total": "low"}}]},
            "history of a: entry 0: total: expected a number, got 'low'",
        ),
    ],
)
def test_what_is_no_history_is_told(history, told):
    with pytest.raises(DataError, match=told):
        curves_figure(history)


def test_it_looks_as_it_did(tmp_path):
    history = make_history()
    history[5]["losses"]["answer"] = None
    check_image(curves_figure({"tjstg": history, "avst": make_history(two=6, shift=0.2)}), "curves", tmp_path)
