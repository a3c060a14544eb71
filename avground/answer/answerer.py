"""A trained model that watches videos and answers questions about them."""

import re
from collections.abc import Mapping
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from avground.answer.result import Answer, make_answer
from avground.data.annotations import PLACEHOLDERS, question_words
from avground.data.manifest import Kind, Manifest
from avground.data.segments import sample_rows
from avground.errors import ConfigError, DataError, check_choice
from avground.hub import PretrainedModel
from avground.media import AUDIO_EXTRACTORS, RATE, VISUAL_EXTRACTORS, Clip, Extractor, decode, make_extractor
from avground.training import DEVICES

_EXTRACTORS: dict[Kind, tuple[str, ...]] = {"audio": AUDIO_EXTRACTORS, "visual": VISUAL_EXTRACTORS}


class Answerer:
    """A trained model together with the extractors whose features it was trained on.

    Args:
        checkpoint: A file that ``avground train`` wrote, a folder that
            :meth:`avground.hub.PretrainedModel.save_pretrained` wrote, or the name of a model on Hugging Face's hub.
        audio: Extractor of sound; only for a checkpoint whose features had no manifest, such as published ones.
        audio_weights: A file of weights for the extractor of sound, in place of the published ones.
        visual: As ``audio``, of pictures.
        visual_weights: As ``audio_weights``, of pictures.
        weights_folder: A folder that holds published weights under their published names.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.

    Attributes:
        vocabulary: The words and answers that the model knows.
        templates: The question templates that it was trained on.
        run: The run that trained it.

    Raises:
        DataError: if the checkpoint or weights cannot be read, or there is no such model.
        ConfigError: if the features it was trained on are not those that an extractor makes here: names both sides.
    """

    def __init__(
        self,
        checkpoint: str | PathLike[str],
        *,
        audio: str | None = None,
        audio_weights: Path | None = None,
        visual: str | None = None,
        visual_weights: Path | None = None,
        weights_folder: Path | None = None,
        device: str = "auto",
    ) -> None:
        self.device = choose_device(device)
        trained = PretrainedModel.load(checkpoint, metrics=False)
        self.vocabulary, self.templates = trained.vocabulary, trained.templates
        self.model = trained.model.to(self.device)
        self.run = trained.run
        self.segments = trained.run.segments
        self.trained_on: Mapping[str, Mapping[str, Any]] = trained.features
        path, folder = str(checkpoint), weights_folder
        self.extractors: dict[Kind, Extractor] = {
            "audio": self._extractor("audio", audio, path, weights=audio_weights, weights_folder=folder),
            "visual": self._extractor("visual", visual, path, weights=visual_weights, weights_folder=folder),
        }
        # Published features, which have no manifest, are of videos of 60 seconds, whatever their number of rows.
        layouts = [about["layout"] for about in self.trained_on.values() if about["manifest"]]
        self.seconds: int = max(layouts, default=60)

    def watch(self, video: str | PathLike[str], *, start: float = 0.0) -> "Watched":
        """Look at and listen to a video once; any number of questions may follow.

        Args:
            video: The file.
            start: The second of it to begin at. As many seconds follow as the videos had that the model was trained on;
                a video that ends earlier is continued by its last second, as in training.

        Raises:
            DataError: if the video cannot be used, with the reason.
        """
        clip = decode(video, start=start, seconds=self.seconds)
        frames = torch.from_numpy(np.ascontiguousarray(clip.frames.transpose(0, 3, 1, 2)))
        sound = torch.from_numpy(clip.sound).unflatten(0, (-1, RATE))
        heard, seen = self._sampled("audio", sound), self._sampled("visual", frames)
        return Watched(self, heard, seen, start, clip)

    def reads_like(self, other: "Answerer") -> bool:
        """Whether a video is turned into the same features for both, so that one look is enough."""
        return self._reads() == other._reads()

    def _reads(self) -> tuple[Any, ...]:
        """What decides the features that a video is turned into."""
        made = [(extractor.manifest, self.trained_on[kind]["precision"]) for kind, extractor in self.extractors.items()]
        return self.seconds, self.segments, self.device, made

    def words(self, question: str) -> list[str]:
        """The words of a question, as the model reads them.

        Raises:
            DataError: for a word that it does not know: names near ones, and the questions that it was trained on.
        """
        words = question_words(question)
        try:
            if not words:
                raise DataError("expected a question, got no word")
            self.vocabulary.encode(words, len(words))
        except DataError as error:
            known = "\n  ".join(self.templates)
            raise DataError(f"question {question!r}: {error}. The model was trained on:\n  {known}") from error
        return words

    def template_of(self, words: list[str]) -> str | None:
        """The question template of the training data that words fit, if there is one."""
        asked = " ".join(words)
        return next((template for template in self.templates if _pattern(template).fullmatch(asked)), None)

    def _extractor(self, kind: Kind, name: str | None, path: str, **weights: Any) -> Extractor:
        """The extractor of the features that the model was trained on."""
        made, choices = self.trained_on[kind]["manifest"], _EXTRACTORS[kind]
        if made is None:
            if name is None:
                raise ConfigError(
                    f"{kind}: expected one of {', '.join(choices)}: the features that {path} was trained on do not say "
                    "what made them"
                )
            check_choice(kind, name, choices)
            extractor = make_extractor(name, device=self.device, **weights)
            channels = {"audio": self.model.config.audio_dim, "visual": self.model.config.visual_dim}[kind]
            if extractor.manifest.shape[0] != channels:
                got = f"{name!r}, which has {extractor.manifest.shape[0]}"
                raise ConfigError(f"{kind}: expected an extractor of {channels} channels, as the model has, got {got}")
            return extractor
        trained = Manifest.from_dict(made, f"{path}: {kind}")
        if trained.extractor not in choices:
            raise ConfigError(
                f"{path}: expected {kind} features of {', '.join(choices)}, got those of {trained.extractor!r}, "
                "which is made from no video"
            )
        if name not in (None, trained.extractor):
            raise ConfigError(f"{kind}: expected {trained.extractor!r}, which {path} was trained on, got {name!r}")
        # How precisely a folder was written is no matter of the extractor.
        settings = {setting: value for setting, value in trained.settings.items() if setting != "dtype"}
        extractor = make_extractor(
            trained.extractor,
            statistics=settings.get("statistics"),
            seconds=trained.seconds,
            device=self.device,
            **weights,
        )
        if different := extractor.manifest.differences(replace(trained, settings=settings)):
            raise ConfigError(f"{kind}: expected the extractor that {path} was trained on: {different}")
        return extractor

    def _sampled(self, kind: Kind, seconds: Tensor) -> Float[Tensor, "1 t ..."]:
        """Features of the seconds that the segments stand for, as precise as those that the model was trained on."""
        with torch.inference_mode():
            rows: Tensor = self.extractors[kind](seconds.to(self.device))
        chosen = rows[sample_rows(len(rows), self.seconds, self.segments)]
        return chosen.to(getattr(torch, self.trained_on[kind]["precision"])).float()[None]


class Watched:
    """A video whose features are there: every further question costs a moment only.

    Made by :meth:`Answerer.watch`.

    Attributes:
        answerer: The model that watched it.
        audio: Features of its sound, (1, t, c).
        visual: Features of its pictures, (1, t, c, h, w).
        clip: What was decoded of it.
        start: The second of the video at which that begins.
        notes: What to know about how the video was read, such as that only its first 60 seconds were.
    """

    def __init__(
        self,
        answerer: Answerer,
        audio: Float[Tensor, "1 t c"],
        visual: Float[Tensor, "1 t c h w"],
        start: float,
        clip: Clip,
    ) -> None:
        self.answerer, self.audio, self.visual = answerer, audio, visual
        self.clip, self.start, self.notes = clip, start, clip.notes
        longer = max(len(clip.frames), len(clip.sound) // RATE)
        self._seconds = start + sample_rows(longer, answerer.seconds, answerer.segments)

    def ask(self, question: str) -> Answer:
        """Answer a question.

        Args:
            question: Such as ``"How many instruments are sounding in the video?"``; case matters.

        Raises:
            DataError: for a word that the model does not know: names near ones, and the questions it was trained on.
        """
        known = self.answerer
        words = known.words(question)
        numbers = torch.tensor([known.vocabulary.encode(words, max(14, len(words)))], device=known.device)
        with torch.inference_mode():
            out = known.model(self.audio, self.visual, numbers)
        return make_answer(
            out,
            0,
            known.vocabulary,
            question=question,
            words=words,
            seconds=self._seconds.tolist(),
            template=known.template_of(words),
        )


def choose_device(device: str) -> torch.device:
    """The device that ``"auto"``, ``"cpu"`` or ``"cuda"`` stands for on this machine.

    Raises:
        ConfigError: for another name, or for ``"cuda"`` where there is none.
    """
    check_choice("device", device, DEVICES)
    cuda = torch.cuda.is_available()
    if device == "cuda" and not cuda:
        raise ConfigError("device: expected 'auto' or 'cpu', as torch finds no CUDA device here, got 'cuda'")
    return torch.device("cuda" if cuda and device != "cpu" else "cpu")


def _pattern(template: str) -> re.Pattern[str]:
    """What the words of a template's questions look like."""
    pattern = re.escape(" ".join(question_words(template)))
    for placeholder in PLACEHOLDERS:
        pattern = pattern.replace(re.escape(placeholder), r"\S+")
    return re.compile(pattern)
