"""The steps of a stage: from the numbers of samples to new weights."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from lightning.fabric import Fabric
from torch import Tensor

from avground.models import Network
from avground.training.batches import Samples
from avground.training.evaluate import reduce
from avground.training.graph import GraphedStep, Recorder
from avground.training.run import Run
from avground.training.stages import Stage, StageLosses
from avground.training.tally import Tally

_LEAST_SCALE = 1.0
"""Of the loss in half precision: a scaler that goes below has halved it at every step, for gradients never finite."""


class Steps:
    """Takes the steps of a stage; on CUDA without a look at any number, but for ``precision="16-mixed"``.

    Args:
        run: What to train.
        stage: The stage.
        model: The model.
        fabric: Devices, processes and precision.
        optimizer: Set up by ``fabric``.
        tally: Adds up the losses.
        recorder: Records a step on the device, if it can be recorded.

    Attributes:
        consistent: False while weights, moments and sums are being changed.
    """

    def __init__(
        self,
        run: Run,
        stage: Stage,
        model: Network,
        fabric: Fabric,
        optimizer: Any,
        tally: Tally,
        recorder: Recorder | None,
    ) -> None:
        self.parts, self.model, self.fabric, self.optimizer, self.tally = stage.parts, model, fabric, optimizer, tally
        self.consistent = True
        # The scaler of half precision tells Adam itself which steps to leave out, and gradients may well be infinite.
        self._scaled = run.precision == "16-mixed"
        if not self._scaled:
            optimizer.optimizer.found_inf = tally.broken
        if fabric.world_size > 1:
            self._freeze_unused(stage)
        self._losses = fabric.setup_module(StageLosses(model, stage))
        self._graphed: GraphedStep | None = None
        if recorder is not None:
            required = run.graph == "on"
            self._graphed = GraphedStep(self._compute, run.batch_size, recorder, optimizer.zero_grad, required=required)

    def take(self, samples: Samples, key: tuple[int, ...], shares: Mapping[str, float] | None = None) -> None:
        """Take a step.

        Args:
            samples: Those of this process.
            key: Numbers that name the step; with the process's they decide dropout.
            shares: See :meth:`avground.training.stages.Stage.shares`; None where there is one process.
        """
        numbers = np.random.SeedSequence((*key, self.fabric.global_rank)).generate_state(1, np.uint64)
        seed = int(numbers[0] >> np.uint64(1))
        if self._graphed is not None:
            self.consistent = False  # A replay does all of a step.
            self._graphed(samples, seed)
        else:
            torch.manual_seed(seed)
            self._compute(samples, shares)
        self.consistent = True

    def _compute(self, samples: Samples, shares: Mapping[str, float] | None = None) -> None:
        with self.fabric.autocast():
            losses = self._losses(samples, shares)
        self.fabric.backward(losses["total"])
        numbers = torch.stack([self._norm().double(), *(losses[part].detach().double() for part in self.parts)])
        if self.fabric.world_size > 1:  # What is not finite in any process is not so in all.
            numbers = reduce(self.fabric, numbers, "mean")
        self.tally.judge(numbers[:2])
        if self._scaled and self.tally.broken.item():
            self.optimizer.zero_grad()
            return
        self.consistent = False
        self.optimizer.step()
        self.optimizer.zero_grad()
        if self._scaled and self._scale() < _LEAST_SCALE:
            self.tally.judge(numbers[:2] * torch.nan)
        self.tally.add(numbers[1:])

    def _scale(self) -> float:
        precision: Any = self.fabric.strategy.precision
        return float(precision.scaler.get_scale())

    def _norm(self) -> Tensor:
        """The norm of the gradients."""
        if self._scaled:  # They may well be infinite until the scale fits.
            return torch.zeros((), device=self.fabric.device)
        return torch.nn.utils.get_total_norm(
            [parameter.grad for parameter in self.model.parameters() if parameter.grad is not None]
        )

    def _freeze_unused(self, stage: Stage) -> None:
        """Processes wait for each other's gradients of all that can have one: freeze what the stage does not use."""
        batch = self.fabric.to_device(stage.dataset.__getitems__([stage.indices[0]]))
        parameters = list(self.model.requires_grad_(True).parameters())
        gradients = torch.autograd.grad(stage.total(stage.losses(self.model, batch)), parameters, allow_unused=True)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.requires_grad_(gradient is not None)
