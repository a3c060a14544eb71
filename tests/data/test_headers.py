import builtins
import json
import os
import sys
import tracemalloc

import numpy as np
import pytest

from avground.data import headers
from avground.data.headers import Header, file_name, map_array, read_header, read_headers, show_progress
from avground.errors import DataError


@pytest.mark.parametrize("video_id", ["00000028", "sa00008269", "yU5kq-_ZI1w_flip", "-a", "a.b", "ä b", "..."])
def test_file_name(video_id):
    assert file_name(video_id) == f"{video_id}.npy"


@pytest.mark.parametrize(
    "video_id", ["", ".", "..", "/etc/passwd", "../a", "a/b", "a/", "/", "a\\b", "\\", "C:a", "C:\\a", "a\0"]
)
def test_unsafe_video_id(video_id):
    with pytest.raises(DataError, match="video id: expected a plain file name without a folder, got") as error:
        file_name(video_id)
    assert repr(video_id) in str(error.value)


@pytest.mark.parametrize("dtype", ["<f2", "<f4", "<f8", ">f2", ">f4", ">f8"])
@pytest.mark.parametrize("version", [(1, 0), (2, 0)])
def test_header(tmp_path, dtype, version):
    path = tmp_path / "a.npy"
    with path.open("wb") as file:
        np.lib.format.write_array(file, np.zeros((3, 4), dtype=dtype), version=version)
    assert read_header(path) == Header((3, 4), dtype)


@pytest.mark.parametrize(
    ("values", "got"),
    [
        (np.zeros((2, 2), dtype=np.int64), "int64"),
        (np.zeros((2, 2), dtype=bool), "bool"),
        (np.zeros((2, 2), dtype=np.complex64), "complex64"),
        (np.zeros((2, 2), dtype=np.longdouble), "longdouble|float128|float96|float64"),
        (np.array([["a"]]), "<U1"),
        (np.array([{}, None], dtype=object), "object"),
        (np.zeros(2, dtype=[("x", "f4")]), r"\[\('x', '<f4'\)\]"),
    ],
)
def test_wrong_type(tmp_path, values, got):
    if values.dtype == np.float64:
        pytest.skip("long double is double precision here")
    np.save(tmp_path / "a.npy", values, allow_pickle=True)
    with pytest.raises(DataError, match=f"^a.npy: expected float16, float32 or float64, got ({got})"):
        read_header(tmp_path / "a.npy")


def _with_header(text):
    header = text.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(16)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x93NUMPY",
        b"PK\x03\x04 a zip archive",
        b"\x80\x04\x95 a pickle",
        b"\x93NUMPY\x03\x00\x00\x00\x00\x00",
        b"\x93NUMPY\x01\x00\xff\xff{",
        _with_header("{'descr': '<f4', 'fortran_order': False}"),
        _with_header("{'descr': 'nonsense', 'fortran_order': False, 'shape': (2, 2)}"),
        _with_header("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 'a')}"),
        _with_header("{'descr': '<f4', 'fortran_order': False, 'shape': 2}"),
        _with_header("__import__('os').getcwd()"),
        _with_header("(" * 100),
    ],
)
def test_not_an_array(tmp_path, content):
    path = tmp_path / "a.npy"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"^a\.npy: expected a \.npy file, got "):
        read_header(path)


def test_lengths_that_lie(tmp_path):
    path = tmp_path / "a.npy"
    path.write_bytes(_with_header("{'descr': '<f4', 'fortran_order': False, 'shape': (2, -2)}"))
    with pytest.raises(DataError, match=r"expected lengths of at least 0, got shape \(2, -2\)"):
        read_header(path)
    path.write_bytes(_with_header(f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({10**30}, 2)}}"))
    with pytest.raises(DataError, match="the file is cut short"):
        read_header(path)


def test_cut_short_and_longer(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, np.zeros((60, 128), dtype=np.float32))
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    with pytest.raises(DataError, match=rf"expected {len(whole)} bytes for shape \(60, 128\), got {len(whole) - 1}"):
        read_header(path)
    path.write_bytes(whole + b"more")
    assert read_header(path).shape == (60, 128)


def test_missing_and_folder(tmp_path):
    with pytest.raises(DataError, match=r"^a\.npy is missing$"):
        read_header(tmp_path / "a.npy")
    with pytest.raises(DataError, match=r"a \.npy file, got a folder"):
        read_header(tmp_path)


# What is remembered between runs.


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "vggish"
    folder.mkdir()
    for name, rows in (("a.npy", 60), ("b.npy", 30)):
        np.save(folder / name, np.zeros((rows, 4), dtype=np.float32))
    return folder


@pytest.fixture
def opened(monkeypatch):
    """The names of the files whose headers were read."""
    names = []

    def spy(path):
        names.append(path.name)
        return read_header(path)

    monkeypatch.setattr(headers, "read_header", spy)
    return names


def check(folder, *names):
    return read_headers(folder, names or ("a.npy", "b.npy"), progress=False)


EXPECTED = {"a.npy": Header((60, 4), "<f4"), "b.npy": Header((30, 4), "<f4")}


def test_remembered(folder, opened, cache):
    before = sorted(folder.iterdir())
    assert check(folder) == EXPECTED
    assert check(folder) == EXPECTED
    assert opened == ["a.npy", "b.npy"]
    assert sorted(folder.iterdir()) == before
    assert len(list((cache / "headers").iterdir())) == 1


def test_new_and_changed_files_are_read(folder, opened):
    assert check(folder, "a.npy") == {"a.npy": EXPECTED["a.npy"]}
    assert check(folder) == EXPECTED
    assert opened == ["a.npy", "b.npy"]
    np.save(folder / "a.npy", np.zeros((10, 4), dtype=np.float32))
    assert check(folder)["a.npy"] == Header((10, 4), "<f4")
    # The same size, another time.
    np.save(folder / "b.npy", np.zeros((4, 30), dtype=np.float32))
    os.utime(folder / "b.npy", ns=(0, 1))
    assert check(folder)["b.npy"] == Header((4, 30), "<f4")
    assert opened == ["a.npy", "b.npy", "a.npy", "b.npy"]


def test_errors_are_not_remembered(folder, opened):
    (folder / "c.npy").write_bytes(b"")
    for _ in range(2):
        found = check(folder, "a.npy", "c.npy", "d.npy", "e" * 300 + ".npy", "\ud800.npy")
        assert found["a.npy"] == EXPECTED["a.npy"]
        assert str(found["c.npy"]).startswith("c.npy: expected a .npy file")
        assert str(found["d.npy"]) == "d.npy is missing"
        assert "cannot be read" in str(found["e" * 300 + ".npy"])
        assert "cannot be read" in str(found["\ud800.npy"])
    assert opened == ["a.npy", "c.npy", "c.npy"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '{"a.npy": 3}',
        '{"a.npy": [1, 2, 3]}',
        '{"a.npy": [1, 2, ["x"], "<f4"]}',
        '{"a.npy": [1, 2, [1], "nonsense"]}',
        '{"a.npy": [1, 2, [60, 4], "<f4"]}',
        "[" * 100_000,
    ],
)
def test_corrupt_cache_is_made_anew(folder, opened, cache, text):
    check(folder)
    (path,) = (cache / "headers").iterdir()
    good = json.loads(path.read_text())
    path.write_text(text)
    assert check(folder) == EXPECTED
    assert opened == ["a.npy", "b.npy"] * 2
    assert json.loads(path.read_text()) == good


def test_cache_that_is_not_text(folder, cache):
    check(folder)
    (path,) = (cache / "headers").iterdir()
    path.write_bytes(b"\xff\xfe")
    assert check(folder) == EXPECTED
    path.unlink()
    path.mkdir()
    assert check(folder) == EXPECTED


def test_cache_that_cannot_be_written(folder, opened, cache):
    (cache / "headers").write_text("a file where the folder should be")
    assert check(folder) == EXPECTED
    assert check(folder) == EXPECTED
    assert opened == ["a.npy", "b.npy"] * 2


def test_where_the_cache_lies(folder, tmp_path, monkeypatch):
    monkeypatch.delenv("AVGROUND_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    check(folder)
    assert len(list((tmp_path / "xdg" / "avground" / "headers").iterdir())) == 1
    monkeypatch.delenv("XDG_CACHE_HOME")
    check(folder)
    assert len(list((tmp_path / "home" / ".cache" / "avground" / "headers").iterdir())) == 1


def test_without_a_home(folder, monkeypatch):
    def nowhere():
        raise RuntimeError("no home")

    monkeypatch.delenv("AVGROUND_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(headers.Path, "home", nowhere)
    assert check(folder) == EXPECTED


def test_folders_do_not_share_what_is_remembered(folder, tmp_path, cache):
    other = tmp_path / "other"
    other.mkdir()
    np.save(other / "a.npy", np.zeros((5, 4), dtype=np.float32))
    check(folder)
    assert check(other, "a.npy") == {"a.npy": Header((5, 4), "<f4")}
    assert len(list((cache / "headers").iterdir())) == 2


def test_progress_bar(monkeypatch, capsys):
    assert list(show_progress([1, 2], "checking", True)) == [1, 2]
    assert capsys.readouterr() == ("", "")
    items = [1, 2]
    assert show_progress(items, "checking", False) is items

    real = builtins.__import__

    def without(name, *arguments, **named):
        if name == "tqdm":
            raise ImportError(name)
        return real(name, *arguments, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    monkeypatch.delitem(sys.modules, "tqdm", raising=False)
    assert show_progress(items, "checking", True) is items


def _header(shape, descr="'<f4'"):
    return f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}"


@pytest.mark.parametrize(
    "shape",
    [
        f"({2**60},)",
        f"({2**62}, {2**62})",
        f"(0, {2**60})",
        f"(0x{'f' * 5000}, 1)",
        f"(0, 0x{'f' * 5000})",
        f"({'9' * 4000}, {'9' * 4000})",
        "(" + "1, " * 40 + ")",
        "(" + "0, " * 2000 + ")",
    ],
)
def test_shapes_that_no_array_has(tmp_path, shape):
    header = _header(shape).encode() + b"\n"
    path = tmp_path / "a.npy"
    path.write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(64))
    with pytest.raises(DataError, match=r"^a\.npy: expected ") as error:
        read_header(path)
    assert len(str(error.value)) < 400


def test_a_header_of_a_gigabyte_is_not_read(tmp_path):
    path = tmp_path / "a.npy"
    with path.open("wb") as file:
        file.write(b"\x93NUMPY\x02\x00" + (2**30).to_bytes(4, "little") + b"{")
        file.truncate(2**31)  # Without taking room on the disk.
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=r"^a\.npy: expected a \.npy file, got ValueError: EOF"):
            read_header(path)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["<f2", ">f4", "<f8"])
def test_map_array(tmp_path, order, dtype):
    values = np.asarray(np.arange(12).reshape(3, 4), dtype=dtype, order=order)
    np.save(tmp_path / "a.npy", values)
    mapped = map_array(tmp_path / "a.npy")
    assert mapped.dtype == values.dtype
    assert (mapped == values).all()
    assert not mapped.flags.writeable
    np.save(tmp_path / "a.npy", values[:0])
    with pytest.raises(DataError, match=r"a\.npy: expected values, got none in shape \(0, 4\)"):
        map_array(tmp_path / "a.npy")


@pytest.mark.parametrize(
    "entry",
    [
        [1, 2, [-60, 4], "<f4"],
        [1e400, 2, [1], "<f4"],
        [10**18, 2, [10**400], "<f4"],
        [1088, 2, [60, 4], "O"],
        [1088, 2, [0] * 5000, "<f4"],
        [1088, 2, [60, 4], "<i4"],
        [1088, 2, [60, 4], "f4,f4"],
        [1088, 2, [60, 4], {"names": ["a"], "formats": ["f4"]}],
        [1088, "x" * 10, [60, 4], "<f4"],
        [1088, 2, {"60": 1}, "<f4", 5],
    ],
)
def test_what_was_remembered_is_not_trusted(folder, opened, cache, entry):
    check(folder)
    (path,) = (cache / "headers").iterdir()
    status = (folder / "a.npy").stat()
    entry = [
        status.st_size if entry[0] == 1088 else entry[0],
        status.st_mtime_ns if entry[1] == 2 else entry[1],
        *entry[2:],
    ]
    path.write_text(json.dumps({"a.npy": entry}))
    assert check(folder) == EXPECTED
    assert opened == ["a.npy", "b.npy"] * 2
