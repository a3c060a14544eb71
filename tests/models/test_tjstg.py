import inspect

import pytest
import torch
from torch.testing import assert_close

from avground.models import MODELS, Grounded, GroundingNetwork, ModelConfig, avst, build, tjstg, tjstg_sharp
from tests import naive
from tests.models.clips import SIZES, make, sample

NARROW = {**SIZES, "visual_dim": 8}  # the map as wide as the model: queries are used as they are, as in the paper
every_model = pytest.mark.parametrize("name", ["tjstg", "tjstg_sharp", "avst"])


# ---- the equations -------------------------------------------------------------------------------------------------


def by_hand(model, audio, cells, words, negative):
    """Everything that a model returns for one clip, from the equations: lists of floats in place of tensors."""
    config = model.config
    asked, sentence = naive.question(model.question, words)
    scores, feature = naive.target(asked, sentence)
    match config.target:
        case None:
            scores, feature = [0.0] * len(asked), None
        case "soft":
            feature = [naive.dot(scores, column) for column in zip(*asked, strict=True)]
        case "mean":
            scores, feature = [1 / len(asked)] * len(asked), naive.mean(asked)
        case "max":
            columns = [list(column) for column in zip(*asked, strict=True)]
            won = [column.index(max(column)) for column in columns]
            scores, feature = [won.count(n) / len(won) for n in range(len(asked))], [max(column) for column in columns]
        case "sentence":
            scores, feature = [0.0] * len(asked), sentence
    setting = {"similarity": config.similarity, "temperature": (config.temperature, config.temperature)}
    if config.temperature == "learned":
        setting["temperature"] = model.spatial.temperature().tolist()
    if feature is not None:
        setting |= {key: getattr(config, key) for key in ("threshold", "combine", "normalize")}
    same_width = config.visual_dim == config.dim
    feature = feature if same_width or feature is None else naive.linear(model.spatial.target_query, feature)

    def ground(sound, one_map):
        query = sound if same_width else naive.linear(model.spatial.audio_query, sound)
        mean, attended, weights = naive.grounding(query, one_map, feature, **setting)
        return naive.linear(model.spatial.fuse, naive.tanh(mean + attended)), weights

    first, _, second = model.audio.layers
    heard = [naive.linear(second, naive.relu(naive.linear(first, row))) for row in audio]
    seen, weights = zip(*map(ground, heard, cells), strict=True)
    others = [ground(sound, one_map)[0] for sound, one_map in zip(heard, negative, strict=True)]
    streams = {"joint": naive.joint_temporal, "relative": naive.relative_temporal, "dual": naive.dual_temporal}
    temporal = streams[config.stream]
    context, audio_weights, visual_weights = temporal(model.temporal, heard, list(seen), sentence)
    joined = naive.multiply(context, sentence)
    return Grounded(
        naive.linear(model.answer.classify, naive.tanh(joined) if config.answer_activation == "tanh" else joined),
        audio_weights,
        visual_weights,
        list(weights),
        scores + [0.0] * (len(words) - len(scores)),
        [[naive.match(model.match, a, v) for a, v in zip(heard, stream, strict=True)] for stream in (seen, others)],
    )


@pytest.mark.parametrize(
    ("name", "sizes", "changes"),
    [
        ("tjstg", NARROW, {}),
        ("tjstg", SIZES, {"threshold": 0.15}),
        ("tjstg", SIZES, {"target": "mean", "order": "concat_av"}),
        ("tjstg", SIZES, {"target": "max", "order": "interleave_av", "heads": 1}),
        ("tjstg", SIZES, {"target": "sentence", "order": "concat_va", "temperature": 0.3}),
        ("tjstg", SIZES, {"target": None}),
        ("tjstg", SIZES, {"stream": "dual"}),
        ("tjstg", SIZES, {"target": "straight_through", "combine": "sum", "threshold": 0.3, "similarity": "cosine"}),
        ("tjstg_sharp", SIZES, {}),
        ("avst", NARROW, {}),
        ("avst", SIZES, {"target": "hard"}),
    ],
    ids=str,
)
def test_equals_the_equations_from_words_to_answer(name, sizes, changes):
    model, parts = make(name, sizes, **changes), sample(sizes=sizes)
    got = model(*parts)
    for i in range(3):
        expected = by_hand(model, *(part[i].tolist() for part in parts))
        for field, values in expected._asdict().items():
            ours = getattr(got, field)
            ours = ours[:, i] if field == "match_logits" else ours[i]
            assert_close(ours, torch.tensor(values, dtype=torch.float64), rtol=0, atol=1e-12, msg=field)


@every_model
def test_a_model_is_its_parts_called_in_order(name):
    model, (audio, visual, question, _) = make(name), sample()
    asked = model.question(question)
    target = model.target(asked.words, asked.sentence, asked.mask)
    heard = model.audio(audio)
    spatial = model.spatial(heard, visual, target.feature)
    temporal = model.temporal(heard, spatial.feature, asked.sentence)
    got = model(audio, visual, question)
    assert torch.equal(got.answer_logits, model.answer(temporal.context, asked.sentence))
    assert torch.equal(got.cell_weights, spatial.weights)


# ---- matching and stage I ------------------------------------------------------------------------------------------


@every_model
def test_a_negative_that_is_the_positive_looks_the_same(name):
    model, (audio, visual, question, _) = make(name), sample()
    positives, negatives = model(audio, visual, question, visual).match_logits
    assert torch.equal(positives, negatives)


@every_model
def test_positives_come_first(name):
    wide = {**SIZES, "dim": 32}  # a matching head of a few units may be all zeros
    model, (audio, visual, question, negative) = make(name, wide), sample()
    logits = model(audio, visual, question, negative).match_logits
    swapped = model(audio, negative, question, visual).match_logits
    assert_close(logits.flip(0), swapped, rtol=0, atol=1e-12)
    assert not torch.equal(logits, swapped)


@every_model
def test_pairing_grounds_by_sound_alone(name):
    model, (audio, visual, _, negative) = make(name), sample()
    logits = model.pair(audio, visual, negative)
    heard = model.audio(audio)
    for got, cells in zip(logits, (visual, negative), strict=True):
        assert_close(got, model.match(heard, model.spatial(heard, cells).feature), rtol=0, atol=1e-12)
    assert logits.shape == (2, 3, 4, 2)
    assert list(inspect.signature(model.pair).parameters) == ["audio", "visual", "negative"]


def test_without_a_target_pairing_is_what_the_whole_model_does():
    model, (audio, visual, question, negative) = make("avst"), sample()
    assert torch.equal(model.pair(audio, visual, negative), model(audio, visual, question, negative).match_logits)


def test_pairing_trains_what_hears_and_sees_and_nothing_else():
    model, (audio, visual, _, negative) = make("tjstg"), sample()
    model.pair(audio, visual, negative).square().sum().backward()
    trained = {name.split(".")[0] for name, p in model.named_parameters() if p.grad is not None and p.grad.any()}
    assert trained == {"audio", "spatial", "match"}


# ---- presets -------------------------------------------------------------------------------------------------------


@every_model
def test_a_preset_is_a_network_that_knows_its_config(name):
    model = MODELS[name](**SIZES)
    assert isinstance(model, GroundingNetwork)
    assert {key: getattr(model.config, key) for key in SIZES} == SIZES
    other = build(model.config)
    other.load_state_dict(model.state_dict())
    assert repr(other) == repr(model)
    assert [part for part, _ in model.named_children()] == [
        "question",
        "target",
        "audio",
        "spatial",
        "temporal",
        "answer",
        "match",
    ]


def test_the_defaults_of_tjstg_are_those_of_the_config():
    assert tjstg(**SIZES).config == ModelConfig(**SIZES)


def test_the_other_presets_are_these_changes_of_tjstg():
    base = tjstg(**SIZES).config
    assert tjstg_sharp(**SIZES).config == base.change(
        target="soft",
        threshold=0.0,
        normalize="sum",
        temperature="learned",
        similarity="cosine",
        stream="relative",
    )
    assert avst(**SIZES).config == base.change(
        target=None, similarity="cosine", stream="dual", answer_activation="tanh"
    )


@every_model
def test_any_setting_may_be_changed_those_of_the_preset_too(name):
    changes = {"target": "max", "similarity": "dot", "stream": "dual", "answer_activation": "none", "threshold": 0.25}
    config = MODELS[name](**SIZES, **changes).config
    assert {key: getattr(config, key) for key in changes} == changes


def test_avst_has_as_many_parameters_as_the_official_network_trains():
    assert sum(parameter.numel() for parameter in avst().parameters()) == 7_916_716
