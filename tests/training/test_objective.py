import math

import pytest
import torch
from torch.nn.functional import cross_entropy

from avground.errors import ConfigError
from avground.models import Grounded
from avground.training import Objective, objective
from tests import naive

B, T, ANSWERS = 3, 4, 5


@pytest.fixture
def out():
    double = {"dtype": torch.float64}
    weights = torch.rand(2, B, T, **double).softmax(-1)
    cells, words = torch.rand(B, T, 2, 2, **double), torch.rand(B, 6, **double)
    match = torch.randn(2, B, T, 2, **double)
    return Grounded(torch.randn(B, ANSWERS, **double), *weights, cells, words, match)


@pytest.fixture
def answers():
    return torch.tensor([4, 0, 2])


def test_the_total_is_the_weighted_sum_of_its_parts(out, answers):
    losses = Objective(synchrony=2.0, matching=0.25)(out, answers)
    answer = sum(
        naive.cross_entropy(row, right) for row, right in zip(out.answer_logits.tolist(), [4, 0, 2], strict=True)
    )
    synchrony = sum(
        naive.js(*rows) for rows in zip(out.audio_weights.tolist(), out.visual_weights.tolist(), strict=True)
    )
    labelled = [(row, 1 - sign) for sign in (0, 1) for clip in out.match_logits[sign].tolist() for row in clip]
    matching = sum(naive.cross_entropy(row, label) for row, label in labelled)
    expected = {"answer": answer / B, "synchrony": synchrony / B, "matching": matching / (2 * B * T)}
    for name, value in expected.items():
        assert losses[name].item() == pytest.approx(value, abs=1e-12)
    total = expected["answer"] + 2 * expected["synchrony"] + 0.25 * expected["matching"]
    assert losses["total"].item() == pytest.approx(total, abs=1e-12)


def test_the_defaults_are_the_papers():
    assert (Objective().synchrony, Objective().matching) == (1.0, 0.5)


@pytest.mark.parametrize(("name", "builder"), [("synchrony", "_synchrony"), ("matching", "_matching")])
def test_a_part_of_weight_zero_is_never_built(out, answers, monkeypatch, name, builder):
    monkeypatch.setattr(objective, builder, lambda: pytest.fail("built"))
    weighed = Objective(**{name: 0.0})
    losses = weighed(out, answers)
    assert name not in losses
    assert set(losses) == {"total", "answer", "synchrony", "matching"} - {name}
    assert weighed.needs_negatives == (name != "matching")


def test_only_the_answer_loss_is_left_without_weights(out, answers):
    losses = Objective(synchrony=0, matching=0)(out, answers)
    assert losses["total"] is losses["answer"]
    assert torch.equal(losses["total"], cross_entropy(out.answer_logits, answers))


def test_matching_without_negatives_is_an_error(out, answers):
    with pytest.raises(ConfigError, match="no negatives"):
        Objective()(out._replace(match_logits=None), answers)


@pytest.mark.parametrize("weight", [-1.0, math.nan, math.inf])
def test_a_weight_is_finite_and_not_negative(weight):
    with pytest.raises(ConfigError, match=r"objective\.synchrony"):
        Objective(synchrony=weight)
