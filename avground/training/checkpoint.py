"""Checkpoints: written in one step or not at all, and read without running code that a file brings along."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import torch

from avground.data import Vocabulary
from avground.data.annotations import check_template
from avground.data.features import check_description
from avground.data.files import atomic_file
from avground.errors import ConfigError, DataError, brief
from avground.models import MODELS, Network
from avground.models.weights import check_weights, line, read_safely
from avground.reading import check_plain
from avground.training.run import Run

FORMAT = "avground checkpoint 2"
DESCRIBED = ("model_config", "run", "vocabulary", "templates", "features", "files", "versions")
"""Keys that say what a model is apart from its weights; models of a hub have them too."""

KEYS = frozenset((*DESCRIBED, "format", "model", "progress", "optimizer", "precision"))

_MAPPINGS = ("progress", "optimizer", "precision")
_MOST_WEIGHTS = 10_000


def write_atomically(path: str | os.PathLike[str], content: bytes | dict[str, Any]) -> None:
    """Write bytes, or a checkpoint, so that a crash or another process sees the old file or the new one whole.

    Args:
        path: The file; its folder is made.
        content: Bytes, or a dict of what :func:`torch.load` may read back with ``weights_only``.
    """
    with atomic_file(path) as file:
        if isinstance(content, bytes):
            file.write(content)
        else:
            torch.save(content, file)


def read_checkpoint(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a checkpoint as it is, on the CPU.

    Raises:
        DataError: if the file is missing, cut short, damaged, no checkpoint of avground, lacks or has keys it should
            not, or holds something else under one.
    """
    content = read_safely(path, "checkpoint")
    if not isinstance(content, dict) or not str(content.get("format", "")).startswith("avground checkpoint"):
        keys = ", ".join(map(str, list(content)[:5]))[:200] if isinstance(content, dict) else type(content).__name__
        raise DataError(f"{path}: expected a checkpoint of avground, got a file that holds {keys or 'nothing'}")
    if content["format"] != FORMAT:
        raise DataError(
            f"{path}: expected the format {FORMAT!r}, got {brief(content['format'])}: use the version that wrote it"
        )
    if set(content) != KEYS:
        missing, unknown = sorted(KEYS - set(content)) or "none", brief(sorted(map(str, set(content) - KEYS)))
        raise DataError(f"{path}: expected the keys of a checkpoint; missing: {missing}, unknown: {unknown}")
    for key in DESCRIBED:
        check_plain(content[key], f"{path}: {key}")
    for key in _MAPPINGS:
        if not isinstance(content[key], dict):
            raise DataError(f"{path}: {key}: expected names and values, got {type(content[key]).__name__}")
    check_described(content, str(path))
    return dict(content)


def check_described(content: Mapping[str, Any], where: str) -> None:
    """Check what is said of a model beside its weights, in a checkpoint or in a folder for the hub.

    Run, model configuration and vocabulary are checked by :func:`rebuild`.

    Args:
        content: Plain values under ``model_config``, ``run``, ``templates``, ``features``, ``files`` and ``versions``.
        where: The file, for errors.

    Raises:
        DataError: names the entry.
    """
    for key in ("model_config", "run", "files", "versions"):
        if not isinstance(content[key], Mapping):
            raise DataError(f"{where}: {key}: expected names and values, got {type(content[key]).__name__}")
    check_description(content["features"], f"{where}: features")
    templates = content["templates"]
    if not isinstance(templates, list) or not all(isinstance(template, str) for template in templates):
        raise DataError(f"{where}: templates: expected a list of strings, got {type(templates).__name__}")
    for template in templates:
        check_template(template, f"{where}: templates")
    for name, about in content["files"].items():
        if not isinstance(about, Mapping) or not isinstance(about.get("sha256"), str):
            raise DataError(f"{where}: files: {brief(name)}: expected its sha256, got {brief(about)}")
    for name, version in content["versions"].items():
        if not isinstance(version, str):
            raise DataError(f"{where}: versions: {brief(name)}: expected a string, got {brief(version)}")


def load_checkpoint(path: str | os.PathLike[str]) -> tuple[Network, Vocabulary, Run]:
    """Load a trained model, with what is needed to use it.

    For example ``model, vocabulary, run = load_checkpoint("runs/tjstg-core-0/best.pt")``.

    Args:
        path: A file that :func:`avground.training.train` wrote.

    Returns:
        The model in evaluation mode on the CPU, the words and answers it knows, and the run that trained it.

    Raises:
        DataError: if the file is no complete checkpoint, or its weights do not fit its configuration.
    """
    return rebuild(read_checkpoint(path), str(path))


def rebuild(content: Mapping[str, Any], path: str) -> tuple[Network, Vocabulary, Run]:
    """What :func:`load_checkpoint` returns, from what :func:`read_checkpoint` returned.

    Args:
        content: The checkpoint's content.
        path: The file, for errors.

    Raises:
        DataError: if the weights or the vocabulary do not fit the configuration.
    """
    weights, settings = content["model"], content["model_config"]
    if not isinstance(weights, Mapping):
        raise DataError(f"{path}: expected at most {_MOST_WEIGHTS:,} named weights, got {type(weights).__name__}")
    with _known(path):
        run = Run.from_dict(content["run"])
    check_weights(outline(run.model, settings, len(weights), path), weights, path)
    with _known(path):
        model = MODELS[run.model](**settings)
    model.load_state_dict(dict(weights))
    try:
        vocabulary = Vocabulary.from_dict(content["vocabulary"])
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    sizes = len(vocabulary.words), len(vocabulary.answers)
    if sizes != (model.config.vocabulary_size, model.config.answers):
        expected = f"{model.config.vocabulary_size} words and {model.config.answers} answers, as its model has"
        raise DataError(f"{path}: expected a vocabulary of {expected}, got {sizes[0]} and {sizes[1]}")
    return model.eval(), vocabulary, run


def outline(name: str, settings: Mapping[str, Any], weights: int, path: str) -> Network:
    """A model on the device ``meta``: its sizes may be anything until weights are known to fit it.

    Args:
        name: Name in :data:`avground.models.MODELS`.
        settings: The model's configuration.
        weights: How many weights there are: sizes take no memory there, but each layer is an object.
        path: The file, for errors.

    Raises:
        DataError: if there are too many weights, more layers than weights, or there is no such configuration.
    """
    if weights > _MOST_WEIGHTS:
        raise DataError(f"{path}: expected at most {_MOST_WEIGHTS:,} named weights, got {weights:,}")
    with _known(path):
        for key, value in settings.items():
            if "layers" in key and isinstance(value, int) and value > weights:
                raise ConfigError(f"{key}: expected at most as many layers as weights, {weights}, got {value}")
        with torch.device("meta"):
            return MODELS[name](**settings)


@contextmanager
def _known(path: str) -> Iterator[None]:
    """What settings end in that cannot be: sizes that no tensor can have, for one, in many errors of torch's."""
    try:
        yield
    except Exception as error:
        raise DataError(f"{path}: expected a configuration that this version knows: {line(error)}") from error


def make_checkpoint(model: Network, run: Run, vocabulary: Vocabulary, **rest: Any) -> dict[str, Any]:
    """The content of a checkpoint; ``rest`` gives the keys of :data:`KEYS` that are not made here."""
    return {
        "format": FORMAT,
        "model": model.state_dict(),
        "model_config": asdict(model.config),
        "run": run.to_dict(),
        "vocabulary": vocabulary.to_dict(),
        **rest,
    }
