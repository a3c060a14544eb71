"""The model card says what is known, and nothing else."""

import re

import pytest
import yaml

from avground.hub import PretrainedModel
from avground.hub.card import make_card


@pytest.fixture
def made(trained):
    return PretrainedModel.from_checkpoint(trained / "best.pt")


def front_matter(card):
    return yaml.safe_load(card.split("---\n")[1])


def test_the_front_matter_is_what_the_hub_reads(made):
    front = front_matter(make_card(made))
    assert front["library_name"] == "avground"
    assert front["pipeline_tag"] == "visual-question-answering"
    assert "tjstg_sharp" in front["tags"]
    (result,) = front["model-index"][0]["results"]
    assert result["metrics"][0]["value"] == round(made.metrics["test"]["accuracy"]["All"], 4)
    assert "license" not in front


def test_accuracy_stands_beside_the_prior_in_every_row(made):
    card, test = make_card(made), made.metrics["test"]
    for row, accuracy in test["accuracy"].items():
        name = row.replace("/", " ") if "/" in row or row == "All" else f"{row} average"
        shown = f"| {name} | {test['count'][row]:,} | {100 * accuracy:.2f} | {100 * test['prior'][row]:.2f} |"
        assert shown in card
    assert f"in {100 * test['grounding']['pointing']['accuracy']:.2f} % of segments" in card


def test_every_file_stands_there_with_its_checksum(made):
    card = make_card(made)
    for name, about in made.files.items():
        assert re.search(rf"\| `{re.escape(name)}` \|.*\| `{about['sha256']}` \|", card)


def test_what_is_not_known_is_left_out(made):
    made.metrics = None
    card = make_card(made)
    assert "model-index" not in front_matter(card)
    assert "What it scores\n" not in card
    assert "grounded in" not in card
    assert "What it scores is not recorded." in card
    assert "None" not in card.replace("None]", "")


def test_it_says_how_to_ask_a_video_only_if_features_can_be_made_of_one(made):
    assert "Answerer" not in make_card(made)
    for kind, extractor in (("audio", "logmel"), ("visual", "efficientnet_lite0")):
        about = made.features[kind]
        made.features = {**made.features, kind: {**about, "manifest": {**about["manifest"], "extractor": extractor}}}
    assert 'Answerer("FOLDER_OR_NAME").watch("concert.mp4")' in make_card(made)


def test_how_to_use_it_works_as_written(made, tmp_path, monkeypatch, capsys):
    made.save_pretrained(tmp_path / "FOLDER_OR_NAME")
    monkeypatch.chdir(tmp_path)
    (block,) = re.findall(r"```python\n(.*?)```", make_card(made), re.DOTALL)
    exec(block, {})
    assert capsys.readouterr().out.strip() in made.vocabulary.answers
