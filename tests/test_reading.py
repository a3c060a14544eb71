import os

import pytest
import torch

from avground.errors import (
    AvgroundError,
    DataError,
    brief,
    check_choice,
    check_not_negative,
    check_positive,
    check_whole,
)
from avground.reading import check_plain, is_finite, open_regular, parse_json, read_json


def test_open_regular(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"abc")
    with open_regular(path, "a file") as file:
        assert file.read() == b"abc"
    link = tmp_path / "link"
    link.symlink_to(path)
    with open_regular(link, "a file") as file:
        assert file.read() == b"abc"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("none", "none: expected a file, got no such file"),
        ("folder", "folder: expected a file, got a folder"),
        ("x" * 300, "expected a file, got File name too long"),
        ("a\0b", r"a\\x00b: expected a file, got embedded null byte"),
        ("\ud800", "expected a file, got .*surrogates not allowed"),
        ("file/inside", "expected a file, got Not a directory"),
    ],
)
def test_what_is_no_file(tmp_path, name, message):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DataError, match=message) as error:
        open_regular(tmp_path / name, "a file")
    str(error.value).encode()


@pytest.mark.skipif(os.name != "posix", reason="needs pipes")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match="pipe: expected a file, got no regular file"):
        open_regular(tmp_path / "pipe", "a file")
    with pytest.raises(DataError, match="no regular file"):
        open_regular("/dev/zero", "a file")


def test_no_file_is_left_open(tmp_path):
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    for _ in range(10):
        with pytest.raises(DataError):
            open_regular(tmp_path, "a file")
    after = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    assert after == before


def test_json(tmp_path):
    path = tmp_path / "a.json"
    path.write_bytes(b'\xef\xbb\xbf{"a": [1, NaN]}')
    assert str(read_json(path, "a list")) == "{'a': [1, nan]}"
    with pytest.raises(DataError, match=r"a\.json: expected a list of at most 10 bytes, got a larger file"):
        read_json(path, "a list", most=10)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "Expecting value"),
        ("{", "Expecting"),
        ('{"a": 1, "b": {"c": 1, "c": 2}}', "the key 'c' appears twice"),
        ("[" * 10**6, "recursion"),
        ("9" * 5000, "4300"),
        (b"\xff\xfe", "utf-8"),
        ('{"' + "a" * 10**6 + '": 1' + ', "' + "a" * 10**6 + '": 1}', "appears twice"),
    ],
)
def test_what_is_no_json(text, reason):
    with pytest.raises(
        DataError, match=rf"^f: expected x, got a text that does not parse as JSON: .*{reason}"
    ) as error:
        parse_json(text, "f: expected x")
    assert len(str(error.value)) < 400


def test_plain_values():
    value = {"a": [1, 2.5, None, True, ("x", {3: "y"})], "b": object}
    with pytest.raises(DataError, match="where: expected plain values, got something of type type"):
        check_plain(value, "where")
    assert check_plain(value, "where", type) == [object]
    assert check_plain([value, value], "where", type) == [object, object]
    check_plain([-(2**63), 2**63 - 1], "where")


def _circle():
    value = []
    value.append(value)
    return value


def _shared(value, times, depth):
    for _ in range(depth):
        value = [value] * times
    return value


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (lambda: _circle(), ".*nested at most 20 deep, got deeper ones"),
        (lambda: _shared(1, 1, 10**5), ".*nested at most 20 deep, got deeper ones"),
        (lambda: _shared(1, 10**6, 3), "at most 2,000,000 values, .* got more"),
        (lambda: _shared(1, 2, 20), "at most 2,000,000 values, .* got more"),
        (lambda: _shared("x" * 10**6, 1000, 2), "at most 2,000,000 values, .* got more"),
        (lambda: {2**63: 1}, "whole numbers of 64 bits, got one of 64"),
        (lambda: [-(2**63) - 1], "whole numbers of 64 bits, got one of 64"),
        (lambda: {1.5: 1}, "strings or whole numbers as keys, got 1.5"),
        (lambda: b"", "plain values, got something of type bytes"),
        (lambda: 1j, "plain values, got something of type complex"),
    ],
)
def test_values_that_are_not_plain(value, message):
    with pytest.raises(DataError, match=f"where: expected {message}"):
        check_plain(value(), "where")


@pytest.mark.parametrize(
    "value",
    [
        10**5000,
        "x" * 10**7,
        ["x" * 10**6] * 10**4,
        _shared(["x"], 100, 50),
        _circle(),
        {"a" * 10**6: 1},
        object(),
        "\ud800",
    ],
    ids=range(8),
)
def test_messages_stay_short(value):
    assert len(brief(value)) <= 120
    for check in (
        lambda: check_choice("x", value, ("a", "b")),
        lambda: check_whole("x", value),
        lambda: check_positive("x", value),
        lambda: check_not_negative("x", value),
    ):
        with pytest.raises(AvgroundError) as error:
            check()
        assert len(str(error.value)) < 300
        str(error.value).encode()


@pytest.mark.parametrize("value", ["a", 3, None, ("x", 1), [1, 2], {"a": 1}, 1.5, True])
def test_short_values_are_shown_as_they_are(value):
    assert brief(value) == repr(value)


def test_numbers_that_cannot_be_computed_with():
    check_whole("x", 2**63 - 1)
    with pytest.raises(
        AvgroundError, match=r"x: expected a whole number of at least 1 and less than 2\*\*63, got 92233720"
    ):
        check_whole("x", 2**63)
    for value in (float("inf"), float("nan"), 10**400):
        with pytest.raises(AvgroundError, match="x: expected a number above 0"):
            check_positive("x", value)
        with pytest.raises(AvgroundError, match="x: expected a number that is at least 0"):
            check_not_negative("x", value)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_is_finite(dtype):
    largest = torch.full((3, 1000), torch.finfo(dtype).max, dtype=dtype)
    assert is_finite(largest)
    assert is_finite(-largest)
    assert is_finite(torch.empty(0, dtype=dtype))
    for value in (torch.nan, torch.inf, -torch.inf):
        for place in (0, 1500, 2999):
            values = torch.zeros(3000, dtype=dtype)
            values[place] = value
            assert not is_finite(values)
    assert not is_finite(torch.tensor([torch.inf, -torch.inf], dtype=dtype))
    assert is_finite(torch.tensor([2**62, True]))
