"""The words and answers a network knows, each with its number."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from os import PathLike
from typing import Any, Literal, Self, get_args

from avground.data.annotations import Record, is_printable, read_annotations
from avground.errors import DataError, brief, check_choice

PAD = "<pad>"

_LONGEST = 1000
"""Characters of a word or an answer."""

UnknownWords = Literal["error", "skip"]


@dataclass(frozen=True)
class Vocabulary:
    """Words and answers in a fixed order; a word's or an answer's number is its place.

    The numbers are part of a trained network: keep the vocabulary with its weights (:meth:`to_dict`), and make it from
    the *train* file only (:meth:`from_annotations`), since the other files lack some answers and give another order.

    Attributes:
        words: The words, the first of which is ``<pad>``.
        answers: The answers.

    Raises:
        DataError: if ``<pad>`` is not the first word, an entry is empty, longer than 1000 characters or no
            printable string, or one appears twice.

    Example:
        >>> from avground.data import Vocabulary
        >>> vocabulary = Vocabulary(words=("<pad>", "Is", "there", "a", "violin"), answers=("no", "yes"))
        >>> vocabulary.encode(["Is", "there", "a", "violin"], 6)
        [1, 2, 3, 4, 0, 0]
    """

    words: tuple[str, ...]
    answers: tuple[str, ...]

    def __post_init__(self) -> None:
        for name in ("words", "answers"):
            entries = getattr(self, name)
            if isinstance(entries, str) or not isinstance(entries, Sequence):
                raise DataError(f"{name}: expected a sequence of strings, got {brief(entries)}")
            object.__setattr__(self, name, tuple(entries))
            seen: set[str] = set()
            for place, entry in enumerate(entries):
                if not isinstance(entry, str) or not entry:
                    raise DataError(f"{name}[{place}]: expected a string that is not empty, got {brief(entry)}")
                if not is_printable(entry) or len(entry) > _LONGEST:
                    raise DataError(
                        f"{name}[{place}]: expected at most {_LONGEST} printable characters, got {brief(entry)}"
                    )
                if entry in seen:
                    raise DataError(f"{name}[{place}]: expected every entry once, got {brief(entry)} again")
                seen.add(entry)
        if self.words[:1] != (PAD,):
            raise DataError(f"words[0]: expected {PAD!r}, got {brief(self.words[0] if self.words else 'no word')}")
        if not self.answers:
            raise DataError("answers: expected at least one answer, got none")

    @classmethod
    def from_annotations(cls, train: str | PathLike[str] | Iterable[Record]) -> Self:
        """Number the words and answers of the train questions by first appearance; ``<pad>`` is word 0.

        Args:
            train: The train file, or its records.

        Raises:
            DataError: if the file cannot be read or holds no question.
        """
        records = read_annotations(train) if isinstance(train, str | PathLike) else list(train)
        if not records:
            raise DataError(
                f"{train if isinstance(train, str | PathLike) else 'records'}: expected questions, got none"
            )
        words = dict.fromkeys(word for record in records for word in record.words)
        words.pop(PAD, None)
        return cls((PAD, *words), tuple(dict.fromkeys(record.answer for record in records)))

    def encode(
        self, words: Sequence[str], length: int, *, where: str = "", unknown: UnknownWords = "error"
    ) -> list[int]:
        """Turn words into numbers, filled up with ``<pad>`` at the end.

        Args:
            words: The words of one question.
            length: How many numbers to return.
            where: What an error message should call the question, such as ``record.where``.
            unknown: ``"error"``, or ``"skip"``: leave out the words that the train questions lack. The rephrased
                questions of MUSIC-AVQA-R have hundreds of them, of which a network has learned nothing; ``<pad>`` in
                their place would not do, since it may stand behind the words only.

        Raises:
            DataError: if a word is unknown (names near ones), or all are, or there are more than ``length``.
            ConfigError: for another ``unknown``.
        """
        check_choice("unknown", unknown, get_args(UnknownWords))
        at = f"{where}: " if where else ""
        if unknown == "skip":
            known = [word for word in words if word in self._word_numbers]
            if words and not known:
                raise DataError(f"{at}expected at least one known word, got none in {brief(' '.join(words))}")
            words = known
        if len(words) > length:
            raise DataError(
                f"{at}expected at most {length} words (question_length), got {len(words)}: {' '.join(words)[:200]}"
            )
        numbers = [self._word_numbers.get(word, -1) for word in words]
        if -1 in numbers:
            raise DataError(f"{at}{self._unknown('word', words[numbers.index(-1)], self.words)}")
        return numbers + [0] * (length - len(numbers))

    def answer_index(self, answer: str, *, where: str = "") -> int:
        """The number of an answer.

        Raises:
            DataError: if the answer is unknown; names near ones.
        """
        number = self._answer_numbers.get(answer)
        if number is None:
            raise DataError(f"{where}{': ' if where else ''}{self._unknown('answer', answer, self.answers)}")
        return number

    @cached_property
    def digest(self) -> str:
        """Sixteen hexadecimal digits that differ for any two vocabularies, whatever the machine."""
        text = json.dumps([self.words, self.answers], ensure_ascii=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def to_dict(self) -> dict[str, list[str]]:
        """The vocabulary as plain lists, for checkpoints and JSON."""
        return {"words": list(self.words), "answers": list(self.answers)}

    @classmethod
    def from_dict(cls, entries: Mapping[str, Any]) -> Self:
        """The inverse of :meth:`to_dict`.

        Raises:
            DataError: if a key is missing or unknown, or the lists do not make a vocabulary.
        """
        if not isinstance(entries, Mapping) or set(entries) != {"words", "answers"}:
            got = brief(sorted(map(str, entries))) if isinstance(entries, Mapping) else type(entries).__name__
            raise DataError(f"vocabulary: expected the keys ['answers', 'words'], got {got}")
        return cls(entries["words"], entries["answers"])

    @cached_property
    def _word_numbers(self) -> dict[str, int]:
        return {word: number for number, word in enumerate(self.words)}

    @cached_property
    def _answer_numbers(self) -> dict[str, int]:
        return {answer: number for number, answer in enumerate(self.answers)}

    def _unknown(self, kind: str, entry: str, known: tuple[str, ...]) -> str:
        if len(entry) > _LONGEST:
            return f"{kind} {brief(entry)} is not among the {len(known)} {kind}s of vocabulary {self.digest}"
        alike = [*get_close_matches(entry, known), *(other for other in known if len(entry) > 2 and entry in other)]
        near = ", ".join(map(brief, list(dict.fromkeys(alike))[:20])) or "none"
        where = f"the {len(known)} {kind}s of vocabulary {self.digest}"
        return f"{kind} {brief(entry)} is not among {where}; near ones: {near}"
