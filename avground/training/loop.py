"""The training loop."""

import dataclasses
import math
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.fabric import Fabric

from avground.data import Bank
from avground.models import Network
from avground.models.weights import load_weights
from avground.training.batches import Samples, find_source
from avground.training.checkpoint import make_checkpoint, read_checkpoint
from avground.training.evaluate import Evaluation, evaluate, reduce
from avground.training.graph import GraphedStep, Recorder, Take, seeded
from avground.training.grounding import masks_of
from avground.training.interrupt import StopRequest
from avground.training.optimizer import make_adam, optimizer_state, restore_optimizer, set_rate
from avground.training.progress import Bar, Progress, show_batches, summary
from avground.training.run import Run
from avground.training.sampler import EpochSampler
from avground.training.saver import BEST, LAST, Saver
from avground.training.splits import Splits, workers_for
from avground.training.stages import Stage, StageLosses, make_stages
from avground.training.versions import versions

METRICS = "metrics.json"

_AGREE_STEPS = 10
_MORE_AT_ONCE = 4  # times the batch of a training step: without gradients there is room for more


class Loop:
    """Trains a model through its stages, and can stop and go on after any step.

    Every random choice of a step is a function of the seed, the epoch (counted over both stages), the step and the
    process, so a run that was interrupted computes what it would have computed.

    Args:
        run: What to train.
        model: The model, built.
        splits: The data.
        output: Folder for checkpoints.
        fabric: Devices, processes and precision; launched.
        stop: Tells whether somebody asked to stop.
        bank: The features, if they are in memory.
        recorder: Records steps on the device, if they can be recorded.
    """

    def __init__(
        self,
        run: Run,
        model: Network,
        splits: Splits,
        output: Path,
        fabric: Fabric,
        stop: StopRequest,
        bank: Bank | None = None,
        recorder: Recorder | None = None,
    ) -> None:
        self.run, self.splits, self.output, self.fabric, self.stop = run, splits, output, fabric, stop
        self.bank, self.recorder = bank, recorder
        self.stages = make_stages(run, splits)
        self.validation, self.test = splits.dataset("val"), splits.dataset("test")
        if splits.truth is not None:
            masks_of(self.test.records, splits.truth, splits.features.segments)  # so that it fails now or never
        self.workers = workers_for(run, splits.features)
        self.plain = model.to(fabric.device)
        self.progress = Progress()
        self.optimizer: Any = self._new_optimizer()
        self.sums = torch.zeros(8, dtype=torch.float64, device=fabric.device)
        self.consistent = True
        self.saver = Saver(output, writes=fabric.is_global_zero)
        self._started = time.monotonic()

    def restore(self, content: dict[str, Any], path: str) -> None:
        """Go on from a checkpoint's content."""
        load_weights(self.plain, content["model"], path)
        restore_optimizer(self.optimizer, content["optimizer"])
        self.fabric.strategy.precision.load_state_dict(content["precision"])
        progress = dict(content["progress"])
        self.sums.copy_(torch.tensor(progress.pop("sums"), dtype=self.sums.dtype))
        self.progress = Progress.from_dict(progress)

    def fit(self) -> None:
        """Train until all stages are done.

        Raises:
            KeyboardInterrupt: once asked to stop.
            FloatingPointError: if a loss is not finite.
        """
        self._started = time.monotonic()
        while not self.done:
            number = self.progress.stage
            stage = self.stages[number]
            take = self._set_up(stage)
            while self.progress.stage == number:
                started, first = time.monotonic(), self.progress.step
                steps = self._train_epoch(stage, take)
                # This waits for the device, so that the rate is that of work done.
                self._check_finite(self.sums[0].item(), f"{stage.name}, epoch {self.progress.epoch + 1}")
                samples = min((steps - first) * self.run.batch_size, len(stage.indices))
                rate = samples / max(time.monotonic() - started, 1e-9)
                self._finish_epoch(stage, steps, rate)

    def save(self) -> None:
        """Write checkpoints; only the first process does."""
        self.saver.write(self._content())

    def _content(self) -> dict[str, Any]:
        """What a checkpoint holds."""
        self._check_finite(self.sums[0].item(), "before writing a checkpoint")
        progress = dataclasses.replace(self.progress, seconds=self.seconds)
        return make_checkpoint(
            self.plain,
            self.run,
            self.splits.vocabulary,
            templates=self.splits.templates,
            features=self.splits.features.describe(),
            files=self.splits.files,
            progress={**progress.to_dict(), "sums": self.sums.tolist()},
            optimizer=optimizer_state(self.optimizer),
            precision=self.fabric.strategy.precision.state_dict(),
            versions=versions(),
        )

    @property
    def seconds(self) -> float:
        """Time spent on this run so far, interruptions left out."""
        return self.progress.seconds + time.monotonic() - self._started

    @property
    def done(self) -> bool:
        """Whether all stages are."""
        return self.progress.stage == len(self.stages)

    def where(self) -> str:
        """Where the run is, in words."""
        if self.done:
            return "after the last epoch"
        stage = self.stages[self.progress.stage]
        return f"in {stage.name}, epoch {self.progress.epoch + 1} of {stage.epochs}, after step {self.progress.step}"

    def load_best(self) -> str:
        """Take the weights that were best on the validation questions; returns the file's name."""
        self.fabric.barrier()
        path = self.output / BEST
        load_weights(self.plain, read_checkpoint(path)["model"], str(path))
        return path.name

    def evaluate(self, description: str, dataset: Any, **options: Any) -> Evaluation:
        """:func:`avground.training.evaluate` on this run's devices, with a progress bar."""
        show = show_batches(description, self.fabric.is_global_zero, self._stop_alone)
        size = max(1, self.run.batch_size // self.fabric.world_size)
        if self.bank is not None and self.fabric.device.type == "cuda":
            size *= _MORE_AT_ONCE
        options = {"batch_size": size, "workers": self.workers, "show": show, "seed": self.run.seed, **options}
        return evaluate(self.plain, dataset, fabric=self.fabric, bank=self.bank, **options)

    def _set_up(self, stage: Stage) -> Take:
        """What takes a step of a stage, on the run's devices."""
        if self.fabric.world_size > 1:
            # Processes wait for each other's gradients of all that can have one: freeze what the stage does not use.
            batch = self.fabric.to_device(stage.dataset.__getitems__([stage.indices[0]]))
            parameters = list(self.plain.requires_grad_(True).parameters())
            total = stage.losses(self.plain, batch)["total"]
            gradients = torch.autograd.grad(total, parameters, allow_unused=True)
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter.requires_grad_(gradient is not None)
        losses = self.fabric.setup_module(StageLosses(self.plain, stage))
        compute = partial(self._compute, stage, losses)
        if self.recorder is None:
            return seeded(compute)
        required = self.run.graph == "on"
        return GraphedStep(compute, self.run.batch_size, self.recorder, self.optimizer.zero_grad, required=required)

    def _train_epoch(self, stage: Stage, take: Take) -> int:
        """The steps of an epoch that are not done yet; returns how many the epoch has in all."""
        run, fabric, epoch = self.run, self.fabric, self.progress.epoch
        stage.dataset.set_epoch(stage.first_epoch + epoch)
        key = (run.seed, stage.first_epoch + epoch)
        sampler = EpochSampler(
            stage.indices,
            run.batch_size,
            key,
            start=self.progress.step,
            rank=fabric.global_rank,
            processes=fabric.world_size,
        )
        source = find_source(self.bank, stage.dataset, fabric, self.workers)
        set_rate(self.optimizer, run.learning_rate_at(epoch))
        self.plain.train()
        title = f"{stage.name} epoch {epoch + 1}/{stage.epochs}"
        done = self.progress.step * run.batch_size
        with Bar(title, len(stage.indices), done, f" {stage.unit}s", fabric.is_global_zero) as bar:
            for samples in source.batches(stage.dataset, list(sampler)):
                self._step(take, samples, key)
                bar.advance(len(samples) * fabric.world_size, lambda: self._describe(stage, self.progress.step))
                if self._stop_together(sampler.batches):
                    raise KeyboardInterrupt
                if self.saver.due(within_epoch=True):
                    self.save()
        return sampler.batches

    def _step(self, take: Take, samples: Samples, key: tuple[int, ...]) -> None:
        step = self.progress.step
        if self.recorder is not None:
            self.consistent = False  # A replay does all of a step.
        take(samples, _step_seed(*key, step, self.fabric.global_rank))
        self.progress = dataclasses.replace(self.progress, step=step + 1)
        self.consistent = True

    def _compute(self, stage: Stage, model: Any, samples: Samples) -> None:
        """A step from the numbers of its samples to new weights; on CUDA without a look at any number."""
        with self.fabric.autocast():
            losses = model(samples)
        if self.fabric.device.type == "cpu":  # Elsewhere every look at a number makes the device wait.
            where = f"{stage.name}, epoch {self.progress.epoch + 1}, step {self.progress.step + 1}"
            self._check_finite(losses["total"].item(), where)
        self.fabric.backward(losses["total"])
        self.consistent = False
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.sums[: len(stage.parts)] += torch.stack([losses[part].detach() for part in stage.parts])

    def _finish_epoch(self, stage: Stage, steps: int, rate: float) -> None:
        """Validate, remember, save, and go on to the next epoch or stage."""
        progress = self.progress
        means = dict(zip(stage.parts, self._means(stage, steps), strict=True))
        entry: dict[str, Any] = {"stage": stage.name, "epoch": progress.epoch + 1, "losses": means}
        entry["learning_rate"] = self.run.learning_rate_at(progress.epoch)
        best = progress.best
        if stage.validate:
            entry["validation"] = best_now = self.evaluate("validation", self.validation).all
            best = max(best, best_now)
        improved = best > progress.best
        self._say(summary(stage, entry, rate, improved))
        self.consistent = False
        last = progress.epoch + 1 == stage.epochs
        self.progress = dataclasses.replace(
            progress,
            stage=progress.stage + last,
            epoch=0 if last else progress.epoch + 1,
            step=0,
            best=best,
            best_epoch=progress.epoch + 1 if improved else progress.best_epoch,
            history=(*progress.history, entry),
        )
        self.sums.zero_()
        if last:
            self.optimizer = self._new_optimizer()
        self.consistent = True
        if improved:
            self.saver.keep_best(self._content())
        if last or self.saver.due(within_epoch=False):
            self.save()

    def _new_optimizer(self) -> Any:
        capturable = self.recorder is not None and self.fabric.device.type == "cuda"
        rate, device = self.run.learning_rate, self.fabric.device
        return self.fabric.setup_optimizers(make_adam(self.plain.parameters(), rate, device, capturable=capturable))

    def _stop_alone(self) -> bool:
        """Whether to stop where processes cannot agree on it: only if there is but one."""
        return bool(self.stop) and self.fabric.world_size == 1

    def _stop_together(self, steps: int) -> bool:
        """Whether to stop after this step; all processes come to the same answer."""
        if self.fabric.world_size == 1:
            return bool(self.stop)
        if self.progress.step % _AGREE_STEPS and self.progress.step < steps:
            return False  # Agreeing costs a moment, so not after every step.
        asked = torch.tensor(int(bool(self.stop)), device=self.fabric.device)
        return bool(reduce(self.fabric, asked, "max").item())

    def _check_finite(self, total: float, where: str) -> None:
        if not math.isfinite(total):
            raise FloatingPointError(
                f"the loss is {total} ({where}). Nothing of it was saved: {self.output / LAST}, if there, is older. "
                f"Try a lower learning_rate than {self.run.learning_rate:g}, another precision than "
                f"{self.run.precision!r}, or look for NaN in the features"
            )

    def _describe(self, stage: Stage, steps: int) -> str:
        means = (self.sums[: len(stage.parts)] / steps).tolist()  # Of this process only: a bar is worth no waiting.
        self._check_finite(means[0], f"{stage.name}, epoch {self.progress.epoch + 1}")
        return ", ".join(f"{name} {mean:.3f}" for name, mean in zip(stage.parts, means, strict=True))

    def _means(self, stage: Stage, steps: int) -> list[float]:
        return list(reduce(self.fabric, self.sums[: len(stage.parts)] / steps, "mean").tolist())

    def _say(self, line: str) -> None:
        if self.fabric.is_global_zero:
            print(line, flush=True)


def _step_seed(*numbers: int) -> int:
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> np.uint64(1))
