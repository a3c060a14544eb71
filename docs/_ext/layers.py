"""The picture of the layers, from the import contract in pyproject.toml and the docstrings of the packages."""

import inspect
import re
import textwrap
import tomllib
from importlib import import_module
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

ROOT = Path(__file__).parents[2]
WIDTH, HEIGHT, MARGIN, GAP = 7.4, 0.62, 0.55, 0.09  # inches
BLUE, PALE, INK = "#0072B2", "#E8F1F8", "#222222"


def contract() -> list[list[str]]:
    """The layers from the top, each with the packages that stand side by side in it."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (rule,) = (one for one in settings["tool"]["importlinter"]["contracts"] if one["type"] == "layers")
    return [[name.strip() for name in layer.split("|")] for layer in rule["layers"]]


def purpose(name: str) -> str:
    """The beginning of a package's docstring, up to where it goes into detail."""
    first = (inspect.getdoc(import_module(f"avground.{name}")) or "").split("\n\n")[0]
    return re.split(r"[:;]|, :|\.(?:\s|$)", " ".join(first.replace("``", "").split()))[0]


def draw() -> Figure:
    """A row of boxes for each layer: whatever stands higher may import what stands lower."""
    layers = contract()
    figure = Figure(figsize=(WIDTH, HEIGHT * len(layers)), layout="none")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, WIDTH), ylim=(HEIGHT * len(layers), 0))
    axes.set_axis_off()
    for row, names in enumerate(layers):
        wide = (WIDTH - MARGIN - GAP * len(names)) / len(names)
        for column, name in enumerate(names):
            left, top = MARGIN + column * (wide + GAP), row * HEIGHT + GAP / 2
            axes.add_patch(
                FancyBboxPatch(
                    (left, top), wide, HEIGHT - GAP, boxstyle="round,pad=0,rounding_size=0.06", fc=PALE, ec=BLUE, lw=0.8
                )
            )
            text = textwrap.shorten(purpose(name), 90, placeholder=" ...")
            lines = textwrap.wrap(text, int(wide * 17))
            axes.text(left + 0.09, top + 0.17, name, fontsize=9, weight="bold", color=BLUE, va="center")
            if len(names) == 1:
                axes.text(left + 0.09, top + 0.37, text, fontsize=8, color=INK, va="center")
            else:
                axes.text(left + 0.09, top + 0.27, "\n".join(lines[:2]), fontsize=6.6, color=INK, va="top")
    arrow = {"arrowstyle": "-|>", "color": INK, "lw": 1.2}
    axes.annotate("", (0.2, HEIGHT * len(layers) - 0.15), (0.2, 0.15), arrowprops=arrow)
    axes.text(0.37, HEIGHT * len(layers) / 2, "imports go down only", rotation=90, va="center", ha="center", fontsize=8)
    return figure
