import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from avground.errors import DataError
from avground.viz import Outline, heatmap_figure, spread, stretched_scale, true_scale
from avground.viz.heatmap import _loops
from tests.viz.drawn import check_image, check_legible, words_of

pytest.importorskip("matplotlib", reason="figures need matplotlib")

FLAT = np.full((1, 7, 7), 1 / 49)
SHARP = np.zeros((1, 7, 7))
SHARP[0, 2, 4] = 1
VIOLIN = Outline("violin", tuple((row, column) for row in (2, 3, 4) for column in (0, 1)), 7, 7, target=True)
BASS = Outline("electric_bass", ((2, 5), (3, 5), (4, 5), (3, 6)), 7, 7)


def blobs(t, side, sharpness):
    """Maps with a hill that wanders to the right."""
    y, x = np.mgrid[:side, :side]
    scores = np.stack([-((x - side * (i + 2) / (t + 3)) ** 2) - (y - side / 2) ** 2 for i in range(t)]) * sharpness
    maps = np.exp(scores)
    return maps / maps.sum((1, 2), keepdims=True)


def pictures(t):
    frames = np.full((t, 30, 40, 3), 90, np.uint8)
    frames[:, 10:20, 5:15] = (200, 180, 40)
    return frames


def heat(axis):
    """What is drawn as heat, as values and as opacities."""
    return axis.images[-1].get_array(), axis.images[-1].get_alpha()


def rows_of(figure, t):
    """Axes of the upper and of the lower row of maps, for up to five segments."""
    return figure.axes[:t], figure.axes[t : 2 * t]


def test_a_flat_map_is_blank_on_the_true_scale_and_a_sharp_one_is_not():
    (flat, sharp), _ = rows_of(heatmap_figure(np.concatenate([FLAT, SHARP])), 2)
    assert heat(flat)[0].max() == 0
    assert heat(sharp)[0].tolist() == SHARP[0].tolist()
    for axis in (flat, sharp):
        assert axis.images[-1].get_clim() == (0, 1)


def test_over_frames_nothing_covers_them_where_the_map_is_flat():
    (flat, sharp), _ = rows_of(heatmap_figure(np.concatenate([FLAT, SHARP]), pictures(2)), 2)
    assert heat(flat)[1].max() == 0
    assert heat(sharp)[1].max() == 0.9
    assert len(flat.images) == 2


def test_more_weight_covers_more_of_the_frame():
    upper, lower = rows_of(heatmap_figure(blobs(1, 7, 0.3), pictures(1)), 1)
    for axis in (*upper, *lower):
        values, opacity = heat(axis)
        order = np.argsort(values.ravel())
        assert (np.diff(opacity.ravel()[order]) >= 0).all()
        assert opacity.max() > opacity.min()


def test_the_rows_are_the_two_scales():
    maps = blobs(3, 7, 0.05)
    upper, lower = rows_of(heatmap_figure(maps), 3)
    for place in range(3):
        assert heat(upper[place])[0].tolist() == true_scale(maps)[place].tolist()
        assert heat(lower[place])[0].tolist() == stretched_scale(maps)[place].tolist()


def test_the_stretched_row_says_its_range_and_that_it_is_stretched():
    maps = blobs(2, 7, 0.02)
    upper, lower = rows_of(heatmap_figure(maps), 2)
    assert lower[0].get_ylabel() == "stretched scale,\neach map's own"
    assert upper[0].get_ylabel() == "true scale,\nalike for all maps"
    for axis, one in zip(lower, maps, strict=True):
        assert axis.get_xlabel() == f"from {one.min():.4g} to {one.max():.4g}"


def test_the_numbers_under_a_map_are_its_spread():
    maps = np.concatenate([FLAT, SHARP, blobs(1, 7, 0.2)])
    upper, _ = rows_of(heatmap_figure(maps), 3)
    for axis, one in zip(upper, maps, strict=True):
        assert axis.get_xlabel().replace("\n", ", ") == str(spread(one))
        assert f"{spread(one).entropy:.3f}" in axis.get_xlabel()


@pytest.mark.parametrize("side", [2, 7, 14])
def test_a_mark_of_the_colour_bar_has_the_colour_of_a_cell_that_weighs_as_much(side):
    cells = side * side
    bar = heatmap_figure(np.full((1, side, side), 1 / cells)).axes[2]
    ticks = bar.get_yticks().tolist()
    assert ticks[0] == 1
    assert ticks[-1] == cells
    assert [label.get_text() for label in bar.get_yticklabels()] == [f"{tick:g}" for tick in ticks]
    assert "x flat" in bar.get_ylabel()
    for tick in ticks:
        weights = np.full((side, side), (1 - tick / cells) / (cells - 1))
        weights[0, 0] = tick / cells
        norm = bar._colorbar.norm
        assert norm(tick) == pytest.approx(true_scale(weights)[0, 0], abs=1e-12)


def test_segments_are_named_by_their_second_or_numbered():
    maps = blobs(2, 7, 0.1)
    assert [axis.get_title() for axis in heatmap_figure(maps, starts=[0, 6.5]).axes[:2]] == ["0 s", "6.5 s"]
    assert [axis.get_title() for axis in heatmap_figure(maps).axes[:2]] == ["segment 1", "segment 2"]


@pytest.mark.parametrize("t", [1, 2, 6, 10])
def test_every_segment_is_drawn_twice_and_all_text_is_legible(t):
    figure = heatmap_figure(
        blobs(t, 14, 0.1),
        pictures(t),
        outlines=[VIOLIN, BASS],
        title="TJSTG: what is the left instrument of the violin?",
    )
    drawn = [axis for axis in figure.axes if len(axis.images) == 2 and axis.axison]
    assert len(drawn) == 2 * t
    check_legible(figure)


def test_an_outline_is_scaled_to_the_map_and_the_target_is_solid():
    upper, lower = rows_of(heatmap_figure(blobs(1, 14, 0.1), outlines=(each for each in (VIOLIN, BASS))), 1)
    for axis in (*upper, *lower):
        target, other = axis.patches
        assert target.get_path().get_extents().extents.tolist() == [0, 4, 4, 10]
        assert other.get_path().get_extents().extents.tolist() == [10, 4, 14, 10]
        assert (target.get_linestyle(), other.get_linestyle()) != ("solid", "solid")
        assert target.get_linestyle() == "solid"
        assert not target.get_fill()
    assert [text.get_text() for text in upper[0].texts] == ["violin", "electric_bass"]


def test_solid_and_dashed_are_explained_where_there_are_outlines():
    assert "Solid line: what the question asks for." in words_of(heatmap_figure(FLAT, outlines=[VIOLIN]))
    assert "Solid" not in words_of(heatmap_figure(FLAT, outlines=[]))


def test_an_outline_without_cells_has_no_line():
    upper, _ = rows_of(heatmap_figure(FLAT, outlines=[Outline("voice", (), 7, 7)]), 1)
    assert not upper[0].patches
    assert not upper[0].texts


@given(st.sets(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1))
def test_lines_go_around_cells_and_nothing_else(cells):
    loops = _loops(cells)
    area = sum(x * v - u * y for loop in loops for (x, y), (u, v) in pairwise(loop)) / 2
    sides = sum((y + v, x + u) not in cells for y, x in cells for v, u in ((0, 1), (0, -1), (1, 0), (-1, 0)))
    assert area == len(cells)
    assert sum(math.dist(a, b) for loop in loops for a, b in pairwise(loop)) == sides
    assert all(loop[0] == loop[-1] for loop in loops)


def test_cells_have_the_shape_that_they_have_in_the_frame():
    figure = heatmap_figure(blobs(1, 7, 0.1), pictures(1))
    figure.draw_without_rendering()
    box = figure.axes[0].get_window_extent()
    assert box.height / box.width == pytest.approx(30 / 40)


def test_tensors_are_drawn_as_arrays_are():
    maps = torch.from_numpy(blobs(1, 7, 0.1)).requires_grad_()
    assert heat(heatmap_figure(maps).axes[0])[0].tolist() == true_scale(blobs(1, 7, 0.1))[0].tolist()


@pytest.mark.parametrize(
    ("maps", "options", "told"),
    [
        (FLAT * 2, {}, "cell_weights: expected weights that sum to 1, got a sum of 2"),
        (FLAT[0], {}, r"cell_weights: expected 3 dimensions, got shape \(7, 7\)"),
        (np.ones((1, 1, 1)), {}, "weights: expected maps of at least 2 cells, got 1 x 1"),
        (FLAT, {"frames": pictures(2)}, r"frames: expected \(t=1, H, W, 3\), got \(2, 30, 40, 3\)"),
        (FLAT, {"starts": [0, 1]}, "starts: expected t=1 segments, got 2"),
    ],
)
def test_what_cannot_be_drawn_is_told(maps, options, told):
    with pytest.raises(DataError, match=told):
        heatmap_figure(maps, **options)


def test_a_dollar_is_a_dollar():
    figure = heatmap_figure(FLAT, title="$ and $", outlines=[Outline("$x^2$", ((0, 0),), 7, 7)])
    assert not any(text.get_parse_math() for text in figure.texts + figure.axes[0].texts)


def test_it_looks_as_it_did(tmp_path):
    maps = np.concatenate([FLAT, SHARP, blobs(1, 7, 0.3), blobs(1, 7, 0.01)])
    check_image(
        heatmap_figure(maps, starts=[0, 6, 12, 18], outlines=[VIOLIN, BASS], title="TJSTG"), "heatmap", tmp_path
    )


def test_it_looks_as_it_did_over_frames(tmp_path):
    check_image(heatmap_figure(blobs(3, 7, 0.1), pictures(3), outlines=[VIOLIN]), "heatmap-frames", tmp_path)
