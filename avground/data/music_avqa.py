"""Questions, features and answers together, a batch at a time."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.utils.data import Dataset

from avground.data.annotations import Record
from avground.data.features import Features
from avground.data.negatives import Negatives
from avground.data.vocabulary import UnknownWords, Vocabulary
from avground.errors import ConfigError, DataError
from avground.ops.spatial_grounding import Maps

_T = TypeVar("_T")


class Batch(NamedTuple):
    """b questions with what they are asked about.

    Attributes:
        audio: Sound features, (b, t, c).
        visual: Picture features, (b, t, c, h, w): a tensor, or rows of a :class:`avground.data.Bank`.
        question: Words as numbers, filled up with 0, (b, n).
        answer: Answers as numbers, (b,).
        negative: For each segment a picture of another video, as ``visual``, or None where none are drawn.
        index: Places of the questions in the data set, (b,).
        matched: Whether the sound heard is the video's own, (b,); False where ``audio_id`` names another video.
    """

    audio: Float[Tensor, "b t ca"]
    visual: Maps
    question: Int[Tensor, "b n"]
    answer: Int[Tensor, " b"]
    negative: Maps | None
    index: Int[Tensor, " b"]  # type: ignore[assignment]  # hides tuple.index, which has no use here
    matched: Bool[Tensor, " b"]


class MusicAVQA(Dataset[dict[str, Tensor]]):
    """The questions of MUSIC-AVQA, or of anything stored like it.

    Whole batches are made at once: give a ``DataLoader`` the method :meth:`collate`, and it yields a :class:`Batch`::

        loader = DataLoader(dataset, batch_size=64, shuffle=True, collate_fn=dataset.collate)

    All that can be wrong is found here, before training: unknown words and answers, long questions, bad or missing
    features.

    Args:
        records: The questions, see :func:`avground.data.read_annotations`.
        features: Where the features lie; the videos needed are checked.
        vocabulary: The words and answers, those of the train questions.
        question_length: Words of a question, n; shorter ones are filled up.
        negatives: Draws pictures of other videos for each sample; None reads none, as evaluation wants.
        unknown_words: What to do with words that the vocabulary lacks, see
            :meth:`avground.data.Vocabulary.encode`: ``"error"`` or ``"skip"``.
        progress: Whether to show a progress bar when checking takes long.

    Attributes:
        questions: All questions as numbers, (questions, n).
        answers: All answers as numbers, (questions,).
        matched: Whether the sound heard is the video's own, (questions,).
        video_ids: For each question the video seen.
        audio_ids: For each question the video heard.

    Raises:
        DataError: names the file, row and video of the first question, or the first few videos, that cannot be used.
        ConfigError: if ``negatives`` and ``features`` differ in the number of segments, or for another
            ``unknown_words``.
    """

    def __init__(
        self,
        records: Iterable[Record],
        features: Features,
        vocabulary: Vocabulary,
        *,
        question_length: int = 14,
        negatives: Negatives | None = None,
        unknown_words: UnknownWords = "error",
        progress: bool = True,
    ) -> None:
        self.records: tuple[Record, ...] = tuple(records)
        if not self.records:
            raise DataError("records: expected at least one question, got none")
        if negatives is not None and negatives.segments != features.segments:
            raise ConfigError(
                f"negatives.segments: expected {features.segments} as in features, got {negatives.segments}"
            )
        self.features = features
        self.vocabulary = vocabulary
        self.question_length = question_length
        self.unknown_words: UnknownWords = unknown_words
        self.negatives = negatives
        # Shared, so that loading processes which outlive an epoch see the next one.
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()
        self.questions = torch.tensor(
            [
                vocabulary.encode(record.words, question_length, where=record.where, unknown=unknown_words)
                for record in self.records
            ]
        )
        self.answers = torch.tensor(
            [vocabulary.answer_index(record.answer, where=record.where) for record in self.records]
        )
        self.video_ids = [record.video_id for record in self.records]
        self.audio_ids = [record.heard_id for record in self.records]
        self.matched = torch.tensor([record.matched for record in self.records])
        others = () if negatives is None else negatives.video_ids
        features.check([*self.video_ids, *others], audio_ids=self.audio_ids, progress=progress)

    @property
    def epoch(self) -> int:
        """The epoch that negatives are drawn for."""
        return int(self._epoch)

    def set_epoch(self, epoch: int) -> None:
        """Draw the negatives of another epoch from the next batch on."""
        self._epoch.fill_(epoch)

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        """One sample: the fields of :class:`Batch` without b, and without ``negative`` where none are drawn."""
        batch = self.__getitems__([index])
        return {name: value[0] for name, value in batch._asdict().items() if value is not None}

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        """The samples of a batch, in the order given."""
        indices = [range(len(self))[index] for index in indices]
        video_ids = [self.video_ids[index] for index in indices]
        index = torch.as_tensor(indices, dtype=torch.int64)
        return Batch(
            audio=self.features.audio([self.audio_ids[index] for index in indices]),
            visual=self.features.visual(video_ids),
            question=self.questions[index],
            answer=self.answers[index],
            negative=self._negative(indices, video_ids),
            index=index,
            matched=self.matched[index],
        )

    @staticmethod
    def collate(batch: _T) -> _T:
        """For a ``DataLoader``: the batch is already one."""
        return batch

    def _negative(self, indices: Sequence[int], video_ids: Sequence[str]) -> Float[Tensor, "b t c h w"] | None:
        if self.negatives is None:
            return None
        drawn = self.negatives.draw(indices, video_ids, self.epoch)
        others = [self.negatives.video_ids[place] for place in drawn.videos.ravel().tolist()]
        frames = self.features.frames(others, drawn.segments.ravel().tolist())
        return frames.reshape(*drawn.videos.shape, *frames.shape[1:])
