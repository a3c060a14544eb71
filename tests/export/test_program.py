"""Programs of torch say what the models say, and need nothing but torch."""

import json
import subprocess
import sys

import pytest
import torch
from torch.testing import assert_close

import avground.export.program
from avground.errors import ConfigError
from avground.export import OUTPUTS, export_program, save_program
from avground.export.lstm import KeptLSTM, lstm

from .models import BUILDS, expected, make, sample


@pytest.mark.parametrize("name", BUILDS)
def test_every_model_says_the_same_as_a_program(name):
    model = make(name)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    program = export_program(model)
    run = program.module()
    for sizes in ((1, 1, 1, 1, 1), (2, 11, 3, 5, 2)):
        inputs = sample(*sizes)
        right = expected(model, inputs)
        for output, got in zip(OUTPUTS, run(*inputs), strict=True):
            assert_close(got, right[output], rtol=1e-5, atol=1e-5, msg=lambda text, output=output: f"{output}: {text}")
    assert model.training
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    kinds = {str(node.target) for node in program.graph.nodes if node.op == "call_function"}
    assert not [kind for kind in kinds if "avground" in kind]


def test_a_saved_program_runs_where_avground_is_not(tmp_path):
    model, inputs = make("tjstg_sharp"), sample(2, 7, 5, 3, 4)
    save_program(model, tmp_path / "model.pt2", facts={"answers": ["yes", "no", "größer"]})
    torch.save({"inputs": inputs, "right": expected(model, inputs)["answer_logits"]}, tmp_path / "inputs.pt")
    code = (
        "import sys, torch\n"
        "sys.modules['avground'] = None\n"
        "extra = {'avground.json': ''}\n"
        "program = torch.export.load(sys.argv[1], extra_files=extra)\n"
        "given = torch.load(sys.argv[2])\n"
        "torch.testing.assert_close(program.module()(*given['inputs'])[0], given['right'], rtol=1e-5, atol=1e-5)\n"
        "sys.stdout.buffer.write(extra['avground.json'].encode())\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "model.pt2"), str(tmp_path / "inputs.pt")]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    assert json.loads(done.stdout) == {"answers": ["yes", "no", "größer"]}
    assert str(avground.__path__[0]).encode() not in (tmp_path / "model.pt2").read_bytes()


def test_a_program_that_says_something_else_is_an_error(tmp_path, monkeypatch):
    def export_other(program):
        for key, value in program.state_dict.items():
            if key.endswith("answer.bias"):
                program.state_dict[key] = torch.nn.Parameter(value + 1)
        return program

    monkeypatch.setattr(avground.export.program, "with_torch_lstm", export_other)
    with pytest.raises(ConfigError, match="program: expected what the model returns for clips=1"):
        save_program(make("question_lstm"), tmp_path / "model.pt2")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("bidirectional", [False, True])
def test_a_kept_lstm_is_an_lstm(bidirectional):
    layer = torch.nn.LSTM(3, 4, batch_first=True, bidirectional=bidirectional).eval()
    steps = torch.randn(2, 5, 3)
    states, (hidden, cell) = layer(steps)
    with KeptLSTM():
        kept, (kept_hidden, kept_cell) = layer(steps)
    for got, right in ((kept, states), (kept_hidden, hidden), (kept_cell, cell)):
        assert torch.equal(got, right)
    start = [torch.zeros(2 if bidirectional else 1, 2, 4)] * 2
    weights = [parameter.detach() for parameter in layer.parameters()]
    torch.library.opcheck(lstm, (steps, start, weights, bidirectional), test_utils=("test_schema", "test_faketensor"))


@pytest.mark.parametrize("changes", [{"num_layers": 2}, {"bias": False}, {"batch_first": False}])
def test_other_lstms_are_an_error(changes):
    layer = torch.nn.LSTM(3, 4, **{"batch_first": True, **changes}).eval()
    with pytest.raises(ConfigError, match="model: expected LSTMs in evaluation mode of one layer"), KeptLSTM():
        layer(torch.randn(2, 5, 3))
    with pytest.raises(ConfigError, match="training=True"), KeptLSTM():
        torch.nn.LSTM(3, 4, batch_first=True).train()(torch.randn(2, 5, 3))
