import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from avground.errors import ConfigError, ShapeError
from avground.ops import spatial_grounding
from tests import naive
from tests.strategies import DTYPES, SEEDS, normal

PUBLISHED = {
    "paper": {},
    "released": {"combine": "sum", "threshold": 0.01, "similarity": "cosine"},
    "sharp": {"threshold": 0.0, "normalize": "sum", "temperature": 0.1, "similarity": "cosine"},
}
VARIANTS = [
    {"combine": combine, "normalize": normalize, "similarity": similarity}
    for combine, normalize, similarity in itertools.product(("product", "sum"), ("softmax", "sum"), ("dot", "cosine"))
]
variants = pytest.mark.parametrize("variant", VARIANTS, ids=lambda v: "-".join(v.values()))


def scene(seed, *leading, c=4, h=2, w=3, dtype=torch.float64):
    """Audio, map and target."""
    return tuple(normal(seed + i, *leading, *shape, dtype=dtype) for i, shape in enumerate(((c,), (c, h, w), (c,))))


def aligned(h, w, *, sign=1.0):
    """The surest scene there is for unit vectors: one cell along both queries, all others against them."""
    cells = torch.full((1, h, w), -1.0, dtype=torch.float64)
    cells[0, 0, 0] = 1
    query = torch.full((1,), sign, dtype=torch.float64)
    return query, cells, query


def ratio(weights):
    return float(weights.max() / weights.min())


# ---- the equations -------------------------------------------------------------------------------------------------


@variants
@pytest.mark.parametrize("threshold", [0.0, 0.005, 0.16, 0.4, 3.0])
@pytest.mark.parametrize("temperature", [1.0, 0.4, (0.3, 2.0)])
def test_equals_the_equations_cell_by_cell(variant, threshold, temperature):
    audio, visual, target = scene(1, 2, 3)
    given_temperature = temperature if isinstance(temperature, float) else torch.tensor(temperature).double()
    got = spatial_grounding(audio, visual, target, threshold=threshold, temperature=given_temperature, **variant)
    pair = given_temperature.tolist() if isinstance(temperature, tuple) else (temperature, temperature)
    for i, j in itertools.product(range(2), range(3)):
        one = (part[i, j].tolist() for part in (audio, visual, target))
        expected = naive.grounding(*one, threshold=threshold, temperature=pair, **variant)
        for name, ours, values in zip(got._fields, got, expected, strict=True):
            assert_close(ours[i, j], torch.tensor(values, dtype=torch.float64), rtol=0, atol=1e-12, msg=name)


def test_the_thresholds_of_that_test_cut_some_cells_but_not_all():
    audio, visual, target = scene(1, 2, 3)
    kept = [
        (spatial_grounding(audio, visual, target, normalize="sum", combine=combine, threshold=tau).weights > 0).sum()
        for combine, tau in (("product", 0.16), ("sum", 0.4))
    ]
    assert all(0 < number < 36 for number in kept)


@pytest.mark.parametrize("similarity", ["dot", "cosine"])
@pytest.mark.parametrize("temperature", [1.0, 0.4, (0.3, 2.0)])
def test_without_a_target_equals_the_equations_of_sound_alone(similarity, temperature):
    audio, visual, _ = scene(1, 4)
    given_temperature = temperature if isinstance(temperature, float) else torch.tensor(temperature).double()
    pair = given_temperature.tolist() if isinstance(temperature, tuple) else (temperature, temperature)
    got = spatial_grounding(audio, visual, temperature=given_temperature, similarity=similarity)
    for i in range(4):
        expected = naive.grounding(audio[i].tolist(), visual[i].tolist(), temperature=pair, similarity=similarity)
        for name, ours, values in zip(got._fields, got, expected, strict=True):
            assert_close(ours[i], torch.tensor(values, dtype=torch.float64), rtol=0, atol=1e-12, msg=name)


def test_the_defaults_are_the_paper():
    audio, visual, target = scene(1, h=14, w=14)
    spelled = {
        "threshold": 0.005,
        "combine": "product",
        "normalize": "softmax",
        "temperature": 1.0,
        "similarity": "dot",
    }
    for got, expected in zip(
        spatial_grounding(audio, visual, target), spatial_grounding(audio, visual, target, **spelled), strict=True
    ):
        assert torch.equal(got, expected)


def test_without_a_target_combining_and_threshold_do_not_apply():
    audio, visual, _ = scene(1, 2)
    plain = spatial_grounding(audio, visual)
    other = spatial_grounding(audio, visual, threshold=9.0, combine="sum", normalize="sum")
    assert torch.equal(plain.weights, other.weights)


@pytest.mark.parametrize("leading", [(), (3,), (2, 3), (2, 1, 2)])
def test_any_leading_dimensions(leading):
    grounded = spatial_grounding(*scene(1, *leading))
    assert grounded.mean.shape == grounded.attended.shape == (*leading, 4)
    assert grounded.weights.shape == (*leading, 2, 3)


# ---- properties ----------------------------------------------------------------------------------------------------


@given(seed=SEEDS, variant=st.sampled_from(VARIANTS), threshold=st.sampled_from((0.0, 0.005, 0.1, 0.3)))
def test_permuting_the_cells_permutes_the_weights_and_nothing_else(seed, variant, threshold):
    audio, visual, target = scene(seed, 2)
    order = torch.randperm(6, generator=torch.Generator().manual_seed(seed))
    shuffled = visual.flatten(-2)[..., order].unflatten(-1, (2, 3))
    before = spatial_grounding(audio, visual, target, threshold=threshold, **variant)
    after = spatial_grounding(audio, shuffled, target, threshold=threshold, **variant)
    assert_close(after.weights.flatten(-2), before.weights.flatten(-2)[..., order], rtol=0, atol=1e-12)
    assert_close(after.mean, before.mean, rtol=0, atol=1e-12)
    assert_close(after.attended, before.attended, rtol=0, atol=1e-12)


@given(seed=SEEDS, variant=st.sampled_from(VARIANTS))
def test_turning_the_map_turns_the_weights(seed, variant):
    audio, visual, target = scene(seed)
    before = spatial_grounding(audio, visual, target, **variant)
    after = spatial_grounding(audio, visual.transpose(-1, -2), target, **variant)
    assert_close(after.weights, before.weights.transpose(-1, -2), rtol=0, atol=1e-12)


@given(seed=SEEDS, variant=st.sampled_from(VARIANTS))
def test_permuting_the_batch_permutes_the_results(seed, variant):
    parts = scene(seed, 5)
    order = torch.randperm(5, generator=torch.Generator().manual_seed(seed))
    before = spatial_grounding(*parts, threshold=0.1, **variant)
    after = spatial_grounding(*(part[order] for part in parts), threshold=0.1, **variant)
    for got, expected in zip(after, before, strict=True):
        assert_close(got, expected[order], rtol=0, atol=1e-12)


@given(seed=SEEDS, scales=st.tuples(st.floats(-3, 3), st.floats(-3, 3), st.floats(-3, 3)))
def test_lengths_do_not_matter_to_cosines(seed, scales):
    parts = scene(seed)
    before = spatial_grounding(*parts, similarity="cosine")
    after = spatial_grounding(
        *(part * 10**scale for part, scale in zip(parts, scales, strict=True)), similarity="cosine"
    )
    assert_close(after.weights, before.weights, rtol=0, atol=1e-12)
    assert_close(after.attended, before.attended, rtol=0, atol=1e-12)


@given(seed=SEEDS, normalize=st.sampled_from(("softmax", "sum")), similarity=st.sampled_from(("dot", "cosine")))
def test_audio_and_target_play_the_same_part_but_for_the_threshold(seed, normalize, similarity):
    audio, visual, target = scene(seed)
    for combine, threshold in (("product", 0.0), ("sum", 0.3)):
        setting = {"threshold": threshold, "combine": combine, "normalize": normalize, "similarity": similarity}
        one = spatial_grounding(audio, visual, target, **setting, temperature=torch.tensor([0.5, 2.0]))
        other = spatial_grounding(target, visual, audio, **setting, temperature=torch.tensor([2.0, 0.5]))
        assert_close(one.weights, other.weights, rtol=0, atol=1e-12)


@variants
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("with_target", [True, False])
def test_weights_are_weights_and_everything_is_finite_in_every_precision(variant, dtype, with_target):
    audio, visual, target = scene(1, 3, c=16, h=4, w=5, dtype=dtype)
    for threshold, temperature in ((0.005, 1.0), (0.05, 0.1), (9.0, 1.0), (0.0, 0.01)):
        grounded = spatial_grounding(
            audio, visual, target if with_target else None, threshold=threshold, temperature=temperature, **variant
        )
        assert grounded.weights.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
        assert (grounded.weights >= 0).all()
        assert_close(grounded.weights.double().flatten(1).sum(1), torch.ones(3).double(), rtol=0, atol=1e-5)
        for pooled in (grounded.mean, grounded.attended):
            assert pooled.dtype == dtype
            assert pooled.isfinite().all()


@variants
@pytest.mark.parametrize("autocast", [torch.bfloat16, torch.float16])
def test_weights_stay_in_float32_under_autocast(variant, autocast):
    parts = scene(1, 3, c=16, h=4, w=5, dtype=torch.float32)
    with torch.autocast("cpu", autocast):
        grounded = spatial_grounding(*parts, **variant)
    assert grounded.weights.dtype == torch.float32
    assert_close(grounded.weights.flatten(1).sum(1), torch.ones(3), rtol=0, atol=1e-5)
    assert_close(grounded.weights, spatial_grounding(*parts, **variant).weights, rtol=0.1, atol=0.02)


@variants
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(
    "change", ["zero map", "zero cell", "zero queries", "one cell repeated", "large map", "tiny map"]
)
def test_outputs_and_gradients_are_finite_at_awkward_maps(variant, dtype, change):
    audio, visual, target = scene(1, 2, dtype=dtype)
    match change:
        case "zero map":
            visual = torch.zeros_like(visual)
        case "zero cell":
            visual[..., 0, 0] = 0
        case "zero queries":
            audio, target = torch.zeros_like(audio), torch.zeros_like(target)
        case "one cell repeated":
            visual = visual[..., :1, :1].expand_as(visual).clone()
        case "large map":
            visual = visual * 1e4
        case "tiny map":
            visual = visual * 1e-20
    parts = [part.requires_grad_() for part in (audio, visual, target)]
    for threshold in (0.0, 0.1, 9.0):
        grounded = spatial_grounding(*parts, threshold=threshold, **variant)
        assert all(result.isfinite().all() for result in grounded)
        (grounded.attended.float().sum() + grounded.weights.square().sum()).backward()
        assert all(part.grad.isfinite().all() for part in parts)


@variants
@pytest.mark.parametrize("threshold", [0.0, 0.2])
def test_gradients_are_those_of_finite_differences(variant, threshold):
    def ground(audio, visual, target, temperature):
        return tuple(spatial_grounding(audio, visual, target, threshold=threshold, temperature=temperature, **variant))

    temperature = torch.tensor([0.7, 1.3], dtype=torch.float64)
    parts = [part.requires_grad_() for part in (*scene(1, 2, c=3, h=2, w=2), temperature)]
    assert torch.autograd.gradcheck(ground, parts)


@pytest.mark.parametrize("similarity", ["dot", "cosine"])
def test_gradients_without_a_target_are_those_of_finite_differences(similarity):
    parts = [part.requires_grad_() for part in scene(1, 2, c=3, h=2, w=2)[:2]]
    assert torch.autograd.gradcheck(lambda *two: tuple(spatial_grounding(*two, similarity=similarity)), parts)


@variants
def test_float32_is_close_to_float64(variant):
    parts = scene(1, 2, 3, c=64, h=14, w=14)
    exact = spatial_grounding(*parts, temperature=0.5, **variant)
    rough = spatial_grounding(*(part.float() for part in parts), temperature=0.5, **variant)
    for got, expected in zip(rough, exact, strict=True):
        assert_close(got.double(), expected, rtol=1e-4, atol=1e-5)


# ---- threshold and temperature at their ends -----------------------------------------------------------------------


@variants
@given(seed=SEEDS)
def test_threshold_0_keeps_every_cell(variant, seed):
    weights = spatial_grounding(*scene(seed), threshold=0.0, **variant).weights
    assert (weights > 0).all()


@variants
@given(seed=SEEDS)
def test_a_threshold_above_everything_leaves_uniform_weights(variant, seed):
    grounded = spatial_grounding(*scene(seed), threshold=2.1, **variant)
    assert_close(grounded.weights, torch.full_like(grounded.weights, 1 / 6), rtol=0, atol=1e-15)
    if variant["similarity"] == "dot":
        assert_close(grounded.attended, grounded.mean, rtol=0, atol=1e-14)


@given(seed=SEEDS)
def test_only_dividing_by_the_sum_silences_a_cell(seed):
    """The outer softmax leaves cells under the threshold the weight e^0 of every other small number."""
    audio, visual, target = scene(seed)
    cut = spatial_grounding(target, visual).weights < 0.1
    loud = spatial_grounding(audio, visual, target, threshold=0.1).weights
    silent = spatial_grounding(audio, visual, target, threshold=0.1, normalize="sum").weights
    assert (loud > 0).all()
    assert not silent[cut].any()
    assert silent[~cut].all()


@given(seed=SEEDS, similarity=st.sampled_from(("dot", "cosine")))
def test_a_product_divided_by_its_sum_points_at_one_cell_as_temperature_falls(seed, similarity):
    audio, visual, target = scene(seed)
    cells = visual.flatten(-2)
    scores = (audio + target) @ cells
    if similarity == "cosine":
        scores = (audio / audio.norm() + target / target.norm()) @ (cells / cells.norm(dim=0))
    best, second = scores.topk(2).values.tolist()
    if best - second < 1e-2:
        return
    sharp = {"threshold": 0.0, "normalize": "sum", "similarity": similarity, "temperature": 1e-3}
    weights = spatial_grounding(audio, visual, target, **sharp).weights.flatten()
    assert weights.argmax() == scores.argmax()
    assert float(weights.max()) > 0.9999
    if similarity == "dot":
        attended = spatial_grounding(audio, visual, target, **sharp).attended
        assert_close(attended, cells[:, scores.argmax()], rtol=0, atol=1e-2)


@given(seed=SEEDS)
def test_weights_flatten_as_temperature_rises(seed):
    weights = spatial_grounding(*scene(seed), threshold=0.0, normalize="sum", temperature=1e6).weights
    assert_close(weights, torch.full_like(weights, 1 / 6), rtol=0, atol=1e-4)


# ---- how flat the published forms are ------------------------------------------------------------------------------


@given(seed=SEEDS, size=st.floats(-2, 3), threshold=st.sampled_from((0.0, 0.005, 0.1)))
def test_an_outer_softmax_is_almost_flat_however_sure_the_scores(seed, size, threshold):
    audio, visual, target = scene(seed, h=14, w=14)
    for combine, bound in (("product", math.e), ("sum", math.e**2)):
        weights = spatial_grounding(audio, visual * 10**size, target, combine=combine, threshold=threshold).weights
        assert ratio(weights) <= bound + 1e-9


def test_the_bound_of_e_is_reached():
    audio, visual, target = aligned(14, 14)
    assert ratio(spatial_grounding(audio, 1000 * visual, target).weights) == pytest.approx(math.e, abs=1e-12)


@given(seed=SEEDS, threshold=st.sampled_from((0.0, 0.005, 0.01)))
def test_cosines_over_196_cells_are_flatter_still(seed, threshold):
    parts = scene(seed, h=14, w=14)
    for setting, bound in (({"combine": "product"}, 1.0014), ({"combine": "sum"}, 1.08)):
        weights = spatial_grounding(*parts, threshold=threshold, similarity="cosine", **setting).weights
        assert ratio(weights) <= bound
    assert ratio(spatial_grounding(*parts[:2], similarity="cosine").weights) <= math.e**2 + 1e-9


def test_the_bounds_of_cosines_are_those_of_the_surest_scene():
    parts = aligned(14, 14)
    top = math.e / (math.e + 195 / math.e)
    cosine = {"similarity": "cosine", "threshold": 0.005}
    rest = (1 - top) / 195
    assert rest < 0.005  # so the product loses all other cells
    assert ratio(spatial_grounding(*parts, **cosine).weights) == pytest.approx(math.exp(top**2), abs=1e-12)
    assert 1.0013 < math.exp(top**2) < 1.0014
    by_sum = spatial_grounding(*parts, **cosine, combine="sum").weights
    assert ratio(by_sum) == pytest.approx(math.exp(2 * top - 2 * rest), abs=1e-12)
    assert 1.06 < math.exp(2 * top) < 1.08
    assert ratio(spatial_grounding(*parts[:2], **cosine).weights) == pytest.approx(math.e**2, abs=1e-11)


def test_the_sharp_form_points_in_the_same_scene():
    assert float(spatial_grounding(*aligned(14, 14), **PUBLISHED["sharp"]).weights[0, 0]) > 0.9999


# ---- memory and errors ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PUBLISHED)
def test_inputs_are_left_as_they_were(name):
    parts = scene(1, 2)
    before = [part.clone() for part in parts]
    spatial_grounding(*parts, **PUBLISHED[name])
    assert all(torch.equal(part, copy) for part, copy in zip(parts, before, strict=True))


@pytest.mark.parametrize(
    ("audio", "visual", "target", "expected"),
    [
        ((5, 4), (5, 4, 2, 3), (4,), "target: expected (*b=(5,), c=4), got (4,)"),
        ((5, 4), (5, 4, 2, 3), (5, 3), "target: expected (*b=(5,), c=4), got (5, 3)"),
        ((5, 4), (5, 2, 3, 4), (5, 4), "visual: expected (*b=(5,), c=4, h, w), got (5, 2, 3, 4)"),
        ((5, 4), (4, 4, 2, 3), (5, 4), "visual: expected (*b=(5,), c=4, h, w), got (4, 4, 2, 3)"),
        ((5, 4), (5, 4, 6), (5, 4), "visual: expected (*b=(5,), c=4, h, w), got (5, 4, 6)"),
        ((5, 4), (2, 5, 4, 2, 3), None, "visual: expected (*b=(5,), c=4, h, w), got (2, 5, 4, 2, 3)"),
        ((), (4, 2, 3), None, "audio: expected (*b, c), got ()"),
        ((5, 4), (5, 4, 0, 3), None, "visual: expected at least one channel and one cell, got (5, 4, 0, 3)"),
        ((5, 0), (5, 0, 2, 3), None, "visual: expected at least one channel and one cell, got (5, 0, 2, 3)"),
    ],
)
def test_shapes_that_do_not_fit_are_errors(audio, visual, target, expected):
    with pytest.raises(ShapeError) as caught:
        spatial_grounding(torch.zeros(audio), torch.zeros(visual), None if target is None else torch.zeros(target))
    assert str(caught.value) == expected


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ({"combine": "mean"}, "combine: expected one of 'product', 'sum', got 'mean'"),
        ({"normalize": "l1"}, "normalize: expected one of 'softmax', 'sum', got 'l1'"),
        ({"similarity": "l2"}, "similarity: expected one of 'dot', 'cosine', got 'l2'"),
    ],
)
@pytest.mark.parametrize("with_target", [True, False])
def test_settings_that_do_not_exist_are_errors(setting, expected, with_target):
    audio, visual, target = scene(1)
    with pytest.raises(ConfigError) as caught:
        spatial_grounding(audio, visual, target if with_target else None, **setting)
    assert str(caught.value) == expected
