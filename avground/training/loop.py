"""The training loop."""

import dataclasses
import time
from pathlib import Path
from typing import Any

import torch
from lightning.fabric import Fabric

from avground.data import Bank
from avground.models import Network
from avground.models.weights import load_weights
from avground.training.batches import Samples, find_source
from avground.training.checkpoint import make_checkpoint, read_checkpoint
from avground.training.evaluate import Evaluation, evaluate, reduce
from avground.training.graph import Recorder
from avground.training.grounding import masks_of
from avground.training.interrupt import StoppedTogether, StopRequest
from avground.training.observer import Observer
from avground.training.optimizer import make_adam, optimizer_state, restore_optimizer, restore_scaler, set_rate
from avground.training.progress import Bar, Progress, check_progress, show_batches, summary
from avground.training.run import Run
from avground.training.sampler import EpochSampler
from avground.training.saver import BEST, LAST, Saver
from avground.training.splits import Splits, workers_for
from avground.training.stages import Stage, make_stages
from avground.training.steps import Steps
from avground.training.tally import Tally
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
            for dataset in (self.validation, self.test):
                masks_of(dataset.records, splits.truth, splits.features.segments)  # so that it fails now or never
        self.workers = workers_for(run, splits.features)
        self.plain = model.to(fabric.device)
        self.progress = Progress()
        self.optimizer: Any = self._new_optimizer()
        self.tally = Tally(fabric.device)
        self._steps: Steps | None = None
        self._between = True
        self.observer = Observer(run, splits, model, output, fabric)
        self.saver = Saver(output, writes=fabric.is_global_zero)
        self._started = time.monotonic()

    def restore(self, content: dict[str, Any], path: str) -> None:
        """Go on from a checkpoint's content.

        Raises:
            DataError: if it is not that of a moment of this run.
        """
        check_progress(content["progress"], f"{path}: progress")
        load_weights(self.plain, content["model"], path)
        restore_optimizer(self.optimizer, content["optimizer"], path)
        restore_scaler(self.fabric.strategy.precision, content["precision"], path)
        values = dict(content["progress"])
        self.tally.restore(values.pop("sums"), values["step"])
        self.progress = Progress.from_dict(values)
        self.progress.check(self.stages, path)

    def fit(self) -> None:
        """Train until all stages are done.

        Raises:
            StoppedTogether: once asked to stop, after a step.
            KeyboardInterrupt: once asked to stop elsewhere, or twice.
            FloatingPointError: if a loss is not finite.
        """
        self._started = time.monotonic()
        self.observer.open(self.progress.history)
        while not self.done:
            number = self.progress.stage
            stage = self.stages[number]
            self._steps = Steps(self.run, stage, self.plain, self.fabric, self.optimizer, self.tally, self.recorder)
            while self.progress.stage == number:
                self.observer.usage.start()
                sampler = self._sampler(stage)
                self._train_epoch(stage, self._steps, sampler)
                self._look(stage, sampler)
                usage = self.observer.usage.stop(sum(map(len, sampler.whole())))
                self._finish_epoch(stage, sampler.batches, usage)
        self.observer.close()

    def save(self) -> None:
        """Write checkpoints; only the first process does."""
        self.saver.write(self._content())

    def _content(self) -> dict[str, Any]:
        """What a checkpoint holds."""
        # After a step whose numbers were not finite all others were left undone.
        progress = dataclasses.replace(self.progress, step=self.tally.steps, seconds=self.seconds)
        return make_checkpoint(
            self.plain,
            self.run,
            self.splits.vocabulary,
            templates=self.splits.templates,
            features=self.splits.features.describe(),
            files=self.splits.files,
            progress={**progress.to_dict(), "sums": self.tally.sums.tolist()},
            optimizer=optimizer_state(self.optimizer),
            precision=self.fabric.strategy.precision.state_dict(),
            versions=versions(),
        )

    @property
    def consistent(self) -> bool:
        """Whether weights, optimiser and progress are of one moment."""
        return self._between and (self._steps is None or self._steps.consistent)

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

    def _sampler(self, stage: Stage) -> EpochSampler:
        """What is left of the epoch under way."""
        fabric, epoch = self.fabric, stage.first_epoch + self.progress.epoch
        return EpochSampler(
            stage.indices,
            self.run.batch_size,
            (self.run.seed, epoch),
            start=self.progress.step,
            rank=fabric.global_rank,
            processes=fabric.world_size,
        )

    def _train_epoch(self, stage: Stage, steps: Steps, sampler: EpochSampler) -> None:
        """The steps of an epoch that are not done yet."""
        run, fabric, epoch = self.run, self.fabric, self.progress.epoch
        stage.dataset.set_epoch(stage.first_epoch + epoch)
        source = find_source(self.bank, stage.dataset, fabric, self.workers)
        set_rate(self.optimizer, run.learning_rate_at(epoch))
        self.plain.train()
        whole, processes = list(sampler.whole()), fabric.world_size
        # A process without a part of a small last batch computes with a sample that counts for nothing.
        parts = [part or batch[:1] for part, batch in zip(sampler, whole, strict=True)]
        title = f"{stage.name} epoch {epoch + 1}/{stage.epochs}"
        done = self.progress.step * run.batch_size
        with Bar(title, len(stage.indices), done, f" {stage.unit}s", fabric.is_global_zero) as bar:
            batches = source.batches(stage.dataset, parts)
            for samples, part, batch in zip(batches, sampler, whole, strict=True):
                self._step(steps, samples, stage.shares(part, batch, processes) if processes > 1 else None)
                bar.advance(len(batch), lambda: self._describe(stage, sampler))
                self._after_step(stage, sampler)

    def _step(self, steps: Steps, samples: Samples, shares: dict[str, float] | None) -> None:
        progress = self.progress
        epoch = self.stages[progress.stage].first_epoch + progress.epoch
        steps.take(samples, (self.run.seed, epoch, progress.step), shares)
        self.progress = dataclasses.replace(progress, step=progress.step + 1)

    def _after_step(self, stage: Stage, sampler: EpochSampler) -> None:
        """Stop if a number is not finite or somebody asked for it, and save if it is time; all processes alike."""
        several = self.fabric.world_size > 1
        if several and self.progress.step % _AGREE_STEPS and self.progress.step < sampler.batches:
            return  # Agreeing costs a moment, so not after every step.
        if several or self.fabric.device.type == "cpu":  # Elsewhere every look at a number makes the device wait.
            self._look(stage, sampler)
        asked = bool(self.stop)
        if several:
            asked = bool(reduce(self.fabric, torch.tensor(int(asked), device=self.fabric.device), "max").item())
        if asked:
            raise StoppedTogether
        if self.saver.due(within_epoch=True):
            self._look(stage, sampler)
            self.save()

    def _finish_epoch(self, stage: Stage, steps: int, usage: dict[str, Any]) -> None:
        """Validate, remember, save, log, and go on to the next epoch or stage."""
        progress = self.progress
        means = dict(zip(stage.parts, self.tally.means(len(stage.parts), steps).tolist(), strict=True))
        entry: dict[str, Any] = {"stage": stage.name, "epoch": progress.epoch + 1, "losses": means}
        entry["learning_rate"] = self.run.learning_rate_at(progress.epoch)
        best, told = progress.best, list[str]()
        if stage.validate:
            found = self.evaluate("validation", self.validation, truth=self.splits.truth)
            entry.update(validation=found.all, attention=found.attention, grounding=found.grounding)
            best = max(best, found.all)
            told = self.observer.alerts(found, progress.epoch + 1)
        entry.update(usage)
        improved = best > progress.best
        self._say(summary(stage, entry, improved), *told)
        self._between = False
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
        self.tally.clear()
        if last:
            self.optimizer = self._new_optimizer()
        self._between = True
        if improved:
            self.saver.keep_best(self._content())
        if last or self.saver.due(within_epoch=False):
            self.save()
        self.observer.write(entry)

    def _new_optimizer(self) -> Any:
        capturable = self.recorder is not None and self.fabric.device.type == "cuda"
        rate, device = self.run.learning_rate, self.fabric.device
        return self.fabric.setup_optimizers(make_adam(self.plain.parameters(), rate, device, capturable=capturable))

    def _stop_alone(self) -> bool:
        """Whether to stop where processes cannot agree on it: only if there is but one."""
        return bool(self.stop) and self.fabric.world_size == 1

    def _look(self, stage: Stage, sampler: EpochSampler) -> None:
        """Stop the run if a number of a step was not finite; what it was before that step is saved."""
        if not self.tally.broken.item():
            return
        step = self.tally.steps
        self.save()
        self.fabric.barrier()  # Whoever is first to end may take the others along.
        videos = stage.videos_of(sampler.batch(step))
        where = f"{stage.name}, epoch {self.progress.epoch + 1}, step {step + 1} of {sampler.batches}"
        raise FloatingPointError(
            f"{self.tally.describe()} in {where}, on questions about the videos {', '.join(videos)}. "
            f"{self.output / LAST} holds the run as it was before that step. Look at these features (avground verify), "
            f"or train with a lower learning_rate than {self.run.learning_rate:g} or another precision than "
            f"{self.run.precision!r}"
        )

    def _describe(self, stage: Stage, sampler: EpochSampler) -> str:
        if self.fabric.world_size == 1:
            self._look(stage, sampler)
        means = self.tally.means(len(stage.parts), self.progress.step).tolist()
        return ", ".join(f"{name} {mean:.3f}" for name, mean in zip(stage.parts, means, strict=True))

    def _say(self, *lines: str) -> None:
        if self.fabric.is_global_zero:
            print(*lines, sep="\n", flush=True)
