import copy

import pytest
import torch

from avground.training.optimizer import make_adam, optimizer_state, restore_optimizer, set_rate

CPU = torch.device("cpu")


def weights():
    return [torch.nn.Parameter(torch.arange(1.0, 4.0)), torch.nn.Parameter(torch.ones(2, 2))]


def like_cuda(parameters, rate):
    """What :func:`make_adam` makes on CUDA, but for its kernels."""
    return torch.optim.Adam(parameters, lr=torch.tensor(rate), fused=True, capturable=True)


def steps(optimizer, parameters, count):
    for _ in range(count):
        optimizer.zero_grad()
        sum(weight.square().sum() for weight in parameters).backward()
        optimizer.step()


def test_the_rate_of_a_cpu_is_a_number():
    optimizer = make_adam(weights(), 0.1, CPU, capturable=False)
    (group,) = optimizer.param_groups
    assert (group["lr"], group["fused"], group["capturable"]) == (0.1, True, False)
    set_rate(optimizer, 0.05)
    assert group["lr"] == 0.05


def test_a_rate_that_is_a_tensor_changes_in_place():
    optimizer = like_cuda(weights(), 0.1)
    rate = optimizer.param_groups[0]["lr"]
    set_rate(optimizer, 0.05)
    assert optimizer.param_groups[0]["lr"] is rate
    assert rate.item() == pytest.approx(0.05)


@pytest.mark.parametrize("to", ["number", "tensor"])
@pytest.mark.parametrize("of", ["number", "tensor"])
def test_a_state_goes_from_any_machine_to_any(of, to):
    make = {"number": lambda w: make_adam(w, 0.1, CPU, capturable=False), "tensor": lambda w: like_cuda(w, 0.1)}
    here = weights()
    first = make[of](here)
    steps(first, here, 3)
    state = copy.deepcopy(optimizer_state(first))
    assert state["param_groups"][0]["lr"] == pytest.approx(0.1)
    assert isinstance(state["param_groups"][0]["lr"], float)
    assert state["param_groups"][0]["capturable"] is False
    there = [torch.nn.Parameter(weight.detach().clone()) for weight in here]
    second = make[to](there)
    restore_optimizer(second, state, "last.pt")
    (group,) = second.param_groups
    assert isinstance(group["lr"], torch.Tensor) == group["capturable"] == (to == "tensor")
    assert group["fused"] is True
    set_rate(first, 0.02)
    set_rate(second, 0.02)
    steps(first, here, 2)
    steps(second, there, 2)
    for a, b in zip(here, there, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-7)
