"""What a page shows of a question about a video: arrays and words, from whatever model they came."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from avground.errors import DataError, brief, check_positive
from avground.viz.checks import check_numbers, check_starts, check_waveform, check_weights


class Attention:
    """What one model answered to a question, and where and when it looked.

    Args:
        model: Name of the model, as readers should see it.
        answers: Answers with probabilities, the likeliest first; as many as should be shown.
        starts: (t,) The second of the video at which each segment begins, ascending; a segment is one second long.
        cell_weights: (t, h, w) For each segment a map that sums to 1.
        audio_weights: (t,) Attention to the sound, of sum 1.
        visual_weights: (t,) Attention to the pictures, of sum 1.
        word_weights: (n,) Weights of the question's words, of sum 1, or less where padding was weighed too; None for a
            model that chooses no word.
        uniform: (t,) The weights of a model without preference; by default all alike. The last segment of a short video
            stands for all that are missing.

    Raises:
        DataError: if anything does not fit: names the argument.
    """

    def __init__(
        self,
        model: str,
        answers: Sequence[tuple[str, float]],
        starts: ArrayLike,
        cell_weights: ArrayLike,
        audio_weights: ArrayLike,
        visual_weights: ArrayLike,
        *,
        word_weights: ArrayLike | None = None,
        uniform: ArrayLike | None = None,
    ) -> None:
        self.model = model
        self.answers = tuple((str(answer), float(share)) for answer, share in answers)
        if not self.answers:
            raise DataError("answers: expected at least one, got none")
        for answer, share in self.answers:
            if not 0 <= share <= 1:
                raise DataError(f"answers: expected probabilities from 0 to 1, got {share:g} for {answer!r}")
        self.starts = check_starts(starts)
        self.cell_weights = check_weights("cell_weights", cell_weights, dims=3, axes=(1, 2))
        self.audio_weights = check_weights("audio_weights", audio_weights, dims=1)
        self.visual_weights = check_weights("visual_weights", visual_weights, dims=1)
        t = len(self.starts)
        self.uniform = np.full(t, 1 / t) if uniform is None else check_weights("uniform", uniform, dims=1)
        for name in ("cell_weights", "audio_weights", "visual_weights", "uniform"):
            if len(getattr(self, name)) != t:
                raise DataError(f"{name}: expected t={t} segments, as starts has, got {len(getattr(self, name))}")
        if self.cell_weights[0].size < 2:
            raise DataError(f"cell_weights: expected maps of at least 2 cells, got shape {self.cell_weights.shape}")
        self.word_weights = (
            None if word_weights is None else check_weights("word_weights", word_weights, dims=1, at_most=True)
        )


@dataclass(frozen=True, slots=True)
class Outline:
    """Where something is known to be, to be drawn around.

    Args:
        name: What it is, such as ``"violin"``.
        cells: Row and column of each of its cells.
        rows: Rows of the map that they count in.
        columns: Columns of it.
        target: Whether it is what the question asks for.
    """

    name: str
    cells: tuple[tuple[int, int], ...]
    rows: int
    columns: int
    target: bool = False

    def __post_init__(self) -> None:
        for row, column in self.cells:
            if not (0 <= row < self.rows and 0 <= column < self.columns):
                raise DataError(
                    f"cells: expected places in a map of {self.rows} x {self.columns}, got ({row}, {column})"
                )


@dataclass(frozen=True, eq=False)
class Footage:
    """What there is to see and to hear of a video. All of it may be missing, as where there are features only.

    Args:
        seconds: Length, counted like the ``starts`` of :class:`Attention`.
        video: A file that browsers play, such as MP4 with H.264 and AAC; its second 0 is second 0.
        frames: Pictures as JPEG files, one for each of ``frame_starts``.
        frame_starts: (k,) The second that each picture is of, ascending.
        waveform: (m,) The largest amplitude, from 0 to 1, in each of m equal parts of ``seconds``.
        notes: What readers should know about it.

    Raises:
        DataError: if anything does not fit: names the argument.
    """

    seconds: float
    video: bytes | None = None
    frames: tuple[bytes, ...] = ()
    frame_starts: tuple[float, ...] = ()
    waveform: NDArray[np.float64] | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_positive("seconds", self.seconds)
        if len(self.frames) != len(self.frame_starts):
            raise DataError(
                f"frame_starts: expected one for each of {len(self.frames)} frames, got {len(self.frame_starts)}"
            )
        if self.frame_starts and (np.diff(check_numbers("frame_starts", self.frame_starts, 1)) <= 0).any():
            raise DataError(f"frame_starts: expected ascending seconds, got {brief(list(self.frame_starts))}")
        for frame in self.frames:
            if not frame.startswith(b"\xff\xd8"):
                raise DataError(f"frames: expected JPEG files, got one that begins with {frame[:4]!r}")
        if self.waveform is not None:
            check_waveform(self.waveform)


@dataclass(frozen=True, eq=False)
class Example:
    """A question about a video, and what one or more models made of it.

    Args:
        video: Id of the video.
        words: The words of the question.
        attention: What each model made of it; the first is the one that a gallery judges by.
        question: As asked, if otherwise than the words with blanks between them.
        answer: The right answer, if it is known.
        type: Modality and kind of the question, such as ``("Audio-Visual", "Counting")``.
        outlines: What is known to be where.
        notes: What readers should know about the question, such as that another video's sound was heard.

    Raises:
        DataError: if a model weighs another number of words.
    """

    video: str
    words: tuple[str, ...]
    attention: tuple[Attention, ...]
    question: str = ""
    answer: str | None = None
    type: tuple[str, str] | None = None
    outlines: tuple[Outline, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.words:
            raise DataError("words: expected at least one, got none")
        if not self.attention:
            raise DataError("attention: expected that of at least one model, got none")
        for one in self.attention:
            if one.word_weights is not None and len(one.word_weights) != len(self.words):
                raise DataError(
                    f"word_weights: expected n={len(self.words)} of the question's words, got {len(one.word_weights)}"
                )

    @property
    def asked(self) -> str:
        """The question as a sentence."""
        return self.question or " ".join(self.words)

    @property
    def right(self) -> bool | None:
        """Whether the first model's likeliest answer is the right one; None where that is not known."""
        return None if self.answer is None else self.attention[0].answers[0][0] == self.answer
