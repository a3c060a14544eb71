"""Batches, from where the features lie to where the step computes, with a negative frame for every segment."""

import random
import tempfile
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import loading
import numpy as np
import published
import torch
from lightning.fabric import Fabric
from torch.utils.data import DataLoader

from avground.data import Bank, FeatureFolder, Features, FeatureStore, MusicAVQA, Negatives, Record, Vocabulary, pack
from avground.ops import MapRows
from avground.training.batches import FromDevice, FromDisk, FromHost, Source
from speed.timing import Effort, compare

WORKERS = 2


def run(device: torch.device, effort: Effort) -> dict[str, Any]:
    """Samples a second over some batches, with the features in the system's cache."""
    videos, b, batches = (4, 2, 2) if effort.quick else (40, 16, 6)
    effort = Effort(1, 2 if effort.quick else 5, effort.quick)
    fabric = Fabric(accelerator=device.type, devices=1)
    with tempfile.TemporaryDirectory() as folder:
        ids = [f"{number:08d}" for number in range(videos)]
        loading.make_files(Path(folder), ids)
        order = np.random.default_rng(0).integers(videos, size=(batches, b)).tolist()
        ways = make_ways(Path(folder), ids, order, fabric)
        check(ways)
        found = compare({name: partial(drain, way) for name, way in ways.items()}, device, effort)
    samples = b * batches
    for entry in found.values():
        entry.pop("peak_megabytes")  # of this process: not that of those that read
        entry["samples_per_second"] = samples / (entry["milliseconds"]["median"] / 1e3)
    return {"videos": videos, "b": b, "batches": batches, "workers": WORKERS, "ways": found}


def make_ways(
    root: Path, ids: list[str], order: list[list[int]], fabric: Fabric
) -> dict[str, Callable[[], Iterable[Any]]]:
    """Each way gives the batches of the same videos, on the device."""
    whole = root / "60"
    store = pack(whole, root / "half.safetensors", dtype="float16", progress=False)
    theirs = published.PublishedDataset(whole, [(video, [1, 2], 0) for video in ids])

    def as_published() -> Iterable[Any]:
        random.seed(0)
        for batch in DataLoader(theirs, batch_sampler=order, num_workers=WORKERS, pin_memory=on_gpu):
            yield {name: value.to(fabric.device) for name, value in batch.items()}

    def ours(features: Features, source: Source) -> Iterable[Any]:
        for samples in source.batches(dataset_of(features, ids), order):
            yield samples.make()._asdict()

    on_gpu = fabric.device.type == "cuda"
    disk, packed = FeatureFolder(whole, keep="disk"), FeatureStore(store, dtype=None)
    dataset_of(disk, ids), dataset_of(packed, ids)  # checks them
    bank = Bank.load(packed, ids, progress=False)
    ways: dict[str, Callable[[], Iterable[Any]]] = {
        "published": as_published,
        "files": partial(ours, disk, FromDisk(fabric, WORKERS)),
        "store, half precision": partial(ours, packed, FromDisk(fabric, WORKERS)),
        "host, half precision": partial(ours, packed, FromHost(bank, fabric.device)),
    }
    there = Bank.load(packed, ids, device=fabric.device, progress=False)
    ways["device, half precision"] = partial(ours, packed, FromDevice(there))
    return ways


def dataset_of(features: Features, ids: list[str]) -> MusicAVQA:
    """A question about every video."""
    records = [Record(video, None, ("Audio", "Counting"), "How?", ("How",), "one") for video in ids]
    vocabulary = Vocabulary.from_annotations(records)
    return MusicAVQA(records, features, vocabulary, negatives=Negatives(ids, seed=0), progress=False)


def drain(way: Callable[[], Iterable[Any]]) -> None:
    """Take all batches; the device is waited for by who times."""
    for _ in way():
        pass


def check(ways: dict[str, Callable[[], Iterable[Any]]]) -> None:
    """Make sure that all ways give the same sound and pictures (which negatives are drawn is theirs)."""
    expected = list(ways["published"]())
    for name, way in ways.items():
        for batch, wanted in zip(way(), expected, strict=True):
            for part in ("audio", "visual"):
                value = batch[part].gather() if isinstance(batch[part], MapRows) else batch[part]
                if not torch.allclose(value.float(), wanted[part].float(), rtol=2**-10, atol=2**-14):
                    raise SystemExit(f"{name}: {part} differs from what the published reader returns")
