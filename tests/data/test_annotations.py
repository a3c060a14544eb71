import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avground.data.annotations import PLACEHOLDERS, QUESTION_TYPES, Record, _fill, parse_rows, read_annotations
from avground.errors import DataError


def test_published_file(val_json, vocabulary_json):
    records = read_annotations(val_json)
    assert len(records) == 4568
    assert len({record.video_id for record in records}) == 3815
    assert Counter(record.type for record in records) == {
        ("Audio", "Counting"): 511,
        ("Audio", "Comparative"): 295,
        ("Visual", "Counting"): 600,
        ("Visual", "Location"): 613,
        ("Audio-Visual", "Existential"): 495,
        ("Audio-Visual", "Counting"): 633,
        ("Audio-Visual", "Location"): 461,
        ("Audio-Visual", "Comparative"): 549,
        ("Audio-Visual", "Temporal"): 411,
    }
    words = {*vocabulary_json["question_words_prefix"], *vocabulary_json["question_words_unordered_rest"]}
    assert len(words) == 93
    assert {word for record in records for word in record.words} <= words
    assert {record.answer for record in records} <= set(vocabulary_json["answers"])
    assert {len(record.words) for record in records} == set(range(4, 12)) | {13, 14}
    assert len({record.template for record in records}) == 33
    assert records[3] == Record(
        "00000132",
        31,
        ("Audio-Visual", "Counting"),
        "How many sounding <Object> in the video？",  # noqa: RUF001
        ("How", "many", "sounding", "banjo", "in", "the", "video"),
        "one",
    )
    assert records[3].where.endswith("avqa-val.json, row 3 (video 00000132, question 31)")


def test_published_file_read_the_official_way(val_json):
    """The published programs drop the last character, split at blanks, then replace whole tokens that hold a '<'."""
    for record, row in zip(read_annotations(val_json), json.loads(val_json.read_text()), strict=True):
        words = row["question_content"].rstrip().split(" ")
        words[-1] = words[-1][:-1]
        values = iter(json.loads(row["templ_values"]))
        assert record.words == tuple(next(values) if "<" in word else word for word in words)


def test_second_version(second_version_json):
    records = read_annotations(second_version_json)
    assert len(records) == 4499
    assert sum(record.question_id is None for record in records) == 259
    assert sum(record.audio_id is not None for record in records) == 20
    assert all(type(record.question_id) is int for record in records if record.question_id is not None)
    first = next(record for record in records if record.audio_id is not None)
    assert (first.video_id, first.audio_id) == ("sa00008371", "00000206")
    assert "question without a number" in first.where


def test_row(row, questions):
    path = questions([row()])
    (record,) = read_annotations(str(path))
    assert record.words == ("Is", "the", "guzheng", "louder", "than", "the", "piano")
    assert (record.video_id, record.question_id, record.answer) == ("00000108", 10, "yes")
    assert (record.audio_id, record.source, record.row) == (None, str(path), 0)
    assert record.where == f"{path}, row 0 (video 00000108, question 10)"
    assert Record("v", 3, record.type, "What?", ("What",), "no").where == "video v, question 3"


@pytest.mark.parametrize(
    ("changes", "attribute", "value"),
    [
        ({"question_id": None}, "question_id", None),
        ({"question_id": ...}, "question_id", None),
        ({"question_id": 30338.0}, "question_id", 30338),
        ({"question_deleted": None}, "question_id", 10),
        ({"question_deleted": ...}, "question_id", 10),
        ({"type": ["Audio", "Comparative"]}, "type", ("Audio", "Comparative")),
        ({"templ_values": ["drum", "flute"]}, "words", ("Is", "the", "drum", "louder", "than", "the", "flute")),
        ({"unmatch_audio": "00000001"}, "audio_id", "00000001"),
        ({"unmatch_audio": None}, "audio_id", None),
        ({"video_id": "yU5kq-_ZI1w_flip"}, "video_id", "yU5kq-_ZI1w_flip"),
        ({"question_id": float("nan")}, "question_id", None),
        ({"question_deleted": float("nan")}, "deleted", False),
        ({"question_deleted": 0.0}, "deleted", False),
        ({"question_deleted": 1}, "deleted", True),
        ({"unmatch_audio": float("nan")}, "matched", True),
        ({"unmatch_audio": "00000001"}, "matched", False),
        ({"unmatch_audio": "00000108"}, "matched", True),
        ({"unmatch_audio": "00000001"}, "heard_id", "00000001"),
        ({"unmatch_audio": float("nan")}, "heard_id", "00000108"),
        ({"split": "tail"}, "frequency", "tail"),
        ({"split": "head"}, "frequency", "head"),
        ({"split": "test"}, "frequency", None),
        ({"split": ["head"]}, "frequency", None),
        ({"anser": "more than ten"}, "answer", "more than ten"),
        ({"question_content": "Is  the <Object>\tand <Object> ? "}, "words", ("Is", "the", "guzheng", "and", "piano")),
        ({"question_content": "<Object>'s or <Object>?"}, "words", ("guzheng's", "or", "piano")),
        ({"question_content": "Are <Object> and <Object> on？ "}, "template", "Are <Object> and <Object> on？"),  # noqa: RUF001
    ],
)
def test_row_variants(row, questions, changes, attribute, value):
    (record,) = read_annotations(questions([row(**changes)]))
    assert getattr(record, attribute) == value


@pytest.mark.parametrize("absent", [..., None, float("nan"), "[]", []])
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Does the cello in the video play all the time", "Does the cello in the video play all the time"),
        ("In the video, is the cello (or the erhu) heard first?", "In the video is the cello or the erhu heard first"),
        ("Is the cello's sound: loud ?", "Is the cello's sound loud"),
        ("The cello sounds first. Is it so", "The cello sounds first Is it so"),
    ],
)
def test_rephrased_questions(row, questions, absent, text, words):
    """As MUSIC-AVQA-R and FortisAVQA write them: values filled in, often without a question mark."""
    (record,) = read_annotations(questions([row(question_content=text, templ_values=absent)]))
    assert " ".join(record.words) == words
    assert record.template == text


def test_template_without_a_question_mark_keeps_its_last_word(row, questions):
    (record,) = read_annotations(questions([row(question_content="Is the <Object> louder than the <Object>")]))
    assert record.words[-1] == "piano"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"video_id": ...}, "expected the key 'video_id', got only 'question_id', 'type'"),
        ({"anser": ...}, "expected the key 'anser'"),
        ({"type": ...}, "expected the key 'type'"),
        ({"question_content": ...}, "expected the key 'question_content'"),
        ({"video_id": 108}, "video_id: expected a string that is not empty, got int 108"),
        ({"video_id": " "}, "video_id: expected a string that is not empty, got str ' '"),
        ({"anser": None}, "anser: expected a string that is not empty, got NoneType None"),
        ({"unmatch_audio": 7}, "unmatch_audio: expected a string"),
        ({"question_content": ["a"]}, "question_content: expected a string"),
        ({"question_id": "10"}, "question_id: expected a whole number or null, got str '10'"),
        ({"question_id": 1.5}, "question_id: expected a whole number or null, got float 1.5"),
        ({"question_id": True}, "question_id: expected a whole number or null, got bool True"),
        ({"question_deleted": 2}, "question_deleted: expected 0, 1 or null, got int 2"),
        ({"question_deleted": "0"}, "question_deleted: expected 0, 1 or null, got str '0'"),
        ({"templ_values": ...}, r"templ_values: expected 2 \(<Object>, <Object>\), got 0"),
        ({"question_content": "?", "templ_values": []}, r"question_content: expected words, got str '\?'"),
        ({"question_id": float("inf")}, "question_id: expected a whole number"),
        ({"type": '["Audio", "Temporal"]'}, "type: expected one of: Audio, Counting; Audio, Comparative; Visual"),
        ({"type": '["Audio"]'}, "type: expected one of"),
        ({"type": "Audio"}, "type: expected a JSON list of strings, got str 'Audio'"),
        ({"type": '{"Audio": 1}'}, "type: expected a JSON list of strings"),
        ({"type": 3}, "type: expected a JSON list of strings, got int 3"),
        ({"templ_values": "['guzheng', 'piano']"}, "templ_values: expected a JSON list of strings"),
        ({"templ_values": '["guzheng", 3]'}, "templ_values: expected a JSON list of strings"),
        ({"templ_values": '["guzheng", ""]'}, "templ_values: expected a JSON list of strings"),
        ({"templ_values": "[" * 200_000}, "templ_values: expected a JSON list of strings"),
        (
            {"templ_values": '["guzheng"]'},
            r"templ_values: expected 2 \(<Object>, <Object>\), got 1: list \['guzheng'\]",
        ),
        ({"templ_values": '["a", "b", "c"]'}, r"templ_values: expected 2 \(<Object>, <Object>\), got 3"),
        ({"question_content": "Why?"}, r"templ_values: expected 0 \(no placeholder\), got 2"),
        ({"question_content": "Is <Object> <RL>?"}, "expected placeholders among <Object>, <LR>.*, got <RL>"),
    ],
)
def test_bad_row(row, questions, changes, message):
    path = questions([row(), row(**changes)])
    with pytest.raises(DataError, match=message) as error:
        read_annotations(path)
    assert str(error.value).startswith(f"{path}, row 1: ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"[1,", "expected a JSON file of questions, got a text that does not parse"),
        (b"", "does not parse as JSON"),
        (b"\xff\xfe\x00", "does not parse as JSON"),
        (b"[" * 200_000, "does not parse as JSON"),
        (b"{}", r"expected a JSON list of questions, got dict \{\}"),
        (b'"hello"', "expected a JSON list of questions, got str 'hello'"),
        (b"[[]]", r"row 0: expected an object with the keys of a question, got list \[\]"),
        (b"[{}]", "row 0: expected the key 'question_content', got only an empty object"),
    ],
)
def test_bad_file(tmp_path, text, message):
    path = tmp_path / "avqa-test.json"
    path.write_bytes(text)
    with pytest.raises(DataError, match=message) as error:
        read_annotations(path)
    assert str(path) in str(error.value)


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(DataError, match=r"nowhere\.json: expected a JSON file of questions, got no such file"):
        read_annotations(tmp_path / "nowhere.json")
    with pytest.raises(DataError, match="expected a JSON file of questions, got a folder"):
        read_annotations(tmp_path)


def test_byte_order_mark_and_empty_list(tmp_path, row):
    path = tmp_path / "avqa-val.json"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps([row()]).encode())
    assert len(read_annotations(path)) == 1
    path.write_text("[]")
    assert read_annotations(path) == []


def test_long_values_are_cut_in_messages(row, questions):
    with pytest.raises(DataError) as error:
        read_annotations(questions([row(templ_values=["x" * 5000])]))
    assert len(str(error.value)) < 500


def test_question_types_are_nine():
    assert len(set(QUESTION_TYPES)) == 9


_word = st.text(st.characters(codec="ascii", categories=["L", "N"], include_characters="_"), min_size=1, max_size=12)


@given(st.lists(_word | st.sampled_from(PLACEHOLDERS), min_size=1, max_size=14), st.sampled_from("?？"), st.data())  # noqa: RUF001
def test_words_survive_writing_and_reading(parts, mark, data):
    """A sentence written as template and values is read back word for word."""
    values = [data.draw(_word) for part in parts if part in PLACEHOLDERS]
    remaining = iter(values)
    expected = tuple(next(remaining) if part in PLACEHOLDERS else part for part in parts)
    assert _fill(" ".join(parts) + mark, values, "here") == expected


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"video_id": "a\0b"}, "video_id: expected printable characters"),
        ({"video_id": "a\nb"}, "video_id: expected printable characters"),
        ({"anser": "\x1b[2Jyes"}, r"anser: expected printable characters, got str '.x1b\[2Jyes'"),
        ({"anser": "\ud800"}, "anser: expected printable characters"),
        ({"templ_values": '["\\ud800", "a"]'}, "templ_values: expected printable characters"),
        ({"question_content": "Is <Object>\x07 it <Object>?"}, "question_content: expected printable characters"),
        ({"question_content": "<Object>" * 4 + "?"}, "question_content: expected at most 3 placeholders in a word"),
        ({"question_content": "a" * 10**6}, "question_content: expected at most 10000 printable characters"),
        ({"question_id": 2**63}, "question_id: expected a whole number or null, got int 9223372036854775808"),
        ({"question_id": 1e300}, "question_id: expected a whole number or null, got float 1e"),
        ({"type": "[" * 10**5}, "type: expected a JSON list of strings, got str .*does not parse as JSON"),
        ({"templ_values": {"a": [[[["x" * 10**6]]]]}}, "templ_values: expected a JSON list of strings, got dict"),
    ],
)
def test_a_row_of_a_stranger(row, changes, message):
    with pytest.raises(DataError, match=rf"^x, row 0: {message}") as error:
        parse_rows([row(**changes)], "x")
    assert len(str(error.value)) < 600
    str(error.value).encode()
