"""The plain restatement of the published code says what the package's networks, losses and operation say."""

import copy
import json
import random

import numpy as np
import pytest
import torch
from torch.testing import assert_close
from torch.utils.data import DataLoader

from avground.losses import PairMatchingLoss
from avground.models import avst
from avground.models.official import KEYS, NEVER_CALLED
from avground.models.released import ReleasedSynchronyLoss, from_official, tjstg_released
from avground.ops import spatial_grounding
from tests.benchmarks.scripts import ROOT, load
from tests.golden import recipe

EXACT = {"rtol": 0, "atol": 1e-10}
SIZES = {"answers": 5, "audio_dim": 3, "dim": 32}
NETWORKS = ("tjstg", "avst")


@pytest.fixture(scope="module")
def published():
    return load("published")["published"]


def build(published, network, **options):
    return {"tjstg": published.PublishedTJSTG, "avst": published.PublishedAVST}[network](**options)


def clips(b=4, t=3, dtype=torch.float64):
    """Maps of 14 x 14, so that the threshold of 0.01 parts their cells."""
    random_state = np.random.RandomState(3)
    question = torch.tensor([[3, 1, 4, 1], [2, 7, 0, 0], [5, 6, 8, 0], [9, 2, 6, 5]])[:b]
    audio, *maps = (
        torch.from_numpy(random_state.standard_normal(shape)).to(dtype)
        for shape in ((b, t, 3), (b, t, 32, 14, 14), (b, t, 32, 14, 14))
    )
    visual, negative = (values.clamp(min=0) for values in maps)
    return audio, visual, question, negative


def test_it_imports_nothing_of_the_package():
    lines = (ROOT / "benchmarks" / "published.py").read_text().splitlines()
    imported = {line.split()[1].split(".")[0] for line in lines if line.lstrip().startswith(("import ", "from "))}
    assert "torch" in imported
    assert not imported & {"avground", *(path.stem for path in (ROOT / "benchmarks").glob("*.py"))}


# ---- grounding -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("with_target", [True, False])
def test_grounding_is_that_of_the_package_with_its_gradients(published, with_target):
    shapes = ((5, 16), (5, 16, 14, 14), (5, 16))[: 2 + with_target]
    start = [torch.randn(shape, dtype=torch.float64) for shape in shapes]
    ours, theirs = ([values.clone().requires_grad_() for values in start] for _ in range(2))
    got = published.grounding(*theirs)
    expected = spatial_grounding(*ours, combine="sum", threshold=0.01, similarity="cosine")
    for one, other in zip(got, expected, strict=True):
        assert_close(one, other, **EXACT)
    pull = [torch.randn_like(values) for values in got]
    for one, other in zip(
        torch.autograd.grad(got, theirs, pull), torch.autograd.grad(tuple(expected), ours, pull), strict=True
    ):
        assert other.abs().max() > 1e-5  # a softmax of a softmax passes little on to the queries
        assert_close(one, other, rtol=1e-8, atol=1e-12)


def test_the_threshold_leaves_cells_out_and_keeps_others(published):
    """So that the agreement above says something about it."""
    audio, visual, target = torch.randn(5, 16), torch.randn(5, 16, 14, 14), torch.randn(5, 16)
    weights = published.grounding(audio, visual, target)[2]
    least = (weights == weights.amin((1, 2), keepdim=True)).sum((1, 2))
    assert ((least > 10) & (least < 186)).all()
    assert not torch.equal(weights, published.grounding(audio, visual, target, threshold=0.0)[2])


# ---- networks --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("network", NETWORKS)
def test_the_state_is_that_of_an_official_checkpoint(published, network):
    keys = json.loads((recipe.FOLDER / "official_keys.json").read_text(encoding="utf-8"))[network]
    state = build(published, network).state_dict()
    assert {name: list(values.shape) for name, values in state.items()} == keys


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("seed", [0, 1])
def test_it_returns_what_the_official_network_returned_and_what_ours_returns(published, network, seed):
    model = build(published, network).eval()
    model.load_state_dict(recipe.official_state(network, seed))
    parts = recipe.clips(seed)
    with torch.no_grad():
        got, ours = model(*parts), from_official(model.state_dict(), network)(*parts)
    match = torch.stack((got.match_positive, got.match_negative)).unflatten(1, (4, 10))
    stored = {name: values[seed] for name, values in recipe.expected(network).items()}
    assert_close(got.answer_logits, stored["answer"], rtol=0, atol=1e-5)
    assert_close(got.answer_logits, ours.answer_logits, rtol=0, atol=1e-5)
    assert_close(match, stored["match"], rtol=0, atol=1e-5)
    assert_close(match, ours.match_logits, rtol=0, atol=1e-5)
    if network == "avst":
        assert got.audio_weights is None
        assert got.visual_weights is None
        return
    for name in ("audio_weights", "visual_weights"):
        assert_close(getattr(got, name), stored[name], rtol=0, atol=1e-5)
        assert_close(getattr(got, name), getattr(ours, name), rtol=0, atol=1e-5)


def pair(published, network, **options):
    """A small published network and ours of the same weights, in training mode without dropout, in float64."""
    theirs = build(published, network, words=12, **SIZES, **options).double()
    sizes = {"vocabulary_size": 12, "visual_dim": 32, **SIZES}
    ours = tjstg_released(**sizes, **options) if network == "tjstg" else avst(**sizes, padding="read")
    state = theirs.state_dict()
    ours.double().load_state_dict({name: state[official] for name, official in KEYS[network].items()})
    for module in (*theirs.modules(), *ours.modules()):
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        elif isinstance(module, torch.nn.MultiheadAttention):
            module.dropout = 0.0
    return theirs.train(), ours.train()


@pytest.mark.parametrize(
    ("network", "options"),
    [("tjstg", {"pairing": "clip"}), ("tjstg", {"pairing": "time_major"}), ("avst", {})],
    ids=["tjstg, clip", "tjstg, time-major", "avst"],
)
def test_outputs_and_gradients_are_those_of_ours(published, network, options):
    """In float64 and in training: there a wrong pairing or a wrong word shows, which float32 hides."""
    theirs, ours = pair(published, network, **options)
    parts = clips()
    got, expected = theirs(*parts), ours(*parts)
    assert_close(got.answer_logits, expected.answer_logits, **EXACT)
    match = torch.stack((got.match_positive, got.match_negative)).unflatten(1, (4, 3))
    assert_close(match, expected.match_logits, **EXACT)
    total = (got.answer_logits**2).sum() + (match**2).sum()
    ours_total = (expected.answer_logits**2).sum() + (expected.match_logits**2).sum()
    if network == "tjstg":
        for name in ("audio_weights", "visual_weights"):
            assert_close(getattr(got, name), getattr(expected, name), **EXACT)
        total = total + (got.audio_weights**2).sum()
        ours_total = ours_total + (expected.audio_weights**2).sum()
    total.backward()
    ours_total.backward()
    gradients = {name: parameter.grad for name, parameter in theirs.named_parameters()}
    for name, parameter in ours.named_parameters():
        if parameter.grad is None:
            assert gradients[KEYS[network][name]] is None, name
        else:
            assert parameter.grad.abs().max() > 1e-9, name
            assert_close(gradients[KEYS[network][name]], parameter.grad, rtol=1e-7, atol=1e-14, msg=name)
    never = {name for name in gradients if name.rpartition(".")[0] in NEVER_CALLED[network]}
    assert len(never) == 2 * len(NEVER_CALLED[network])
    assert all(gradients[name] is None for name in never)


def test_the_pairings_differ_in_a_batch_and_agree_on_one_clip(published):
    models = {pairing: pair(published, "tjstg", pairing=pairing)[0].eval() for pairing in ("clip", "time_major")}
    models["time_major"].load_state_dict(models["clip"].state_dict())
    batch, one = clips(), clips(b=1)
    apart = [model(*batch).match_positive for model in models.values()]
    assert (apart[0] - apart[1]).abs().max() > 1e-8
    assert_close(*[model(*one).match_positive for model in models.values()], rtol=0, atol=1e-14)


def test_another_pairing_is_an_error(published):
    with pytest.raises(ValueError, match="pairing: expected 'clip' or 'time_major', got 'time-major'"):
        published.PublishedTJSTG("time-major")


@pytest.mark.parametrize("network", NETWORKS)
def test_dropout_acts_in_training_only(published, network):
    model = build(published, network, words=12, **SIZES).double()
    parts = clips()
    assert not torch.equal(model(*parts).answer_logits, model(*parts).answer_logits)
    model.eval()
    assert torch.equal(model(*parts).answer_logits, model(*parts).answer_logits)


@pytest.mark.parametrize("network", NETWORKS)
def test_without_negatives_the_rest_is_the_same(published, network):
    model = build(published, network, words=12, **SIZES).double().eval()
    audio, visual, question, negative = clips()
    got, full = model(audio, visual, question), model(audio, visual, question, negative)
    assert got.match_negative is None
    assert full.match_negative.shape == (12, 2)
    assert torch.equal(got.answer_logits, full.answer_logits)
    with pytest.raises(ValueError, match="outputs: expected those of a call with negatives"):
        published.losses(got, torch.zeros(4, dtype=torch.int64))


# ---- training --------------------------------------------------------------------------------------------------------


def test_losses_are_those_of_the_package(published):
    positive, negative = torch.randn(12, 2), torch.randn(12, 2)
    answer_logits, answers = torch.randn(4, 5), torch.tensor([0, 4, 2, 2])
    audio_weights, visual_weights = torch.randn(4, 6).softmax(-1).chunk(2, dim=-1)
    outputs = published.Outputs(answer_logits, positive, negative, audio_weights, visual_weights)
    got = published.losses(outputs, answers)
    assert_close(got.answer, torch.nn.functional.cross_entropy(answer_logits, answers))
    assert_close(got.match, PairMatchingLoss()(torch.stack((positive, negative))))
    assert_close(got.synchrony, ReleasedSynchronyLoss()(audio_weights, visual_weights))
    assert_close(got.total, got.answer + 0.5 * got.match + got.synchrony)
    swapped = published.losses(outputs._replace(match_positive=negative, match_negative=positive), answers)
    assert abs(swapped.match - got.match) > 1e-3
    without = published.losses(outputs._replace(audio_weights=None, visual_weights=None), answers)
    assert without.synchrony is None
    assert_close(without.total, got.answer + 0.5 * got.match)


@pytest.mark.parametrize("network", NETWORKS)
def test_losses_have_the_gradients_of_the_package(published, network):
    """Through the row-by-row copies too."""
    theirs, ours = pair(published, network)
    theirs, ours, parts, answers = theirs.float(), ours.float(), clips(dtype=torch.float32), torch.tensor([0, 4, 2, 2])
    published.losses(theirs(*parts), answers).total.backward()
    out = ours(*parts)
    total = torch.nn.functional.cross_entropy(out.answer_logits, answers) + 0.5 * PairMatchingLoss()(out.match_logits)
    if network == "tjstg":
        total = total + ReleasedSynchronyLoss()(out.audio_weights, out.visual_weights)
    total.backward()
    for name, parameter in ours.named_parameters():
        if parameter.grad is not None:
            assert_close(theirs.get_parameter(KEYS[network][name]).grad, parameter.grad, rtol=1e-4, atol=1e-6, msg=name)


@pytest.mark.parametrize("network", NETWORKS)
def test_a_training_step_is_adam_on_that_loss(published, network):
    model = pair(published, network)[0].float()
    parts = clips(dtype=torch.float32)
    batch = dict(zip(("audio", "visual", "question", "negative"), parts, strict=True))
    batch["answer"] = torch.tensor([0, 4, 2, 2])
    before = {name: values.clone() for name, values in model.state_dict().items()}
    wanted = published.losses(model(*parts), batch["answer"]).total.item()
    stepped_by_hand = copy.deepcopy(model)
    by_hand = torch.optim.Adam(stepped_by_hand.parameters(), lr=1e-3)
    for _ in range(2):
        stepped_by_hand.zero_grad()
        published.losses(stepped_by_hand(*parts), batch["answer"]).total.backward()
        by_hand.step()
    optimizer = published.adam(model, rate=1e-3)
    first = published.training_step(model, optimizer, batch)
    assert first == pytest.approx(wanted, rel=1e-5)
    still = {name for name, values in model.state_dict().items() if torch.equal(values, before[name])}
    unused = {name for name in before if name.rpartition(".")[0] in NEVER_CALLED[network]}
    assert still == unused | {name for name in before if ".attn." in name}  # of the argmax
    published.training_step(model, optimizer, batch)
    assert_close(dict(model.named_parameters()), dict(stepped_by_hand.named_parameters()))
    for _ in range(30):
        last = published.training_step(model, optimizer, batch)
    assert last < first - 0.1


# ---- reading ---------------------------------------------------------------------------------------------------------


@pytest.fixture(params=[60, 10])
def folder(request, tmp_path):
    """Three videos; every row of every file has a number of its own."""
    for number, kind in enumerate(("vggish", "res18_14x14")):
        (tmp_path / kind).mkdir()
        for video in range(3):
            marks = 1000 * number + 100 * video + np.arange(request.param, dtype=np.float32)
            shape = (128,) if kind == "vggish" else (8, 2, 2)
            rows = np.broadcast_to(marks.reshape(-1, *[1] * len(shape)), (request.param, *shape))
            np.save(tmp_path / kind / f"video{video}.npy", rows)
    return tmp_path


SAMPLES = [("video0", [3, 1, 0], 2), ("video2", [4, 5, 6], 0), ("video1", [7, 0, 0], 1), ("video0", [2, 2, 0], 4)]


def test_a_sample_is_what_was_written(published, folder, monkeypatch):
    rows = len(np.load(folder / "vggish" / "video0.npy"))
    random.seed(0)
    dataset = published.PublishedDataset(folder, SAMPLES)
    assert len(dataset) == 4
    read, load = [], np.load
    monkeypatch.setattr(np, "load", lambda path: read.append(path) or load(path))
    sample = dataset[1]
    assert len(read) == 12  # its own sound and maps, and the whole file of ten others
    step = torch.arange(0, rows, rows // 10, dtype=torch.float32)
    assert torch.equal(sample["audio"], (200 + step)[:, None].expand(10, 128))
    assert torch.equal(sample["visual"], (1200 + step)[:, None, None, None].expand(10, 8, 2, 2))
    assert sample["question"].tolist() == [4, 5, 6]
    assert sample["answer"].item() == 0
    negative = torch.stack([dataset[1]["negative"] for _ in range(20)])
    marks = negative[..., 0, 0, 0]
    assert torch.equal(negative, marks[..., None, None, None].expand_as(negative))
    videos, frames = (marks - 1000) // 100, (marks - 1000) % 100
    assert videos.unique().tolist() == [0, 1]
    assert (frames < rows).all()
    assert len(frames.unique()) > 0.9 * rows  # from all over the file
    assert not torch.equal(marks[0], marks[1])


def test_batches_of_the_reader_train(published, folder):
    random.seed(0)
    loader = DataLoader(published.PublishedDataset(folder, SAMPLES), batch_size=2)
    model = published.PublishedTJSTG(words=12, answers=5, dim=8)
    optimizer = published.adam(model)
    for batch in loader:
        assert {name: tuple(values.shape) for name, values in batch.items()} == {
            "audio": (2, 10, 128),
            "visual": (2, 10, 8, 2, 2),
            "negative": (2, 10, 8, 2, 2),
            "question": (2, 3),
            "answer": (2,),
        }
        assert np.isfinite(published.training_step(model, optimizer, batch))


@pytest.mark.parametrize("kind", ["vggish", "res18_14x14"])
def test_a_file_of_another_length_is_named(published, folder, kind):
    path = folder / kind / "video2.npy"
    np.save(path, np.load(path)[:7])
    with pytest.raises(ValueError, match=rf"{kind}/video2\.npy: expected 10 or 60 rows, got 7"):
        published.PublishedDataset(folder, SAMPLES)[1]


def test_another_file_of_another_length_is_named(published, folder):
    path = folder / "res18_14x14" / "video2.npy"
    np.save(path, np.load(path)[:7])
    with pytest.raises(ValueError, match=r"video2\.npy: expected \d0 rows, as other files have, got 7"):
        published.PublishedDataset(folder, [SAMPLES[0], SAMPLES[1]])[0]


def test_one_video_has_no_others(published, folder):
    with pytest.raises(ValueError, match="samples: expected at least 2 videos to draw others from, got 1"):
        published.PublishedDataset(folder, [SAMPLES[0], SAMPLES[3]])
