"""Where features lie while a run trains: on the device, in the host's memory, or on disk."""

from typing import NamedTuple

import torch
from lightning.fabric import Fabric

from avground.data import Bank
from avground.data.bank import bank_bytes
from avground.data.memory import available_memory
from avground.errors import ConfigError
from avground.models import GroundingNetwork, Network
from avground.training.evaluate import reduce
from avground.training.run import Run
from avground.training.splits import Splits

_RESERVE = 0.2
"""Share of a CUDA device that is left for the model, its optimiser and what a step needs."""

_FREE_IF_UNKNOWN = 4_000_000_000
"""Bytes taken to be free where the system does not tell."""


class Placement(NamedTuple):
    """Where features go.

    Attributes:
        device: The device that will hold them; None if they are read from disk for every batch.
        lengths: Whether the lengths of cells are kept too.
        text: The same in words, with sizes.
    """

    device: torch.device | None
    lengths: bool
    text: str


def place_features(run: Run, splits: Splits, model: Network, fabric: Fabric) -> Placement:
    """Decide where the features of a run go.

    Raises:
        ConfigError: if they do not fit where the run wants them.
    """
    lengths = uses_lengths(model)
    precision = str(splits.features.kinds["visual"].stored_dtype).removeprefix("torch.")
    if run.features_on == "disk":
        return Placement(None, lengths, f"on disk ({precision})")
    video_ids, audio_ids = splits.videos
    needed = bank_bytes(splits.features, video_ids, audio_ids=audio_ids, lengths=lengths)
    rooms = _rooms(run, fabric)
    first = next((place for place, room in enumerate(rooms) if needed <= room.usable), len(rooms))
    # Processes may find more or less free; all go where all have room.
    place = first if fabric.world_size == 1 else int(reduce(fabric, torch.tensor(first, device=fabric.device), "max"))
    if place < len(rooms):
        more = f"; more than {rooms[0]}" if place else ""
        return Placement(rooms[place].device, lengths, f"{size(needed)} ({precision}) on {rooms[place]}{more}")
    short = " and ".join(map(str, rooms))
    if run.features_on != "auto":
        raise ConfigError(f"features_on={run.features_on!r}: expected room for {size(needed)} of features, got {short}")
    return Placement(None, lengths, f"on disk: {size(needed)} ({precision}) are more than {short}")


def uses_lengths(model: Network) -> bool:
    """Whether a model grounds by cosines, and so uses the lengths of cells."""
    return isinstance(model, GroundingNetwork) and getattr(model.config, "similarity", "cosine") == "cosine"


class _Room(NamedTuple):
    """Memory that features may go to: how much is free, and how much of that they may take."""

    device: torch.device
    free: int
    usable: int

    def __str__(self) -> str:
        return f"{self.device.type}: {size(self.free)} free, {size(self.usable)} of them for features"


def _rooms(run: Run, fabric: Fabric) -> list[_Room]:
    """Where the features of a run may go, the best first."""
    found = []
    cuda = fabric.device.type == "cuda"
    if cuda and run.features_on in ("auto", "device"):
        free, whole = torch.cuda.mem_get_info(fabric.device)
        found.append(_Room(fabric.device, free, max(0, free - int(_RESERVE * whole))))
    if not cuda or run.features_on in ("auto", "host"):
        free = available_memory() or _FREE_IF_UNKNOWN
        # Every process of a node has its own. Who asks for memory gets all that is free; else half is left to others.
        usable = (free if run.features_on != "auto" else free // 2) // run.devices
        found.append(_Room(torch.device("cpu"), free, usable))
    return found


def load_features(placement: Placement, splits: Splits, *, progress: bool) -> Bank | None:
    """Read the features to where they go; None if they stay on disk."""
    if placement.device is None:
        splits.features.hold(progress)
        return None
    video_ids, audio_ids = splits.videos
    return Bank.load(
        splits.features,
        video_ids,
        audio_ids=audio_ids,
        device=placement.device,
        lengths=placement.lengths,
        progress=progress,
    )


def size(count: int) -> str:
    """Bytes in words."""
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{count / 1e6:.1f} MB"
