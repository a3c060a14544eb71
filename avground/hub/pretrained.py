"""A trained model with all that is needed to use it, in a form that travels."""

import dataclasses
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from avground.data import Vocabulary
from avground.data.files import atomic_file
from avground.errors import ConfigError, DataError
from avground.hub import config, weights
from avground.hub.card import CARD, make_card
from avground.hub.mixin import ModelHubMixin
from avground.models import Network
from avground.reading import read_json
from avground.training import Run, read_checkpoint, rebuild
from avground.training.loop import METRICS

FILES = (config.FILE, weights.FILE, CARD)
_CHECKPOINT = ".pt"


class PretrainedModel(
    ModelHubMixin,
    library_name="avground",
    pipeline_tag="visual-question-answering",
    tags=["audio-visual-question-answering", "grounding"],
):
    """A trained model, what it knows and what it was made with.

    Made by :meth:`from_checkpoint`, :meth:`from_pretrained` or :meth:`load`. The folder that :meth:`save_pretrained`
    writes holds weights (``model.safetensors``), everything else (``config.json``) and a model card (``README.md``);
    nothing in such a folder is ever run.

    Args:
        model: The model.
        run: The run that trained it.
        vocabulary: The words and answers it knows.
        templates: The question templates it was trained on.
        features: What made its features, see :meth:`avground.data.Features.describe`.
        files: SHA-256, questions and videos of each question file.
        versions: The packages it was trained with.
        metrics: What it scored: ``validation``, ``test``, ``warnings``, ``parameters``, ``best_epoch`` and ``seconds``
            of :func:`avground.training.make_report`; None if it is not known.

    Attributes:
        model: The model, in evaluation mode on the CPU.
        run: The run. Of its folders only the last name is kept in what is saved, as of those of ``files``.
        vocabulary: The words and answers it knows; their numbers are part of the model.
        templates: The question templates it was trained on.
        features: What made its features, under ``"audio"`` and ``"visual"``.
        files: What is known of each question file.
        versions: The packages it was trained with.
        metrics: What it scored, or None.

    Raises:
        ConfigError: if model, run and vocabulary do not belong together.
    """

    def __init__(
        self,
        model: Network,
        *,
        run: Run,
        vocabulary: Vocabulary,
        templates: Sequence[str],
        features: Mapping[str, Any],
        files: Mapping[str, Mapping[str, Any]],
        versions: Mapping[str, str],
        metrics: Mapping[str, Any] | None = None,
    ) -> None:
        expected = (model.config.vocabulary_size, model.config.answers)
        if (got := (len(vocabulary.words), len(vocabulary.answers))) != expected:
            raise ConfigError(f"vocabulary: expected {expected} words and answers, as the model has, got {got}")
        self.model = model.eval()
        self.run = run
        self.vocabulary = vocabulary
        self.templates = tuple(templates)
        self.features = features
        self.files = files
        self.versions = versions
        self.metrics = metrics

    @classmethod
    def from_checkpoint(cls, path: str | os.PathLike[str], *, metrics: bool = True) -> Self:
        """Read a checkpoint of ``avground train``, and the ``metrics.json`` beside it if that is about this checkpoint.

        Args:
            path: Such as ``"runs/tjstg-core-0/best.pt"``.
            metrics: Whether to look for ``metrics.json``.

        Raises:
            DataError: if the checkpoint or ``metrics.json`` is damaged, or ``metrics.json`` is of another run.
        """
        content = read_checkpoint(path)
        model, vocabulary, run = rebuild(content, str(path))
        return cls(
            model,
            run=run,
            vocabulary=vocabulary,
            templates=content["templates"],
            features=content["features"],
            files=content["files"],
            versions=content["versions"],
            metrics=_metrics_beside(Path(path), content) if metrics else None,
        )

    @classmethod
    def load(cls, source: str | os.PathLike[str], *, metrics: bool = True) -> Self:
        """Read a checkpoint, a folder of :meth:`save_pretrained`, or a model on the hub, whichever ``source`` names.

        What ends in ``.pt``, or is a file, is a checkpoint.

        Args:
            source: Which.
            metrics: Whether to look for ``metrics.json`` beside a checkpoint.

        Raises:
            DataError: if there is no such thing, or it cannot be used.
        """
        if Path(source).suffix == _CHECKPOINT or Path(source).is_file():
            return cls.from_checkpoint(source, metrics=metrics)
        return cls.from_pretrained(source)

    def facts(self) -> dict[str, Any]:
        """What is known apart from weights, words and answers, as plain JSON values: for files of other formats.

        Raises:
            DataError: if there is a number in it that is not finite, or half a character.
        """
        left_out = ("format", "vocabulary", "weights_sha256")
        described = self._config("")
        config.dump_config(described, "model")
        known = {name: value for name, value in described.items() if name not in left_out}
        return {**known, "segments": self.run.segments}

    def save_pretrained(self, save_directory: str | Path, *, overwrite: bool = False, **options: Any) -> str | None:
        """Write the model to a folder, with a model card.

        Args:
            save_directory: The folder; it is made.
            overwrite: Whether to replace a model or a ``README.md`` that is there.
            **options: Of :class:`huggingface_hub.ModelHubMixin`: ``push_to_hub`` and ``repo_id``.

        Returns:
            The address of the commit if it was pushed too, else None.

        Raises:
            ConfigError: if the folder holds a model or a ``README.md`` already and ``overwrite`` is False, or a package
                is missing.
            DataError: if what is to be written holds a number that is not finite, or half a character.
        """
        weights.check_installed("huggingface_hub", "safetensors")
        there = [name for name in FILES if (Path(save_directory) / name).exists()]
        if there and not overwrite:
            raise ConfigError(
                f"save_directory: expected a folder without a model, got {save_directory} with {', '.join(there)}: "
                "choose another, or say overwrite=True"
            )
        return super().save_pretrained(save_directory, **options)

    def _save_pretrained(self, save_directory: Path) -> None:
        """What the mixin calls to write the files: ``config.json`` last, which makes it a model."""
        packed = weights.pack_weights(self.model.state_dict())
        described = config.dump_config(self._config(hashlib.sha256(packed).hexdigest()), "model")
        contents = {weights.FILE: packed, CARD: make_card(self).encode(), config.FILE: described}
        for name, content in contents.items():
            with atomic_file(save_directory / name) as file:
                file.write(content)

    @classmethod
    def from_pretrained(  # type: ignore[override]
        cls,
        pretrained_model_name_or_path: str | os.PathLike[str],
        *,
        revision: str | None = None,
        token: str | bool | None = None,
        cache_dir: str | Path | None = None,
        force_download: bool = False,
        local_files_only: bool = False,
    ) -> Self:
        """Read a model from a folder, or fetch it from Hugging Face's hub.

        Args:
            pretrained_model_name_or_path: A folder of :meth:`save_pretrained`, or ``"someone/name"``.
            revision: Branch, tag or commit on the hub.
            token: For the hub; by default the one that is stored on this machine.
            cache_dir: Where to keep what was fetched; by default the hub's usual place.
            force_download: Whether to fetch again what is there.
            local_files_only: Whether to look only at what was fetched before.

        Raises:
            DataError: if there is neither such a folder nor such a model, or a file of it is missing, damaged or does
                not fit the others: names the file.
            ConfigError: if a package is missing.
        """
        weights.check_installed("safetensors")
        name = os.fspath(pretrained_model_name_or_path)
        if Path(name).is_dir():
            return cls._read(Path(name) / config.FILE, Path(name) / weights.FILE)
        if not isinstance(pretrained_model_name_or_path, str):
            raise DataError(f"{name}: expected a folder of save_pretrained, got none")
        weights.check_installed("huggingface_hub")
        options = {"revision": revision, "token": token, "cache_dir": cache_dir}
        fetched = [
            _fetch(name, file, force_download=force_download, local_files_only=local_files_only, **options)
            for file in (config.FILE, weights.FILE)
        ]
        return cls._read(*fetched)

    @classmethod
    def _read(cls, config_path: Path, weights_path: Path) -> Self:
        content = config.read_config(config_path)
        loaded = weights.read_weights(
            weights_path, content["model"], content["model_config"], content["weights_sha256"]
        )
        model, vocabulary, run = rebuild({**content, "model": loaded}, str(config_path.parent))
        kept = ("templates", "features", "files", "versions", "metrics")
        return cls(model, run=run, vocabulary=vocabulary, **{name: content[name] for name in kept})

    def _config(self, sha256: str) -> dict[str, Any]:
        """What ``config.json`` holds."""
        return {
            "format": config.FORMAT,
            "model": self.run.model,
            "model_config": dataclasses.asdict(self.model.config),
            "run": config.run_without_folders(self.run).to_dict(),
            "vocabulary": self.vocabulary.to_dict(),
            "templates": list(self.templates),
            "features": dict(self.features),
            "files": config.files_without_folders(self.files),
            "metrics": self.metrics,
            "versions": dict(self.versions),
            "weights_sha256": sha256,
        }


def _metrics_beside(path: Path, content: Mapping[str, Any]) -> dict[str, Any] | None:
    """What ``metrics.json`` beside a checkpoint says of it; None if there is none, or it is of another checkpoint."""
    beside = path.with_name(METRICS)
    if not beside.is_file():
        return None
    try:
        report = read_json(beside, "the report of a run")
        about, run, files = report["checkpoint"], report["run"], report["data"]["files"]
    except (TypeError, KeyError) as error:
        raise DataError(f"{beside}: expected the report of a run, got {type(error).__name__}: {error}") from error
    if run != json.loads(json.dumps(content["run"])) or files != content["files"]:
        raise DataError(f"{beside}: expected the report of the run that wrote {path}, got that of another")
    if about != path.name:
        return None
    metrics = config.select_metrics(report)
    config.check_metrics(metrics, str(beside))
    return metrics


def _fetch(name: str, file: str, **options: Any) -> Path:
    """A file of a model on the hub, from the cache or over the network."""
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download(name, file, **options))
    except Exception as error:  # Networks fail in many ways, and every version of the package has its own errors.
        reason = " ".join(str(error).split())[:300] or "no reason given"
        raise DataError(
            f"{name}: expected a folder of save_pretrained or a model on the Hugging Face hub; there is no such folder "
            f"here, and {file} could not be fetched: {type(error).__name__}: {reason}"
        ) from error
