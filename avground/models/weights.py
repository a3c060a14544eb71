"""Reading weights from files that strangers made, and loading them where they belong."""

import os
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from avground.errors import DataError

# What files begin with that torch.save wrote before it wrote zip files: its magic number, pickled.
_LEGACY = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."


def read_safely(path: str | os.PathLike[str], what: str) -> Any:
    """Read a file that :func:`torch.save` wrote, on the CPU, without running code that it brings along.

    Args:
        path: The file.
        what: What it should be, for errors, such as ``"checkpoint"``.

    Returns:
        Tensors and plain values, as they were saved.

    Raises:
        DataError: if there is no such file, if it is cut short or damaged, or if it holds more than tensors and plain
            values.
    """
    if not Path(path).is_file():
        raise DataError(f"{path}: expected a {what}, got no such file")
    with Path(path).open("rb") as file:
        legacy = file.read(len(_LEGACY)) == _LEGACY
    if not legacy and not zipfile.is_zipfile(path):  # The list of contents is at the end, so a file cut short is none.
        raise DataError(f"{path}: expected a complete {what}, got a file that is cut short or is no {what}")
    try:
        # Weights only: a file from the internet must not be able to run anything.
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        reason = "a file that holds more than tensors and plain values"
        raise DataError(f"{path}: expected a {what}, got {reason}") from error
    except Exception as error:  # Damage can end in any error: torch reads files with few checks.
        reason = f"a file that is cut short or damaged: {line(error)}"
        raise DataError(f"{path}: expected a complete {what}, got {reason}") from error


def load_weights(model: nn.Module, weights: Mapping[str, Tensor], path: str) -> None:
    """Load weights whose names and shapes must be exactly the model's.

    Raises:
        DataError: names the first few that are missing, unknown or of another shape.
    """
    own = model.state_dict()
    wrong = [f"missing {name}" for name in own if name not in weights]
    wrong += [f"unknown {name}" for name in weights if name not in own]
    wrong += [
        f"{name}: expected {tuple(own[name].shape)}, got {tuple(weights[name].shape)}"
        for name in own
        if name in weights and own[name].shape != weights[name].shape
    ]
    if wrong:
        raise DataError(f"{path}: {len(wrong)} weights do not fit the model: {'; '.join(wrong[:5])}")
    model.load_state_dict(dict(weights))


def line(error: BaseException) -> str:
    """The first line of an error's message, or its kind where there is none."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
