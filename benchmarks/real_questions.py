"""One epoch of TJSTG on real MUSIC-AVQA questions, with features of the official shapes and random values.

    python benchmarks/real_questions.py avqa-val.json

The features are noise, so the accuracy means nothing; what is shown is that real annotations and files of the official
shapes, (60, 128) and (10, 512, 14, 14), go through the training command at the published size (dim 512). Sixteen
different files are written and linked under the ids of all videos. The first 256 questions serve as validation and
test. Writes benchmarks/results/real-questions.json.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from common import ROOT, environment, write_result

from avground.data import read_annotations

SHAPES = {"vggish": (60, 128), "res18_14x14": (10, 512, 14, 14)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("annotations", type=Path, help="a question file of MUSIC-AVQA")
    path = parser.parse_args().annotations
    records = read_annotations(path)
    videos = sorted({record.video_id for record in records})
    with tempfile.TemporaryDirectory() as folder:
        data, output = Path(folder) / "data", Path(folder) / "run"
        write_questions(path, data / "json")
        write_features(videos, data / "feats")
        command = ["examples/train_music_avqa.py", "--epochs", "1", "--stage-one-epochs", "0"]
        started = time.monotonic()
        subprocess.run([sys.executable, *command, "--data", str(data), "--output", str(output)], cwd=ROOT, check=True)
        seconds = time.monotonic() - started
        report = json.loads((output / "metrics.json").read_text())
    result = {
        "command": "python " + " ".join(command),
        **environment(),
        "questions": len(records),
        "videos": len(videos),
        "shapes": SHAPES,
        "values": "random",
        "parameters": report["parameters"],
        "vocabulary": report["data"]["vocabulary"],
        "losses": report["history"][-1]["losses"],
        "wall_seconds": round(seconds, 1),
    }
    write_result("real-questions", result)
    print(json.dumps(result, indent=1))


def write_questions(path: Path, folder: Path) -> None:
    """Train on all, validate and test on the first few."""
    folder.mkdir(parents=True)
    rows = json.loads(path.read_text(encoding="utf-8"))
    for split, part in {"train": rows, "val": rows[:256], "test": rows[:256]}.items():
        (folder / f"avqa-{split}.json").write_text(json.dumps(part))


def write_features(videos: list[str], folder: Path) -> None:
    """Random files of the official shapes, non-negative as after a ReLU; each serves many videos."""
    generator = np.random.default_rng(0)
    for kind, shape in SHAPES.items():
        (folder / kind).mkdir(parents=True)
        for number, video in enumerate(videos):
            target = folder / kind / f"{video}.npy"
            if number < 16:
                np.save(target, np.maximum(generator.standard_normal(shape, dtype=np.float32), 0))
            else:
                os.link(folder / kind / f"{videos[number % 16]}.npy", target)


if __name__ == "__main__":
    main()
