"""What a question, a video and a process cost, in bytes and time: what the estimates of docs/scaling.md are made of.

    python benchmarks/scaling.py [--quick] [--seed 0] [--output FOLDER]

Questions are made up: MUSIC-AVQA's templates, filled at random, in a file laid out as the published ones, as many as
there are. Features are noise: tiny where only their number counts, of the published shape where they are moved. Times
are medians and quartiles of several turns; bytes are those that tracemalloc counts, and those of tensors.
scaling_steps.py compares two processes with one. Everything runs on the CPU (Linux), with one thread where nothing else
is said.

Writes benchmarks/results/scaling.json and, with scaling_tables.py, the tables of docs/scaling.md. --quick shows that
all works, and writes nothing unless --output says where.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import scaling_steps
import scaling_tables
import torch
from common import RESULTS, environment, write_result
from scaling_data import (
    PUBLISHED,
    clock,
    header_limit,
    measure_maps,
    measure_questions,
    measure_videos,
    write_questions,
    write_store,
)
from speed.timing import FULL, QUICK, Effort

from avground.models import MODELS
from avground.reading import _MOST_BYTES
from avground.training.checkpoint import write_atomically

SMALL = (16, 4, 4)
"""The shape of a map in quick runs."""

TRAINED = ("tjstg", "tjstg_sharp", "avst")


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few of everything; the figures mean nothing")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, help="folder of the result (default: benchmarks/results)")
    options = parser.parse_args(arguments)
    started = time.monotonic()
    effort = QUICK if options.quick else FULL["cpu"]
    result = {
        "command": f"python benchmarks/scaling.py{' --quick' * options.quick} --seed {options.seed}",
        **environment(),
        "seed": options.seed,
        "load_before": [round(value, 2) for value in os.getloadavg()],
        "published": PUBLISHED,
    }
    with tempfile.TemporaryDirectory() as folder:
        result |= measure(Path(folder), effort, options.seed)
    result["seconds"] = round(time.monotonic() - started)
    if options.output or not options.quick:
        print(write_result("scaling", result, options.output or RESULTS))
    if not options.output and not options.quick:
        scaling_tables.fill_page(result)
    return result


def measure(folder: Path, effort: Effort, seed: int) -> dict[str, Any]:
    """All measurements.

    Args:
        folder: An empty folder.
        effort: How often, and whether with few questions and videos.
        seed: Of questions, features, weights and order.
    """
    torch.set_num_threads(1)
    kept = os.environ.get("AVGROUND_CACHE")
    os.environ["AVGROUND_CACHE"] = str(folder / "cache")  # Headers of folders are remembered there.
    try:
        questions, videos, large = (300, 100, 8) if effort.quick else (PUBLISHED["questions"], 2_000, 40)
        rows = write_questions(folder / "all.json", questions, videos, seed)
        of_videos, tiny = measure_videos(folder / "tiny", videos, effort)
        features = write_store(folder / "large", large, SMALL if effort.quick else PUBLISHED["map"], seed)
        write_questions(folder / "few.json", 4 * scaling_steps.BATCH, large, seed)
        return {
            "questions": {
                "count": questions,
                "bytes_in_file": rows,
                "most_bytes_of_file": _MOST_BYTES,
                "parts": measure_questions(folder, tiny, effort),
            },
            "videos": {"count": videos, **of_videos, **measure_maps(features, folder / "few.json", effort)},
            "store": {"header_limit": header_limit(folder)},
            "models": {name: gradients(name) for name in TRAINED},
            "checkpoint": measure_checkpoint(folder, effort),
            "steps": scaling_steps.measure(folder / "few.json", features, effort, seed),
        }
    finally:
        os.environ.pop("AVGROUND_CACHE")
        if kept is not None:
            os.environ["AVGROUND_CACHE"] = kept


# ---- models ----------------------------------------------------------------------------------------------------------


def gradients(name: str) -> dict[str, int]:
    """The bytes of a model's gradients in single precision, at its published size."""
    return {
        "bytes": 4 * sum(parameter.numel() for parameter in MODELS[name](vocabulary_size=93, answers=42).parameters())
    }


def measure_checkpoint(folder: Path, effort: Effort) -> dict[str, Any]:
    """Writing what a checkpoint mostly is: weights, and two moments of each."""
    weights = MODELS["tjstg"](vocabulary_size=93, answers=42).state_dict()
    content = {name: {key: value.clone() for key, value in weights.items()} for name in ("model", "first", "second")}
    path = folder / "checkpoint.pt"
    found = clock({"writing": lambda: write_atomically(path, content)}, {"writing": 1}, effort)
    return {"bytes": path.stat().st_size, **found["writing"]}


if __name__ == "__main__":
    main()
