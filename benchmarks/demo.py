"""The two small models that the documentation starts with: examples/pocket_pixels.

    python benchmarks/demo.py [--runs runs/demo] [--seeds 3]

Films the world `pixels` with seed 0, extracts with the extractors that need no download, packs, and trains
`tjstg_sharp` and `avst` with each seed of weights and order, with stage I and the pair-matching loss, as the paper
does, and `tjstg_sharp` without them too. Of each model with them the one that scores best on the validation questions
is saved. What is finished is not done again.

Writes benchmarks/results/demo.json and examples/pocket_pixels/<model>.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from common import ROOT, environment, paired, summary, write_result

from avground.hub import PretrainedModel

MATCHING = ("--matching", 0.5, "--stage-one-epochs", 4)
ROWS = {
    "tjstg_sharp": ("tjstg_sharp", MATCHING),
    "avst": ("avst", MATCHING),
    "tjstg_sharp_without_matching": ("tjstg_sharp", ("--matching", 0)),
}
SAVED = ("tjstg_sharp", "avst")
TARGET = ROOT / "examples" / "pocket_pixels"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, default=Path("runs") / "demo")
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    world, store = options.runs / "world", options.runs / "world.safetensors"
    step(world / "pocket.json", "pocket", world, "--world", "pixels", "--pixels", "--quiet")
    extractors = ("--audio", "logmel", "--visual", "efficientnet_lite0", "--seconds", 10)
    step(world / "feats" / "extraction.json", "extract", world / "videos", "--output", world / "feats", *extractors)
    step(store, "pack", world / "feats", "--output", store)
    result: dict[str, Any] = {"command": f"python benchmarks/demo.py --seeds {options.seeds}", **environment()}
    result |= {"world": "pixels", "world_seed": 0, "rows": {}}
    for name, (model, matching) in ROWS.items():
        folders = [options.runs / f"{name}-{seed}" for seed in range(options.seeds)]
        for seed, folder in enumerate(folders):
            again = ["--resume"] if (folder / "last.pt").exists() else []
            asked = ("--data", world, "--features", store, "--model", model, "--seed", seed, *matching)
            step(folder / "metrics.json", "train", *asked, "--output", folder, *again)
        rows = [row(folder) for folder in folders]
        result["rows"][name] = {key: summary([one[key] for one in rows]) for key in rows[0]}
        best = max(range(options.seeds), key=lambda seed: rows[seed]["validation"])
        if name in SAVED:
            PretrainedModel.from_checkpoint(folders[best] / "best.pt").save_pretrained(TARGET / name, overwrite=True)
            result["rows"][name]["saved_seed"] = best
    gain = [result["rows"][name] for name in ("tjstg_sharp", "tjstg_sharp_without_matching")]
    result["matching"] = {key: paired(*(row[key]["values"] for row in gain)) for key in ("test", "pointing")}
    print(write_result("demo", result))


def step(done: Path, *command: object) -> None:
    """Run a command of avground unless what it makes is there."""
    if not done.exists():
        subprocess.run([sys.executable, "-m", "avground", *map(str, command)], check=True)


def row(folder: Path) -> dict[str, float]:
    """What a run scored."""
    report = json.loads((folder / "metrics.json").read_text())
    test, pointing = report["test"], report["test"]["grounding"]["pointing"]
    return {
        "validation": report["validation"]["accuracy"]["All"],
        "test": test["accuracy"]["All"],
        "prior": test["prior"]["All"],
        "pointing": pointing["accuracy"],
        "pointing_with_answer": pointing["accuracy_with_answer"],
        "pointing_of_a_flat_map": pointing["chance"],
        "peak_over_uniform": pointing["peak_over_uniform"],
    }


if __name__ == "__main__":
    main()
