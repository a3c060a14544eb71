"""How things are timed: by turns, after a warm-up, with the device waited for, and with the memory they take."""

import gc
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

Run = Callable[[], Any]


@dataclass(frozen=True)
class Effort:
    """How often things are repeated.

    Attributes:
        warmup: Calls that do not count; the first ones compile.
        repeats: Calls that count.
        quick: Small sizes, to see that all works; the figures mean nothing.
    """

    warmup: int
    repeats: int
    quick: bool = False


QUICK = Effort(warmup=1, repeats=2, quick=True)
FULL = {"cpu": Effort(warmup=2, repeats=11), "cuda": Effort(warmup=5, repeats=50)}


def compare(runs: Mapping[str, Run], device: torch.device, effort: Effort) -> dict[str, dict[str, Any]]:
    """Time several ways to do the same thing; they take turns, so that a busy moment hits all of them.

    Returns:
        For each way ``milliseconds``: the median, the first and the last quartile, and the least; and
        ``peak_megabytes``, the most memory it held beyond what was there before (of a recorded step, which holds its
        memory for good, what the step held before it was recorded).
    """
    flush = torch.empty(2**28, dtype=torch.int8, device=device) if device.type == "cuda" else None
    for run in runs.values():
        for _ in range(effort.warmup):
            run()
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(effort.repeats):
        for name, run in runs.items():
            seconds[name].append(_time(run, device, flush))
    peaks = {name: getattr(run, "peak_megabytes", None) or peak(run, device) for name, run in runs.items()}
    return {
        name: {"milliseconds": spread([1e3 * value for value in times]), "peak_megabytes": peaks[name]}
        for name, times in seconds.items()
    }


def _time(run: Run, device: torch.device, flush: Tensor | None) -> float:
    if flush is None:
        started = time.perf_counter()
        run()
        return time.perf_counter() - started
    flush.zero_()  # so that nothing is in the cache that a real step would not find there
    before, after = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    before.record()
    run()
    after.record()
    torch.cuda.synchronize(device)
    return before.elapsed_time(after) / 1e3


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, quartiles and least of some values."""
    low, middle, high = statistics.quantiles(values, n=4) if len(values) > 1 else (values[0],) * 3
    return {"median": middle, "quartiles": [low, high], "least": min(values)}  # type: ignore[dict-item]


def peak(run: Run, device: torch.device) -> float:
    """The most memory, in megabytes, that a call holds beyond what was held before."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        run()
        torch.cuda.synchronize(device)
        return (torch.cuda.max_memory_allocated(device) - before) / 1e6
    with _quiet(), profile(activities=[ProfilerActivity.CPU], profile_memory=True, acc_events=True) as found:
        run()
    held = most = 0
    events = found.profiler.kineto_results.events()
    for event in sorted(events, key=lambda event: event.start_ns()):
        if event.name() == "[memory]":
            held += event.nbytes()
            most = max(most, held)
    return most / 1e6


@contextmanager
def _quiet() -> Iterator[None]:
    """The profiler talks to the terminal past Python."""
    sys.stderr.flush()
    kept = os.dup(2)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def copy_bandwidth(device: torch.device, quick: bool = False) -> float:
    """Bytes a second of a large copy on the device, bytes read plus bytes written; the median."""
    size = 2**24 if quick else 2**28 if device.type == "cpu" else 2**30
    source = torch.ones(size, dtype=torch.int8, device=device)
    target = torch.empty_like(source)
    times = []
    for _ in range(3 if quick else 15):
        times.append(_time(lambda: target.copy_(source), device, target if device.type == "cuda" else None))
    return 2 * size / statistics.median(times[1:])


def check_agreement(found: Mapping[str, Sequence[Tensor]], expected: Sequence[Tensor], tolerance: float) -> float:
    """Make sure that all ways compute the same; returns the largest deviation, as a share of the whole.

    Raises:
        SystemExit: names the way that does not; nothing is timed then.
    """
    worst = 0.0
    for name, values in found.items():
        for place, (value, wanted) in enumerate(zip(values, expected, strict=True)):
            wanted = wanted.double()
            size = wanted.norm().clamp(min=torch.finfo(torch.float64).tiny)
            deviation = float((value.double() - wanted).norm() / size)
            if not deviation <= tolerance:
                raise SystemExit(f"{name}: result {place} deviates by {deviation:.2g}, expected at most {tolerance:g}")
            worst = max(worst, deviation)
    return worst
