import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from avground.errors import DataError
from avground.viz import spread, stretched_scale, true_scale


@st.composite
def maps(draw):
    """A map of weights in float64; many have zeros, and some all weight in one cell."""
    rows, columns = draw(st.integers(1, 5)), draw(st.integers(2, 5))
    counts = st.one_of(st.just(0), st.integers(1, 1000))
    drawn = draw(st.lists(counts, min_size=rows * columns, max_size=rows * columns).filter(any))
    return np.reshape(drawn, (rows, columns)) / sum(drawn)


def one_hot(cells, place):
    return np.eye(cells)[place].reshape(1, cells)


@given(maps())
def test_spread_is_what_loops_compute(weights):
    row = [float(weight) for line in weights for weight in line]
    found = spread(weights)
    entropy = -math.fsum(weight * math.log(weight) for weight in row if weight > 0) / math.log(len(row))
    assert found.entropy == pytest.approx(entropy, abs=1e-12)
    assert found.peak_over_uniform == pytest.approx(len(row) * max(row), rel=1e-12)
    assert found.contrast == pytest.approx((max(row) - min(row)) / (max(row) + min(row)), abs=1e-12)
    assert 0 <= found.entropy <= 1
    assert 1 - 1e-12 <= found.peak_over_uniform <= len(row)
    assert 0 <= found.contrast <= 1


@given(maps())
def test_both_scales_lie_between_0_and_1(weights):
    for scale in (true_scale, stretched_scale):
        assert scale(weights).shape == weights.shape
        assert 0 <= scale(weights).min() <= scale(weights).max() <= 1


@given(maps())
def test_the_true_scale_is_what_loops_compute(weights):
    shown = true_scale(weights)
    for place in np.ndindex(weights.shape):
        over = weights.size * float(weights[place])
        assert shown[place] == pytest.approx(
            max(0.0, math.log(over) / math.log(weights.size)) if over else 0, abs=1e-12
        )


@given(maps())
def test_only_all_weight_in_one_cell_is_1_on_the_true_scale(weights):
    assert (true_scale(weights).max() == 1) == (np.count_nonzero(weights) == 1)


@given(maps())
def test_more_weight_never_looks_like_less(weights):
    order = np.argsort(weights.ravel(), kind="stable")
    for scale in (true_scale, stretched_scale):
        assert (np.diff(scale(weights).ravel()[order]) >= 0).all()


@given(st.integers(1, 20), st.integers(2, 20), st.sampled_from(["float64", "float32", "float16"]))
def test_a_flat_map_shows_nothing_in_any_precision(rows, columns, dtype):
    flat = np.full((rows, columns), 1 / (rows * columns), dtype)
    assert true_scale(flat).max() <= 1e-12
    assert stretched_scale(flat).tolist() == np.zeros((rows, columns)).tolist()
    assert spread(flat) == pytest.approx((1, 1, 0), abs=1e-12)


@given(st.integers(2, 300), st.integers(0, 10**6))
def test_all_weight_in_one_cell(cells, place):
    sharp = one_hot(cells, place % cells)
    assert true_scale(sharp).tolist() == sharp.tolist()
    assert stretched_scale(sharp).tolist() == sharp.tolist()
    assert spread(sharp) == (0, cells, 1)
    assert str(spread(sharp)).startswith("entropy 0.000,")


@given(maps())
def test_the_stretched_scale_goes_from_the_smallest_to_the_largest_weight(weights):
    assume(np.ptp(weights) > 1e-5)
    shown = stretched_scale(weights)
    assert shown[weights == weights.min()].max() == 0
    assert shown[weights == weights.max()].min() == 1


def test_maps_do_not_change_each_others_scale():
    both = np.stack([np.full((2, 2), 0.25), one_hot(4, 1).reshape(2, 2)])
    for scale in (true_scale, stretched_scale):
        assert scale(both).tolist() == [scale(both[0]).tolist(), scale(both[1]).tolist()]


def test_a_sum_that_half_precision_missed_leaves_the_scale_in_its_bounds():
    weights = np.array([[1.0005, 0.0]])
    assert true_scale(weights).tolist() == [[1.0, 0.0]]
    assert spread(weights) == (0, 2, 1)
    assert weights.tolist() == [[1.0005, 0.0]]


def test_a_map_that_is_nearly_flat_looks_sharp_on_the_stretched_scale_only():
    """The reason why there are two."""
    nearly = np.full((1, 100), 0.01)
    nearly[0, :2] = 0.01001, 0.00999
    assert true_scale(nearly).max() < 1e-3
    assert stretched_scale(nearly).max() == 1
    assert str(spread(nearly)) == "entropy 1.000, largest 1.00 x flat, contrast 0.001"


@pytest.mark.parametrize("scale", [true_scale, stretched_scale])
def test_what_is_no_map_is_told(scale):
    with pytest.raises(DataError, match=r"weights: expected maps of at least 2 cells, got 1 x 1"):
        scale([[1.0]])
    with pytest.raises(DataError, match=r"weights: expected weights that sum to 1, got a sum of 1\.5"):
        scale([[0.5, 1.0]])
    with pytest.raises(DataError, match=r"weights: expected at least 2 dimensions, got shape \(2,\)"):
        scale([0.5, 0.5])


def test_one_place_has_no_spread():
    with pytest.raises(DataError, match="weights: expected at least 2 places, got 1"):
        spread([1.0])
