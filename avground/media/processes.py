"""One process or many, on one machine or many."""

import datetime
import os
from typing import Any

import torch
import torch.distributed as dist

from avground.errors import AvgroundError, ConfigError, DataError, check_choice, check_whole
from avground.models.weights import line

DEVICES = ("auto", "cpu", "cuda")
_START = datetime.timedelta(minutes=10)
"""How long processes wait for the others to start."""
_PATIENCE = datetime.timedelta(days=30)
"""How long they wait later on: shares of the work end at different times, and those who are done wait for the last."""


class Processes:
    """The processes that share the work; a process alone is process 0 of 1.

    Attributes:
        rank: Number of this process.
        size: How many there are.
        here: How many of them are on this machine.
        device: This process's device.
    """

    def __init__(self, device: torch.device, launched: list[Any] | None = None, here: int = 1) -> None:
        self.device, self.here = device, here
        self.size = 1 if launched is None else dist.get_world_size()
        self.rank = 0 if launched is None else dist.get_rank()
        self._launched = launched
        self._group: Any = None if launched is None else dist.new_group(timeout=_PATIENCE)

    def gather(self, value: Any) -> list[Any]:
        """What every process passes, by rank: plain values."""
        if self.size == 1:
            return [value]
        values: list[Any] = [None] * self.size
        dist.all_gather_object(values, value, group=self._group)
        return values

    def agree(self, problem: AvgroundError | None) -> None:
        """Raise in all processes if there is a problem in one.

        Raises:
            AvgroundError: this process's problem, or else another's.
        """
        problems = self.gather(None if problem is None else str(problem))
        if any(problems):
            self.end()
            if problem is not None:
                raise problem
            rank, text = next((rank, text) for rank, text in enumerate(problems) if text)
            raise DataError(f"process {rank}: {text}")

    def end(self, *, wait: bool = True) -> None:
        """Say that processes may end now, in whatever way.

        Before that, Lightning kills all processes it launched if one of them ends with an error.
        """
        if self._launched is not None:
            self._launched.clear()
            if wait:
                dist.barrier(group=self._group)


def launch(device: str, devices: int, nodes: int) -> Processes:
    """Start the processes asked for, or join those that torchrun started.

    Args:
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.
        devices: Processes a machine, each with a device of its own.
        nodes: Machines.

    Raises:
        ConfigError: if they are not to be had here, or need packages that are not installed.
    """
    check_choice("device", device, DEVICES)
    check_whole("devices", devices)
    check_whole("nodes", nodes)
    if dist.is_available() and dist.is_torchelastic_launched():
        here = int(os.environ["LOCAL_WORLD_SIZE"])
        there = (here, int(os.environ["WORLD_SIZE"]) // here)
        if (devices, nodes) not in ((1, 1), there):
            raise ConfigError(
                f"devices={devices}, nodes={nodes}: torchrun started {here} on each of {there[1]} machines"
            )
        return _launch(_kind(device, there[0]), *there)
    kind = _kind(device, devices)
    return _launch(kind, devices, nodes) if devices * nodes > 1 else Processes(torch.device(kind))


def _kind(device: str, devices: int) -> str:
    """``"cpu"`` or ``"cuda"``, and there are as many."""
    there = torch.cuda.device_count() if torch.cuda.is_available() else 0
    kind = device if device != "auto" else "cuda" if there else "cpu"
    if kind == "cuda" and devices > there:
        raise ConfigError(f"device={device!r}, devices={devices}: expected at most the {there} that torch finds here")
    return kind


def _launch(kind: str, devices: int, nodes: int) -> Processes:
    try:
        from lightning.fabric import Fabric
        from lightning.fabric.strategies.ddp import DDPStrategy
    except ImportError as error:
        raise ConfigError(
            f'several processes need Lightning: pip install "avground[train]" ({error.name} is missing)'
        ) from error
    # Only outcomes are exchanged, and gloo does that between processors.
    strategy = DDPStrategy(process_group_backend="gloo", timeout=_START)
    fabric = Fabric(accelerator=kind, devices=devices, num_nodes=nodes, strategy=strategy)
    try:
        fabric.launch()
    except dist.DistError as error:
        raise ConfigError(
            f"devices={devices}, nodes={nodes}: expected {devices * nodes} processes within "
            f"{_START.total_seconds():g} s, got: {line(error)}"
        ) from error
    return Processes(fabric.device, getattr(strategy.launcher, "procs", []), devices)
