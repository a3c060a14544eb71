"""Frames of other videos, drawn for the question whether sound and picture belong together."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from avground.errors import ConfigError, DataError


class Drawn(NamedTuple):
    """For each sample and segment one frame of another video.

    Attributes:
        videos: (b, t) places in :attr:`Negatives.video_ids`.
        segments: (b, t) segments of those videos.
    """

    videos: NDArray[np.int64]
    segments: NDArray[np.int64]


class Negatives:
    """Draws, for each segment of a sample, another video and one of its segments, both uniformly.

    The t videos of a sample are drawn independently, so each of its segments is paired with a frame of a different
    scene; the frame's place in its own video is random too. A draw depends on the seed, the epoch and the sample's
    number alone: neither batch size, nor order, nor the number of loading processes changes it.

    Args:
        video_ids: The videos to draw from; repeated ones count once.
        seed: Any whole number from 0.
        segments: Segments of a video, t.

    Raises:
        DataError: if there are fewer than two videos.
        ConfigError: if ``seed`` is negative or ``segments`` is not positive.
    """

    def __init__(self, video_ids: Iterable[str], seed: int = 0, *, segments: int = 10) -> None:
        self.video_ids: tuple[str, ...] = tuple(dict.fromkeys(video_ids))
        self.seed = seed
        self.segments = segments
        if len(self.video_ids) < 2:
            raise DataError(f"video_ids: expected at least 2 videos to draw others from, got {len(self.video_ids)}")
        if seed < 0 or segments < 1:
            raise ConfigError(f"expected seed >= 0 and segments >= 1, got seed={seed}, segments={segments}")
        self._places = {video_id: place for place, video_id in enumerate(self.video_ids)}

    def draw(self, indices: Sequence[int], video_ids: Sequence[str], epoch: int) -> Drawn:
        """Draw for the samples of a batch.

        Args:
            indices: The samples' numbers in the data set.
            video_ids: Their own videos, which are never drawn.
            epoch: The epoch, from 0.

        Returns:
            Videos and segments, (b, t) each.
        """
        key = np.random.SeedSequence([self.seed, epoch]).generate_state(1, np.uint64)
        sample = np.asarray(indices, dtype=np.int64).astype(np.uint64)[:, None]
        segment = np.arange(self.segments, dtype=np.uint64)
        bits = _mix(_mix(sample + key) + segment)
        # The upper half of the bits picks the video, the lower half the segment: scaled, not taken modulo, so that no
        # value is favoured by more than one part in 2^32 / n.
        own = np.array([self._places.get(video_id, -1) for video_id in video_ids], dtype=np.int64).reshape(-1, 1)
        others = (len(self.video_ids) - (own >= 0)).astype(np.uint64)
        videos = (((bits >> np.uint64(32)) * others) >> np.uint64(32)).astype(np.int64)
        videos += (own >= 0) & (videos >= own)
        segments = ((bits & np.uint64(0xFFFFFFFF)) * np.uint64(self.segments)) >> np.uint64(32)
        return Drawn(videos, segments.astype(np.int64))


def _mix(bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """A fixed shuffle of the 64-bit numbers in which every input bit moves about half of the output bits.

    The step and the constants are those of the SplitMix64 generator (Steele, Lea and Flood, 2014).
    """
    bits = bits + np.uint64(0x9E3779B97F4A7C15)
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))
