import os

import pytest

from avground.errors import DataError
from avground.media.videos import SUFFIXES, find_videos


def make(folder, *names):
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).write_bytes(b"")
    return folder


def test_folder(tmp_path):
    folder = make(tmp_path / "videos", "b.mp4", "a.MKV", "c.d.webm", ".hidden.mp4", "notes.txt", "mp4", "b.mp4.part")
    (folder / "old.mp4").mkdir()
    (folder / "more").mkdir()
    (folder / "more" / "deep.mp4").write_bytes(b"")
    (folder / "gone.mov").symlink_to(folder / "nowhere.mov")
    found = find_videos(folder)
    assert list(found.paths.items()) == [
        ("a", folder / "a.MKV"),
        ("b", folder / "b.mp4"),
        ("c.d", folder / "c.d.webm"),
        ("gone", folder / "gone.mov"),
    ]
    assert found.ignored == {
        str(folder / ".hidden.mp4"): "hidden",
        str(folder / "b.mp4.part"): "not the suffix of a video",
        str(folder / "more"): "a folder within the folder",
        str(folder / "mp4"): "not the suffix of a video",
        str(folder / "notes.txt"): "not the suffix of a video",
        str(folder / "old.mp4"): "a folder within the folder",
    }


def test_all_suffixes(tmp_path):
    folder = make(tmp_path / "videos", *(f"video-{suffix[1:]}{suffix}" for suffix in SUFFIXES))
    assert sorted(path.suffix for path in find_videos(folder).paths.values()) == sorted(SUFFIXES)
    assert {".mp4", ".mkv", ".webm", ".avi", ".mov"} <= SUFFIXES


def test_files_and_folders(tmp_path):
    folder = make(tmp_path / "videos", "a.mp4")
    other = make(tmp_path / "others", "z", "y.data", "x.mp4")
    found = find_videos([str(other / "z"), folder, other / "y.data", folder / "a.mp4"])
    assert found.paths == {"a": folder / "a.mp4", "y": other / "y.data", "z": other / "z"}
    assert list(found.paths) == ["a", "y", "z"]
    assert find_videos(str(other / "x.mp4")).paths == {"x": other / "x.mp4"}


def test_a_place_whose_name_is_too_long(tmp_path):
    with pytest.raises(DataError, match="aaa: expected a video or a folder of videos, got nothing there"):
        find_videos(tmp_path / ("a" * 300))


def test_two_with_one_id(tmp_path):
    folder = make(tmp_path / "videos", "a.mp4", "a.mkv")
    with pytest.raises(DataError, match="two videos with the id 'a', expected one") as error:
        find_videos(folder)
    assert str(folder / "a.mp4") in str(error.value)
    assert str(folder / "a.mkv") in str(error.value)
    other = make(tmp_path / "others", "a.mp4")
    with pytest.raises(DataError, match="two videos with the id 'a'"):
        find_videos([folder / "a.mp4", other])


@pytest.mark.parametrize("name", ["a\\b.mp4", "C:a.mp4"])
def test_ids_like_paths(tmp_path, name):
    folder = make(tmp_path / "videos", "fine.mp4", name)
    with pytest.raises(DataError, match="expected a plain file name without a folder") as error:
        find_videos(folder)
    assert repr(str(folder / name)) in str(error.value)


def test_nothing_there(tmp_path):
    with pytest.raises(DataError, match=r"nowhere: expected a video or a folder of videos, got nothing there"):
        find_videos(tmp_path / "nowhere")
    empty = make(tmp_path / "empty", "a.txt")
    with pytest.raises(DataError, match=r"expected videos \(.*\.mp4.*\), got none in .*empty"):
        find_videos(empty)
    with pytest.raises(DataError, match="got none in no place"):
        find_videos([])


def test_names_that_are_no_text(tmp_path):
    folder = tmp_path / "videos"
    folder.mkdir()
    try:
        (folder / os.fsdecode(b"\xff.mp4")).write_bytes(b"")
    except OSError:
        pytest.skip("this file system takes only text")
    assert list(find_videos(folder).paths) == ["\udcff"]
