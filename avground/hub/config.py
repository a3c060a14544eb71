"""``config.json``: all that a model is apart from its weights. It comes from strangers, and is checked whole."""

import dataclasses
import json
import math
from collections.abc import Mapping
from pathlib import Path, PureWindowsPath
from typing import Any

from avground.data.annotations import FREQUENCIES
from avground.data.table import ALL
from avground.errors import ConfigError, DataError, brief
from avground.models import MODELS
from avground.models.weights import line
from avground.reading import check_plain, read_json
from avground.training import Run
from avground.training.checkpoint import DESCRIBED, check_described

FILE = "config.json"
FORMAT = "avground model 1"
KEYS = frozenset((*DESCRIBED, "format", "model", "metrics", "weights_sha256"))
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
    dump_config(content, str(path))
    return content


def dump_config(content: Mapping[str, Any], where: str) -> bytes:
    """The text of ``config.json``.

    Raises:
        DataError: if there is a number in it that is not finite, or half a character: no file can hold those.
    """
    try:
        return f"{json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)}\n".encode()
    except ValueError as error:
        raise DataError(f"{where}: expected finite numbers and whole characters, got {line(error)}") from error


def check_config(content: Mapping[str, Any], where: str) -> None:
    """Check the entries that are not checked where they are used."""
    if not isinstance(content["model"], str) or content["model"] not in MODELS:
        raise DataError(f"{where}: model: expected one of {', '.join(MODELS)}, got {brief(content['model'])}")
    check_described(content, where)
    if content["run"].get("model") != content["model"]:
        raise DataError(
            f"{where}: run: expected the model {content['model']!r}, got {brief(content['run'].get('model'))}"
        )
    if not isinstance(content["weights_sha256"], str):
        raise DataError(f"{where}: weights_sha256: expected a string, got {brief(content['weights_sha256'])}")
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
            _check_scores(metrics[split], f"{where}: {split}")
            if ALL not in metrics[split]["count"]:
                raise DataError(f"{where}: {split}: expected the row {ALL}, got none")
    test = metrics["test"]
    for part in FREQUENCIES:
        if part in test:
            _check_scores(test[part], f"{where}: test: {part}")
    for stream, row in _entries(test, "shuffled", ("audio", "visual"), f"{where}: test"):
        if not _is_number(row.get(ALL)):
            raise DataError(f"{where}: test: shuffled: {stream}: expected the row {ALL}, got {brief(row)}")
    for measure, found in _entries(test, "grounding", ("pointing", "temporal_overlap"), f"{where}: test"):
        if any(isinstance(value, Mapping) for value in found.values()):
            raise DataError(f"{where}: test: grounding: {measure}: expected numbers, got {brief(found)}")
    for name in ("parameters", "best_epoch", "seconds"):
        if name in metrics and not _is_number(metrics[name]):
            raise DataError(f"{where}: {name}: expected a number, got {brief(metrics[name])}")
    alerts = metrics.get("warnings", [])
    if not isinstance(alerts, list) or not all(
        isinstance(one, Mapping) and isinstance(one.get("text"), str) for one in alerts
    ):
        raise DataError(f"{where}: warnings: expected a list of texts, got {brief(alerts)}")
    _check_numbers({name: value for name, value in metrics.items() if name != "warnings"}, where)


def _check_scores(scores: Any, where: str) -> None:
    rows = [scores.get(name) if isinstance(scores, Mapping) else None for name in ("accuracy", "prior", "count")]
    if not all(isinstance(row, Mapping) and set(row) == set(rows[0] or {}) for row in rows):
        raise DataError(f"{where}: expected accuracy, prior and count of the same rows")
    for name in ("accuracy", "prior", "count"):
        for row, value in scores[name].items():
            if not _is_number(value):
                raise DataError(f"{where}: {name}: {row}: expected a number, got {brief(value)}")


def _entries(
    scores: Mapping[str, Any], name: str, known: tuple[str, ...], where: str
) -> list[tuple[str, Mapping[str, Any]]]:
    """The entries under a name, if there is one."""
    found = scores.get(name, {})
    if not isinstance(found, Mapping) or not set(found) <= set(known):
        raise DataError(f"{where}: {name}: expected at most {' and '.join(known)}, got {brief(found)}")
    for key, entry in found.items():
        if not isinstance(entry, Mapping):
            raise DataError(f"{where}: {name}: {key}: expected names and numbers, got {brief(entry)}")
    return list(found.items())


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


def last_name(path: str) -> str:
    """The last name of a path of any system: where data lay on somebody's machine is nobody's business."""
    name = PureWindowsPath(path).name  # which knows both kinds of slash
    return name.encode(errors="replace").decode()  # On Linux a name may be no text.


def run_without_folders(run: Run) -> Run:
    """A run of whose folders only the last names are left."""
    names = ("data", "annotations", "features", "audio_features", "visual_features")
    kept: dict[str, Any] = {name: last_name(path) for name in names if (path := getattr(run, name)) is not None}
    return dataclasses.replace(run, **kept)


def files_without_folders(files: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """What is known of question files, under their names and those of the folders they are in, if in any.

    Raises:
        ConfigError: if two of them have the same name then.
    """
    kept: dict[str, Mapping[str, Any]] = {}
    for path, about in files.items():
        folder, name = last_name(str(PureWindowsPath(path).parent)), last_name(path)
        short = f"{folder}/{name}" if folder else name
        if short in kept:
            raise ConfigError(f"files: expected each name once in a folder of a name, got {brief(short)} twice")
        kept[short] = about
    return kept
