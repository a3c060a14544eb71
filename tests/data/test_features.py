import pickle

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from avground.data import FeatureFolder, features
from avground.data.segments import sample_rows
from avground.errors import ConfigError, DataError

IDS = ["a", "b", "c", "d", "e"]
ROWS = {"a": 60, "b": 60, "c": 45, "d": 7, "e": 1}


def expected(feats, kind, video_id, layout=60, segments=10):
    values = np.load(feats / kind / f"{video_id}.npy")
    return torch.from_numpy(values[sample_rows(len(values), layout, segments)].astype(np.float32))


def opened(feats, keep="disk", ids=IDS, **settings):
    folder = FeatureFolder(feats, keep=keep, **settings)
    folder.check(ids, progress=False)
    return folder


@pytest.mark.parametrize("keep", ["auto", "memory", "disk"])
def test_values(feats, keep):
    folder = opened(feats, keep)
    assert (folder.audio_dim, folder.visual_shape) == (4, (3, 2, 5))
    ids = ["d", "a", "e", "c", "b", "a", "a"]
    for read, kind in ((folder.audio, "vggish"), (folder.visual, "res18_14x14")):
        values = read(ids)
        assert values.dtype == torch.float32
        assert values.is_contiguous()
        torch.testing.assert_close(values, torch.stack([expected(feats, kind, i) for i in ids]), rtol=0, atol=0)
        assert read([]).shape == (0, *values.shape[1:])


@given(st.lists(st.tuples(st.sampled_from(IDS), st.integers(0, 9)), max_size=20))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
def test_memory_and_disk_agree_bit_for_bit(feats, wanted):
    ids, segments = [i for i, _ in wanted], [segment for _, segment in wanted]
    disk, memory = opened(feats), opened(feats, "memory")
    assert memory.kinds["visual"].loaded_bytes == 5 * 10 * 30 * 4
    assert (disk.in_memory, memory.in_memory) == (False, True)
    assert disk.kinds["visual"].loaded_bytes == disk.kinds["audio"].loaded_bytes == 0
    assert torch.equal(disk.audio(ids), memory.audio(ids))
    assert torch.equal(disk.visual(ids), memory.visual(ids))
    frames = disk.frames(ids, segments)
    assert torch.equal(frames, memory.frames(ids, segments))
    assert frames.shape == (len(wanted), 3, 2, 5)
    for frame, (video_id, segment) in zip(frames, wanted, strict=True):
        assert torch.equal(frame, expected(feats, "res18_14x14", video_id)[segment])


@pytest.mark.parametrize("keep", ["memory", "disk"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_is_named(feats, keep, value):
    values = np.zeros((60, 4), dtype=np.float32)
    values[6, 1] = value
    np.save(feats / "vggish" / "b.npy", values)
    with pytest.raises(DataError, match=r"vggish/b\.npy: audio: expected finite values, got NaN or infinity"):
        opened(feats, keep).audio(["a", "b"])


@pytest.mark.parametrize("keep", ["memory", "disk"])
@pytest.mark.parametrize(("dtype", "value"), [("<f2", 60000), ("<f4", 3e38), (">f8", 3e38)])
def test_large_values_are_no_infinity(feats, keep, dtype, value):
    for video_id in IDS:
        np.save(feats / "vggish" / f"{video_id}.npy", np.full((60, 4), value, dtype=dtype))
    assert (opened(feats, keep).audio(IDS) == torch.tensor(value, dtype=torch.float32)).all()
    assert (opened(feats, keep).kinds["audio"].stored(IDS) == torch.tensor(value, dtype=torch.float32)).all()


@pytest.mark.parametrize("keep", ["memory", "disk"])
def test_a_number_too_large_for_single_precision(feats, keep):
    np.save(feats / "vggish" / "b.npy", np.full((60, 4), 1e200))
    with pytest.raises(DataError, match=r"b\.npy: audio: expected finite values"):
        opened(feats, keep).audio(["b"])


@pytest.mark.parametrize("keep", ["memory", "disk"])
def test_a_batch_does_not_share_memory_with_the_folder(feats, keep):
    folder = opened(feats, keep)
    before = folder.audio(["a"]).clone()
    folder.audio(["a"]).zero_()
    assert torch.equal(folder.audio(["a"]), before)


# Layouts.


def test_each_kind_has_its_own_layout(tmp_path, save):
    for video_id, rows in (("a", 10), ("b", 7), ("c", 1)):
        save("vggish", video_id, (6 * rows, 4))
        save("res18_14x14", video_id, (rows, 3, 2, 5))
    feats = tmp_path / "feats"
    folder = opened(feats, ids=["a", "b", "c"])
    for video_id in ("a", "b", "c"):
        assert torch.equal(folder.audio([video_id])[0], expected(feats, "vggish", video_id, layout=60))
        assert torch.equal(folder.visual([video_id])[0], expected(feats, "res18_14x14", video_id, layout=10))


@pytest.mark.parametrize("keep", ["memory", "disk"])
def test_layout_grows_with_a_longer_video(feats, keep):
    folder = opened(feats, keep, ids=["d", "e"])
    assert torch.equal(folder.visual(["d"])[0], expected(feats, "res18_14x14", "d", layout=10))
    folder.check(["c"], progress=False)
    for video_id in ("c", "d", "e"):
        assert torch.equal(folder.visual([video_id])[0], expected(feats, "res18_14x14", video_id, layout=60))


@pytest.mark.parametrize(
    ("rows", "segments", "layout"), [(60, 20, 60), (60, 12, 60), (10, 5, 10), (60, 60, 60), (6, 6, 6)]
)
def test_other_numbers_of_segments(tmp_path, save, rows, segments, layout):
    save("vggish", "a", (rows, 4))
    save("res18_14x14", "a", (rows, 3, 2, 5))
    folder = opened(tmp_path / "feats", ids=["a"], segments=segments)
    assert torch.equal(folder.audio(["a"])[0], expected(tmp_path / "feats", "vggish", "a", layout, segments))
    assert folder.visual(["a"]).shape == (1, segments, 3, 2, 5)


def test_segments_that_would_leave_an_end_unread(tmp_path, save):
    save("vggish", "a", (60, 4))
    save("res18_14x14", "a", (60, 3, 2, 5))
    with pytest.raises(ConfigError, match=r"segments: expected a divisor of 60, the rows of a full video in .*, got 7"):
        opened(tmp_path / "feats", ids=["a"], segments=7)


def test_more_segments_than_rows(tmp_path, save):
    save("vggish", "a", (60, 4))
    save("res18_14x14", "a", (10, 3, 2, 5))
    with pytest.raises(DataError, match=r"res18_14x14: expected at least 30 rows in a full video \(segments\), got 10"):
        opened(tmp_path / "feats", ids=["a"], segments=30)


# What is kept.


def test_auto_keeps_what_fits(feats, monkeypatch):
    audio, visual = 5 * 10 * 4 * 4, 5 * 10 * 30 * 4

    def kept(**settings):
        folder = opened(feats, "auto", **settings)
        return folder.kinds["audio"].loaded_bytes, folder.kinds["visual"].loaded_bytes

    assert kept() == (audio, visual)
    assert kept(memory_limit=audio + visual) == (audio, visual)
    assert kept(memory_limit=audio + visual - 1) == (audio, 0)
    assert kept(memory_limit=0) == (0, 0)
    monkeypatch.setattr(features, "available_memory", lambda: 2 * audio)
    assert kept() == (audio, 0)
    monkeypatch.setattr(features, "available_memory", lambda: None)
    assert kept() == (audio, visual)


def test_auto_lets_go_of_what_no_longer_fits(feats):
    folder = opened(feats, "auto", ids=["a", "b"], memory_limit=2 * 10 * 34 * 4)
    assert folder.kinds["visual"].loaded_bytes > 0
    folder.check(["c"], progress=False)
    assert folder.kinds["visual"].loaded_bytes == 0
    assert torch.equal(folder.visual(["a"])[0], expected(feats, "res18_14x14", "a"))


def test_memory_that_is_not_there(feats, monkeypatch):
    monkeypatch.setattr(features, "available_memory", lambda: 6000)
    folder = FeatureFolder(feats, keep="memory")
    with pytest.raises(ConfigError, match=r"keep='memory' needs 0\.0 GB, and 0\.0 GB are free: use keep='disk'"):
        folder.check(IDS)


def test_videos_added_later(feats):
    folder = opened(feats, "memory", ids=["a", "b"])
    folder.check(["b", "c"], progress=False)
    folder.check(["e", "d"], progress=False)
    ids = ["d", "a", "c", "e", "b", "a"]
    assert torch.equal(folder.visual(ids), opened(feats).visual(ids))
    assert torch.equal(folder.frames(ids, range(6)), opened(feats).frames(ids, range(6)))
    assert len(folder.kinds["visual"]._chunks) == 3


def test_videos_added_but_not_loaded_are_read_from_disk(feats, monkeypatch):
    folder = opened(feats, "memory", ids=["a"])
    (feats / "res18_14x14" / "b.npy").unlink()
    with pytest.raises(DataError, match=r"b\.npy is missing"):
        folder.check(["b"])
    assert torch.equal(folder.audio(["b", "a"])[0], expected(feats, "vggish", "b"))


def test_sound_of_other_videos(feats):
    (feats / "vggish" / "a.npy").unlink()
    (feats / "res18_14x14" / "b.npy").unlink()
    folder = FeatureFolder(feats)
    folder.check(["a", "c"], audio_ids=["b", "c"])
    assert folder.audio(["b"]).shape == (1, 10, 4)
    assert folder.visual(["a"]).shape == (1, 10, 3, 2, 5)
    with pytest.raises(DataError, match="video 'a' was not checked"):
        folder.audio(["a"])


@pytest.mark.parametrize("keep", ["memory", "disk"])
def test_pickle(feats, keep):
    folder = opened(feats, keep)
    assert torch.equal(pickle.loads(pickle.dumps(folder)).visual(IDS), folder.visual(IDS))


def test_checked_videos_are_not_checked_again(feats, monkeypatch):
    folder = opened(feats)
    monkeypatch.setattr("avground.data.segments.read_headers", None)
    folder.check(["e", "a", "a"])


# What cannot be used.


def test_bad_settings(feats):
    with pytest.raises(ConfigError, match="keep: expected one of auto, memory, disk, got 'ram'"):
        FeatureFolder(feats, keep="ram")
    for segments in (0, 61):
        with pytest.raises(ConfigError, match=f"segments: expected 1 to 60, got {segments}"):
            FeatureFolder(feats, segments=segments)


def test_missing_folder(feats):
    with pytest.raises(DataError, match=r"clip: expected a folder of \.npy files, got none"):
        FeatureFolder(feats, audio="clip")
    (feats / "file").write_text("")
    with pytest.raises(DataError, match=r"file: expected a folder of \.npy files, got a file"):
        FeatureFolder(feats, visual="file")


def test_missing_videos_are_counted(feats):
    with pytest.raises(DataError) as error:
        opened(feats, ids=["a", *(f"x{number}" for number in range(8))])
    message = str(error.value)
    assert message.startswith(
        f"{feats / 'vggish'}: 8 of 9 videos cannot be used: x0.npy is missing; x1.npy is missing;"
    )
    assert message.endswith("x4.npy is missing (and 3 more)")
    with pytest.raises(DataError, match=r"1 of 2 videos cannot be used: x\.npy is missing$"):
        opened(feats, ids=["a", "x"])


@pytest.mark.parametrize("video_id", ["../vggish/a", "", "..", "a\\b"])
def test_unsafe_video_id(feats, video_id):
    with pytest.raises(DataError, match="video id: expected a plain file name"):
        opened(feats, ids=["a", video_id])


@pytest.mark.parametrize(
    ("kind", "shape", "message"),
    [
        ("vggish", (0, 4), r"expected \(rows, c\) with at least one row, got \(0, 4\)"),
        ("vggish", (61, 4), r"expected \(rows, c\) with at most 60 rows, got \(61, 4\)"),
        ("vggish", (60,), r"expected \(rows, c\), got \(60,\)"),
        ("vggish", (), r"expected \(rows, c\), got \(\)"),
        ("vggish", (60, 4, 1), r"expected \(rows, c\), got \(60, 4, 1\)"),
        ("vggish", (60, 0), r"expected \(rows, c\), got \(60, 0\)"),
        ("vggish", (60, 5), r"expected \(rows, 4\) as most files have, got \(60, 5\)"),
        ("res18_14x14", (60, 3, 2), r"expected \(rows, c, h, w\), got \(60, 3, 2\)"),
        ("res18_14x14", (60, 3, 5, 2), r"expected \(rows, 3, 2, 5\) as most files have, got \(60, 3, 5, 2\)"),
        ("res18_14x14", (60, 2, 5, 3), r"expected \(rows, 3, 2, 5\) as most files have, got \(60, 2, 5, 3\)"),
        ("res18_14x14", (0, 3, 2, 5), r"expected \(rows, c, h, w\) with at least one row, got \(0, 3, 2, 5\)"),
    ],
)
def test_misshapen_file(feats, save, kind, shape, message):
    save(kind, "a", shape)
    with pytest.raises(DataError, match=rf"{kind}: 1 of 5 videos cannot be used: a\.npy: {message}$"):
        opened(feats)


def test_only_misshapen_files(feats, save):
    save("vggish", "a", (60,))
    with pytest.raises(DataError, match=r"1 of 1 videos cannot be used: a\.npy: expected \(rows, c\), got \(60,\)"):
        opened(feats, ids=["a"])


def test_later_videos_must_fit_the_first(feats, save):
    folder = opened(feats, ids=["a"])
    save("vggish", "b", (60, 5))
    save("vggish", "c", (60, 5))
    with pytest.raises(DataError, match=r"2 of 2 .* b\.npy: expected \(rows, 4\) as most files have, got \(60, 5\)"):
        folder.check(["b", "c"])


def test_wrong_type_and_cut_file(feats, save):
    save("vggish", "a", (60, 4), dtype="<i4")
    path = feats / "vggish" / "b.npy"
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(DataError) as error:
        opened(feats)
    assert "a.npy: expected float16, float32 or float64, got int32; b.npy: expected" in str(error.value)
    assert "the file is cut short" in str(error.value)


def test_objects_are_never_unpickled(feats):
    class Trap:
        def __reduce__(self):
            return pytest.fail, ("unpickled",)

    np.save(feats / "vggish" / "a.npy", np.array([Trap()], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match=r"a\.npy: expected float16, float32 or float64, got object"):
        opened(feats)


def test_file_changed_after_the_check(feats, save):
    folder = opened(feats)
    save("vggish", "a", (10, 4))
    with pytest.raises(DataError, match=r"a\.npy: expected shape \(60, 4\) and type <f4 .*, got \(10, 4\) and <f4"):
        folder.audio(["b", "a"])
    for change in (lambda path: path.write_bytes(b""), lambda path: path.unlink()):
        change(feats / "vggish" / "a.npy")
        with pytest.raises(DataError, match=r"a\.npy: expected the array that was checked, got"):
            folder.audio(["a"])


def test_unchecked_videos(feats):
    folder = FeatureFolder(feats)
    for read in (lambda: folder.audio_dim, lambda: folder.visual_shape, lambda: folder.audio([])):
        with pytest.raises(DataError, match=r"no video was checked yet: call check\(video_ids\) first"):
            read()
    folder.check(["a"])
    with pytest.raises(DataError, match=r"video 'b' was not checked: call check\(video_ids\) with all videos first"):
        folder.visual(["a", "b"])


@pytest.mark.parametrize("keep", ["memory", "disk"])
@pytest.mark.parametrize("segments", [[10], [-1], [0, 1], []])
def test_segments_out_of_range(feats, keep, segments):
    with pytest.raises(DataError, match=r"segments: expected 1 numbers from 0 to 9, got \["):
        opened(feats, keep).frames(["a"], segments)
