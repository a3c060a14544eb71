"""A training step that is recorded once, as a CUDA graph, and replayed: one launch in place of hundreds."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, Protocol

import torch
from lightning.fabric import Fabric

from avground.errors import ConfigError
from avground.models.weights import line
from avground.training.batches import Picked, Samples
from avground.training.run import Run

WARM_UP = 3
"""Full steps of a stage that run before one is recorded: what is set up by the first ones is no part of a step."""


class Recorder(Protocol):
    """What can record work on a device.

    Attributes:
        failed: Whether a recording failed: it is not tried again.
    """

    failed: bool

    def warm_up(self, step: Callable[[], None]) -> None:
        """Do a step where steps will be recorded."""

    def record(self, step: Callable[[], None]) -> Callable[[], None]:
        """What repeats a step, which is not done now."""

    def recover(self) -> None:
        """Make the device usable after a recording that failed."""


class CudaRecorder:
    """Records CUDA graphs; warming up and recording share a stream, so that gradients are summed on it in both."""

    def __init__(self, device: torch.device) -> None:
        self.device, self.stream, self.failed = device, torch.cuda.Stream(device), False

    def warm_up(self, step: Callable[[], None]) -> None:
        """See :class:`Recorder`."""
        current = torch.cuda.current_stream(self.device)
        self.stream.wait_stream(current)
        with torch.cuda.stream(self.stream):
            step()
        current.wait_stream(self.stream)

    def record(self, step: Callable[[], None]) -> Callable[[], None]:
        """See :class:`Recorder`."""
        self.graph = torch.cuda.CUDAGraph()
        current = torch.cuda.current_stream(self.device)
        try:
            with torch.cuda.graph(self.graph, stream=self.stream):
                step()
        finally:
            torch.cuda.set_stream(current)  # a recording that fails leaves its own stream behind
        return self.graph.replay

    def recover(self) -> None:
        """See :class:`Recorder`: memory and random state of the device may still count as being recorded."""
        index = self.device.index or 0
        with suppress(
            Exception
        ):  # torch before 2.12 does not do it where ending a recording fails; after, it complains
            torch._C._cuda_endAllocateToPool(index, self.graph.pool())
        fresh: Any = torch.Generator(self.device)
        torch.cuda.default_generators[index].graphsafe_set_state(fresh.graphsafe_get_state())


class GraphedStep:
    """A step of a stage: the first few full ones are done, then one is recorded, and replayed for all later ones.

    Batches of another size, the last ones of an epoch, are done and not replayed. A replay repeats work at the same
    addresses: ``compute`` must keep what outlasts a step (weights, the state and the rate of the optimiser, sums) in
    tensors that it changes in place, and leave no gradients behind.

    Args:
        compute: Does a step.
        size: Samples of a full batch.
        recorder: Records on the device.
        clear: Removes the gradients of a step that was recorded half.
        required: Whether a recording that fails is an error; otherwise it is told, and steps go on as they are.
    """

    def __init__(
        self,
        compute: Callable[[Samples], None],
        size: int,
        recorder: Recorder,
        clear: Callable[[], None],
        *,
        required: bool,
    ) -> None:
        self.compute, self.size, self.recorder, self.clear, self.required = compute, size, recorder, clear, required
        self._done = 0
        self._static: Picked | None = None
        self._replay: Callable[[], None] | None = None

    def __call__(self, samples: Samples, seed: int) -> None:
        """Do a step with these samples, drawing random numbers from this seed.

        The seed is set before a replay as before a step that is done: a graph takes the seed and the offset of the
        device's generator anew at every replay, and so draws what the step would have drawn.

        Raises:
            ConfigError: if the step cannot be recorded, and must be.
        """
        full = samples if isinstance(samples, Picked) and len(samples) == self.size else None
        if full and self._done == WARM_UP and self._replay is None and not self.recorder.failed:
            self._record(full)
        torch.manual_seed(seed)
        if full is None or self.recorder.failed:
            self.compute(samples)
        elif self._replay is None or self._static is None:
            self.recorder.warm_up(partial(self.compute, full))
            self._done += 1
        else:
            self._static.fill(full)
            self._replay()

    def _record(self, samples: Picked) -> None:
        self._static = samples.copy()
        try:
            self._replay = self.recorder.record(partial(self.compute, self._static))
        except Exception as error:  # Whatever a model does may be what a graph cannot hold, and each has its own error.
            cause = error.__context__ or error  # ending a recording that failed fails too
            if self.required:
                raise ConfigError(f"graph='on': expected a step that can be recorded, got: {line(cause)}") from error
            print(f"graph   off: the step cannot be recorded: {line(cause)}", flush=True)
            self.recorder.failed = True
            self.clear()
            self.recorder.recover()


def find_recorder(run: Run, fabric: Fabric, features_on: torch.device | None) -> tuple[Recorder | None, str]:
    """What records the steps of a run, or None, and why it is None.

    Args:
        run: The run.
        fabric: Knows the device and the number of processes.
        features_on: The device that holds the features, if any.

    Raises:
        ConfigError: if the run must be recorded and cannot be.
    """
    hindrances = {
        "as asked for": run.graph == "off",
        f"expected a CUDA device, got {fabric.device.type}": fabric.device.type != "cuda",
        f"expected features on {fabric.device.type}, got them on {features_on or 'disk'}": features_on != fabric.device,
        f"expected one process, got {fabric.world_size}": fabric.world_size > 1,
        # Its scaler looks at the gradients before it decides whether to take a step.
        f"expected the precision '32-true' or 'bf16-mixed', got {run.precision!r}": run.precision == "16-mixed",
    }
    why = next((reason for reason, holds in hindrances.items() if holds), "")
    if why and run.graph == "on":
        raise ConfigError(f"graph='on': {why}")
    return (None, why) if why else (CudaRecorder(fabric.device), "")
