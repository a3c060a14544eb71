import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from avground.blocks import AudioVisualSpatialGrounding, TargetAwareSpatialGrounding, Temperature
from avground.blocks.spatial import Spatial, ground_each
from avground.errors import ConfigError, ShapeError
from avground.ops import MapRows
from tests import naive
from tests.strategies import SEEDS, normal

SETTINGS = {
    "paper": {},
    "released": {"combine": "sum", "threshold": 0.3, "similarity": "cosine"},
    "sharp": {"threshold": 0.0, "normalize": "sum", "similarity": "cosine"},
}


def scene(seed=1, *leading, c=4, visual_dim=4):
    leading = leading or (2, 3)
    return normal(seed, *leading, c), normal(seed + 1, *leading, visual_dim, 2, 3), normal(seed + 2, *leading, c)


def seeded(make, *args, **kwargs):
    torch.manual_seed(0)
    return make(*args, **kwargs).double()


def expected_of(block, audio, cells, target, **setting):
    """The feature (FC of tanh of mean and attended cell) and the weights of one segment."""
    if block.visual_dim != block.dim:
        audio = naive.linear(block.audio_query, audio)
        target = target and naive.linear(block.target_query, target)
    mean, attended, weights = naive.grounding(audio, cells, target, **setting)
    return naive.linear(block.fuse, naive.tanh(mean + attended)), weights


def compare(block, parts, **setting):
    got = block(*parts)
    for i, j in itertools.product(range(2), range(3)):
        one = [None if part is None else part[i, j].tolist() for part in parts]
        for ours, values in zip(got, expected_of(block, *one, **setting), strict=True):
            assert_close(ours[i, j], torch.tensor(values, dtype=torch.float64), rtol=0, atol=1e-12)


# ---- the equations -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("visual_dim", [4, 5])
@pytest.mark.parametrize("name", SETTINGS)
def test_target_aware_grounding_equals_the_equations(name, visual_dim):
    block = seeded(TargetAwareSpatialGrounding, 4, visual_dim, **SETTINGS[name])
    compare(block, scene(visual_dim=visual_dim), **SETTINGS[name])


@pytest.mark.parametrize("visual_dim", [4, 5])
@pytest.mark.parametrize("setting", [{}, {"similarity": "dot"}, {"temperature": 0.2}])
def test_grounding_by_sound_equals_the_equations(setting, visual_dim):
    block = seeded(AudioVisualSpatialGrounding, 4, visual_dim, **setting)
    temperature = setting.get("temperature", 1.0)
    parts = (*scene(visual_dim=visual_dim)[:2], None)
    compare(block, parts, similarity=setting.get("similarity", "cosine"), temperature=(temperature, temperature))


def test_learned_temperatures_are_first_of_audio_then_of_target():
    temperature = Temperature()
    with torch.no_grad():
        temperature.log.copy_(torch.tensor([0.3, 2.0]).log())
    block = seeded(TargetAwareSpatialGrounding, 4, temperature=temperature)
    compare(block, scene(), temperature=temperature().tolist())


def test_without_a_target_sound_alone_grounds():
    block = seeded(TargetAwareSpatialGrounding, 4, similarity="cosine")
    other = seeded(AudioVisualSpatialGrounding, 4)
    other.load_state_dict(block.state_dict())
    audio, visual, target = scene()
    for got, expected in zip(block(audio, visual), other(audio, visual), strict=True):
        assert torch.equal(got, expected)
    for got, expected in zip(other(audio, visual, target), other(audio, visual), strict=True):
        assert torch.equal(got, expected)


# ---- the target of a clip ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("visual_dim", [4, 5])
@pytest.mark.parametrize("leading", [(3,), (2, 3), (2, 2, 3)])
def test_the_target_of_a_clip_serves_its_own_segments(leading, visual_dim):
    block = seeded(TargetAwareSpatialGrounding, 4, visual_dim)
    audio, visual, target = scene(1, *leading, visual_dim=visual_dim)
    of_clip = target[..., 0, :]
    spread = torch.stack([of_clip] * 3, dim=-2)
    for got, expected in zip(block(audio, visual, of_clip), block(audio, visual, spread), strict=True):
        assert_close(got, expected, rtol=0, atol=1e-12)


def test_every_clip_sees_its_own_target_and_no_other():
    block = seeded(TargetAwareSpatialGrounding, 4)
    audio, visual, target = scene(1, 4, 3)
    before = block(audio, visual, target[:, 0])
    changed = target[:, 0].clone()
    changed[2] += 1
    after = block(audio, visual, changed)
    assert (after.weights != before.weights).flatten(1).any(1).tolist() == [False, False, True, False]
    assert (after.feature[2] != before.feature[2]).any(-1).all()


@given(SEEDS)
def test_permuting_the_batch_permutes_the_results(seed):
    block = seeded(TargetAwareSpatialGrounding, 4)
    parts = scene(seed, 4, 3)
    parts = (*parts[:2], parts[2][:, 0])
    order = torch.randperm(4, generator=torch.Generator().manual_seed(seed))
    for got, expected in zip(block(*(part[order] for part in parts)), block(*parts), strict=True):
        assert_close(got, expected[order], rtol=0, atol=1e-12)


# ---- threshold and temperature -------------------------------------------------------------------------------------


@given(seed=SEEDS, uniform=st.floats(0, 3))
def test_a_relative_threshold_counts_in_uniform_weights(seed, uniform):
    setting = {"normalize": "sum", "combine": "product"}
    relative = seeded(TargetAwareSpatialGrounding, 4, threshold=uniform, threshold_unit="relative", **setting)
    absolute = seeded(TargetAwareSpatialGrounding, 4, threshold=uniform / 6, **setting)
    assert torch.equal(relative(*scene(seed)).weights, absolute(*scene(seed)).weights)


def test_a_relative_threshold_means_the_same_on_every_map():
    """Every cell four times: four times as many cells, each with a quarter of its weight, and the same cells kept."""
    block = seeded(TargetAwareSpatialGrounding, 4, threshold=1.0, threshold_unit="relative", normalize="sum")
    audio, visual, target = scene()
    finer = visual.repeat_interleave(2, -1).repeat_interleave(2, -2)
    coarse, fine = block(audio, visual, target), block(audio, finer, target)
    assert (coarse.weights == 0).any()
    spread = coarse.weights.repeat_interleave(2, -1).repeat_interleave(2, -2) / 4
    assert_close(fine.weights, spread, rtol=0, atol=1e-12)
    assert_close(fine.feature, coarse.feature, rtol=0, atol=1e-12)


def test_a_temperature_is_positive_and_starts_where_it_is_told():
    assert Temperature()().tolist() == pytest.approx([0.1, 0.1])
    assert Temperature(2.5)().tolist() == pytest.approx([2.5, 2.5])
    temperature = Temperature()
    with torch.no_grad():
        temperature.log -= 50
    assert (temperature() > 0).all()


@pytest.mark.parametrize("normalize", ["sum", "softmax"])
def test_both_temperatures_get_their_own_gradient(normalize):
    block = seeded(TargetAwareSpatialGrounding, 4, temperature=Temperature(), threshold=0.0, normalize=normalize)
    block(*scene()).feature.square().sum().backward()
    from_audio, from_target = block.temperature.log.grad.tolist()
    assert from_audio != 0
    assert from_target != 0
    assert from_audio != from_target


def test_gradients_are_those_of_finite_differences():
    block = seeded(TargetAwareSpatialGrounding, 4, 3, temperature=Temperature(0.7), threshold=0.1, normalize="sum")
    audio, visual, target = (part.requires_grad_() for part in scene(1, 1, 2, visual_dim=3))
    assert torch.autograd.gradcheck(lambda *parts: tuple(block(*parts)), (audio, visual, target))


def test_queries_are_projected_only_where_the_map_is_of_another_width():
    same, other = TargetAwareSpatialGrounding(8), TargetAwareSpatialGrounding(8, 6)
    assert {name for name, _ in same.named_parameters()} == {"fuse.weight", "fuse.bias"}
    assert {name for name, _ in other.named_parameters()} == {
        "fuse.weight",
        "fuse.bias",
        "audio_query.weight",
        "target_query.weight",
    }
    assert same.fuse.weight.shape == (8, 16)
    assert other.fuse.weight.shape == (8, 12)


def test_printing_a_block_shows_its_settings():
    shown = repr(TargetAwareSpatialGrounding(8, 6, threshold=0.01, combine="sum"))
    for part in ("dim=8", "visual_dim=6", "threshold=0.01", "combine='sum'", "normalize='softmax'", "similarity='dot'"):
        assert part in shown


# ---- errors --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("audio", "visual", "target", "expected"),
    [
        ((4, 3, 8), (4, 3, 8, 2, 2), (12, 8), "target: expected (4, 3, 8) or (4, 8), got (12, 8)"),
        ((4, 3, 8), (4, 3, 8, 2, 2), (1, 8), "target: expected (4, 3, 8) or (4, 8), got (1, 8)"),
        ((4, 3, 8), (4, 3, 8, 2, 2), (8,), "target: expected (4, 3, 8) or (4, 8), got (8,)"),
        ((4, 3, 8), (4, 3, 8, 2, 2), (4, 3, 4), "target: expected (4, 3, 8) or (4, 8), got (4, 3, 4)"),
        ((4, 3, 8), (4, 3, 2, 2, 8), (4, 8), "visual: expected (*b=(4, 3), 8, h, w), got (4, 3, 2, 2, 8)"),
        ((4, 3, 8), (4, 2, 8, 2, 2), (4, 8), "visual: expected (*b=(4, 3), 8, h, w), got (4, 2, 8, 2, 2)"),
        ((4, 3, 6), (4, 3, 8, 2, 2), (4, 8), "audio: expected (*b, 8), got (4, 3, 6)"),
    ],
)
def test_shapes_that_do_not_fit_are_errors(audio, visual, target, expected):
    with pytest.raises(ShapeError) as caught:
        TargetAwareSpatialGrounding(8)(torch.zeros(audio), torch.zeros(visual), torch.zeros(target))
    assert str(caught.value) == expected
    if not expected.startswith("target"):
        with pytest.raises(ShapeError) as caught:
            AudioVisualSpatialGrounding(8)(torch.zeros(audio), torch.zeros(visual))
        assert str(caught.value) == expected


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ({"threshold": -0.1}, "threshold: expected a number that is at least 0, got -0.1"),
        ({"threshold": float("nan")}, "threshold: expected a number that is at least 0, got nan"),
        ({"threshold_unit": "cells"}, "threshold_unit: expected one of 'absolute', 'relative', got 'cells'"),
        ({"combine": "mean"}, "combine: expected one of 'product', 'sum', got 'mean'"),
        ({"normalize": "l1"}, "normalize: expected one of 'softmax', 'sum', got 'l1'"),
        ({"similarity": "l2"}, "similarity: expected one of 'dot', 'cosine', got 'l2'"),
        ({"temperature": 0}, "temperature: expected a number above 0, got 0"),
        ({"temperature": float("nan")}, "temperature: expected a number above 0, got nan"),
    ],
)
def test_settings_that_do_not_exist_are_errors(setting, expected):
    with pytest.raises(ConfigError) as caught:
        TargetAwareSpatialGrounding(8, **setting)
    assert str(caught.value) == expected


def test_a_start_that_is_not_positive_is_an_error():
    for start in (0.0, -1.0):
        with pytest.raises(ConfigError) as caught:
            Temperature(start)
        assert str(caught.value) == f"start: expected a number above 0, got {start}"


# ---- several maps of a segment -------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [TargetAwareSpatialGrounding, AudioVisualSpatialGrounding])
def test_several_maps_in_one_call_give_what_they_give_one_by_one(make):
    block = seeded(make, 4)
    audio, visual, target = scene()
    others = visual.flip(0) * 0.5
    bank, rows = torch.stack((others, visual)).flatten(0, 2), torch.arange(12).unflatten(0, (2, 2, 3))
    pairs = ((visual, others), (MapRows(bank, rows[1]), MapRows(bank, rows[0])))
    for pair in pairs:
        for found, maps in zip(ground_each(block, audio, pair, target[:, 0]), (visual, others), strict=True):
            for ours, expected in zip(found, block(audio, maps, target[:, 0]), strict=True):
                assert_close(ours, expected, rtol=0, atol=1e-12)


def test_a_block_that_knows_tensors_only_gets_them():
    class Plain(torch.nn.Module):
        def forward(self, audio, visual, target):
            assert isinstance(visual, torch.Tensor)
            assert visual.dtype == audio.dtype
            return Spatial(visual.mean((-2, -1)), visual[:, :, 0])

    audio, visual, target = scene()
    bank = visual.flatten(0, 1).half()
    rows = MapRows(bank, torch.arange(6).unflatten(0, (2, 3)))
    first, second = ground_each(Plain(), audio, (rows, visual), target)
    assert_close(first.feature, bank.double().mean((-2, -1)).unflatten(0, (2, 3)), rtol=0, atol=1e-12)
    assert_close(second.feature, visual.mean((-2, -1)), rtol=0, atol=1e-12)
