from types import SimpleNamespace

import pytest
import torch
from lightning.fabric import Fabric
from lightning.fabric.plugins import MixedPrecision

from avground.training.steps import Steps
from avground.training.tally import Tally


class Samples:
    def __init__(self, values):
        self.values = values

    def make(self):
        return self.values


@pytest.fixture
def scaled():
    """Steps of one layer in half precision on the CPU, where the models' LSTMs have none."""

    def make():
        torch.manual_seed(0)
        scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
        fabric = Fabric(accelerator="cpu", plugins=[MixedPrecision("16-mixed", "cpu", scaler)])
        model = torch.nn.Linear(3, 1)
        optimizer = fabric.setup_optimizers(torch.optim.Adam(model.parameters(), lr=0.1, fused=True))
        stage = SimpleNamespace(
            parts=("total", "answer"),
            losses=lambda model, values: {"answer": model(values).float().square().mean()},
            total=lambda losses: losses["answer"],
        )
        run, tally = SimpleNamespace(precision="16-mixed", graph="off", batch_size=2), Tally(fabric.device)
        return model, tally, scaler, Steps(run, stage, model, fabric, optimizer, tally, None)

    return make


def _infinite(model, times):
    """Gradients that are infinite so many times."""
    left = [times]

    def spoil(gradient):
        left[0] -= 1
        return gradient * float("inf") if left[0] >= 0 else gradient

    model.weight.register_hook(spoil)


def test_infinite_gradients_of_half_precision_are_left_out_until_the_scale_fits(scaled):
    model, tally, scaler, steps = scaled()
    _infinite(model, 2)
    before = model.weight.detach().clone()
    for number in range(3):
        assert torch.equal(model.weight, before)
        steps.take(Samples(torch.ones(2, 3)), (0, number))
    assert scaler.get_scale() == 1.0
    assert not torch.equal(model.weight, before)
    assert (tally.steps, tally.broken.item()) == (3, 0)


def test_gradients_of_half_precision_that_are_never_finite_stop_the_run(scaled):
    model, tally, _, steps = scaled()
    _infinite(model, 99)
    before = model.weight.detach().clone()
    for number in range(4):
        steps.take(Samples(torch.ones(2, 3)), (0, number))
    assert torch.equal(model.weight, before)
    assert tally.broken.item() == 1
    assert tally.steps == 2  # of scales 4 and 2; at the third the scale falls below 1
    assert "norm nan" in tally.describe()


def test_a_loss_of_half_precision_that_is_not_finite_stops_it_at_once(scaled):
    model, tally, _, steps = scaled()
    steps.take(Samples(torch.ones(2, 3)), (0, 0))
    after = model.weight.detach().clone()
    steps.take(Samples(torch.full((2, 3), float("nan"))), (0, 1))
    assert (tally.steps, tally.broken.item()) == (1, 1)
    assert torch.equal(model.weight, after)
