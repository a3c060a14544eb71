"""The comparison of a model with what was exported sees what differs, and excuses only what must be."""

import pytest
import torch

from avground.errors import ConfigError
from avground.export.check import check_same, has_hard_choice
from avground.models import MODELS

from .models import SIZES


def inputs(seed, clips, **_):
    return (torch.full((clips,), float(seed)),)


def wrong_for(seeds):
    """Something exported that is wrong for the inputs of some seeds."""
    return lambda x: (x + 1 if int(x[0]) in seeds else x.clone(),)


def check(exported, hard_choice):
    check_same("it", lambda x: (x,), exported, inputs, None, hard_choice)


@pytest.mark.parametrize("wrong", [lambda x: x[:1], lambda x: x.double(), lambda x: x * float("nan"), lambda x: x + 1])
@pytest.mark.parametrize("hard_choice", [False, True])
def test_shapes_types_nan_and_numbers(wrong, hard_choice):
    check(lambda x: (x.clone(),), hard_choice)
    with pytest.raises(ConfigError, match="it: expected what the model returns for clips="):
        check(lambda x: (wrong(x),), hard_choice)
    with pytest.raises(ConfigError, match=r"got 2 outputs \(0 of 2 inputs agree\)"):
        check(lambda x: (x, x), hard_choice)


@pytest.mark.parametrize("seed", [1, 2])
def test_one_input_may_differ_only_where_there_is_a_hard_choice(seed):
    with pytest.raises(ConfigError, match=r"output 0 that differs by .* \(1 of 2 inputs agree\)"):
        check(wrong_for([seed]), hard_choice=False)
    check(wrong_for([seed]), hard_choice=True)
    with pytest.raises(ConfigError, match=r"\(1 of 3 inputs agree\)"):
        check(wrong_for([seed, 3]), hard_choice=True)


@pytest.mark.parametrize(
    ("name", "changes", "hard"),
    [
        ("tjstg", {}, True),
        ("tjstg", {"target": "straight_through", "threshold": 0.0}, True),
        ("tjstg", {"target": "max", "threshold": 0.0}, True),
        ("tjstg", {"target": "soft"}, True),  # its threshold
        ("tjstg", {"target": "soft", "threshold": 0.0}, False),
        ("tjstg", {"target": "mean", "threshold": 0.0}, False),
        ("tjstg", {"target": None}, False),
        ("tjstg_released", {}, True),
        ("avst", {}, False),
        ("avst", {"target": "hard"}, True),
        ("avsd", {}, False),
        ("pano_avqa", {}, False),
        ("question_lstm", {}, False),
    ],
)
def test_which_models_choose(name, changes, hard):
    assert has_hard_choice(MODELS[name](**SIZES, **changes).config) is hard
