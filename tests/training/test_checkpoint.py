import os
import pickle
from dataclasses import asdict

import pytest
import torch

from avground.data import Vocabulary
from avground.errors import DataError
from avground.models import MODELS, pano_avqa, tjstg
from avground.training import checkpoint, load_checkpoint, pocket_run, read_checkpoint
from avground.training.checkpoint import make_checkpoint, write_atomically

VOCABULARY = Vocabulary(("<pad>", "Is", "it"), ("yes", "no"))


@pytest.fixture
def model():
    return tjstg(vocabulary_size=3, answers=2, audio_dim=5, visual_dim=8, dim=8)


@pytest.fixture
def content(model):
    rest = {name: {} for name in ("files", "progress", "optimizer", "precision", "versions")}
    about = {"manifest": None, "layout": 10, "precision": "float32"}
    features = {"audio": about, "visual": about}
    return make_checkpoint(
        model, pocket_run("data", dim=8), VOCABULARY, templates=["Is it?"], features=features, **rest
    )


def test_a_model_comes_back_in_one_line(model, content, tmp_path):
    write_atomically(tmp_path / "best.pt", content)
    loaded, vocabulary, run = load_checkpoint(tmp_path / "best.pt")
    clip = torch.randn(2, 4, 5), torch.randn(2, 4, 8, 3, 3), torch.tensor([[1, 2, 0], [2, 0, 0]])
    assert torch.equal(loaded(*clip).answer_logits, model.eval()(*clip).answer_logits)
    assert not loaded.training
    assert (vocabulary, run) == (VOCABULARY, pocket_run("data", dim=8))
    assert loaded.config == model.config


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_a_write_that_fails_leaves_the_old_file(content, tmp_path, monkeypatch, step, error):
    path = tmp_path / "last.pt"
    write_atomically(path, b"old")

    def fail(*_):
        raise error("disk full")

    monkeypatch.setattr(checkpoint.os, step, fail)
    with pytest.raises(error, match="disk full"):
        write_atomically(path, content)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["last.pt"]


def test_the_folder_is_made_and_the_old_file_replaced(tmp_path):
    path = tmp_path / "a" / "b" / "metrics.json"
    write_atomically(path, b"old")
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert os.listdir(path.parent) == ["metrics.json"]


def test_no_file_of_that_name(tmp_path):
    with pytest.raises(DataError, match=r"none\.pt: expected a checkpoint, got no such file"):
        read_checkpoint(tmp_path / "none.pt")


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_a_file_cut_short(content, tmp_path, share):
    path = tmp_path / "last.pt"
    write_atomically(path, content)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(DataError, match=r"last\.pt: expected a complete checkpoint, got a file that is cut short"):
        load_checkpoint(path)


@pytest.mark.parametrize("content", [b"hello", b"\x80\x02}q\x00.", b"PK\x03\x04" + bytes(99)])
def test_a_file_of_something_else(tmp_path, content):
    path = tmp_path / "last.pt"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"last\.pt: expected a"):
        read_checkpoint(path)


class _Bomb:
    def __reduce__(self):
        return os.mkdir, ("exploded",)


@pytest.mark.parametrize("write", [torch.save, lambda bomb, path: path.write_bytes(pickle.dumps(bomb))])
def test_a_file_that_brings_code_is_refused_unread(tmp_path, monkeypatch, write):
    monkeypatch.chdir(tmp_path)
    write({"model": _Bomb()}, tmp_path / "evil.pt")
    with pytest.raises(DataError, match=r"holds more than tensors|is no checkpoint"):
        load_checkpoint(tmp_path / "evil.pt")
    assert os.listdir(tmp_path) == ["evil.pt"]


def _about(content, **changes):
    features = content["features"]
    return {**content, "features": {**features, "audio": {**features["audio"], **changes}}}


def _without(content, key):
    return {name: value for name, value in content.items() if name != key}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c["model"], "got a file that holds question"),
        (lambda c: [1, 2], "got a file that holds list"),
        (lambda c: {}, "got a file that holds nothing"),
        (lambda c: _without(c, "run"), r"missing: \['run'\], unknown: \[\]"),
        (lambda c: {**c, "more": 1}, r"missing: none, unknown: \['more'\]"),
        (lambda c: {**c, "format": "avground checkpoint 9"}, "use the version that wrote it"),
        (lambda c: {**c, "model": _without(c["model"], "answer.classify.bias")}, "missing answer.classify.bias"),
        (lambda c: {**c, "model": {**c["model"], "new": torch.ones(1)}}, "1 weights .* unknown 'new'"),
        (
            lambda c: {**c, "model": {**c["model"], "answer.classify.bias": torch.ones(3)}},
            r"answer\.classify\.bias: expected \(2,\), got \(3,\)",
        ),
        (lambda c: {**c, "model_config": {**c["model_config"], "speed": 1}}, "configuration that this version knows"),
        (lambda c: {**c, "run": {**c["run"], "model": "tjstg9"}}, "configuration that this version knows.*tjstg9"),
        (lambda c: {**c, "model": None}, "expected at most 10,000 named weights, got NoneType"),
        (lambda c: {**c, "vocabulary": {"words": ["<pad>"], "answers": ["yes"]}}, "3 words and 2 answers.*got 1 and 1"),
        (lambda c: {**c, "templates": [1]}, "templates: expected a list of strings, got list"),
        (lambda c: {**c, "features": None}, "features: expected audio and visual, got None"),
        (lambda c: _about(c, layout=10**12), "features: audio: layout: expected a whole number from 1 to 100000"),
        (lambda c: _about(c, layout="x"), "features: audio: layout: expected a whole number .* got 'x'"),
        (lambda c: _about(c, precision="save"), "features: audio: expected one of float16, .*, got 'save'"),
        (lambda c: _about(c, manifest={}), "features: audio: expected the keys"),
        (lambda c: {**c, "model": [1]}, "expected at most 10,000 named weights, got list"),
        (
            lambda c: {**c, "model": {str(n): 1 for n in range(10_001)}},
            "expected at most 10,000 named weights, got 10,001",
        ),
        (
            lambda c: {**c, "model": {**c["model"], "answer.classify.bias": 1}},
            "answer.classify.bias: expected a tensor, got 1",
        ),
        (
            lambda c: {**c, "model": {**c["model"], "answer.classify.bias": torch.tensor([1.0, torch.nan])}},
            "answer.classify.bias: expected finite numbers, got NaN or infinity",
        ),
        (lambda c: {**c, "format": ["avground checkpoint"] * 10**6}, "got a file that holds format, model"),
        (
            lambda c: {**c, "format": "avground checkpoint" + "9" * 10**6},
            "expected the format .{1,200}: use the version",
        ),
        (lambda c: {**c, "a" * 10**6: 1}, "unknown: .{1,200}$"),
        (lambda c: {"a" * 10**6: 1}, "got a file that holds a{1,200}$"),
        (lambda c: {**c, "templates": ["<LR>" * 4]}, "templates: expected at most 3 placeholders in a word"),
        (lambda c: {**c, "templates": ["\x1b[2J"]}, "templates: expected at most 10000 printable characters"),
        (lambda c: {**c, "templates": ["a" * 10**5]}, "templates: expected at most 10000 printable characters"),
        (
            lambda c: {**c, "vocabulary": {"words": ["<pad>", "a", "\x07"], "answers": ["b", "c"]}},
            r"last\.pt: words\[2\]",
        ),
        (lambda c: {**c, "vocabulary": 3}, r"last\.pt: vocabulary: expected the keys"),
        (
            lambda c: {**c, "files": {"a.json": {"sha256": 1}}},
            "files: 'a.json': expected its sha256, got {'sha256': 1}",
        ),
        (lambda c: {**c, "versions": {"torch": 2}}, "versions: 'torch': expected a string, got 2"),
        (lambda c: {**c, "progress": [1]}, "progress: expected names and values, got list"),
        (lambda c: {**c, "optimizer": None}, "optimizer: expected names and values, got NoneType"),
        (lambda c: {**c, "run": torch.ones(1)}, "run: expected plain values, got something of type Tensor"),
        (lambda c: _run(c, objective=3), "configuration that this version knows"),
        (lambda c: _run(c, objective={"synchrony": 10**400}), "whole numbers of 64 bits"),
        (lambda c: _run(c, data=3), "configuration that this version knows: data: expected a string, got 3"),
        (lambda c: _run(c, features=[]), r"features: expected a string, got \[\]"),
        (lambda c: _run(c, overrides=[]), r"overrides: expected settings by name, got \[\]"),
        (
            lambda c: _run(c, segments=2**63 - 1, batch_size="x" * 10**6),
            "batch_size: expected a whole number .{1,200}$",
        ),
        (lambda c: _run(c, **{"x" * 10**6: 1}), "run: expected the fields .{1,900}$"),
    ],
)
def test_content_that_does_not_fit(content, tmp_path, change, message):
    torch.save(change(content), tmp_path / "last.pt")
    with pytest.raises(DataError, match=message):
        load_checkpoint(tmp_path / "last.pt")


def _run(content, **changes):
    return {**content, "run": {**content["run"], **changes}}


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("dim", 10**7),
        ("dim", 2**40),
        ("dim", 2**62),
        ("vocabulary_size", 2**50),
        ("answers", 10**12),
        ("visual_dim", 10**9),
        ("heads", 3),
        ("heads", 2**62),
        ("dim", 0),
        ("dim", "8"),
    ],
)
def test_sizes_that_no_machine_has_room_for(content, tmp_path, monkeypatch, name, size):
    changed = {**content, "model_config": {**content["model_config"], name: size}}
    torch.save(changed, tmp_path / "last.pt")
    built = []
    register = torch.nn.Module.register_parameter

    def watch(module, name, parameter):
        built.append(0 if parameter is None or parameter.is_meta else parameter.numel())
        register(module, name, parameter)

    monkeypatch.setattr(torch.nn.Module, "register_parameter", watch)
    with pytest.raises(DataError, match=r"last\.pt: (\d+ weights do not fit the model|expected a configuration)"):
        load_checkpoint(tmp_path / "last.pt")
    assert sum(built) == 0


@pytest.mark.parametrize("name", ["self_layers", "cross_layers"])
def test_layers_without_end(content, tmp_path, name):
    config = {**asdict(pano_avqa(vocabulary_size=3, answers=2, audio_dim=5, visual_dim=8, dim=8).config), name: 10**12}
    objective = {**content["run"]["objective"], "matching": 0}
    changed = _run({**content, "model_config": config}, model="pano_avqa", objective=objective, stage_one_epochs=0)
    torch.save(changed, tmp_path / "last.pt")
    with pytest.raises(DataError, match=r"expected at most as many layers as weights, \d+, got 1000000000000"):
        load_checkpoint(tmp_path / "last.pt")


@pytest.mark.parametrize("name", MODELS)
def test_every_model_is_rebuilt(content, tmp_path, name):
    model = MODELS[name](vocabulary_size=3, answers=2, audio_dim=5, visual_dim=8, dim=8)
    run = pocket_run("data", dim=8, model=name)
    rest = {key: content[key] for key in content if key not in ("format", "model", "model_config", "run", "vocabulary")}
    write_atomically(tmp_path / "best.pt", make_checkpoint(model, run, VOCABULARY, **rest))
    loaded, _, again = load_checkpoint(tmp_path / "best.pt")
    assert again == run
    assert loaded.state_dict().keys() == model.state_dict().keys()
    assert all(torch.equal(value, model.state_dict()[key]) for key, value in loaded.state_dict().items())
    assert all(not value.is_meta for value in (*loaded.parameters(), *loaded.buffers()))


@pytest.mark.parametrize("legacy", [False, True])
def test_a_flipped_bit_of_a_weight_is_found(content, tmp_path, legacy):
    needle = torch.tensor([123.25, 0.5])
    content["model"]["answer.classify.bias"] = needle
    torch.save(content, tmp_path / "last.pt", _use_new_zipfile_serialization=not legacy)
    load_checkpoint(tmp_path / "last.pt")
    whole = (tmp_path / "last.pt").read_bytes()
    at = whole.index(needle.numpy().tobytes())
    (tmp_path / "last.pt").write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    if legacy:  # Those files have no checksums.
        load_checkpoint(tmp_path / "last.pt")
        return
    with pytest.raises(DataError, match="got a file that is cut short or damaged: Bad CRC-32"):
        load_checkpoint(tmp_path / "last.pt")
