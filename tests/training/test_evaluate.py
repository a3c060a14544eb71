import math

import pytest
import torch
from torch import nn

from avground.errors import ConfigError, DataError
from avground.models import Grounded
from avground.training import evaluate, make_model
from avground.training.attention import AttentionMetric
from avground.training.evaluate import shuffle_videos


@pytest.fixture
def model(make_run, splits):
    return make_model(make_run(), splits)


@pytest.fixture
def test_set(splits):
    return splits.dataset("test")


def test_every_question_is_answered_once_whatever_the_batches(model, test_set):
    batch = test_set.__getitems__(range(len(test_set)))
    logits = model.eval()(batch.audio, batch.visual, batch.question).answer_logits
    expected = tuple(test_set.vocabulary.answers[number] for number in logits.argmax(-1).tolist())
    for size in (1, 4, 100):
        found = evaluate(model, test_set, batch_size=size)
        assert found.predicted == expected
        assert found.count["All"] == len(test_set)
    right = [guess == record.answer for guess, record in zip(expected, test_set.records, strict=True)]
    assert found.all == pytest.approx(sum(right) / len(right))


@pytest.mark.parametrize("training", [True, False])
def test_the_model_stays_in_its_mode_and_takes_no_gradient(model, test_set, training):
    model.train(training)
    first, second = evaluate(model, test_set), evaluate(model, test_set)
    assert first == second  # No dropout.
    assert model.training == training
    assert all(parameter.grad is None for parameter in model.parameters())


def test_processes_that_read_change_nothing(model, test_set):
    assert evaluate(model, test_set, workers=1, batch_size=8) == evaluate(model, test_set, batch_size=8)


def test_attention_is_measured_in_every_evaluation_whatever_the_batches(model, splits, test_set):
    batch = test_set.__getitems__(range(len(test_set)))
    metric = AttentionMetric()
    metric.update(model.eval()(batch.audio, batch.visual, batch.question), (batch.question != 0).sum(-1))
    expected = metric.compute()
    assert list(expected) == ["time", "audio", "visual", "cells", "target"]
    for options in ({}, {"batch_size": 4}, {"truth": splits.truth}):
        found = evaluate(model, test_set, **options).attention
        assert found.keys() == expected.keys()
        for of, measures in expected.items():
            assert found[of] == pytest.approx(measures, rel=1e-5)
    assert evaluate(model, test_set, shuffle="audio").attention["audio"] != expected["audio"]


def test_weights_that_are_not_finite_do_not_stop_an_evaluation(model, test_set):
    model.register_forward_hook(lambda *args: args[-1]._replace(audio_weights=args[-1].audio_weights * float("nan")))
    found = evaluate(model, test_set).attention
    assert math.isnan(found["time"]["agreement"])
    assert math.isfinite(found["cells"]["entropy"])


def test_batches_can_be_shown(model, test_set):
    seen = []

    def show(batches, total):
        for batch in batches:
            seen.append(total)
            yield batch

    evaluate(model, test_set, batch_size=5, show=show)
    assert seen == [len(seen)] * len(seen) == [-(-len(test_set) // 5)] * len(seen)


@pytest.mark.parametrize("what", ["audio", "visual"])
def test_shuffling_gives_every_video_another_one(splits, what):
    records = splits.records["test"]
    shuffled = shuffle_videos(records, what, seed=3)
    kept, changed = ("audio_id", "video_id") if what == "visual" else ("video_id", "audio_id")
    partner = {}
    for old, new in zip(records, shuffled, strict=True):
        assert (new.words, new.answer, new.question_id, new.type) == (old.words, old.answer, old.question_id, old.type)
        assert getattr(new, kept) == old.video_id
        assert getattr(new, changed) != old.video_id
        assert partner.setdefault(old.video_id, getattr(new, changed)) == getattr(new, changed)
    assert sorted(partner.values()) == sorted(partner)
    assert shuffle_videos(records, what, seed=3) == shuffled
    assert shuffle_videos(records, what, seed=4) != shuffled


def test_a_shuffle_needs_another_video(splits):
    with pytest.raises(DataError, match="at least 2 videos to shuffle, got 1"):
        shuffle_videos(splits.records["test"][:1], "audio")


class _Reader(nn.Module):
    """Answers with the sign of a sum, so that its answers depend on one input alone."""

    def __init__(self, choices, what):
        super().__init__()
        self.choices, self.what = choices, what

    def forward(self, audio, visual, question):
        read = (audio if self.what == "audio" else visual).flatten(1).sum(1)
        numbers = (read * 1e4).long().remainder(self.choices)
        logits = nn.functional.one_hot(numbers, self.choices).float()
        b, t, _, h, w = visual.shape
        segments = torch.ones(b, t)
        return Grounded(logits, segments, segments, torch.ones(b, t, h, w), torch.zeros(question.shape), None)


@pytest.mark.parametrize("what", ["audio", "visual"])
def test_only_what_is_shuffled_changes(test_set, what):
    other = "visual" if what == "audio" else "audio"
    choices = len(test_set.vocabulary.answers)
    plain, reader = evaluate(_Reader(choices, what), test_set), _Reader(choices, what)
    assert evaluate(reader, test_set, shuffle=other) == plain
    assert evaluate(reader, test_set, shuffle=what).predicted != plain.predicted


def test_grounding_is_measured_where_the_truth_is_known(model, splits, test_set):
    found = evaluate(model, test_set, truth=splits.truth).grounding
    assert 0 <= found["pointing"]["accuracy"] <= 1
    assert found["pointing"]["peak_over_uniform"] >= 1 - 1e-6
    assert found["temporal_overlap"]["questions"] <= len(test_set)
    assert evaluate(model, test_set).grounding == {}


def test_wrong_requests_are_named(model, splits, test_set):
    with pytest.raises(ConfigError, match=r"shuffle.*'audio', 'visual', got 'video'"):
        evaluate(model, test_set, shuffle="video")
    with pytest.raises(ConfigError, match="truth: expected None together with shuffle"):
        evaluate(model, test_set, shuffle="audio", truth=splits.truth)
