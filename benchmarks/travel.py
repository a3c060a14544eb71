"""Whether models that travel say the same: every model trained, exported, and asked a whole test split elsewhere.

Each model is trained on Pocket's core world by the command that users run, for a few epochs. Then all of its test
questions are answered by the model as it is (eager), by its ONNX file in ONNX Runtime, by its program of torch, and by
what comes back from the folder for the hub.

    python benchmarks/travel.py --epochs 2
    python benchmarks/travel.py --tables     fill docs/models.md from the results
"""

import argparse
import math
import tempfile
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from common import RESULTS, ROOT, Job, environment, fill, read_result, run_jobs, write_result
from torch import Tensor, _dynamo
from tqdm import tqdm

from avground.data import MusicAVQA
from avground.export import OUTPUTS, OnnxModel, export_onnx, save_program
from avground.export.program import Inference
from avground.hub import PretrainedModel
from avground.models import MODELS
from avground.training import load_splits

BATCH = 64


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--world", default="core")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--runs", type=Path, default=Path("runs/travel"))
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--tables", action="store_true", help="measure nothing, fill the page")
    options = parser.parse_args(arguments)
    if options.tables:
        page = ROOT / "docs" / "models.md"
        page.write_text(fill(page.read_text(), {"travel": table(read_result("travel"))}))
        return
    found = {}
    for name in tqdm(options.models, unit="model"):
        changes = ("--model", name, "--epochs", str(options.epochs), "--device", "cpu")
        job = Job(name, changes, options.world, 0)
        run_jobs([job], options.runs, at_once=1)
        found[name] = measure(job.folder(options.runs) / "best.pt")
        print(f"{name}: {found[name]}", flush=True)
    about = environment()
    packages = ("onnx", "onnxscript", "onnxruntime", "huggingface-hub", "safetensors")
    about["versions"] |= {package: version(package) for package in packages}
    command = f"python benchmarks/travel.py --world {options.world} --epochs {options.epochs}"
    result = {"command": command, **about, "world": options.world, "epochs": options.epochs, "seed": 0, "models": found}
    print(write_result("travel", result, options.results))


def table(result: dict[str, Any]) -> str:
    """The table of docs/models.md."""
    sizes = {"checkpoint": "`best.pt`", "hub": "folder", "onnx": "`.onnx`", "program": "`.pt2`"}
    head = ["model", "parameters", *(f"{name}, MB" for name in sizes.values())]
    head += ["logits, ONNX", "weights, ONNX", "logits, `.pt2`", "same answers", "graph breaks"]
    lines = [" | ".join(head), "|".join(["---", *["---:"] * (len(head) - 1)])]
    for name, found in result["models"].items():
        against = found["against_eager"]
        off = {way: about["largest_difference"] for way, about in against.items()}
        weights = max(value for output, value in off["onnx"].items() if output != "answer_logits")
        same = min(about["same_answer"] for about in against.values())
        row = [f"`{name}`", f"{found['parameters']:,}", *(f"{found['bytes'][kind] / 1e6:.2f}" for kind in sizes)]
        row += [f"{value:.1e}" for value in (off["onnx"]["answer_logits"], weights, off["program"]["answer_logits"])]
        lines.append(" | ".join([*row, f"{same:,} of {found['questions']:,}", str(found["graph_breaks"])]))
    return "\n".join(f"| {line} |" if " | " in line else f"|{line}|" for line in lines)


def measure(checkpoint: Path) -> dict[str, Any]:
    """What a trained model says here and elsewhere, and how large its files are."""
    trained = PretrainedModel.from_checkpoint(checkpoint)
    splits = load_splits(trained.run)
    tests = MusicAVQA(
        splits.records["test"], splits.features, trained.vocabulary, question_length=splits.question_length
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        export_onnx(trained.model, folder / "model.onnx", vocabulary=trained.vocabulary, facts=trained.facts())
        save_program(trained.model, folder / "model.pt2", facts=trained.facts())
        trained.save_pretrained(folder / "hub")
        ways: dict[str, Callable[..., Sequence[Tensor]]] = {
            "onnx": OnnxModel(folder / "model.onnx"),
            "program": torch.export.load(folder / "model.pt2").module(),
            "hub": Inference(PretrainedModel.from_pretrained(folder / "hub").model),
        }
        compared = compare(Inference(trained.model), ways, tests)
        sizes = {
            "checkpoint": checkpoint.stat().st_size,
            "onnx": (folder / "model.onnx").stat().st_size,
            "program": (folder / "model.pt2").stat().st_size,
            "hub": sum(path.stat().st_size for path in (folder / "hub").iterdir()),
        }
    parameters = sum(parameter.numel() for parameter in trained.model.parameters())
    return {
        "parameters": parameters,
        "bytes": sizes,
        "questions": len(tests),
        "against_eager": compared,
        "graph_breaks": graph_breaks(trained.model, tests),
    }


def compare(
    model: Callable[..., Sequence[Tensor]], ways: dict[str, Callable[..., Sequence[Tensor]]], tests: MusicAVQA
) -> dict[str, dict[str, Any]]:
    """For each way the largest difference of each output, and how many questions get the same answer."""
    largest = {way: dict.fromkeys(OUTPUTS, 0.0) for way in ways}
    same = dict.fromkeys(ways, 0)
    for first in range(0, len(tests), BATCH):
        batch = tests.__getitems__(range(first, min(first + BATCH, len(tests))))
        inputs = (batch.audio, batch.visual, batch.question)
        with torch.no_grad():
            expected = model(*inputs)
            for way, call in ways.items():
                got = call(*inputs)
                for output, right, other in zip(OUTPUTS, expected, got, strict=True):
                    off = difference(f"{way}: {output}", right, other)
                    largest[way][output] = max(largest[way][output], off)
                same[way] += int((got[0].argmax(-1) == expected[0].argmax(-1)).sum())
    return {way: {"same_answer": same[way], "largest_difference": largest[way]} for way in ways}


def difference(name: str, right: Tensor, other: Tensor) -> float:
    """The largest difference of two tensors.

    Raises:
        ValueError: if shapes or types differ, or a value of either is not finite.
    """
    if (other.shape, other.dtype) != (right.shape, right.dtype):
        raise ValueError(
            f"{name}: expected {right.dtype} of {tuple(right.shape)}, got {other.dtype} of {tuple(other.shape)}"
        )
    off = float((right - other).abs().max())
    if not math.isfinite(off):
        raise ValueError(f"{name}: expected finite numbers, got a difference of {off}")
    return off


def graph_breaks(model: torch.nn.Module, tests: MusicAVQA) -> int:
    """Where the compiler cannot make one graph of answering."""
    batch = tests.__getitems__(range(4))
    _dynamo.reset()
    with torch.no_grad(), _dynamo.config.patch(allow_rnn=True):
        found = _dynamo.explain(model)(batch.audio, batch.visual, batch.question)
    return int(found.graph_break_count)


if __name__ == "__main__":
    main()
