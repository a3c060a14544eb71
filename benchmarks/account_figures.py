"""The figures of docs/account.md, from the result files: see account.py."""

import math
from pathlib import Path
from typing import Any

import matplotlib as mpl
import torch
from account import BOUNDS, FORMS
from common import read_result
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from avground.models.released import ReleasedSynchronyLoss
from avground.ops.divergence import js_divergence

# Okabe and Ito's colours: told apart by most who do not see all colours.
COLOURS = {"avst": "#56B4E9", "full": "#0072B2", "released_paired": "#E69F00", "tjstg_sharp": "#D55E00"}

mpl.rcParams.update(
    {
        "svg.hashsalt": "avground",
        "font.size": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "figure.dpi": 100,
    }
)


def draw(folder: Path) -> None:
    """Draw all figures."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, figure in {
        "flatness": flatness,
        "released_loss": released_loss,
        "pairing": pairing,
        "gains": gains,
    }.items():
        drawn = figure()
        drawn.savefig(folder / f"{name}.svg", metadata={"Date": None}, bbox_inches="tight")
        plt.close(drawn)


def flatness() -> Any:
    """Left: the largest weight over cells, measured and at most. Right: entropy."""
    account = read_result("account")
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.6, 3.4))
    sizes = [2**k for k in range(2, 11)]
    for name, label in FORMS.items():
        found = account["cells"][name]
        cells = [int(s) for s in found]
        colour = COLOURS[name]
        left.plot(cells, [of["largest_over_uniform"]["mean"] for of in found.values()], "o-", color=colour, label=label)
        right.plot(cells, [of["entropy_share"]["mean"] for of in found.values()], "o-", color=colour, label=label)
        if name in BOUNDS:
            left.plot(sizes, [BOUNDS[name](s) for s in sizes], ":", color=colour)
    left.plot(sizes, sizes, ":", color=COLOURS["tjstg_sharp"])
    left.set(xscale="log", yscale="log", xlabel="cells of the map", ylabel="largest weight, in uniform weights")
    left.set_title("dotted: the most that the form allows", fontsize=9)
    right.set(xscale="log", xlabel="cells of the map", ylabel="entropy, share of the most")
    right.set_xticks(cells, [str(s) for s in cells])
    right.minorticks_off()
    right.legend(frameon=False)
    figure.tight_layout()
    return figure


def released_loss() -> Any:
    """Both losses over how far two bumps lie apart, and over how wide two equal bumps are."""
    t = torch.arange(10, dtype=torch.float64)
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.6, 3.2))
    shifts = torch.linspace(0, 6, 61, dtype=torch.float64)
    widths = torch.linspace(0.3, 8, 78, dtype=torch.float64)
    apart = [(_bump(t, 1.5, 1.0), _bump(t, 1.5 + float(shift), 1.0)) for shift in shifts]
    equal = [(_bump(t, 4.5, float(width)), _bump(t, 4.5, float(width))) for width in widths]
    for axes, x, pairs, label in (
        (left, shifts, apart, "distance of the two peaks, segments"),
        (right, widths, equal, "width of both peaks, segments (rows equal)"),
    ):
        _both_losses(axes, x.tolist(), pairs)
        axes.set_xlabel(label)
    figure.tight_layout()
    return figure


def _bump(t: torch.Tensor, centre: float, width: float) -> torch.Tensor:
    return (-((t - centre) ** 2) / (2 * width**2)).softmax(-1)


def _both_losses(axes: Axes, x: list[float], pairs: list[tuple[torch.Tensor, torch.Tensor]]) -> None:
    released = ReleasedSynchronyLoss()
    axes.plot(x, [float(js_divergence(p, q)) for p, q in pairs], color="#0072B2", label="Jensen-Shannon, nats")
    other = axes.twinx()
    other.plot(x, [float(released(p / 2, q / 2)) for p, q in pairs], color="#E69F00", label="released loss")
    axes.set_ylabel("Jensen-Shannon, nats", color="#0072B2")
    axes.set_ylim(-0.02, math.log(2) + 0.02)
    other.set_ylabel("released loss", color="#E69F00")
    other.spines["right"].set_visible(True)


def pairing() -> Any:
    """Validation accuracy over epochs with either pairing."""
    curves = read_result("account")["curves"]
    figure, axes = plt.subplots(figsize=(5.2, 3.2))
    for name, label, colour in (
        ("released_paired", "own question", "#0072B2"),
        ("released", "time-major, as released", "#E69F00"),
    ):
        values = 100 * torch.tensor(curves[name], dtype=torch.float64)
        epochs = range(1, values.shape[1] + 1)
        axes.plot(epochs, values.mean(0), color=colour, label=label)
        axes.fill_between(epochs, values.amin(0), values.amax(0), color=colour, alpha=0.2, linewidth=0)
    axes.set(xlabel="epoch", ylabel="validation accuracy, %")
    axes.legend(frameon=False)
    figure.tight_layout()
    return figure


def gains() -> Any:
    """What T-A and CSL add: differences with their 95 % intervals, by world."""
    comparisons = (
        ("T-A in TJSTG", "2", "without_target", -1),
        ("CSL in TJSTG", "2", "without_synchrony", -1),
        ("T-A in AVST", "3", "avst_with_target", 1),
        ("CSL in AVST", "3", "avst_with_synchrony", 1),
    )
    worlds = {"target": "#0072B2", "sync": "#E69F00"}
    figure, axes = plt.subplots(figsize=(6.4, 3.0))
    for offset, (world, colour) in enumerate(worlds.items()):
        for place, (_, table, row, sign) in enumerate(comparisons):
            difference = read_result(f"table-{table}-{world}")["rows"][row]["difference"]
            mean, (low, high) = sign * difference["mean"], sorted(sign * x for x in difference["interval"])
            y = -place - 0.22 * (offset - 0.5)
            axes.plot([100 * low, 100 * high], [y, y], color=colour, label=world if place == 0 else None)
            axes.plot(100 * mean, y, "o", color=colour)
    axes.axvline(0, color="0.6", linewidth=0.8)
    axes.set_yticks([-place for place in range(len(comparisons))], [name for name, *_ in comparisons])
    axes.set_xlabel("points gained by having it (95 % interval over seeds)")
    axes.legend(frameon=False, title="track")
    figure.tight_layout()
    return figure
