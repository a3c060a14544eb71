"""How many processes a run has, where somebody else starts them."""

import os
from typing import NamedTuple

from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment

from avground.errors import ConfigError


class Launched(NamedTuple):
    """What started the processes of a run, and how many.

    Attributes:
        by: ``"torchrun"`` or ``"srun"``.
        devices: Processes a node.
        nodes: Nodes.
    """

    by: str
    devices: int
    nodes: int


def find_launcher() -> Launched | None:
    """What started this process as one of several, if anything did: torchrun, or SLURM's srun."""
    if TorchElasticEnvironment.detect():
        every, of_node = int(os.environ["WORLD_SIZE"]), int(os.environ["LOCAL_WORLD_SIZE"])
        return Launched("torchrun", of_node, every // of_node)
    if SLURMEnvironment.detect():
        nodes = int(os.environ.get("SLURM_NNODES", "1"))
        tasks = os.environ.get("SLURM_NTASKS_PER_NODE")
        return Launched("srun", int(os.environ["SLURM_NTASKS"]) // nodes if tasks is None else int(tasks), nodes)
    return None


def check_launcher(devices: int, nodes: int) -> None:
    """Make sure that a run has as many processes as were started.

    Raises:
        ConfigError: if it has not.
    """
    launched = find_launcher()
    if launched is not None and (launched.devices, launched.nodes) != (devices, nodes):
        raise ConfigError(
            f"devices, nodes: expected {launched.devices} and {launched.nodes}, as {launched.by} started the "
            f"processes, got {devices} and {nodes}"
        )


def is_first_process() -> bool:
    """Whether this process is the one that speaks, before any of them know of each other."""
    return all(os.environ.get(name, "0") == "0" for name in ("RANK", "SLURM_PROCID", "LOCAL_RANK", "NODE_RANK"))
