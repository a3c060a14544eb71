"""Checkpoints: written in one step or not at all, and read without running code that a file brings along."""

import os
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import torch

from avground.data import Vocabulary
from avground.data.features import check_description
from avground.data.files import atomic_file
from avground.errors import ConfigError, DataError
from avground.models import MODELS, Network
from avground.models.weights import line, load_weights, read_safely
from avground.training.run import Run

FORMAT = "avground checkpoint 2"
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
        "progress",
        "optimizer",
        "precision",
        "versions",
    }
)


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
        DataError: if the file is missing, cut short, no checkpoint of avground, or lacks or has keys it should not.
    """
    content = read_safely(path, "checkpoint")
    if not isinstance(content, dict) or not str(content.get("format", "")).startswith("avground checkpoint"):
        keys = ", ".join(map(str, list(content)[:5])) if isinstance(content, dict) else type(content).__name__
        raise DataError(f"{path}: expected a checkpoint of avground, got a file that holds {keys or 'nothing'}")
    if content["format"] != FORMAT:
        raise DataError(
            f"{path}: expected the format {FORMAT!r}, got {content['format']!r}: use the version that wrote it"
        )
    if set(content) != KEYS:
        missing, unknown = sorted(KEYS - set(content)), sorted(map(str, set(content) - KEYS))
        raise DataError(
            f"{path}: expected the keys of a checkpoint; missing: {missing or 'none'}, unknown: {unknown or 'none'}"
        )
    check_description(content["features"], f"{path}: features")
    templates = content["templates"]
    if not isinstance(templates, list) or not all(isinstance(template, str) for template in templates):
        raise DataError(f"{path}: templates: expected a list of strings, got {type(templates).__name__}")
    return dict(content)


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
    try:
        run = Run.from_dict(content["run"])
        model = MODELS[run.model](**content["model_config"])
    except (TypeError, ConfigError) as error:
        raise DataError(f"{path}: expected a configuration that this version knows: {line(error)}") from error
    if not isinstance(content["model"], Mapping):
        raise DataError(f"{path}: expected named weights, got {type(content['model']).__name__}")
    load_weights(model, content["model"], path)
    vocabulary = Vocabulary.from_dict(content["vocabulary"])
    sizes = len(vocabulary.words), len(vocabulary.answers)
    if sizes != (model.config.vocabulary_size, model.config.answers):
        expected = f"{model.config.vocabulary_size} words and {model.config.answers} answers, as its model has"
        raise DataError(f"{path}: expected a vocabulary of {expected}, got {sizes[0]} and {sizes[1]}")
    return model.eval(), vocabulary, run


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
