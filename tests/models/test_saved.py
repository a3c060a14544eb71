"""Files of torch.save, as torch writes them and as strangers do."""

import io
import os
import pickle
import struct
import tracemalloc
import zipfile
from collections import OrderedDict

import numpy as np
import pytest
import torch
from torch import nn

from avground.errors import DataError
from avground.models.weights import load_weights, read_safely


def saved(value, path, **options):
    torch.save(value, path, **options)
    return path


def read(path):
    return read_safely(path, "checkpoint")


def rewritten(path, change, method=zipfile.ZIP_STORED):
    """The same file with other records, whose checksums fit."""
    with zipfile.ZipFile(path) as archive:
        records = {info.filename: archive.read(info) for info in archive.infolist()}
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, record in change(records).items():
            archive.writestr(name, record)
    return path


def with_pickle(path, content):
    return rewritten(path, lambda records: {n: content if n.endswith("data.pkl") else r for n, r in records.items()})


@pytest.mark.parametrize(("legacy", "protocol"), [(True, 2), (False, 2), (False, 3), (False, 4), (False, 5)])
def test_all_that_torch_load_reads_of_a_state(tmp_path, legacy, protocol):
    base = torch.arange(24.0)
    value = {
        "float": base.reshape(4, 6),
        "part": base[3:9:2],
        "turned": base.reshape(4, 6).T,
        "empty": torch.empty(0, 3),
        "scalar": torch.tensor(2.5, dtype=torch.float64),
        **{
            str(dtype): torch.ones(3, dtype=dtype) for dtype in (torch.float16, torch.bfloat16, torch.int64, torch.int8)
        },
        "bool": torch.tensor([True, False]),
        "parameter": nn.Parameter(torch.ones(2)),
        "state": nn.Linear(2, 3).state_dict(),
        "plain": [1, -1, 2**40, 0.1, float("inf"), "ä", None, True, (1, (2,)), {}, [], (), {3: "x"}],
        "shape": torch.Size([2, 3]),
    }
    path = saved(value, tmp_path / "a.pt", _use_new_zipfile_serialization=not legacy, pickle_protocol=protocol)
    found, expected = read(path), torch.load(saved(value, tmp_path / "b.pt"), weights_only=True)
    assert found.keys() == expected.keys()
    for name, one in expected.items():
        if isinstance(one, torch.Tensor):
            assert torch.equal(found[name], one.data)
            assert found[name].dtype == one.dtype
            assert found[name].stride() == one.stride()
        else:
            assert str(found[name]) == str(dict(one) if isinstance(one, OrderedDict) else one).replace(
                "torch.Size([2, 3])", "(2, 3)"
            )
    assert found["part"].untyped_storage().data_ptr() == found["float"].untyped_storage().data_ptr()


@pytest.mark.parametrize("legacy", [False, True])
def test_arrays_are_tensors(tmp_path, legacy):
    arrays = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.asfortranarray(np.arange(6.0).reshape(2, 3))}
    found = read(saved(arrays, tmp_path / "a.pt", _use_new_zipfile_serialization=not legacy))
    assert torch.equal(found["a"], torch.from_numpy(arrays["a"]))
    assert torch.equal(found["b"], torch.from_numpy(arrays["b"]))


class Call:
    """Whatever a pickle would call."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize(
    ("value", "named"),
    [
        (Call(os.system, "touch exploded"), "system"),
        (Call(eval, "1"), "eval"),
        (Call(bytearray, 10**12), "bytearray"),
        (torch.float32, "float32"),
        (torch.device("cpu"), "device"),
        (nn.Linear(1, 1), "Linear"),
        ({1, 2}, "set|EMPTY_SET"),
        (b"bytes", "bytes|encode"),
        (OrderedDict, "OrderedDict"),
        ((OrderedDict,), "_Name|type"),
        (torch.zeros(2, dtype=torch.complex64), "ComplexFloatStorage"),
        (torch.eye(2).to_sparse(), "sparse"),
        (torch.ones(2, device="meta"), "meta"),
        (np.float64(3), "scalar"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_what_is_no_plain_value_is_named_and_nothing_called(tmp_path, monkeypatch, legacy, value, named):
    monkeypatch.chdir(tmp_path)
    path = saved({"x": value}, tmp_path / "a.pt", _use_new_zipfile_serialization=not legacy)
    with pytest.raises(DataError, match=rf"a\.pt: .*({named})"):
        read(path)
    assert os.listdir() == ["a.pt"]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "make",
    [
        lambda: torch.nested.nested_tensor([torch.ones(1), torch.ones(2)]),
        lambda: torch.quantize_per_tensor(torch.ones(2), 1.0, 0, torch.qint8),
    ],
)
def test_nested_and_quantised_tensors_are_refused(tmp_path, make):
    with pytest.raises(DataError, match=r"a\.pt: .*_rebuild_(nested|q)"):
        read(saved({"x": make()}, tmp_path / "a.pt"))


# Zip files.


def test_every_bit_of_every_record_counts(tmp_path):
    path = saved({"a": torch.arange(100.0), "b": "text"}, tmp_path / "a.pt")
    content = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        infos = archive.infolist()
    for info in infos:
        start = info.header_offset
        name, extra = struct.unpack("<HH", content[start + 26 : start + 30])
        begins = start + 30 + name + extra
        for at in range(begins, begins + info.file_size, 7):
            path.write_bytes(content[:at] + bytes([content[at] ^ 4]) + content[at + 1 :])
            with pytest.raises(DataError, match="got a file that is cut short or damaged: Bad CRC-32"):
                read(path)


def test_a_record_that_nothing_asks_for_counts_too(tmp_path):
    path = rewritten(saved({}, tmp_path / "a.pt"), lambda records: {**records, "a/data/9": bytes(99) + b"needle"})
    read(path)
    path.write_bytes(path.read_bytes().replace(b"needle", b"noodle"))
    with pytest.raises(DataError, match="Bad CRC-32"):
        read(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_a_zip_bomb(tmp_path, method):
    path = rewritten(
        saved({}, tmp_path / "a.pt"), lambda records: {**records, "a/data/0": bytes(50_000_000)}, method=method
    )
    assert path.stat().st_size < 300_000
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=r"a compressed or encrypted record, which torch\.save never writes"):
            read(path)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


def _sizes(content, size):
    """All records of the list at the end are of another size."""
    changed, at = bytearray(content), content.index(b"PK\x01\x02")
    while changed[at : at + 4] == b"PK\x01\x02":
        changed[at + 20 : at + 28] = struct.pack("<II", size, size)
        at += 46 + sum(struct.unpack("<HHH", changed[at + 28 : at + 34]))
    return bytes(changed)


@pytest.mark.parametrize("size", [2**31, 2**32 - 2, 100_000])
def test_records_larger_than_the_file_or_over_each_other(tmp_path, size):
    path = saved({"a": torch.ones(3)}, tmp_path / "a.pt")
    path.write_bytes(_sizes(path.read_bytes(), size))
    with pytest.raises(DataError, match=r"records that overlap|records larger than the file"):
        read(path)


def test_the_same_bytes_as_many_records(tmp_path):
    """One record of a megabyte that the list at the end has a thousand times."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        archive.writestr("a/data.pkl", pickle.dumps({}, 2))
        archive.writestr("a/data/0", bytes(2**20))
        info = archive.infolist()[-1]
        for number in range(1, 1000):
            copy = zipfile.ZipInfo(f"a/data/{number}")
            copy.header_offset, copy.CRC, copy.file_size = info.header_offset, info.CRC, info.file_size
            copy.compress_size = info.compress_size
            archive.filelist.append(copy)
            archive.NameToInfo[copy.filename] = copy
        archive._didModify = True
    (tmp_path / "a.pt").write_bytes(written.getvalue())
    with pytest.raises(DataError, match="records that overlap"):
        read(tmp_path / "a.pt")


def test_numbers_in_the_other_order(tmp_path):
    def big(records):
        return {name: b"big" if name.endswith("byteorder") else record for name, record in records.items()}

    with pytest.raises(DataError, match="little-endian"):
        read(rewritten(saved({"a": torch.ones(2)}, tmp_path / "a.pt"), big))


# Tensors that claim what is not there.


def _tensor_pickle(count=4, start=0, shape=(4,), stride=(1,)):
    """A pickle of {"a": tensor}, as torch writes it, with other numbers."""

    def number(value):
        return b"\x8a\x09" + value.to_bytes(9, "little", signed=True)

    def numbers(values):
        return b"(" + b"".join(map(number, values)) + b"t"

    storage = (
        b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpu" + number(count) + b"tQ"
    )
    order = b"\x89ccollections\nOrderedDict\n)R"
    tensor = (
        b"ctorch._utils\n_rebuild_tensor_v2\n("
        + storage
        + number(start)
        + numbers(shape)
        + numbers(stride)
        + order
        + b"tR"
    )
    return b"\x80\x02}X\x01\x00\x00\x00a" + tensor + b"s."


@pytest.fixture
def path(tmp_path):
    return saved({"a": torch.arange(4.0)}, tmp_path / "a.pt")


def test_the_pickle_that_the_next_test_changes(path):
    assert torch.equal(read(with_pickle(path, _tensor_pickle()))["a"], torch.arange(4.0))


@pytest.mark.parametrize(
    "claim",
    [
        {"count": 5},
        {"count": 3},
        {"count": 2**40},
        {"count": -4},
        {"shape": (5,)},
        {"shape": (2**40,), "stride": (0,)},
        {"shape": (2**20, 2**20), "stride": (0, 0)},
        {"shape": (2**60, 2**60), "stride": (0, 0)},
        {"shape": (5,), "stride": (0,)},
        {"shape": (2,), "stride": (4,)},
        {"start": 1},
        {"start": -1},
        {"start": 2**62},
        {"stride": (-1,)},
        {"shape": (-4,)},
        {"shape": (4, 1)},
        {"shape": (1,) * 20, "stride": (1,) * 20},
        {"shape": (0, 2**60), "stride": (1, 1)},
    ],
)
def test_a_tensor_that_claims_what_is_not_there(path, claim):
    with pytest.raises(
        DataError, match=r"a\.pt: expected a complete checkpoint, got a file that is cut short or damaged"
    ):
        read(with_pickle(path, _tensor_pickle(**claim)))


def test_one_tensor_under_many_names(tmp_path):
    tied = torch.ones(10_000)
    assert len(read(saved({"a": tied, "b": tied}, tmp_path / "a.pt"))) == 2
    path = saved({str(number): tied for number in range(1000)}, tmp_path / "a.pt")
    with pytest.raises(DataError, match="expected a checkpoint, got tensors of 40,000,000 bytes in"):
        read(path)


# Pickles that are small and grow.


def _laughs():
    value = ["ha"]
    for _ in range(15):
        value = [value] * 10
    return value


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (_laughs(), "at most 2,000,000 values"),
        ([["a" * 10**6] * 10**3] * 10**3, "at most 2,000,000 values"),
        ([10**5000], "whole numbers of 64 bits, got one of 16610"),
        ({10**5000: 1}, "whole numbers of 64 bits"),
        ({"a": {(1, 2): 3}}, "a key of type tuple"),
    ],
)
def test_values_that_are_larger_than_they_look(tmp_path, value, message):
    with pytest.raises(DataError, match=message):
        read(saved({"a": value}, tmp_path / "a.pt"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b".", "nested at most 20 deep, got deeper"),
        (b"\x80\x02]q\x00h\x00a.", "nested at most 20 deep, got deeper"),
        (b"\x80\x02]r\xff\xff\xff\xff.", None),
        (b"\x80\x02" + b"N0" * 10 + b"N.", "the step POP of pickle"),
        (b"\x80\x02" + b"N\x94" * 3_000_000 + b".", "a pickle of more than 2,000,000 steps"),
        (b"\x80\x04\x8d" + b"\xff" * 7 + b"\x7f", "cut short or damaged"),
        (b"\x80\x05\x96" + b"\xff" * 7 + b"\x7f", "cut short or damaged|BYTEARRAY8"),
        (b"\x80\x02I" + b"9" * 100_000 + b"\n.", "cut short or damaged|INT"),
        (b"\x80\x02cos\nsystem\nX\x01\x00\x00\x00a\x85R.", r"os\.system"),
        (b"\x80\x02cos\nsystem\n.", r"os\.system"),
        (b"\x80\x04\x8c\x02os\x8c\x06system\x93.", r"os\.system"),
        (b"\x80\x02(ios\nsystem\n.", "the step INST of pickle"),
        (b"\x80\x02\x82\x01.", "the step EXT1 of pickle"),
        (b"\x80\x02ccollections\nOrderedDict\n)\x81.", "the step NEWOBJ of pickle"),
        (b"\x80\x02ccollections\nOrderedDict\n}X\x01\x00\x00\x00aNsb.", "a state of _Name"),
        (b"\x80\x02K\x01.K\x02.", None),
        (b"R.", "cut short or damaged"),
        (b"t.", "cut short or damaged"),
        (b".", "cut short or damaged"),
        (b"", "cut short or damaged"),
        (b"K\x01K\x02.", "cut short or damaged"),
        (b"Nh\x05.", "cut short or damaged"),
        (b"K\x01K\x02a.", "cut short or damaged"),
        (b"}K\x01u.", "cut short or damaged"),
        (b"X\x04\x00\x00\x00\xff\xff\xff\xff.", "cut short or damaged"),
    ],
)
def test_pickles_by_hand(path, content, message):
    with_pickle(path, content)
    if message is None:
        read(path)
        return
    with pytest.raises(DataError, match=message):
        read(path)


@pytest.mark.parametrize(
    "content",
    [
        b"ccollections\nOrderedDict\n(](" + b")" + b"\x85" * 500_000 + b"Nteate\x85R.",
        b"ccollections\nOrderedDict\n]" + b")" + b"\x85" * 500_000 + b"N\x86a\x85R.",
        b"})" + b"\x85" * 500_000 + b"Ns.",
        b")" + b"\x85" * 500_000 + b".",
    ],
)
def test_tuples_within_tuples_do_not_end_python(path, content):
    with pytest.raises(DataError, match=r"a key of type tuple|nested at most|damaged"):
        read(with_pickle(path, b"\x80\x02" + content))


@pytest.mark.parametrize(
    "keys", [b"])" + b"\x85" * 500_000 + b"a.", b"]K\x01a.", b"K\x01.", b"]X\x01\x00\x00\x00ba.", b"]."]
)
def test_an_old_file_that_announces_other_tensors(tmp_path, keys):
    path = saved({"a": torch.ones(2)}, tmp_path / "a.pt", _use_new_zipfile_serialization=False)
    content = path.read_bytes()
    at = content.rindex(b"\x80\x02]")
    path.write_bytes(content[: at + 2] + keys + content[content.index(b".", at) + 1 :])
    with pytest.raises(DataError, match=r"cut short or damaged: (no list of|other) tensors"):
        read(path)


def test_an_old_file_that_is_cut_short_or_claims_more(tmp_path):
    path = saved({"a": torch.ones(200)}, tmp_path / "a.pt", _use_new_zipfile_serialization=False)
    content = path.read_bytes()
    assert torch.equal(read(path)["a"], torch.ones(200))
    other = [content.replace(b"K\xc8", number) for number in (b"J\xff\xff\xff\x7f", b"K\x64")]
    for changed in (content[:-4], content[:400], *other):
        path.write_bytes(changed)
        with pytest.raises(DataError, match="cut short or damaged"):
            read(path)


def test_a_copy_of_a_copy_of_text(path):
    text = b"X" + (10**6).to_bytes(4, "little") + b"a" * 10**6 + b"q\x00"
    encode = b"c_codecs\nencode\nh\x00X\x07\x00\x00\x00latin-1\x86R"
    with pytest.raises(DataError, match="copies of copies"):
        read(with_pickle(path, b"\x80\x02" + text + encode * 100 + b"t."))


def test_a_copy_of_a_copy(path):
    """A dictionary is made of a list again and again."""
    pairs = b"](" + b"".join(b"M" + key.to_bytes(2, "little") + b"K\x01\x86" for key in range(10_000)) + b"eq\x00"
    call = b"ccollections\nOrderedDict\nh\x00\x85R"
    with pytest.raises(DataError, match="copies of copies"):
        read(with_pickle(path, b"\x80\x02(" + pairs + call * 100 + b"t."))


# Where they are loaded.


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weight": 3}, "weight: expected a tensor, got 3"),
        (
            {"weight": torch.ones(2, 3, dtype=torch.int64)},
            r"weight: expected numbers like torch\.float32, got torch\.int64",
        ),
        ({"weight": torch.ones(2, 3, dtype=torch.complex64)}, r"weight: expected numbers like torch\.float32"),
        (
            {"weight": torch.ones(2, 3).to_sparse()},
            r"expected numbers like torch\.float32, got torch\.float32, torch\.sparse",
        ),
        ({"weight": torch.ones(2, 3, device="meta")}, "on meta"),
        ({"weight": torch.full((2, 3), torch.nan)}, "weight: expected finite numbers, got NaN or infinity"),
        ({"bias": torch.tensor([1.0, torch.inf])}, "bias: expected finite numbers, got NaN or infinity"),
        ({"x" * 10**6: torch.ones(1)}, r"unknown 'x{40,90}\.\.\.x{40,90}'$"),
        ({3: torch.ones(1)}, "unknown 3"),
    ],
)
def test_weights_that_are_none(change, message):
    model = nn.Linear(3, 2)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(DataError, match=message):
        load_weights(model, {**before, **change}, "a.pt")
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_weights_of_another_precision_are_taken():
    model = nn.Linear(3, 2)
    load_weights(model, {name: torch.ones_like(value).half() for name, value in model.state_dict().items()}, "a.pt")
    assert model.weight.dtype == torch.float32
    assert (model.weight == 1).all()
