"""The scripts that make the figures: their statistics, their tables, and that the committed ones are what they make."""

import json
import math
import subprocess
import sys

import pytest

from avground.models import ABLATIONS
from tests.benchmarks.scripts import RESULTS, ROOT, load


@pytest.fixture(scope="module")
def scripts():
    """The scripts as modules: they import each other as a folder of scripts does."""
    return load("common", "reproduce", "account", "readme")


@pytest.mark.parametrize(
    ("degrees", "quantile"), [(1, 12.7062), (2, 4.30265), (3, 3.18245), (4, 2.77645), (9, 2.26216), (30, 2.04227)]
)
def test_students_t_is_that_of_the_books(scripts, degrees, quantile):
    common = scripts["common"]
    assert common.t_quantile(0.975, degrees) == pytest.approx(quantile, abs=1e-4)
    assert common.t_distribution(quantile, degrees) == pytest.approx(0.975, abs=1e-5)
    assert common.t_distribution(-quantile, degrees) == pytest.approx(0.025, abs=1e-5)
    assert common.t_distribution(0.0, degrees) == pytest.approx(0.5)


def test_a_paired_test_by_hand(scripts):
    found = scripts["common"].paired([3.0, 5.0, 4.0], [1.0, 2.0, 3.0])
    assert found["mean"] == pytest.approx(2)
    assert found["deviation"] == pytest.approx(1)
    assert found["interval"] == pytest.approx([2 - 4.30265 / math.sqrt(3), 2 + 4.30265 / math.sqrt(3)], abs=1e-4)
    assert found["p"] == pytest.approx(0.0742, abs=1e-4)  # t = 3.4641 with 2 degrees of freedom
    assert "p" not in scripts["common"].paired([1.0, 2.0], [1.0, 2.0])
    assert scripts["common"].paired([1.0], [0.5]) == {"mean": 0.5, "values": [0.5]}


def test_rows_that_are_one_configuration_share_their_runs(scripts):
    representative = scripts["reproduce"].representative
    same = {"target_hard", "threshold_0.005", "interleave_va", "single_stream", "full", "tjstg"}
    assert {representative(name) for name in same} == {"full"}
    others = [name for name in ABLATIONS if name not in same]
    assert [representative(name) for name in others] == others


def test_every_row_of_the_paper_is_in_the_table_of_its_number(scripts):
    tables = scripts["reproduce"].TABLES
    for name, row in ABLATIONS.items():
        assert [n for n in range(1, 8) if name in tables[str(n)]] == list(row.tables)
    for table, names in tables.items():
        assert scripts["reproduce"].REFERENCES.get(table, "full") in {
            scripts["reproduce"].representative(n) for n in names
        }


def test_a_table_is_trained_tabulated_and_never_trained_twice(tmp_path, monkeypatch):
    """The whole script on the smallest world; the second time one run is half gone, and goes on."""
    monkeypatch.setenv("AVGROUND_CACHE", str(tmp_path / "cache"))
    command = [sys.executable, "benchmarks/reproduce.py", "--table", "7", "--world", "tiny", "--seeds", "1"]
    command += ["--runs", str(tmp_path / "runs"), "--results", str(tmp_path / "results")]
    first = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert first.returncode == 0, first.stderr
    result = json.loads((tmp_path / "results" / "table-7-tiny.json").read_text())
    assert result["seeds"] == [0]
    assert set(result["rows"]) == {"dual_stream", "single_stream"}
    dual, single = result["rows"]["dual_stream"], result["rows"]["single_stream"]
    assert (dual["paper"], single["paper"]) == (72.89, 73.04)
    assert single["difference"] is None
    assert dual["difference"]["mean"] == pytest.approx(dual["accuracy"]["mean"] - single["accuracy"]["mean"])
    assert dual["parameters_at_published_sizes"] == 7_916_716
    assert {"pointing", "overlap", "prior", "audio_shuffled"} <= set(dual)
    kept = (tmp_path / "results" / "table-7-tiny.md").read_text()
    assert "| dual stream (`dual_stream`) | 72.89 |" in kept
    runs = tmp_path / "runs" / "tiny"
    assert sorted(path.name for path in runs.iterdir()) == ["dual_stream", "full"]
    written = (runs / "full" / "0" / "metrics.json").stat().st_mtime_ns
    (runs / "dual_stream" / "0" / "metrics.json").unlink()
    again = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert again.returncode == 0, again.stderr
    assert (runs / "full" / "0" / "metrics.json").stat().st_mtime_ns == written
    assert (tmp_path / "results" / "table-7-tiny.md").read_text() == kept


# ---- what is committed ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", range(1, 8))
def test_every_row_has_a_line_in_a_committed_result(table):
    result = json.loads((RESULTS / f"table-{table}-target.json").read_text())
    assert len(result["seeds"]) >= 3
    for name in (name for name, row in ABLATIONS.items() if table in row.tables):
        row = result["rows"][name]
        assert (row["row"], row["paper"]) == (ABLATIONS[name].row, ABLATIONS[name].paper)
        assert len(row["accuracy"]["values"]) == len(result["seeds"])


@pytest.mark.parametrize("path", sorted(RESULTS.glob("table-*.json")), ids=lambda path: path.stem)
def test_a_committed_table_is_that_of_its_numbers(scripts, path):
    rendered = scripts["reproduce"].render(json.loads(path.read_text()))
    assert path.with_suffix(".md").read_text() == rendered + "\n"


def test_the_tables_in_the_readme_and_docs_are_those_of_the_results(scripts):
    text = (ROOT / "README.md").read_text()
    assert scripts["readme"].tables(text) == text
    for page in (ROOT / "docs").glob("*.md"):
        assert scripts["account"].fill_page(page.read_text()) == page.read_text(), page.name
