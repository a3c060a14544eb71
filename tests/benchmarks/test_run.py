"""The benchmarks of speed run from end to end, refuse ways that disagree, and fill the page with their figures."""

import json

import pytest
import torch

from tests.benchmarks.scripts import ROOT, load


@pytest.fixture(scope="module")
def scripts():
    return load("run", "speed.timing", "speed_tables", "curves")


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning")
@pytest.mark.parametrize("case", ["op", "model", "loader", "schedule"])
def test_every_case_works(scripts, case, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    found = scripts["run"].main([case, "--quick", "--device", "cpu", "--output", str(tmp_path)])
    written = json.loads((tmp_path / f"speed-{case}-cpu.json").read_text())
    assert written == json.loads(json.dumps(found[case]))
    assert {"command", "date", "machine", "versions", "commit", "seed", "device"} <= written.keys()
    rows = scripts["speed_tables"].__dict__[case](written).splitlines()
    assert len(rows) > 2
    assert all(row.count("|") == rows[0].count("|") for row in rows if row.startswith("|"))


def test_quick_runs_write_nothing_unless_told(scripts, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    written = []
    monkeypatch.setattr(scripts["run"], "write_result", lambda *arguments: written.append(arguments))
    scripts["run"].main(["loader", "--quick", "--device", "cpu"])
    assert not written


def test_another_case_is_an_error(scripts, capsys):
    with pytest.raises(SystemExit):
        scripts["run"].main(["speed"])
    assert "expected op, model, loader, schedule, got speed" in capsys.readouterr().err


def test_ways_that_disagree_are_not_timed(scripts):
    check = scripts["timing"].check_agreement
    exact = [torch.ones(3), torch.arange(3.0)]
    assert check({"good": exact}, exact, 1e-6) == 0
    for wrong in (torch.tensor([0.0, 1.0, 2.1]), torch.tensor([0.0, 1.0, torch.nan])):
        with pytest.raises(SystemExit, match="fast: result 1 deviates"):
            check({"good": exact, "fast": [exact[0], wrong]}, exact, 1e-3)


def test_peak_memory_is_what_a_call_holds_at_most(scripts):
    def call():
        first = torch.ones(1_000_000)
        second = first + 1
        del first
        return second * 2

    assert scripts["timing"].peak(call, torch.device("cpu")) == pytest.approx(8, abs=0.5)


def test_ways_take_turns(scripts):
    order = []
    timing = scripts["timing"]
    runs = {name: lambda name=name: order.append(name) for name in ("a", "b")}
    found = timing.compare(runs, torch.device("cpu"), timing.Effort(warmup=1, repeats=3))
    assert order[2:8] == ["a", "b"] * 3
    for entry in found.values():
        low, high = entry["milliseconds"]["quartiles"]
        assert entry["milliseconds"]["least"] <= low <= entry["milliseconds"]["median"] <= high


def test_the_page_states_what_the_result_files_hold(scripts):
    tables = scripts["speed_tables"].make_tables()
    page = (ROOT / "docs" / "speed.md").read_text()
    for name, table in tables.items():
        assert f"<!-- table of {name}: begin -->\n{table}\n<!-- table of {name}: end -->" in page, name


def test_curves_are_compared_seed_by_seed(scripts):
    def report(accuracy, losses):
        history = [{"stage": "stage II", "losses": {"total": loss}, "validation": 0.5} for loss in losses]
        return {"test": {"accuracy": {"All": accuracy}}, "history": history, "seconds": 1.0}

    plain = [report(0.5, [3.0, 2.0]), report(0.6, [3.5, 2.5])]
    found = scripts["curves"].differences([report(0.51, [3.1, 2.0]), report(0.61, [3.5, 2.3])], plain)
    assert found["accuracy"]["mean"] == pytest.approx(0.01)
    assert found["largest_in_any_epoch"] == pytest.approx([0.1, 0.2])
    assert found["largest_between_plain_seeds"] == pytest.approx(0.5)
