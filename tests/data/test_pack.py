import json

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch.utils.data import DataLoader

from avground.data import FeatureFolder, FeatureStore, Manifest, open_features, pack, store, verify
from avground.data.manifest import dump_manifest
from avground.data.store import DTYPES, Stored
from avground.errors import ConfigError, DataError

IDS = ["a", "b", "c", "d", "e"]


@pytest.fixture
def packed(feats, tmp_path):
    """Pack the five small videos."""

    def make(name="store", **settings):
        return pack(feats, tmp_path / f"{name}.safetensors", progress=False, **settings)

    return make


def both(feats, path, **settings):
    folder, packed = FeatureFolder(feats, **settings), FeatureStore(path, **settings)
    folder.check(IDS, progress=False)
    packed.check(IDS, progress=False)
    return folder, packed


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_store_holds_what_the_folder_holds(feats, packed, dtype):
    folder, found = both(feats, packed(dtype=dtype))
    ids = ["d", "a", "e", "a", "c", "b"]
    assert torch.equal(found.audio(ids), folder.audio(ids))
    expected = folder.visual(ids).to(DTYPES[dtype])
    assert torch.equal(found.visual(ids), expected.float())
    assert found.visual(ids).dtype == torch.float32
    assert torch.equal(found.frames(ids, [0, 9, 4, 3, 2, 1]), expected[range(6), [0, 9, 4, 3, 2, 1]].float())
    assert (found.audio_dim, found.visual_shape, found.segments) == (4, (3, 2, 5), 10)
    assert found.describe()["visual"] == {"manifest": None, "layout": 60, "precision": dtype}
    assert found.describe()["audio"]["precision"] == "float32"
    as_stored = FeatureStore(found.path, dtype=None)
    assert torch.equal(as_stored.visual(ids), expected)
    assert as_stored.visual(ids).dtype == DTYPES[dtype]
    assert found.visual([]).shape == (0, 10, 3, 2, 5)


@pytest.mark.parametrize(("every", "stored"), [(None, 10), (6, 10), (12, 5), (1, 60), (60, 1)])
def test_every_so_many_rows_are_kept(feats, packed, every, stored):
    path = packed(every=every)
    folder, found = both(feats, path, segments=stored)
    assert torch.equal(found.visual(IDS), folder.visual(IDS).half().float())
    if stored % 5 == 0:
        fewer = FeatureStore(path, segments=5)
        assert torch.equal(fewer.visual(IDS), found.visual(IDS)[:, :: stored // 5])
        assert torch.equal(fewer.frames(["a"], [4]), found.frames(["a"], [4 * stored // 5]))


def test_others_can_read_the_file(packed):
    with safe_open(packed(), framework="np") as file:
        assert set(file.keys()) == {"audio", "visual", "audio_digest", "visual_digest"}
        assert file.get_tensor("visual").shape == (5, 10, 3, 2, 5)
        assert json.loads(file.metadata()["visual"])["ids"] == IDS


def test_the_same_features_give_the_same_bytes(packed):
    assert packed("one").read_bytes() == packed("two").read_bytes()


def test_sound_and_pictures_may_be_of_different_videos(feats, packed, save):
    save("vggish", "only_heard", (60, 4))
    found = FeatureStore(packed())
    found.check(IDS, audio_ids=["only_heard"])
    assert found.missing(["only_heard", "a"]) == {"audio": [], "visual": ["only_heard"]}
    with pytest.raises(DataError, match=r"visual features of 2 videos, got none of 1: only_heard"):
        found.check(["a", "only_heard"])
    with pytest.raises(DataError, match="expected a video that it holds, got 'only_heard'"):
        found.visual(["only_heard"])


def test_a_manifest_comes_along(feats, packed):
    made = Manifest(kind="visual", extractor="mine", shape=(3, 2, 5), settings={"size": 2})
    (feats / "res18_14x14" / "manifest.json").write_text(dump_manifest(made))
    found = open_features(packed())
    assert found.kinds["visual"].manifest == made
    assert found.describe() == {
        **open_features(packed("again", dtype="float32")).describe(),
        "visual": {"manifest": made.to_dict(), "layout": 60, "precision": "float16"},
    }


def test_loading_processes_read_it_too(packed):
    found = FeatureStore(packed())
    found.visual(["a"])  # mapped already in this process
    for context in ("fork", "spawn"):
        loader = DataLoader(_Videos(found), batch_size=2, num_workers=1, multiprocessing_context=context)
        assert torch.equal(torch.cat(list(loader)), found.visual(IDS))


class _Videos(torch.utils.data.Dataset):
    def __init__(self, features):
        self.features = features

    def __len__(self):
        return len(IDS)

    def __getitem__(self, place):
        return self.features.visual([IDS[place]])[0]


def test_verify_counts_what_it_checked(feats, packed):
    assert verify(packed(), progress=False) == {"audio": 5, "visual": 5}
    assert verify(feats, progress=False) == {"res18_14x14": 5, "vggish": 5}
    assert verify(feats / "vggish", progress=False) == {"vggish": 5}
    with pytest.raises(DataError, match=r"expected a store, or a folder with \.npy files .*, got none"):
        verify(feats.parent, progress=False)


def test_verify_leaves_no_folder_out(feats, save):
    (feats / "other").mkdir()
    np.save(feats / "other" / "a.npy", np.full((3, 4), np.inf))
    with pytest.raises(DataError, match="1 of 11 cannot be used: other of a: expected finite values"):
        verify(feats, progress=False)
    np.save(feats / "other" / "a.npy", np.zeros((3, 4)))
    np.save(feats / "other" / "b.npy", np.zeros((3, 5)))
    with pytest.raises(DataError, match=r"b\.npy: expected rows of shape \(4,\) as in the files before, got \(3, 5\)"):
        verify(feats, progress=False)


def test_every_so_many_rows_of_short_videos_too(tmp_path, save):
    for kind, item in (("vggish", (4,)), ("res18_14x14", (3, 2, 5))):
        rows = {video: save(kind, video, (length, *item)) for video, length in (("a", 25), ("b", 13))}
    path = pack(tmp_path / "feats", tmp_path / "two.safetensors", dtype="float32", every=2, progress=False)
    found = FeatureStore(path, segments=30)
    assert found.describe()["visual"]["layout"] == 60
    expected = rows["a"][np.minimum(np.arange(0, 60, 2), 24)]
    assert np.array_equal(found.visual(["a"])[0].numpy(), expected)


def test_every_flipped_byte_of_values_or_metadata_is_found(packed, tmp_path):
    content = packed().read_bytes()
    values = 8 + int.from_bytes(content[:8], "little")
    ids = content.index(b'\\"a\\"')
    broken = tmp_path / "broken.safetensors"
    step = (len(content) - values) // 23
    dtype, shape = content.index(b'"F16"') + 1, content.index(b'"shape":[5,10,3') + 10
    for place in [ids + 2, dtype, shape, *range(values, len(content), step)]:
        broken.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        with pytest.raises(DataError, match=r"fit their checksum, got damaged|got SafetensorError"):
            verify(broken, progress=False)


@pytest.mark.parametrize("length", [0, 7, 100, -1])
def test_a_store_cut_short_is_refused(packed, length):
    path = packed()
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(DataError, match="expected a store of features, got SafetensorError"):
        FeatureStore(path)


def test_nan_is_not_packed_and_verify_names_it(feats, packed, tmp_path):
    values = np.zeros((60, 3, 2, 5), dtype=np.float32)
    values[6, 0, 0, 0] = np.nan
    np.save(feats / "res18_14x14" / "b.npy", values)
    with pytest.raises(DataError, match=r"b\.npy: visual: expected finite values, got NaN"):
        packed()
    with pytest.raises(DataError, match=r"1 of 10 cannot be used: res18_14x14 of b: expected finite values, got NaN"):
        verify(feats, progress=False)
    values[6, 0, 0, 0] = 1e5
    np.save(feats / "res18_14x14" / "b.npy", values)
    with pytest.raises(DataError, match=r"b\.npy: expected finite values in the range of torch.float16, got 100000"):
        packed()
    assert [path.name for path in tmp_path.iterdir()] == ["feats"]  # nothing half written
    assert packed(dtype="bfloat16").exists()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dtype": "int8"}, "dtype: expected one of 'float16', 'bfloat16', 'float32', got 'int8'"),
        ({"every": 7}, "every: expected a divisor of the rows of a full video, 60 of audio and 60 of visual, got 7"),
        ({"every": 0}, "every: expected a whole number of at least 1, got 0"),
    ],
)
def test_wrong_settings_are_named(packed, settings, message):
    with pytest.raises(ConfigError, match=message):
        packed(**settings)


def test_what_is_there_is_not_overwritten(feats, packed, tmp_path):
    before = packed().read_bytes()
    with pytest.raises(DataError, match="expected a new file, got one that is there"):
        packed()
    assert packed("other").read_bytes() == before
    with pytest.raises(ConfigError, match=r"output: expected a name that ends in \.safetensors, got 'x\.bin'"):
        pack(feats, tmp_path / "x.bin")


def test_a_store_of_another_kind_is_refused(packed, tmp_path):
    from safetensors.torch import save_file

    other = tmp_path / "weights.safetensors"
    save_file({"visual": torch.zeros(2, 3)}, other)
    with pytest.raises(DataError, match="expected a store of the format 'avground store 1'"):
        FeatureStore(other)
    metadata = {"audio": json.dumps({"ids": ["a"], "layout": 10, "manifest": None})}
    metadata["visual"] = metadata["audio"]
    digest = store.digest_of(metadata, {"visual": store.Stored("F32", (2, 3))})
    save_file({"visual": torch.zeros(2, 3)}, other, {"format": store.FORMAT, "digest": digest, **metadata})
    with pytest.raises(DataError, match="audio: expected 1 videos in 3 dimensions with a checksum each, got"):
        FeatureStore(other)
    with pytest.raises(DataError, match=r"nowhere\.safetensors: expected a store of features, got no such file"):
        FeatureStore(tmp_path / "nowhere.safetensors")
    with pytest.raises(ConfigError, match=r"audio: expected None for .*, which is a store, got 'vggish'"):
        open_features(packed(), audio="vggish")
    with pytest.raises(ConfigError, match=r"segments: expected a divisor of 10, the segments in .*, got 3"):
        FeatureStore(packed("third"), segments=3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"layout": 0}, "layout: expected a whole number from 1 to 100000, got 0"),
        ({"layout": 3.7}, "layout: expected a whole number .*, got 3.7"),
        ({"ids": "ab"}, "expected a list of ids, got 'ab'"),
        ({"ids": ["a", "a"]}, "expected a list of different ids, got 1 in 2"),
        (
            {"ids": ["a", "../b"]},
            "audio: video id: expected a plain file name without a folder, got '../b'",
        ),
        ({"ids": [1, 2]}, "audio: video id: expected a plain file name without a folder, got 1"),
        ({"manifest": 5}, "expected the keys"),
        (
            {"manifest": vars(Manifest(kind="visual", extractor="x", shape=(4,)))},
            "expected audio features with rows of",
        ),
        (
            {"manifest": vars(Manifest(kind="audio", extractor="x", shape=(7,)))},
            r"of shape \(7,\), as its manifest says",
        ),
    ],
)
def test_metadata_that_cannot_be_are_refused_though_their_checksum_fits(tmp_path, changes, message):
    about = {"ids": ["a", "b"], "layout": 10, "manifest": None}
    metadata = {"audio": json.dumps({**about, **changes}), "visual": json.dumps(about)}
    with pytest.raises(DataError, match=message):
        FeatureStore(_hostile(tmp_path, metadata))


def test_types_that_no_store_has_are_refused(tmp_path):
    about = json.dumps({"ids": ["a", "b"], "layout": 10, "manifest": None})
    for dtype in (torch.int64, torch.bool, torch.float64, torch.float8_e4m3fn):
        with pytest.raises(
            DataError, match="visual: expected 2 videos in 5 dimensions with a checksum each, got Stored"
        ):
            FeatureStore(_hostile(tmp_path, {"audio": about, "visual": about}, dtype))
    assert FeatureStore(_hostile(tmp_path, {"audio": about, "visual": about})).audio_dim == 4


def _hostile(tmp_path, metadata, dtype=torch.float16):
    from safetensors.torch import save_file

    tensors = {"audio": torch.zeros(2, 10, 4), "visual": torch.zeros(2, 10, 3, 1, 1).to(dtype)}
    tensors |= {f"{kind}_digest": torch.zeros(2, 16, dtype=torch.uint8) for kind in ("audio", "visual")}
    save_file(tensors, path := tmp_path / "hostile.safetensors")
    with safe_open(path, framework="pt") as file:
        slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
        shapes = {name: store.Stored(part.get_dtype(), tuple(part.get_shape())) for name, part in slices.items()}
    save_file(tensors, path, {"format": store.FORMAT, "digest": store.digest_of(metadata, shapes), **metadata})
    return path


@pytest.mark.parametrize("shape", [(), (0, 4), (60, 0), (0,)])
def test_verify_names_an_array_without_values(feats, shape):
    np.save(feats / "vggish" / "a.npy", np.zeros(shape, dtype=np.float32))
    with pytest.raises(DataError, match=r"a\.npy: expected rows of shape .* as in the files before, got \("):
        verify(feats, progress=False)


def test_metadata_nested_without_end_and_messages(tmp_path):
    """What a stranger signed with a checksum that fits."""
    for about, message in (("[" * 10**5, "does not parse as JSON"), ('{"ids": 1}', "KeyError"), ("[]", "TypeError")):
        tensors = {"audio": Stored("F32", (1, 1)), "visual": Stored("F32", (1, 1))}
        metadata = {"audio": about, "visual": about}
        signed = {"format": store.FORMAT, "digest": store.digest_of(metadata, tensors), **metadata}
        save_file({name: torch.zeros(1, 1) for name in tensors}, tmp_path / "s.safetensors", signed)
        with pytest.raises(DataError, match=rf"audio: expected ids, layout and manifest, got .*{message}") as error:
            FeatureStore(tmp_path / "s.safetensors")
        assert len(str(error.value)) < 500


@pytest.mark.parametrize("header", [b"{}", b"[]", b"{", b'{"audio": 3}', b'{"__metadata__": {"format": 5}}'])
@pytest.mark.parametrize("length", [None, 0, 2**27, 2**60, 2**64 - 1])
def test_headers_that_lie_about_their_length(tmp_path, header, length):
    size = len(header) if length is None else length
    (tmp_path / "s.safetensors").write_bytes(size.to_bytes(8, "little") + header)
    with pytest.raises(DataError, match=r"s\.safetensors: expected a store"):
        FeatureStore(tmp_path / "s.safetensors")


@pytest.mark.parametrize(
    "change",
    [
        {"shape": [2**40, 2**20, 4]},
        {"shape": [5, 10, 8]},
        {"data_offsets": [0, 2**62]},
        {"data_offsets": [8, 0]},
        {"data_offsets": [100, 900]},
        {"dtype": "F64"},
        {"dtype": "F99"},
        {"shape": [-1, 10, 4]},
        {"shape": [2**63, 2]},
    ],
)
def test_tensors_that_lie(packed, change):
    path = packed()
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    header["audio"].update(change)
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + content[8 + length :])
    with pytest.raises(DataError, match=r"store\.safetensors: expected "):
        FeatureStore(path)
