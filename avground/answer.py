"""Ask a video: from a file and a question to an answer, and to what it was grounded in.

from avground.answer import Answerer

video = Answerer("best.pt").watch("concert.mp4")
print(video.ask("How many instruments are sounding in the video?"))
"""

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from avground.data.annotations import PLACEHOLDERS, question_words
from avground.data.manifest import Kind, Manifest
from avground.data.segments import sample_rows
from avground.errors import ConfigError, DataError, check_choice, check_whole
from avground.media import AUDIO_EXTRACTORS, RATE, VISUAL_EXTRACTORS, Extractor, decode, make_extractor
from avground.ops.weights import normalize_weights
from avground.training import DEVICES, read_checkpoint, rebuild

_EXTRACTORS: dict[Kind, tuple[str, ...]] = {"audio": AUDIO_EXTRACTORS, "visual": VISUAL_EXTRACTORS}
_STANDS_OUT = 1.5
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Moment:
    """A second of the video that the model looked at and listened to.

    Attributes:
        start: Where it begins, in seconds of the video; it is one second long.
        audio_weight: Share of the attention to the sound, from 0 to 1.
        visual_weight: Share of the attention to the pictures, from 0 to 1.
        uniform: The share that it would have if no second were preferred: more for the last second of a short video,
            which stands for all that are missing.
    """

    start: float
    audio_weight: float
    visual_weight: float
    uniform: float

    @property
    def over_uniform(self) -> float:
        """How many times as much attention it gets as without any preference, over sound and pictures."""
        return (self.audio_weight + self.visual_weight) / 2 / self.uniform


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, and what it was grounded in.

    Attributes:
        question: The question, as asked.
        answers: All answers that the model knows with their probabilities, the likeliest first.
        target: The word that says what is asked for, with its weight; None for a model that chooses none.
        moments: The seconds that were looked at, in their order; the weights of each kind sum to 1.
        template: The question template of the training data that the question fits; None if it fits none.
        cell_weights: Where the model looked: (t, h, w), for each segment a map that sums to 1.
    """

    question: str
    answers: tuple[tuple[str, float], ...]
    target: tuple[str, float] | None
    moments: tuple[Moment, ...]
    template: str | None
    cell_weights: Float[Tensor, "t h w"]

    @property
    def best(self) -> str:
        """The likeliest answer."""
        return self.answers[0][0]

    def __str__(self) -> str:
        return self.describe()

    def describe(self, top: int = _SHOWN) -> str:
        """The answer as text, with the ``top`` likeliest answers and the seconds that stand out, at most as many.

        Raises:
            ConfigError: if ``top`` is not a whole number of at least 1.
        """
        check_whole("top", top)
        lines = [self.question, *(f"  {share:6.1%}  {answer}" for answer, share in self.answers[:top])]
        if self.target is not None:
            lines.append(f"  asked for: {self.target[0]} (weight {self.target[1]:.2f})")
        order = sorted(self.moments, key=lambda moment: -moment.over_uniform)
        times = [
            f"{m.start:g}-{m.start + 1:g} s (sound {m.audio_weight:.2f}, pictures {m.visual_weight:.2f})"
            for m in order[:top]
            if m.over_uniform >= _STANDS_OUT
        ]
        flat = f"none stands out (largest {order[0].over_uniform:.1f} x uniform)"
        lines.append(f"  seconds: {', '.join(times) or flat}")
        if self.template is None:
            lines.append("  note: the training data held no question of this form")
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values, without the maps."""
        return {
            "question": self.question,
            "answers": [{"answer": answer, "probability": share} for answer, share in self.answers],
            "target": None if self.target is None else {"word": self.target[0], "weight": self.target[1]},
            "moments": [asdict(moment) for moment in self.moments],
            "template": self.template,
        }


class Answerer:
    """A trained model together with the extractors whose features it was trained on.

    Args:
        checkpoint: A file that ``avground train`` wrote.
        audio: Extractor of sound; only for a checkpoint whose features had no manifest, such as published ones.
        visual: The same for pictures.
        audio_weights: A file of weights for the extractor of sound, in place of the published ones.
        visual_weights: The same for pictures.
        weights_folder: A folder that holds published weights under their published names.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.

    Attributes:
        vocabulary: The words and answers that the model knows.
        templates: The question templates that it was trained on.

    Raises:
        DataError: if the checkpoint or weights cannot be read.
        ConfigError: if the features it was trained on are not those that an extractor makes here: names both sides.
    """

    def __init__(
        self,
        checkpoint: str | PathLike[str],
        *,
        audio: str | None = None,
        visual: str | None = None,
        audio_weights: Path | None = None,
        visual_weights: Path | None = None,
        weights_folder: Path | None = None,
        device: str = "auto",
    ) -> None:
        check_choice("device", device, DEVICES)
        cuda = torch.cuda.is_available()
        if device == "cuda" and not cuda:
            raise ConfigError("device: expected 'auto' or 'cpu', as torch finds no CUDA device here, got 'cuda'")
        self.device = torch.device("cuda" if cuda and device != "cpu" else "cpu")
        content = read_checkpoint(checkpoint)
        model, self.vocabulary, run = rebuild(content, str(checkpoint))
        self.model = model.to(self.device)
        self.segments = run.segments
        self.templates: tuple[str, ...] = tuple(content["templates"])
        self.trained_on: Mapping[str, Mapping[str, Any]] = content["features"]
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
        return Watched(self, heard, seen, start, len(frames), clip.notes)

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
        notes: What to know about how the video was read, such as that only its first 60 seconds were.
    """

    def __init__(
        self,
        answerer: Answerer,
        audio: Float[Tensor, "1 t c"],
        visual: Float[Tensor, "1 t c h w"],
        start: float,
        seconds: int,
        notes: tuple[str, ...],
    ) -> None:
        self._answerer, self._audio, self._visual = answerer, audio, visual
        self.notes = notes
        self._seconds = start + sample_rows(seconds, answerer.seconds, answerer.segments)

    def ask(self, question: str) -> Answer:
        """Answer a question.

        Args:
            question: Such as ``"How many instruments are sounding in the video?"``; case matters.

        Raises:
            DataError: for a word that the model does not know: names near ones, and the questions it was trained on.
        """
        known = self._answerer
        words = known.words(question)
        numbers = torch.tensor([known.vocabulary.encode(words, max(14, len(words)))], device=known.device)
        with torch.inference_mode():
            out = known.model(self._audio, self._visual, numbers)
        shares = out.answer_logits[0].double().softmax(-1).cpu()
        order = shares.argsort(descending=True).tolist()
        target = int(out.target_weights[0].argmax())
        weight = float(out.target_weights[0, target])
        heard, seen = (normalize_weights(row[0].double()).tolist() for row in (out.audio_weights, out.visual_weights))
        return Answer(
            question=question,
            answers=tuple((known.vocabulary.answers[place], float(shares[place])) for place in order),
            target=(words[target], weight) if weight > 0 and target < len(words) else None,
            moments=self._moments(heard, seen),
            template=known.template_of(words),
            cell_weights=out.cell_weights[0].cpu(),
        )

    def _moments(self, heard: list[float], seen: list[float]) -> tuple[Moment, ...]:
        """The weights by second: where a short video was continued, several segments stand for its last one."""
        seconds = self._seconds.tolist()
        moments = []
        for second in dict.fromkeys(seconds):
            places = [place for place, other in enumerate(seconds) if other == second]
            audio, visual = (math.fsum(weights[place] for place in places) for weights in (heard, seen))
            moments.append(Moment(second, audio, visual, len(places) / len(seconds)))
        return tuple(moments)


def _pattern(template: str) -> re.Pattern[str]:
    """What the words of a template's questions look like."""
    pattern = re.escape(" ".join(question_words(template)))
    for placeholder in PLACEHOLDERS:
        pattern = pattern.replace(re.escape(placeholder), r"\S+")
    return re.compile(pattern)
