import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from avground.errors import ShapeError
from avground.losses import CrossModalSynchronyLoss, PairMatchingLoss
from tests import naive
from tests.strategies import DTYPES, SEEDS, normal, raw_pairs, weight_pairs

synchrony, matching = CrossModalSynchronyLoss(), PairMatchingLoss()


@pytest.mark.parametrize("leading", [(), (4,), (2, 3), (2, 1, 3)])
def test_synchrony_is_the_mean_of_the_equation_over_any_leading_dimensions(leading):
    audio, visual = (normal(seed, *leading, 7).softmax(-1) for seed in (1, 2))
    rows = zip(audio.reshape(-1, 7).tolist(), visual.reshape(-1, 7).tolist(), strict=True)
    values = [naive.js(heard, seen) for heard, seen in rows]
    loss = synchrony(audio, visual)
    assert loss.shape == ()
    assert float(loss) == pytest.approx(math.fsum(values) / len(values), abs=1e-12)


@given(SEEDS, st.lists(st.floats(-6, 6), min_size=6, max_size=6))
def test_only_the_proportions_of_each_row_count(seed, exponents):
    audio, visual = (normal(seed + i, 3, 5).abs() + 1e-3 for i in range(2))
    scales = 10 ** torch.tensor(exponents, dtype=torch.float64).reshape(2, 3, 1)
    assert_close(synchrony(audio * scales[0], visual * scales[1]), synchrony(audio, visual), rtol=0, atol=1e-12)


def test_two_halves_of_one_softmax_will_do():
    """As the authors' released code has them: each sums to about a half."""
    audio, visual = normal(1, 4, 10).softmax(-1).chunk(2, dim=-1)
    values = [naive.js(*map(naive.normalized, pair)) for pair in zip(audio.tolist(), visual.tolist(), strict=True)]
    assert float(synchrony(audio, visual)) == pytest.approx(math.fsum(values) / 4, abs=1e-12)


@given(weight_pairs(), st.sampled_from(DTYPES))
def test_synchrony_is_symmetric_bit_for_bit_and_bounded(pair, dtype):
    audio, visual = (row.to(dtype) for row in pair)
    loss = synchrony(audio, visual)
    assert torch.equal(loss, synchrony(visual, audio))
    assert 0 <= float(loss) <= math.log(2) + 1e-6
    assert float(synchrony(audio, audio.clone())) == 0


def test_a_row_of_zeros_counts_as_uniform():
    zeros, row = torch.zeros(1, 4), torch.tensor([[0.5, 0.2, 0.2, 0.1]])
    assert_close(synchrony(zeros, row), synchrony(torch.full((1, 4), 0.25), row))
    assert float(synchrony(zeros, zeros)) == 0


@given(raw_pairs(), st.sampled_from(DTYPES), st.sampled_from((None, torch.bfloat16, torch.float16)))
def test_synchrony_and_its_gradients_are_finite_for_any_rows(pair, dtype, autocast):
    audio, visual = (row.to(dtype).requires_grad_() for row in pair)
    with torch.autocast("cpu", autocast or torch.bfloat16, enabled=autocast is not None):
        loss = synchrony(audio, visual)
    assert loss.isfinite()
    assert loss.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    loss.backward()
    if dtype in (torch.float64, torch.float32):  # the slope at a row that sums to 1e-30 is beyond half precision
        assert audio.grad.isfinite().all()
        assert visual.grad.isfinite().all()


@given(weight_pairs(), st.sampled_from(DTYPES))
def test_gradients_at_weights_are_finite_in_every_precision(pair, dtype):
    audio, visual = (row.to(dtype).requires_grad_() for row in pair)
    synchrony(audio, visual).backward()
    assert audio.grad.isfinite().all()
    assert visual.grad.isfinite().all()


def test_gradients_are_those_of_finite_differences():
    rows = [normal(seed, 2, 3).abs().add(0.1).requires_grad_() for seed in (1, 2)]
    assert torch.autograd.gradcheck(synchrony, rows)
    assert torch.autograd.gradcheck(matching, (normal(3, 2, 3, 4, 2).requires_grad_(),))


@pytest.mark.parametrize("leading", [(), (4,), (4, 5)])
def test_matching_is_the_cross_entropy_of_positives_and_negatives(leading):
    logits = normal(1, 2, *leading, 2)
    positives, negatives = (half.reshape(-1, 2).tolist() for half in logits)
    values = [naive.cross_entropy(row, 1) for row in positives] + [naive.cross_entropy(row, 0) for row in negatives]
    loss = matching(logits)
    assert loss.shape == ()
    assert float(loss) == pytest.approx(math.fsum(values) / len(values), abs=1e-12)


def test_matching_knows_the_same_video_from_another():
    sure = torch.tensor([[[-50.0, 50.0]], [[50.0, -50.0]]])
    assert float(matching(sure)) == pytest.approx(0, abs=1e-6)
    assert float(matching(-sure)) == pytest.approx(100, abs=1e-4)
    assert float(matching(0 * sure)) == pytest.approx(math.log(2), abs=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_matching_is_finite_in_every_precision(dtype):
    logits = (1000 * normal(1, 2, 3, 4, 2)).to(dtype).requires_grad_()
    loss = matching(logits)
    loss.backward()
    assert loss.isfinite()
    assert logits.grad.isfinite().all()


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((3, 4, 5, 2), "match_logits: expected (2, *b, 2), got (3, 4, 5, 2)"),
        ((2, 4, 5, 3), "match_logits: expected (2, *b, 2), got (2, 4, 5, 3)"),
        ((2,), "match_logits: expected (2, *b, 2), got (2,)"),
    ],
)
def test_matching_takes_two_halves_of_two_classes(shape, expected):
    with pytest.raises(ShapeError) as caught:
        matching(torch.zeros(shape))
    assert str(caught.value) == expected


@given(SEEDS, st.lists(st.booleans(), min_size=4, max_size=4), st.booleans())
def test_matching_leaves_clips_with_the_sound_of_another_video_out(seed, flags, by_segment):
    logits, matched = normal(seed, 2, 4, 3, 2).requires_grad_(), torch.tensor(flags)
    loss = matching(logits, matched[:, None].expand(4, 3) if by_segment else matched)
    kept = [clip for clip, flag in enumerate(flags) if flag]
    loss.backward()
    if not kept:
        assert loss.item() == 0
        assert torch.equal(logits.grad, torch.zeros_like(logits))
        return
    assert_close(loss, matching(logits[:, kept]), rtol=0, atol=1e-12)
    left_out = [clip for clip in range(4) if clip not in kept]
    assert torch.equal(logits.grad[:, left_out], torch.zeros(2, len(left_out), 3, 2, dtype=logits.dtype))
    (expected,) = torch.autograd.grad(matching(logits[:, kept]), logits)
    assert_close(logits.grad, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("leading", [(), (4,)])
def test_matching_of_matched_clips_only_changes_nothing(leading):
    logits = normal(1, 2, *leading, 2)
    assert_close(matching(logits, torch.ones(leading, dtype=torch.bool)), matching(logits), rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("matched", "expected"),
    [
        (torch.ones(3, dtype=torch.bool), "matched: expected (b=4,), or further dimensions of (4, 5), got (3,)"),
        (torch.ones(4, 4, dtype=torch.bool), "matched: expected (b=4,), or further dimensions of (4, 5), got (4, 4)"),
        (torch.ones(4, 5, 1, dtype=torch.bool), "matched: expected (b=4,), or further dimensions of (4, 5), got"),
        (torch.tensor(True), "matched: expected (b=4,), or further dimensions of (4, 5), got ()"),
        (torch.ones(4), "matched: expected bool, got torch.float32"),
    ],
)
def test_matching_checks_what_is_matched(matched, expected):
    with pytest.raises(ShapeError) as caught:
        matching(torch.zeros(2, 4, 5, 2), matched)
    assert str(caught.value).startswith(expected)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((4, 9), "visual_weights: expected (*b=(4,), t=10), got (4, 9)"),
        ((10,), "visual_weights: expected (*b=(4,), t=10), got (10,)"),
        ((1, 10), "visual_weights: expected (*b=(4,), t=10), got (1, 10)"),
    ],
)
def test_synchrony_takes_two_rows_of_one_shape(shape, expected):
    with pytest.raises(ShapeError) as caught:
        synchrony(torch.zeros(4, 10), torch.zeros(shape))
    assert str(caught.value) == expected


def test_the_losses_have_no_parameters():
    assert not list(synchrony.parameters())
    assert not list(matching.parameters())
