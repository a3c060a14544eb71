import numpy as np
import pytest
import torch

from avground.data import Bank, FeatureFolder, open_features, pack
from avground.data.bank import bank_bytes
from avground.errors import DataError
from avground.ops import MapRows, cell_lengths

SEEN, HEARD = ["d", "a", "e"], ["b", "a"]


@pytest.fixture(params=["folder", "memory", "float16", "bfloat16"])
def features(request, feats, tmp_path):
    """The same five videos as they lie on disk, in memory, and in stores of half precision."""
    if request.param in ("folder", "memory"):
        opened = FeatureFolder(feats, keep="memory" if request.param == "memory" else "disk")
    else:
        opened = open_features(pack(feats, tmp_path / "s.safetensors", dtype=request.param, progress=False))
    opened.check([*SEEN, "a"], audio_ids=HEARD, progress=False)
    return opened


@pytest.mark.parametrize("lengths", [True, False])
def test_a_bank_holds_what_the_features_give(features, lengths):
    bank = Bank.load(features, [*SEEN, "a"], audio_ids=HEARD, lengths=lengths, progress=False)
    asked = ["a", "d", "a"]
    assert torch.equal(bank.audio[bank.audio_rows(["a", "b", "a"])], features.audio(["a", "b", "a"]))
    maps = MapRows(bank.maps, bank.map_rows(asked), bank.lengths)
    assert torch.equal(maps.gather().float(), features.visual(asked))
    assert maps.dtype == features.kinds["visual"].stored_dtype
    assert bank.audio.dtype == torch.float32
    assert (bank.segments, len(bank.maps), len(bank.audio)) == (10, 3 * 10, 2)
    if lengths:
        assert torch.equal(bank.lengths, cell_lengths(bank.maps))
    else:
        assert bank.lengths is None
    taken = sum(part.nbytes for part in (bank.audio, bank.maps, bank.lengths) if part is not None)
    assert bank_bytes(features, [*SEEN, "a"], audio_ids=HEARD, lengths=lengths) == taken


def test_sound_is_that_of_the_videos_seen_unless_told_otherwise(features):
    bank = Bank.load(features, ["a"], progress=False)
    assert torch.equal(bank.audio, features.audio(["a"]))
    assert bank_bytes(features, ["a"]) == bank.audio.nbytes + bank.maps.nbytes + bank.lengths.nbytes


@pytest.mark.parametrize(("stored", "kept"), [(("<f2", "<f2"), torch.float16), (("<f2", "<f4"), torch.float32)])
def test_half_precision_stays_half_if_all_of_it_is(tmp_path, save, stored, kept):
    for video_id, dtype in zip("ab", stored, strict=True):
        save("vggish", video_id, (10, 4))
        save("res18_14x14", video_id, (10, 3, 2, 5), dtype=dtype)
    folder = FeatureFolder(tmp_path / "feats", keep="disk")
    folder.check(["a", "b"], progress=False)
    bank = Bank.load(folder, ["b", "a"], progress=False)
    assert bank.maps.dtype == kept
    assert torch.equal(bank.maps.float(), folder.visual(["b", "a"]).flatten(0, 1))


def test_which_videos_it_holds(features):
    bank = Bank.load(features, SEEN, audio_ids=HEARD, progress=False)
    assert bank.holds(SEEN, HEARD)
    assert bank.holds([], [])
    assert not bank.holds(["b"], HEARD)
    assert not bank.holds(SEEN, ["d"])
    with pytest.raises(DataError, match="expected a video whose visual features were read, got 'b'"):
        bank.map_rows(["a", "b"])
    with pytest.raises(DataError, match="expected a video whose audio features were read, got 'd'"):
        bank.audio_rows(["d"])


def test_a_video_that_was_not_checked_is_named(feats):
    folder = FeatureFolder(feats, keep="disk")
    folder.check(["a"], progress=False)
    with pytest.raises(DataError, match="video 'b' was not checked"):
        Bank.load(folder, ["a", "b"], audio_ids=["a"], progress=False)


def test_features_can_be_held_later(feats):
    folder = FeatureFolder(feats, keep="disk")
    folder.check(["a", "b"], progress=False)
    assert not folder.in_memory
    folder.hold(progress=False)
    assert folder.in_memory
    folder.check(["c"], progress=False)
    assert folder.in_memory


@pytest.mark.parametrize("kind", ["audio", "visual"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_value_that_is_not_finite_is_named(features, kind, value):
    folder = {"audio": "vggish", "visual": "res18_14x14"}[kind]
    if features.path.is_dir():
        if features.in_memory:
            features.hold = None  # They were read, and checked, before.
            features.kinds[kind].unload()
        path = features.path / folder / "a.npy"
        values = np.load(path)
        values[0] = value
        np.save(path, values)
        expected = rf"{folder}/a\.npy: {kind}: expected finite values, got NaN or infinity"
    else:
        features.kinds[kind].values[features.kinds[kind].ids.index("a"), 3] = value
        expected = rf"s\.safetensors: {kind} of a: expected finite values, got NaN or infinity"
    with pytest.raises(DataError, match=expected):
        Bank.load(features, [*SEEN, "a"], audio_ids=HEARD, progress=False)
    with pytest.raises(DataError, match=expected):
        getattr(features, kind)(["a"])
    if kind == "visual" and not features.path.is_dir():
        with pytest.raises(DataError, match=expected):
            features.frames(["a", "e"], [3, 0])
        features.frames(["a", "e"], [2, 3])  # Only what is asked for is looked at.
