import math

import pytest
import torch
from hypothesis import given
from torch.testing import assert_close

from avground.blocks import DualStreamTemporalGrounding, JointTemporalGrounding, RelativeTemporalGrounding
from avground.blocks.temporal import ARRANGEMENTS
from avground.errors import ConfigError, ShapeError
from tests import naive
from tests.strategies import SEEDS, normal

ORDERS = ("interleave_va", "interleave_av", "concat_va", "concat_av")
BLOCKS = {
    **{order: lambda order=order: JointTemporalGrounding(4, 2, order=order) for order in ORDERS},
    "dual": lambda: DualStreamTemporalGrounding(4, 2),
    "relative": lambda: RelativeTemporalGrounding(4, 2),
}
NAIVE = {"dual": naive.dual_temporal, "relative": naive.relative_temporal}
every_block = pytest.mark.parametrize("name", BLOCKS)


def make(name):
    """A block in float64 whose every parameter is an ordinary number, biases included."""
    torch.manual_seed(0)
    block = BLOCKS[name]().double().eval()
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.copy_(torch.randn_like(parameter) / 2)
    return block


def clips(seed=1, b=3, t=5):
    return normal(seed, b, t, 4), normal(seed + 1, b, t, 4), normal(seed + 2, b, 4)


@every_block
def test_equals_the_equations_segment_by_segment(name):
    block, parts = make(name), clips()
    got = block(*parts)
    reference = NAIVE.get(name, naive.joint_temporal)
    for i in range(3):
        for ours, values in zip(got, reference(block, *(part[i].tolist() for part in parts)), strict=True):
            assert_close(ours[i], torch.tensor(values, dtype=torch.float64), rtol=0, atol=1e-12)


def test_the_default_order_is_that_of_the_paper():
    assert JointTemporalGrounding(4, 2).order == "interleave_va"
    assert set(ARRANGEMENTS) == set(ORDERS)


@pytest.mark.parametrize("order", ORDERS)
def test_each_weight_is_that_of_its_own_segment(order):
    """The joint attention, asked by hand where each segment of each stream stands in the order's own words."""
    block, (audio, visual, sentence) = make(order), clips(t=3)
    heard, seen = block.audio_lstm(audio)[0], block.visual_lstm(visual)[0]
    first, second = (seen, heard) if order.endswith("va") else (heard, seen)
    if order.startswith("interleave"):
        rows = [stream[:, t] for t in range(3) for stream in (first, second)]
        first_places, second_places = [0, 2, 4], [1, 3, 5]
    else:
        rows = [stream[:, t] for stream in (first, second) for t in range(3)]
        first_places, second_places = [0, 1, 2], [3, 4, 5]
    _, weights = block.attention(sentence, torch.stack(rows, dim=1))
    seen_at, heard_at = (first_places, second_places) if order.endswith("va") else (second_places, first_places)
    got = block(audio, visual, sentence)
    for ours, places in ((got.audio_weights, heard_at), (got.visual_weights, seen_at)):
        part = weights[:, places]
        assert_close(ours, part / part.sum(1, keepdim=True), rtol=0, atol=1e-12)


def test_all_orders_attend_alike():
    """Attention does not know places, so the order changes nothing but where the weights are found (Table 6)."""
    results = [make(order)(*clips()) for order in ORDERS]
    for got in results[1:]:
        for ours, expected in zip(got, results[0], strict=True):
            assert_close(ours, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("order", ORDERS)
@given(seed=SEEDS)
def test_splitting_undoes_merging_on_features_and_on_weights(order, seed):
    arrangement = ARRANGEMENTS[order]
    for channels in (4, 1):
        first, second = normal(seed, 2, 5, channels), normal(seed + 1, 2, 5, channels)
        back = arrangement.split(arrangement.merge(first, second))
        assert torch.equal(back[0], first)
        assert torch.equal(back[1], second)
    assert arrangement.audio_first == order.endswith("_av")


@every_block
def test_a_loud_segment_is_found_in_its_own_stream(name):
    """Pushing one audio segment along what the question asks for moves audio weight there, visual weight nowhere."""
    block, (audio, visual, sentence) = make(name), clips(b=1)
    if name == "dual":
        own = block.audio.attention
    else:
        own = block.attention
        own.heads = 1  # the mean of several heads would mix how much each of them listens into the visual weights
        block.audio_lstm = block.visual_lstm = _Through()
    query, key, _ = own.in_proj_weight.split(4)
    asked = torch.nn.functional.linear(sentence[0], query, own.in_proj_bias[:4])
    loud = audio.clone()
    loud[0, 3] += 20 * torch.nn.functional.normalize(asked @ key, dim=0)
    before, after = block(audio, visual, sentence), block(loud, visual, sentence)
    assert after.audio_weights[0, 3] > before.audio_weights[0, 3]
    assert after.audio_weights[0].argmax() == 3
    assert_close(after.visual_weights, before.visual_weights, rtol=0, atol=1e-12)


class _Through(torch.nn.Module):
    """In the place of an LSTM: gives back what it gets."""

    def forward(self, stream):
        return (stream,)


@every_block
@given(seed=SEEDS)
def test_weights_of_each_stream_sum_to_1(name, seed):
    got = make(name)(*clips(seed))
    for weights in (got.audio_weights, got.visual_weights):
        assert (weights >= 0).all()
        assert_close(weights.sum(-1), torch.ones(3).double(), rtol=0, atol=1e-12)


@every_block
@given(seed=SEEDS)
def test_permuting_the_batch_permutes_the_results(name, seed):
    block, parts = make(name), clips(seed, b=4)
    order = torch.randperm(4, generator=torch.Generator().manual_seed(seed))
    for got, expected in zip(block(*(part[order] for part in parts)), block(*parts), strict=True):
        assert_close(got, expected[order], rtol=0, atol=1e-12)


@given(seed=SEEDS)
def test_the_dual_stream_does_not_know_the_order_of_segments(seed):
    block, (audio, visual, sentence) = make("dual"), clips(seed)
    order = torch.randperm(5, generator=torch.Generator().manual_seed(seed))
    before, after = block(audio, visual, sentence), block(audio[:, order], visual[:, order], sentence)
    assert_close(after.context, before.context, rtol=0, atol=1e-12)
    assert_close(after.audio_weights, before.audio_weights[:, order], rtol=0, atol=1e-12)
    assert_close(after.visual_weights, before.visual_weights[:, order], rtol=0, atol=1e-12)


@every_block
@pytest.mark.parametrize("t", [1, 2, 7])
def test_any_number_of_segments_and_any_leading_dimensions(name, t):
    block = make(name)
    for leading in ((), (2,), (2, 3)):
        shapes = ((*leading, t, 4), (*leading, t, 4), (*leading, 4))
        got = block(*(torch.randn(shape, dtype=torch.float64) for shape in shapes))
        assert got.context.shape == (*leading, 4)
        assert got.audio_weights.shape == got.visual_weights.shape == (*leading, t)


@every_block
def test_scores_too_large_for_one_stream_leave_finite_weights_and_gradients(name):
    """Where one stream takes everything, the other's weights are still weights."""
    block = make(name).float()
    audio, visual, sentence = (part.float().requires_grad_() for part in clips())
    got = block(audio * 1e4, visual, sentence * 1e3)
    (got.context.sum() + got.audio_weights.square().sum() + got.visual_weights.square().sum()).backward()
    for value in (*got, audio.grad, visual.grad, sentence.grad):
        assert value.isfinite().all()
    for weights in (got.audio_weights, got.visual_weights):
        assert_close(weights.sum(-1), torch.ones(3), rtol=0, atol=1e-5)


@every_block
def test_gradients_are_those_of_finite_differences(name):
    block = make(name)
    parts = [part.requires_grad_() for part in clips(b=1, t=3)]
    assert torch.autograd.gradcheck(lambda *inputs: tuple(block(*inputs)), parts)


@every_block
def test_dropout_is_at_work_in_training_only(name):
    block, parts = make(name), clips()
    assert torch.equal(block(*parts).context, block(*parts).context)
    block.train()
    assert not torch.equal(block(*parts).context, block(*parts).context)


@every_block
@pytest.mark.parametrize(
    ("audio", "visual", "sentence", "expected"),
    [
        ((3, 5, 4), (3, 6, 4), (3, 4), "visual: expected (*b=(3,), t=5, 4), got (3, 6, 4)"),
        ((3, 5, 4), (2, 5, 4), (3, 4), "visual: expected (*b=(3,), t=5, 4), got (2, 5, 4)"),
        ((3, 5, 4), (3, 5, 4), (1, 4), "sentence: expected (*b=(3,), 4), got (1, 4)"),
        ((3, 5, 8), (3, 5, 4), (3, 4), "audio: expected (*b, t, 4), got (3, 5, 8)"),
        ((4,), (3, 5, 4), (3, 4), "audio: expected (*b, t, 4), got (4,)"),
    ],
)
def test_shapes_that_do_not_fit_are_errors(name, audio, visual, sentence, expected):
    with pytest.raises(ShapeError) as caught:
        BLOCKS[name]()(torch.zeros(audio), torch.zeros(visual), torch.zeros(sentence))
    assert str(caught.value) == expected


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (
            lambda: JointTemporalGrounding(4, 2, order="mixed"),
            "order: expected one of 'interleave_va', 'interleave_av', 'concat_va', 'concat_av', got 'mixed'",
        ),
        (
            lambda: JointTemporalGrounding(5, 1),
            "dim: expected an even number, for the two directions of the LSTMs, got 5",
        ),
        (lambda: JointTemporalGrounding(4, 3), "heads: expected a divisor of dim=4, got 3"),
        (lambda: DualStreamTemporalGrounding(4, 3), "heads: expected a divisor of dim=4, got 3"),
    ],
)
def test_settings_that_do_not_exist_are_errors(call, expected):
    with pytest.raises(ConfigError) as caught:
        call()
    assert str(caught.value) == expected


def test_the_relative_block_sees_what_is_before_the_moment_asked_for():
    """One segment fits the question; the features of both sides are those of that side, the nearer the more."""
    block, c = make("relative"), 4
    with torch.no_grad():
        for keys in (block.audio_keys, block.visual_keys):
            keys.weight.copy_(torch.eye(c))
            keys.bias.zero_()
        block.temperature.log.fill_(-6.0)
        block.log_range.copy_(torch.tensor([0.0, 3.0]))
        block.moments.weight.zero_()
        block.moments.bias.copy_(torch.eye(c)[[2, 2]].flatten())
    stream = torch.eye(c, dtype=torch.float64)[[0, 1, 2, 3, 3]][None]  # it happens in segment 2
    weights = block._around(
        block.moments(normal(0, 1, c)).unflatten(-1, (-1, c)), block.audio_keys(stream), torch.tensor(0.01)
    )
    at, before, after = weights[0].split(2)
    assert_close(at, torch.eye(5)[[2, 2]].double())
    near = torch.exp(-1 / torch.tensor([1.0, math.exp(3)])).double()
    assert_close(before[:, 1] / before[:, 0], 1 / near)
    assert_close(after[:, 3] / after[:, 4], 1 / near)
    assert before[:, 2:].abs().max() < 1e-12
    assert after[:, :3].abs().max() < 1e-12
    assert_close(weights.sum(-1), torch.ones(1, 6).double())


def test_the_relative_block_finds_nothing_before_a_clip():
    """With one segment there is no before and no after, and all stays finite."""
    block = make("relative")
    parts = [part.requires_grad_() for part in clips(t=1)]
    context = block(*parts).context
    context.sum().backward()
    assert context.isfinite().all()
    assert all(part.grad.isfinite().all() for part in parts)


def test_the_relative_block_tells_orders_apart_that_a_set_cannot():
    """Segments in another order: what is pooled before and after the same moment is another."""
    block, (audio, visual, sentence) = make("relative"), clips()
    turned = block(audio.flip(1), visual.flip(1), sentence).context - block(audio, visual, sentence).context
    base = JointTemporalGrounding.forward
    joint = base(block, audio.flip(1), visual.flip(1), sentence).context - base(block, audio, visual, sentence).context
    assert (turned - joint).abs().max() > 1e-3
