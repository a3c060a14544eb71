import pytest
import torch
from hypothesis import given
from torch.testing import assert_close

from avground.blocks import QuestionAttention
from avground.errors import ConfigError, ShapeError
from tests import naive
from tests.strategies import SEEDS, normal


def block_and_twin(dim=8, heads=2):
    """The block, and PyTorch's attention with the same parameters; biases are not zero."""
    torch.manual_seed(0)
    block = QuestionAttention(dim, heads).double().eval()
    with torch.no_grad():
        block.in_proj_bias.normal_()
        block.out_proj.bias.normal_()
    twin = torch.nn.MultiheadAttention(dim, heads, batch_first=True).double().eval()
    twin.load_state_dict(block.state_dict())
    return block, twin


@pytest.mark.parametrize("heads", [1, 2, 4, 8])
def test_equals_the_attention_of_pytorch(heads):
    block, twin = block_and_twin(8, heads)
    question, segments = normal(1, 3, 8), normal(2, 3, 6, 8)
    attended, weights = block(question, segments)
    expected, expected_weights = twin(question[:, None], segments, segments, average_attn_weights=True)
    assert_close(attended, expected[:, 0], rtol=0, atol=1e-12)
    assert_close(weights, expected_weights[:, 0], rtol=0, atol=1e-12)


def test_its_gradients_are_those_of_the_attention_of_pytorch():
    block, twin = block_and_twin()
    question, segments = normal(1, 3, 8), normal(2, 3, 6, 8)
    attended, weights = block(question, segments)
    (attended.square().sum() + weights.square().sum()).backward()
    expected, expected_weights = twin(question[:, None], segments, segments)
    (expected.square().sum() + expected_weights.square().sum()).backward()
    for (name, ours), theirs in zip(block.named_parameters(), twin.parameters(), strict=True):
        assert_close(ours.grad, theirs.grad, rtol=0, atol=1e-12, msg=name)


@pytest.mark.parametrize("heads", [1, 2, 4])
def test_equals_the_equations_head_by_head(heads):
    block, _ = block_and_twin(4, heads)
    question, segments = normal(1, 2, 4), normal(2, 2, 5, 4)
    attended, weights = block(question, segments)
    for i in range(2):
        expected = naive.attention(block, question[i].tolist(), segments[i].tolist())
        for got, values in zip((attended[i], weights[i]), expected, strict=True):
            assert_close(got, torch.tensor(values, dtype=torch.float64), rtol=0, atol=1e-12)


@given(SEEDS)
def test_permuting_the_segments_permutes_the_weights(seed):
    block, _ = block_and_twin()
    question, segments = normal(seed, 2, 8), normal(seed + 1, 2, 6, 8)
    order = torch.randperm(6, generator=torch.Generator().manual_seed(seed))
    attended, weights = block(question, segments)
    shuffled, shuffled_weights = block(question, segments[:, order])
    assert_close(shuffled, attended, rtol=0, atol=1e-12)
    assert_close(shuffled_weights, weights[:, order], rtol=0, atol=1e-12)


def test_the_weights_returned_are_those_before_dropout():
    block, _ = block_and_twin()
    block.dropout.p = 0.9
    question, segments = normal(1, 3, 8), normal(2, 3, 6, 8)
    still, weights = block(question, segments)
    dropped, weights_in_training = block.train()(question, segments)
    assert torch.equal(weights_in_training, weights)
    assert_close(weights.sum(-1), torch.ones(3).double(), rtol=0, atol=1e-12)
    assert not torch.equal(dropped, still)


def test_starts_as_the_attention_of_pytorch_does():
    torch.manual_seed(0)
    block = QuestionAttention(64, 4)
    bound = (6 / (3 * 64 + 64)) ** 0.5  # Xavier's, for the three projections as one matrix
    assert bound * 0.99 < float(block.in_proj_weight.detach().abs().max()) <= bound
    assert not block.in_proj_bias.any()
    assert not block.out_proj.bias.any()


def test_heads_that_do_not_divide_the_width_are_an_error():
    with pytest.raises(ConfigError) as caught:
        QuestionAttention(8, 3)
    assert str(caught.value) == "heads: expected a divisor of dim=8, got 3"


@pytest.mark.parametrize(
    ("question", "segments", "expected"),
    [
        ((3, 8), (3, 6, 4), "segments: expected (*b=(3,), t, 8), got (3, 6, 4)"),
        ((3, 8), (2, 6, 8), "segments: expected (*b=(3,), t, 8), got (2, 6, 8)"),
        ((3, 4), (3, 6, 4), "question: expected (*b, 8), got (3, 4)"),
        ((3, 1, 8), (3, 6, 8), "segments: expected (*b=(3, 1), t, 8), got (3, 6, 8)"),
    ],
)
def test_shapes_that_do_not_fit_are_errors(question, segments, expected):
    with pytest.raises(ShapeError) as caught:
        QuestionAttention(8, 2)(torch.zeros(question), torch.zeros(segments))
    assert str(caught.value) == expected
