"""From rendered videos to answers with the commands of the docs, and what half precision costs.

    python benchmarks/pixels.py [--seeds 3] [--runs runs/pixels]

For each seed of the world `pixels`: render the videos, extract with the extractors that need no download, pack in three
precisions, and train (a seed decides world, weights and order at once; the precisions are compared on a second seed of
weights and order too). Every step is the command that users run. What is finished is not done again, so that an
interrupted benchmark goes on; the times are of the run that did the step, with whatever else the machine was doing.

Writes benchmarks/results/pixels.json.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from common import environment, paired, summary, write_result

MODELS = ("tjstg_sharp", "tjstg", "avst", "tjstg_released", "question_lstm")
DTYPES = ("float16", "float32", "bfloat16")
AGAIN = 100  # between the seeds of a first and a second run
QUESTION = "How many instruments are sounding in the video?"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--runs", type=Path, default=Path("runs") / "pixels")
    options = parser.parse_args()
    worlds = [one_world(options.runs / str(seed), seed) for seed in range(options.seeds)]
    result = {"command": f"python benchmarks/pixels.py --seeds {options.seeds}", **environment(), **gather(worlds)}
    print(write_result("pixels", result))


def one_world(folder: Path, seed: int) -> dict[str, Any]:
    """All steps on one world: seconds by step, sizes, the answer to a question, and each run's metrics."""
    folder.mkdir(parents=True, exist_ok=True)
    world, feats = folder / "world", folder / "world" / "feats"
    seconds: dict[str, float] = {}

    def step(name: str, done: Path, *command: object) -> None:
        times = folder / "seconds.json"
        seconds.update(json.loads(times.read_text()) if times.exists() else {})
        if not done.exists() or name not in seconds:
            started = time.monotonic()
            subprocess.run([sys.executable, "-m", "avground", *map(str, command)], check=True)
            seconds[name] = round(time.monotonic() - started, 1)
            times.write_text(json.dumps(seconds))

    step("render", world / "pocket.json", "pocket", world, "--world", "pixels", "--pixels", "--seed", seed, "--quiet")
    extractors = ("--audio", "logmel", "--visual", "efficientnet_lite0", "--seconds", 10)
    step("extract", feats / "extraction.json", "extract", world / "videos", "--output", feats, *extractors)
    for dtype in DTYPES:
        store = folder / f"{dtype}.safetensors"
        step(f"pack {dtype}", store, "pack", feats, "--output", store, "--dtype", dtype)
    runs = [(model, "float16", seed) for model in MODELS]
    runs += [("tjstg_sharp", dtype, again) for again in (seed, seed + AGAIN) for dtype in DTYPES]
    reports = {}
    for model, dtype, of in dict.fromkeys(runs):
        name = f"{model}, {dtype}{', again' if of != seed else ''}"
        output = folder / name.replace(", ", "-")
        asked = (
            "train",
            "--data",
            world,
            "--features",
            folder / f"{dtype}.safetensors",
            "--model",
            model,
            "--seed",
            of,
        )
        resume = ["--resume"] if (output / "last.pt").exists() else []
        step(f"train {name}", output / "metrics.json", *asked, "--output", output, *resume)
        reports[name] = json.loads((output / "metrics.json").read_text())
    return {"seed": seed, "seconds": seconds, "sizes": sizes(folder), "answer": answer(folder), "reports": reports}


def sizes(folder: Path) -> dict[str, int]:
    """Bytes on disk."""
    found = {"videos": sum(path.stat().st_size for path in (folder / "world" / "videos").iterdir())}
    found["feats"] = sum(path.stat().st_size for path in (folder / "world" / "feats").rglob("*.npy"))
    return {**found, **{dtype: (folder / f"{dtype}.safetensors").stat().st_size for dtype in DTYPES}}


def answer(folder: Path) -> dict[str, Any]:
    """One question about the first test video, with how long it took."""
    video = sorted((folder / "world" / "videos").iterdir())[-300]
    command = ["answer", video, QUESTION, "--checkpoint", folder / "tjstg_sharp-float16" / "best.pt", "--json"]
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "avground", *map(str, command)], check=True, capture_output=True, text=True
    )
    found: dict[str, Any] = json.loads(done.stdout)["answers"][0]
    return {
        "video": video.name,
        "seconds": round(time.monotonic() - started, 1),
        **found,
        "answers": found["answers"][:3],
    }


def gather(worlds: list[dict[str, Any]]) -> dict[str, Any]:
    """Statistics over the seeds."""
    precise = [f"tjstg_sharp, {dtype}{again}" for dtype in DTYPES for again in ("", ", again")]
    every = {name: [world["reports"][name]["test"]["accuracy"]["All"] for world in worlds] for name in precise}
    names = [name for name in worlds[0]["reports"] if not name.endswith("again")]
    tests = {name: [world["reports"][name]["test"] for world in worlds] for name in names}
    accuracy = {name: [test["accuracy"]["All"] for test in found] for name, found in tests.items()}
    rows = {name: describe(found) for name, found in tests.items()}
    return {
        "world": "pixels",
        "seeds": [world["seed"] for world in worlds],
        "questions": [test["count"]["All"] for test in tests[names[0]]],
        "prior": summary([test["prior"]["All"] for test in tests[names[0]]]),
        "rows": rows,
        "gain_over_prior": {
            name: paired(values, [test["prior"]["All"] for test in tests[name]]) for name, values in accuracy.items()
        },
        "ahead_of": {
            name: paired(accuracy["tjstg_sharp, float16"], values)
            for name, values in accuracy.items()
            if name.endswith("float16") and not name.startswith("tjstg_sharp")
        },
        "cost_of_half_precision": {
            dtype: paired(
                *(every[f"tjstg_sharp, {of}"] + every[f"tjstg_sharp, {of}, again"] for of in (dtype, "float32"))
            )
            for dtype in ("float16", "bfloat16")
        },
        "by_type": {name: tests["tjstg_sharp, float16"][0][name] for name in ("accuracy", "prior", "count")},
        "bytes": [world["sizes"] for world in worlds],
        "seconds": [world["seconds"] for world in worlds],
        "answer": worlds[0]["answer"],
    }


def describe(tests: list[dict[str, Any]]) -> dict[str, Any]:
    """Accuracy, leak checks and pointing of one row."""
    found = {"accuracy": summary([test["accuracy"]["All"] for test in tests])}
    for what in ("audio", "visual"):
        found[f"{what}_shuffled"] = summary([test["shuffled"][what]["All"] for test in tests])
    for name, key in (("pointing", "accuracy"), ("pointing_by_chance", "chance"), ("peak_over_uniform",) * 2):
        found[name] = summary([test["grounding"]["pointing"][key] for test in tests])
    return found


if __name__ == "__main__":
    main()
