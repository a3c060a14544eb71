import csv
import json
import os
import shutil
import signal
from pathlib import Path

import pytest
import torch

from avground.data import Manifest, Negatives, pack, pocket, read_annotations
from avground.data.manifest import dump_manifest
from avground.errors import ConfigError, DataError
from avground.models import GroundingNetwork
from avground.training import Interrupted, Objective, load_checkpoint, read_checkpoint, saver, train
from avground.training.loop import Loop
from avground.training.sampler import EpochSampler

# Two stages with one and two epochs of 2 and 4 steps, so the steps of a run are 0 to 9.
STEPS = 2 + 4 + 4


@pytest.fixture
def run(make_run):
    return make_run()


@pytest.fixture
def whole(run, tmp_path):
    """A run that nothing interrupts."""
    train(run, tmp_path / "whole")
    return tmp_path / "whole"


def _interrupt(monkeypatch, name, call, how, before=True):
    """Make the given call of a method of the loop stop the run; returns a list that counts the calls."""
    original, calls = getattr(Loop, name), []

    def method(self, *arguments, **options):
        calls.append(name)
        if len(calls) - 1 == call and before:
            how()
        result = original(self, *arguments, **options)
        if len(calls) - 1 == call and not before:
            how()
        return result

    monkeypatch.setattr(Loop, name, method)
    return calls


def _raise():
    raise KeyboardInterrupt


class _Killed(Exception):
    """Something that nothing expects."""


def _die():
    raise _Killed


def _signal():
    os.kill(os.getpid(), signal.SIGTERM)


def _equal(a, b):
    """Whether two checkpoints hold the same bits."""
    if isinstance(a, torch.Tensor):
        return a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_equal(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(_equal, a, b))
    return a == b


def _timeless(value):
    """Without what only says how long something took, and what memory."""
    if isinstance(value, dict):
        return {key: _timeless(part) for key, part in value.items() if key not in ("seconds", "speed", "memory")}
    return [_timeless(part) for part in value] if isinstance(value, list) else value


def _same(one, other):
    """Whether two runs ended with the same bits and the same numbers."""
    for name in ("last.pt", "best.pt"):
        a, b = read_checkpoint(one / name), read_checkpoint(other / name)
        assert a["progress"]["seconds"] > 0
        assert b["progress"]["seconds"] > 0
        a, b = _timeless(a), _timeless(b)
        assert [key for key in a if not _equal(a[key], b[key])] == []
    a, b = (json.loads((folder / "metrics.json").read_text()) for folder in (one, other))
    assert a["seconds"] >= 0
    assert _timeless(a) == _timeless(b)
    a, b = (_table(folder / "metrics.csv") for folder in (one, other))
    assert len(a) == len(json.loads((one / "metrics.json").read_text())["history"])
    assert a == b


def _table(path):
    """The rows of a log, without speed and memory."""
    with path.open(newline="") as file:
        return [
            {name: value for name, value in row.items() if name.split("/")[0] not in ("speed", "memory")}
            for row in csv.DictReader(file)
        ]


def _resume_after(run, tmp_path, monkeypatch, whole, *interruption, **options):
    with monkeypatch.context() as patch:
        _interrupt(patch, *interruption, **options)
        with pytest.raises(Interrupted, match="To go on, run the same again with --resume"):
            train(run, tmp_path / "cut")
    train(run, tmp_path / "cut", resume=True)
    _same(whole, tmp_path / "cut")


@pytest.mark.parametrize("how", [_raise, _signal], ids=["raised", "signal"])
@pytest.mark.parametrize("step", [1, 2, 4, STEPS - 1])
def test_a_run_cut_at_any_step_ends_like_one_that_was_not(run, tmp_path, monkeypatch, whole, step, how):
    _resume_after(run, tmp_path, monkeypatch, whole, "_step", step, how)


@pytest.mark.parametrize("evaluation", [0, 1, 2, 3, 4], ids=["first", "second", "validation", "test", "shuffled"])
def test_a_run_cut_while_evaluating_ends_the_same(run, tmp_path, monkeypatch, whole, evaluation):
    _resume_after(run, tmp_path, monkeypatch, whole, "evaluate", evaluation, _signal)


def test_a_run_cut_between_best_and_last_ends_the_same(run, tmp_path, monkeypatch, whole):
    written, original = [], saver.write_atomically

    def write(path, content):
        original(path, content)
        written.append(path.name)
        if written == ["last.pt", "best.pt"]:  # after stage I; the best of the first epoch of stage II
            _die()

    with monkeypatch.context() as patch:
        patch.setattr(saver, "_EPOCH_SECONDS", -1.0)
        patch.setattr(saver, "write_atomically", write)
        with pytest.raises(_Killed):
            train(run, tmp_path / "cut")
    assert read_checkpoint(tmp_path / "cut" / "best.pt")["progress"]["epoch"] == 1
    assert read_checkpoint(tmp_path / "cut" / "last.pt")["progress"]["stage"] == 1
    train(run, tmp_path / "cut", resume=True)
    _same(whole, tmp_path / "cut")


def test_epochs_that_were_not_saved_are_repeated(run, tmp_path, monkeypatch, whole):
    with monkeypatch.context() as patch:
        _interrupt(patch, "_finish_epoch", 1, _die, before=False)  # after the first epoch of stage II
        with pytest.raises(_Killed):
            train(run, tmp_path / "cut")
    assert read_checkpoint(tmp_path / "cut" / "last.pt")["progress"]["stage"] == 1
    assert not (tmp_path / "cut" / "best.pt").exists()
    train(run, tmp_path / "cut", resume=True)
    _same(whole, tmp_path / "cut")


def test_an_interrupt_within_the_update_saves_nothing_half_done(run, tmp_path, monkeypatch, whole):
    calls, original = [], torch.optim.Adam.step

    def step(self, *arguments):
        calls.append(1)
        original(self, *arguments)
        if len(calls) == 4:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(torch.optim.Adam, "step", step)
        with pytest.raises(Interrupted, match="within a step, of which nothing was saved"):
            train(run, tmp_path / "cut")
    assert read_checkpoint(tmp_path / "cut" / "last.pt")["progress"]["step"] == 0
    train(run, tmp_path / "cut", resume=True)
    _same(whole, tmp_path / "cut")


def test_a_run_saved_by_the_clock_can_be_killed(run, tmp_path, monkeypatch, whole):
    with monkeypatch.context() as patch:
        patch.setattr(saver, "_STEP_SECONDS", -1.0)
        _interrupt(patch, "_step", 4, _die)
        with pytest.raises(_Killed):
            train(run, tmp_path / "cut")
    assert read_checkpoint(tmp_path / "cut" / "last.pt")["progress"]["step"] == 2
    train(run, tmp_path / "cut", resume=True)
    _same(whole, tmp_path / "cut")


def test_a_damaged_last_checkpoint_falls_back_to_the_best(run, tmp_path, whole):
    last = whole / "last.pt"
    good = read_checkpoint(last)
    last.write_bytes(last.read_bytes()[:1000])
    train(run, whole, resume=True)
    assert _equal(good["model"], read_checkpoint(last)["model"])
    for name in ("last.pt", "best.pt"):
        (whole / name).write_bytes(b"PK")
    with pytest.raises(DataError, match=r"last\.pt: expected a complete checkpoint"):
        train(run, whole, resume=True)


def test_a_finished_run_is_tested_again_but_never_overwritten(run, whole):
    before = {path.name: path.read_bytes() for path in whole.iterdir() if path.name != ".lock"}
    assert set(before) == {"last.pt", "best.pt", "metrics.json", "metrics.csv"}
    with pytest.raises(ConfigError, match=r"output.*with last\.pt, best\.pt, metrics\.json: resume it \(--resume\) or"):
        train(run, whole)
    assert {path.name: path.read_bytes() for path in whole.iterdir() if path.name != ".lock"} == before
    assert train(run, whole, resume=True)["test"] == json.loads(before["metrics.json"])["test"]
    assert (whole / "last.pt").read_bytes() == before["last.pt"]


MALFORMED = [
    ("progress", lambda value: value.clear(), "progress: expected best, best_epoch, epoch, history, seconds, stage, "),
    ("progress", lambda value: value.update(step="1"), "progress: step: expected a whole number from 0, got '1'"),
    ("progress", lambda value: value.update(epoch=7), "progress: expected a moment of this run, got epoch 7 of stage"),
    (
        "progress",
        lambda value: value.update(stage=9),
        "progress: expected a moment of this run, got epoch . of",
    ),
    ("progress", lambda value: value.update(sums=[1.0]), "progress: sums: expected 8 numbers, got "),
    ("progress", lambda value: value.update(best=None), "progress: best: expected a number, got None"),
    ("progress", lambda value: value.update(history=[3]), "progress: history: expected a list of epochs"),
    ("optimizer", lambda value: value.clear(), "optimizer: expected moments under 'state'"),
    ("optimizer", lambda value: value["state"].update({999: {}}), "state of parameter 999: expected one of"),
    ("optimizer", lambda value: value["state"][0].pop("exp_avg"), "state of parameter 0: expected step, exp_avg, exp"),
    (
        "optimizer",
        lambda value: value["state"][0].update(exp_avg=torch.zeros(3)),
        r"state of parameter 0: exp_avg: expected finite numbers of shape \(\d+, \d+\), got \(3,\)",
    ),
]


@pytest.mark.parametrize(("key", "damage", "message"), MALFORMED)
def test_the_state_of_a_stranger_is_refused_by_name(run, tmp_path, monkeypatch, key, damage, message):
    with monkeypatch.context() as patch:
        _interrupt(patch, "_step", 5, _raise)
        with pytest.raises(Interrupted):
            train(run, tmp_path / "cut")
    path = tmp_path / "cut" / "last.pt"
    content = read_checkpoint(path)
    damage(content[key])
    torch.save(content, path)
    with pytest.raises(DataError, match=rf"last\.pt: .*{message}"):
        train(run, tmp_path / "cut", resume=True)


def test_there_must_be_something_to_resume(run, tmp_path):
    with pytest.raises(ConfigError, match=r"resume: expected last\.pt or best\.pt in .*, got neither"):
        train(run, tmp_path / "nothing", resume=True)


def test_resuming_another_configuration_names_the_fields(make_run, whole):
    other = make_run(seed=1, learning_rate=1e-3, workers=1)
    with pytest.raises(
        ConfigError, match=r"learning_rate: 0\.002 there, 0\.001 asked for; seed: 0 there, 1 asked for$"
    ):
        train(other, whole, resume=True)


def test_resuming_on_other_questions_is_an_error(make_run, whole, tmp_path):
    world = pocket.World(types=4, segments=5, rows=6, columns=6, channels=8, train=9, val=3, test=5, questions=3)
    other = str(pocket.generate(tmp_path / "other", world, progress=False))
    with pytest.raises(ConfigError, match="question files"):
        train(make_run(data=other), whole, resume=True)


def _break_losses(patch, call, value):
    """Make the answer loss of one step something else; counted over the run."""
    calls, original = [], Objective.losses

    def broken(self, out, answers, **settings):
        calls.append(1)
        losses = original(self, out, answers, **settings)
        return {**losses, "answer": losses["answer"] * (value if len(calls) == call else 1)}

    patch.setattr(Objective, "losses", broken)


@pytest.mark.parametrize(("value", "name"), [(float("nan"), "nan"), (float("inf"), "inf")])
def test_a_loss_that_is_not_finite_stops_the_run_where_it_can_go_on(
    run, splits, tmp_path, monkeypatch, whole, value, name
):
    with monkeypatch.context() as patch:
        _break_losses(patch, 3, value)
        with pytest.raises(FloatingPointError) as raised:
            train(run, tmp_path / "cut")
    message = str(raised.value)
    assert f"got a loss of {name} with gradients of norm " in message
    assert "in stage II, epoch 1, step 3 of 4, on questions about the videos " in message
    assert f"{tmp_path / 'cut' / 'last.pt'} holds the run as it was before that step" in message
    named = message.split("about the videos ")[1].split(". ")[0].split(", ")
    order = EpochSampler(range(len(splits.records["train"])), 8, (0, 1)).batch(2)
    assert set(named) == {splits.records["train"][place].video_id for place in order}
    saved = read_checkpoint(tmp_path / "cut" / "last.pt")
    assert (saved["progress"]["stage"], saved["progress"]["step"]) == (1, 2)
    assert all(weight.isfinite().all() for weight in saved["model"].values())
    train(run, tmp_path / "cut", resume=True)
    _same(whole, tmp_path / "cut")


def test_gradients_that_are_not_finite_stop_the_run_too(run, tmp_path, monkeypatch, whole):
    """A finite loss whose gradients are not would ruin the weights, and be noticed one step later."""
    calls, original = [], torch.nn.utils.get_total_norm

    def norm(gradients):
        calls.append(1)
        if len(calls) == 7:
            gradients[0].fill_(float("inf"))
        return original(gradients)

    with monkeypatch.context() as patch:
        patch.setattr(torch.nn.utils, "get_total_norm", norm)
        with pytest.raises(
            FloatingPointError, match=r"loss of [0-9.]+ with gradients of norm inf .*epoch 2, step 1 of"
        ):
            train(run, tmp_path / "cut")
    assert read_checkpoint(tmp_path / "cut" / "last.pt")["progress"]["epoch"] == 1
    train(run, tmp_path / "cut", resume=True)
    _same(whole, tmp_path / "cut")


def test_steps_after_a_number_that_is_not_finite_change_nothing(run, tmp_path, monkeypatch, whole):
    """On CUDA the numbers are looked at a few times a second only: what is done in between must not count."""
    with monkeypatch.context() as patch:
        _break_losses(patch, 2, float("nan"))
        patch.setattr(Loop, "_look", lambda *_: None)
        patch.setattr(Loop, "_describe", lambda *_: "")
        _interrupt(patch, "_step", 2 + 3, _raise, before=False)
        with pytest.raises(Interrupted):
            train(run, tmp_path / "cut")
    progress = read_checkpoint(tmp_path / "cut" / "last.pt")["progress"]
    assert (progress["stage"], progress["epoch"], progress["step"], progress["sums"][-1]) == (1, 0, 1, 1)
    train(run, tmp_path / "cut", resume=True)
    _same(whole, tmp_path / "cut")


def test_without_matching_no_frame_of_another_video_is_read(make_run, tmp_path, monkeypatch):
    monkeypatch.setattr(Negatives, "draw", lambda *_: pytest.fail("drawn"))
    train(make_run(stage_one_epochs=0, epochs=1, objective=Objective(matching=0)), tmp_path)


def test_a_few_questions_are_learned_by_heart(make_run, tmp_path):
    folder = tmp_path / "data"
    world = pocket.World(types=4, segments=5, rows=6, columns=6, channels=8, train=4, val=1, test=2, questions=3)
    pocket.generate(folder, world, progress=False)
    for name in ("val", "test"):
        (folder / "json" / f"avqa-{name}.json").write_bytes((folder / "json" / "avqa-train.json").read_bytes())
    changes = {"epochs": 60, "decay_epochs": 60, "dim": 32, "learning_rate": 5e-3}
    report = train(make_run(data=str(folder), **changes), tmp_path / "out")
    assert report["test"]["accuracy"]["All"] == report["validation"]["accuracy"]["All"] == 1.0
    answered = [epoch["losses"]["answer"] for epoch in report["history"] if epoch["stage"] == "stage II"]
    assert answered[-1] < 0.2 * answered[0]


def test_metrics_hold_what_a_table_needs(make_run, splits, tmp_path, capsys):
    run = make_run(ablation="without_target", seed=4)
    train(run, tmp_path)
    report = json.loads((tmp_path / "metrics.json").read_text())
    for split in ("validation", "test"):
        rows = report[split]
        assert list(rows["accuracy"]) == list(rows["prior"]) == list(rows["count"])
        assert all(0 <= share <= 1 for share in (*rows["accuracy"].values(), *rows["prior"].values()))
    assert report["test"]["count"]["All"] == len(splits.records["test"])
    assert set(report["test"]["shuffled"]) == {"audio", "visual"}
    assert set(report["test"]["grounding"]) == {"pointing", "temporal_overlap"}
    assert report["data"]["files"] == splits.files
    assert all(len(entry["sha256"]) == 64 for entry in splits.files.values())
    assert (report["model"], report["ablation"], report["seed"]) == ("tjstg", "without_target", 4)
    model, vocabulary, loaded = load_checkpoint(tmp_path / "best.pt")
    assert report["parameters"] == sum(parameter.numel() for parameter in model.parameters())
    assert report["model_config"] == vars(model.config)
    assert (vocabulary, loaded) == (splits.vocabulary, run)
    assert [(epoch["stage"], epoch["epoch"]) for epoch in report["history"]] == [
        ("stage I", 1),
        ("stage II", 1),
        ("stage II", 2),
    ]
    best = max(epoch.get("validation", 0) for epoch in report["history"])
    assert best == report["validation"]["accuracy"]["All"]
    printed = capsys.readouterr().out
    for expected in ("Audio-Visual  average", str(tmp_path / "metrics.json"), f"{report['parameters']:,} parameters"):
        assert expected in printed


def test_logs_are_those_asked_for_and_of_no_other_run(make_run, tmp_path, monkeypatch):
    run = make_run(log=("csv", "tensorboard"))
    with monkeypatch.context() as patch:
        _interrupt(patch, "_step", STEPS - 1, _raise)
        with pytest.raises(Interrupted):
            train(run, tmp_path / "run")
    train(run, tmp_path / "run", resume=True)
    report = json.loads((tmp_path / "run" / "metrics.json").read_text())
    rows = _table(tmp_path / "run" / "metrics.csv")
    for row, epoch in zip(rows, report["history"], strict=True):
        assert float(row[f"{epoch['stage']}/loss/total"]) == pytest.approx(epoch["losses"]["total"])
    last = rows[-1]
    for name in ("validation/accuracy", "attention/time/agreement", "attention/cells/entropy", "pointing/accuracy"):
        assert 0 <= float(last[name]) <= 1, name
    assert len(list((tmp_path / "run" / "tensorboard").iterdir())) == 2  # the second one purges the first one's steps
    train(make_run(log=(), epochs=1), tmp_path / "silent")
    assert not (tmp_path / "silent" / "metrics.csv").exists()
    for log in ("wandb", ("csv", "wandb")):
        with pytest.raises(ConfigError, match="log: expected one of 'csv', 'tensorboard', got 'wandb'"):
            make_run(log=log)


def test_half_precision_trains(make_run, tmp_path):
    report = train(make_run(precision="bf16-mixed", epochs=1), tmp_path)
    assert all(loss > 0 for epoch in report["history"] for loss in epoch["losses"].values())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"precision": "16-mixed"}, "precision: expected '32-true' or 'bf16-mixed' on the CPU"),
        ({"device": "cuda", "devices": 99, "batch_size": 99}, "device='cuda', devices=99: expected at most"),
        ({"overrides": {"targets": 1}}, "model setting.*'target'.*got 'targets'"),
    ],
)
def test_what_this_machine_or_model_lacks_is_named_before_anything_is_written(make_run, tmp_path, changes, message):
    with pytest.raises(ConfigError, match=message):
        train(make_run(**changes), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_missing_data_is_named(make_run, world, tmp_path):
    with pytest.raises(DataError, match=r"expected json/ with question files and feats/, got no .*json, .*feats$"):
        train(make_run(data=str(tmp_path)), tmp_path / "out")
    with pytest.raises(DataError, match=r"expected json_update/ with question files .*got no .*json_update$"):
        train(make_run(annotations="json_update"), tmp_path / "out")


SOME_DAMAGE = pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda row: row.update(anser="kazoo"), "kazoo"),
        (lambda row: row.update(question_content="How many kazoos are there?", templ_values="[]"), "kazoos"),
        (lambda row: row.update(question_id=987654321), "truth.json"),
    ],
)


@SOME_DAMAGE
def test_what_is_wrong_with_the_test_questions_is_found_before_training(make_run, world, tmp_path, damage, message):
    copy = tmp_path / "copy"
    shutil.copytree(world, copy)
    path = copy / "json" / "avqa-test.json"
    rows = json.loads(path.read_text())
    damage(rows[0])
    path.write_text(json.dumps(rows))
    with pytest.raises(DataError, match=message):
        train(make_run(str(copy)), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_resuming_on_other_features_is_an_error(make_run, tmp_path):
    small = pocket.World(types=4, segments=5, rows=6, columns=6, channels=8, train=10, val=3, test=5, questions=3)
    for name, noise in (("one", 0.5), ("other", 2.0)):
        pocket.generate(tmp_path / name, small.replace(noise=noise), progress=False)
    train(make_run(str(tmp_path / "one"), epochs=1), tmp_path / "run")
    with pytest.raises(ConfigError, match="SHA-256"):
        train(make_run(str(tmp_path / "other"), epochs=1), tmp_path / "run", resume=True)


def _losses(report):
    return [value for epoch in report["history"] for value in epoch["losses"].values()]


@pytest.mark.parametrize("dtype", [None, "float16", "bfloat16"])
@pytest.mark.parametrize("model", ["tjstg", "tjstg_sharp", "avst", "tjstg_released"])
def test_training_is_the_same_wherever_features_lie(make_run, world, tmp_path, model, dtype):
    store = dtype and str(
        pack(Path(world) / "feats", tmp_path / "s.safetensors", dtype=dtype, segments=5, progress=False)
    )
    curves = {}
    for features_on in ("disk", "host", "device"):
        run = make_run(model=model, features=store, features_on=features_on)
        curves[features_on] = _losses(train(run, tmp_path / features_on))
    assert curves["host"] == curves["device"]  # on the CPU they are one thing
    assert curves["disk"] == pytest.approx(curves["device"], rel=1e-6, abs=1e-8)


def test_models_that_read_no_rows_train_the_same(make_run, tmp_path):
    for model in ("avsd", "pano_avqa", "question_lstm"):
        runs = [make_run(model=model, stage_one_epochs=0, epochs=1, features_on=on) for on in ("disk", "device")]
        one, other = (train(run, tmp_path / f"{model}-{run.features_on}") for run in runs)
        assert _losses(one) == _losses(other)
        assert one["test"]["accuracy"] == other["test"]["accuracy"]


@pytest.mark.parametrize(("before", "after"), [("disk", "device"), ("device", "disk"), ("auto", "host")])
@pytest.mark.parametrize("step", [1, 5])
def test_features_may_move_between_interruption_and_resume(make_run, tmp_path, monkeypatch, whole, before, after, step):
    with monkeypatch.context() as patch:
        _interrupt(patch, "_step", step, _raise)
        with pytest.raises(Interrupted):
            train(make_run(features_on=before), tmp_path / "cut")
    found = train(make_run(features_on=after, graph="off"), tmp_path / "cut", resume=True)
    expected = json.loads((whole / "metrics.json").read_text())
    assert _losses(found) == pytest.approx(_losses(expected), rel=1e-6, abs=1e-8)
    assert found["test"]["accuracy"] == expected["test"]["accuracy"]


@pytest.mark.parametrize("features_on", ["disk", "device"])
def test_half_precision_models_read_half_precision_features(make_run, world, tmp_path, monkeypatch, features_on):
    """Fabric converts the tensors that it finds in a call to half precision: the features must not be among them."""
    store = str(pack(Path(world) / "feats", tmp_path / "s.safetensors", dtype="float16", segments=5, progress=False))
    seen, original = set(), GroundingNetwork.forward

    def forward(self, audio, visual, *others):
        seen.add((audio.dtype, visual.dtype, type(visual).__name__))
        return original(self, audio, visual, *others)

    monkeypatch.setattr(GroundingNetwork, "forward", forward)
    report = train(
        make_run(precision="bf16-mixed", features=store, features_on=features_on, epochs=1), tmp_path / "run"
    )
    # The disk path of a store gives single precision.
    as_read = {"disk": (torch.float32, "Tensor"), "device": (torch.float16, "MapRows")}[features_on]
    assert seen == {(torch.float32, *as_read)}
    assert all(loss > 0 for loss in _losses(report))


def test_a_checkpoint_from_before_features_could_be_placed_goes_on(run, tmp_path, monkeypatch, whole):
    with monkeypatch.context() as patch:
        _interrupt(patch, "_step", 4, _raise)
        with pytest.raises(Interrupted):
            train(run, tmp_path / "cut")
    content = read_checkpoint(tmp_path / "cut" / "last.pt")
    for name in ("features_on", "graph"):
        del content["run"][name]
    torch.save(content, tmp_path / "cut" / "last.pt")
    train(run, tmp_path / "cut", resume=True)
    _same(whole, tmp_path / "cut")


def test_a_packed_store_trains_as_its_folder_does(make_run, world, whole, tmp_path):
    store = str(
        pack(Path(world) / "feats", tmp_path / "store.safetensors", dtype="float32", segments=5, progress=False)
    )
    train(make_run(features=store), tmp_path / "run")
    of_folder, of_store = (read_checkpoint(folder / "last.pt") for folder in (whole, tmp_path / "run"))
    assert _equal(of_store["model"], of_folder["model"])
    assert of_store["features"] == of_folder["features"]
    assert of_store["features"]["visual"]["manifest"]["extractor"] == "pocket"
    assert of_store["templates"][0] == read_annotations(Path(world) / "json" / "avqa-train.json")[0].template


def test_resuming_with_other_features_names_both_sides(make_run, world, tmp_path):
    def write(statistics):
        made = Manifest(kind="visual", extractor="mine", shape=(8, 6, 6), settings={"statistics": statistics})
        (folder / "feats" / "res18_14x14" / "manifest.json").write_text(dump_manifest(made))

    folder = tmp_path / "world"
    shutil.copytree(world, folder)
    write("kinetics")
    train(make_run(str(folder), epochs=1), tmp_path / "run")
    write("imagenet")
    with pytest.raises(ConfigError, match=r"trained on: visual: statistics 'imagenet', not 'kinetics'$"):
        train(make_run(str(folder), epochs=1), tmp_path / "run", resume=True)
    write("kinetics")
    store = str(pack(folder / "feats", tmp_path / "half.safetensors", segments=5, progress=False))
    with pytest.raises(ConfigError, match=r"trained on: visual: precision 'float16', not 'float32'$"):
        train(make_run(str(folder), epochs=1, features=store), tmp_path / "run", resume=True)


@pytest.fixture
def rewrite(world, tmp_path):
    """A copy of the world whose question files have other names and rows."""

    def make(names, change):
        copy = tmp_path / "rewritten"
        shutil.copytree(world, copy)
        for split, name in names.items():
            path = copy / "json" / f"avqa-{split}.json"
            rows = json.loads(path.read_text())
            path.unlink()
            (copy / "json" / name).write_text(json.dumps(change(split, rows)))
        (copy / "truth.json").unlink()
        return str(copy)

    return make


def test_the_second_versions_names_and_columns_train(make_run, rewrite, tmp_path):
    def change(split, rows):
        for row in rows:
            row.update(templ_values=json.loads(row["templ_values"]), question_id=None, unmatch_audio=None)
        others = [row["video_id"] for row in rows if row["video_id"] != rows[0]["video_id"]]
        rows[0]["unmatch_audio"] = others[0]
        return rows

    names = {"train": "bias_train.json", "val": "bias_valid.json", "test": "bias_test.json"}
    folder = rewrite(names, change)
    report = train(make_run(folder, epochs=1), tmp_path / "run")
    assert list(report["data"]["files"]) == [*(f"json/{name}" for name in names.values()), "pocket.json"]
    for name in names.values():
        (Path(folder) / "json" / name.replace("bias", "balance")).write_bytes(
            (Path(folder) / "json" / name).read_bytes()
        )
    with pytest.raises(DataError, match="expected one data set, or a prefix among 'balance', 'bias'"):
        train(make_run(folder, epochs=1), tmp_path / "other")
    assert train(make_run(folder, epochs=1, prefix="balance"), tmp_path / "other")["test"] == report["test"]


def test_head_and_tail_are_reported_as_the_file_tells_them_apart(make_run, rewrite, tmp_path, capsys):
    def change(split, rows):
        if split == "test":
            for place, row in enumerate(rows):
                row["split"] = "tail" if place < 3 else "head"
                row["question_content"] = f"Rephrasedly, {row['question_content']}"
        return rows

    folder = rewrite({"train": "avqa-train.json", "val": "avqa-val.json", "test": "avqa-test-headtail.json"}, change)
    with pytest.raises(DataError, match=r"headtail\.json, row 0 .*word 'Rephrasedly' is not among"):
        train(make_run(folder, epochs=1), tmp_path / "run")
    report = train(make_run(folder, epochs=1, unknown_words="skip"), tmp_path / "run")["test"]
    assert report["tail"]["count"]["All"] == 3
    assert report["head"]["count"]["All"] == report["count"]["All"] - 3
    right = sum(report[part]["accuracy"]["All"] * report[part]["count"]["All"] for part in ("head", "tail"))
    assert right == pytest.approx(report["accuracy"]["All"] * report["count"]["All"])
    assert "tail answers (3): " in capsys.readouterr().out
