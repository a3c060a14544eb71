import subprocess
import sys
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import avground.viz as viz
from avground.errors import ConfigError
from avground.viz.style import (
    AUDIO,
    GROUND,
    HEAT,
    PALETTE,
    VISUAL,
    contrast_ratio,
    luminance,
    rgb,
    text_on,
    tint,
)
from tests.viz import drawn

pytest.importorskip("matplotlib", reason="figures need matplotlib")

# How linear red, green and blue look to those without the cones for long or for medium waves: Machado, Oliveira and
# Fernandes (2009), severity 1.
SEEN_BY = {
    "all cones": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
}
TO_XYZ = [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]


def lab(colour, eyes="all cones"):
    """L*, a* and b* (D65) of a colour as these eyes see it."""
    parts = np.array(colour)
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    seen = np.clip(np.array(SEEN_BY[eyes]) @ linear, 0, 1)
    xyz = np.array(TO_XYZ) @ seen / [0.95047, 1.0, 1.08883]
    x, y, z = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def apart(one, other, eyes):
    return np.linalg.norm(lab(rgb(one), eyes) - lab(rgb(other), eyes))


@pytest.mark.parametrize("eyes", SEEN_BY)
def test_colours_are_told_apart_by_those_who_do_not_see_all_of_them(eyes):
    """2.3 is the least difference that is noticed at all."""
    assert min(apart(one, other, eyes) for one, other in combinations(PALETTE, 2)) > 20
    assert apart(AUDIO, VISUAL, eyes) > 60
    assert min(apart(GROUND, other, eyes) for other in ("#ffffff", AUDIO, VISUAL)) > 8


def test_red_and_green_would_not_pass():
    assert apart("#d62728", "#2ca02c", "all cones") > 100
    assert apart("#d62728", "#8c6d1f", "deuteranopia") < 20


@pytest.mark.parametrize("eyes", SEEN_BY)
def test_hotter_is_lighter_for_everybody(eyes):
    from matplotlib import colormaps

    lightness = [lab(colour[:3], eyes)[0] for colour in colormaps[HEAT](np.linspace(0, 1, 64))]
    assert (np.diff(lightness) > 0).all()
    assert lightness[-1] - lightness[0] > 85


def test_contrast_is_that_of_wcag():
    assert contrast_ratio((0, 0, 0), (1, 1, 1)) == pytest.approx(21)
    assert contrast_ratio(rgb("#767676"), (1, 1, 1)) == pytest.approx(4.54, abs=0.005)
    assert contrast_ratio((1, 0, 0), (1, 0, 0)) == 1
    assert luminance([[0, 0, 0], [1, 1, 1]]).tolist() == pytest.approx([0, 1])


@given(st.tuples(*[st.floats(0, 1)] * 3))
def test_text_is_legible_on_any_ground(ground):
    assert contrast_ratio([float(text_on(ground) == "white")] * 3, ground) >= 4.5


def test_a_tint_goes_from_white_to_the_colour():
    assert tint(AUDIO, 0) == (1, 1, 1)
    assert tint(AUDIO, 1) == pytest.approx(rgb(AUDIO))
    lighter, darker = luminance([tint(AUDIO, 0.2), tint(AUDIO, 0.3)])
    assert lighter > darker


def _figure():
    return viz.words_figure(["which", "instrument"], [0.25, 0.75])


def test_settings_of_matplotlib_are_left_alone_and_change_nothing(tmp_path):
    from matplotlib import rcParams, style

    _figure().savefig(tmp_path / "plain.png")
    with style.context("dark_background"), style.context({"font.size": 20, "font.family": "serif"}):
        before = dict(rcParams)
        figure = _figure()
        assert dict(rcParams) == before
    figure.savefig(tmp_path / "dark.png")
    assert (tmp_path / "dark.png").read_bytes() == (tmp_path / "plain.png").read_bytes()


@pytest.mark.parametrize(
    ("draw", "given"),
    [
        (viz.heatmap_figure, [np.full((1, 2, 2), 0.25)]),
        (viz.timeline_figure, [[0.5, 0.5], [0.5, 0.5]]),
        (viz.words_figure, [["a"], [1.0]]),
        (viz.confusion_figure, [["a"], ["a"], [("Audio", "Counting")]]),
        (viz.curves_figure, [[{"stage": "stage I", "epoch": 1, "losses": {"total": 1.0}}]]),
    ],
)
def test_without_matplotlib_it_is_named(draw, given, monkeypatch):
    from matplotlib.figure import Figure

    assert type(draw(*given)) is Figure
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ConfigError, match=rf'{draw.__name__} needs matplotlib: pip install "avground\[viz\]"'):
        draw(*given)


def test_nothing_is_imported_before_it_is_needed_and_no_display_ever():
    program = """
import sys
from avground.viz import words_figure
assert "matplotlib" not in sys.modules
words_figure(["a"], [1.0]).canvas.draw()
assert "matplotlib.figure" in sys.modules
assert "matplotlib.pyplot" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_picture_that_differs_by_a_digit_fails_and_is_left_to_be_looked_at(tmp_path, monkeypatch):
    monkeypatch.setattr(drawn, "IMAGES", tmp_path / "images")
    (tmp_path / "images").mkdir()
    monkeypatch.setenv(drawn.ANEW, "1")
    with pytest.raises(pytest.fail.Exception, match="was drawn anew"):
        drawn.check_image(_figure(), "words", tmp_path)
    monkeypatch.delenv(drawn.ANEW)
    drawn.check_image(_figure(), "words", tmp_path)
    for other in (viz.words_figure(["which", "instrument"], [0.251, 0.749]), viz.words_figure(["a"], [1.0])):
        with pytest.raises(pytest.fail.Exception, match=str(tmp_path / "words.png")):
            drawn.check_image(other, "words", tmp_path)
    assert (tmp_path / "words-failed-diff.png").is_file()


def test_pictures_to_compare_with_are_small():
    images = sorted(drawn.IMAGES.glob("*.png"))
    assert images
    assert all(image.stat().st_size < 40_000 for image in images)
