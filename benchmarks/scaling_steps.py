"""A training step by one process and by two, and what their exchange of gradients takes; for scaling.py.

Three processes are started: one that trains alone, and two that share each batch as those of ``torchrun`` do, over gloo
on the loopback interface. All hold the same features and take the same steps; nobody works but whose turn it is.
"""

import multiprocessing
import os
import socket
import statistics
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
from speed.timing import Effort, spread

from avground.data import Bank, FeatureStore, read_annotations
from avground.data.vocabulary import Vocabulary
from avground.training import Run, Splits, make_model, music_avqa_run
from avground.training.batches import Picked, pick
from avground.training.optimizer import make_adam
from avground.training.sampler import EpochSampler
from avground.training.stages import make_stages
from avground.training.steps import Steps
from avground.training.tally import Tally
from avground.training.train import make_fabric

BATCH = 16
"""Questions a step, over all processes together."""

START = "spawn"
"""How processes are started: a forked one would share what torch has set up."""

WAYS: Mapping[str, tuple[int, int, str]] = {
    "one process, 1 thread": (1, 1, "step"),
    "one process, 2 threads": (1, 2, "step"),
    "two processes, 1 thread each": (2, 1, "step"),
    "two processes, gradients not exchanged": (2, 1, "alone"),
    "exchange of the gradients alone": (2, 1, "exchange"),
    "answering, one process, 1 thread": (1, 1, "answer"),
}
"""What is timed: how many processes, threads of each, and what they do."""


def measure(questions: Path, store: Path, effort: Effort, seed: int) -> dict[str, Any]:
    """Time all ways by turns.

    Args:
        questions: A file of at least ``BATCH`` questions.
        store: Features of their videos.
        effort: How often.
        seed: Of weights and order.

    Raises:
        SystemExit: if one process and two do not compute the same.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    groups = {count: Group(count, questions, store, seed) for count in (1, 2)}
    try:
        alone, together = (groups[count].ask("step", 1) for count in (1, 2))
        difference = abs(together["loss"] / alone["loss"] - 1)
        if not difference <= 1e-5:
            raise SystemExit(f"two processes: the loss deviates by {difference:.2g} from one process's, expected 1e-5")
        seconds: dict[str, list[float]] = {name: [] for name in WAYS}
        for _ in range(effort.warmup + effort.repeats):
            for name, (count, threads, task) in WAYS.items():
                seconds[name].append(groups[count].ask(task, threads)["seconds"])
    finally:
        for group in groups.values():
            group.close()
    times = {name: spread([1e3 * value for value in values[effort.warmup :]]) for name, values in seconds.items()}
    ways = {
        name: {"processes": count, "threads": threads, "milliseconds": times[name]}
        for name, (count, threads, _) in WAYS.items()
    }
    shared, unshared = (seconds[name][effort.warmup :] for name in list(WAYS)[2:4])
    shares = [1 - without / with_ for with_, without in zip(shared, unshared, strict=True)]
    return {
        "batch": BATCH,
        "repeats": effort.repeats,
        "loss_deviation": difference,
        "gradient_bytes": together["bytes"],
        "ways": ways,
        "share_of_exchange": spread(shares),
    }


class Group:
    """Processes that train together and wait for what they are told.

    Args:
        count: How many.
        questions: See :func:`measure`.
        store: See :func:`measure`.
        seed: See :func:`measure`.
    """

    def __init__(self, count: int, questions: Path, store: Path, seed: int) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        context = multiprocessing.get_context(START)
        self.processes, self.pipes = [], []
        for rank in range(count):
            pipe, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(theirs, rank, count, port, questions, store, seed))
            process.daemon = True  # Whatever happens here, none stays behind.
            process.start()
            theirs.close()  # So that a process that dies is an end of file here.
            self.processes.append(process)
            self.pipes.append(pipe)

    def ask(self, task: str, threads: int) -> dict[str, float]:
        """Let all do something at once: the time of the slowest, the mean of their losses, bytes of their gradients."""
        for pipe in self.pipes:
            pipe.send((task, threads))
        answers = [pipe.recv() for pipe in self.pipes]
        return {
            "seconds": max(answer["seconds"] for answer in answers),
            "loss": statistics.fmean(answer["loss"] for answer in answers),
            "bytes": answers[0]["bytes"],
        }

    def close(self) -> None:
        """Let them end."""
        for pipe in self.pipes:
            with suppress(OSError):  # It may have died.
                pipe.send(None)
        for process in self.processes:
            process.join(20)
            process.terminate()


def _serve(pipe: Connection, rank: int, count: int, port: int, questions: Path, store: Path, seed: int) -> None:
    """What each process does: set itself up as training does, then answer until the pipe is closed."""
    if count > 1:
        names = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": count, "LOCAL_WORLD_SIZE": count, "MASTER_PORT": port}
        os.environ.update({name: str(value) for name, value in names.items()})
        os.environ.update(MASTER_ADDR="127.0.0.1", TORCHELASTIC_RUN_ID="scaling")
    trainer = Trainer(count, questions, store, seed)
    tasks: dict[str, Callable[[], None]] = {
        "step": trainer.step,
        "alone": lambda: trainer.step(exchange=False),
        "exchange": trainer.exchange,
        "answer": trainer.answer,
    }
    while (asked := pipe.recv()) is not None:
        task, threads = asked
        torch.set_num_threads(threads)
        started = time.perf_counter()
        tasks[task]()
        seconds = time.perf_counter() - started
        pipe.send({"seconds": seconds, "loss": trainer.loss, "bytes": trainer.gradients.nbytes})
    if count > 1:
        torch.distributed.destroy_process_group()


class Trainer:
    """A process's part of training ``tjstg`` at its published size, without dropout, which each would draw for itself.

    Attributes:
        gradients: As many numbers as the model has gradients.
    """

    def __init__(self, count: int, questions: Path, store: Path, seed: int) -> None:
        records, features = read_annotations(questions), FeatureStore(store)
        vocabulary = Vocabulary.from_annotations(records)
        splits = Splits(
            questions.parent, dict.fromkeys(("train", "val", "test"), records), vocabulary, features, {}, None
        )
        run = _make_run(count, seed)
        self.fabric = make_fabric(run)
        self.fabric.launch()
        self.stage, self.model = make_stages(run, splits)[-1], make_model(run, splits)
        adam = make_adam(self.model.parameters(), run.learning_rate, self.fabric.device, capturable=False)
        self.tally = Tally(self.fabric.device)
        optimizer: Any = self.fabric.setup_optimizers(adam)
        self.steps = Steps(run, self.stage, self.model, self.fabric, optimizer, self.tally, None)
        self.bank = Bank.load(features, features.kinds["visual"].ids, progress=False)
        sampler = EpochSampler(
            self.stage.indices, BATCH, (seed, 0), rank=self.fabric.global_rank, processes=self.fabric.world_size
        )
        full = len(self.stage.indices) // BATCH
        self.batches = list(zip(sampler, sampler.whole(), strict=True))[:full]
        trained = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        self.gradients = torch.zeros(sum(map(torch.numel, trained)))
        self.taken = 0
        self.loss = 0.0

    def step(self, *, exchange: bool = True) -> None:
        """Take a training step; if the gradients are not exchanged, with those of this process's part."""
        part, batch = self.batches[self.taken % len(self.batches)]
        several = self.fabric.world_size > 1
        shares = self.stage.shares(part, batch, self.fabric.world_size) if several else None
        before = self.tally.sums[0].item()
        with nullcontext() if exchange else self.fabric.no_backward_sync(self.steps._losses):
            self.steps.take(self._picked(part), (0, self.taken), shares)
        self.taken += 1
        self.loss = self.tally.sums[0].item() - before

    def exchange(self) -> None:
        """The sum of as many numbers as there are gradients, over all processes."""
        torch.distributed.all_reduce(self.gradients)

    def answer(self) -> None:
        """Answer a batch of questions, as evaluation does."""
        batch = self._picked(self.batches[0][1]).make()
        self.model.eval()
        with torch.inference_mode():
            self.model(batch.audio, batch.visual, batch.question)
        self.model.train()

    def _picked(self, samples: list[int]) -> Picked:
        return pick(self.bank, self.stage.dataset, samples)


def _make_run(count: int, seed: int) -> Run:
    """What is trained; the data are not read from its folder."""
    changes = {"stage_one_epochs": 0, "epochs": 1, "batch_size": BATCH, "device": "cpu", "overrides": {"dropout": 0.0}}
    return music_avqa_run("", devices=count, seed=seed, **changes)
