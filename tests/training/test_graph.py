import json
import sys
from functools import partial
from types import SimpleNamespace

import pytest
import torch

from avground.data import Bank
from avground.errors import ConfigError
from avground.models import MODELS
from avground.training import Interrupted, graph, read_checkpoint, train
from avground.training.batches import FromDevice, Picked
from avground.training.graph import WARM_UP, GraphedStep, find_recorder
from avground.training.stages import StageLosses, make_stages
from avground.training.tally import Tally
from tests.training.test_batches import bank_of
from tests.training.test_stages import ASKED, two_steps
from tests.training.test_train import _equal, _interrupt, _raise, _timeless

NEEDS_CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


class Replaying:
    """Stands in for CUDA: a recorded step is done when it is replayed, with what its memory then holds."""

    def __init__(self, fails=False):
        self.fails, self.failed = fails, False
        self.warmed, self.recorded, self.replayed, self.recovered = 0, 0, 0, 0

    def warm_up(self, step):
        self.warmed += 1
        step()

    def record(self, step):
        self.recorded += 1
        if self.fails:
            raise RuntimeError("operation not permitted when stream is capturing\nmore of it")

        def replay():
            self.replayed += 1
            step()

        return replay

    def recover(self):
        self.recovered += 1


@pytest.fixture
def batches(splits):
    source = FromDevice(bank_of(splits))
    dataset = splits.dataset("train", splits.negatives(0))
    order = [[place, place + 1] for place in range(0, 20, 2)] + [[20]]
    return list(source.batches(dataset, order))


def graphed(compute, recorder, cleared=(), **options):
    return GraphedStep(compute, 2, recorder, lambda: cleared.append(1), **{"required": False, **options})


def test_the_first_steps_are_done_and_later_ones_replayed(batches):
    seen = []

    def compute(samples):
        seen.append((samples.make().index.tolist(), torch.rand(1).item()))

    recorder = Replaying()
    step = graphed(compute, recorder)
    order = [batches[0], batches[-1], *batches[1:]]
    for seed, samples in enumerate(order):
        step(samples, seed)
    assert (recorder.warmed, recorder.recorded, recorder.replayed) == (WARM_UP, 1, 10 - WARM_UP)
    found, seen = list(seen), []
    for seed, samples in enumerate(order):
        torch.manual_seed(seed)
        compute(samples)
    assert found == seen


def test_a_replay_reads_the_same_memory(batches):
    addresses = set()
    step = graphed(lambda samples: addresses.add(samples.table.data_ptr()), Replaying())
    for samples in batches[:WARM_UP]:
        step(samples, 0)
    warm = set(addresses)
    addresses.clear()
    for samples in batches[WARM_UP:-1]:
        step(samples, 0)
    assert len(addresses) == 1
    assert not addresses & warm


def test_a_step_that_cannot_be_recorded_is_done(batches, capsys):
    seen, cleared, recorder = [], [], Replaying(fails=True)
    step = graphed(lambda samples: seen.append(samples.make().index.tolist()), recorder, cleared)
    for samples in batches:
        step(samples, 0)
    assert seen == [samples.make().index.tolist() for samples in batches]
    assert (recorder.recorded, recorder.replayed, recorder.recovered, cleared) == (1, 0, 1, [1])
    told = "graph   off: the step cannot be recorded: operation not permitted when stream is capturing\n"
    assert capsys.readouterr().out == told
    assert recorder.failed
    step = graphed(lambda samples: None, Replaying(fails=True), cleared, required=True)
    for samples in batches[:WARM_UP]:
        step(samples, 0)
    with pytest.raises(ConfigError, match="graph='on': expected a step that can be recorded, got: operation not"):
        step(batches[WARM_UP], 0)


@pytest.fixture
def record(monkeypatch):
    """Let runs record on the CPU."""

    def patch(recorder):
        monkeypatch.setattr(sys.modules["avground.training.train"], "find_recorder", lambda *_: (recorder, ""))
        return recorder

    return patch


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("model", ["tjstg", "tjstg_sharp"])
def test_a_recorded_run_is_the_run(make_run, tmp_path, record, model, fails):
    """Two stages, short last batches, and a learning rate that changes."""
    run = make_run(model=model, stage_one_epochs=3, epochs=3, batch_size=4, decay_epochs=1)
    train(run, tmp_path / "done")
    recorder = record(Replaying(fails))
    train(run, tmp_path / "recorded")
    stages = 1 if fails else 2  # what failed in the first stage is not tried in the second
    assert recorder.warmed == stages * WARM_UP
    assert recorder.recorded == stages
    # 10 videos and 30 questions in batches of 4: 2 and 7 full ones an epoch.
    assert recorder.replayed == (0 if fails else 3 * (2 + 7) - 2 * WARM_UP)
    for name in ("last.pt", "best.pt"):
        a, b = (_timeless(read_checkpoint(tmp_path / way / name)) for way in ("done", "recorded"))
        assert [key for key in a if not _equal(a[key], b[key])] == []


@pytest.mark.parametrize("step", [2, 8, 13])
def test_a_recorded_run_goes_on_where_it_stopped(make_run, tmp_path, monkeypatch, record, step):
    run = make_run(batch_size=4)
    train(run, tmp_path / "whole")
    record(Replaying())
    with monkeypatch.context() as patch:
        _interrupt(patch, "_step", step, _raise)
        with pytest.raises(Interrupted):
            train(run, tmp_path / "cut")
    train(run, tmp_path / "cut", resume=True)
    a, b = (read_checkpoint(tmp_path / way / "last.pt") for way in ("whole", "cut"))
    assert _equal(a["model"], b["model"])
    assert _equal(a["optimizer"], b["optimizer"])
    assert _equal(_timeless(a["progress"]["history"]), _timeless(b["progress"]["history"]))


def test_an_interrupt_within_a_replay_saves_nothing_half_done(make_run, tmp_path, record):
    class Stopping(Replaying):
        def record(self, step):
            replay = super().record(step)

            def interrupted():
                replay()
                raise KeyboardInterrupt

            return interrupted

    record(Stopping())
    with pytest.raises(Interrupted, match="within a step, of which nothing was saved"):
        train(make_run(stage_one_epochs=0), tmp_path)


@pytest.mark.parametrize(
    ("changes", "fabric", "features_on", "why"),
    [
        ({"graph": "off"}, {}, "cuda", "as asked for"),
        ({}, {"device": "cpu"}, "cpu", "expected a CUDA device, got cpu"),
        ({}, {}, None, "expected features on cuda, got them on disk"),
        ({}, {}, "cpu", "expected features on cuda, got them on cpu"),
        ({}, {"world_size": 2}, "cuda", "expected one process, got 2"),
        ({"precision": "16-mixed"}, {}, "cuda", "expected the precision '32-true' or 'bf16-mixed', got '16-mixed'"),
        ({}, {}, "cuda", ""),
        ({"precision": "bf16-mixed"}, {}, "cuda", ""),
    ],
)
def test_where_steps_can_be_recorded(make_run, monkeypatch, changes, fabric, features_on, why):
    monkeypatch.setattr(graph, "CudaRecorder", lambda device: device)
    on = {"device": "cuda", "world_size": 1, **fabric}
    there = SimpleNamespace(**{**on, "device": torch.device(on["device"])})
    place = None if features_on is None else torch.device(features_on)
    recorder, found = find_recorder(make_run(**changes), there, place)
    assert (recorder is None, found) == (bool(why), why)
    if why and "graph" not in changes:
        with pytest.raises(ConfigError, match=f"graph='on': {why}"):
            find_recorder(make_run(graph="on", **changes), there, place)


def test_a_graph_that_cannot_be_is_refused_before_anything_is_written(make_run, tmp_path):
    with pytest.raises(ConfigError, match="graph='on': expected a CUDA device, got cpu"):
        train(make_run(graph="on"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_nothing_is_said_of_graphs_on_the_cpu(make_run, tmp_path, capsys):
    train(make_run(epochs=1), tmp_path)
    assert "\ngraph " not in capsys.readouterr().out


@pytest.mark.parametrize("asked", ASKED, ids=lambda asked: "-".join(*asked.items()))
def test_a_step_looks_at_no_number(splits, asked):
    """On the meta device there are none: whatever waits for one, or brings one along, fails there."""
    run, meta, c = two_steps("world", **asked), torch.device("meta"), 8
    with meta:
        model = MODELS[run.model](vocabulary_size=9, answers=5, audio_dim=c, visual_dim=c, dim=c, **run.overrides)
        bank = Bank(torch.empty(7, 5, c), torch.empty(35, c, 6, 6, dtype=torch.float16), torch.empty(35, 6, 6), {})
    for stage in make_stages(run, splits):
        columns = 14 + 4 + (5 if stage.dataset.negatives is None else 10)
        samples = Picked(bank, torch.zeros(3, columns, dtype=torch.int64, device=meta), 14)
        losses = StageLosses(model, stage)(samples)
        losses["total"].backward()
        tally = Tally(meta)  # What a step does beside, recorded with it.
        norm = torch.nn.utils.get_total_norm([p.grad for p in model.parameters() if p.grad is not None])
        numbers = torch.stack([norm.double(), *(losses[part].detach().double() for part in stage.parts)])
        tally.judge(numbers[:2])
        tally.add(numbers[1:])
        assert list(losses) == list(stage.parts)
        assert losses["total"].device == meta
        assert any(parameter.grad is not None for parameter in model.parameters())


# On a CUDA device. cuDNN warns that weights of an LSTM with an added input are not in one piece.


@pytest.fixture
def cuda_run(make_run):
    return partial(make_run, device="cuda", stage_one_epochs=3, epochs=3, batch_size=4, decay_epochs=1)


def losses(report):
    return [value for epoch in report["history"] for value in epoch["losses"].values()]


@NEEDS_CUDA
@pytest.mark.filterwarnings("ignore:RNN module weights")
@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
@pytest.mark.parametrize("model", ["tjstg", "tjstg_sharp"])
def test_a_graph_computes_what_steps_compute(cuda_run, tmp_path, monkeypatch, model, precision):
    done = train(cuda_run(model=model, precision=precision, graph="off"), tmp_path / "done")
    replayed, original = [], torch.cuda.CUDAGraph.replay
    monkeypatch.setattr(torch.cuda.CUDAGraph, "replay", lambda self: (replayed.append(1), original(self)))
    recorded = train(cuda_run(model=model, precision=precision, graph="on"), tmp_path / "recorded")
    assert len(replayed) == 3 * (2 + 7) - 2 * WARM_UP
    close = {"rel": 1e-3, "abs": 1e-6} if precision == "32-true" else {"rel": 3e-2, "abs": 1e-4}
    assert losses(recorded) == pytest.approx(losses(done), **close)


@NEEDS_CUDA
@pytest.mark.filterwarnings("ignore:RNN module weights")
def test_a_graph_goes_on_from_steps_and_steps_from_a_graph(cuda_run, tmp_path, monkeypatch):
    whole = train(cuda_run(graph="off"), tmp_path / "whole")
    for name, first, second in (("a", "off", "on"), ("b", "on", "off")):
        with monkeypatch.context() as patch:
            _interrupt(patch, "_step", 16, _raise)
            with pytest.raises(Interrupted):
                train(cuda_run(graph=first), tmp_path / name)
        found = train(cuda_run(graph=second), tmp_path / name, resume=True)
        assert losses(found) == pytest.approx(losses(whole), rel=1e-3, abs=1e-6)


@NEEDS_CUDA
@pytest.mark.filterwarnings("ignore:RNN module weights")
def test_features_on_the_device_on_the_host_and_on_disk_train_alike(cuda_run, tmp_path):
    curves = {}
    for features_on in ("device", "host", "disk"):
        run = cuda_run(features_on=features_on, graph="off")
        curves[features_on] = losses(train(run, tmp_path / features_on))
    for features_on in ("host", "disk"):
        assert curves[features_on] == pytest.approx(curves["device"], rel=1e-3, abs=1e-6)
    assert json.loads((tmp_path / "host" / "metrics.json").read_text())["run"]["features_on"] == "host"
