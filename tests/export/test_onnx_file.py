"""ONNX files say what the models say, for any number of clips, segments and words."""

import onnx
import pytest
import torch
from torch import nn
from torch.testing import assert_close

import avground.export.onnx_file
from avground.data import MusicAVQA, Vocabulary
from avground.errors import ConfigError, DataError
from avground.export import OUTPUTS, OnnxModel, export_onnx
from avground.hub import PretrainedModel
from avground.models import MODELS
from avground.models.released import StageOne
from avground.training import load_splits

from .models import BUILDS, SIZES, expected, make, sample

VOCABULARY = Vocabulary(("<pad>", *(f"word{k}" for k in range(19))), tuple(f"answer{k}" for k in range(7)))


@pytest.fixture(scope="session")
def exported(tmp_path_factory):
    """The ONNX file of a model, exported once."""
    folder, done = tmp_path_factory.mktemp("onnx"), {}

    def export(name):
        if name not in done:
            done[name] = folder / f"{name}.onnx"
            export_onnx(make(name), done[name], vocabulary=VOCABULARY, facts={"model": name, "segments": 5})
        return done[name]

    return export


@pytest.mark.parametrize("name", BUILDS)
def test_every_model_says_the_same_in_onnx_runtime(name, exported):
    model, run = make(name), OnnxModel(exported(name))
    for sizes in ((1, 1, 1, 1, 1), (2, 11, 3, 5, 2), (6, 4, 17, 7, 7)):
        inputs = sample(*sizes)
        right = expected(model, inputs)
        for output, got in zip(OUTPUTS, run(*inputs), strict=True):
            assert_close(got, right[output], rtol=1e-5, atol=1e-5, msg=lambda text, output=output: f"{output}: {text}")
    assert model.training


def test_lstms_stay_lstms(exported):
    kinds = [node.op_type for node in onnx.load(exported("tjstg")).graph.node]
    assert kinds.count("LSTM") == 3  # the question, sound, pictures
    assert not {"Loop", "Scan"} & set(kinds)


def test_sizes_have_names(exported):
    graph = onnx.load(exported("avsd")).graph
    found = {
        value.name: [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (*graph.input, *graph.output)
    }
    assert found == {
        "audio": ["clips", "segments", 6],
        "visual": ["clips", "segments", 12, "rows", "columns"],
        "question": ["clips", "words"],
        "answer_logits": ["clips", 7],
        "audio_weights": ["clips", "segments"],
        "visual_weights": ["clips", "segments"],
        "cell_weights": ["clips", "segments", "rows", "columns"],
        "target_weights": ["clips", "words"],
    }


def test_the_file_brings_its_words_and_answers(exported):
    found = OnnxModel(exported("question_lstm")).metadata
    assert found == {
        "words": list(VOCABULARY.words),
        "answers": list(VOCABULARY.answers),
        "model": "question_lstm",
        "segments": 5,
    }


def test_no_path_of_this_machine_is_in_the_file(exported):
    content = exported("question_lstm").read_bytes()
    assert str(avground.__path__[0]).encode() not in content
    assert b"site-packages" not in content


def test_a_relative_threshold_needs_the_size_of_the_map(tmp_path):
    model = MODELS["tjstg"](**SIZES, threshold_unit="relative", threshold=0.9)
    with pytest.raises(ConfigError, match="map_size: expected rows and columns for threshold_unit='relative'"):
        export_onnx(model, tmp_path / "model.onnx")
    export_onnx(model, tmp_path / "model.onnx", map_size=(3, 4))
    inputs = sample(2, 6, 5, 3, 4)
    got = OnnxModel(tmp_path / "model.onnx")(*inputs)
    assert_close(got[0], expected(model, inputs)["answer_logits"], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        (lambda: nn.Linear(2, 2), {}, "model: expected a model that answers, got Linear"),
        (StageOne, {}, "model: expected a model that answers, got StageOne"),
        (
            lambda: MODELS["question_lstm"](**SIZES).half(),
            {},
            r"weights in float32, as model.float\(\) .* torch.float16",
        ),
        (lambda: MODELS["question_lstm"](**SIZES), {"map_size": (0, 3)}, "map_size: expected a whole number"),
        (
            lambda: MODELS["question_lstm"](**SIZES),
            {"map_size": (3,)},
            r"map_size: expected rows and columns, got \(3,\)",
        ),
        (
            lambda: MODELS["question_lstm"](**{**SIZES, "answers": 3}),
            {"vocabulary": VOCABULARY},
            "vocabulary: expected 20 words and 3 answers, as the model has, got 20 and 7",
        ),
    ],
)
def test_what_cannot_be_exported_is_an_error(model, options, message, tmp_path):
    with pytest.raises(ConfigError, match=message):
        export_onnx(model(), tmp_path / "model.onnx", **options)
    assert not list(tmp_path.iterdir())


def test_a_network_that_looks_at_its_numbers_is_an_error(tmp_path):
    class Looks(type(MODELS["question_lstm"](**SIZES))):
        def forward(self, audio, visual, question, negative=None):
            return super().forward(audio, visual, question) if audio.sum() > 0 else None

    with pytest.raises(ConfigError, match=r"model: expected one that torch\.export can trace with any number of clips"):
        export_onnx(Looks(MODELS["question_lstm"](**SIZES).config), tmp_path / "model.onnx")


def test_a_file_that_says_something_else_never_gets_its_name(tmp_path, monkeypatch):
    class Off(OnnxModel):
        def __call__(self, *inputs):
            first, *rest = super().__call__(*inputs)
            return [first + 1e-3 * (inputs[0].shape[1] > 5), *rest]

    monkeypatch.setattr(avground.export.onnx_file, "OnnxModel", Off)
    with pytest.raises(ConfigError, match=r"ONNX file: .* clips=2, segments=9, words=14.*, got output 0 .* by 0.001"):
        export_onnx(make("question_lstm"), tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_no_onnx_file_is_an_error(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"model\.onnx: expected an ONNX file, got"):
        OnnxModel(tmp_path / "model.onnx")


def test_a_package_that_is_missing_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(avground.export.onnx_file, "find_spec", lambda name: None if name == "onnxscript" else object())
    with pytest.raises(ConfigError, match=r'expected the package onnxscript: pip install "avground\[export\]"'):
        export_onnx(make("question_lstm"), tmp_path / "model.onnx")


def test_a_trained_model_answers_a_whole_test_split_as_it_does_here(trained, tmp_path):
    """From a run to a file that is all that another runtime needs."""
    model = PretrainedModel.from_checkpoint(trained / "best.pt")
    export_onnx(model.model, tmp_path / "model.onnx", vocabulary=model.vocabulary, facts=model.facts())
    run = OnnxModel(tmp_path / "model.onnx")
    splits = load_splits(model.run)
    vocabulary = Vocabulary(run.metadata["words"], run.metadata["answers"])
    tests = MusicAVQA(splits.records["test"], splits.features, vocabulary, question_length=splits.question_length)
    assert run.metadata["segments"] == splits.features.segments
    batch = tests.__getitems__(range(len(tests)))
    inputs = (batch.audio, batch.visual, batch.question)
    right, got = expected(model.model, inputs), run(*inputs)
    assert torch.equal(got[0].argmax(-1), right["answer_logits"].argmax(-1))
    for name, value in zip(OUTPUTS, got, strict=True):
        assert_close(value, right[name], rtol=0, atol=1e-4)
