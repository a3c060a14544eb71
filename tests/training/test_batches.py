import dataclasses
import threading
import time

import pytest
import torch
from lightning.fabric import Fabric

from avground.data import Bank, MusicAVQA, pack
from avground.ops import MapRows
from avground.training import load_splits
from avground.training.batches import FromDevice, FromDisk, FromHost, Picked, ahead, find_source
from avground.training.evaluate import evaluate, shuffle_videos
from avground.training.sampler import EpochSampler
from avground.training.train import make_model

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def fabric():
    return Fabric(accelerator="cpu", devices=1)


@pytest.fixture
def swapped(splits):
    """The same data with some train questions heard with another video's sound."""
    records = splits.records["train"]
    other = {a.video_id: b.video_id for a, b in zip(records, records[3:] + records[:3], strict=True)}
    changed = [
        dataclasses.replace(record, audio_id=other[record.video_id] if place % 3 == 0 else None)
        for place, record in enumerate(records)
    ]
    return dataclasses.replace(splits, records={**splits.records, "train": changed})


def bank_of(splits, **options):
    video_ids, audio_ids = splits.videos
    return Bank.load(splits.features, video_ids, audio_ids=audio_ids, progress=False, **options)


def plain(batch):
    """A batch with maps as tensors, in single precision."""
    maps = {"visual": batch.visual, "negative": batch.negative}
    gathered = {name: one.gather() if isinstance(one, MapRows) else one for name, one in maps.items()}
    return batch._replace(**{name: None if one is None else one.float() for name, one in gathered.items()})


def same(one, other):
    for name, a, b in zip(one._fields, plain(one), plain(other), strict=True):
        assert (a is None) == (b is None), name
        assert a is None or (a.dtype == b.dtype and torch.equal(a, b)), name


@pytest.mark.parametrize("source", [FromDevice, lambda bank: FromHost(bank, CPU)], ids=["device", "host"])
@pytest.mark.parametrize(("rank", "processes", "start"), [(0, 1, 0), (0, 1, 2), (1, 2, 0), (0, 2, 1)])
@pytest.mark.parametrize("negatives", [True, False])
def test_batches_are_those_that_are_read(swapped, fabric, source, rank, processes, start, negatives):
    dataset = swapped.dataset("train", swapped.negatives(7) if negatives else None)
    memory, disk = source(bank_of(swapped)), FromDisk(fabric, 0)
    seen = []
    for epoch in (0, 3):
        dataset.set_epoch(epoch)
        order = list(EpochSampler(range(1, 29), 6, (0, epoch), start=start, rank=rank, processes=processes))
        found, expected = (list(one.batches(dataset, order)) for one in (memory, disk))
        assert [len(samples) for samples in found] == [len(samples) for samples in expected] == list(map(len, order))
        assert len(order[-1]) < len(order[0])
        for a, b in zip(found, expected, strict=True):
            same(a.make(), b.make())
            seen += b.make().matched.tolist()
    assert {True, False} == set(seen)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_reaches_the_model_as_it_is(splits, make_run, tmp_path, fabric, dtype):
    store = pack(splits.features.path, tmp_path / "s.safetensors", dtype=dtype, segments=5, progress=False)
    half = load_splits(make_run(features=str(store)))
    dataset, bank = half.dataset("train", half.negatives(0)), bank_of(half)
    order = [[3, 1], [2]]
    expected = [samples.make() for samples in FromDisk(fabric, 0).batches(dataset, order)]
    for source in (FromDevice(bank), FromHost(bank, CPU)):
        found = [samples.make() for samples in source.batches(dataset, order)]
        assert {one.dtype for batch in found for one in (batch.visual, batch.negative)} == {getattr(torch, dtype)}
        for a, b in zip(found, expected, strict=True):
            same(a, b)


def test_rows_name_the_bank_itself(splits):
    bank = bank_of(splits)
    (samples,) = FromDevice(bank).batches(splits.dataset("train", splits.negatives(0)), [[0, 1]])
    batch = samples.make()
    for maps in (batch.visual, batch.negative):
        assert maps.values is bank.maps
        assert maps.lengths is bank.lengths
    (samples,) = FromHost(bank, CPU).batches(splits.dataset("train"), [[0, 1]])
    assert isinstance(samples.make().visual, torch.Tensor)


def test_samples_can_take_the_place_of_others(splits):
    dataset = splits.dataset("train", splits.negatives(0))
    first, second = FromDevice(bank_of(splits)).batches(dataset, [[0, 1, 2], [5, 4, 3]])
    static = first.copy()
    address = static.table.data_ptr()
    static.fill(second)
    assert static.table.data_ptr() == address
    same(static.make(), second.make())
    same(first.make(), Picked(first.bank, first.table, first.words).make())
    assert first.make().index.tolist() == [0, 1, 2]


@pytest.mark.parametrize("shuffle", [None, "audio", "visual"])
def test_evaluation_gives_the_same_answers(make_run, splits, shuffle):
    model, dataset = make_model(make_run(), splits), splits.dataset("test")
    truth = splits.truth if shuffle is None else None
    expected = evaluate(model, dataset, shuffle=shuffle, truth=truth)
    for size in (4, 100):
        found = evaluate(model, dataset, shuffle=shuffle, truth=truth, bank=bank_of(splits), batch_size=size)
        assert found.predicted == expected.predicted
        assert found.accuracy == expected.accuracy
        for name, measures in expected.grounding.items():
            assert found.grounding[name] == pytest.approx(measures, rel=1e-6)


def test_what_a_bank_lacks_is_read(splits, fabric):
    dataset = splits.dataset("test")
    train = [record.video_id for record in splits.records["train"]]
    everything, some = bank_of(splits), Bank.load(splits.features, train, progress=False)
    assert isinstance(find_source(everything, dataset, fabric, 0), FromDevice)
    assert isinstance(find_source(some, dataset, fabric, 0), FromDisk)
    assert isinstance(find_source(None, dataset, fabric, 0), FromDisk)
    videos = [record.video_id for record in splits.records["test"]]
    unseen = MusicAVQA(
        dataset.records, splits.features, splits.vocabulary, question_length=14, negatives=splits.negatives(0)
    )
    assert isinstance(find_source(Bank.load(splits.features, videos, progress=False), unseen, fabric, 0), FromDisk)


def test_shuffled_sound_that_no_question_has_is_read(splits, make_run):
    """All test questions are heard with one video's sound; shuffled, they hear that of others, which no bank holds."""
    records = splits.records["test"]
    heard = splits.records["train"][0].video_id
    replaced = [dataclasses.replace(record, audio_id=heard) for record in records]
    changed = dataclasses.replace(splits, records={**splits.records, "test": replaced})
    dataset, model = changed.dataset("test"), make_model(make_run(), splits)
    bank = bank_of(changed)
    others = {record.audio_id for record in shuffle_videos(dataset.records, "audio")}
    assert not bank.holds([], others)
    assert evaluate(model, dataset, shuffle="audio", bank=bank) == evaluate(model, dataset, shuffle="audio")


def test_a_thread_makes_things_ahead_in_order():
    made, threads = [], set()

    def make(item):
        threads.add(threading.current_thread())
        made.append(item)
        return item * item

    found = ahead(make, range(6), 2)
    assert next(found) == 0
    while len(made) < 3:
        time.sleep(0.001)
    assert made == [0, 1, 2]  # the one asked for, and two ahead
    assert list(found) == [1, 4, 9, 16, 25]
    assert threading.current_thread() not in threads
    assert len(threads) == 1
    assert list(ahead(make, [], 2)) == []


def test_an_error_in_the_thread_is_an_error_here():
    def make(item):
        if item == 2:
            raise ValueError("no such thing")
        return item

    found = ahead(make, range(5), 2)
    assert [next(found), next(found)] == [0, 1]
    with pytest.raises(ValueError, match="no such thing"):
        next(found)


def test_whoever_stops_asking_leaves_no_thread_behind():
    before = threading.active_count()
    found = ahead(lambda item: item, range(100), 2)
    next(found)
    found.close()
    assert threading.active_count() == before
