"""The measurements and figures of docs/account.md: what grounding does, and what it does not.

    python benchmarks/account.py              # needs the runs of reproduce.py and the extra "viz"
    python benchmarks/account.py --figures    # only the figures and tables, from the result files

Looks at trained models of reproduce.py (--runs) on their test questions: how flat their weights over cells are, on maps
of several sizes, and how far their two rows of weights over time agree. A larger map shows the same scenes, every cell
split in k times k. Writes benchmarks/results/account.json, the figures in docs/figures/, and the tables in docs/*.md.
"""

import argparse
import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from common import ROOT, environment, fill, read_result, summary, write_result
from torch import Tensor
from torch.utils.data import DataLoader

from avground.ops.divergence import js_divergence
from avground.ops.weights import normalize_weights
from avground.training import load_checkpoint
from avground.training.splits import load_splits

DOCS = ROOT / "docs"

#: Models whose weights over cells are looked at, by the rows of reproduce.py that trained them.
FORMS = {
    "avst": "AVST",
    "full": "TJSTG, the paper",
    "released_paired": "TJSTG, released code",
    "tjstg_sharp": "tjstg_sharp",
}

#: Models whose weights over time are looked at.
AGREEMENT = ("released_paired", "released_js", "full", "without_synchrony")

SPLITS = (1, 2, 3, 4)
QUESTIONS = 256


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--figures", action="store_true", help="only the figures and tables, from the result files")
    parser.add_argument("--world", default="target")
    parser.add_argument("--seeds", type=int, default=3, help="seeds of reproduce.py to look at (default: 3)")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / "reproduce", help="folder of the runs")
    options = parser.parse_args()
    if not options.figures:
        measure(options.runs / options.world, options.world, range(options.seeds))
    from account_figures import draw

    draw(DOCS / "figures")
    for page in sorted(DOCS.glob("*.md")):
        page.write_text(fill_page(page.read_text()))


# ---- measurements ----------------------------------------------------------------------------------------------------


def measure(runs: Path, world: str, seeds: range) -> None:
    """Look at the trained models, and write account.json."""
    flatness = {name: [cells(runs / name / str(seed)) for seed in seeds] for name in FORMS}
    agreement = {name: [times(runs / name / str(seed)) for seed in seeds] for name in AGREEMENT}
    result = {
        "script": f"benchmarks/account.py --world {world} --seeds {len(seeds)}",
        **environment(),
        "world": world,
        "seeds": list(seeds),
        "questions_a_seed": QUESTIONS,
        "cells": {
            name: {
                str(cells): {key: summary([run[cells][key] for run in found]) for key in found[0][cells]}
                for cells in found[0]
            }
            for name, found in flatness.items()
        },
        "bounds": {name: {str(s): peak(s) for s in (16, 49, 196, 441, 784)} for name, peak in BOUNDS.items()},
        "time": {
            name: {key: summary([run[key] for run in found]) for key in found[0]} for name, found in agreement.items()
        },
        "curves": {
            name: [validation_curve(runs / name / str(seed)) for seed in seeds]
            for name in ("released", "released_paired")
        },
    }
    print(write_result("account", result))


def batches(folder: Path) -> Iterator[tuple[Any, Any]]:
    """A trained model and batches of its first test questions."""
    model, _, run = load_checkpoint(folder / "best.pt")
    dataset = load_splits(run).dataset("test")
    places = [list(range(first, min(first + 32, QUESTIONS))) for first in range(0, min(QUESTIONS, len(dataset)), 32)]
    for batch in DataLoader(dataset, batch_sampler=places, collate_fn=dataset.collate):
        yield model, batch


@torch.inference_mode()
def cells(folder: Path) -> dict[int, dict[str, float]]:
    """By number of cells: how flat the weights over cells are, averaged over segments."""
    found: dict[int, dict[str, list[Tensor]]] = {}
    for model, batch in batches(folder):
        for k in SPLITS:
            visual = batch.visual.repeat_interleave(k, -2).repeat_interleave(k, -1)
            weights = model(batch.audio, visual, batch.question).cell_weights.flatten(2).flatten(0, 1).double()
            s = weights.shape[-1]
            measures = found.setdefault(s, {"entropy": [], "ratio": [], "peak": []})
            measures["entropy"].append(torch.special.entr(weights).sum(-1) / math.log(s))
            measures["ratio"].append((weights.amax(-1) / weights.amin(-1).clamp(min=1e-300)).log10())
            measures["peak"].append(weights.amax(-1) * s)
    names = {"entropy": "entropy_share", "ratio": "log10_largest_over_smallest", "peak": "largest_over_uniform"}
    return {s: {names[key]: float(torch.cat(parts).mean()) for key, parts in of.items()} for s, of in found.items()}


@torch.inference_mode()
def times(folder: Path) -> dict[str, float]:
    """How far the two rows of weights over time agree, and how flat their average is."""
    apart, flat = [], []
    for model, batch in batches(folder):
        out = model(batch.audio, batch.visual, batch.question)
        audio, visual = normalize_weights(out.audio_weights.double()), normalize_weights(out.visual_weights.double())
        apart.append(js_divergence(audio, visual))
        flat.append(torch.special.entr((audio + visual) / 2).sum(-1) / math.log(audio.shape[-1]))
    accuracy = json.loads((folder / "metrics.json").read_text())["test"]["accuracy"]["All"]
    return {
        "js_nats": float(torch.cat(apart).mean()),
        "entropy_share": float(torch.cat(flat).mean()),
        "accuracy": accuracy,
    }


def validation_curve(folder: Path) -> list[float]:
    """Validation accuracy after each epoch of stage II."""
    history = json.loads((folder / "metrics.json").read_text())["history"]
    return [entry["validation"] for entry in history if entry["stage"] == "stage II"]


# ---- bounds ----------------------------------------------------------------------------------------------------------


def peak_of(ratio: float, cells: int) -> float:
    """The largest weight in units of a uniform one, if it is ``ratio`` times every other weight."""
    return cells * ratio / (ratio + cells - 1)


def surest(cells: int) -> float:
    """The largest value of a softmax of cosines: one cell at 1, all others at -1."""
    return peak_of(math.exp(2), cells) / cells


#: The largest weight that any map can get, in units of a uniform one, by the number of cells. What goes into an outer
#: softmax are probabilities, or products or sums of them, so its ratio is exp of their largest difference.
BOUNDS: dict[str, Callable[[int], float]] = {
    "avst": lambda s: peak_of(math.exp(2), s),
    "full": lambda s: peak_of(math.e, s),
    "full_cosine": lambda s: peak_of(math.exp(surest(s) ** 2 - ((1 - surest(s)) / (s - 1)) ** 2), s),
    "released_paired": lambda s: peak_of(math.exp(2 * surest(s)), s),
}


# ---- tables in the docs ----------------------------------------------------------------------------------------------


def fill_page(text: str) -> str:
    """Fill the tables that a page has marks for."""
    tables = {"flatness": flatness_table, "agreement": agreement_table}
    found = {name: make() for name, make in tables.items() if f"<!-- table of {name}: begin -->" in text}
    for path in sorted((ROOT / "benchmarks" / "results").glob("table-*.md")):
        if f"<!-- table of {path.stem}: begin -->" in text:
            found[path.stem] = path.read_text().strip()
    return fill(text, found)


def flatness_table() -> str:
    """How flat the weights over cells are, and the most that each form allows."""
    account = read_result("account")
    lines = [
        "| weights over cells | cells | entropy, share of the most | largest / smallest | largest / uniform "
        "| largest / uniform, at most |"
    ]
    lines += ["|---|---:|---:|---:|---:|---:|"]
    for name, label in FORMS.items():
        for s, found in account["cells"][name].items():
            if s not in ("49", "196", "784"):
                continue
            entropy, ratio = found["entropy_share"]["mean"], 10 ** found["log10_largest_over_smallest"]["mean"]
            bound = f"{BOUNDS[name](int(s)):.2f}" if name in BOUNDS else s
            peak = found["largest_over_uniform"]["mean"]
            lines.append(f"| {label} | {s} | {entropy:.4f} | {ratio:,.5g} | {peak:.5g} | {bound} |")
    return "\n".join(lines)


def agreement_table() -> str:
    """How far the rows of weights over time agree under each loss."""
    account = read_result("account")
    names = {
        "released_paired": ("released network", "released loss"),
        "released_js": ("released network", "Jensen-Shannon divergence"),
        "full": ("TJSTG, the paper", "Jensen-Shannon divergence"),
        "without_synchrony": ("TJSTG, the paper", "none"),
    }
    lines = ["| network | synchrony loss | JS of the two rows, nats | entropy of their average, share | accuracy, % |"]
    lines += ["|---|---|---:|---:|---:|"]
    for name, (network, loss) in names.items():
        found = account["time"][name]
        js, flat, right = (found[key] for key in ("js_nats", "entropy_share", "accuracy"))
        cells = [f"{js['mean']:.4f} ± {js['deviation']:.4f}", f"{flat['mean']:.3f} ± {flat['deviation']:.3f}"]
        cells += [f"{100 * right['mean']:.1f} ± {100 * right['deviation']:.1f}"]
        lines.append(f"| {network} | {loss} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
