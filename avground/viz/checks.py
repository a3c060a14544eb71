"""What is drawn is checked first: a picture of wrong numbers looks like a picture of right ones."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from avground.errors import DataError, brief

_TOLERANCE = 1e-3
"""Weights in half precision sum to 1 within this."""


def check_numbers(name: str, values: ArrayLike, dims: int | None = None) -> NDArray[np.float64]:
    """Values as float64, if they are finite numbers in an array of so many dimensions; tensors from any device.

    Raises:
        DataError: names the argument, what was expected and what came.
    """
    if isinstance(values, Tensor):  # numpy takes none that has a gradient, is of bfloat16 or on a GPU.
        values = values.detach().cpu().double().numpy()
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"{name}: expected an array of numbers, got {brief(values)}") from error
    if dims is not None and array.ndim != dims:
        raise DataError(f"{name}: expected {dims} dimensions, got shape {array.shape}")
    if not array.size:
        raise DataError(f"{name}: expected at least one number, got shape {array.shape}")
    if not np.isfinite(array).all():
        raise DataError(f"{name}: expected finite numbers, got {brief(array[~np.isfinite(array)].tolist())}")
    return array


def check_weights(
    name: str,
    values: ArrayLike,
    *,
    dims: int | None = None,
    axes: tuple[int, ...] | None = None,
    at_most: bool = False,
) -> NDArray[np.float64]:
    """Values as float64, if they are weights: non-negative, with a sum of 1 over ``axes``, all by default.

    Args:
        name: Of the argument.
        values: The weights.
        dims: How many dimensions they must have.
        axes: Those that are summed over.
        at_most: Whether a sum below 1 will do, as where padding was weighed too.

    Raises:
        DataError: names the argument, what was expected and what came.
    """
    weights = check_numbers(name, values, dims)
    if axes is not None and weights.ndim < len(axes):
        raise DataError(f"{name}: expected at least {len(axes)} dimensions, got shape {weights.shape}")
    if weights.min() < 0:
        raise DataError(f"{name}: expected weights of at least 0, got {weights.min():g}")
    sums = np.atleast_1d(weights.sum(axes))
    wrong = sums[(sums > 1 + _TOLERANCE) if at_most else (abs(sums - 1) > _TOLERANCE)]
    if wrong.size:
        most = "at most 1" if at_most else "1"
        raise DataError(f"{name}: expected weights that sum to {most}, got a sum of {wrong.flat[0]:g}")
    return weights


def check_starts(starts: ArrayLike, t: int | None = None) -> NDArray[np.float64]:
    """The seconds at which t segments begin, if they ascend from 0 or later.

    Raises:
        DataError: names what was expected and what came.
    """
    seconds = check_numbers("starts", starts, 1)
    if t is not None and len(seconds) != t:
        raise DataError(f"starts: expected t={t} segments, got {len(seconds)}")
    if (np.diff(seconds) <= 0).any() or seconds[0] < 0:
        raise DataError(f"starts: expected ascending seconds of at least 0, got {brief(seconds.tolist())}")
    return seconds


def check_waveform(waveform: ArrayLike) -> NDArray[np.float64]:
    """The largest amplitude in each of m equal parts of a video, if they are from 0 to 1.

    Raises:
        DataError: names what was expected and what came.
    """
    wave = check_numbers("waveform", waveform, 1)
    if wave.min() < 0 or wave.max() > 1:
        raise DataError(f"waveform: expected amplitudes from 0 to 1, got {wave.min():g} to {wave.max():g}")
    return wave


def check_frames(frames: ArrayLike, t: int) -> NDArray[np.uint8]:
    """Pictures of t segments, if they are (t, H, W, 3) of uint8.

    Raises:
        DataError: names what was expected and what came.
    """
    pictures = np.asarray(frames)
    if pictures.dtype != np.uint8:
        raise DataError(f"frames: expected uint8, got {pictures.dtype}")
    if pictures.ndim != 4 or len(pictures) != t or pictures.shape[-1] != 3 or not pictures.size:
        raise DataError(f"frames: expected (t={t}, H, W, 3), got {pictures.shape}")
    return pictures
