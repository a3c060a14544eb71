import dataclasses

import pytest
import torch
from torch.testing import assert_close

from avground.errors import ConfigError
from avground.models import Grounded, PanoAVQA, PanoAVQAConfig, pano_avqa
from avground.models.cyclic import Streams, sinusoids
from avground.models.pano_avqa import Regions
from tests import naive
from tests.models.clips import SIZES, make, sample
from tests.models.test_cyclic import cyclic_by_hand, self_attention_by_hand
from tests.strategies import normal

EXACT = {"rtol": 0, "atol": 1e-12}


def bounds(size, regions):
    """First and last row (exclusive) of each row of regions: they cover all, and overlap where they must."""
    return [(i * size // regions, -((i + 1) * size // -regions)) for i in range(regions)]


def cells_of(h, w, regions):
    """The cells of every region, row by row."""
    return [
        [(y, x) for y in range(*rows) for x in range(*columns)]
        for rows in bounds(h, regions)
        for columns in bounds(w, regions)
    ]


def by_hand(model, audio, visual, words):
    """Everything that the model returns for one clip, from the equations: lists of floats in place of tensors."""
    config, t = model.config, len(audio)
    h, w, r = len(visual[0][0]), len(visual[0][0][0]), model.config.regions
    seconds, places = (sinusoids(k, config.dim, torch.empty(0)).double().tolist() for k in (t, len(words)))
    row, column = naive.plain(model.regions.rows), naive.plain(model.regions.columns)
    where = [naive.add(row[i], column[j]) for i in range(r) for j in range(r)]
    tokens = {"audio": [], "visual": [], "language": []}
    for k in range(t):
        tokens["audio"].append((naive.linear(model.audio, audio[k]), seconds[k]))
        for place, cells in zip(where, cells_of(h, w, r), strict=True):
            region = naive.mean([[channel[y][x] for channel in visual[k]] for y, x in cells])
            tokens["visual"].append((naive.linear(model.visual, region), naive.add(seconds[k], place)))
    table = naive.plain(model.question.weight)
    tokens["language"] = [(table[word], places[k]) for k, word in enumerate(words)]
    real = [0] + [k + 1 for k, word in enumerate(words) if word != 0]
    streams = {}
    for stream, (name, pairs) in zip(model.streams, tokens.items(), strict=True):
        rows = [naive.plain(stream.first)]
        rows += [naive.add(naive.layer_norm(stream.norm, feature), position) for feature, position in pairs]
        for layer in stream.layers:
            rows = self_attention_by_hand(layer, rows, real if name == "language" else range(len(rows)))
        streams[name] = rows
    for layer in model.cyclic:
        streams, _ = cyclic_by_hand(layer, streams, real)
    streams, weights = cyclic_by_hand(model.last, streams, real)
    pooled = []
    for pooler, name in zip(model.poolers, Streams._fields, strict=True):
        pooled += naive.tanh(naive.linear(pooler[1], naive.layer_norm(pooler[0], streams[name][0])))
    hidden = naive.relu(naive.linear(model.answer[0], pooled))

    of_regions = naive.normalized(weights["audio"][1:])
    of_segments = [of_regions[k * r * r : (k + 1) * r * r] for k in range(t)]
    of_cells = [[[0.0] * w for _ in range(h)] for _ in range(t)]
    for k in range(t):
        for share, cells in zip(naive.normalized(of_segments[k]), cells_of(h, w, r), strict=True):
            for y, x in cells:
                of_cells[k][y][x] += share / len(cells)
    of_words = naive.normalized(weights["visual"][1:])
    return Grounded(
        naive.linear(model.answer[3], hidden),
        naive.normalized(weights["language"][1:]),
        [sum(segment) for segment in of_segments],
        of_cells,
        of_words + [0.0] * (len(words) - len(of_words)),
        None,
    )


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"regions": 1, "cross_layers": 1, "heads": 1},
        {"regions": 2, "self_layers": 2, "cross_layers": 3, "heads": 2},
    ],
    ids=str,
)
def test_equals_the_equations_from_words_to_answer(changes):
    model, parts = make("pano_avqa", **changes), sample(t=2, h=3, w=4)[:3]
    got = model(*parts)
    for i in range(3):
        expected = by_hand(model, *(part[i].tolist() for part in parts))
        for field, values in expected._asdict().items():
            if values is not None:
                ours = getattr(got, field)[i]
                assert_close(ours, torch.tensor(values, dtype=torch.float64), **EXACT, msg=field)
    assert got.match_logits is None


# ---- regions -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("h", "w", "regions"), [(7, 7, 3), (6, 9, 3), (14, 14, 3), (2, 1, 3), (1, 1, 4), (5, 3, 1)])
def test_regions_are_the_adaptive_average_pooling_of_torch(h, w, regions):
    block, visual = Regions(regions, 4).double(), normal(1, 2, 3, 5, h, w)
    expected = torch.nn.functional.adaptive_avg_pool2d(visual.flatten(0, 1), regions)
    assert_close(block(visual), expected.flatten(2).transpose(1, 2).unflatten(0, (2, 3)), **EXACT)


@pytest.mark.parametrize(("h", "w", "regions"), [(7, 7, 3), (6, 9, 3), (2, 1, 3), (1, 1, 4), (5, 3, 1)])
def test_spread_weights_pool_cells_as_the_weights_pool_regions(h, w, regions):
    """And they sum to 1 over the cells of each segment, whatever they sum to over its regions."""
    block, visual = Regions(regions, 4).double(), normal(1, 2, 3, 5, h, w)
    weights = normal(2, 2, 3, regions**2).softmax(-1)
    cells = block.spread(0.3 * weights, visual)
    assert cells.shape == (2, 3, h, w)
    assert_close(cells.flatten(2).sum(-1), torch.ones(2, 3, dtype=torch.float64), **EXACT)
    pooled = torch.einsum("btk,btkc->btc", weights, block(visual))
    assert_close(torch.einsum("bthw,btchw->btc", cells, visual), pooled, **EXACT)


def test_the_regions_of_an_even_map_do_not_mix():
    block = Regions(2, 4)
    weights = torch.tensor([0.1, 0.2, 0.3, 0.4]).expand(1, 1, 4)
    cells = block.spread(weights, torch.empty(1, 1, 1, 4, 2))
    expected = torch.tensor([[0.05, 0.1], [0.05, 0.1], [0.15, 0.2], [0.15, 0.2]])
    assert_close(cells[0, 0], expected)


# ---- what reaches what ---------------------------------------------------------------------------------------------

FEEDS = {
    1: {
        "audio_weights": {"audio", "question"},
        "visual_weights": {"audio", "visual"},
        "cell_weights": {"audio", "visual"},
        "target_weights": {"visual", "question"},
    },
    2: {
        "audio_weights": {"audio", "visual", "question"},
        "visual_weights": {"audio", "visual", "question"},
        "cell_weights": {"audio", "visual", "question"},
        "target_weights": {"audio", "visual", "question"},
    },
}


@pytest.mark.parametrize("cross_layers", FEEDS)
@pytest.mark.parametrize("changed", ["audio", "visual", "question"])
def test_weights_follow_the_circle(cross_layers, changed):
    """With one layer a stream knows of itself and of the one it looks at, with two of all."""
    model = make("pano_avqa", cross_layers=cross_layers)
    parts = dict(zip(("audio", "visual", "question"), sample(), strict=False))
    value = parts[changed].clone()
    value.flatten(1)[:, 0] = 7
    before, after = model(*parts.values()), model(*{**parts, changed: value}.values())
    moved = {n for n in FEEDS[1] if not torch.equal(getattr(before, n), getattr(after, n))}
    assert moved == {n for n, of in FEEDS[cross_layers].items() if changed in of}
    assert not torch.equal(before.answer_logits, after.answer_logits)


@pytest.mark.parametrize("part", ["audio", "visual", "question"])
def test_order_counts(part):
    model = make("pano_avqa")
    parts = dict(zip(("audio", "visual", "question"), sample(), strict=False))
    other = parts[part][:1].flip(1)
    parts = {name: value[:1] for name, value in parts.items()}
    before, after = model(*parts.values()), model(*{**parts, part: other}.values())
    assert not torch.allclose(before.answer_logits, after.answer_logits, rtol=0, atol=1e-6)


def test_a_question_without_words_has_no_weights():
    model, (audio, visual, question, _) = make("pano_avqa"), sample()
    out = model(audio, visual, torch.zeros_like(question))
    assert not out.target_weights.any()
    assert all(value.isfinite().all() for value in out[:-1])


# ---- settings ------------------------------------------------------------------------------------------------------


def test_a_width_may_suit_other_heads_than_the_default():
    model = pano_avqa(**{**SIZES, "dim": 6}, heads=2)
    assert pano_avqa(**dataclasses.asdict(model.config)).config == model.config


def test_settings():
    model = pano_avqa(**SIZES, regions=2, self_layers=3, cross_layers=4, heads=2, dropout=0.3)
    assert isinstance(model, PanoAVQA)
    assert model.config == PanoAVQAConfig(**SIZES, regions=2, self_layers=3, cross_layers=4, heads=2, dropout=0.3)
    assert [len(stream.layers) for stream in model.streams] == [3, 3, 3]
    assert len(model.cyclic) == 3
    assert model.regions.rows.shape == (2, 8)
    assert {module.p for module in model.modules() if isinstance(module, torch.nn.Dropout)} == {0.3}
    assert model.last.attention[0].heads == model.streams[0].layers[0].attention.heads == 2
    assert dataclasses.asdict(PanoAVQAConfig()) == {
        "vocabulary_size": 93,
        "answers": 42,
        "audio_dim": 128,
        "visual_dim": 512,
        "dim": 512,
        "regions": 3,
        "self_layers": 1,
        "cross_layers": 2,
        "heads": 4,
        "dropout": 0.1,
    }


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ({"dim": 10}, "dim: expected an even number that heads=4 divides, got 10"),
        ({"dim": 5, "heads": 1}, "dim: expected an even number that heads=1 divides, got 5"),
        ({"regions": 0}, "regions: expected a whole number of at least 1, got 0"),
        ({"self_layers": -1}, "self_layers: expected a whole number of at least 1, got -1"),
        ({"cross_layers": 0}, "cross_layers: expected a whole number of at least 1, got 0"),
        ({"heads": 2.0}, "heads: expected a whole number of at least 1, got 2.0"),
        ({"dropout": 1.0}, "dropout: expected a number that is at least 0 and below 1, got 1.0"),
        ({"layers": 2}, "model setting: expected one of 'vocabulary_size', .*'dropout', got 'layers'"),
    ],
)
def test_what_cannot_be_is_an_error(setting, expected):
    with pytest.raises(ConfigError, match=f"^{expected}$"):
        pano_avqa(**{**SIZES, **setting})
