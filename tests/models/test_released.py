"""The authors' networks: their checkpoints, their outputs, and what sets their arithmetic apart from the paper's."""

import io
import json
import math
import os
import pickle
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional
from torch.testing import assert_close

from avground.errors import ConfigError, DataError, ShapeError
from avground.models import avst
from avground.models.official import KEYS, NEVER_CALLED
from avground.models.released import ReleasedSynchronyLoss, TimeMajorGrounding, from_official, tjstg_released
from tests.golden import recipe

CLOSE = {"rtol": 0, "atol": 1e-5}
SIZES = {"vocabulary_size": 12, "answers": 5, "audio_dim": 3, "visual_dim": 8, "dim": 8}
SHARED = Path(__file__).parents[3] / "shared" / "golden"
every_network = pytest.mark.parametrize("network", KEYS)


def outputs(model, parts):
    with torch.no_grad():
        out = model(*parts)._asdict()
    found = {"match": out["match_logits"]}
    for name, field in {"answer": "answer_logits", "audio_weights": "audio_weights"}.items():
        if field in out:
            found[name] = out[field]
    if "visual_weights" in out:
        found["visual_weights"] = out["visual_weights"]
        found["target"] = out["target_weights"].argmax(-1)
    return found


def frozen(network, seed):
    stored = {name: values[seed] for name, values in recipe.expected("tjstg" if network == "tjstg" else "avst").items()}
    return {"match": stored["match"]} if network == "stage1" else stored


@pytest.fixture(scope="module", params=[(network, seed) for network in KEYS for seed in (0, 1)], ids=str)
def official(request):
    """An official network in ours, the clips, and what the official network returned."""
    network, seed = request.param
    model = from_official(recipe.official_state(network, seed), network)
    return model, recipe.clips(seed), frozen(network, seed)


def test_a_batch_gives_what_the_official_network_gives(official):
    model, parts, expected = official
    got = outputs(model, parts)
    for name, values in expected.items():
        assert_close(got[name], values, **CLOSE, msg=name)


def test_one_clip_at_a_time_gives_what_the_official_network_gives(official):
    model, parts, expected = official
    for i in range(4):
        got = outputs(model, [part[i : i + 1] for part in parts])
        for name, values in expected.items():
            wanted = values[:, i : i + 1] if name == "match" else values[i : i + 1]
            assert_close(got[name], wanted, **CLOSE, msg=name)


def test_what_was_frozen_tells_seeds_and_words_apart():
    """So that agreement says something."""
    stored = recipe.expected("tjstg")
    assert (stored["answer"][0] - stored["answer"][1]).abs().mean() > 1e-2
    assert stored["target"].unique().numel() > 3
    assert (stored["audio_weights"] - stored["visual_weights"]).abs().mean() > 1e-2


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/golden, the outputs as they were taken")
@every_network
@pytest.mark.parametrize("seed", [0, 1])
def test_the_outputs_as_they_were_taken(network, seed, monkeypatch):
    """Everything from there, nothing of the frozen copies; saved and read as a file of the authors would be."""
    monkeypatch.syspath_prepend(str(SHARED))
    monkeypatch.delitem(sys.modules, "recipe", raising=False)
    import recipe as theirs

    shapes = json.loads((SHARED / f"{network}_official.json").read_text())
    state = {f"module.{name}": torch.from_numpy(value) for name, value in theirs.state_dict(shapes, seed).items()}
    made = theirs.inputs(4, seed)
    parts = [torch.from_numpy(made[name]) for name in ("audio", "visual", "question", "negative")]
    got = outputs(from_official(state, network), parts)
    names = {"answer_logits": "answer", "target_index": "target"}
    with np.load(SHARED / f"{network}_official.npz") as stored:
        for name in (name for name in stored.files if name.startswith(f"seed{seed}/")):
            values, short = torch.from_numpy(stored[name]), name.partition("/")[2]
            match short:
                case "match_positive" | "match_negative":
                    ours = got["match"][int(short == "match_negative")]
                case _:
                    ours = got[names.get(short, short)]
            assert_close(ours, values, **CLOSE, msg=name)


# ---- the file ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize("legacy", [False, True])
def test_a_file_of_the_authors_is_read_with_its_unused_parts_listed(tmp_path, prefix, legacy):
    state = recipe.official_state("avst", 0)
    state |= {"visual_net.conv1.weight": torch.ones(2, 3), "visual_net.bn1.num_batches_tracked": torch.tensor(7)}
    path = tmp_path / "avst.pt"
    torch.save({prefix + name: value for name, value in state.items()}, path, _use_new_zipfile_serialization=not legacy)
    model = from_official(path, "avst")
    assert not model.training
    assert {name.split(".")[0] for name in model.ignored_keys} == {"visual_net", *NEVER_CALLED["avst"]}
    expected = {name: state[official] for name, official in KEYS["avst"].items()}
    assert model.state_dict().keys() == expected.keys()
    assert all(torch.equal(value, expected[name]) for name, value in model.state_dict().items())


@every_network
def test_never_called_layers_may_be_absent_and_change_nothing(network):
    state = recipe.official_state(network, 0)
    lean = {name: value for name, value in state.items() if name in KEYS[network].values()}
    assert len(state) - len(lean) == 2 * len(NEVER_CALLED[network])
    model = from_official(lean, network)
    assert model.ignored_keys == ()
    full = from_official(state, network)
    assert all(torch.equal(value, full.state_dict()[name]) for name, value in model.state_dict().items())


def test_another_vocabulary_is_said():
    state = recipe.official_state("tjstg", 0)
    state["question_encoder.word2vec.weight"] = torch.randn(50, 512)
    state["fc_ans.weight"], state["fc_ans.bias"] = torch.randn(7, 512), torch.randn(7)
    with pytest.raises(DataError, match=r"word2vec.*shape \(93, 512\), got \(50, 512\)"):
        from_official(state, "tjstg")
    model = from_official(state, "tjstg", vocabulary_size=50, answers=7)
    assert (model.config.vocabulary_size, model.config.answers) == (50, 7)


def _without(state, *names):
    return {name: value for name, value in state.items() if name not in names}


@every_network
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: _without(s, "fc_gl.weight"), r"missing: fc_gl\.weight; unknown: none$"),
        (lambda s: {**s, "fc_new.weight": torch.ones(2)}, r"missing: none; unknown: fc_new\.weight$"),
        (lambda s: {**s, 3: torch.ones(2)}, r"got a key that is no name but int"),
        (lambda s: {**s, "fc_a1.bias": torch.ones(511)}, r"fc_a1\.bias: .* shape \(512,\), got \(511,\)"),
        (lambda s: {**s, "fc_a1.bias": torch.ones(512).long()}, r"fc_a1\.bias: .*floating-point.*got torch\.int64"),
        (lambda s: {**s, "fc_a1.bias": [1.0] * 512}, r"fc_a1\.bias: .* got list"),
        (lambda s: {**s, "fc_a1.bias": torch.ones(512).to_sparse()}, r"fc_a1\.bias: .* got .*sparse"),
        (lambda s: {**s, "fc_a1.bias": torch.ones(512, device="meta")}, r"fc_a1\.bias: .* got no numbers"),
        (lambda s: {**s, "fc_a1.bias": torch.full((512,), math.nan)}, r"fc_a1\.bias: .* got NaN or infinity"),
        (lambda s: {**s, "module.fc_a1.bias": torch.ones(512)}, r"'fc_a1\.bias' with and without 'module\.'"),
        (lambda s: {}, r"got dict without parameters"),
    ],
)
def test_a_state_that_does_not_fit_is_named(network, change, message):
    with pytest.raises(DataError, match=message) as caught:
        from_official(change(recipe.official_state(network, 0)), network)
    assert str(caught.value).startswith("state_dict: ")


@every_network
def test_the_file_of_another_network_is_told_by_name(network):
    for other in KEYS:
        if other == network:
            continue
        with pytest.raises(
            DataError, match=rf"official network '{network}'; missing: .*; its keys are those of '{other}'"
        ):
            from_official(recipe.official_state(other, 0), network)


def test_a_network_that_does_not_exist():
    with pytest.raises(ConfigError, match="network: expected one of 'stage1', 'avst', 'tjstg', got 'lavish'"):
        from_official({}, "lavish")


class _Bomb:
    def __reduce__(self):
        return os.mkdir, ("exploded",)


def _saved(content):
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def _flipped(content, start):
    """A byte of the pickled structure changed: zip files of torch keep it first."""
    return content[:start] + bytes([content[start] ^ 0xFF]) + content[start + 1 :]


def _zip_of_something_else():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("hello.txt", "hello")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lambda good: good[: len(good) // 2], "cut short"),
        (lambda good: good[:100], "cut short"),
        (lambda good: b"", "cut short"),
        (lambda good: _flipped(good, 80), "cut short or damaged|more than tensors|without parameters|missing"),
        (lambda good: _zip_of_something_else(), "cut short or damaged"),
        (lambda good: b"GIF89a" + bytes(200), "is no checkpoint of the official network 'stage1'"),
        (lambda good: _saved(_Bomb()), "more than tensors"),
        (lambda good: _saved({"fc_a1.weight": _Bomb()}), "more than tensors"),
        (lambda good: pickle.dumps(_Bomb()), "is no checkpoint"),
        (lambda good: _saved([torch.ones(3)]), "got list without parameters"),
        (lambda good: _saved("hello"), "got str without parameters"),
        (lambda good: _saved(torch.ones(3)), "got Tensor without parameters"),
    ],
)
def test_a_hostile_or_broken_file_ends_in_one_error_and_runs_nothing(tmp_path, monkeypatch, content, message):
    monkeypatch.chdir(tmp_path)
    good = _saved(recipe.official_state("stage1", 0))
    (tmp_path / "net.pt").write_bytes(content(good))
    with pytest.raises(DataError, match=message) as caught:
        from_official("net.pt", "stage1")
    assert str(caught.value).startswith("net.pt: expected ")
    assert os.listdir(tmp_path) == ["net.pt"]


def test_no_such_file(tmp_path):
    with pytest.raises(DataError, match=r"none\.pt: expected a checkpoint of the official network 'avst', got no such"):
        from_official(tmp_path / "none.pt", "avst")


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(DataError, match="got a folder"):
        from_official(tmp_path, "avst")


# ---- what it is good for -------------------------------------------------------------------------------------------


def test_the_first_stage_starts_an_avst_of_ours():
    """The same blocks: what stage I learned goes into the whole model, which then matches as the official one does."""
    stage_one = from_official(recipe.official_state("stage1", 1), "stage1")
    model = avst(padding="read").eval()
    left = model.load_state_dict(stage_one.state_dict(), strict=False)
    assert not left.unexpected_keys
    assert all(name.split(".")[0] in ("question", "temporal", "answer") for name in left.missing_keys)
    audio, visual, _, negative = recipe.clips(1)
    with torch.no_grad():
        assert_close(model.pair(audio, visual, negative), recipe.expected()["match"][1], **CLOSE)


def test_the_first_stage_says_what_does_not_fit():
    stage_one = from_official(recipe.official_state("stage1", 0), "stage1")
    audio, visual = torch.randn(1, 2, 128), torch.rand(1, 2, 512, 2, 2)
    assert stage_one(audio, visual).match_logits is None
    assert stage_one(audio, visual, negative=visual).match_logits.shape == (2, 1, 2, 2)
    with pytest.raises(ShapeError, match="visual"):
        stage_one(audio, visual[:, :1])


def clip(b=4, t=3, dtype=torch.float32):
    torch.manual_seed(3)
    question = torch.tensor([[3, 1, 4, 1], [2, 7, 0, 0], [5, 6, 8, 0], [9, 2, 6, 5]])[:b]
    maps = (torch.rand(b, t, 8, 2, 3).to(dtype) for _ in range(2))
    visual, negative = maps
    return torch.randn(b, t, 3).to(dtype), visual, question, negative


def test_the_selection_and_its_attention_get_no_gradient():
    """All of its parameters are dead weight: the target takes an argmax of it."""
    model = tjstg_released(**SIZES)
    out = model(*clip())
    (out.answer_logits.sum() + out.match_logits.sum() + out.audio_weights.sum()).backward()
    dead = {name for name, parameter in model.named_parameters() if parameter.grad is None}
    assert dead == {f"target.attention.{name}" for name, _ in model.target.attention.named_parameters()}


def test_the_numbers_of_parameters_are_the_official_ones():
    counts = {name: parameter.numel() for name, parameter in tjstg_released().named_parameters()}
    never_called = sum(
        math.prod(shape)
        for name, shape in json.loads((recipe.FOLDER / "official_keys.json").read_text())["tjstg"].items()
        if name.split(".")[0] in NEVER_CALLED["tjstg"]
    )
    assert sum(counts.values()) + never_called == 11_792_300
    assert sum(size for name, size in counts.items() if not name.startswith("target.attention")) == 10_018_988


def test_each_half_of_the_weights_is_a_part_of_one_softmax():
    out = tjstg_released(**SIZES).eval()(*clip())
    total = out.audio_weights.sum(-1) + out.visual_weights.sum(-1)
    assert_close(total, torch.ones_like(total))
    assert (out.audio_weights.sum(-1) - 1).abs().min() > 0.1


def test_time_major_pairing_grounds_by_the_questions_of_others_and_only_in_training():
    torch.manual_seed(0)
    block = TimeMajorGrounding(8, threshold=0.01, combine="sum", similarity="cosine").double()
    torch.manual_seed(1)
    audio, visual, target = torch.randn(4, 3, 8), torch.rand(4, 3, 8, 2, 2), torch.randn(4, 8)
    audio, visual, target = audio.double(), visual.double(), target.double()
    got = block.train()(audio, visual, target).feature
    block.eval()
    for i in range(4):
        for j in range(3):
            own = block(audio[i, j], visual[i, j], target[(3 * i + j) % 4]).feature
            assert_close(got[i, j], own, rtol=0, atol=1e-12)
    assert_close(block(audio, visual, target).feature[2], block(audio[2], visual[2], target[2]).feature)
    assert torch.equal(block.train()(audio, visual).feature, block.eval()(audio, visual).feature)


def test_pairing_changes_training_and_not_testing():
    models = {}
    for pairing in ("clip", "time_major"):
        torch.manual_seed(0)
        models[pairing] = tjstg_released(**SIZES, pairing=pairing, dropout=0.0).double()
        models[pairing].target.attention.dropout = 0.0
    parts = clip(dtype=torch.float64)
    trained = [model.train()(*parts).answer_logits for model in models.values()]
    tested = [model.eval()(*parts).answer_logits for model in models.values()]
    assert (trained[0] - trained[1]).abs().max() > 1e-9
    assert torch.equal(*tested)
    one = [model.train()(*(part[:1] for part in parts)).answer_logits for model in models.values()]
    assert torch.equal(*one)  # right at a batch of one


@pytest.mark.parametrize("seed", [0, 1])
def test_the_released_loss_is_what_the_released_call_computes(seed):
    torch.manual_seed(seed)
    both = torch.randn(5, 14, dtype=torch.float64).softmax(-1)
    audio, visual = both[:, :7], both[:, 7:]
    average = (audio + visual) / 2
    called = [functional.kl_div(half, average, reduction="none").mean() for half in (audio, visual)]
    assert_close(ReleasedSynchronyLoss()(audio, visual), sum(called) / 2, rtol=0, atol=1e-14)


def test_the_released_loss_does_not_compare():
    """It is the same for agreement and disagreement of one average, and lowest where that is uniform."""
    loss = ReleasedSynchronyLoss()
    early, late = torch.tensor([[0.4, 0.1, 0.0]]), torch.tensor([[0.0, 0.1, 0.4]])
    average = (early + late) / 2
    assert_close(loss(early, late), loss(average, average))
    uniform = torch.full((1, 3), 1 / 6)
    assert loss(uniform, uniform) < loss(average, average) < 0
    assert loss(early, early) > loss(early, late)  # perfect agreement costs more than none at all


def test_the_released_loss_is_finite_at_zeros():
    weights = torch.tensor([[0.0, 1.0]], requires_grad=True)
    loss = ReleasedSynchronyLoss()(weights, weights)
    loss.backward()
    assert loss.isfinite()
    assert weights.grad.isfinite().all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pairing": "both"}, "pairing: expected one of 'clip', 'time_major', got 'both'"),
        ({"heads": 3}, "dim: expected an even multiple of heads=3, got 8"),
        ({"speed": 1}, "model setting: expected one of 'vocabulary_size'"),
        ({"dropout": 1}, "dropout"),
    ],
)
def test_settings_that_do_not_go_together(changes, message):
    with pytest.raises(ConfigError, match=message):
        tjstg_released(**{**SIZES, **changes})
