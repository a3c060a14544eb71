"""Decoding ahead, computing, and writing behind."""

from collections.abc import Generator, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, closing
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from avground.errors import DataError
from avground.media.decode import RATE, decode
from avground.media.extractors import Extractor
from avground.media.folders import FeaturesOut
from avground.media.outcomes import Outcome, OutcomeLog


class Inputs(NamedTuple):
    """What the extractors take of a video: sound (s, samples), pictures (s, 3, h, w)."""

    audio: Tensor
    visual: Tensor
    notes: tuple[str, ...]


class Pipeline:
    """From files to features.

    A video passes through the extractors by itself, so its features do not depend on its neighbours.

    Args:
        extractors: The extractor of each kind of feature.
        kinds: The folder of each kind of feature.
        log: Where to write what becomes of each video.
        seconds: Seconds of a video that are used, at most.
        workers: Videos that are decoded at the same time.
        device: Where the extractors are.
    """

    def __init__(
        self,
        extractors: Mapping[str, Extractor],
        kinds: Mapping[str, FeaturesOut],
        log: OutcomeLog,
        seconds: int,
        workers: int,
        device: torch.device,
    ) -> None:
        self.extractors, self.kinds, self.log = extractors, kinds, log
        self.seconds, self.workers, self.device = seconds, workers, device

    def run(self, videos: Mapping[str, Path]) -> Iterator[tuple[str, Outcome]]:
        """Each video, as soon as its features are on the disk or it has failed.

        Raises:
            DataError: if a file cannot be written.
        """
        written: Future[tuple[str, Outcome]] | None = None
        loaded = self._load_ahead(videos)
        with ThreadPoolExecutor(1, "write") as writer, closing(loaded), _exact_convolutions():
            for video, inputs in loaded:
                try:
                    if isinstance(inputs, str):
                        raise DataError(inputs)
                    features = {
                        kind: self._compute(kind, getattr(inputs, kind), videos[video]) for kind in self.extractors
                    }
                except DataError as error:
                    outcome = Outcome(reason=str(error))
                    self.log.add(video, outcome)
                    yield video, outcome
                    continue
                if written is not None:
                    yield written.result()
                written = writer.submit(self._write, video, features, inputs.notes)
            if written is not None:
                yield written.result()

    def _load_ahead(self, videos: Mapping[str, Path]) -> Generator[tuple[str, Inputs | str], None, None]:
        """The inputs of each video as soon as they are ready, or why there are none; a bounded number in memory."""
        left = iter(videos.items())
        pool = ThreadPoolExecutor(self.workers, "decode")
        running: dict[Future[Inputs | str], str] = {}
        try:
            while True:
                for video, path in islice(left, 2 * self.workers - len(running)):
                    running[pool.submit(self._load, video, path)] = video
                if not running:
                    return
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                first = done.pop()
                yield running.pop(first), first.result()
        finally:
            pool.shutdown(cancel_futures=True)

    def _load(self, video: str, path: Path) -> Inputs | str:
        try:
            for out in self.kinds.values():
                out.check_name(video)
            clip = decode(path, seconds=self.seconds)
            sound = torch.tensor(clip.sound).unflatten(0, (-1, RATE))
            pictures = torch.tensor(clip.frames).permute(0, 3, 1, 2).contiguous()
        except DataError as error:
            return str(error)
        except Exception as error:  # A damaged file can fail in any way, and must not stop the others.
            return f"{path}: {type(error).__name__}: {error}"
        if self.device.type == "cuda":  # Only from pinned memory does a copy run beside the computation.
            sound, pictures = sound.pin_memory(), pictures.pin_memory()
        return Inputs(sound, pictures, clip.notes)

    def _compute(self, kind: str, seconds: Tensor, path: Path) -> NDArray[np.floating]:
        """The features of a video, as they go to the disk."""
        out = self.kinds[kind]
        with torch.inference_mode():
            values = self.extractors[kind](seconds.to(self.device, non_blocking=True))
            values = values.to(getattr(torch, out.dtype))
            if not values.isfinite().all():
                raise DataError(f"{path}: expected finite {kind} features, got some that are not, as {out.dtype}")
            found: NDArray[np.floating] = values.cpu().contiguous().numpy()
        return found

    def _write(
        self, video: str, features: Mapping[str, NDArray[np.floating]], notes: tuple[str, ...]
    ) -> tuple[str, Outcome]:
        outcome = Outcome(notes=notes)
        self.log.add(video, outcome)  # First: features that are there are not made again, and the notes would be lost.
        for kind, values in features.items():
            self.kinds[kind].write(video, values)
        return video, outcome


def _exact_convolutions() -> AbstractContextManager[None]:
    """The same convolutions on CUDA every time, in full single precision."""
    cudnn = torch.backends.cudnn
    flags: AbstractContextManager[None] = cudnn.flags(
        enabled=cudnn.enabled, benchmark=False, deterministic=True, allow_tf32=False
    )
    return flags
