"""Random streams that give the same numbers on every machine.

Every stream is named by what it is for, such as (seed, split, scene, "look"), so that a scene never depends on its
neighbours. Only the raw integers of a counter-based generator are used, turned into numbers by exact arithmetic: no
logarithm or sine of the platform's mathematics library can change a byte.
"""

import hashlib
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")

_BYTES = 4
# The sum of four fair bytes: mean 510, variance 4 (256^2 - 1) / 12.
_MEAN = _BYTES * 255 / 2
_DEVIATION = (_BYTES * (256**2 - 1) / 12) ** 0.5
_BLOCK = 64


class Stream:
    """One named stream of random numbers.

    Args:
        *name: What the stream is for; equal names give equal numbers, different names independent ones.
    """

    def __init__(self, *name: object) -> None:
        digest = hashlib.blake2b(repr(name).encode(), digest_size=16).digest()
        key = [int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:], "little")]
        self._generator = np.random.Philox(key=np.array(key, dtype=np.uint64))
        self._drawn: list[int] = []

    def below(self, limit: int) -> int:
        """A whole number from 0 to ``limit`` - 1."""
        if not self._drawn:
            self._drawn = self._generator.random_raw(_BLOCK).tolist()
        return int(self._drawn.pop() % limit)

    def unit(self) -> float:
        """A number in [0, 1), a multiple of 2 to the power -53."""
        return self.below(1 << 53) / (1 << 53)

    def chance(self, probability: float) -> bool:
        """True with the given probability."""
        return self.unit() < probability

    def choose(self, choices: Sequence[T]) -> T:
        """One of the choices, each as likely."""
        return choices[self.below(len(choices))]

    def weighted(self, weights: Sequence[float]) -> int:
        """An index, drawn in proportion to the weights."""
        point = self.unit() * sum(weights)
        for index, weight in enumerate(weights):
            point -= weight
            if point < 0:
                return index
        return len(weights) - 1

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """The items in random order."""
        order = list(items)
        for last in range(len(order) - 1, 0, -1):
            other = self.below(last + 1)
            order[last], order[other] = order[other], order[last]
        return order

    def noise(self, *shape: int) -> NDArray[np.float32]:
        """Bell-shaped noise of mean 0 and deviation 1: sums of four bytes, so exact on every machine."""
        size = int(np.prod(shape))
        words = self._generator.random_raw((size + 1) // 2).astype("<u8")
        quarters = words.view(np.uint8)[: _BYTES * size].reshape(_BYTES, size)
        total = quarters[0].astype(np.float32)
        for quarter in quarters[1:]:
            total += quarter
        total -= np.float32(_MEAN)
        total *= np.float32(1 / _DEVIATION)
        noise: NDArray[np.float32] = total.reshape(shape)
        return noise

    def signs(self, *shape: int) -> NDArray[np.float32]:
        """Random +1 and -1."""
        size = int(np.prod(shape))
        bits = np.unpackbits(self._generator.random_raw(size // 64 + 1).astype("<u8").view(np.uint8))[:size]
        signs: NDArray[np.float32] = 2 * bits.astype(np.float32) - 1
        return signs.reshape(shape)
