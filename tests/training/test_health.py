import math
from itertools import product

import pytest

from avground.models import MODELS
from avground.training import make_model
from avground.training.health import FLAT, Alert, _at_least, answer_alerts, attention_alerts, is_due

SHARP = {
    "time": {"agreement": 0.8, "js_nats": 0.1, "questions": 9},
    "audio": {"entropy": 0.7, "questions": 9},
    "visual": {"entropy": 0.6, "questions": 9},
    "cells": {"entropy": 0.5, "peak_over_uniform": 18.0, "segments": 90},
    "target": {"entropy": 0.4, "questions": 9},
}
TJSTG = {"target": "hard", "normalize": "softmax", "similarity": "dot", "temperature": 1.0}
SHARP_CONFIG = {"target": "soft", "normalize": "sum", "similarity": "cosine", "temperature": "learned"}


def _with(**entropies):
    return {of: {**part, "entropy": entropies[of]} if of in entropies else part for of, part in SHARP.items()}


def _kinds(alerts):
    return [alert.kind for alert in alerts]


def _answers(n, model, prior):
    """Right answers, and those of a model and a prior that are right on the questions given."""
    right = [f"answer {i % 5}" for i in range(n)]
    wrong = [f"answer {(i + 1) % 5}" for i in range(n)]
    return [[right[i] if i in where else wrong[i] for i in range(n)] for where in (model, range(n), prior)]


@pytest.mark.parametrize(("epoch", "epochs", "due"), [(1, 1, True), (1, 2, True), (1, 3, False), (14, 30, False)])
def test_answers_are_looked_at_from_half_of_the_epochs_on(epoch, epochs, due):
    assert is_due(epoch, epochs) is due
    assert is_due(epochs, epochs)


@pytest.mark.parametrize("tosses", range(8))
def test_the_chance_of_so_many_heads_is_counted(tosses):
    for heads in range(tosses + 1):
        throws = [sum(throw) >= heads for throw in product((0, 1), repeat=tosses)]
        assert _at_least(heads, tosses) == sum(throws) / len(throws)


def test_the_chance_is_exact_for_thousands_of_questions():
    assert _at_least(0, 9000) == 1
    assert _at_least(4501, 9001) == 0.5
    normal = 0.5 * math.erfc((4600 - 0.5 - 4500) / math.sqrt(9000 / 4) / math.sqrt(2))
    assert _at_least(4600, 9000) == pytest.approx(normal, rel=1e-3)


def test_a_model_that_answers_as_the_prior_does_is_reported():
    predicted, answers, prior = _answers(100, range(50), range(50))
    (alert,) = answer_alerts(predicted, answers, prior, "validation, epoch 15 of 30")
    assert alert.kind == "answers/prior"
    assert not alert.by_design
    for part in (
        "validation, epoch 15 of 30: 50.00 % are right, and 50.00 %",
        "0 questions",
        "p = 1 ",
        "question_lstm",
    ):
        assert part in alert.text


@pytest.mark.parametrize(("more", "reported"), [(4, True), (5, False)])
def test_better_than_the_prior_means_more_than_a_coin_gives(more, reported):
    """All questions that only one has right are the model's: a coin gives that with 1/16 for 4, and 1/32 for 5."""
    found = answer_alerts(*_answers(100, range(50 + more), range(50)), "test")
    assert _kinds(found) == ["answers/prior"] * reported


def test_pairs_count_and_not_accuracies():
    """60 against 50 of 100 is no difference where the two have mostly different questions right."""
    apart = answer_alerts(*_answers(100, range(40, 100), range(50)), "test")
    assert _kinds(apart) == ["answers/prior"]
    assert "Of the 90 questions that only one of the two has right the model has 50" in apart[0].text
    assert answer_alerts(*_answers(100, range(60), range(50)), "test") == []


def test_a_model_below_the_prior_is_reported_but_none_where_the_prior_is_always_right():
    assert _kinds(answer_alerts(*_answers(100, range(20), range(50)), "test")) == ["answers/prior"]
    assert answer_alerts(*_answers(100, range(100), range(100)), "test") == []


def test_few_answers_are_reported():
    answers = [f"answer {i % 10}" for i in range(100)]
    prior = ["answer 0"] * 100
    for given in (1, 2):
        predicted = [f"answer {i % given}" for i in range(100)]
        found = answer_alerts(predicted, answers, prior, "test")
        assert found[0].kind == "answers/few"
        assert f"test: {given} of 10 answers are given, 'answer 0' to {100 / given:.1f} %" in found[0].text
    assert "answers/few" not in _kinds(answer_alerts([f"answer {i % 3}" for i in range(100)], answers, prior, "test"))


def test_one_answer_is_no_collapse_where_there_is_but_one():
    assert answer_alerts(["yes"] * 9, ["yes"] * 9, ["no"] * 9, "test") == []
    assert _kinds(answer_alerts(["yes"] * 9, ["yes"] * 8 + ["no"], ["yes"] * 9, "test"))[0] == "answers/few"


def test_weights_that_weigh_are_not_reported():
    assert attention_alerts(SHARP, SHARP_CONFIG) == []
    assert attention_alerts({}, SHARP_CONFIG) == []
    assert attention_alerts(_with(cells=FLAT - 1e-9, audio=FLAT - 1e-9), TJSTG) == []


def test_flat_cells_of_the_paper_are_so_by_construction_and_of_others_they_are_not():
    (alert,) = attention_alerts(_with(cells=0.9999), TJSTG)
    assert (alert.kind, alert.by_design) == ("attention/cells", True)
    for part in ("0.9999", "18.00 x uniform", "by construction", "--model tjstg_sharp", "docs/account.md"):
        assert part in alert.text
    (other,) = attention_alerts(_with(cells=0.9999), SHARP_CONFIG)
    assert (other.kind, other.by_design) == ("attention/cells", False)
    assert "construction" not in other.text


@pytest.mark.parametrize(
    ("changes", "by_design"),
    [
        ({}, True),
        ({"target": None}, False),  # one softmax of dot products can be sharp
        ({"target": None, "similarity": "cosine"}, True),
        ({"target": None, "similarity": "cosine", "temperature": 0.1}, False),
        ({"target": None, "similarity": "cosine", "temperature": "learned"}, False),
        ({"normalize": "sum"}, False),
    ],
)
def test_what_cannot_be_sharp_follows_from_the_settings(changes, by_design):
    (alert,) = attention_alerts(_with(cells=1 - 1e-6), {**TJSTG, **changes})
    assert alert.by_design == by_design


@pytest.mark.parametrize("name", MODELS)
def test_every_models_settings_can_be_read(make_run, splits, name):
    without = {"stage_one_epochs": 0} if name in ("avsd", "pano_avqa", "question_lstm") else {}
    model = make_model(make_run(model=name, **without), splits)
    (alert,) = attention_alerts(_with(cells=1 - 1e-6), vars(model.config))
    assert alert.by_design == (name in ("tjstg", "avst", "tjstg_released"))


def test_exactly_uniform_weights_are_by_design():
    found = attention_alerts(_with(cells=1.0, audio=1.0, visual=1.0), {})
    assert _kinds(found) == ["attention/cells", "attention/time"]
    assert all(alert.by_design for alert in found)
    assert "exactly uniform" in found[0].text
    assert "exactly uniform" in found[1].text


def test_flat_streams_are_named_and_their_agreement_is_trivial():
    (one,) = attention_alerts(_with(audio=0.995), TJSTG)
    assert (one.kind, one.by_design) == ("attention/time", False)
    assert "audio 0.9950)" in one.text
    assert "--synchrony" in one.text
    both = {**_with(audio=0.995, visual=0.992), "time": {"agreement": 1.0, "js_nats": 0.0, "questions": 9}}
    time, agreement = attention_alerts(both, TJSTG)
    assert "audio 0.9950, visual 0.9920" in time.text
    assert (agreement.kind, agreement.by_design) == ("attention/agreement", False)
    assert "says nothing about grounding" in agreement.text
    sharp = {**SHARP, "time": {"agreement": 1.0, "js_nats": 0.0, "questions": 9}}
    assert attention_alerts(sharp, TJSTG) == []


def test_a_flat_target_is_reported():
    (alert,) = attention_alerts(_with(target=0.995), TJSTG)
    assert (alert.kind, alert.by_design) == ("attention/target", False)
    (alert,) = attention_alerts(_with(target=1.0), {**TJSTG, "target": "mean"})
    assert alert.by_design


def test_what_is_not_finite_comes_first():
    (alert,) = attention_alerts(_with(cells=1.0, audio=float("nan")), TJSTG)
    assert alert.kind == "attention/not_finite"
    assert "audio entropy" in alert.text


def test_a_text_is_one_line():
    assert Alert("a", "b") == Alert("a", "b", by_design=False)
    found = [
        *attention_alerts(_with(cells=1.0, audio=1.0, visual=1.0, target=1.0), TJSTG),
        *answer_alerts(["yes"] * 9, ["yes"] * 8 + ["no"], ["yes"] * 9, "test"),
    ]
    assert len(found) == 5
    for alert in found:
        assert "\n" not in alert.text
        assert "  " not in alert.text


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("hard", "the word that is picked stands out by next to nothing"),
        ("soft", "asked for is the mean of all"),
        ("mean", "by"),
    ],
)
def test_flat_weights_of_words_mean_something_else_where_one_word_is_picked(target, said):
    (alert,) = attention_alerts({"target": {"entropy": 0.995, "questions": 9}}, {"target": target})
    assert said in alert.text
    assert alert.by_design == (target == "mean")
