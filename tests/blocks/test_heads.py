import pytest
import torch
from torch.testing import assert_close

from avground.blocks import AnswerHead, MatchHead
from avground.errors import ConfigError, ShapeError
from tests import naive
from tests.strategies import normal


@pytest.mark.parametrize("activation", ["none", "tanh"])
def test_the_answer_equals_the_equation_row_by_row(activation):
    head, context, sentence = AnswerHead(4, 7, activation=activation).double(), normal(1, 3, 4), normal(2, 3, 4)
    expected = []
    for found, asked in zip(context.tolist(), sentence.tolist(), strict=True):
        joined = naive.multiply(found, asked)
        expected.append(naive.linear(head.classify, naive.tanh(joined) if activation == "tanh" else joined))
    assert_close(head(context, sentence), torch.tensor(expected, dtype=torch.float64), rtol=0, atol=1e-12)


def test_the_match_equals_the_equation_row_by_row():
    head, audio, visual = MatchHead(8).double(), normal(1, 2, 5, 8), normal(2, 2, 5, 8)
    expected = [
        [naive.match(head, heard, seen) for heard, seen in zip(*clip, strict=True)]
        for clip in zip(audio.tolist(), visual.tolist(), strict=True)
    ]
    assert_close(head(audio, visual), torch.tensor(expected, dtype=torch.float64), rtol=0, atol=1e-12)


def test_the_match_narrows_to_a_half_a_quarter_and_two():
    shapes = [tuple(layer.weight.shape) for layer in MatchHead(512).mlp if hasattr(layer, "weight")]
    assert shapes == [(512, 1024), (256, 512), (128, 256), (2, 128)]
    assert MatchHead(4)(torch.zeros(1, 4), torch.zeros(1, 4)).shape == (1, 2)


@pytest.mark.parametrize(
    ("head", "first", "second", "expected"),
    [
        (AnswerHead(8), (3, 8), (1, 8), "sentence: expected (*b=(3,), 8), got (1, 8)"),
        (AnswerHead(8), (3, 8), (3, 4), "sentence: expected (*b=(3,), 8), got (3, 4)"),
        (AnswerHead(8), (3, 4), (3, 4), "context: expected (*b, 8), got (3, 4)"),
        (MatchHead(8), (3, 5, 8), (3, 8), "visual: expected (*b=(3, 5), 8), got (3, 8)"),
        (MatchHead(8), (3, 5, 4), (3, 5, 8), "audio: expected (*b, 8), got (3, 5, 4)"),
    ],
)
def test_shapes_that_do_not_fit_are_errors(head, first, second, expected):
    with pytest.raises(ShapeError) as caught:
        head(torch.zeros(first), torch.zeros(second))
    assert str(caught.value) == expected


def test_an_activation_that_does_not_exist_is_an_error():
    with pytest.raises(ConfigError) as caught:
        AnswerHead(8, activation="relu")
    assert str(caught.value) == "activation: expected one of 'none', 'tanh', got 'relu'"
