import inspect

import pytest
import torch
from hypothesis import given, settings
from torch.testing import assert_close

from avground.errors import ConfigError, ShapeError
from avground.losses import CrossModalSynchronyLoss, PairMatchingLoss
from avground.models import MODELS, Grounded, GroundingNetwork, ModelConfig, avst, build, tjstg, tjstg_sharp
from tests import naive
from tests.strategies import SEEDS, normal

SIZES = {"vocabulary_size": 12, "answers": 5, "audio_dim": 3, "visual_dim": 6, "dim": 8}
NARROW = {**SIZES, "visual_dim": 8}  # the map as wide as the model: queries are used as they are, as in the paper
QUESTIONS = [[3, 1, 4, 1], [2, 7, 0, 0], [5, 0, 0, 0]]
every_model = pytest.mark.parametrize("name", MODELS)


def make(name, sizes=SIZES, **changes):
    """A model in float64 whose every parameter is an ordinary number."""
    torch.manual_seed(0)
    model = MODELS[name](**sizes, **changes).double().eval()
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            if "temperature" not in key:
                parameter.copy_(torch.randn_like(parameter) / 2)
    return model


def sample(seed=1, b=3, t=4, n=4, h=2, w=3, sizes=SIZES):
    """Audio, visual and question; then the negative maps."""
    question = torch.tensor(QUESTIONS)[torch.arange(b) % 3]
    question = torch.nn.functional.pad(question, (0, n - 4)) if n >= 4 else question[:, :n]
    maps = (normal(seed + i, b, t, sizes["visual_dim"], h, w).abs() for i in (1, 2))
    return normal(seed, b, t, sizes["audio_dim"]), next(maps), question, next(maps)


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
    temporal = naive.dual_temporal if config.stream == "dual" else naive.joint_temporal
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


# ---- what a model returns ------------------------------------------------------------------------------------------


def test_the_result_has_these_fields_in_this_order():
    assert Grounded._fields == (
        "answer_logits",
        "audio_weights",
        "visual_weights",
        "cell_weights",
        "target_weights",
        "match_logits",
    )


@every_model
@pytest.mark.parametrize(
    ("b", "t", "n", "h", "w"), [(2, 10, 14, 14, 14), (1, 1, 1, 1, 1), (3, 4, 6, 5, 2), (2, 60, 4, 3, 7)]
)
def test_every_size_but_the_widths_may_vary(name, b, t, n, h, w):
    model, (audio, visual, question, negative) = make(name), sample(1, b, t, n, h, w)
    got = model(audio, visual, question, negative)
    assert isinstance(got, Grounded)
    shapes = [tuple(value.shape) for value in got]
    assert shapes == [(b, 5), (b, t), (b, t), (b, t, h, w), (b, n), (2, b, t, 2)]
    without = model(audio, visual, question)
    assert without.match_logits is None
    assert all(torch.equal(value, expected) for value, expected in zip(without[:-1], got[:-1], strict=True))


@every_model
def test_the_arguments_may_be_named(name):
    model, (audio, visual, question, negative) = make(name), sample()
    named = model(negative=negative, question=question, visual=visual, audio=audio)
    assert all(torch.equal(*pair) for pair in zip(named, model(audio, visual, question, negative), strict=True))
    assert list(inspect.signature(model.forward).parameters) == ["audio", "visual", "question", "negative"]


@every_model
@settings(max_examples=10)
@given(seed=SEEDS)
def test_permuting_the_batch_permutes_the_results(name, seed):
    model, parts = make(name), sample(seed, b=5)
    order = torch.randperm(5, generator=torch.Generator().manual_seed(seed))
    before, after = model(*parts), model(*(part[order] for part in parts))
    for field, value in after._asdict().items():
        expected = before._asdict()[field]
        expected = expected[:, order] if field == "match_logits" else expected[order]
        assert_close(value, expected, rtol=0, atol=1e-12, msg=field)


@every_model
def test_a_clip_sees_its_own_question_and_no_other(name):
    model, (audio, visual, question, negative) = make(name), sample()
    changed = question.clone()
    changed[1, 0] = 9
    before, after = model(audio, visual, question, negative), model(audio, visual, changed, negative)
    for field, value in after._asdict().items():
        dim = 1 if field == "match_logits" else 0
        difference = (value - before._asdict()[field]).abs().movedim(dim, 0).flatten(1).amax(1)
        assert difference[0] == difference[2] == 0, field
    assert not torch.equal(after.answer_logits[1], before.answer_logits[1])


@every_model
def test_padding_changes_nothing(name):
    model, (audio, visual, question, negative) = make(name), sample()
    longer = torch.nn.functional.pad(question, (0, 9))
    before, after = model(audio, visual, question, negative), model(audio, visual, longer, negative)
    for field, value in after._asdict().items():
        if field == "target_weights":
            assert not value[:, 4:].any()
            value = value[:, :4]
        assert_close(value, before._asdict()[field], rtol=0, atol=1e-12, msg=field)


@every_model
@pytest.mark.parametrize("autocast", [False, True])
@pytest.mark.parametrize("change", ["nothing", "zero maps", "silence", "no words", "one map everywhere"])
def test_a_step_of_training_is_finite_on_awkward_clips(name, autocast, change):
    model, parts = make(name).float().train(), sample()
    audio, visual, question, negative = (part.float() if part.is_floating_point() else part for part in parts)
    match change:
        case "zero maps":
            visual[0, 1], negative[2] = 0, 0
        case "silence":
            audio[1] = 0
        case "no words":
            question[2] = 0
        case "one map everywhere":
            visual[:] = visual[:1, :1, :, :1, :1]
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        got = model(audio, visual, question, negative)
        loss = torch.nn.functional.cross_entropy(got.answer_logits, torch.tensor([0, 4, 2]))
        loss = loss + CrossModalSynchronyLoss()(got.audio_weights, got.visual_weights)
        loss = loss + 0.5 * PairMatchingLoss()(got.match_logits)
    assert all(value.isfinite().all() for value in got)
    loss.backward()
    for key, parameter in model.named_parameters():
        assert parameter.grad.isfinite().all(), key
    for weights in (got.audio_weights, got.visual_weights, got.cell_weights.flatten(2)):
        assert weights.dtype == torch.float32
        assert_close(weights.sum(-1), torch.ones(weights.shape[:-1]), rtol=0, atol=1e-5)


# ---- matching and stage I ------------------------------------------------------------------------------------------


@every_model
def test_a_negative_that_is_the_positive_looks_the_same(name):
    model, (audio, visual, question, _) = make(name), sample()
    positives, negatives = model(audio, visual, question, visual).match_logits
    assert torch.equal(positives, negatives)


@every_model
def test_positives_come_first(name):
    model, (audio, visual, question, negative) = make(name), sample()
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


@pytest.mark.parametrize("preset", [tjstg, tjstg_sharp, avst])
def test_presets_take_keywords_only_and_default_to_the_published_sizes(preset):
    parameters = inspect.signature(preset).parameters
    sizes = {name: p.default for name, p in parameters.items() if p.kind is p.KEYWORD_ONLY}
    assert sizes == {"vocabulary_size": 93, "answers": 42, "audio_dim": 128, "visual_dim": 512, "dim": 512}
    assert all(p.kind in (p.KEYWORD_ONLY, p.VAR_KEYWORD) for p in parameters.values())
    with pytest.raises(TypeError, match="positional"):
        preset(93)


def test_the_models_by_name():
    assert {"tjstg": tjstg, "tjstg_sharp": tjstg_sharp, "avst": avst} == MODELS


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
        target="soft", threshold=0.0, normalize="sum", temperature="learned", similarity="cosine"
    )
    assert avst(**SIZES).config == base.change(
        target=None, similarity="cosine", stream="dual", answer_activation="tanh"
    )


@every_model
def test_any_setting_may_be_changed_those_of_the_preset_too(name):
    changes = {"target": "max", "similarity": "dot", "stream": "dual", "answer_activation": "none", "threshold": 0.25}
    config = MODELS[name](**SIZES, **changes).config
    assert {key: getattr(config, key) for key in changes} == changes


@every_model
def test_a_setting_that_does_not_exist_lists_those_that_do(name):
    with pytest.raises(ConfigError, match=r"^model setting: expected one of 'vocabulary_size', .*, got 'tau'$"):
        MODELS[name](tau=0.1)


def test_avst_has_as_many_parameters_as_the_official_network_trains():
    assert sum(parameter.numel() for parameter in avst().parameters()) == 7_916_716


# ---- errors --------------------------------------------------------------------------------------------------------


@every_model
@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"audio": (3, 4, 9)}, "audio: expected (b, t, 3), got (3, 4, 9)"),
        ({"audio": (4, 3)}, "audio: expected (b, t, 3), got (4, 3)"),
        ({"visual": (3, 5, 6, 2, 3)}, "visual: expected (b=3, t=4, 6, h, w), got (3, 5, 6, 2, 3)"),
        ({"visual": (3, 4, 2, 3, 6)}, "visual: expected (b=3, t=4, 6, h, w), got (3, 4, 2, 3, 6)"),
        ({"visual": (3, 6, 2, 3)}, "visual: expected (b=3, t=4, 6, h, w), got (3, 6, 2, 3)"),
        ({"negative": (3, 4, 6, 3, 2)}, "negative: expected (b=3, t=4, 6, h=2, w=3), got (3, 4, 6, 3, 2)"),
        ({"negative": (6, 4, 6, 2, 3)}, "negative: expected (b=3, t=4, 6, h=2, w=3), got (6, 4, 6, 2, 3)"),
        ({"question": (1, 4)}, "question: expected (b=3, n), got (1, 4)"),
        ({"question": (4,)}, "question: expected (b=3, n), got (4,)"),
    ],
)
def test_shapes_that_do_not_fit_are_errors(name, change, expected):
    parts = dict(zip(("audio", "visual", "question", "negative"), sample(), strict=True))
    parts |= {key: torch.zeros(shape, dtype=parts[key].dtype) for key, shape in change.items()}
    model = make(name)
    with pytest.raises(ShapeError) as caught:
        model(**parts)
    assert str(caught.value) == expected
    if "question" not in change:
        parts.pop("question")
        with pytest.raises(ShapeError) as caught:
            model.pair(**parts)
        assert str(caught.value) == expected


@every_model
def test_words_that_are_not_int64_are_an_error(name):
    audio, visual, question, _ = sample()
    with pytest.raises(ShapeError) as caught:
        make(name)(audio, visual, question.float())
    assert str(caught.value) == "question: expected int64 word indices, got torch.float32"
