import pytest

from avground.answer.names import name_models
from avground.models import MODELS
from avground.training import pocket_run


def run(model="tjstg"):
    return pocket_run("data", model=model)


def test_models_are_called_what_they_are():
    assert name_models([run(), run("avst")], ["a/best.pt", "b/best.pt"]) == ["TJSTG", "AVST"]
    assert name_models([run().with_ablation("without_synchrony")], ["a/best.pt"]) == ["TJSTG, without synchrony"]


@pytest.mark.parametrize("model", MODELS)
def test_every_model_has_a_name_of_its_own(model):
    names = name_models([run(other) for other in MODELS], list(MODELS))
    assert len(set(names)) == len(MODELS)
    assert not any("(" in name for name in names), "told apart by what they are, not by where they lie"


@pytest.mark.parametrize(
    ("sources", "names"),
    [
        (["runs/one/best.pt", "runs/two/best.pt"], ["TJSTG (one)", "TJSTG (two)"]),
        (["folder", "someone/model"], ["TJSTG (folder)", "TJSTG (model)"]),
        (["best.pt", "last.pt"], ["TJSTG (best.pt)", "TJSTG (last.pt)"]),
        (["x/best.pt", "x/last.pt"], ["TJSTG (x) #1", "TJSTG (x) #2"]),
    ],
)
def test_models_of_one_name_are_told_apart_by_where_they_come_from(sources, names):
    assert name_models([run(), run()], sources) == names


def test_a_name_of_its_own_is_left_as_it_is():
    sources = ["x/best.pt", "y/best.pt", "x/last.pt"]
    assert name_models([run(), run("avst"), run()], sources) == ["TJSTG (x) #1", "AVST", "TJSTG (x) #3"]
