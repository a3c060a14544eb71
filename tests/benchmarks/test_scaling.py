"""The measurements behind docs/scaling.md work from end to end, and the page states what the result file holds."""

import json
import os
import subprocess
import sys

import pytest

from tests.benchmarks.scripts import ROOT, load


@pytest.fixture(scope="module")
def scripts():
    return load("scaling", "scaling_data", "scaling_steps", "scaling_tables")


@pytest.fixture
def written(tmp_path):
    """What the script measures, in a process of its own, since it starts others."""
    command = [sys.executable, str(ROOT / "benchmarks" / "scaling.py"), "--quick", "--output", str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads((tmp_path / "scaling.json").read_text())


def test_everything_is_measured_and_tabulated(scripts, written):
    assert {"command", "date", "machine", "versions", "seed", "load_before"} <= written.keys()
    assert 0 <= written["steps"]["loss_deviation"] <= 1e-5
    assert set(written["steps"]["ways"]) == set(scripts["scaling_steps"].WAYS)
    assert written["store"]["header_limit"] == 100_000_000
    assert written["videos"]["header_bytes"] == pytest.approx(2 * (written["videos"]["id_length"] + 6), abs=0.5)
    rows, cells = 10 * 16, 4 * 4
    assert written["videos"]["question_bytes"] == {
        "stored": 2 * rows * cells * 2,
        "single precision": 2 * rows * cells * 4,
    }
    assert written["videos"]["bank_bytes"] == rows * cells * 2 + 10 * (4 * cells + 4 * 128)
    common = {name: scripts["scaling_tables"].read_result(name) for name in ("speed-model-cpu", "speed-loader-cpu")}
    tables = scripts["scaling_tables"].make_tables(written, *common.values())
    for name, table in tables.items():
        lines = [line for line in table.splitlines() if line.startswith("|")]
        assert all(line.count("|") == lines[0].count("|") for line in lines), name


def test_quick_runs_write_nothing_unless_told(scripts, monkeypatch):
    def refuse(*_):
        pytest.fail("written")

    monkeypatch.setattr(scripts["scaling"], "measure", lambda *_: {})
    monkeypatch.setattr(scripts["scaling"], "write_result", refuse)
    monkeypatch.setattr(scripts["scaling_tables"], "fill_page", refuse)
    scripts["scaling"].main(["--quick"])


def test_processes_that_disagree_are_not_timed(scripts, monkeypatch, tmp_path):
    class Wrong:
        def __init__(self, count, *_):
            self.loss = 1.0 + 1e-4 * (count == 2)

        def ask(self, *_):
            return {"seconds": 1.0, "loss": self.loss, "bytes": 0}

        def close(self):
            pass

    steps = scripts["scaling_steps"]
    monkeypatch.setattr(steps, "Group", Wrong)
    with pytest.raises(SystemExit, match=r"the loss deviates by 0\.0001"):
        steps.measure(tmp_path, tmp_path, steps.Effort(0, 1), 0)


def test_made_up_questions_are_as_long_as_real_ones(scripts, tmp_path):
    """A row of the published validation questions, laid out as they are, has 271.8 bytes."""
    assert scripts["scaling_data"].write_questions(tmp_path / "all.json", 2000, 400, 0) == pytest.approx(
        271.8, rel=0.03
    )


@pytest.mark.parametrize(
    ("value", "text"), [(12345.6, "12,300"), (218.02, "218"), (62.29, "62.3"), (3.414, "3.41"), (0, "0")]
)
def test_estimates_have_three_digits(scripts, value, text):
    assert scripts["scaling_tables"].figure(value) == text


def test_the_estimates_by_hand(scripts):
    """Each of 8 processes sends a gradient 2 * 7 / 8 times; a GPU leaves a fifth of its 80 GB."""
    tables = scripts["scaling_tables"]
    sent = 2 * 7 / 8 * 40e6
    row = tables.exchanged({"models": {"tjstg": {"bytes": 40_000_000}}}).splitlines()[2]
    assert row.split(" | ")[2] == f"{sent / 1e6:.0f} MB" == "70 MB"
    assert row.split(" | ")[4] == f"{1e3 * sent / 50e9:.2f} ms"
    videos = {"bank_bytes": 2e6, "stored_bytes": 2e6}
    row = tables.features({"videos": videos, "published": {"videos": 1000}}).splitlines()[2]
    assert row.startswith("| each GPU (`device`) | 0.8 x 80 GB | 32,000 | 32")


def test_the_page_states_what_the_result_file_holds(scripts):
    tables = scripts["scaling_tables"]
    names = ("scaling", "speed-model-cpu", "speed-loader-cpu")
    page = (ROOT / "docs" / "scaling.md").read_text()
    for name, table in tables.make_tables(*map(tables.read_result, names)).items():
        assert f"<!-- table of {name}: begin -->\n{table}\n<!-- table of {name}: end -->" in page, name
