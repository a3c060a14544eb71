"""Adam, its learning rate, and its state in checkpoints."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn


def make_adam(parameters: Iterable[nn.Parameter], rate: float, device: torch.device, *, capturable: bool) -> Any:
    """Adam in as few launches as the device allows.

    On CUDA the rate is a tensor, so that a recorded step reads what it is at the time.

    Args:
        parameters: What it changes.
        rate: The learning rate.
        device: Where the parameters are.
        capturable: Whether steps will be recorded.
    """
    cuda = device.type == "cuda"
    lr = torch.tensor(rate, dtype=torch.float32, device=device) if cuda else rate
    return torch.optim.Adam(parameters, lr=lr, fused=cuda or device.type == "cpu", capturable=capturable)


def set_rate(optimizer: Any, rate: float) -> None:
    """Change the learning rate; where it is a tensor, in place."""
    for group in optimizer.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate


def optimizer_state(optimizer: Any) -> dict[str, Any]:
    """The state for a checkpoint, which does not tell whether steps were recorded: the rate is a plain number."""
    state = optimizer.state_dict()
    groups = [{**group, "lr": float(group["lr"]), "capturable": False} for group in state["param_groups"]]
    return {**state, "param_groups": groups}


def restore_optimizer(optimizer: Any, state: Mapping[str, Any]) -> None:
    """Take over a state, but not what depends on the machine: where the rate lies, and how steps are done."""
    kept = ("lr", "fused", "capturable")
    groups = [
        {**saved, **{name: own[name] for name in kept}}
        for saved, own in zip(state["param_groups"], optimizer.param_groups, strict=True)
    ]
    optimizer.load_state_dict({**state, "param_groups": groups})
