import json
import os
from types import SimpleNamespace

import pytest
import torch

from avground import cli
from avground.data import Vocabulary
from avground.export import OnnxModel
from avground.hub import PretrainedModel
from avground.models import MODELS
from avground.training import pocket_run
from avground.training.checkpoint import make_checkpoint, write_atomically

VOCABULARY = Vocabulary(("<pad>", "how", "many"), ("one", "zwölf"))


@pytest.fixture
def checkpoint(tmp_path, monkeypatch):
    """An untrained model as a run leaves it."""
    monkeypatch.chdir(tmp_path)
    model = MODELS["question_lstm"](vocabulary_size=3, answers=2, audio_dim=4, visual_dim=4, dim=4)
    about = {kind: {"manifest": None, "layout": 10, "precision": "float32"} for kind in ("audio", "visual")}
    rest = {name: {} for name in ("files", "progress", "optimizer", "precision", "versions")}
    run = pocket_run("world", model="question_lstm")
    content = make_checkpoint(model, run, VOCABULARY, templates=["how many"], features=about, **rest)
    write_atomically(tmp_path / "best.pt", content)
    inputs = (torch.zeros(1, 2, 4), torch.zeros(1, 2, 4, 1, 1), torch.tensor([[1, 2]]))
    with torch.no_grad():
        logits = model.eval()(*inputs).answer_logits
    return SimpleNamespace(inputs=inputs, logits=logits)


def export(*options):
    return cli.main(["export", *options])


def test_the_end_of_the_name_decides(checkpoint, tmp_path, capsys):
    for output in ("out/model.onnx", "out/model.pt2", "out/folder"):
        assert export("best.pt", "--output", output) == 0
        assert f"{output}" in capsys.readouterr().out
    assert sorted(os.listdir("out")) == ["folder", "model.onnx", "model.pt2"]

    onnx = OnnxModel("out/model.onnx")
    torch.testing.assert_close(onnx(*checkpoint.inputs)[0], checkpoint.logits)
    assert onnx.metadata["answers"] == ["one", "zwölf"]
    assert (onnx.metadata["model"], onnx.metadata["templates"]) == ("question_lstm", ["how many"])

    facts = {"avground.json": ""}
    program = torch.export.load("out/model.pt2", extra_files=facts)
    torch.testing.assert_close(program.module()(*checkpoint.inputs)[0], checkpoint.logits)
    assert json.loads(facts["avground.json"])["words"] == list(VOCABULARY.words)

    folder = PretrainedModel.from_pretrained("out/folder")
    assert folder.vocabulary == VOCABULARY
    assert export("out/folder", "--output", "again.onnx", "--map-size", "2", "3") == 0
    assert OnnxModel("again.onnx").metadata == onnx.metadata


@pytest.mark.parametrize("output", ["model.onnx", "model.pt2", "model"])
def test_nothing_is_overwritten_unless_told(output, checkpoint, tmp_path, capsys):
    there = tmp_path / output / "config.json" if output == "model" else tmp_path / output
    there.parent.mkdir(exist_ok=True)
    there.write_text("mine")
    assert export("best.pt", "--output", output) == 1
    assert "error: " in (told := capsys.readouterr().err)
    assert output in told
    assert there.read_text() == "mine"
    assert export("best.pt", "--output", output, "--overwrite") == 0
    assert there.read_bytes() != b"mine"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["best.pt", "--output", "model.pt"], "--output: expected NAME.onnx, NAME.pt2 or a folder, got model.pt"),
        (["best.pt", "--output", "folder", "--map-size", "2", "2"], "--map-size: expected an --output of NAME.onnx"),
        (["best.pt", "--output", "m.onnx", "--map-size", "0", "2"], "map_size: expected a whole number"),
        (["none.pt", "--output", "m.onnx"], "none.pt: expected a checkpoint, got no such file"),
    ],
)
def test_what_cannot_be_exported_is_an_error(options, message, checkpoint, capsys, tmp_path):
    assert export(*options) == 1
    assert message in capsys.readouterr().err
    assert os.listdir(tmp_path) == ["best.pt"]
