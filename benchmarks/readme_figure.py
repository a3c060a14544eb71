"""The figure on top of the README: one second of a filmed scene, and the maps of two models.

    python benchmarks/readme_figure.py [--world runs/pixels_tiny]

Films the world `pixels_tiny`, asks its test questions of the models in examples/pocket_pixels, and draws the first one
that names an instrument with another beside it, for which the first model is right and has its heaviest cell on the
named one in at least nine seconds of ten; of that, the second with the largest weight. How often that is so goes into
benchmarks/results/heat.json, and from there into the README.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from common import ROOT, environment, fill, write_result
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from avground.answer import Answer, Answerer
from avground.data import Record, pocket, read_annotations
from avground.media import decode
from avground.training.grounding import masks_of
from avground.viz import spread, stretched_scale, true_scale
from avground.viz.style import HEAT, styled

MODELS = {"TJSTG sharp": "tjstg_sharp", "AVST": "avst"}
FOLDER = ROOT / "docs" / "figures"
SHARE = 0.9


class Shown(NamedTuple):
    """A question, what each model answered, where the named instrument is (t, h, w), and the picture of each second."""

    record: Record
    answers: tuple[Answer, ...]
    named: Any
    frames: Any

    def pointed(self, place: int = 0) -> float:
        """Share of the seconds in which a model's heaviest cell lies on the named instrument."""
        maps = self.answers[place].cell_weights.flatten(1)
        return float(self.named.reshape(maps.shape)[np.arange(len(maps)), maps.argmax(1)].mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--world", type=Path, default=Path("runs") / "pixels_tiny")
    world = parser.parse_args().world
    pocket.generate(world, "pixels_tiny", rendering=pocket.Rendering())
    shown = list(ask(world))
    chosen = next(
        one for one in shown if one.pointed() >= SHARE and one.answers[0].best == one.record.answer and beside(one)
    )
    figure = draw(chosen)
    figure.savefig(FOLDER / "heat.png", dpi=130, metadata={"Software": None}, bbox_inches="tight", pad_inches=0.06)
    result = {
        "command": "python benchmarks/readme_figure.py",
        **environment(),
        "question_id": chosen.record.question_id,
        "questions_that_name_an_instrument": len(shown),
        "flat_map": float(np.mean([one.named.mean() for one in shown])),
        "models": {name: measure(shown, chosen, place) for place, name in enumerate(MODELS)},
    }
    readme = ROOT / "README.md"
    readme.write_text(fill(readme.read_text(), {"the figure": table(result)}))
    print(write_result("heat", result))


def measure(shown: list[Shown], chosen: Shown, place: int) -> dict[str, Any]:
    """What a model scores over all questions, and its map in the figure."""
    cells = chosen.answers[place].cell_weights[second_of(chosen)]
    return {
        "right": float(np.mean([one.answers[place].best == one.record.answer for one in shown])),
        "pointing": float(np.mean([one.pointed(place) for one in shown])),
        "figure": spread(cells)._asdict() | {"smallest_over_uniform": float(cells.min()) * cells.numel()},
    }


def table(result: dict[str, Any]) -> str:
    """The models over all questions, for the README."""
    count = result["questions_that_name_an_instrument"]
    lines = [
        f"| {count} questions | right, % | heaviest cell on the named instrument, % of seconds |",
        "|---|---:|---:|",
    ]
    for name, found in result["models"].items():
        lines.append(f"| {name} | {100 * found['right']:.1f} | {100 * found['pointing']:.1f} |")
    return "\n".join([*lines, f"| a random cell | | {100 * result['flat_map']:.1f} |"])


def second_of(shown: Shown) -> int:
    """The second in which the first model's largest weight is."""
    return int(shown.answers[0].cell_weights.amax((1, 2)).argmax())


def ask(world: Path) -> Iterator[Shown]:
    """The test questions that name an instrument on stage, in their order."""
    models = [Answerer(ROOT / "examples" / "pocket_pixels" / folder, device="cpu") for folder in MODELS.values()]
    truth = pocket.read_truth(world)
    records = read_annotations(world / "json" / "avqa-test.json")
    for record in records:
        asked = truth.questions[record.question_id]
        if not asked.names or not truth.target_cells(record.question_id):
            continue
        path = world / "videos" / f"{record.video_id}.mp4"
        answers = tuple(model.watch(path).ask(" ".join(record.words)) for model in models)
        t, h, w = answers[0].cell_weights.shape
        named = masks_of([record], truth, t, (h, w)).named[0].numpy()
        yield Shown(record, answers, named, decode(path, seconds=t).frames)


def beside(shown: Shown) -> bool:
    """Whether the named instrument leaves most of the picture to others."""
    return 0 < shown.named.mean() < 0.2


@styled
def draw(shown: Shown) -> Figure:
    """The picture, the first model's map, and the second one's on both scales."""
    sharp, flat = (answer.cell_weights.double().numpy() for answer in shown.answers)
    second = second_of(shown)
    figure = Figure(figsize=(9.2, 3.1), layout="compressed")
    axes = figure.subplots(1, 4)
    picture = shown.frames[second]
    names = list(MODELS)
    axes[0].imshow(picture, extent=(0, 7, 7, 0))
    rows, columns = np.nonzero(shown.named[second])
    corner, size = (columns.min(), rows.min()), (np.ptp(columns) + 1, np.ptp(rows) + 1)
    axes[0].add_patch(Rectangle(corner, *size, fill=False, edgecolor="black", linewidth=1.5))
    axes[0].set_title("what there is to see", fontsize=9)
    axes[0].set_xlabel(f"second {second}; framed: what is asked for", fontsize=8)
    for axis, maps, scale, name in (
        (axes[1], sharp, true_scale, f"{names[0]}, true scale"),
        (axes[2], flat, true_scale, f"{names[1]}, true scale"),
        (axes[3], flat, stretched_scale, "the same map, stretched"),
    ):
        heat(axis, picture, scale(maps)[second])
        axis.set_title(name, fontsize=9)
        axis.set_xlabel(str(spread(maps[second])).replace(", ", "\n", 1), fontsize=8)
    for axis in axes:
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set_visible(False)
    given = ", ".join(f"{name}: {answer.best}" for name, answer in zip(names, shown.answers, strict=True))
    figure.suptitle(f"{' '.join(shown.record.words)}?   {given}   (right: {shown.record.answer})\n", fontsize=10)
    return figure


def heat(axis: Axes, picture: Any, values: Any) -> None:
    """A map over the picture in grey, so that all colour is heat."""
    axis.imshow(picture @ (0.299, 0.587, 0.114), cmap="gray", vmin=0, vmax=255, extent=(0, 7, 7, 0))
    alpha = 0.9 * np.sqrt(values)
    axis.imshow(values, cmap=HEAT, vmin=0, vmax=1, alpha=alpha, extent=(0, 7, 7, 0), interpolation="nearest")


if __name__ == "__main__":
    main()
