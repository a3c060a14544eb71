import json

import pytest

from avground.training import train
from avground.training.attention import AttentionMetric
from avground.training.report import _attention_line, _finite

ATTENTION = {
    "time": {"agreement": 0.99812, "js_nats": 0.0013, "questions": 9},
    "audio": {"entropy": 0.99, "questions": 9},
    "cells": {"entropy": 0.5, "peak_over_uniform": 18.0, "segments": 90},
}


def _train(run, folder):
    """Whatever else a run writes is not looked at here."""
    train(run, folder)
    return json.loads((folder / "metrics.json").read_text())


def test_attention_and_warnings_are_reported(make_run, tmp_path, capsys):
    report = _train(make_run(epochs=1, stage_one_epochs=0), tmp_path / "run")
    attention = report["test"]["attention"]
    assert list(attention) == ["time", "audio", "visual", "cells", "target"]
    assert attention["time"]["questions"] == report["test"]["count"]["All"]
    assert attention["cells"]["entropy"] > 0.99
    kinds = [warning["kind"] for warning in report["warnings"]]
    assert "attention/cells" in kinds
    assert len(set(kinds)) == len(kinds)
    printed = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("temporal agreement ") for line in printed) == 1
    warned = [line.split("(")[0] for line in printed if line.startswith("warning: ")]
    assert len(warned) == len(set(warned)) >= len(kinds)  # none is said again that was said after a validation


def test_weights_that_are_not_finite_are_reported_and_lose_no_run(make_run, tmp_path, monkeypatch, capsys):
    original = AttentionMetric.compute

    def compute(self):
        return {of: {**part, "entropy": float("nan")} for of, part in original(self).items()}

    monkeypatch.setattr(AttentionMetric, "compute", compute)
    report = _train(make_run(epochs=1, stage_one_epochs=0), tmp_path / "run")
    assert report["test"]["attention"]["cells"]["entropy"] is None
    assert "attention/not_finite" in [warning["kind"] for warning in report["warnings"]]
    assert "cells not finite" in capsys.readouterr().out


def test_attention_is_one_line():
    line = _attention_line(ATTENTION)
    assert line == (
        "temporal agreement 0.9981 (JS 0.0013 nats); entropy, share of the most: audio 0.9900, cells 0.5000; "
        "largest cell 18.00 x uniform"
    )
    assert _attention_line({}) == ""
    assert _attention_line({"cells": {"entropy": None, "peak_over_uniform": None}}) == (
        "entropy, share of the most: cells not finite; largest cell not finite x uniform"
    )


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_numbers_that_json_lacks_are_null(value):
    found = _finite({"a": [1, value, {"b": (value, "nan", None, True)}], "c": 0.5})
    assert found == {"a": [1, None, {"b": [None, "nan", None, True]}], "c": 0.5}
    json.dumps(found, allow_nan=False)
