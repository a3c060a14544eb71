"""Batches on the device, from wherever the features lie: read from disk, copied from the host, or named by rows."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import accumulate
from typing import Any, Protocol, TypeVar

import torch
from jaxtyping import Int
from lightning.fabric import Fabric
from torch import Tensor
from torch.utils.data import DataLoader

from avground.data import Bank, Batch, MusicAVQA
from avground.ops.spatial_grounding import MapRows
from avground.training.interrupt import ignore_signals

_Item = TypeVar("_Item")
_Made = TypeVar("_Made")

_AHEAD = 2
"""Batches that are copied to the device before they are asked for."""


class Samples(Protocol):
    """What a batch can be made of, on the device where it is needed.

    Neither a tuple nor a dataclass: Fabric looks for tensors in those, and would convert a whole bank of features to
    half precision whenever the model is called.
    """

    def __len__(self) -> int:
        """How many samples."""

    def make(self) -> Batch:
        """The batch."""


class Ready:
    """A batch that is there."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch

    def __len__(self) -> int:
        return len(self._batch.answer)

    def make(self) -> Batch:
        """The batch."""
        return self._batch


class Picked:
    """Samples as whole numbers: all of a batch but the features, and the rows of those in a bank.

    Args:
        bank: The features.
        table: A row for each sample: n words, answer, place in the data set, whether matched, row of the sound, t rows
            of pictures and, where there are negatives, t rows of those.
        words: n.
    """

    def __init__(self, bank: Bank, table: Int[Tensor, "b columns"], words: int) -> None:
        self.bank, self.table, self.words = bank, table, words

    def __len__(self) -> int:
        return len(self.table)

    def make(self) -> Batch:
        """The batch, made on the device of the table without a look at any number."""
        bank = self.bank
        rest = self.table.shape[1] - self.words - 4
        words, answer, index, matched, sound, rows = self.table.split([self.words, 1, 1, 1, 1, rest], dim=1)
        visual, *negative = (MapRows(bank.maps, part, bank.lengths) for part in rows.split(bank.segments, dim=1))
        return Batch(
            audio=bank.audio.index_select(0, sound[:, 0]),
            visual=visual,
            question=words.contiguous(),
            answer=answer[:, 0].contiguous(),
            negative=negative[0] if negative else None,
            index=index[:, 0].contiguous(),
            matched=matched[:, 0].bool(),
        )

    def part(self, first: int, last: int) -> "Picked":
        """Some of the samples."""
        return Picked(self.bank, self.table[first:last], self.words)

    def to(self, device: torch.device) -> "Picked":
        """The same with the numbers on a device."""
        return Picked(self.bank, self.table.to(device), self.words)

    def copy(self) -> "Picked":
        """The same in memory of their own."""
        return Picked(self.bank, self.table.clone(), self.words)

    def fill(self, other: "Picked") -> None:
        """Become other samples, as many, in the same memory."""
        self.table.copy_(other.table)


def pick(bank: Bank, dataset: MusicAVQA, order: Sequence[int]) -> Picked:
    """Samples of a data set in an order, with the negatives of its epoch; on the CPU."""
    index = torch.tensor(order, dtype=torch.int64)
    columns = [
        dataset.questions[index],
        dataset.answers[index, None],
        index[:, None],
        dataset.matched[index, None].long(),
        bank.audio_rows([dataset.audio_ids[place] for place in order])[:, None],
        bank.map_rows([dataset.video_ids[place] for place in order]),
    ]
    if dataset.negatives is not None:
        drawn = dataset.negatives.draw(order, [dataset.video_ids[place] for place in order], dataset.epoch)
        rows = bank.map_rows(dataset.negatives.video_ids)
        columns.append(rows[torch.from_numpy(drawn.videos), torch.from_numpy(drawn.segments)])
    return Picked(bank, torch.cat(columns, dim=1), dataset.questions.shape[1])


class Source(Protocol):
    """Where batches come from."""

    def batches(self, dataset: MusicAVQA, batches: Sequence[Sequence[int]]) -> Iterator[Samples]:
        """Batches of these samples, ready for the device; negatives are those of the data set's epoch."""


class FromDisk:
    """Features are read for each batch, by processes of their own.

    Args:
        fabric: Knows the device.
        workers: How many processes; 0 reads here.
    """

    def __init__(self, fabric: Fabric, workers: int) -> None:
        self.fabric, self.workers = fabric, workers

    def batches(self, dataset: MusicAVQA, batches: Sequence[Sequence[int]]) -> Iterator[Ready]:
        """See :class:`Source`."""
        loader = DataLoader(
            dataset,
            batch_sampler=[list(batch) for batch in batches],
            collate_fn=dataset.collate,
            num_workers=self.workers,
            worker_init_fn=ignore_signals,
            pin_memory=self.fabric.device.type == "cuda",
        )
        for batch in loader:
            yield Ready(self.fabric.to_device(batch))


class FromDevice:
    """Features lie on the device: the numbers of an epoch are copied there once, and nothing at any step."""

    def __init__(self, bank: Bank) -> None:
        self.bank = bank

    def batches(self, dataset: MusicAVQA, batches: Sequence[Sequence[int]]) -> Iterator[Picked]:
        """See :class:`Source`."""
        yield from _parts(pick(self.bank, dataset, [place for batch in batches for place in batch]), batches)


class FromHost:
    """Features lie in the host's memory: a thread gathers the next batches and copies them while the device computes.

    The features themselves need not be page-locked for that, only the batches copied (a large page-locked tensor takes
    up to twice its size).

    Args:
        bank: The features.
        device: Where batches are needed.
    """

    def __init__(self, bank: Bank, device: torch.device) -> None:
        self.bank, self.device = bank, device
        self._stream = _copy_stream(device) if device.type == "cuda" else None

    def batches(self, dataset: MusicAVQA, batches: Sequence[Sequence[int]]) -> Iterator[Ready]:
        """See :class:`Source`."""
        picked = pick(self.bank, dataset, [place for batch in batches for place in batch])
        for batch, copied in ahead(self._copy, _parts(picked, batches), _AHEAD):
            if copied is not None:
                now = torch.cuda.current_stream(self.device)
                now.wait_event(copied)
                for tensor in batch:
                    if isinstance(tensor, Tensor):
                        tensor.record_stream(now)  # Its memory is free for the next copy only once used here.
            yield Ready(batch)

    def _copy(self, picked: Picked) -> tuple[Batch, Any]:
        """The batch on the device, and the event after which it is there; called by the thread."""
        batch = picked.make()
        if self._stream is None:
            return Batch(*(_gather(value, pin=False) for value in batch)), None
        with torch.cuda.stream(self._stream):
            # torch gives a page-locked tensor's memory to another one only after the copies under way from it.
            pinned = [_gather(value, pin=True) for value in batch]
            moved = [None if value is None else value.to(self.device, non_blocking=True) for value in pinned]
            return Batch(*moved), self._stream.record_event()  # type: ignore[arg-type]


@cache
def _copy_stream(device: torch.device) -> torch.cuda.Stream:
    """One stream for all copies to a device: what a stream has freed is kept for that stream."""
    return torch.cuda.Stream(device)


def find_source(bank: Bank | None, dataset: MusicAVQA, fabric: Fabric, workers: int) -> Source:
    """The bank where there is one and it holds all that the data set needs, else the disk."""
    others = () if dataset.negatives is None else dataset.negatives.video_ids
    if bank is None or not bank.holds([*dataset.video_ids, *others], dataset.audio_ids):
        return FromDisk(fabric, workers)
    return FromDevice(bank) if bank.device == fabric.device else FromHost(bank, fabric.device)


def ahead(make: Callable[[_Item], _Made], items: Iterable[_Item], most: int) -> Iterator[_Made]:
    """What ``make`` makes of every item, in order; a thread of its own is up to ``most`` ahead."""
    with ThreadPoolExecutor(1, "batches") as thread:
        running: deque[Any] = deque()
        try:
            for item in items:
                running.append(thread.submit(make, item))
                if len(running) > most:
                    yield running.popleft().result()
            while running:
                yield running.popleft().result()
        finally:
            for task in running:
                task.cancel()


def _parts(picked: Picked, batches: Sequence[Sequence[int]]) -> Iterator[Picked]:
    """The samples batch by batch, with the numbers on the device of the features."""
    picked = picked.to(picked.bank.device)
    ends = accumulate(map(len, batches))
    yield from (picked.part(last - len(batch), last) for batch, last in zip(batches, ends, strict=True))


def _gather(value: Any, pin: bool) -> Any:
    """A tensor or rows of a bank as a tensor, page-locked if asked for."""
    if not isinstance(value, MapRows):
        return value.pin_memory() if pin and value is not None else value
    out = torch.empty(value.shape, dtype=value.dtype, pin_memory=pin)
    torch.index_select(value.values, 0, value.rows.flatten(), out=out.flatten(0, -4))
    return out
