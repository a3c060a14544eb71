"""Runs that are killed (SIGKILL, in a process of their own) or that find no room, and go on exactly."""

import errno
import os
import resource
import signal

import pytest

from avground.data import files
from avground.errors import DataError
from avground.training import read_checkpoint, saver, train
from avground.training.evaluate import evaluate as real_evaluate
from avground.training.loop import Loop
from tests.training.processes import apart
from tests.training.test_train import STEPS, _same


@pytest.fixture
def run(make_run):
    return make_run()


@pytest.fixture
def whole(run, tmp_path):
    assert apart(lambda: train(run, tmp_path / "whole")) == 0
    return tmp_path / "whole"


def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)


def after(calls, original, then=die):
    """The function, which does something else in place of one of its calls."""
    counted = []

    def counting(*arguments, **options):
        counted.append(1)
        if len(counted) == calls + 1:
            then(*arguments)
        return original(*arguments, **options)

    return counting


def step(number):
    Loop._step = after(number, Loop._step)


def within_update(number):
    import torch

    torch.optim.Adam.step = after(number, torch.optim.Adam.step)


def half_written(number):
    """In the middle of the bytes of a file."""
    original = files.os.fsync

    def cut(descriptor):
        os.ftruncate(descriptor, os.fstat(descriptor).st_size // 2)
        die()

    files.os.fsync = after(number, original, cut)


def before_its_name(number):
    """Whole, but not under its name yet."""
    files.os.replace = after(number, files.os.replace)


def evaluation(number):
    import avground.training.loop as module

    module.evaluate = after(number, real_evaluate)


MOMENTS = [
    *((step, number) for number in (0, 1, 2, 5, STEPS - 1)),
    *((within_update, number) for number in (1, 6)),
    *((half_written, number) for number in (0, 2, 6)),  # every other call is for the folder
    *((before_its_name, number) for number in (0, 1, 3)),
    *((evaluation, number) for number in (0, 1, 3)),
]


@pytest.mark.parametrize(("moment", "number"), MOMENTS, ids=lambda value: getattr(value, "__name__", value))
def test_a_killed_run_goes_on_exactly(run, tmp_path, whole, moment, number):
    def killed():
        saver._EPOCH_SECONDS = saver._STEP_SECONDS = -1.0  # so that there is a checkpoint after every step
        moment(number)
        train(run, tmp_path / "cut")

    assert apart(killed) == -signal.SIGKILL
    for name in ("last.pt", "best.pt"):
        if (tmp_path / "cut" / name).exists():
            read_checkpoint(tmp_path / "cut" / name)  # raises where it is not whole
    begun = (tmp_path / "cut" / "last.pt").exists()
    assert apart(lambda: train(run, tmp_path / "cut", resume=begun)) == 0
    assert apart(lambda: _same(whole, tmp_path / "cut")) == 0
    assert sorted(path.name for path in (tmp_path / "cut").iterdir()) == sorted(path.name for path in whole.iterdir())


def test_a_run_killed_again_and_again_ends_the_same(run, tmp_path, whole):
    def killed():
        saver._EPOCH_SECONDS = saver._STEP_SECONDS = -1.0
        step(2)
        train(run, tmp_path / "cut", resume=(tmp_path / "cut" / "last.pt").exists())

    kills = 0
    while apart(killed) == -signal.SIGKILL:
        kills += 1
    assert kills == (STEPS - 1) // 2
    assert apart(lambda: _same(whole, tmp_path / "cut")) == 0


def test_a_full_disk_stops_the_run_and_leaves_the_checkpoint_before(run, tmp_path, whole):
    def no_room():
        saver._STEP_SECONDS = -1.0
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

        def full(*_):
            resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, resource.RLIM_INFINITY))

        Loop._step = after(4, Loop._step, full)
        with pytest.raises(OSError, match=r"last\.pt: expected to write a checkpoint, got .*File too large.*--resume"):
            train(run, tmp_path / "cut")

    assert apart(no_room) == 0
    assert sorted(path.name for path in (tmp_path / "cut").iterdir()) == [".lock", "last.pt", "metrics.csv"]
    progress = read_checkpoint(tmp_path / "cut" / "last.pt")["progress"]
    assert (progress["stage"], progress["step"]) == (1, 2)
    assert apart(lambda: train(run, tmp_path / "cut", resume=True)) == 0
    assert apart(lambda: _same(whole, tmp_path / "cut")) == 0


def test_no_room_while_stopping_is_told_too(run, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Loop, "_step", after(2, Loop._step, lambda *_: os.kill(os.getpid(), signal.SIGTERM)))
    monkeypatch.setattr(saver, "write_atomically", after(1, saver.write_atomically, full))
    with pytest.raises(OSError, match=r"last\.pt: expected to write a checkpoint, got .*No space left on device"):
        train(run, tmp_path / "cut")
    assert read_checkpoint(tmp_path / "cut" / "last.pt")["progress"]["stage"] == 1


def test_a_checkpoint_with_one_flipped_bit_is_not_loaded(run, tmp_path, whole):
    path = whole / "last.pt"
    content = bytearray(path.read_bytes())
    place = content.index(read_checkpoint(path)["model"]["question.embedding.weight"].numpy().tobytes())
    content[place + 5] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"last\.pt"):
        read_checkpoint(path)
    assert apart(lambda: train(run, whole, resume=True)) == 0  # from the best one
