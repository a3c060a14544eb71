import itertools

import pytest
import torch
from hypothesis import given
from torch.testing import assert_close

from avground.blocks import MaxTarget, MeanTarget, NoTarget, SentenceTarget, TargetAware
from avground.errors import ConfigError, ShapeError
from tests import naive
from tests.strategies import SEEDS, normal

SELECTIONS = ("hard", "straight_through", "soft")
ALL = {
    **{name: lambda name=name: TargetAware(name) for name in SELECTIONS},
    "mean": MeanTarget,
    "max": MaxTarget,
    "sentence": SentenceTarget,
    "none": NoTarget,
}
LENGTHS = (5, 3, 1, 4)
every_block = pytest.mark.parametrize("name", ALL)


def asked(seed=1, n=5, c=4):
    """Word features with nonsense at the padding, sentence features and the mask."""
    mask = torch.arange(n) < torch.tensor(LENGTHS)[:, None]
    words = normal(seed, 4, n, c)
    return torch.where(mask[..., None], words, 100 * words.abs()), normal(seed + 1, 4, c), mask


def real_words(words):
    """The words of each question, without padding."""
    return [row.tolist()[:length] for row, length in zip(words, LENGTHS, strict=True)]


def assert_rows(got, expected):
    n = got.shape[-1]
    rows = [row + [0.0] * (n - len(row)) for row in expected]
    assert_close(got, torch.tensor(rows, dtype=torch.float64), rtol=0, atol=1e-12)


# ---- the equations -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("selection", SELECTIONS)
def test_the_weights_and_the_word_picked_equal_the_equations(selection):
    words, sentence, mask = asked()
    feature, weights = TargetAware(selection)(words, sentence, mask)
    expected = [naive.target(row, asking) for row, asking in zip(real_words(words), sentence.tolist(), strict=True)]
    assert_rows(weights, [scores for scores, _ in expected])
    if selection == "soft":
        picked = [
            [naive.dot(scores, column) for column in zip(*row, strict=True)]
            for (scores, _), row in zip(expected, real_words(words), strict=True)
        ]
    else:
        picked = [word for _, word in expected]
    assert_rows(feature, picked)


def test_hard_selection_takes_a_word_as_it_is():
    words, sentence, mask = asked()
    feature, weights = TargetAware()(words, sentence, mask)
    assert torch.equal(feature, words[torch.arange(4), weights.argmax(-1)])


def test_mean_and_max_leave_padding_out():
    words, sentence, mask = asked()
    feature, weights = MeanTarget()(words, sentence, mask)
    assert_rows(feature, [naive.mean(row) for row in real_words(words)])
    assert_rows(weights, [[1 / length] * length for length in LENGTHS])
    feature, weights = MaxTarget()(words, sentence, mask)
    assert_rows(feature, [[max(column) for column in zip(*row, strict=True)] for row in real_words(words)])
    won = [[column.index(max(column)) for column in map(list, zip(*row, strict=True))] for row in real_words(words)]
    assert_rows(
        weights, [[winners.count(n) / 4 for n in range(length)] for winners, length in zip(won, LENGTHS, strict=True)]
    )


def test_the_maximum_of_negative_features_is_negative():
    words, sentence, mask = asked()
    negative = torch.where(mask[..., None], -words.abs() - 1, 0.0)
    assert (MaxTarget()(negative, sentence, mask).feature <= -1).all()


def test_sentence_and_none_choose_no_word():
    words, sentence, mask = asked()
    feature, weights = SentenceTarget()(words, sentence, mask)
    assert torch.equal(feature, sentence)
    assert not weights.any()
    feature, weights = NoTarget()(words, sentence, mask)
    assert not feature.any()
    assert feature.shape == sentence.shape
    assert not weights.any()


# ---- what they share -----------------------------------------------------------------------------------------------


@every_block
def test_no_mask_means_that_all_words_are_real(name):
    words, sentence, _ = asked()
    everything = torch.ones(4, 5, dtype=torch.bool)
    for got, expected in zip(ALL[name]()(words, sentence), ALL[name]()(words, sentence, everything), strict=True):
        assert torch.equal(got, expected)


@every_block
def test_what_stands_at_the_padding_does_not_matter(name):
    words, sentence, mask = asked()
    for filling in (0.0, 1e6, -1e6):
        filled = words.masked_fill(~mask[..., None], filling)
        for got, expected in zip(ALL[name]()(filled, sentence, mask), ALL[name]()(words, sentence, mask), strict=True):
            assert_close(got, expected, rtol=0, atol=1e-12)


@every_block
def test_a_question_without_words_has_no_target_and_finite_gradients(name):
    words, sentence, mask = asked()
    words, sentence = words.requires_grad_(), sentence.requires_grad_()
    mask = mask & torch.tensor([[True], [False], [True], [True]])
    feature, weights = ALL[name]()(words, sentence, mask)
    assert not weights[1].any()
    if name != "sentence":
        assert not feature[1].any()
    assert feature.isfinite().all()
    if feature.requires_grad:
        (feature.square().sum() + weights.square().sum()).backward()
        assert all(part.grad is None or part.grad.isfinite().all() for part in (words, sentence))


@every_block
@given(seed=SEEDS)
def test_the_order_of_the_words_does_not_matter(name, seed):
    words, sentence = normal(seed, 2, 6, 4), normal(seed + 1, 2, 4)
    order = torch.randperm(6, generator=torch.Generator().manual_seed(seed))
    before, after = ALL[name]()(words, sentence), ALL[name]()(words[:, order], sentence)
    assert_close(after.feature, before.feature, rtol=0, atol=1e-12)
    assert_close(after.weights, before.weights[:, order], rtol=0, atol=1e-12)


@every_block
@given(seed=SEEDS)
def test_permuting_the_batch_permutes_the_results(name, seed):
    parts = asked(seed)
    order = torch.randperm(4, generator=torch.Generator().manual_seed(seed))
    for got, expected in zip(ALL[name]()(*(part[order] for part in parts)), ALL[name]()(*parts), strict=True):
        assert_close(got, expected[order], rtol=0, atol=1e-12)


@every_block
def test_they_have_no_parameters(name):
    assert not list(ALL[name]().parameters())


# ---- gradients -----------------------------------------------------------------------------------------------------


def gradients(selection):
    words, sentence, mask = asked()
    words, sentence = words.requires_grad_(), sentence.requires_grad_()
    TargetAware(selection)(words, sentence, mask).feature.sum().backward()
    return words.grad, sentence.grad


def test_hard_selection_gives_a_gradient_to_the_word_picked_only():
    words, sentence, mask = asked()
    picked = TargetAware()(words, sentence, mask).weights.argmax(-1)
    from_words, from_sentence = gradients("hard")
    assert torch.equal(from_words, torch.nn.functional.one_hot(picked, 5)[..., None].expand(-1, -1, 4).double())
    assert from_sentence is None or not from_sentence.any()


def test_straight_through_takes_the_word_of_hard_and_the_choice_of_soft():
    words, sentence, mask = asked()
    assert_close(
        TargetAware("straight_through")(words, sentence, mask).feature,
        TargetAware("hard")(words, sentence, mask).feature,
        rtol=0,
        atol=1e-12,
    )
    assert_close(gradients("straight_through")[1], gradients("soft")[1], rtol=0, atol=1e-12)
    assert gradients("soft")[1][0].all()


@pytest.mark.parametrize("selection", SELECTIONS)
def test_the_weights_can_be_trained_whatever_the_selection(selection):
    words, sentence, mask = asked()
    sentence.requires_grad_()
    TargetAware(selection)(words, sentence, mask).weights.square().sum().backward()
    assert sentence.grad[0].all()


def test_gradients_are_those_of_finite_differences():
    words, sentence, mask = asked()
    parts = (torch.where(mask[..., None], words, 0.0).requires_grad_(), sentence.requires_grad_())
    for block in (TargetAware("soft"), TargetAware("hard"), MeanTarget(), MaxTarget()):
        assert torch.autograd.gradcheck(
            lambda words, sentence, block=block: block(words, sentence, mask).feature, parts
        )


# ---- errors --------------------------------------------------------------------------------------------------------


@every_block
@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        (((4, 5, 3), (4, 4), (4, 5)), "sentence: expected (*b=(4,), c=3), got (4, 4)"),
        (((4, 5, 4), (1, 4), (4, 5)), "sentence: expected (*b=(4,), c=4), got (1, 4)"),
        (((4, 5, 4), (4, 4), (4, 6)), "mask: expected (*b=(4,), n=5), got (4, 6)"),
        (((4, 5, 4), (4, 4), (5,)), "mask: expected (*b=(4,), n=5), got (5,)"),
        (((4,), (4, 4), None), "words: expected (*b, n, c), got (4,)"),
    ],
)
def test_shapes_that_do_not_fit_are_errors(name, sizes, expected):
    words, sentence, mask = sizes
    with pytest.raises(ShapeError) as caught:
        ALL[name]()(torch.zeros(words), torch.zeros(sentence), mask and torch.ones(mask, dtype=torch.bool))
    assert str(caught.value) == expected


def test_a_selection_that_does_not_exist_is_an_error():
    with pytest.raises(ConfigError) as caught:
        TargetAware("argmax")
    assert str(caught.value) == "selection: expected one of 'hard', 'straight_through', 'soft', got 'argmax'"


def test_half_precision_keeps_the_weights_in_float32():
    words, sentence, mask = asked()
    for selection, dtype in itertools.product(SELECTIONS, (torch.bfloat16, torch.float16)):
        feature, weights = TargetAware(selection)(words.to(dtype), sentence.to(dtype), mask)
        assert feature.dtype == dtype
        assert weights.dtype == torch.float32
        assert_close(weights.sum(-1), torch.ones(4), rtol=0, atol=1e-6)
