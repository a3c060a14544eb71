"""Whole models are one graph to the compiler: a training step's forward, stage I's, and answering."""

import pytest
import torch
from torch import _dynamo as dynamo

from avground.models import MODELS, UNMATCHED
from avground.training import Objective

from .clips import make, sample

every_model = pytest.mark.parametrize("name", MODELS)


@pytest.fixture(autouse=True)
def _recurrent_layers_allowed():
    """Recurrent layers are an opt-in of the compiler."""
    dynamo.reset()
    with dynamo.config.patch(allow_rnn=True):
        yield
    dynamo.reset()


def breaks(function, *inputs):
    """How many graphs the compiler makes of a call, and where it breaks."""
    found = dynamo.explain(function)(*inputs)
    return found.graph_count, [reason.reason for reason in found.break_reasons]


@every_model
def test_answering_is_one_graph(name):
    model = make(name)
    audio, visual, question, _ = sample()
    with torch.no_grad():
        assert breaks(model, audio, visual, question) == (1, [])


@every_model
def test_the_forward_of_a_training_step_is_one_graph(name):
    """Model and objective together, as a step of stage II has them."""
    model = make(name).train()
    audio, visual, question, negative = sample()
    objective = Objective(synchrony=1.0, matching=0.0 if name in UNMATCHED else 0.5)
    given = (audio, visual, question) if name in UNMATCHED else (audio, visual, question, negative)
    answer = torch.tensor([0, 1, 2])

    assert objective.parts  # made once, as training does before its first step

    def step(*inputs):
        return objective(model(*inputs), answer)["total"]

    assert breaks(step, *given) == (1, [])


@pytest.mark.parametrize("name", sorted(set(MODELS) - UNMATCHED))
def test_the_forward_of_stage_one_is_one_graph(name):
    audio, visual, _, negative = sample()
    assert breaks(make(name).train().pair, audio, visual, negative) == (1, [])


def test_a_break_is_counted():
    """So that the others can fail."""

    def broken(x):
        x = x + 1
        dynamo.graph_break()
        return x + 1

    graphs, reasons = breaks(broken, torch.ones(2))
    assert graphs == 2
    assert len(reasons) == 1
