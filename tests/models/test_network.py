"""What holds for every model: how it is called, what it returns, and which calls are errors."""

import dataclasses
import inspect
import json

import pytest
import torch
from hypothesis import given, settings
from torch.testing import assert_close

from avground import models
from avground.errors import ConfigError, ShapeError
from avground.losses import CrossModalSynchronyLoss, PairMatchingLoss
from avground.models import MODELS, UNMATCHED, Grounded, Network
from avground.ops import MapRows, cell_lengths
from avground.testing.contract import outputs_of
from tests.models.clips import SIZES, make, sample
from tests.strategies import SEEDS

#: The authors' released network keeps to little of what follows: see ``test_released.py``.
every_model = pytest.mark.parametrize("name", [name for name in MODELS if name != "tjstg_released"])


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
    shapes = [tuple(value.shape) for value in got[:-1]]
    assert shapes == [(b, 5), (b, t), (b, t), (b, t, h, w), (b, n)]
    assert got.match_logits is None if name in UNMATCHED else got.match_logits.shape == (2, b, t, 2)
    without = model(audio, visual, question)
    assert without.match_logits is None
    for value, expected in zip(without[:-1], got[:-1], strict=True):  # products of another size round otherwise
        assert_close(value, expected, rtol=0, atol=1e-5)


@every_model
@pytest.mark.parametrize("precision", [torch.float64, torch.float16])
def test_rows_of_a_bank_stand_where_maps_do(name, precision):
    model, (audio, visual, question, negative) = make(name), sample()
    maps = torch.stack((negative, visual)).to(precision)
    bank, rows = maps.flatten(0, 2), torch.arange(maps.shape[:3].numel()).unflatten(0, maps.shape[:3])
    seen, others = MapRows(bank, rows[1], cell_lengths(bank)), MapRows(bank, rows[0], cell_lengths(bank))
    expected = outputs_of(model(audio, maps[1].to(audio), question, maps[0].to(audio)))
    for field, value in outputs_of(model(audio, seen, question, others)).items():
        assert value.dtype == expected[field].dtype
        assert_close(value, expected[field], rtol=1e-5, atol=1e-5, msg=field)


@every_model
def test_the_arguments_may_be_named(name):
    model, (audio, visual, question, negative) = make(name), sample()
    named = outputs_of(model(negative=negative, question=question, visual=visual, audio=audio))
    for field, value in outputs_of(model(audio, visual, question, negative)).items():
        assert torch.equal(named[field], value), field
    assert list(inspect.signature(model.forward).parameters) == ["audio", "visual", "question", "negative"]


@every_model
@settings(max_examples=10)
@given(seed=SEEDS)
def test_permuting_the_batch_permutes_the_results(name, seed):
    model, parts = make(name), sample(seed, b=5)
    order = torch.randperm(5, generator=torch.Generator().manual_seed(seed))
    before, after = model(*parts), model(*(part[order] for part in parts))
    for field, value in outputs_of(after).items():
        expected = before._asdict()[field]
        expected = expected[:, order] if field == "match_logits" else expected[order]
        assert_close(value, expected, rtol=0, atol=1e-12, msg=field)


@every_model
def test_a_clip_sees_its_own_question_and_no_other(name):
    model, (audio, visual, question, negative) = make(name), sample()
    changed = question.clone()
    changed[1, 0] = 9
    before, after = model(audio, visual, question, negative), model(audio, visual, changed, negative)
    for field, value in outputs_of(after).items():
        dim = 1 if field == "match_logits" else 0
        difference = (value - before._asdict()[field]).abs().movedim(dim, 0).flatten(1).amax(1)
        assert difference[0] == difference[2] == 0, field
    assert not torch.equal(after.answer_logits[1], before.answer_logits[1])


@every_model
def test_padding_changes_nothing(name):
    model, (audio, visual, question, negative) = make(name), sample()
    longer = torch.nn.functional.pad(question, (0, 9))
    before, after = model(audio, visual, question, negative), model(audio, visual, longer, negative)
    for field, value in outputs_of(after).items():
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
        if name not in UNMATCHED:
            loss = loss + 0.5 * PairMatchingLoss()(got.match_logits)
    assert all(value.isfinite().all() for value in outputs_of(got).values())
    loss.backward()
    for key, parameter in model.named_parameters():
        assert parameter.grad.isfinite().all(), key
    for weights in (got.audio_weights, got.visual_weights, got.cell_weights.flatten(2)):
        assert weights.dtype == torch.float32
        assert_close(weights.sum(-1), torch.ones(weights.shape[:-1]), rtol=0, atol=1e-5)


@every_model
def test_a_model_without_matching_head_has_nothing_to_pair(name):
    assert hasattr(make(name), "pair") == (name not in UNMATCHED)
    assert set(MODELS) > UNMATCHED


# ---- how a model is built ------------------------------------------------------------------------------------------


@every_model
def test_builders_take_keywords_only_and_default_to_the_published_sizes(name):
    parameters = inspect.signature(MODELS[name]).parameters
    sizes = {name: p.default for name, p in parameters.items() if p.kind is p.KEYWORD_ONLY}
    assert sizes == {"vocabulary_size": 93, "answers": 42, "audio_dim": 128, "visual_dim": 512, "dim": 512}
    assert all(p.kind in (p.KEYWORD_ONLY, p.VAR_KEYWORD) for p in parameters.values())
    with pytest.raises(TypeError, match="positional"):
        MODELS[name](93)


@every_model
def test_a_model_goes_by_the_name_of_its_builder(name):
    assert MODELS[name] is getattr(models, name)


@every_model
def test_a_model_is_a_network_that_its_config_rebuilds(name):
    """As checkpoints do, which hold the config as plain values."""
    model = MODELS[name](**SIZES)
    assert isinstance(model, Network)
    assert {key: getattr(model.config, key) for key in SIZES} == SIZES
    other = MODELS[name](**json.loads(json.dumps(dataclasses.asdict(model.config))))
    assert other.config == model.config
    assert repr(other) == repr(model)
    other.load_state_dict(model.state_dict())
    shared = {id(p) for p in model.parameters()} & {id(p) for p in other.parameters()}
    assert not shared


@every_model
def test_every_setting_is_described_and_checked(name):
    config = MODELS[name](**SIZES).config
    for field in dataclasses.fields(config):
        assert f"\n        {field.name}: " in type(config).__doc__, field.name
    for field in SIZES:
        with pytest.raises(ConfigError, match=f"^{field}: expected a whole number of at least 1, got 0$"):
            MODELS[name](**{**SIZES, field: 0})


@every_model
def test_a_setting_that_does_not_exist_lists_those_that_do(name):
    with pytest.raises(ConfigError, match=r"^model setting: expected one of 'vocabulary_size', .*, got 'tau'$"):
        MODELS[name](tau=0.1)


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
    if "question" not in change and name not in UNMATCHED:
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
