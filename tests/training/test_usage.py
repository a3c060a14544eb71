import sys
import time
from types import SimpleNamespace

import pytest
import torch

from avground.training.usage import Usage, peak_bytes

CPU, CUDA = torch.device("cpu"), torch.device("cuda", 1)


def test_speed_is_samples_over_seconds(monkeypatch):
    now = iter([10.0, 14.0, 20.0, 20.5])
    monkeypatch.setattr(time, "monotonic", lambda: next(now))
    usage = Usage(CPU)
    for seconds, samples in ((4.0, 100), (0.5, 20)):  # as often as wanted
        usage.start()
        found = usage.stop(samples)
        assert found["speed"] == {"samples_per_second": samples / seconds, "seconds": seconds}


def test_an_epoch_that_takes_no_time_divides_by_none(monkeypatch):
    monkeypatch.setattr(time, "monotonic", lambda: 1.0)
    usage = Usage(CPU)
    usage.start()
    assert usage.stop(0)["speed"] == {"samples_per_second": 0.0, "seconds": 0.0}


def test_stop_needs_a_start():
    usage = Usage(CPU)
    with pytest.raises(RuntimeError, match="start"):
        usage.stop(1)
    usage.start()
    usage.stop(1)
    with pytest.raises(RuntimeError, match="start"):
        usage.stop(1)


def test_host_memory_is_in_bytes_and_grows_with_what_is_taken():
    usage = Usage(CPU)
    usage.start()
    before = peak_bytes(CPU)
    held = torch.ones(before // 4 + 25_000_000)  # of 4 bytes: more than the process ever held
    after = usage.stop(1)["memory"]["peak_bytes"]
    assert after >= before + 50_000_000
    assert after < 3 * before + 200_000_000  # and not in another unit
    assert held[0] == 1


@pytest.mark.parametrize(("system", "unit"), [("linux", 1024), ("darwin", 1)])
def test_systems_count_in_different_units(monkeypatch, system, unit):
    rusage = SimpleNamespace(RUSAGE_SELF=0, getrusage=lambda who: SimpleNamespace(ru_maxrss=7))
    monkeypatch.setitem(sys.modules, "resource", rusage)
    monkeypatch.setattr(sys, "platform", system)
    assert peak_bytes(CPU) == 7 * unit


def test_a_system_that_does_not_tell_leaves_memory_out(monkeypatch):
    monkeypatch.setitem(sys.modules, "resource", None)
    usage = Usage(CPU)
    usage.start()
    assert list(usage.stop(1)) == ["speed"]


def test_on_cuda_the_peak_is_that_of_the_epoch_on_its_device(monkeypatch):
    calls = []
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device: calls.append(("wait", device)))
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda device: calls.append(("reset", device)))
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: calls.append(("read", device)) or 42)
    usage = Usage(CUDA)
    usage.start()
    assert usage.stop(1)["memory"] == {"peak_bytes": 42}
    assert calls == [("wait", CUDA), ("reset", CUDA), ("wait", CUDA), ("read", CUDA)]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_a_device_forgets_the_peak_before():
    usage, device = Usage(torch.device("cuda")), torch.device("cuda")
    usage.start()
    large = torch.empty(50_000_000, device=device)
    first = usage.stop(1)["memory"]["peak_bytes"]
    del large
    usage.start()
    small = torch.empty(1_000, device=device)
    second = usage.stop(1)["memory"]["peak_bytes"]
    assert first >= 200_000_000
    assert second <= first - 200_000_000 + 8 * small.numel()
