"""LSTMs that keep any length when they are exported.

Tracing takes an LSTM of torch apart, step by step, and with that fixes the number of its steps. While a model is
traced its LSTMs are therefore one operation, ``avground::lstm``, of which only shapes are known; behind the trace it
becomes torch's own again in a program, and the LSTM of the ONNX standard in a file.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.export import ExportedProgram
from torch.overrides import TorchFunctionMode

from avground.errors import ConfigError


@torch.library.custom_op("avground::lstm", mutates_args=())
def lstm(
    steps: Tensor, start: Sequence[Tensor], parameters: Sequence[Tensor], bidirectional: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """One layer of :class:`torch.nn.LSTM` in evaluation mode, with biases, clips first."""
    states, hidden, cell = torch.lstm(steps, list(start), list(parameters), True, 1, 0.0, False, bidirectional, True)
    return states, hidden, cell


@lstm.register_fake
def _(
    steps: Tensor, start: Sequence[Tensor], parameters: Sequence[Tensor], bidirectional: bool
) -> tuple[Tensor, Tensor, Tensor]:
    directions, c = 2 if bidirectional else 1, start[0].shape[-1]
    b, t = steps.shape[:2]
    last = steps.new_empty(directions, b, c)
    states = steps.new_empty(t, b, directions * c).transpose(0, 1)  # in memory, torch has steps first
    return states, last, torch.empty_like(last)


class KeptLSTM(TorchFunctionMode):
    """Inside, an LSTM of torch is ``avground::lstm``."""

    def __torch_function__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Replace the call, or pass it on."""
        if getattr(function, "__name__", "") != "lstm":
            return function(*args, **(kwargs or {}))
        steps, start, parameters, biases, layers, _, training, bidirectional, batch_first = args
        if not isinstance(parameters, Sequence) or not biases or layers != 1 or training or not batch_first:
            raise ConfigError(
                "model: expected LSTMs in evaluation mode of one layer with biases and batch_first=True, got "
                f"layers={layers}, biases={biases}, training={training}, batch_first={batch_first}"
            )
        return lstm(steps, list(start), list(parameters), bidirectional)


def with_torch_lstm(program: ExportedProgram) -> ExportedProgram:
    """Turn ``avground::lstm`` into torch's own, in place, so that the program needs torch alone."""
    for node in program.graph.nodes:
        if node.op == "call_function" and node.target is torch.ops.avground.lstm.default:
            *given, bidirectional = node.args
            node.target = torch.ops.aten.lstm.input
            node.args = (*given, True, 1, 0.0, False, bidirectional, True)
    program.graph_module.recompile()
    return program


def onnx_translation() -> dict[Callable[..., Any], Callable[..., Any]]:
    """What :func:`torch.onnx.export` is told of ``avground::lstm``."""
    from onnxscript import opset18

    op: Any = opset18  # its types know numbers of one kind only

    def translated(steps: Any, start: Any, parameters: Any, bidirectional: bool) -> Any:
        directions, c = 2 if bidirectional else 1, parameters[1].shape[1]
        first = op.Constant(value_ints=[0])

        def gates(parameter: Any) -> Any:
            """Torch has input, forget, cell and output gate in this order, ONNX input, output, forget and cell."""
            bounds = [(op.Constant(value_ints=[k * c]), op.Constant(value_ints=[(k + 1) * c])) for k in (0, 3, 1, 2)]
            return op.Concat(*(op.Slice(parameter, *bound, first) for bound in bounds), axis=0)

        def both(*each: Any) -> Any:
            return op.Concat(*(op.Unsqueeze(one, first) for one in each), axis=0)

        ways = [parameters[4 * way : 4 * way + 4] for way in range(directions)]
        states, hidden, cell = op.LSTM(
            op.Transpose(steps, perm=[1, 0, 2]),
            both(*(gates(way[0]) for way in ways)),
            both(*(gates(way[1]) for way in ways)),
            both(*(op.Concat(gates(way[2]), gates(way[3]), axis=0) for way in ways)),
            None,
            start[0],
            start[1],
            direction="bidirectional" if bidirectional else "forward",
            hidden_size=c,
        )
        # (steps, directions, clips, c), of which 0 keeps a size
        joined = op.Transpose(states, perm=[2, 0, 1, 3])
        return op.Reshape(joined, op.Constant(value_ints=[0, 0, directions * c])), hidden, cell

    return {torch.ops.avground.lstm.default: translated}
