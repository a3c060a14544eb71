"""What every block and every model of avground keeps to, as tests to inherit."""

import copy
from collections.abc import Callable, Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

Inputs = dict[str, Tensor]

EXACT = 1e-12  # float64: the authors' network mixes clips by 1e-7 only, which float32 would hide


def outputs_of(result: object) -> dict[str, Tensor]:
    """Return the tensors of a block's result by name: one tensor is called ``output``, absent ones are left out."""
    if isinstance(result, Tensor):
        return {"output": result}
    if hasattr(result, "_asdict"):
        return {name: value for name, value in result._asdict().items() if value is not None}
    raise TypeError(f"result: expected a tensor or a named tuple of tensors, got {type(result).__name__}")


class BlockContract:
    """The battery of tests. Inherit it in a test class, and say how to make the block and its inputs.

    .. code-block:: python

        class TestMyTemporalBlock(BlockContract):
            weights = {"audio_weights": 1, "visual_weights": 1}

            def make(self):
                return MyTemporalBlock(dim=8)

            def inputs(self, b):
                return {"audio": torch.randn(b, 5, 8), "visual": torch.randn(b, 5, 8), "sentence": torch.randn(b, 8)}

    Attributes:
        weights: For each output that must sum to 1, over how many of its last dimensions.
        batch_dim: For each output whose clips are not along dimension 0, along which they are.
        any_leading: Whether the block takes any number of leading dimensions.
        compiles: Whether it must compile as one graph.
    """

    weights: ClassVar[Mapping[str, int]] = {}
    batch_dim: ClassVar[Mapping[str, int]] = {}
    any_leading: ClassVar[bool] = True
    compiles: ClassVar[bool] = True

    def make(self) -> nn.Module:
        """Return a new block, small; called under a fixed seed."""
        raise NotImplementedError

    def inputs(self, b: int) -> Inputs:
        """Return the keyword arguments of one call for b clips, in float32; called under a fixed seed."""
        raise NotImplementedError

    def more_padding(self, inputs: Inputs) -> Inputs | None:
        """Return the same inputs with more padding behind the words; None for a block that takes no words."""
        return None

    # ---- the tests -------------------------------------------------------------------------------------------------

    def test_one_clip_alone_gives_what_it_gives_in_a_batch(self) -> None:
        """Batch independence, with b = 1 as the other side."""
        block, inputs = self._block(), self._inputs(4)
        together = self._call(block, inputs)
        for clip in range(4):
            alone = self._call(block, {name: value[clip : clip + 1] for name, value in inputs.items()})
            for name, value in alone.items():
                dim = self.batch_dim.get(name, 0)
                torch.testing.assert_close(
                    value, together[name].narrow(dim, clip, 1), rtol=0, atol=EXACT, msg=_name(name)
                )

    def test_leading_dimensions_are_all_alike(self) -> None:
        """Clips arranged as (3, 2) or without any batch give what a batch of 6 gives."""
        if not self.any_leading:
            return
        block, inputs = self._block(), self._inputs(6)
        flat = self._call(block, inputs)
        square = self._call(block, {name: value.unflatten(0, (3, 2)) for name, value in inputs.items()})
        single = self._call(block, {name: value[0] for name, value in inputs.items()})
        for name, value in flat.items():
            torch.testing.assert_close(square[name].flatten(0, 1), value, rtol=0, atol=EXACT, msg=_name(name))
            torch.testing.assert_close(single[name], value[0], rtol=0, atol=EXACT, msg=_name(name))

    def test_gradient_reaches_every_parameter(self) -> None:
        """No parameter is dead."""
        block = self._block()
        torch.manual_seed(1)
        results = outputs_of(block(**self._inputs(3)))
        floats = [value for value in results.values() if value.requires_grad]
        if floats:
            torch.stack([(value * torch.randn_like(value)).sum() for value in floats]).sum().backward()
        for name, parameter in block.named_parameters():
            assert parameter.grad is not None, f"{name}: no gradient"
            assert parameter.grad.isfinite().all(), f"{name}: gradient is not finite"
            assert parameter.grad.count_nonzero(), f"{name}: gradient is zero"

    def test_padding_changes_nothing(self) -> None:
        """More padding behind the words leaves every output as it is, up to the added words' own zeros."""
        inputs = self._inputs(4)
        padded = self.more_padding(inputs)
        if padded is None:
            return
        block = self._block()
        short, long = self._call(block, inputs), self._call(block, padded)
        for name, value in short.items():
            kept = long[name][tuple(slice(size) for size in value.shape)]
            torch.testing.assert_close(kept, value, rtol=0, atol=EXACT, msg=_name(name))
            assert long[name].count_nonzero() == kept.count_nonzero(), f"{name}: padding is not zero"

    def test_weights_are_weights(self) -> None:
        """They are non-negative and sum to 1."""
        results = self._call(self._block(), self._inputs(4))
        for name, dims in self.weights.items():
            assert (results[name] >= 0).all(), f"{name}: negative"
            total = results[name].flatten(-dims).sum(-1)
            torch.testing.assert_close(total, torch.ones_like(total), rtol=0, atol=EXACT, msg=_name(name))

    def test_state_dict_goes_round(self) -> None:
        """A second block with the first one's state gives the same outputs."""
        block, inputs = self._block(), self._inputs(2)
        torch.manual_seed(99)
        other = self.make().double().eval()
        other.load_state_dict(copy.deepcopy(block.state_dict()))
        expected, got = self._call(block, inputs), self._call(other, inputs)
        for name, value in expected.items():
            assert torch.equal(got[name], value), name

    def test_memory_layout_does_not_matter(self) -> None:
        """Non-contiguous inputs give the same outputs, and are left as they were."""
        block, inputs = self._block(), self._inputs(3)
        strided = {name: value.movedim(0, -1).contiguous().movedim(-1, 0) for name, value in inputs.items()}
        before = {name: value.clone() for name, value in strided.items()}
        expected, got = self._call(block, inputs), self._call(block, strided)
        for name, value in expected.items():
            torch.testing.assert_close(got[name], value, rtol=0, atol=EXACT, msg=_name(name))
        for name, value in strided.items():
            assert torch.equal(value, before[name]), f"{name}: changed in place"

    def test_compiled_equals_eager(self) -> None:
        """It compiles as one graph (recurrent layers by the compiler's opt-in), and for more than one batch size."""
        if not self.compiles:
            return
        torch._dynamo.reset()
        block = self._block()
        compiled = torch.compile(block, backend="aot_eager", fullgraph=True)
        for b in (3, 5):
            inputs = self._inputs(b)
            with torch._dynamo.config.patch(allow_rnn=True):
                expected, got = self._call(block, inputs), self._call(compiled, inputs)
            for name, value in expected.items():
                torch.testing.assert_close(got[name], value, rtol=0, atol=EXACT, msg=_name(name))

    def test_half_precision_stays_finite(self) -> None:
        """In bfloat16, in float16 and under bfloat16 autocast; weights still sum to 1."""
        half = torch.bfloat16
        for parameters, autocast in ((half, False), (torch.float16, False), (torch.float32, True)):
            block = self._block().to(parameters)
            inputs = {k: v.to(parameters) if v.is_floating_point() else v for k, v in self._inputs(3).items()}
            with torch.autocast("cpu", half, enabled=autocast):
                results = self._call(block, inputs)
            for name, value in results.items():
                assert value.isfinite().all(), f"{name}: not finite in {parameters}, autocast {autocast}"
            for name, dims in self.weights.items():
                total = results[name].flatten(-dims).double().sum(-1)
                torch.testing.assert_close(total, torch.ones_like(total), rtol=0, atol=1e-5, msg=_name(name))

    # ---- how they are run ------------------------------------------------------------------------------------------

    def _block(self) -> nn.Module:
        torch.manual_seed(0)
        return self.make().double().eval()

    def _inputs(self, b: int) -> Inputs:
        torch.manual_seed(7)
        return {k: v.double() if v.is_floating_point() else v for k, v in self.inputs(b).items()}

    @staticmethod
    def _call(block: Callable[..., object], inputs: Inputs) -> dict[str, Tensor]:
        with torch.no_grad():
            return outputs_of(block(**inputs))


def _name(output: str) -> Callable[[str], str]:
    return lambda message: f"{output}: {message}"
