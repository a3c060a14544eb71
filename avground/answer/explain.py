"""From models and questions to what :func:`avground.viz.explain_page` and :func:`avground.viz.gallery_page` show."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from os import PathLike
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from avground.answer.answerer import Answerer, Watched
from avground.answer.result import Answer
from avground.errors import DataError, check_whole
from avground.media.preview import LEAST_HEIGHT, make_preview, read_stills
from avground.viz import Attention, Example, Footage

BARS = 480
"""Parts that a waveform is drawn in."""


def explain_video(
    video: str | PathLike[str],
    questions: Sequence[str],
    answerers: Mapping[str, Answerer],
    *,
    start: float = 0.0,
    top: int = 5,
    height: int = 360,
) -> tuple[Footage, list[Example]]:
    """Ask a video some questions, and keep what there is to see of the answers.

    The video is looked at once for all models that were trained on the same kind of features.

    Args:
        video: The file.
        questions: What to ask.
        answerers: The models, by the names that readers should see.
        start: Second of the video to begin at; the footage begins there too.
        top: Answers to keep of each model.
        height: Rows of the copy of the video, at most.

    Returns:
        The footage, and one example for each question: arguments of :func:`avground.viz.explain_page`.

    Raises:
        DataError: if the video cannot be used, a model does not know a word, or there is no question or no model.
        ConfigError: if ``start``, ``top`` or ``height`` cannot be used.
    """
    check_whole("top", top)
    check_whole("height", height, LEAST_HEIGHT)
    for name, given in (("questions", questions), ("answerers", answerers)):
        if not given:
            raise DataError(f"{name}: expected at least one, got none")
    for answerer in answerers.values():
        for question in questions:
            answerer.words(question)  # A word it does not know is told before the video is looked at.
    watched: list[Watched] = []
    for answerer in answerers.values():
        like = next((one for one in watched if answerer.reads_like(one.answerer)), None)
        watched.append(
            answerer.watch(video, start=start)
            if like is None
            else Watched(answerer, like.audio, like.visual, start, like.clip)
        )
    answers = [[one.ask(question) for one in watched] for question in questions]
    longest = max(answerer.seconds for answerer in answerers.values())
    preview = make_preview(video, start=start, seconds=longest, height=height)
    starts = sorted({moment.start - start for given in answers for answer in given for moment in answer.moments})
    sound = max((one.clip.sound for one in watched), key=len)
    seconds = max(preview.seconds, starts[-1] + 1)
    footage = Footage(
        seconds,
        video=preview.content,
        frames=read_stills(video, [start + second + 0.5 for second in starts]),
        frame_starts=tuple(starts),
        waveform=envelope(sound, seconds),
        notes=tuple(dict.fromkeys(note for one in watched for note in one.notes)),
    )
    name = Path(video).name
    examples = [
        Example(
            video=name,
            words=given[0].words,
            attention=tuple(
                attention_of(answer, model, top=top, since=start)
                for model, answer in zip(answerers, given, strict=True)
            ),
            question=question,
        )
        for question, given in zip(questions, answers, strict=True)
    ]
    return footage, examples


def attention_of(answer: Answer, model: str, *, top: int = 5, since: float = 0.0) -> Attention:
    """An answer as a page shows it.

    Args:
        answer: The answer.
        model: Name of the model that gave it.
        top: Answers to keep.
        since: The second of the video that counts as 0.
    """
    moments = answer.moments
    return Attention(
        model,
        answer.answers[:top],
        [moment.start - since for moment in moments],
        answer.cell_weights.double()[[moment.segment for moment in moments]],
        [moment.audio_weight for moment in moments],
        [moment.visual_weight for moment in moments],
        word_weights=answer.word_weights,
        uniform=[moment.uniform for moment in moments],
    )


def envelope(sound: Float[np.ndarray, " samples"], seconds: float, *, rate: int = 16_000) -> NDArray[np.float64]:
    """The largest amplitude in each of :data:`BARS` equal parts of so many seconds; where there is no sound, 0.

    Args:
        sound: Samples in [-1, 1].
        seconds: The length that is divided.
        rate: Samples a second.
    """
    edges = np.linspace(0, seconds * rate, BARS + 1).round().astype(int)
    parts = [abs(sound[first:last]) for first, last in pairwise(edges)]
    return np.array([part.max() if len(part) else 0.0 for part in parts], dtype=np.float64)
