"""Measure what the extractors without download are standardised by, and write avground/media/standard.json.

    python benchmarks/feature_statistics.py

Mean and deviation of every channel, over all seconds (and cells) of a small filmed Pocket world of its own seed: all 22
instruments, so that none of the worlds that are trained on decides them. Written with four significant digits. New
numbers make every feature extracted before a mismatch, as they should.
"""

import dataclasses
import json
import tempfile
from pathlib import Path

import numpy as np
import torch
from common import ROOT

from avground.data import pocket
from avground.media import RATE, decode, make_extractor

SEED = 1000
WORLD = pocket.PRESETS["pixels_tiny"].replace(types=22, most=3, train=150)


def main() -> None:
    values: dict[str, list[torch.Tensor]] = {"efficientnet_lite0": [], "logmel": []}
    networks = {name: make_extractor(name).network[0] for name in values}
    with tempfile.TemporaryDirectory() as folder:
        world = pocket.generate(Path(folder) / "world", WORLD, seed=SEED, rendering=pocket.Rendering())
        for path in sorted((world / "videos").iterdir()):
            clip = decode(path)
            frames = torch.from_numpy(np.ascontiguousarray(clip.frames.transpose(0, 3, 1, 2)))
            sound = torch.from_numpy(clip.sound).unflatten(0, (-1, RATE))
            with torch.inference_mode():
                maps = networks["efficientnet_lite0"](frames)
                values["efficientnet_lite0"].append(maps.permute(0, 2, 3, 1).flatten(0, 2))
                values["logmel"].append(networks["logmel"](sound))
    found = {}
    for name, parts in values.items():
        rows = torch.cat(parts).double()
        found[name] = {"mean": _digits(rows.mean(0)), "deviation": _digits(rows.std(0))}
    path = ROOT / "avground" / "media" / "standard.json"
    path.write_text(json.dumps(found) + "\n")
    print(path, {name: len(torch.cat(parts)) for name, parts in values.items()}, dataclasses.asdict(WORLD))


def _digits(values: torch.Tensor) -> list[float]:
    return [float(f"{value:.4g}") for value in values.tolist()]


if __name__ == "__main__":
    main()
