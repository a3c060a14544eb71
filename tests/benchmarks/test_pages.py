"""The benchmark of pages runs end to end, on a small split."""

import json

import pytest

from tests.viz.page.conftest import find_browser

from .scripts import load

pytest.importorskip("PIL")


def test_a_small_split_is_measured(tmp_path):
    find_browser()
    pages = load("pages")["pages"]
    pages.main(["--examples", "24", "--cells", "3", "--repeats", "2", "--frames", "5", "--results", str(tmp_path)])
    found = json.loads((tmp_path / "pages.json").read_text())
    assert {"command", "date", "machine", "versions", "seed"} <= set(found)
    assert "chromium" in found["versions"]
    case = found["pages"]["24 x 10 x 3 x 3"]
    assert (case["examples"], case["videos"]) == (24, 5)
    assert case["bytes"] > case["stills"] > 0
    counts = {name: len(values["values"]) for name, values in case["milliseconds"].items()}
    assert counts == {"first_card": 2, "filter": 8, "search": 8}
    for values in case["milliseconds"].values():
        assert 0 < values["quartiles"][0] <= values["median"] <= values["quartiles"][1]
    between = case["milliseconds_between_frames"]
    assert between["frames"] == 10
    assert between["median"] <= between["95 %"] <= between["longest"]
