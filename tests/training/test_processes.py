"""Several processes train as one does: forked ones that find each other by gloo, and those of the real commands."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from avground.errors import ConfigError
from avground.training import read_checkpoint, saver, train
from avground.training.launch import Launched, find_launcher, is_first_process
from avground.training.lock import lock_folder
from avground.training.loop import Loop
from avground.training.train import make_fabric
from tests.training.processes import apart, fork, together, wait
from tests.training.test_train import _same

trainer = sys.modules["avground.training.train"]
ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def awkward(world, tmp_path):
    """29 train questions, so that the last batch is shared unevenly, some heard with another video's sound."""
    folder = tmp_path / "awkward"
    shutil.copytree(world, folder)
    (folder / "truth.json").unlink()
    path = folder / "json" / "avqa-train.json"
    rows = json.loads(path.read_text())[1:]
    videos = list(dict.fromkeys(row["video_id"] for row in rows))
    for place in (1, 5, 6, 20):
        rows[place]["unmatch_audio"] = videos[videos.index(rows[place]["video_id"]) - 1]
    path.write_text(json.dumps(rows))
    return str(folder)


@pytest.mark.parametrize("model", ["tjstg", "tjstg_sharp", "avst"])
@pytest.mark.parametrize(("processes", "batch_size"), [(2, 8), (4, 28)], ids=["uneven", "without-a-part"])
def test_processes_together_train_as_one_does(make_run, awkward, tmp_path, model, processes, batch_size):
    """Without dropout, which every process draws for itself. The last batches hold 5 questions, and 1."""
    settings = {"model": model, "batch_size": batch_size, "overrides": {"dropout": 0.0}, "unknown_words": "skip"}
    alone = train(make_run(awkward, **settings), tmp_path / "alone")
    run = make_run(awkward, devices=processes, **settings)
    assert together(processes, lambda: train(run, tmp_path / "together")) == [0] * processes
    found = json.loads((tmp_path / "together" / "metrics.json").read_text())
    assert len(found["history"]) == 3
    for ours, theirs in zip(alone["history"], found["history"], strict=True):
        assert theirs["losses"] == pytest.approx(ours["losses"], rel=1e-5, abs=1e-6)
    for split in ("validation", "test"):
        assert found[split]["count"] == alone[split]["count"]
        assert found[split]["accuracy"] == alone[split]["accuracy"]
    weights, others = (read_checkpoint(tmp_path / name / "last.pt")["model"] for name in ("alone", "together"))
    # Adam divides by the size of gradients: where they are rounding and no more, such as those of the keys' bias, which
    # moves no softmax, its steps are of the size of the learning rate.
    for name, weight in weights.items():
        rounding = 1e-3 if "in_proj" in name else 2e-5
        torch.testing.assert_close(others[name], weight, rtol=0, atol=rounding, msg=name)


def test_processes_that_share_unevenly_are_not_just_averaged(make_run, awkward, tmp_path, monkeypatch):
    """What the test above would find if every process counted the same."""
    settings = {"batch_size": 8, "overrides": {"dropout": 0.0}, "unknown_words": "skip"}
    alone = train(make_run(awkward, **settings), tmp_path / "alone")
    run = make_run(awkward, devices=2, **settings)
    monkeypatch.setattr("avground.training.stages.Stage.shares", lambda self, *_: dict.fromkeys(self.parts[1:], 1.0))
    assert together(2, lambda: train(run, tmp_path / "together")) == [0, 0]
    found = json.loads((tmp_path / "together" / "metrics.json").read_text())
    mine, theirs = (report["history"][1]["losses"] for report in (alone, found))
    assert mine["answer"] != pytest.approx(theirs["answer"], rel=1e-5, abs=1e-6)


def test_processes_stop_together_and_go_on_exactly(make_run, tmp_path):
    """A signal to one of them stops both after the same step, and the rest of the run is what it would have been."""
    run = make_run(devices=2, batch_size=2, epochs=3)
    assert together(2, lambda: train(run, tmp_path / "whole")) == [0, 0]

    def interrupted():
        original, steps = Loop._step, []

        def step(self, *arguments):
            original(self, *arguments)
            steps.append(1)
            if len(steps) == 5 + 4 and self.fabric.global_rank == 1:
                os.kill(os.getpid(), signal.SIGTERM)

        Loop._step = step
        train(run, tmp_path / "cut")

    assert together(2, interrupted) == [1, 1]
    progress = read_checkpoint(tmp_path / "cut" / "last.pt")["progress"]
    assert (progress["stage"], progress["step"]) == (1, 10)  # of 15: so that the losses so far count too
    assert together(2, lambda: train(run, tmp_path / "cut", resume=True)) == [0, 0]
    assert apart(lambda: _same(tmp_path / "whole", tmp_path / "cut")) == 0


def test_one_of_several_that_is_killed_takes_the_others_along_and_the_run_goes_on_exactly(make_run, tmp_path):
    run = make_run(devices=2, batch_size=2, epochs=2)
    assert together(2, lambda: train(run, tmp_path / "whole")) == [0, 0]

    def killed():
        saver._EPOCH_SECONDS = saver._STEP_SECONDS = -1.0
        original, steps = Loop._step, []

        def step(self, *arguments):
            steps.append(1)
            if len(steps) == 5 + 13 and self.fabric.global_rank == 1:
                os.kill(os.getpid(), signal.SIGKILL)
            original(self, *arguments)

        Loop._step = step
        train(run, tmp_path / "cut")

    assert together(2, killed) == [1, -signal.SIGKILL]
    progress = read_checkpoint(tmp_path / "cut" / "last.pt")["progress"]
    assert (progress["stage"], progress["step"]) == (1, 10)
    assert together(2, lambda: train(run, tmp_path / "cut", resume=True)) == [0, 0]
    assert apart(lambda: _same(tmp_path / "whole", tmp_path / "cut")) == 0


def test_processes_that_stop_wait_for_the_checkpoint(make_run, tmp_path):
    """Launchers kill what is left once the first process has ended."""
    ended = tmp_path / "ended"

    def interrupted():
        rank = int(os.environ["RANK"])
        original, write = Loop._step, saver.write_atomically

        def step(self, *arguments):
            original(self, *arguments)
            if self.progress.step == 1:
                os.kill(os.getpid(), signal.SIGTERM)

        def slow(path, content):
            time.sleep(1)
            assert not ended.exists()  # no other process has ended
            write(path, content)

        Loop._step, saver.write_atomically = step, slow
        try:
            train(make_run(devices=2, stage_one_epochs=0), tmp_path / "run")
        finally:
            if rank == 1:
                ended.touch()

    assert together(2, interrupted) == [1, 1]
    assert ended.exists()
    assert read_checkpoint(tmp_path / "run" / "last.pt")["progress"]["step"] == 4


def test_a_loss_of_one_process_that_is_not_finite_stops_all(make_run, tmp_path, capfd):
    def broken():
        original = torch.nn.functional.cross_entropy
        calls = []

        def loss(*arguments, **options):
            calls.append(1)
            value = original(*arguments, **options)
            return value * float("nan") if os.environ["RANK"] == "1" and len(calls) == 6 else value  # step 2

        torch.nn.functional.cross_entropy = loss
        train(make_run(devices=2, stage_one_epochs=0, overrides={"dropout": 0.0}), tmp_path / "run")

    assert together(2, broken) == [1, 1]
    assert capfd.readouterr().err.count("got a loss of nan") >= 2
    saved = read_checkpoint(tmp_path / "run" / "last.pt")
    assert (saved["progress"]["step"], saved["progress"]["sums"][-1]) == (1, 1)
    assert all(weight.isfinite().all() for weight in saved["model"].values())


@pytest.fixture(scope="module")
def commands(tmp_path_factory):
    """What ``avground train --devices 2`` and ``torchrun`` make of the same options."""
    folder = tmp_path_factory.mktemp("commands")
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
        "AVGROUND_CACHE": str(folder / "cache"),
    }
    options = ["--world", "tiny", "--epochs", "1", "--stage-one-epochs", "1", "--device", "cpu"]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    ways = {
        "devices": [sys.executable, "-m", "avground", "train", "--devices", "2"],
        "torchrun": [*torchrun, str(ROOT / "examples" / "train_music_avqa.py")],
    }
    for name, command in ways.items():
        done = subprocess.run(
            [*command, *options, "--output", str(folder / name)],
            env=environment,
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert re.search(r"device  2 x cpu", done.stdout)
    return folder


def test_the_two_ways_to_start_processes_give_the_same_result(commands):
    one, other = (read_checkpoint(commands / name / "last.pt") for name in ("devices", "torchrun"))
    assert one["run"] == other["run"]
    assert all(torch.equal(one["model"][name], other["model"][name]) for name in one["model"])
    reports = [json.loads((commands / name / "metrics.json").read_text()) for name in ("devices", "torchrun")]
    assert reports[0]["test"] == reports[1]["test"]


TORCHRUN = {"TORCHELASTIC_RUN_ID": "x", "WORLD_SIZE": "6", "LOCAL_WORLD_SIZE": "3", "RANK": "4", "LOCAL_RANK": "1"}
SLURM = {"SLURM_NTASKS": "8", "SLURM_NNODES": "2", "SLURM_JOB_NAME": "train", "SLURM_PROCID": "0"}


@pytest.mark.parametrize(
    ("environment", "expected", "first"),
    [
        ({}, None, True),
        (TORCHRUN, Launched("torchrun", 3, 2), False),
        (SLURM, Launched("srun", 4, 2), True),
        ({**SLURM, "SLURM_NTASKS_PER_NODE": "4", "SLURM_PROCID": "5"}, Launched("srun", 4, 2), False),
        ({**SLURM, "SLURM_JOB_NAME": "bash"}, None, True),
    ],
)
def test_who_started_the_processes_says_how_many(monkeypatch, environment, expected, first):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert find_launcher() == expected
    assert is_first_process() == first


def test_a_run_of_another_number_of_processes_is_refused(make_run, monkeypatch):
    for name, value in TORCHRUN.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(
        ConfigError, match="devices, nodes: expected 3 and 2, as torchrun started the processes, got 1 and"
    ):
        make_fabric(make_run())


def test_two_runs_in_one_folder(make_run, tmp_path):
    """The second is refused while the first runs, and a killed one holds nothing."""
    reads, writes = os.pipe()

    def hold():
        with lock_folder(tmp_path / "run"):
            os.write(writes, b"x")
            signal.pause()

    holder = fork(hold)
    os.read(reads, 1)
    with pytest.raises(ConfigError, match=rf"no running training uses, got .*run, which process {holder} on .* does"):
        train(make_run(), tmp_path / "run")
    assert [path.name for path in (tmp_path / "run").iterdir()] == [".lock"]
    run = make_run(devices=2)
    assert together(2, lambda: train(run, tmp_path / "run")) == [1, 1]  # the second does not wait for ever
    os.kill(holder, signal.SIGKILL)
    assert wait(holder) == -signal.SIGKILL
    assert apart(lambda: train(make_run(epochs=1, stage_one_epochs=0), tmp_path / "run")) == 0


@pytest.mark.parametrize("resume", [False, True])
def test_a_run_that_ends_while_another_one_starts_is_not_overwritten(make_run, tmp_path, monkeypatch, resume):
    """The second one looks at the folder first, and reads features for a while before it takes it."""
    run, original = make_run(epochs=1, stage_one_epochs=0), trainer.load_features
    if resume:
        assert apart(lambda: train(run, tmp_path / "run")) == 0
        (tmp_path / "run" / "metrics.json").unlink()

    def other():
        trainer.load_features = original
        train(run, tmp_path / "run", resume=resume)

    def meanwhile(*arguments, **options):
        assert apart(other) == 0
        return original(*arguments, **options)

    monkeypatch.setattr(trainer, "load_features", meanwhile)
    with pytest.raises(ConfigError, match=r"output: expected .*run as it was a moment ago, but another"):
        train(run, tmp_path / "run", resume=resume)
