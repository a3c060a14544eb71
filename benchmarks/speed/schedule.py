"""A whole training run of MUSIC-AVQA's size, evaluation after every epoch included, on synthetic features.

Features are random numbers of the true shapes, made on the device, so that no disk is measured; questions are random
words and answers. The loop is the one that users run: ``avground.training.Loop``. What it learns means nothing.
"""

import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from avground.data import Bank, Features, Record, Vocabulary
from avground.data.kinds import FeatureKind
from avground.models import OBJECTIVES, Network
from avground.ops import cell_lengths
from avground.training import Objective, music_avqa_run
from avground.training.graph import find_recorder
from avground.training.interrupt import stop_on_signals
from avground.training.loop import Loop
from avground.training.placement import uses_lengths
from avground.training.splits import Splits
from avground.training.train import make_fabric, make_model
from speed.timing import Effort

QUESTIONS = {"train": 31_927, "val": 4_568, "test": 9_129}
VIDEOS, SEGMENTS, CHANNELS, SIDE = 9_288, 10, 512, 14
RUNS = (
    ("tjstg", "bf16-mixed", "on", 30),
    ("tjstg_sharp", "bf16-mixed", "on", 30),
    ("tjstg", "32-true", "on", 30),
    ("tjstg", "bf16-mixed", "off", 3),
)
"""Model, precision, whether steps are recorded, and epochs; a run that is not would take minutes."""

QUICK_RUNS = (("tjstg", "32-true", "off", 2),)


class Synthetic(FeatureKind):
    """Features that are in a bank from the start: there is nothing to read."""

    def __init__(self, ids: list[str], item: tuple[int, ...], dtype: torch.dtype) -> None:
        self.segments, self.manifest, self.ids = SEGMENTS, None, ids
        self._item, self.stored_dtype = item, dtype

    item = property(lambda self: self._item)
    layout = property(lambda self: SEGMENTS)
    precision = property(lambda self: str(self.stored_dtype).removeprefix("torch."))
    in_memory = True
    stored_dtype: torch.dtype = torch.float16

    def check(self, video_ids: Iterable[str], progress: bool) -> bool:
        """All are there."""
        return False

    def missing(self, video_ids: Iterable[str]) -> list[str]:
        """None is."""
        return []

    def clips(self, video_ids: Sequence[str]) -> Tensor:
        """Not to be read."""
        raise NotImplementedError

    stored = clips

    def frames(self, video_ids: Sequence[str], segments: Sequence[int]) -> Tensor:
        """Not to be read."""
        raise NotImplementedError


def run(device: torch.device, effort: Effort) -> dict[str, Any]:
    """Stage II of the paper's schedule (stage I, ten passes over the videos, is left out) with both of our models."""
    if device.type != "cuda" and not effort.quick:
        return {"not_measured": "needs a GPU (with --quick it shows on the CPU that it works)"}
    found = {}
    for model, precision, graph, epochs in QUICK_RUNS if effort.quick else RUNS:
        how = "recorded" if graph == "on" else "step by step"
        name = f"{model}, {precision}, {how}, {epochs} epochs"
        found[name] = train(model, precision, graph, epochs, device, effort.quick)
        print(f"schedule: {name}: {found[name]['seconds']:.1f} s", flush=True)
    return {"questions": QUESTIONS, "videos": VIDEOS, "bank_bytes": VIDEOS * SEGMENTS * CHANNELS * SIDE**2 * 2} | {
        "runs": found
    }


def train(model: str, precision: str, graph: str, epochs: int, device: torch.device, quick: bool) -> dict[str, Any]:
    """One run: seconds from the first step to the last checkpoint, and what each epoch took."""
    splits, bank = make_data(device, quick)
    chosen = music_avqa_run(
        "synthetic",
        model=model,
        epochs=epochs,
        stage_one_epochs=0,
        batch_size=4 if quick else 64,
        objective=Objective(**OBJECTIVES[model]),
        precision=precision,
        graph=graph,
        device=device.type,
    )
    fabric = make_fabric(chosen)
    fabric.launch()
    recorder, _ = find_recorder(chosen, fabric, bank.device)
    network = make_model(chosen, splits)
    bank = with_lengths(bank, network)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    with tempfile.TemporaryDirectory() as folder, stop_on_signals() as stop:
        loop = Loop(chosen, network, splits, Path(folder), fabric, stop, bank, recorder)
        started = time.perf_counter()
        loop.fit()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        seconds = time.perf_counter() - started
        tested = time.perf_counter()
        loop.evaluate("test", loop.test)
        tested = time.perf_counter() - tested
    steps = chosen.epochs * -(-len(splits.records["train"]) // chosen.batch_size)
    return {
        "seconds": seconds,
        "steps": steps,
        "milliseconds_per_step": 1e3 * seconds / steps,
        "test_seconds": tested,
        "recorded": recorder is not None and not recorder.failed,
        "peak_bytes": torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None,
        "losses": [entry["losses"]["total"] for entry in loop.progress.history],
    }


def make_data(device: torch.device, quick: bool) -> tuple[Splits, Bank]:
    """Questions and a bank of features, all random."""
    videos = [f"{number:08d}" for number in range(8 if quick else VIDEOS)]
    generator = torch.Generator(device).manual_seed(0)
    maps = torch.empty(len(videos) * SEGMENTS, CHANNELS, SIDE, SIDE, dtype=torch.float16, device=device)
    for part in maps.split(2_000):
        part.copy_(torch.randn(part.shape, generator=generator, device=device).relu_())
    audio = torch.randn(len(videos), SEGMENTS, 128, generator=generator, device=device).relu_()
    places = {video: place for place, video in enumerate(videos)}
    kinds = Synthetic(videos, (128,), torch.float32), Synthetic(videos, (CHANNELS, SIDE, SIDE), torch.float16)
    records = {name: questions(count // 500 if quick else count, videos) for name, count in QUESTIONS.items()}
    everything = [record for part in records.values() for record in part]
    vocabulary = Vocabulary.from_annotations(everything)
    features = Features(Path("synthetic"), SEGMENTS, *kinds)
    splits = Splits(Path("synthetic"), records, vocabulary, features, {}, None)
    return splits, Bank(audio, maps, None, {"audio": places, "visual": places})


def with_lengths(bank: Bank, model: Network) -> Bank:
    """The bank as a run of the model has it: with the lengths of cells where they are used."""
    bank.lengths = cell_lengths(bank.maps) if uses_lengths(model) else None
    return bank


def questions(count: int, videos: list[str]) -> list[Record]:
    """Random words and answers, as many of either as MUSIC-AVQA has."""
    draw = torch.Generator().manual_seed(count)
    lengths, answers = (torch.randint(low, high, (count,), generator=draw).tolist() for low, high in ((4, 15), (0, 42)))
    words = torch.randint(1, 93, (count, 14), generator=draw).tolist()
    owners = torch.randint(len(videos), (count,), generator=draw).tolist()
    return [
        Record(videos[owner], None, ("Audio", "Counting"), "?", tuple(f"w{w}" for w in row[:length]), f"a{answer}")
        for owner, row, length, answer in zip(owners, words, lengths, answers, strict=True)
    ]
