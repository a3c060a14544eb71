import csv
import sys

import pytest

from avground.errors import ConfigError
from avground.training.logs import CSV, TENSORBOARD, HistoryLog, check_logs, flatten, make_loggers


def _entry(stage, epoch, value):
    entry = {
        "stage": stage,
        "epoch": epoch,
        "losses": {"total": value, "matching": value / 3},
        "learning_rate": 2e-4,
        "speed": {"samples_per_second": 1000 * value, "seconds": 0.5},
        "memory": {"peak_bytes": 123456789},
    }
    if stage == "stage II":
        entry["validation"] = value / 7
        entry["attention"] = {"cells": {"entropy": value, "peak_over_uniform": 1.5, "segments": 90}}
        entry["grounding"] = {"pointing": {"accuracy": value / 9, "segments": 90}}
    return entry


HISTORY = [_entry("stage I", 1, 0.9), _entry("stage I", 2, 0.8), _entry("stage II", 1, 0.7), _entry("stage II", 2, 0.6)]
LOSS = "stage II/loss/total"


def _write(folder, entries, history=(), names=("csv",)):
    log = HistoryLog(make_loggers(names, folder), history)
    for entry in entries:
        log.write(entry)
    log.close()


def _rows(folder):
    with (folder / CSV).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _scalars(folder):
    """What TensorBoard shows."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder / TENSORBOARD)).Reload()
    return {name: [(s.step, s.value) for s in events.Scalars(name)] for name in events.Tags()["scalars"]}


def test_an_epoch_has_these_names():
    assert flatten(HISTORY[2]) == {
        "epoch": 1,
        "stage II/loss/total": 0.7,
        "stage II/loss/matching": 0.7 / 3,
        "learning_rate": 2e-4,
        "validation/accuracy": 0.7 / 7,
        "attention/cells/entropy": 0.7,
        "attention/cells/peak_over_uniform": 1.5,
        "pointing/accuracy": 0.7 / 9,
        "speed/samples_per_second": 700.0,
        "speed/seconds": 0.5,
        "memory/peak_bytes": 123456789,
    }


def test_what_is_new_keeps_its_name_and_what_is_no_number_is_an_error():
    assert flatten({"stage": "x", "gradient": {"norm": 2.0, "clipped": None}}) == {"gradient/norm": 2.0}
    with pytest.raises(TypeError, match="gradient/norm: expected a number, got 'large'"):
        flatten({"stage": "x", "gradient": {"norm": "large"}})


def test_a_row_an_epoch_under_columns_in_alphabetical_order(tmp_path):
    _write(tmp_path, HISTORY)
    rows = _rows(tmp_path)
    assert list(rows[0]) == sorted({name for entry in HISTORY for name in flatten(entry)} | {"step"})
    assert [row["step"] for row in rows] == ["1", "2", "3", "4"]
    assert [row["epoch"] for row in rows] == ["1", "2", "1", "2"]
    for row, entry in zip(rows, HISTORY, strict=True):
        numbers = {name: float(text) for name, text in row.items() if text and name != "step"}
        assert numbers == flatten(entry)


def test_the_file_is_whole_after_every_epoch(tmp_path):
    log = HistoryLog(make_loggers(["csv"], tmp_path))
    assert not (tmp_path / CSV).exists()
    for done, entry in enumerate(HISTORY, start=1):
        log.write(entry)
        assert len(_rows(tmp_path)) == done
        assert float(_rows(tmp_path)[-1]["learning_rate"]) == 2e-4


@pytest.mark.parametrize("cut", range(5))
def test_a_run_that_goes_on_has_the_file_of_one_that_was_not_interrupted(tmp_path, cut):
    whole, resumed = tmp_path / "whole", tmp_path / "resumed"
    resumed.mkdir()
    (resumed / "last.pt").write_bytes(b"a checkpoint")
    _write(whole, HISTORY)
    # Of the first attempt an epoch more was logged than the checkpoint knows.
    _write(resumed, HISTORY[: cut + 1])
    _write(resumed, HISTORY[cut:], history=HISTORY[:cut])
    assert (resumed / CSV).read_bytes() == (whole / CSV).read_bytes()
    assert (resumed / "last.pt").read_bytes() == b"a checkpoint"
    assert {path.name for path in resumed.iterdir()} == {CSV, "last.pt"}


def test_tensorboard_shows_every_epoch_once_also_after_an_interruption(tmp_path):
    whole, resumed = tmp_path / "whole", tmp_path / "resumed"
    _write(whole, HISTORY, names=["tensorboard"])
    _write(resumed, HISTORY[:3], names=["tensorboard"])
    (resumed / TENSORBOARD / "notes.txt").write_text("mine")
    _write(resumed, HISTORY[2:], history=HISTORY[:2], names=["tensorboard"])
    shown = _scalars(whole)
    assert shown.keys() == {name for entry in HISTORY for name in flatten(entry)}
    assert shown[LOSS] == [(3, pytest.approx(0.7)), (4, pytest.approx(0.6))]
    assert _scalars(resumed) == shown
    assert (resumed / TENSORBOARD / "notes.txt").read_text() == "mine"


def test_epochs_that_are_repeated_otherwise_show_as_they_were_the_last_time(tmp_path):
    _write(tmp_path, [*HISTORY[:3], _entry("stage II", 2, 99.0)], names=["csv", "tensorboard"])
    _write(tmp_path, HISTORY[3:], history=HISTORY[:3], names=["csv", "tensorboard"])
    assert _scalars(tmp_path)[LOSS] == [(3, pytest.approx(0.7)), (4, pytest.approx(0.6))]
    assert [row[LOSS] for row in _rows(tmp_path)] == ["", "", "0.7", "0.6"]
    assert {path.name for path in tmp_path.iterdir()} == {CSV, TENSORBOARD}


def test_without_loggers_nothing_is_written(tmp_path):
    _write(tmp_path, HISTORY, names=[])
    assert list(tmp_path.iterdir()) == []


def test_numbers_that_are_not_finite_are_written_as_such(tmp_path):
    entry = {**HISTORY[2], "validation": float("nan")}
    _write(tmp_path, [entry], names=["csv", "tensorboard"])
    assert _rows(tmp_path)[0]["validation/accuracy"] == "nan"
    ((_, value),) = _scalars(tmp_path)["validation/accuracy"]
    assert value != value


def test_a_missing_package_is_named_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(ConfigError, match=r'tensorboard, which is not installed: pip install "avground\[log\]"'):
        check_logs(["csv", "tensorboard"], tmp_path, resume=False)
    check_logs(["csv"], tmp_path, resume=False)


def test_wrong_names_are_named(tmp_path):
    with pytest.raises(ConfigError, match="loggers: expected one of 'csv', 'tensorboard', got 'wandb'"):
        check_logs(["wandb"], tmp_path, resume=False)
    with pytest.raises(ConfigError, match="loggers: expected each once, got 'csv', 'csv'"):
        check_logs(["csv", "csv"], tmp_path, resume=False)


@pytest.mark.parametrize("name", ["csv", "tensorboard"])
def test_logs_of_something_else_are_not_overwritten(tmp_path, name):
    _write(tmp_path, HISTORY, names=[name])
    with pytest.raises(ConfigError, match=r"expected a folder without logs, got .*/(metrics\.csv|tensorboard): move"):
        check_logs([name], tmp_path, resume=False)
    check_logs([name], tmp_path, resume=True)
    check_logs({"csv": ["tensorboard"], "tensorboard": ["csv"]}[name], tmp_path, resume=False)
