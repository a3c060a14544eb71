"""``config.json``: all that a model is apart from its weights. It comes from strangers, and is checked whole."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from avground.data.annotations import check_template
from avground.data.features import check_description
from avground.errors import DataError, brief
from avground.models import MODELS
from avground.reading import check_plain, read_json

FILE = "config.json"
FORMAT = "avground model 1"
KEYS = frozenset(
    {
        "format",
        "model",
        "model_config",
        "run",
        "vocabulary",
        "templates",
        "features",
        "files",
        "metrics",
        "versions",
        "weights_sha256",
    }
)
MOST_BYTES = 16 * 2**20
"""More than the words of any data set need, and little enough to be read."""


def read_config(path: Path) -> dict[str, Any]:
    """Read ``config.json``, and check what it says before anybody relies on it.

    Raises:
        DataError: if it is missing, too large, no JSON, of another format, or holds what cannot be.
    """
    content = read_json(path, "the configuration of a model", most=MOST_BYTES)
    check_plain(content, str(path))
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        got = brief(content.get("format")) if isinstance(content, dict) else type(content).__name__
        raise DataError(f"{path}: expected a model of avground in the format {FORMAT!r}, got {got}")
    if set(content) != KEYS:
        missing, unknown = sorted(KEYS - set(content)), sorted(set(content) - KEYS)
        raise DataError(
            f"{path}: missing keys: {missing or 'none'}, unknown keys: {brief(unknown) if unknown else 'none'}"
        )
    check_config(content, str(path))
    return content


def check_config(content: Mapping[str, Any], where: str) -> None:
    """Check the entries that are not checked where they are used."""
    if not isinstance(content["model"], str) or content["model"] not in MODELS:
        raise DataError(f"{where}: model: expected one of {', '.join(MODELS)}, got {brief(content['model'])}")
    for name in ("model_config", "run", "vocabulary", "files", "versions"):
        if not isinstance(content[name], Mapping):
            raise DataError(f"{where}: {name}: expected a mapping, got {type(content[name]).__name__}")
    if content["run"].get("model") != content["model"]:
        raise DataError(
            f"{where}: run: expected the model {content['model']!r}, got {brief(content['run'].get('model'))}"
        )
    if not isinstance(content["templates"], list) or not all(isinstance(one, str) for one in content["templates"]):
        raise DataError(f"{where}: templates: expected a list of strings, got {type(content['templates']).__name__}")
    for template in content["templates"]:
        check_template(template, f"{where}: templates")
    for name, about in content["files"].items():
        if not isinstance(about, Mapping) or not isinstance(about.get("sha256"), str):
            raise DataError(f"{where}: files: {name}: expected its sha256, got {brief(about)}")
    for name, version in content["versions"].items():
        if not isinstance(version, str):
            raise DataError(f"{where}: versions: {name}: expected a string, got {brief(version)}")
    if not isinstance(content["weights_sha256"], str):
        raise DataError(f"{where}: weights_sha256: expected a string, got {brief(content['weights_sha256'])}")
    check_description(content["features"], f"{where}: features")
    if content["metrics"] is not None:
        check_metrics(content["metrics"], f"{where}: metrics")


def check_metrics(metrics: Any, where: str) -> None:
    """Check what a model scored: see :func:`select_metrics`.

    Raises:
        DataError: names the entry.
    """
    if not isinstance(metrics, Mapping) or not isinstance(metrics.get("test"), Mapping):
        raise DataError(f"{where}: expected a mapping with the key test, got {brief(metrics)}")
    for split in ("validation", "test"):
        if split in metrics:
            _check_rows(metrics[split], f"{where}: {split}")
    alerts = metrics.get("warnings", [])
    if not isinstance(alerts, list) or not all(
        isinstance(one, Mapping) and isinstance(one.get("text"), str) for one in alerts
    ):
        raise DataError(f"{where}: warnings: expected a list of texts, got {brief(alerts)}")
    _check_numbers({name: value for name, value in metrics.items() if name != "warnings"}, where)


def _check_rows(scores: Any, where: str) -> None:
    rows = [scores.get(name) if isinstance(scores, Mapping) else None for name in ("accuracy", "prior", "count")]
    if not all(isinstance(row, Mapping) and set(row) == set(rows[0] or {}) and "All" in row for row in rows):
        raise DataError(f"{where}: expected accuracy, prior and count of the same rows, All among them")
    for name in ("accuracy", "prior", "count"):
        for row, value in scores[name].items():
            if not _is_number(value):
                raise DataError(f"{where}: {name}: {row}: expected a number, got {brief(value)}")


def _check_numbers(value: Any, where: str) -> None:
    if isinstance(value, Mapping):
        for name, entry in value.items():
            _check_numbers(entry, f"{where}: {name}")
    elif value is not None and not _is_number(value):
        raise DataError(f"{where}: expected a number, got {brief(value)}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def select_metrics(report: Mapping[str, Any]) -> dict[str, Any]:
    """Of ``metrics.json`` what belongs to the model: what it scored, and what training it took."""
    kept = ("parameters", "best_epoch", "seconds", "validation", "test", "warnings")
    return {name: report[name] for name in kept if name in report}
