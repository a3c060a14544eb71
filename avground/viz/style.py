"""Colours and settings that all figures share, whatever the user's own settings of matplotlib are."""

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, ParamSpec

import numpy as np
from numpy.typing import ArrayLike, NDArray

from avground.errors import ConfigError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

P = ParamSpec("P")
Colour = tuple[float, float, float]

# Okabe and Ito's colours, which are told apart by most who do not see all colours.
AUDIO, VISUAL = "#0072B2", "#E69F00"
PALETTE = (AUDIO, VISUAL, "#000000", "#009E73", "#56B4E9")
INK, FAINT, GROUND = "#222222", "#767676", "#E4EFE0"
HEAT = "inferno"
"""Colour map of heat: each step is lighter than the one before, so it is read without its hues too."""

STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 8.0,
    "axes.titlesize": 8.0,
    "axes.labelsize": 8.0,
    "xtick.labelsize": 7.0,
    "ytick.labelsize": 7.0,
    "legend.fontsize": 8.0,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "text.parse_math": False,  # A dollar in a question is a dollar.
    "hatch.linewidth": 0.6,
    "svg.fonttype": "none",
}


def styled(draw: Callable[P, "Figure"]) -> Callable[P, "Figure"]:
    """Let a function draw in :data:`STYLE`; the user's own settings change nothing, and are as before afterwards.

    Raises:
        ConfigError: when the function is called, if matplotlib is not installed.
    """

    @functools.wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> "Figure":
        try:
            from matplotlib import style
        except ModuleNotFoundError as error:
            raise ConfigError(f'{draw.__name__} needs matplotlib: pip install "avground[viz]"') from error
        with style.context(STYLE, after_reset=True):
            return draw(*args, **kwargs)

    return drawn


def rgb(colour: str) -> Colour:
    """Red, green and blue from 0 to 1 of a colour such as ``"#0072B2"``."""
    red, green, blue = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    return red, green, blue


def tint(colour: str, share: float) -> Colour:
    """A colour between white, at 0, and ``colour``, at 1."""
    red, green, blue = (1 - share * (1 - part) for part in rgb(colour))
    return red, green, blue


def luminance(colours: ArrayLike) -> NDArray[np.float64]:
    """Relative luminance, from 0 for black to 1 for white, of (..., 3) colours in sRGB, as WCAG 2 defines it."""
    parts = np.asarray(colours, dtype=np.float64)
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return np.asarray(linear @ (0.2126, 0.7152, 0.0722))


def contrast_ratio(one: ArrayLike, other: ArrayLike) -> float:
    """Contrast of two colours, from 1 to 21, as WCAG 2 defines it; text is legible from 4.5."""
    darker, lighter = sorted((float(luminance(one)), float(luminance(other))))
    return (lighter + 0.05) / (darker + 0.05)


def text_on(ground: Colour) -> str:
    """Black or white, whichever is the more legible on ``ground``: its contrast is never below 4.5."""
    return max(("black", "white"), key=lambda name: contrast_ratio([float(name == "white")] * 3, ground))
