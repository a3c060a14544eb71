"""Reading weights from files that strangers made, and loading them where they belong."""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from avground.errors import DataError, brief
from avground.models.saved import LEGACY, Refused, claimed_bytes, read_saved
from avground.reading import check_plain, is_finite, open_regular

_MOST_SHARED = 4
"""Times that the numbers of a file may be used, on average: some networks use a matrix in two places."""


def read_safely(path: str | os.PathLike[str], what: str) -> Any:
    """Read a file that :func:`torch.save` wrote, on the CPU, without running code that it brings along.

    Files of any age are read, and the checksums that newer ones have are compared. What is read takes little more
    memory than the file has bytes.

    Args:
        path: The file.
        what: What it should be, for errors, such as ``"checkpoint"``.

    Returns:
        Tensors and plain values, as they were saved; dictionaries of any kind as plain ones, NumPy arrays as tensors.

    Raises:
        DataError: if there is no such file, if it is cut short or damaged, or if it holds more than tensors and plain
            values.
    """
    with open_regular(path, f"a {what}") as file:
        size = os.fstat(file.fileno()).st_size
        start = file.read(len(LEGACY))
        if start != LEGACY and not start.startswith(b"PK"):
            raise DataError(f"{path}: expected a complete {what}, got a file that is cut short or is no {what}")
        file.seek(0)
        try:
            content = read_saved(file)
        except Refused as error:
            reason = f"a file that holds more than tensors and plain values: {error}"
            raise DataError(f"{path}: expected a {what}, got {reason}") from error
        except Exception as error:  # Damage can end in any error.
            reason = f"a file that is cut short or damaged: {line(error)}"
            raise DataError(f"{path}: expected a complete {what}, got {reason}") from error
    tensors = check_plain(content, f"{path}: {what}", Tensor)
    if claimed_bytes(tensors) > _MOST_SHARED * size:
        raise DataError(f"{path}: expected a {what}, got tensors of {claimed_bytes(tensors):,} bytes in {size:,}")
    return content


def load_weights(model: nn.Module, weights: Mapping[str, Tensor], path: str) -> None:
    """Load weights whose names and shapes must be exactly the model's, and all of whose values are finite.

    Raises:
        DataError: names the first few that are missing, unknown, or of another shape or kind.
    """
    check_weights(model, weights, path)
    model.load_state_dict(dict(weights))


def check_weights(model: nn.Module, weights: Mapping[str, Tensor], path: str) -> None:
    """Check that :func:`load_weights` would load weights; the model may be on the device ``meta``.

    Raises:
        DataError: names the first few that are missing, unknown, or of another shape or kind.
    """
    _check_fit(model, weights, path, _misfit)


def check_weight_shapes(model: nn.Module, shapes: Mapping[str, Sequence[int]], path: str) -> None:
    """Check names and shapes of weights that are not read yet, as :func:`check_weights` checks weights.

    Raises:
        DataError: names the first few that are missing, unknown, or of another shape.
    """
    _check_fit(model, shapes, path, _other_shape)


def _check_fit(model: nn.Module, given: Mapping[str, Any], path: str, misfit: Callable[[Tensor, Any], str]) -> None:
    own = model.state_dict()
    wrong = [f"missing {name}" for name in own if name not in given]
    wrong += [f"unknown {brief(name)}" for name in given if name not in own]
    wrong += [f"{name}: {reason}" for name in own if name in given and (reason := misfit(own[name], given[name]))]
    if wrong:
        raise DataError(f"{path}: {len(wrong)} weights do not fit the model: {'; '.join(wrong[:5])}")


def _other_shape(own: Tensor, shape: Sequence[int]) -> str:
    """How a shape differs from a weight's; empty if it does not."""
    expected, got = tuple(own.shape), tuple(shape)
    return "" if got == expected else f"expected {expected}, got {got}"


def _misfit(own: Tensor, given: Any) -> str:
    """Why a value cannot be a weight; empty if it can."""
    if not isinstance(given, Tensor):
        return f"expected a tensor, got {brief(given)}"
    if reason := _other_shape(own, given.shape):
        return reason
    plain = given.layout == torch.strided and not given.is_meta and not given.is_quantized
    if not plain or given.is_complex() or given.is_floating_point() != own.is_floating_point():
        return f"expected numbers like {own.dtype}, got {given.dtype}, {given.layout} on {given.device}"
    return "" if is_finite(given) else "expected finite numbers, got NaN or infinity"


def line(error: BaseException) -> str:
    """The first line of an error's message, cut if it is long, or its kind where there is none."""
    text = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return text if len(text) <= 300 else f"{text[:297]}..."
