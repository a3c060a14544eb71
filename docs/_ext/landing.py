"""The picture of the first page: a scene of Pocket, and where two forms of grounding look in it.

No network is trained for it. What a type of instrument looks like, and which types a second of sound holds, is fitted
to other scenes by least squares; these are the queries of the blocks.
"""

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from avground import TargetAwareSpatialGrounding
from avground.data.pocket import PRESETS, Rendering
from avground.data.pocket.features import Codes, audio_rows, visual_map
from avground.data.pocket.pixels.draw import frames
from avground.data.pocket.scene import Scene, make_scene
from avground.data.pocket.templates import INSTRUMENTS
from avground.viz import true_scale

Array = NDArray[np.float64]

# Three on stage, who play one after the other in test scene 4 of seed 3; nothing hides or is hidden.
WORLD = PRESETS["core"].replace(
    fewest=3, two_of_a_type=0.0, off_stage=0.0, voice=0.0, occluded=0.0, burst=0.0, context_left=0.0, context_right=0.0
)
SEED, SCENE, SCENES = 3, 4, 60
ASKED, SEGMENTS = "violin", (1, 2, 3, 4)
FORMS = {
    "Eqs. 4 to 7,\nas printed": TargetAwareSpatialGrounding(WORLD.channels),
    "a form that\ncan point": TargetAwareSpatialGrounding(
        WORLD.channels, threshold=0, similarity="cosine", normalize="sum", temperature=0.1
    ),
}


def read(scene: Scene, codes: Codes) -> tuple[Array, Array]:
    """Sound (t, ca) and map (t, c, h, w) of a scene; a segment's sound is that of its first second."""
    rows = audio_rows(scene, WORLD, SEED, codes)
    return rows[:: len(rows) // WORLD.segments], visual_map(scene, WORLD, SEED, codes)


def fit(codes: Codes) -> tuple[Array, Array]:
    """What each type looks like, (types, c), and how much of it a sound holds, (ca, types)."""
    cells, seen, sounds, heard = [], [], [], []
    for index in range(SCENES):
        scene = make_scene(WORLD, SEED, "train", index)
        audio, visual = read(scene, codes)
        there = np.zeros((WORLD.rows, WORLD.columns, WORLD.types))
        sounding = np.zeros((WORLD.segments, WORLD.types))
        for one in scene.instruments:
            number = INSTRUMENTS.index(one.type)
            sounding[:, number] += one.sounding
            for row, column in one.cells:
                there[row, column, number] = 1
        cells.append(visual[0].reshape(WORLD.channels, -1).T)
        seen.append(there.reshape(-1, WORLD.types))
        sounds.append(audio)
        heard.append(sounding)
    looks = np.linalg.lstsq(np.concatenate(cells), np.concatenate(seen), rcond=None)[0].T
    return looks, np.linalg.lstsq(np.concatenate(sounds), np.concatenate(heard), rcond=None)[0]


def draw() -> Figure:
    """What there is to see, and under it where each form looks, on the scale that all maps share."""
    codes = Codes.draw(WORLD, SEED)
    scene = make_scene(WORLD, SEED, "test", SCENE)
    audio, visual = (torch.from_numpy(part) for part in read(scene, codes))
    looks, parts = (torch.from_numpy(part).float() for part in fit(codes))
    queries = (audio @ parts).clamp(min=0) @ looks
    target = looks[INSTRUMENTS.index(ASKED)].expand(WORLD.segments, -1)
    pictures = list(frames(scene, WORLD, SEED, Rendering(fps=1)))

    figure = Figure(figsize=(7.4, 4.75), layout="none")
    axes = figure.subplots(1 + len(FORMS), len(SEGMENTS), gridspec_kw={"wspace": 0.05, "hspace": 0.05})
    figure.subplots_adjust(left=0.19, right=0.995, top=0.94, bottom=0.005)
    for t, axis in zip(SEGMENTS, axes[0], strict=True):
        show(axis, pictures[t])
        axis.set_title(", ".join(one.type for one in scene.instruments if one.sounding[t]), fontsize=10)
    name_row(axes[0, 0], "seen, and\nwhat is heard")
    for row, (name, block) in zip(axes[1:], FORMS.items(), strict=True):
        with torch.no_grad():
            heat = true_scale(block(queries, visual, target).weights)
        for t, axis in zip(SEGMENTS, row, strict=True):
            show(axis, pictures[t], heat[t])
        name_row(row[0], name)
    return figure


def name_row(axis: Axes, name: str) -> None:
    """Say on the left what a row shows."""
    axis.set_ylabel(name, rotation=0, ha="right", va="center", labelpad=8, fontsize=10)


def show(axis: Axes, picture: NDArray[np.uint8], heat: Array | None = None) -> None:
    """A picture; under heat it is grey, so that all colour is heat."""
    extent = (0, WORLD.columns, WORLD.rows, 0)
    if heat is None:
        axis.imshow(picture, extent=extent)
    else:
        axis.imshow(picture @ (0.299, 0.587, 0.114), extent=extent, cmap="gray", vmin=0, vmax=255)
        axis.imshow(heat, extent=extent, cmap="inferno", vmin=0, vmax=1, alpha=0.9 * np.sqrt(heat))
    axis.set(xticks=[], yticks=[])
    axis.spines[:].set_visible(False)
