import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from avground.ops import masked_softmax, normalize_weights
from avground.ops.weights import at_least_float32
from tests import naive
from tests.strategies import DTYPES, SEEDS, normal, raw_pairs


def test_rows_are_divided_by_their_sums():
    rows = normal(1, 2, 3, 5).abs()
    expected = [[naive.normalized(row) for row in part] for part in rows.tolist()]
    assert_close(normalize_weights(rows), torch.tensor(expected, dtype=torch.float64), rtol=0, atol=1e-15)


def test_a_row_of_zeros_becomes_uniform_and_the_others_do_not_notice():
    rows = torch.tensor([[0.0, 0.0, 0.0], [1.0, 1.0, 2.0]], dtype=torch.float64)
    expected = torch.tensor([[1 / 3, 1 / 3, 1 / 3], [0.25, 0.25, 0.5]], dtype=torch.float64)
    assert torch.equal(normalize_weights(rows), expected)


@given(raw_pairs(), st.sampled_from(DTYPES))
def test_any_row_gives_weights_with_finite_gradients(pair, dtype):
    row, other = (values.to(dtype) for values in pair)
    row.requires_grad_()
    weights = normalize_weights(row)
    assert weights.dtype == at_least_float32(row).dtype
    assert (weights >= 0).all()
    assert float(weights.detach().double().sum()) == pytest.approx(1, abs=1e-6)
    (weights * other.clamp(max=1)).sum().backward()
    if dtype == at_least_float32(row).dtype:  # a gradient of 1e30 has no place in half precision
        assert row.grad.isfinite().all()


@given(SEEDS, st.floats(-6, 6))
def test_only_proportions_count(seed, exponent):
    row = normal(seed, 6).abs() + 1e-3
    assert_close(normalize_weights(row * 10**exponent), normalize_weights(row), rtol=1e-14, atol=0)


def test_normalizing_weights_again_changes_nothing():
    weights = normalize_weights(normal(1, 4, 6).abs())
    assert_close(normalize_weights(weights), weights, rtol=0, atol=1e-15)


def test_softmax_is_over_the_marked_entries():
    scores, mask = normal(1, 4, 6), normal(2, 4, 6) > -0.5
    weights = masked_softmax(scores, mask)
    for row, marks, got in zip(scores.tolist(), mask.tolist(), weights.tolist(), strict=True):
        expected = iter(naive.softmax([score for score, mark in zip(row, marks, strict=True) if mark]))
        assert got == pytest.approx([next(expected) if mark else 0.0 for mark in marks], abs=1e-15)


@given(SEEDS, st.sampled_from(DTYPES))
def test_what_stands_at_the_other_entries_does_not_matter(seed, dtype):
    scores, mask = normal(seed, 3, 5, dtype=dtype), normal(seed + 1, 3, 5) > 0
    changed = scores.masked_fill(~mask, torch.finfo(dtype).max)
    assert torch.equal(masked_softmax(changed, mask), masked_softmax(scores, mask))


def test_rows_without_any_entry_get_exactly_0_and_no_gradient():
    scores = normal(1, 2, 3).requires_grad_()
    mask = torch.tensor([[False, False, False], [True, False, True]])
    weights = masked_softmax(scores, mask)
    assert weights[0].tolist() == [0, 0, 0]
    weights.square().sum().backward()
    assert scores.grad.isfinite().all()
    assert not scores.grad[~mask].any()
    assert scores.grad[mask].all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_half_precision_becomes_float32_and_nothing_else_changes(dtype):
    x = normal(1, 3, dtype=dtype)
    raised = at_least_float32(x)
    assert raised.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    assert torch.equal(raised.to(dtype), x)
    assert masked_softmax(x, torch.ones(3, dtype=torch.bool)).dtype == raised.dtype


def test_gradients_are_those_of_finite_differences():
    row = normal(1, 2, 4).abs().add(0.1).requires_grad_()
    assert torch.autograd.gradcheck(normalize_weights, (row,))
    mask = torch.tensor([[True, True, False, True], [False, False, True, True]])
    assert torch.autograd.gradcheck(lambda scores: masked_softmax(scores, mask), (normal(2, 2, 4).requires_grad_(),))


def test_large_scores_do_not_overflow():
    weights = masked_softmax(torch.tensor([1e30, -1e30, 1e30]), torch.tensor([True, True, True]))
    assert weights.tolist() == pytest.approx([0.5, 0.0, 0.5])
    assert math.isclose(float(masked_softmax(torch.tensor([-1e30, 0.0]), torch.tensor([True, False]))[0]), 1.0)
