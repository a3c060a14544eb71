"""How fast an epoch was, and how much memory it took."""

import sys
import time

import torch


class Usage:
    """Measures time and memory between :meth:`start` and :meth:`stop`, as often as wanted.

    Memory is that of this process. On a CUDA device it is the most that tensors took there at once since
    :meth:`start`, features kept on the device included; what torch keeps beyond that for later is not counted.
    Elsewhere it is the most that the process ever held in the host's memory, as the system has it. That can only grow:
    an epoch that needs less than one before shows the same. Linux also counts what the program that started this one
    held at that moment. Where the system does not tell (Windows), memory is left out.

    Args:
        device: Where the model is.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._started: float | None = None

    def start(self) -> None:
        """Begin to measure."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
            torch.cuda.reset_peak_memory_stats(self.device)
        self._started = time.monotonic()

    def stop(self, samples: int) -> dict[str, dict[str, float]]:
        """End: ``speed`` with ``seconds`` and ``samples_per_second``, and ``memory`` with ``peak_bytes``.

        Args:
            samples: How many were computed since :meth:`start`, by all processes together.

        Raises:
            RuntimeError: if nothing was started.
        """
        if self._started is None:
            raise RuntimeError("usage: expected start() before stop()")
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        seconds = time.monotonic() - self._started
        self._started = None
        speed = {"samples_per_second": samples / max(seconds, 1e-9), "seconds": seconds}
        peak = peak_bytes(self.device)
        return {"speed": speed, **({} if peak is None else {"memory": {"peak_bytes": peak}})}


def peak_bytes(device: torch.device) -> int | None:
    """The most memory that was taken at once, see :class:`Usage`; None where the system does not tell."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    try:
        import resource
    except ImportError:  # Windows
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
