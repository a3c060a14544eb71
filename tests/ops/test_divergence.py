import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from avground.ops import js_divergence, kl_divergence
from tests import naive
from tests.strategies import AWKWARD, DTYPES, SEEDS, normal, raw_pairs, weight_pairs

LN2 = math.log(2)
ROWS = {
    "one-hot": (1.0, 0.0, 0.0, 0.0),
    "another one-hot": (0.0, 0.0, 1.0, 0.0),
    "zeros": (0.0, 0.0, 0.0, 0.0),
    "uniform": (0.25, 0.25, 0.25, 0.25),
    "float32 denormals": (1e-40, 1e-45, 1.0, 3e-39),
    "float64 denormals": (5e-324, 1e-310, 1.0, 0.0),
    "nothing but denormals": (1e-40, 1e-44, 1e-45, 1e-39),
    "smallest normal numbers": (1.1754943508222875e-38, 2.2250738585072014e-308, 1.0, 6.1e-5),
    "ordinary": (0.7, 0.2, 0.1, 0.0),
}


@pytest.mark.parametrize(("ours", "naive_one"), [(kl_divergence, naive.kl), (js_divergence, naive.js)])
@pytest.mark.parametrize("shape", [(10,), (3, 10), (2, 3, 1), (2, 3, 7)])
def test_equals_the_equation_row_by_row(ours, naive_one, shape):
    p, q = (normal(seed, *shape).softmax(-1) for seed in (1, 2))
    expected = [
        naive_one(a, b)
        for a, b in zip(p.reshape(-1, shape[-1]).tolist(), q.reshape(-1, shape[-1]).tolist(), strict=True)
    ]
    assert_close(ours(p, q).reshape(-1), torch.tensor(expected, dtype=torch.float64), rtol=0, atol=1e-12)
    assert ours(p, q).shape == shape[:-1]


@given(weight_pairs())
def test_js_equals_the_equation_with_zeros_in_the_rows(pair):
    assert float(js_divergence(*pair)) == pytest.approx(naive.js(*(row.tolist() for row in pair)), abs=1e-12)


def test_known_values():
    left, right, even = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]], dtype=torch.float64)
    assert float(kl_divergence(left, even)) == pytest.approx(LN2, abs=1e-15)
    assert float(kl_divergence(left, left)) == 0
    assert float(js_divergence(left, right)) == pytest.approx(LN2, abs=1e-15)
    assert float(js_divergence(left, even)) == pytest.approx(0.75 * math.log(4 / 3), abs=1e-15)


def test_kl_of_an_impossible_event_is_large_and_finite():
    left, right = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
    assert float(kl_divergence(left, right)) == pytest.approx(87.34, abs=0.01)
    assert float(kl_divergence(left.double(), right.double())) == pytest.approx(708.40, abs=0.01)


@given(weight_pairs(), st.sampled_from(DTYPES))
def test_js_is_symmetric_bit_for_bit(pair, dtype):
    p, q = (row.to(dtype) for row in pair)
    assert torch.equal(js_divergence(p, q), js_divergence(q, p))


@given(raw_pairs(), st.sampled_from(DTYPES))
def test_js_is_symmetric_bit_for_bit_for_any_numbers(pair, dtype):
    p, q = (row.to(dtype) for row in pair)
    assert torch.equal(js_divergence(p, q), js_divergence(q, p))


@given(weight_pairs(), st.sampled_from(DTYPES))
def test_js_lies_between_0_and_ln_2(pair, dtype):
    value = js_divergence(*(row.to(dtype) for row in pair))
    assert value.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    # Rounding a row to half precision changes what it sums to, by 2^-8 at most.
    margin = {torch.float64: 1e-15, torch.float32: 1e-6, torch.bfloat16: 1e-2, torch.float16: 1e-3}[dtype]
    assert 0 <= float(value) <= LN2 + margin


@given(weight_pairs())
def test_js_is_0_if_and_only_if_the_rows_agree(pair):
    """By two bounds in the total variation v of the rows: v^2 / 2 <= JS <= v ln 2."""
    p, q = pair
    variation, value = float((p - q).abs().sum()) / 2, float(js_divergence(p, q))
    assert variation**2 / 2 - 1e-12 <= value <= variation * LN2 + 1e-12


@given(weight_pairs(), st.sampled_from(DTYPES))
def test_js_of_a_row_with_itself_is_exactly_0(pair, dtype):
    row = pair[0].to(dtype)
    assert float(js_divergence(row, row.clone())) == 0


@given(weight_pairs(), SEEDS)
def test_js_does_not_depend_on_the_order_of_segments(pair, seed):
    order = torch.randperm(len(pair[0]), generator=torch.Generator().manual_seed(seed))
    assert_close(js_divergence(*(row[order] for row in pair)), js_divergence(*pair), rtol=0, atol=1e-15)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("second", ROWS)
@pytest.mark.parametrize("first", ROWS)
def test_js_and_its_gradients_are_finite_at_awkward_rows(first, second, dtype):
    p = torch.tensor(ROWS[first], dtype=torch.float64).to(dtype).requires_grad_()
    q = torch.tensor(ROWS[second], dtype=torch.float64).to(dtype).requires_grad_()
    value = js_divergence(p, q)
    value.backward()
    assert value.isfinite()
    assert p.grad.isfinite().all()
    assert q.grad.isfinite().all()


@given(raw_pairs(AWKWARD), st.sampled_from(DTYPES), st.sampled_from((None, torch.bfloat16, torch.float16)))
def test_js_and_its_gradients_are_finite_under_autocast(pair, dtype, autocast):
    p, q = (row.to(dtype).requires_grad_() for row in pair)
    with torch.autocast("cpu", autocast or torch.bfloat16, enabled=autocast is not None):
        value = js_divergence(p, q)
    value.backward()
    assert value.isfinite()
    assert value.dtype in (torch.float32, torch.float64)
    assert p.grad.isfinite().all()
    assert q.grad.isfinite().all()


def test_autocast_costs_no_precision():
    p, q = (normal(seed, 5, 10, dtype=torch.float32).softmax(-1) for seed in (1, 2))
    with torch.autocast("cpu", torch.bfloat16):
        value = js_divergence(p, q)
    assert torch.equal(value, js_divergence(p, q))


@pytest.mark.parametrize("divergence", [kl_divergence, js_divergence])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_costs_no_more_than_the_rounding_of_the_rows(divergence, dtype):
    p, q = (normal(seed, 5, 10, dtype=dtype).softmax(-1) for seed in (1, 2))
    assert torch.equal(divergence(p, q), divergence(p.float(), q.float()))
    assert torch.equal(divergence(p, q.float()), divergence(p.float(), q.float()))


@pytest.mark.parametrize("divergence", [kl_divergence, js_divergence])
def test_gradients_are_those_of_finite_differences(divergence):
    p, q = (normal(seed, 3, 4).softmax(-1).requires_grad_() for seed in (1, 2))
    assert torch.autograd.gradcheck(divergence, (p, q))


def test_pulling_the_rows_together_lowers_js():
    """A step along the negative gradient of the scores behind the rows is a step down."""
    scores = [normal(seed, 6).requires_grad_() for seed in (1, 2)]
    before = js_divergence(*(score.softmax(-1) for score in scores))
    before.backward()
    after = js_divergence(*((score - 0.1 * score.grad).softmax(-1) for score in scores))
    assert (after < before).item()
