import numpy as np
import pytest
import torch

from avground.errors import DataError
from avground.viz.checks import check_frames, check_numbers, check_starts, check_weights

FRAMES = np.zeros((2, 3, 4, 3), np.uint8)


@pytest.mark.parametrize(
    ("values", "dims", "told"),
    [
        (["a"], None, r"x: expected an array of numbers, got \['a'\]"),
        ([[1.0], [1.0, 2.0]], None, "x: expected an array of numbers, got "),
        ([1.0, 2.0], 2, r"x: expected 2 dimensions, got shape \(2,\)"),
        ([], None, r"x: expected at least one number, got shape \(0,\)"),
        ([1.0, float("nan")], None, r"x: expected finite numbers, got \[nan\]"),
        ([1.0, -float("inf")], None, r"x: expected finite numbers, got \[-inf\]"),
    ],
)
def test_what_are_no_numbers_is_told(values, dims, told):
    with pytest.raises(DataError, match=told):
        check_numbers("x", values, dims)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_tensors_are_taken_with_gradients_and_of_any_precision(dtype):
    values = torch.tensor([0.25, 0.75], dtype=dtype, requires_grad=True)
    checked = check_numbers("x", values)
    assert checked.dtype == np.float64
    assert checked.tolist() == [0.25, 0.75]


@pytest.mark.parametrize(
    ("values", "options", "told"),
    [
        ([0.5, 0.6], {}, r"w: expected weights that sum to 1, got a sum of 1\.1"),
        ([[0.5, 0.5], [0.5, 0.4]], {"axes": (-1,)}, r"w: expected weights that sum to 1, got a sum of 0\.9"),
        ([0.5, 0.6], {"at_most": True}, r"w: expected weights that sum to at most 1, got a sum of 1\.1"),
        ([1.5, -0.5], {}, r"w: expected weights of at least 0, got -0\.5"),
        ([1.0], {"axes": (-2, -1)}, r"w: expected at least 2 dimensions, got shape \(1,\)"),
    ],
)
def test_what_are_no_weights_is_told(values, options, told):
    with pytest.raises(DataError, match=told):
        check_weights("w", values, **options)


def test_weights_of_half_precision_are_weights():
    weights = torch.rand(196, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).softmax(0).half()
    assert weights.double().sum() != 1
    assert check_weights("w", weights).tolist() == weights.tolist()


def test_a_sum_below_1_is_fine_where_padding_was_weighed():
    assert check_weights("w", [0.2, 0.1], at_most=True).tolist() == [0.2, 0.1]


@pytest.mark.parametrize(
    ("starts", "told"),
    [
        ([0.0], r"starts: expected t=2 segments, got 1"),
        ([1.0, 1.0], r"starts: expected ascending seconds of at least 0, got \[1\.0, 1\.0\]"),
        ([-1.0, 1.0], r"starts: expected ascending seconds of at least 0, got \[-1\.0, 1\.0\]"),
        ([[0.0, 1.0]], r"starts: expected 1 dimensions, got shape \(1, 2\)"),
    ],
)
def test_starts_ascend(starts, told):
    with pytest.raises(DataError, match=told):
        check_starts(starts, 2)
    assert check_starts([0, 6], 2).tolist() == [0.0, 6.0]


@pytest.mark.parametrize(
    ("frames", "told"),
    [
        (FRAMES / 255, "frames: expected uint8, got float64"),
        (FRAMES[:1], r"frames: expected \(t=2, H, W, 3\), got \(1, 3, 4, 3\)"),
        (FRAMES[..., :1], r"frames: expected \(t=2, H, W, 3\), got \(2, 3, 4, 1\)"),
        (FRAMES[0], r"frames: expected \(t=2, H, W, 3\), got \(3, 4, 3\)"),
        (FRAMES[:, :0], r"frames: expected \(t=2, H, W, 3\), got \(2, 0, 4, 3\)"),
    ],
)
def test_frames_are_bytes_of_colour(frames, told):
    with pytest.raises(DataError, match=told):
        check_frames(frames, 2)
    assert check_frames(torch.from_numpy(FRAMES), 2).shape == FRAMES.shape
