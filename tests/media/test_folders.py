import builtins
import errno
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from avground.data.manifest import Manifest, dump_manifest, read_manifest
from avground.errors import DataError
from avground.media import folders
from avground.media.folders import FeaturesOut, finished, make_folder, write_file


@pytest.fixture
def kind(tmp_path):
    return FeaturesOut(tmp_path / "out" / "vggish", make_manifest())


def make_manifest(**changes):
    values = {"kind": "audio", "extractor": "vggish", "shape": (3,), "settings": {"dtype": "float32"}}
    return Manifest(**{**values, **changes})


def test_manifest_comes_first(kind):
    kind.check()
    kind.prepare()
    assert read_manifest(kind.folder) == kind.manifest
    assert os.listdir(kind.folder) == ["manifest.json"]
    kind.check()


def test_other_versions_are_no_difference(kind):
    kind.prepare()
    before = (kind.folder / "manifest.json").read_bytes()
    newer = FeaturesOut(kind.folder, make_manifest(versions={"torch": "99"}))
    newer.check()
    newer.prepare()
    assert (kind.folder / "manifest.json").read_bytes() == before


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"extractor": "logmel"}, ["'vggish'", "'logmel'"]),
        ({"settings": {"dtype": "float16"}}, ["'float32'", "'float16'"]),
        ({"seconds": 30}, ["seconds 60, not 30"]),
        ({"weights": "abc"}, ["weights None, not 'abc'"]),
    ],
)
def test_made_in_another_way(kind, changes, words):
    kind.prepare()
    with pytest.raises(DataError, match="vggish: its features were made with") as error:
        FeaturesOut(kind.folder, make_manifest(**changes)).check()
    assert all(word in str(error.value) for word in words)


def test_another_run_was_quicker(kind, monkeypatch):
    """Both looked when there was nothing yet."""
    other = FeaturesOut(kind.folder, make_manifest(seconds=30))
    kind.check()
    link = os.link

    def overtaken(*paths):
        (kind.folder / "manifest.json").write_text(dump_manifest(other.manifest))
        link(*paths)

    monkeypatch.setattr(folders.os, "link", overtaken)
    with pytest.raises(DataError, match="its features were made with seconds 30, not 60 as asked for now"):
        kind.prepare()
    assert read_manifest(kind.folder) == other.manifest
    assert os.listdir(kind.folder) == ["manifest.json"]


def test_a_run_of_the_same_kind_was_quicker(kind):
    kind.check()
    FeaturesOut(kind.folder, make_manifest(versions={"torch": "99"})).prepare()
    kind.prepare()
    assert read_manifest(kind.folder).versions == {"torch": "99"}


def test_a_disk_without_links(kind, monkeypatch):
    def refuse(*_):
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(folders.os, "link", refuse)
    kind.prepare()
    assert read_manifest(kind.folder) == kind.manifest
    assert os.listdir(kind.folder) == ["manifest.json"]


def test_names_that_are_too_long(kind):
    kind.prepare()
    kind.check_name("a" * 251)  # With its suffix, 255: what Linux's disks allow.
    with pytest.raises(DataError, match=r"aaa\.npy: cannot be written: File name too long"):
        kind.check_name("a" * 252)


def test_features_of_others(kind):
    kind.folder.mkdir(parents=True)
    np.save(kind.folder / "published.npy", np.zeros((60, 3), np.float32))
    with pytest.raises(DataError, match=r"vggish: expected a folder with a manifest\.json, .* got published\.npy"):
        kind.check()


def test_not_a_folder(kind):
    kind.folder.parent.mkdir()
    kind.folder.write_text("a file")
    with pytest.raises(DataError, match="expected a folder to write to, got FileExistsError"):
        make_folder(kind.folder)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_array(tmp_path, dtype):
    values = np.arange(24, dtype=dtype).reshape(2, 3, 4)
    write_file(tmp_path / "a.npy", values)
    np.save(tmp_path / "b.npy", values)
    assert (tmp_path / "a.npy").read_bytes() == (tmp_path / "b.npy").read_bytes()
    assert sorted(os.listdir(tmp_path)) == ["a.npy", "b.npy"]


def test_finished(kind, tmp_path):
    other = FeaturesOut(tmp_path / "out" / "logmel", make_manifest(settings={"dtype": "float16"}))
    both = {"audio": kind, "visual": other}
    for each in both.values():
        each.prepare()
    assert not finished(both, "a")
    kind.write("a", np.zeros((2, 3), np.float32))
    assert not finished(both, "a")
    other.write("a", np.zeros((2, 3), np.float16))
    assert finished(both, "a")
    for wrong in (np.zeros((2, 4), np.float16), np.zeros((2, 3), np.float32), np.zeros((0, 3), np.float16)):
        other.write("a", wrong)
        assert not finished(both, "a")
    other.write("a", np.zeros((2, 3), np.float16))
    whole = other.path("a").read_bytes()
    other.path("a").write_bytes(whole[:-1])
    assert not finished(both, "a")


@pytest.mark.parametrize("content", [b"bytes", np.zeros((2, 3), np.float32)])
def test_full_disk(tmp_path, monkeypatch, content):
    path = tmp_path / "a.npy"
    path.write_bytes(b"old")

    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(folders.os, "fsync", full)
    with pytest.raises(DataError, match=r"a\.npy: cannot be written: .*No space left on device"):
        write_file(path, content)
    assert os.listdir(tmp_path) == ["a.npy"]
    assert path.read_bytes() == b"old"


def test_no_memory(tmp_path, monkeypatch):
    def none(*_):
        raise MemoryError

    monkeypatch.setattr(folders.os, "fsync", none)
    with pytest.raises(DataError, match=r"a\.npy: cannot be written: MemoryError"):
        write_file(tmp_path / "a.npy", b"")
    assert os.listdir(tmp_path) == []


def test_device_that_is_full():
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    with pytest.raises(OSError, match="No space left"), builtins.open("/dev/full", "wb") as file:
        file.write(np.zeros(5).data)


# What killed runs leave.


def leftover(folder, process, machine=None, age=0.0):
    path = folder / f".avground-{machine or folders._MACHINE}-{process}-0.part"
    path.write_bytes(b"half")
    os.utime(path, (time.time() - age,) * 2)
    return path


def test_leftovers_of_the_dead(tmp_path):
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    dead, own = leftover(tmp_path, done.pid), leftover(tmp_path, os.getpid())
    old = leftover(tmp_path, 1, machine="0" * 12, age=2 * 24 * 3600)
    make_folder(tmp_path)
    assert not any(path.exists() for path in (dead, own, old))


def test_files_of_the_living(tmp_path):
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        kept = [
            leftover(tmp_path, other.pid),
            leftover(tmp_path, 1),  # Belongs to another user, unless this one is root.
            leftover(tmp_path, 1, machine="0" * 12),
            tmp_path / ".avground-notes.part",
            tmp_path / "a.npy",
            tmp_path / ".a.npy.12.tmp",
        ]
        for path in kept:
            path.touch()
        make_folder(tmp_path)
        assert sorted(tmp_path.iterdir()) == sorted(kept)
        other.communicate(b"\n")
