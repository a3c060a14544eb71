"""Adam, its learning rate, and its state in checkpoints."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from avground.errors import DataError, brief
from avground.reading import is_finite


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


def restore_optimizer(optimizer: Any, state: Mapping[str, Any], path: str) -> None:
    """Take over the moments; all settings follow from the run and the machine, and are kept as they are.

    Args:
        optimizer: Adam.
        state: What :func:`optimizer_state` returned.
        path: The file that it comes from, for errors.

    Raises:
        DataError: if these are not moments of the same parameters.
    """
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    moments = state.get("state")
    if not isinstance(moments, Mapping):
        raise DataError(f"{path}: optimizer: expected moments under 'state', got {brief(state)}")
    for place, moment in moments.items():
        where = f"{path}: optimizer: state of parameter {brief(place)}"
        if not isinstance(place, int) or not 0 <= place < len(parameters) or not isinstance(moment, Mapping):
            raise DataError(f"{where}: expected one of {len(parameters)} parameters with its moments")
        shapes = {"step": (), "exp_avg": parameters[place].shape, "exp_avg_sq": parameters[place].shape}
        if set(moment) != set(shapes):
            raise DataError(f"{where}: expected {', '.join(shapes)}, got {brief(sorted(map(str, moment)))}")
        for name, shape in shapes.items():
            value = moment[name]
            if not isinstance(value, Tensor) or value.shape != shape or not is_finite(value):
                got = tuple(value.shape) if isinstance(value, Tensor) else brief(value)
                raise DataError(f"{where}: {name}: expected finite numbers of shape {tuple(shape)}, got {got}")
    own = optimizer.state_dict()
    optimizer.load_state_dict({**own, "state": dict(moments)})


def restore_scaler(precision: Any, state: Mapping[str, Any], path: str) -> None:
    """Take over the state of the scaler that half precision needs; other precisions have none.

    Raises:
        DataError: if it is not that of a scaler.
    """
    try:
        precision.load_state_dict(state)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise DataError(f"{path}: precision: expected the state of a scaler, got {brief(state)}") from error
