"""The command ``avground`` in a process that dies (SIGKILL) or runs out of room at a moment that is asked for.

    python benchmarks/victim.py --die step:17 --losses losses.txt -- train --world tiny ...

Moments, each counted from 0 in this process: ``step:N`` before a step, ``update:N`` between the update of the weights
and its bookkeeping, ``write:N:BYTES`` after so many bytes of a checkpoint, ``name:N`` before a file that is whole gets
its name, ``evaluation:N`` before a batch of an evaluation. ``--room N:BYTES``: from step N on no file can be larger.
Every loss is appended to a file, bit by bit. Nothing of this is part of the library: it is patched in here.
"""

import argparse
import os
import resource
import signal
import sys
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

import torch

from avground import cli
from avground.data import files
from avground.training import checkpoint, evaluate, saver
from avground.training.loop import Loop
from avground.training.stages import StageLosses


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--die", metavar="MOMENT")
    parser.add_argument("--room", metavar="N:BYTES")
    parser.add_argument("--losses", required=True, metavar="FILE")
    parser.add_argument("--every", type=float, default=0.0, help="seconds between checkpoints (default: every step)")
    parser.add_argument("--without-dropout", action="store_true", help="which every process draws for itself")
    parser.add_argument("--only-rank", metavar="R", help="nothing happens to the other processes")
    parser.add_argument("arguments", nargs="+")
    options = parser.parse_args()
    saver._EPOCH_SECONDS = saver._STEP_SECONDS = options.every
    log_losses(options.losses)
    if options.without_dropout:
        torch.nn.Dropout.forward = lambda _, values: values
    if options.die and options.only_rank in (None, os.environ.get("RANK")):
        name, number, *rest = options.die.split(":")
        MOMENTS[name](int(number), *map(int, rest))
    if options.room:
        number, room = map(int, options.room.split(":"))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        limit = (room, resource.RLIM_INFINITY)
        Loop._step = before(number, Loop._step, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit))
    return cli.main(options.arguments)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def before(number: int, original: Callable[..., Any], do: Callable[[], None] = die) -> Callable[..., Any]:
    """The function, before one call of which something happens."""
    calls = [0]

    def counting(*arguments: Any, **options: Any) -> Any:
        calls[0] += 1
        if calls[0] == number + 1:
            do()
        return original(*arguments, **options)

    return counting


def log_losses(path: str) -> None:
    """Append stage, epoch, step and loss of every step to a file."""
    where: list[int] = []
    step, forward = Loop._step, StageLosses.forward

    def remember(self: Loop, *arguments: Any) -> None:
        where[:] = self.progress.stage, self.progress.epoch, self.progress.step
        step(self, *arguments)

    def log(self: StageLosses, *arguments: Any, **options: Any) -> dict[str, torch.Tensor]:
        losses = forward(self, *arguments, **options)
        with open(path, "a") as file:
            print(*where, losses["total"].item().hex(), file=file)
        return losses

    Loop._step, StageLosses.forward = remember, log


def at_step(number: int) -> None:
    Loop._step = before(number, Loop._step)


def at_update(number: int) -> None:
    zero_grad = torch.optim.Adam.zero_grad
    torch.optim.Adam.zero_grad = before(number, zero_grad)  # which follows every update at once


def at_write(number: int, size: int) -> None:
    original, calls = checkpoint.atomic_file, [0]

    class Cut:
        def __init__(self, file: Any) -> None:
            self.file, self.left = file, size

        def write(self, content: Any) -> int:
            content = memoryview(content).cast("B")
            self.file.write(content[: self.left])
            self.left -= len(content)
            if self.left <= 0:
                self.file.flush()
                die()
            return len(content)

        def __getattr__(self, name: str) -> Any:
            return getattr(self.file, name)

    @contextmanager
    def cutting(*arguments: Any, **options: Any) -> Any:
        calls[0] += 1
        with original(*arguments, **options) as file:
            yield Cut(file) if calls[0] == number + 1 else file

    checkpoint.atomic_file = cutting


def at_name(number: int) -> None:
    files.os.replace = before(number, os.replace)


def at_evaluation(number: int) -> None:
    import avground.training.loop as loop

    show, original = before(number, lambda: None), evaluate

    def evaluating(model: Any, *arguments: Any, **options: Any) -> Any:
        handle = model.register_forward_pre_hook(lambda *_: show())
        try:
            return original(model, *arguments, **options)
        finally:
            handle.remove()

    loop.evaluate = evaluating


MOMENTS: dict[str, Callable[..., None]] = {
    "step": at_step,
    "update": at_update,
    "write": at_write,
    "name": at_name,
    "evaluation": at_evaluation,
}

if __name__ == "__main__":
    sys.exit(main())
