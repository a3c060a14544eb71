import dataclasses
import json

import pytest

from avground.errors import ConfigError
from avground.models import ABLATIONS, MODELS, OBJECTIVES, UNMATCHED
from avground.training import Objective, Run, music_avqa_run, pocket_run


def test_the_papers_schedule_is_the_default_for_real_data():
    run = music_avqa_run("data")
    assert (run.epochs, run.batch_size, run.learning_rate, run.objective) == (30, 64, 2e-4, Objective(1.0, 0.5))
    rates = [run.learning_rate_at(epoch) for epoch in (0, 9, 10, 19, 20, 29)]
    assert rates == pytest.approx([2e-4, 2e-4, 2e-5, 2e-5, 2e-6, 2e-6])


def test_pocket_decays_for_the_last_quarter():
    run = pocket_run("data", epochs=8)
    assert [run.learning_rate_at(epoch) for epoch in (0, 5, 6, 7)] == pytest.approx([2e-3, 2e-3, 2e-4, 2e-4])


@pytest.mark.parametrize("name", ABLATIONS)
def test_every_ablation_is_a_run_that_survives_json(name):
    run = pocket_run("data", ablation=name, seed=3)
    row = ABLATIONS[name]
    assert (run.model, dict(run.overrides), run.ablation) == (row.model, dict(row.changes), name)
    weights = {**OBJECTIVES[row.model], **row.objective}
    assert run.objective == dataclasses.replace(Objective(), **weights)
    assert Run.from_dict(json.loads(json.dumps(run.to_dict()))) == run


@pytest.mark.parametrize("model", MODELS)
def test_tjstg_alone_has_a_synchrony_loss(model):
    assert pocket_run("data", model=model).objective.synchrony == model.startswith("tjstg")


@pytest.mark.parametrize("preset", [pocket_run, music_avqa_run])
@pytest.mark.parametrize("name", sorted(UNMATCHED))
def test_a_model_without_matching_head_is_not_asked_to_match(preset, name):
    run = preset("d", model=name)
    assert (run.objective, run.stage_one_epochs) == (Objective(0.0, 0.0), 0)
    refused = f"expected 0 for '{name}', which has no matching head, got"
    with pytest.raises(ConfigError, match=f"^objective.matching: {refused} 0.5$"):
        preset("d", model=name, objective={"matching": 0.5})
    with pytest.raises(ConfigError, match=f"^stage_one_epochs: {refused} 3$"):
        preset("d", model=name, stage_one_epochs=3)
    with pytest.raises(ConfigError, match=f"^objective.matching: {refused} 0.5$"):
        dataclasses.replace(preset("d"), model=name)
    assert preset("d", model=name, objective={"synchrony": 1.0}).objective == Objective(1.0, 0.0)


@pytest.mark.parametrize("name", ["avsd", "pano_avqa"])
def test_a_row_without_matching_head_leaves_stage_one_out(name):
    expected = (name, Objective(0.0, 0.0), 0)
    for run in (pocket_run("d", ablation=name), pocket_run("d").with_ablation(name)):
        assert (run.model, run.objective, run.stage_one_epochs) == expected
    with pytest.raises(ConfigError, match=r"^stage_one_epochs: expected 0"):
        pocket_run("d", ablation=name, stage_one_epochs=1)
    with pytest.raises(ConfigError, match=r"^objective\.matching: expected 0"):
        pocket_run("d", ablation=name, objective={"matching": 0.5})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": "tjst"}, "model.*'tjstg'.*'avst'.*got 'tjst'"),
        ({"ablation": "nothing"}, "ablation.*'full'.*got 'nothing'"),
        ({"ablation": "avst", "model": "tjstg"}, "model: expected 'avst'"),
        ({"device": "gpu"}, "device.*'cuda'.*got 'gpu'"),
        ({"precision": "16"}, "precision.*'16-mixed'.*got '16'"),
        ({"features_on": "gpu"}, "features_on.*'auto', 'device', 'host', 'disk'.*got 'gpu'"),
        ({"graph": True}, "graph.*'auto', 'on', 'off'.*got True"),
        ({"epoch": 3}, "field of Run.*'epochs'.*got 'epoch'"),
        ({"epochs": 0}, "epochs: expected a whole number of at least 1, got 0"),
        ({"epochs": 1.5}, "epochs.*got 1.5"),
        ({"seed": -1}, "seed.*got -1"),
        ({"dim": 0}, "dim.*got 0"),
        ({"workers": -1}, "workers.*got -1"),
        ({"learning_rate": 0.0}, "learning_rate.*got 0.0"),
        ({"learning_rate": float("nan")}, "learning_rate.*got nan"),
        ({"batch_size": 9, "devices": 2}, "batch_size: expected a multiple of devices"),
    ],
)
def test_what_cannot_be_is_named(changes, message):
    with pytest.raises(ConfigError, match=message):
        pocket_run("data", **changes)


def test_differences_name_the_fields_that_change_numbers():
    run = pocket_run("here", seed=1)
    other = dataclasses.replace(
        run, data="there", workers=2, features_on="disk", graph="off", seed=2, objective=Objective(0.0)
    )
    assert set(run.differences(other)) == {"seed", "objective"}
    assert run.differences(other)["seed"] == (1, 2)


def test_a_dict_that_is_no_run_is_an_error():
    values = pocket_run("data").to_dict()
    with pytest.raises(ConfigError, match="speed"):
        Run.from_dict({**values, "speed": 1})
    del values["objective"]
    with pytest.raises(ConfigError, match="objective"):
        Run.from_dict(values)


def test_a_model_without_matching_loss_needs_no_stage_one():
    assert pocket_run("d", model="tjstg_sharp").stage_one_epochs == 0
    assert pocket_run("d", model="tjstg_sharp", stage_one_epochs=3).stage_one_epochs == 3
    assert pocket_run("d", model="tjstg").stage_one_epochs == 2
    assert music_avqa_run("d", objective=Objective(matching=0.0)).stage_one_epochs == 0


def test_some_weights_of_the_objective_can_be_given_by_name():
    assert pocket_run("d", objective={"matching": 0.0}).objective == Objective(1.0, 0.0)
    assert pocket_run("d", objective={"matching": 0.0}).stage_one_epochs == 0
    sharp = pocket_run("d", model="tjstg_sharp", objective={"matching": 0.5})
    assert (sharp.objective, sharp.stage_one_epochs) == (Objective(1.0, 0.5), 2)
    assert pocket_run("d", ablation="without_synchrony", objective={"matching": 0.1}).objective == Objective(0.0, 0.1)
    with pytest.raises(ConfigError, match=r"objective: expected one of 'synchrony', 'matching'.* got 'x'"):
        pocket_run("d", objective={"x": 1.0})
