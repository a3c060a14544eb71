"""Which samples make which batch, in an order that depends on nothing but a seed and the epoch."""

from collections.abc import Iterator, Sequence

import numpy as np
from torch.utils.data import Sampler

from avground.errors import ConfigError


class EpochSampler(Sampler[list[int]]):
    """Batches of one epoch, shuffled; each process gets its own part of every batch.

    The order is a pure function of the seed and the epoch (counted over both stages), so a run that was interrupted
    goes on from any step with the batches that it would have seen, and the batches are the same however many processes
    share them. Every sample comes once an epoch. Parts of a last batch differ by one sample at most, and may be empty:
    :meth:`avground.training.stages.Stage.shares` makes up for it.

    Args:
        indices: Samples to draw from.
        batch_size: Samples a batch, over all processes together.
        key: Numbers that name the epoch, such as (seed, stage, epoch).
        start: Batches to leave out at the beginning: those already seen.
        rank: This process.
        processes: How many there are.

    Raises:
        ConfigError: if the batch size is not a positive multiple of the number of processes.
    """

    def __init__(
        self,
        indices: Sequence[int],
        batch_size: int,
        key: tuple[int, ...],
        *,
        start: int = 0,
        rank: int = 0,
        processes: int = 1,
    ) -> None:
        if batch_size < 1 or batch_size % processes:
            raise ConfigError(
                f"batch_size: expected a positive multiple of the {processes} processes, got {batch_size}"
            )
        self.batch_size, self.start, self.rank, self.processes = batch_size, start, rank, processes
        order = np.random.Generator(np.random.PCG64(np.random.SeedSequence(key))).permutation(len(indices))
        self._order = [indices[place] for place in order.tolist()]

    @property
    def batches(self) -> int:
        """Batches of the whole epoch, those left out included."""
        return -(-len(self._order) // self.batch_size)

    def __len__(self) -> int:
        return self.batches - self.start

    def __iter__(self) -> Iterator[list[int]]:
        for batch in self.whole():
            yield batch[self.rank :: self.processes]

    def whole(self) -> Iterator[list[int]]:
        """The batches over all processes together, those left out at the beginning not among them."""
        for number in range(self.start, self.batches):
            yield self.batch(number)

    def batch(self, number: int) -> list[int]:
        """A batch over all processes together."""
        return self._order[number * self.batch_size : (number + 1) * self.batch_size]
