"""Inputs and settings at the edge: nothing at all, half precision, and values that are no values."""

import pytest
import torch

import avground
from avground.models import MODELS, UNMATCHED, ModelConfig
from avground.ops import kl_divergence, normalize_weights, spatial_grounding

SIZES = {"vocabulary_size": 12, "answers": 5, "audio_dim": 3, "visual_dim": 6, "dim": 16}


@pytest.mark.parametrize("name", MODELS)
def test_a_model_takes_no_clips_at_all(name):
    model = MODELS[name](**SIZES).eval()
    audio, visual = torch.randn(0, 5, 3), torch.rand(0, 5, 6, 2, 2)
    out = model(audio, visual, torch.ones(0, 4, dtype=torch.int64), visual)
    assert out.answer_logits.shape == (0, 5)
    assert name in UNMATCHED or out.match_logits.shape == (2, 0, 5, 2)


@pytest.mark.parametrize("name", ["tjstg_sharp", "avst"])
def test_zero_cells_in_float16_give_answers(name):
    model = MODELS[name](**SIZES).half().eval()
    visual = torch.rand(2, 5, 6, 2, 2).half()
    visual[:, :, :, 0, 0] = 0
    out = model(torch.randn(2, 5, 3).half(), visual, torch.ones(2, 4, dtype=torch.int64))
    assert out.answer_logits.isfinite().all()


def test_wide_features_do_not_overflow_float16():
    audio, visual = torch.full((512,), 20.0).half(), torch.full((512, 2, 2), 20.0).half()
    assert spatial_grounding(audio, visual, audio).weights.isfinite().all()


def test_the_divergence_of_nearly_nothing_has_a_finite_gradient():
    q = torch.tensor([1e-20, 1.0], requires_grad=True)
    kl_divergence(torch.tensor([1.0, 0.0]), q).backward()
    assert q.grad.isfinite().all()


def test_rows_whose_sum_overflows_are_normalized():
    torch.testing.assert_close(normalize_weights(torch.tensor([3e38, 3e38])), torch.tensor([0.5, 0.5]))


def test_matching_loss_of_half_precision_logits_is_float32():
    assert avground.PairMatchingLoss()(torch.randn(2, 3, 2).bfloat16()).dtype == torch.float32


def test_weights_are_float32_for_half_precision_words():
    words, sentence = torch.randn(2, 5, 300).bfloat16(), torch.randn(2, 300).bfloat16()
    for block in (avground.TargetAware(), avground.MeanTarget(), avground.MaxTarget(), avground.NoTarget()):
        assert block(words, sentence).weights.dtype == torch.float32
    total = avground.MaxTarget()(words, sentence).weights.sum(-1)
    torch.testing.assert_close(total, torch.ones(2))


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"target": None, "combine": "bogus"}, "combine: expected one of 'product', 'sum', got 'bogus'"),
        ({"stream": "dual", "order": "bogus"}, "order: expected one of"),
        ({"temperature": float("inf")}, "temperature: expected a number above 0, got inf"),
        ({"temperature": "bogus"}, "temperature: expected a number above 0, got 'bogus'"),
        ({"threshold": "x"}, "threshold: expected a number that is at least 0, got 'x'"),
        ({"dropout": 2.0}, "dropout: expected a number that is at least 0 and below 1, got 2.0"),
        ({"heads": True}, "heads: expected a whole number of at least 1, got True"),
        ({"answer_activation": "relu"}, "answer_activation: expected one of"),
    ],
)
def test_settings_are_checked_before_anything_is_built(setting, message):
    with pytest.raises(avground.ConfigError) as caught:
        ModelConfig(**setting)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: avground.JointTemporalGrounding(8, 0), "heads: expected a whole number of at least 1, got 0"),
        (lambda: avground.QuestionEncoder(0, 4), "vocabulary_size: expected a whole number of at least 1, got 0"),
        (lambda: avground.MatchHead(2), "dim: expected a whole number of at least 4, got 2"),
        (lambda: spatial_grounding(torch.rand(2), torch.rand(2, 3, 3), temperature=0.0), "temperature: expected"),
        (lambda: spatial_grounding(torch.rand(2), torch.rand(2, 3, 3), threshold=-1.0), "threshold: expected"),
    ],
)
def test_blocks_and_operations_check_theirs(make, message):
    with pytest.raises(avground.ConfigError) as caught:
        make()
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: avground.QuestionEncoder(9, 4)(torch.ones(2, 0, dtype=torch.int64)), "question: expected"),
        (
            lambda: avground.TargetAware()(torch.rand(2, 3, 4), torch.rand(2, 4), torch.ones(2, 3)),
            "mask: expected bool, True at real words, got torch.float32",
        ),
        (
            lambda: spatial_grounding(torch.rand(2), torch.rand(2, 3, 3), temperature=torch.ones(3)),
            "temperature: expected (2), got (3,)",
        ),
    ],
)
def test_shapes_and_dtypes_are_checked(call, message):
    with pytest.raises(avground.ShapeError) as caught:
        call()
    assert str(caught.value).startswith(message)
