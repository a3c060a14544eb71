"""The questions of a data set, answered from its features, as pages show them."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, get_args

import torch

from avground.answer.answerer import choose_device
from avground.answer.explain import attention_of, envelope
from avground.answer.result import Answer, make_answer
from avground.data import Record
from avground.data.pocket import Truth
from avground.data.segments import sample_rows
from avground.errors import ConfigError, DataError, check_choice, check_whole
from avground.hub import PretrainedModel
from avground.media.decode import decode
from avground.media.preview import LEAST_HEIGHT, make_preview, read_length, read_stills
from avground.training import Run, Splits, load_splits
from avground.viz import Example, Footage, Outline

Show = Literal["video", "stills", "nothing"]

_BATCH = 32
_VIDEOS = ("mp4", "webm", "mkv", "mov", "avi")


class AnsweredData:
    """A data set together with models that answer its questions.

    Args:
        models: The models, by the names that readers should see.
        data: Folder of the data set; None for the one that the first model was trained on.
        annotations: Folder of its question files, as in :class:`avground.training.Run`; None as for ``data``.
        features: Its features, as in :class:`avground.training.Run`; None as for ``data``, or ``feats`` in it where
            ``data`` is given.
        videos: Folder of the video files, ``<id>.mp4`` or such; None for ``videos`` in the data set, if there is one.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.

    Attributes:
        splits: The data set.
        seconds: Length of a video that is long enough.

    Raises:
        DataError: if anything of the data set is missing or cannot be used.
        ConfigError: if its features are not those that a model was trained on.
    """

    def __init__(
        self,
        models: Mapping[str, PretrainedModel],
        *,
        data: Path | None = None,
        annotations: str | None = None,
        features: Path | None = None,
        videos: Path | None = None,
        device: str = "auto",
    ) -> None:
        if not models:
            raise DataError("models: expected at least one, got none")
        self.models, self.device = models, choose_device(device)
        first = next(iter(models.values()))
        self.splits: Splits = load_splits(_run(first.run, data, annotations, features), keep="disk")
        for name, model in models.items():
            model.model.to(self.device)
            if (segments := model.run.segments) != first.run.segments:
                raise ConfigError(f"{name}: expected {first.run.segments} segments, as the others have, got {segments}")
            if different := self.splits.features.differences(model.features):
                raise ConfigError(f"{name}: expected the features that it was trained on, got others: {different}")
        seen = self.splits.features.kinds["visual"]
        # Published features, which have no manifest, are of videos of 60 seconds, whatever their number of rows.
        self._rate: float = seen.layout / 60 if seen.manifest is None else seen.manifest.rate
        self.seconds: float = seen.layout / self._rate
        self.videos = self.splits.folder / "videos" if videos is None else videos
        if videos is not None and not videos.is_dir():
            raise DataError(f"{videos}: expected a folder of videos, got none")

    def examples(self, records: Sequence[Record], *, top: int = 5) -> list[Example]:
        """Answer questions, with what is known about them.

        Args:
            records: The questions, of this data set or new ones about its videos.
            top: Answers to keep of each model.

        Raises:
            DataError: if a video has no features, or a model does not know a word: names the question.
        """
        check_whole("top", top)
        features = self.splits.features
        features.check(
            [record.video_id for record in records],
            audio_ids=[record.heard_id for record in records],
        )
        seconds = {video_id: self._starts(video_id) for video_id in {record.video_id for record in records}}
        by_model = {name: self._answers(model, records, seconds) for name, model in self.models.items()}
        examples = []
        for record in records:
            answers = {name: next(given) for name, given in by_model.items()}
            try:
                attention = tuple(attention_of(answer, name, top=top) for name, answer in answers.items())
            except DataError as error:  # Weights that are not finite, for one.
                raise DataError(f"{record.where}: {', '.join(answers)}: {error}") from error
            examples.append(
                Example(
                    video=record.video_id,
                    words=record.words,
                    attention=attention,
                    question=f"{' '.join(record.words)}?",
                    answer=record.answer or None,
                    type=record.type if record.answer else None,
                    outlines=outlines_of(record, self.splits.truth),
                    notes=self._notes(record),
                )
            )
        return examples

    def footage(self, video_id: str, *, show: Show = "video", height: int = 360) -> Footage:
        """What there is to see of a video: without its file, or with one that cannot be read, nothing but a note.

        Args:
            video_id: The video.
            show: ``"video"``, a copy with its sound; ``"stills"``, a small picture for each segment; or ``"nothing"``.
            height: Rows of the copy, at most.
        """
        check_choice("show", show, get_args(Show))
        check_whole("height", height, LEAST_HEIGHT)
        path = self.video_file(video_id)
        if path is None or show == "nothing":
            return Footage(self.seconds)
        try:
            starts = tuple(dict.fromkeys(self._starts(video_id)))
            stills = read_stills(path, [second + 0.5 for second in starts])
            if show == "stills":
                whole = len(starts) == self.splits.features.segments
                return Footage(self.seconds if whole else starts[-1] + 1, frames=stills, frame_starts=starts)
            preview = make_preview(path, seconds=math.ceil(self.seconds), height=height)
        except DataError as error:
            return Footage(self.seconds, notes=(f"The video is not shown. {error}",))
        seconds = max(preview.seconds, starts[-1] + 1)
        try:
            clip = decode(path, seconds=math.ceil(self.seconds))
        except DataError as error:  # It has no sound, for one.
            return Footage(seconds, preview.content, stills, starts, notes=(str(error),))
        return Footage(seconds, preview.content, stills, starts, envelope(clip.sound, seconds), clip.notes)

    def video_file(self, video_id: str) -> Path | None:
        """The file of a video, if there is one."""
        named = (self.videos / f"{video_id}.{suffix}" for suffix in _VIDEOS)
        return next((path for path in named if path.is_file()), None)

    def _starts(self, video_id: str) -> list[float]:
        """The second of a video that each segment stands for; those behind its end stand for its last one."""
        t, layout = self.splits.features.segments, self.splits.features.kinds["visual"].layout
        path, rows = self.video_file(video_id), layout
        try:
            length = None if path is None else read_length(path)
        except DataError:  # A video that cannot be read is taken to be long enough; its footage says so.
            length = None
        if length is not None:
            rows = min(layout, max(1, int(length * self._rate + 0.5)))
        return [float(row / self._rate) for row in sample_rows(rows, layout, t)]

    def _notes(self, record: Record) -> tuple[str, ...]:
        """What is not as the page looks: other sound, and words that a model left out."""
        notes = [] if record.matched else [f"The models heard the sound of {record.audio_id} instead."]
        for name, model in self.models.items():
            left_out = [word for word in record.words if word not in model.vocabulary.words]
            if left_out:
                notes.append(f"{name} did not read: {', '.join(left_out)}.")
        return tuple(notes)

    def _answers(
        self, model: PretrainedModel, records: Sequence[Record], seconds: Mapping[str, Sequence[float]]
    ) -> Iterator[Answer]:
        """Answers in the order of the records, a batch at a time; with the second of each segment of each video."""
        known, features = model.vocabulary, self.splits.features
        length = max(self.splits.question_length, *(len(record.words) for record in records))
        for first in range(0, len(records), _BATCH):
            batch = records[first : first + _BATCH]
            numbers = [
                known.encode(record.words, length, where=record.where, unknown=model.run.unknown_words)
                for record in batch
            ]
            audio = features.audio([record.heard_id for record in batch])
            visual = features.visual([record.video_id for record in batch])
            with torch.inference_mode():
                out = model.model(*(part.to(self.device) for part in (audio, visual, torch.tensor(numbers))))
            for place, record in enumerate(batch):
                yield make_answer(
                    out,
                    place,
                    known,
                    question=" ".join(record.words),
                    words=record.words,
                    seconds=seconds[record.video_id],
                    template=record.template,
                )


def outlines_of(record: Record, truth: Truth | None) -> tuple[Outline, ...]:
    """The instruments on stage, where the truth is known: those that the question is about are its targets."""
    if truth is None or record.video_id not in truth.videos:
        return ()
    asked = truth.questions.get(record.question_id) if record.question_id is not None else None
    targets = asked.targets if asked is not None and asked.video_id == record.video_id else ()
    return tuple(
        Outline(seen.type, seen.cells, truth.rows, truth.columns, number in targets)
        for number, seen in enumerate(truth.videos[record.video_id])
        if seen.cells
    )


def _run(run: Run, data: Path | None, annotations: str | None, features: Path | None) -> Run:
    """A run that reads the data set asked for."""
    changes: dict[str, Any] = {"annotations": annotations, "data": data, "features": features}
    changes = {name: str(value) for name, value in changes.items() if value is not None}
    if data is not None and features is None:
        changes["features"] = None
    return replace(run, **changes)
