import dataclasses
import json

import pytest

from avground import blocks
from avground.errors import ConfigError
from avground.models import MODELS, ModelConfig, build

SIZES = {"vocabulary_size": 12, "answers": 5, "audio_dim": 3, "visual_dim": 6, "dim": 8}


@pytest.mark.parametrize("name", ["tjstg", "tjstg_sharp", "avst"])
def test_a_config_goes_through_a_dict_and_through_json(name):
    config = MODELS[name](**SIZES).config
    assert ModelConfig(**dataclasses.asdict(config)) == config
    assert ModelConfig(**json.loads(json.dumps(dataclasses.asdict(config)))) == config


def test_a_config_is_a_value():
    config = ModelConfig(**SIZES)
    assert config == ModelConfig(**SIZES)
    assert hash(config) == hash(ModelConfig(**SIZES))
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.dim = 4
    with pytest.raises(TypeError, match="positional"):
        ModelConfig(93)


def test_changing_gives_another_config_and_leaves_this_one():
    config = ModelConfig(**SIZES)
    changed = config.change(target="mean", threshold=0.1)
    assert (changed.target, changed.threshold) == ("mean", 0.1)
    assert (config.target, config.threshold) == ("hard", 0.005)
    assert config.change() == config


def test_the_defaults_are_the_paper():
    assert dataclasses.asdict(ModelConfig()) == {
        "vocabulary_size": 93,
        "answers": 42,
        "audio_dim": 128,
        "visual_dim": 512,
        "dim": 512,
        "target": "hard",
        "threshold": 0.005,
        "threshold_unit": "absolute",
        "combine": "product",
        "normalize": "softmax",
        "temperature": 1.0,
        "similarity": "dot",
        "stream": "joint",
        "order": "interleave_va",
        "heads": 4,
        "dropout": 0.1,
        "answer_activation": "none",
        "padding": "skip",
    }


def test_every_setting_is_described():
    for field in dataclasses.fields(ModelConfig):
        assert f"\n        {field.name}: " in ModelConfig.__doc__, field.name


@pytest.mark.parametrize(
    ("target", "block"),
    [
        ("hard", blocks.TargetAware),
        ("straight_through", blocks.TargetAware),
        ("soft", blocks.TargetAware),
        ("mean", blocks.MeanTarget),
        ("max", blocks.MaxTarget),
        ("sentence", blocks.SentenceTarget),
        (None, blocks.NoTarget),
    ],
)
def test_each_target_is_its_block(target, block):
    model = build(ModelConfig(**SIZES, target=target))
    assert type(model.target) is block
    if block is blocks.TargetAware:
        assert model.target.selection == target
    grounding = blocks.AudioVisualSpatialGrounding if target is None else blocks.TargetAwareSpatialGrounding
    assert type(model.spatial) is grounding


def test_every_setting_reaches_its_block():
    config = ModelConfig(
        **SIZES,
        target="soft",
        threshold=0.7,
        threshold_unit="relative",
        combine="sum",
        normalize="sum",
        temperature="learned",
        similarity="cosine",
        order="concat_av",
        heads=2,
        dropout=0.3,
        answer_activation="tanh",
        padding="read",
    )
    model = build(config)
    spatial, temporal = model.spatial, model.temporal
    assert model.config is config
    assert (spatial.threshold, spatial.threshold_unit) == (0.7, "relative")
    assert (spatial.combine, spatial.normalize, spatial.similarity) == ("sum", "sum", "cosine")
    assert spatial.temperature().tolist() == pytest.approx([0.1, 0.1])
    assert (spatial.dim, spatial.visual_dim) == (8, 6)
    assert type(temporal) is blocks.JointTemporalGrounding
    assert (temporal.order, temporal.attention.heads) == ("concat_av", 2)
    assert (temporal.attention.dropout.p, temporal.mlp[2].p) == (0.3, 0.3)
    assert type(model.answer.activation).__name__ == "Tanh"
    assert model.answer.classify.weight.shape == (5, 8)
    assert model.question.padding == "read"
    assert model.question.embedding.weight.shape == (12, 8)
    assert model.audio.layers[0].weight.shape == (8, 3)
    dual = build(config.change(stream="dual", target=None, temperature=0.2))
    assert type(dual.temporal) is blocks.DualStreamTemporalGrounding
    assert (dual.temporal.visual.attention.heads, dual.temporal.visual.attention.dropout.p) == (2, 0.3)
    assert [dual.temporal.audio.feed_forward[i].p for i in (2, 4)] == [0.3, 0.3]
    assert (dual.spatial.temperature, dual.spatial.similarity) == (0.2, "cosine")


def test_two_models_of_one_config_share_nothing():
    config = ModelConfig(**SIZES, temperature="learned")
    one, other = build(config), build(config)
    assert not {id(p) for p in one.parameters()} & {id(p) for p in other.parameters()}


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ({"dim": 0}, "dim: expected a whole number of at least 1, got 0"),
        ({"answers": -1}, "answers: expected a whole number of at least 1, got -1"),
        ({"heads": 2.0}, "heads: expected a whole number of at least 1, got 2.0"),
        ({"vocabulary_size": "93"}, "vocabulary_size: expected a whole number of at least 1, got '93'"),
        (
            {"target": "none"},
            "target: expected one of 'hard', 'straight_through', 'soft', 'mean', 'max', 'sentence', None, got 'none'",
        ),
        ({"stream": "single"}, "stream: expected one of 'joint', 'dual', 'relative', got 'single'"),
        ({"combine": "mean"}, "combine: expected one of 'product', 'sum', got 'mean'"),
        ({"normalize": "l1"}, "normalize: expected one of 'softmax', 'sum', got 'l1'"),
        ({"similarity": "l2"}, "similarity: expected one of 'dot', 'cosine', got 'l2'"),
        ({"threshold": -1.0}, "threshold: expected a number that is at least 0, got -1.0"),
        ({"threshold_unit": "cells"}, "threshold_unit: expected one of 'absolute', 'relative', got 'cells'"),
        ({"temperature": 0.0}, "temperature: expected a number above 0, got 0.0"),
        (
            {"order": "va"},
            "order: expected one of 'interleave_va', 'interleave_av', 'concat_va', 'concat_av', got 'va'",
        ),
        ({"heads": 3}, "heads: expected a divisor of dim=8, got 3"),
        ({"dim": 5, "heads": 1}, "dim: expected an even number, for the two directions of the LSTMs, got 5"),
        ({"padding": "pack"}, "padding: expected one of 'skip', 'read', got 'pack'"),
    ],
)
def test_settings_that_do_not_exist_are_errors(setting, expected):
    with pytest.raises(ConfigError) as caught:
        build(ModelConfig(**{**SIZES, **setting}))
    assert str(caught.value) == expected


def test_changing_a_setting_that_does_not_exist_lists_those_that_do():
    names = ", ".join(repr(field.name) for field in dataclasses.fields(ModelConfig))
    with pytest.raises(ConfigError) as caught:
        ModelConfig().change(tau=0.1)
    assert str(caught.value) == f"model setting: expected one of {names}, got 'tau'"
