import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avground.data import Record, Vocabulary, read_annotations
from avground.data.annotations import is_printable
from avground.errors import ConfigError, DataError

SMALL = Vocabulary(("<pad>", "Is", "the", "piano", "louder"), ("yes", "no", "more than ten"))


def record(words, answer):
    return Record("v", 1, ("Audio", "Counting"), "What?", tuple(words.split()), answer)


def test_order_of_first_appearance():
    records = [record("Is the piano", "no"), record("the flute Is", "yes"), record("Piano", "no")]
    vocabulary = Vocabulary.from_annotations(iter(records))
    assert vocabulary.words == ("<pad>", "Is", "the", "piano", "flute", "Piano")
    assert vocabulary.answers == ("no", "yes")


def test_from_file(row, questions):
    path = questions([row(), row(anser="no", templ_values=["drum", "piano"])])
    expected = Vocabulary(("<pad>", "Is", "the", "guzheng", "louder", "than", "piano", "drum"), ("yes", "no"))
    assert Vocabulary.from_annotations(path) == expected
    assert Vocabulary.from_annotations(str(path)) == expected
    assert Vocabulary.from_annotations(read_annotations(path)) == expected


def test_published_vocabulary_covers_the_published_questions(val_json, vocabulary_json):
    words = vocabulary_json["question_words_prefix"] + vocabulary_json["question_words_unordered_rest"]
    vocabulary = Vocabulary(words, vocabulary_json["answers"])
    assert (len(vocabulary.words), len(vocabulary.answers)) == (93, 42)
    for question in read_annotations(val_json):
        numbers = vocabulary.encode(question.words, 14, where=question.where)
        assert len(numbers) == 14
        assert tuple(vocabulary.words[number] for number in numbers if number) == question.words
        assert vocabulary.answers[vocabulary.answer_index(question.answer)] == question.answer


def test_encode():
    assert SMALL.encode(("Is", "the", "piano"), 5) == [1, 2, 3, 0, 0]
    assert SMALL.encode((), 2) == [0, 0]
    assert SMALL.encode(["louder"], 1) == [4]
    assert SMALL.answer_index("more than ten") == 2


def test_unknown_word_names_near_ones():
    with pytest.raises(
        DataError,
        match=f"q.json, row 3: word 'pianos' is not among the 5 words of vocabulary {SMALL.digest}; near ones: 'piano'",
    ):
        SMALL.encode(("Is", "pianos"), 5, where="q.json, row 3")
    with pytest.raises(DataError, match=r"^word 'zzz' .* near ones: none$"):
        SMALL.encode(("zzz",), 5)
    with pytest.raises(DataError, match="word 'is'"):
        SMALL.encode(("is",), 5)


def test_unknown_answer_names_near_ones():
    with pytest.raises(DataError, match=r"^row 7: answer 'more than te' is not among the 3 answers.*'more than ten'$"):
        SMALL.answer_index("more than te", where="row 7")
    with pytest.raises(DataError, match=r"^answer 'ten'"):
        SMALL.answer_index("ten")


def test_long_question():
    with pytest.raises(DataError, match=r"row 2: expected at most 2 words \(question_length\), got 3: Is the piano"):
        SMALL.encode(("Is", "the", "piano"), 2, where="row 2")


@pytest.mark.parametrize(
    ("words", "answers", "message"),
    [
        (("Is",), ("yes",), r"words\[0\]: expected '<pad>', got 'Is'"),
        ((), ("yes",), r"words\[0\]: expected '<pad>', got 'no word'"),
        (("<pad>", "a", "a"), ("yes",), r"words\[2\]: expected every entry once, got 'a' again"),
        (("<pad>", ""), ("yes",), r"words\[1\]: expected a string that is not empty, got ''"),
        (("<pad>",), ("yes", 3), r"answers\[1\]: expected a string that is not empty, got 3"),
        (("<pad>",), (), "answers: expected at least one answer, got none"),
        (("<pad>",), "yes", "answers: expected a sequence of strings, got 'yes'"),
        ({"<pad>": 0}, ("yes",), "words: expected a sequence of strings, got {'<pad>': 0}"),
        (None, ("yes",), "words: expected a sequence of strings, got None"),
        (("<pad>", "\x1b[2J"), ("yes",), r"words\[1\]: expected at most 1000 printable characters, got '.x1b\[2J'"),
        (("<pad>",), ("\ud800",), r"answers\[0\]: expected at most 1000 printable characters"),
        (
            ("<pad>",),
            ("x" * 10**6,),
            r"answers\[0\]: expected at most 1000 .* got 'x{50,60}\.\.\.x*'$",
        ),
    ],
)
def test_bad_vocabulary(words, answers, message):
    with pytest.raises(DataError, match=message):
        Vocabulary(words, answers)


def test_no_questions(questions):
    with pytest.raises(DataError, match="records: expected questions, got none"):
        Vocabulary.from_annotations([])
    with pytest.raises(DataError, match=r"avqa-train.json: expected questions, got none"):
        Vocabulary.from_annotations(questions([]))


_entries = st.lists(st.text(min_size=1, max_size=8).filter(is_printable), unique=True, max_size=12)


@given(_entries, _entries.filter(bool))
def test_round_trip(words, answers):
    vocabulary = Vocabulary(("<pad>", *(word for word in words if word != "<pad>")), tuple(answers))
    again = Vocabulary.from_dict(json.loads(json.dumps(vocabulary.to_dict())))
    assert again == vocabulary
    assert hash(again) == hash(vocabulary)
    assert again.digest == vocabulary.digest
    assert pickle.loads(pickle.dumps(vocabulary)) == vocabulary
    for number, word in enumerate(vocabulary.words):
        assert vocabulary.encode([word], 1) == [number]


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"words": ["<pad>"]}, r"vocabulary: expected the keys \['answers', 'words'\], got \['words'\]"),
        ({"words": ["<pad>"], "answers": ["a"], "more": 1}, "got .*'more'"),
        (["<pad>"], "vocabulary: expected the keys .*, got list"),
        ({"words": "<pad>", "answers": ["a"]}, "words: expected a sequence"),
    ],
)
def test_bad_dict(entries, message):
    with pytest.raises(DataError, match=message):
        Vocabulary.from_dict(entries)


def test_digest_tells_vocabularies_apart():
    digests = {
        SMALL.digest,
        Vocabulary(SMALL.words[:1] + SMALL.words[:0:-1], SMALL.answers).digest,
        Vocabulary(SMALL.words, SMALL.answers[::-1]).digest,
        Vocabulary((*SMALL.words, "yes"), SMALL.answers[1:]).digest,
    }
    assert len(digests) == 4
    assert all(len(digest) == 16 for digest in digests)
    assert Vocabulary(("<pad>", "é"), ("a",)).digest == Vocabulary(["<pad>", "é"], ["a"]).digest


def test_unknown_words_can_be_skipped():
    words = ("Overall", "Is", "the", "old", "piano")
    assert SMALL.encode(words, 4, unknown="skip") == [1, 2, 3, 0]
    assert SMALL.encode(("Is", "the", "piano"), 3, unknown="skip") == SMALL.encode(("Is", "the", "piano"), 3)
    with pytest.raises(DataError, match="word 'Overall' is not among"):
        SMALL.encode(words, 5)
    with pytest.raises(DataError, match=r"row 3: expected at least one known word, got none in 'Which one'"):
        SMALL.encode(("Which", "one"), 4, where="row 3", unknown="skip")
    with pytest.raises(DataError, match=r"expected at most 2 words \(question_length\), got 3: Is the piano"):
        SMALL.encode(words, 2, unknown="skip")
    with pytest.raises(ConfigError, match="unknown: expected one of 'error', 'skip', got 'pad'"):
        SMALL.encode(words, 5, unknown="pad")


def test_a_part_of_a_word_is_near_it():
    vocabulary = Vocabulary(("<pad>", "acoustic_guitar", "a"), ("yes",))
    with pytest.raises(DataError, match=r"word 'guitar' is not among .*near ones: 'acoustic_guitar'$"):
        vocabulary.encode(["guitar"], 3)
