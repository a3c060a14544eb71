"""The battery itself: a sound block passes all of it, and each kind of fault is caught by the test that is for it."""

from typing import NamedTuple

import pytest
import torch
from torch import nn

from avground.testing import BlockContract, outputs_of


class Pooled(NamedTuple):
    feature: torch.Tensor
    weights: torch.Tensor
    extra: torch.Tensor | None = None


class Pool(nn.Module):
    """A block as it should be: pools words by learned weights, and leaves padding out."""

    def __init__(self):
        super().__init__()
        self.score = nn.Linear(4, 1)
        self.out = nn.Linear(4, 4)

    def weigh(self, words, mask):
        scores = self.score(words)[..., 0].masked_fill(~mask, -1e4)
        return scores.to(torch.promote_types(scores.dtype, torch.float32)).softmax(-1) * mask

    def forward(self, words, mask):
        weights = self.weigh(words, mask)
        return Pooled(torch.tanh(self.out((weights[..., None].to(words) * words).sum(-2))), weights)


class Contract(BlockContract):
    block = Pool

    def make(self):
        return self.block()

    def inputs(self, b):
        return {"words": torch.randn(b, 5, 4), "mask": torch.arange(5).expand(b, 5) < 3}

    def more_padding(self, inputs):
        b = len(inputs["words"])
        return {
            "words": torch.cat((inputs["words"], inputs["words"].new_ones(b, 2, 4)), 1),
            "mask": torch.cat((inputs["mask"], torch.zeros(b, 2, dtype=torch.bool)), 1),
        }


class Weighed(Contract):
    weights = {"weights": 1}  # noqa: RUF012


TESTS = [name for name in dir(BlockContract) if name.startswith("test_")]


def contract_of(kind, base=Contract):
    return type("Mine", (base,), {"block": kind})()


@pytest.mark.parametrize("test", TESTS)
def test_a_sound_block_passes(test):
    getattr(Weighed(), test)()


# ---- blocks with one fault each ------------------------------------------------------------------------------------


class MixesClips(Pool):
    """The fault of the released code: a trace of the other clips, far below what float32 shows."""

    def forward(self, words, mask):
        pooled = super().forward(words, mask)
        return pooled._replace(feature=pooled.feature + 1e-7 * pooled.feature.mean(0, keepdim=True))


class TakesOneLeadingDimension(Pool):
    def forward(self, words, mask):
        weights = self.weigh(words, mask)
        return Pooled(torch.tanh(self.out((weights[..., None] * words).sum(1))), weights)


class HasADeadParameter(Pool):
    def __init__(self):
        super().__init__()
        self.unused = nn.Linear(4, 4)


class HasAParameterThatCountsNothing(HasADeadParameter):
    def forward(self, words, mask):
        pooled = super().forward(words, mask)
        return pooled._replace(feature=pooled.feature + 0 * self.unused(pooled.feature))


class CutsAGradient(Pool):
    def weigh(self, words, mask):
        return super().weigh(words, mask).detach()


class ReadsPadding(Pool):
    def weigh(self, words, mask):
        return super().weigh(words, torch.ones_like(mask))


class WeighsPadding(Pool):
    """The feature is right, and the weights that are shown are not."""

    def forward(self, words, mask):
        pooled = super().forward(words, mask)
        return pooled._replace(weights=pooled.weights + 1e-3 * ~mask)


class KeepsStateElsewhere(Pool):
    def __init__(self):
        super().__init__()
        self.shift = torch.randn(4)

    def forward(self, words, mask):
        pooled = super().forward(words, mask)
        return pooled._replace(feature=pooled.feature + self.shift.to(pooled.feature))


class ReadsMemoryAsItLies(Pool):
    def forward(self, words, mask):
        return super().forward(torch.as_strided(words, words.shape, torch.empty(words.shape).stride()), mask)


class ChangesItsInput(Pool):
    def forward(self, words, mask):
        pooled = super().forward(words, mask)
        words.mul_(2)
        return pooled


class AsksTheHost(Pool):
    def forward(self, words, mask):
        longest = int(mask.sum(-1).max())
        return super().forward(words if longest else words + 1, mask)


class Overflows(Pool):
    def forward(self, words, mask):
        pooled = super().forward(words, mask)
        return pooled._replace(feature=(pooled.feature * 1e5).square() / 1e10)


FAULTS = {
    MixesClips: "test_one_clip_alone_gives_what_it_gives_in_a_batch",
    TakesOneLeadingDimension: "test_leading_dimensions_are_all_alike",
    HasADeadParameter: "test_gradient_reaches_every_parameter",
    HasAParameterThatCountsNothing: "test_gradient_reaches_every_parameter",
    CutsAGradient: "test_gradient_reaches_every_parameter",
    ReadsPadding: "test_padding_changes_nothing",
    WeighsPadding: "test_padding_changes_nothing",
    KeepsStateElsewhere: "test_state_dict_goes_round",
    ReadsMemoryAsItLies: "test_memory_layout_does_not_matter",
    ChangesItsInput: "test_memory_layout_does_not_matter",
    AsksTheHost: "test_compiled_equals_eager",
    Overflows: "test_half_precision_stays_finite",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_caught_by_the_test_that_is_for_it(fault):
    errors = (AssertionError, RuntimeError, torch._dynamo.exc.Unsupported)
    with pytest.raises(errors):
        getattr(contract_of(fault), FAULTS[fault])()


class SumsToMore(Pool):
    def weigh(self, words, mask):
        return super().weigh(words, mask) * 1.001


class HasNegatives(Pool):
    def weigh(self, words, mask):
        weights = super().weigh(words, mask)
        return weights + torch.tensor([0.5, 0.5, -1.0, 0.0, 0.0]).to(weights)


@pytest.mark.parametrize(("fault", "said"), [(SumsToMore, "weights"), (HasNegatives, "weights: negative")])
def test_weights_that_are_none_are_caught(fault, said):
    with pytest.raises(AssertionError, match=said):
        contract_of(fault, Weighed).test_weights_are_weights()
    contract_of(fault).test_weights_are_weights()  # an output that is not said to be weights may be anything


def test_a_battery_is_told_what_does_not_apply():
    class Opted(Contract):
        any_leading = False
        compiles = False

        def more_padding(self, inputs):
            return None

    Opted.block = TakesOneLeadingDimension
    Opted().test_leading_dimensions_are_all_alike()
    Opted.block = AsksTheHost
    Opted().test_compiled_equals_eager()
    Opted.block = ReadsPadding
    Opted().test_padding_changes_nothing()


def test_clips_may_lie_along_another_dimension():
    class Turned(Pool):
        def forward(self, words, mask):
            return super().forward(words, mask).feature.movedim(0, -1)

    class Told(Contract):
        block = Turned
        batch_dim = {"output": 1}  # noqa: RUF012

    Told().test_one_clip_alone_gives_what_it_gives_in_a_batch()
    with pytest.raises((AssertionError, RuntimeError)):
        contract_of(Turned).test_one_clip_alone_gives_what_it_gives_in_a_batch()


def test_make_and_inputs_are_for_the_heir_to_write():
    with pytest.raises(NotImplementedError):
        BlockContract().make()
    with pytest.raises(NotImplementedError):
        BlockContract().inputs(2)
    assert BlockContract().more_padding({}) is None


def test_results_become_tensors_by_name():
    one, two = torch.zeros(1), torch.zeros(2)
    assert outputs_of(one) == {"output": one}
    assert outputs_of(Pooled(one, two)) == {"feature": one, "weights": two}
    assert list(outputs_of(Pooled(one, two, one))) == ["feature", "weights", "extra"]


@pytest.mark.parametrize("result", [(torch.zeros(1),), [torch.zeros(1)], {"a": torch.zeros(1)}, None])
def test_results_without_names_are_refused(result):
    with pytest.raises(
        TypeError, match=f"^result: expected a tensor or a named tuple of tensors, got {type(result).__name__}$"
    ):
        outputs_of(result)
