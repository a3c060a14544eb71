"""A model goes to a folder and comes back; what strangers put into one is looked at with care."""

import dataclasses
import hashlib
import json
import os
import shutil

import huggingface_hub
import pytest
import torch
from safetensors.torch import load_file, save_file

from avground.errors import ConfigError, DataError
from avground.hub import PretrainedModel, pretrained
from avground.hub.weights import MOST_HEADER_BYTES
from avground.models import MODELS
from avground.training import load_checkpoint
from avground.training.checkpoint import read_checkpoint, write_atomically

FILES = ["README.md", "config.json", "model.safetensors"]


@pytest.fixture(scope="session")
def saved(trained, tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved") / "model"
    PretrainedModel.from_checkpoint(trained / "best.pt").save_pretrained(folder)
    return folder


@pytest.fixture
def copy(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / "model")


def change(folder, **changes):
    """Change entries of config.json; a function changes what is there."""
    path = folder / "config.json"
    content = json.loads(path.read_text())
    for name, value in changes.items():
        content[name] = value(content[name]) if callable(value) else value
    path.write_text(json.dumps(content))


def rewrite(folder, **tensors):
    """Write other weights, whose checksum is right."""
    weights = {**load_file(folder / "model.safetensors"), **tensors}
    save_file({name: value for name, value in weights.items() if value is not None}, folder / "model.safetensors")
    change(folder, weights_sha256=hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest())


# ---- there and back ------------------------------------------------------------------------------------------------


def test_a_model_comes_back_as_it_went(trained, saved):
    assert sorted(os.listdir(saved)) == FILES
    first, again = PretrainedModel.from_checkpoint(trained / "best.pt"), PretrainedModel.from_pretrained(saved)
    model, vocabulary, run = load_checkpoint(trained / "best.pt")
    assert {key: value.tolist() for key, value in again.model.state_dict().items()} == {
        key: value.tolist() for key, value in model.state_dict().items()
    }
    assert not again.model.training
    assert again.vocabulary == vocabulary
    content = read_checkpoint(trained / "best.pt")
    assert list(again.templates) == content["templates"]
    assert (again.features, again.files, again.versions) == (content["features"], content["files"], content["versions"])
    assert again.metrics == first.metrics
    assert again.metrics["test"] == json.loads((trained / "metrics.json").read_text())["test"]
    assert dataclasses.replace(again.run, data=run.data) == run
    assert again.run.data == "pocket"


def test_folders_of_this_machine_stay_here(trained, saved):
    for name in FILES:
        assert str(trained.parent).encode() not in (saved / name).read_bytes()


@pytest.mark.parametrize(
    ("home", "separator"),
    [("/home/me", "/"), ("C:\\Users\\me", "\\"), ("../me", "/")],
    ids=["posix", "windows", "relative"],
)
def test_of_every_folder_only_the_last_name_is_saved(home, separator, trained, tmp_path):
    """However a run was told where its data lie; the report beside it goes on being found."""
    content = read_checkpoint(trained / "best.pt")
    names = ("data", "annotations", "features", "audio_features", "visual_features")
    content["run"] = {**content["run"], **{name: separator.join((home, name)) for name in names}}
    folder = content["run"]["annotations"]
    content["files"] = {name.replace("json/", f"{folder}/", 1): about for name, about in content["files"].items()}
    assert any("me" in name for name in content["files"])
    write_atomically(tmp_path / "best.pt", content)
    report = json.loads((trained / "metrics.json").read_text())
    report |= {"run": content["run"], "data": {**report["data"], "files": content["files"]}}
    (tmp_path / "metrics.json").write_text(json.dumps(report))

    made = PretrainedModel.from_checkpoint(tmp_path / "best.pt")
    assert made.metrics is not None
    assert made.run.annotations == folder
    made.save_pretrained(tmp_path / "model")
    again = PretrainedModel.from_pretrained(tmp_path / "model")
    assert [getattr(again.run, name) for name in names] == list(names)
    assert sorted(again.files) == [
        *(f"annotations/avqa-{split}.json" for split in ("test", "train", "val")),
        "pocket.json",
    ]
    card = (tmp_path / "model" / "README.md").read_text()
    assert "`annotations/avqa-test.json`" in card
    for text in (card, (tmp_path / "model" / "config.json").read_text(), json.dumps(made.facts())):
        assert not [word for word in ("home", "Users", "/me", "me\\") if word in text]


def test_a_folder_whose_name_is_no_text(saved, tmp_path):
    made = PretrainedModel.from_pretrained(saved)
    made.run = dataclasses.replace(made.run, data="/home/me/caf\udce9")
    made.save_pretrained(tmp_path / "model")
    assert PretrainedModel.from_pretrained(tmp_path / "model").run.data == "caf?"


@pytest.mark.parametrize("value", [float("nan"), "\ud800"])
def test_what_no_file_can_hold_is_an_error(value, saved, tmp_path):
    made = PretrainedModel.from_pretrained(saved)
    made.run = dataclasses.replace(made.run, overrides={"a": value})
    for write in (made.facts, lambda: made.save_pretrained(tmp_path / "model")):
        with pytest.raises(DataError, match="model: expected finite numbers and whole characters, got"):
            write()


def test_files_that_only_their_folders_tell_apart_are_an_error(saved, tmp_path):
    made = PretrainedModel.from_pretrained(saved)
    about = made.files["json/avqa-test.json"]
    made.files = {"/home/a/json/avqa-test.json": about, **made.files}
    with pytest.raises(ConfigError, match=r"files: expected each name once .*, got 'json/avqa-test.json' twice"):
        made.save_pretrained(tmp_path / "model")


def test_saved_again_it_is_byte_for_byte_the_same(saved, tmp_path):
    PretrainedModel.from_pretrained(saved).save_pretrained(tmp_path / "again")
    for name in FILES:
        assert (tmp_path / "again" / name).read_bytes() == (saved / name).read_bytes()


def test_a_source_is_a_checkpoint_or_a_folder(trained, saved):
    assert PretrainedModel.load(trained / "best.pt").metrics is not None
    assert PretrainedModel.load(trained / "best.pt", metrics=False).metrics is None
    assert PretrainedModel.load(saved).metrics is not None
    with pytest.raises(DataError, match=r"none\.pt: expected a checkpoint, got no such file"):
        PretrainedModel.load("nowhere/none.pt")


@pytest.mark.parametrize("name", MODELS)
def test_every_model_travels(name, saved, tmp_path):
    made = PretrainedModel.from_pretrained(saved)
    sizes = {"vocabulary_size": len(made.vocabulary.words), "answers": len(made.vocabulary.answers), "dim": 8}
    run = dataclasses.replace(made.run, model=name)
    model = MODELS[name](**sizes, audio_dim=3, visual_dim=8)
    facts = {key: getattr(made, key) for key in ("vocabulary", "templates", "features", "files", "versions")}
    PretrainedModel(model, run=run, **facts).save_pretrained(tmp_path / name)
    again = PretrainedModel.from_pretrained(tmp_path / name)
    assert again.metrics is None
    assert again.model.config == model.config
    assert all(torch.equal(value, model.state_dict()[key]) for key, value in again.model.state_dict().items())


@pytest.mark.parametrize("there", FILES)
def test_nothing_is_overwritten_unless_told(there, saved, tmp_path):
    (tmp_path / there).write_text("mine")
    model = PretrainedModel.from_pretrained(saved)
    with pytest.raises(ConfigError, match=f"save_directory: expected a folder without a model, got .* with {there}"):
        model.save_pretrained(tmp_path)
    assert (tmp_path / there).read_text() == "mine"
    assert os.listdir(tmp_path) == [there]
    model.save_pretrained(tmp_path, overwrite=True)
    assert (tmp_path / there).read_bytes() == (saved / there).read_bytes()


def test_model_and_vocabulary_must_belong_together(saved):
    made = PretrainedModel.from_pretrained(saved)
    facts = {key: getattr(made, key) for key in ("run", "vocabulary", "templates", "features", "files", "versions")}
    with pytest.raises(ConfigError, match=r"vocabulary: expected \(93, 42\) words and answers"):
        PretrainedModel(MODELS["question_lstm"](), **facts)


# ---- metrics -------------------------------------------------------------------------------------------------------


def test_metrics_of_another_checkpoint_are_left_out(trained, tmp_path):
    for name in ("last.pt", "metrics.json"):
        shutil.copy(trained / name, tmp_path / name)
    assert PretrainedModel.from_checkpoint(tmp_path / "last.pt").metrics is None  # they are about best.pt


def test_metrics_of_another_run_are_an_error(trained, tmp_path):
    for name in ("best.pt", "metrics.json"):
        shutil.copy(trained / name, tmp_path / name)
    content = read_checkpoint(tmp_path / "best.pt")
    write_atomically(tmp_path / "best.pt", {**content, "run": {**content["run"], "seed": 7}})
    with pytest.raises(DataError, match=r"metrics\.json: expected the report of the run that wrote .*best\.pt"):
        PretrainedModel.from_checkpoint(tmp_path / "best.pt")
    (tmp_path / "metrics.json").write_text("{}")
    with pytest.raises(DataError, match=r"metrics\.json: expected the report of a run, got KeyError"):
        PretrainedModel.from_checkpoint(tmp_path / "best.pt")


def _tested(metrics, **changes):
    return {**metrics, "test": {**metrics["test"], **changes}}


# ---- what strangers send -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_missing_or_damaged_file_is_named(name, copy):
    content = (copy / name).read_bytes()
    for damage in (content[: len(content) // 2], b"", b"\xff" * 64, content[:-8] + bytes(8)):
        (copy / name).write_bytes(damage)
        with pytest.raises(DataError, match=name):
            PretrainedModel.from_pretrained(copy)
    (copy / name).unlink()
    with pytest.raises(DataError, match=f"{name}: expected .*, got no such file"):
        PretrainedModel.from_pretrained(copy)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"format": "avground model 9"},
            "expected a model of avground in the format 'avground model 1', got 'avground",
        ),
        ({"more": 1}, r"missing keys: none, unknown keys: \['more'\]"),
        ({"model": "os.system"}, "model: expected one of tjstg, .*, got 'os.system'"),
        ({"model": ["tjstg"]}, "model: expected one of tjstg"),
        ({"model": "tjstg"}, "run: expected the model 'tjstg', got 'tjstg_sharp'"),
        ({"model_config": [1]}, "model_config: expected names and values, got list"),
        ({"model_config": lambda c: {**c, "dim": 10**15}}, "configuration that this version knows|do not fit"),
        ({"model_config": lambda c: {**c, "dim": 16}}, r"weights do not fit the model: .*: expected \(54, 16\), got"),
        (
            {"model_config": lambda c: {**c, "self_layers": 10**9}},
            "self_layers: expected at most as many layers as weights",
        ),
        ({"model_config": lambda c: {**c, "hidden": 1}}, "configuration that this version knows: .*hidden"),
        ({"run": lambda r: {**r, "seed": -1}}, "seed"),
        ({"vocabulary": lambda v: {**v, "words": v["words"][:-1]}}, "words"),
        ({"templates": "How many?"}, "templates: expected a list of strings, got str"),
        ({"features": {}}, "features: expected audio and visual"),
        ({"files": {"train.json": 1}}, "files: 'train.json': expected its sha256, got 1"),
        ({"versions": {"torch": 2}}, "versions: 'torch': expected a string, got 2"),
        ({"weights_sha256": "00" * 32}, "model.safetensors: expected the SHA-256 '0000"),
        ({"metrics": []}, "metrics: expected a mapping with the key test"),
        ({"metrics": lambda m: {**m, "test": {"accuracy": {}}}}, "test: expected accuracy, prior and count"),
        ({"metrics": lambda m: {**m, "seconds": None}}, "metrics: seconds: expected a number, got None"),
        ({"metrics": lambda m: _tested(m, accuracy={}, prior={}, count={})}, "test: expected the row All, got none"),
        ({"metrics": lambda m: _tested(m, head=3)}, "test: head: expected accuracy, prior and count"),
        ({"metrics": lambda m: _tested(m, shuffled={"smell": {}})}, "shuffled: expected at most audio and visual"),
        ({"metrics": lambda m: _tested(m, shuffled={"audio": {}})}, "shuffled: audio: expected the row All, got {}"),
        ({"metrics": lambda m: _tested(m, grounding=3)}, "grounding: expected at most pointing and temporal_overlap"),
        ({"metrics": lambda m: _tested(m, grounding={"pointing": 3})}, "pointing: expected names and numbers, got 3"),
        (
            {"metrics": lambda m: _tested(m, grounding={"pointing": {"accuracy": {}}})},
            "grounding: pointing: expected numbers",
        ),
        ({"run": lambda r: {**r, "prefix": "\ud800"}}, "expected finite numbers and whole characters, got 'utf-8'"),
        ({"run": lambda r: {**r, "overrides": {"a": float("nan")}}}, "expected finite numbers .*, got Out of range"),
        ({"metrics": lambda m: {**m, "seconds": "<script>"}}, "metrics: seconds: expected a number, got '<script>'"),
        ({"metrics": lambda m: {**m, "seconds": float("nan")}}, "metrics: seconds: expected a number, got nan"),
        ({"metrics": lambda m: {**m, "warnings": [1]}}, "warnings: expected a list of texts"),
    ],
)
def test_a_configuration_that_cannot_be_is_an_error(changes, message, copy):
    change(copy, **changes)
    with pytest.raises(DataError, match=message) as error:
        PretrainedModel.from_pretrained(copy)
    assert str(copy) in str(error.value)


def test_weights_that_do_not_fit_are_named(copy):
    bias = load_file(copy / "model.safetensors")["answer.classify.bias"]
    for tensors, message in (
        ({"extra": torch.zeros(2)}, "1 weights do not fit the model: unknown 'extra'"),
        ({"answer.classify.bias": None}, "missing answer.classify.bias"),
        ({"answer.classify.bias": torch.zeros(3)}, r"answer.classify.bias: expected \(\d+,\), got \(3,\)"),
        ({"answer.classify.bias": bias.int()}, "answer.classify.bias: expected one of F16, BF16, F32, F64, got I32"),
        ({"answer.classify.bias": bias / 0}, "answer.classify.bias: expected finite numbers"),
    ):
        rewrite(copy, **{"extra": None, "answer.classify.bias": bias, **tensors})
        with pytest.raises(DataError, match=message):
            PretrainedModel.from_pretrained(copy)


def test_a_huge_header_is_refused_before_it_is_read(copy):
    for length in (MOST_HEADER_BYTES + 1, 2**63):
        with (copy / "model.safetensors").open("r+b") as file:
            file.write(length.to_bytes(8, "little"))
            file.truncate(2 * MOST_HEADER_BYTES)
        with pytest.raises(
            DataError, match=f"model.safetensors: expected a header of at most .*, got one of {length:,}"
        ):
            PretrainedModel.from_pretrained(copy)


def test_sizes_that_do_not_fit_are_refused_before_memory_is_taken(copy, monkeypatch):
    """A file that is mostly a hole claims 2**40 numbers; nothing but its header is looked at."""
    header = json.dumps({"extra": {"dtype": "F32", "shape": [2**30], "data_offsets": [0, 2**32]}}).encode()
    with (copy / "model.safetensors").open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        file.truncate(8 + len(header) + 2**32)
    monkeypatch.setattr(pretrained, "rebuild", lambda *_: pytest.fail("a model was built"))
    monkeypatch.setattr(hashlib, "file_digest", lambda *_: pytest.fail("all of it was read"))
    with pytest.raises(DataError, match="weights do not fit the model: missing"):
        PretrainedModel.from_pretrained(copy)


def test_nothing_but_two_files_is_read(copy):
    (copy / "pytorch_model.bin").write_bytes(b"never read")
    (copy / "modeling.py").write_text("raise SystemExit")
    assert PretrainedModel.from_pretrained(copy).vocabulary


# ---- the hub -------------------------------------------------------------------------------------------------------


def test_without_the_hub_the_error_says_what_was_looked_for(tmp_path):
    for name in ("someone/name", "a/b/c", "name with spaces"):
        with pytest.raises(DataError, match=f"{name}: expected a folder of save_pretrained or a model on the Hugging"):
            PretrainedModel.from_pretrained(name, local_files_only=True, cache_dir=tmp_path)
    with pytest.raises(DataError, match="nowhere: expected a folder of save_pretrained, got none"):
        PretrainedModel.from_pretrained(tmp_path / "nowhere")


def test_a_model_is_fetched_by_its_two_files(saved, monkeypatch):
    asked = []

    def fetch(name, file, **options):
        asked.append((name, file, options["revision"]))
        return str(saved / file)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", fetch)
    assert PretrainedModel.from_pretrained("someone/name", revision="v1").vocabulary
    assert asked == [("someone/name", "config.json", "v1"), ("someone/name", "model.safetensors", "v1")]


def test_what_is_pushed_is_what_would_be_saved(saved, monkeypatch):
    calls = []

    class Api:
        def __init__(self, **options):
            calls.append(("api", options))

        def create_repo(self, repo_id, **options):
            calls.append(("create", repo_id, options["private"]))
            return huggingface_hub.RepoUrl(f"https://huggingface.co/{repo_id}")

        def upload_folder(self, *, repo_id, folder_path, **options):
            files = {name: (folder_path / name).read_bytes() for name in os.listdir(folder_path)}
            calls.append(("upload", repo_id, files, options["commit_message"]))
            return "the commit"

    monkeypatch.setattr(huggingface_hub.hub_mixin, "HfApi", Api)
    made = PretrainedModel.from_pretrained(saved)
    assert made.push_to_hub("someone/name", private=True, commit_message="first") == "the commit"
    assert calls[1] == ("create", "someone/name", True)
    assert calls[2] == ("upload", "someone/name", {name: (saved / name).read_bytes() for name in FILES}, "first")


def test_a_package_that_is_missing_is_named(saved, monkeypatch, tmp_path):
    made = PretrainedModel.from_pretrained(saved)
    for missing, call in (
        ("safetensors", lambda: PretrainedModel.from_pretrained(saved)),
        ("huggingface_hub", lambda: PretrainedModel.from_pretrained("someone/name")),
        ("huggingface_hub", lambda: made.save_pretrained(tmp_path / "other")),
    ):
        monkeypatch.setattr("importlib.util.find_spec", lambda name, missing=missing: None if name == missing else name)
        with pytest.raises(ConfigError, match=rf'expected the package {missing}: pip install "avground\[hub\]"'):
            call()


def test_a_folder_is_read_without_the_hub(saved, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "huggingface_hub" else name)
    assert PretrainedModel.from_pretrained(saved).vocabulary
