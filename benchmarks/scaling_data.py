"""What a question and a video cost in bytes and time, before any network computes; for scaling.py."""

import json
import os
import random
import re
import struct
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from speed.timing import Effort, spread

from avground.data import Bank, FeatureFolder, Features, FeatureStore, MusicAVQA, Negatives, pack, read_annotations
from avground.data.pocket.templates import INSTRUMENTS, NUMBERS, ORDINALS, TEMPLATES
from avground.data.vocabulary import Vocabulary
from avground.training import score
from avground.training.batches import pick
from avground.training.sampler import EpochSampler

PUBLISHED = {
    "questions": 45_867,
    "train": 32_087,
    "val": 4_595,
    "videos": 9_288,
    "segments": 10,
    "map": (512, 14, 14),
    "audio": 128,
}
VALUES = {
    "<Object>": INSTRUMENTS,
    "<LR>": ("left", "right"),
    "<FL>": ("first", "last"),
    "<LL>": ("loudest", "quietest"),
    "<TH>": ORDINALS,
    "<BA>": ("before", "after"),
    "<LRer>": ("leftmost", "rightmost"),
}
_TINY = (2, 1, 1)
"""The shape of a map where only the number of maps counts."""


# ---- questions -------------------------------------------------------------------------------------------------------


def write_questions(path: Path, count: int, videos: int, seed: int) -> float:
    """Write made-up questions as MUSIC-AVQA's files have them; returns the bytes of a row."""
    draw = random.Random(seed)
    templates = list(TEMPLATES.values())
    answers = (
        "yes",
        "no",
        *NUMBERS,
        *INSTRUMENTS,
        *VALUES["<LR>"],
        "more than ten",
        "indoor",
        "outdoor",
        "simultaneously",
    )
    rows = []
    for number in range(count):
        template = draw.choice(templates)
        values = [draw.choice(VALUES[name]) for name in re.findall(r"<\w+>", template.text)]
        rows.append(
            {
                "video_id": name_of(number * videos // count),
                "question_id": number,
                "type": template.type_string,
                "question_content": template.text,
                "templ_values": json.dumps(values),
                "question_deleted": 0,
                "anser": draw.choice(answers),
            }
        )
    text = json.dumps(rows, indent=2)
    path.write_text(text)
    return len(text.encode()) / count


def name_of(video: int) -> str:
    return f"{video:08d}"


def measure_questions(folder: Path, features: Features, effort: Effort) -> dict[str, Any]:
    """Time and bytes of a question, part by part."""
    path = folder / "all.json"
    records = read_annotations(path)
    vocabulary = Vocabulary.from_annotations(records)
    negatives = Negatives([record.video_id for record in records])
    count, every = len(records), list(range(len(records)))

    def make() -> MusicAVQA:
        return MusicAVQA(records, features, vocabulary, negatives=negatives, progress=False)

    def order() -> tuple[Any, ...]:
        """As the training loop holds it: the order, its batches, and the part of one process of eight."""
        sampler = EpochSampler(range(count), 64, (0, 0), processes=8)
        return sampler, list(sampler.whole()), list(sampler)

    dataset = make()
    bank = Bank.load(features, negatives.video_ids, progress=False)
    few = every[:64]
    parts: dict[str, tuple[Callable[[], Any], int]] = {
        "reading": (lambda: read_annotations(path), count),
        "vocabulary": (lambda: Vocabulary.from_annotations(records), count),
        "data set": (make, count),
        "order of an epoch": (order, count),
        "negatives of an epoch": (lambda: negatives.draw(every, dataset.video_ids, 0), count),
        "negatives of a batch": (lambda: negatives.draw(few, dataset.video_ids[:64], 0), len(few)),
        "rows of an epoch": (lambda: pick(bank, dataset, every), count),
        "scoring": (lambda: scored(dataset), count),
    }
    found = clock({name: run for name, (run, _) in parts.items()}, {name: n for name, (_, n) in parts.items()}, effort)
    for name in ("reading", "data set", "order of an epoch", "negatives of an epoch", "rows of an epoch"):
        found[name] |= memory(parts[name][0], count)
    found["reading"]["process_bytes"] = growth_by_reading(path) / count
    return found


def scored(dataset: MusicAVQA) -> Any:
    """What evaluation does once every process holds all predictions."""
    predicted = torch.zeros(len(dataset), dtype=torch.int64)
    answers = torch.tensor([dataset.vocabulary.answer_index(record.answer) for record in dataset.records])
    choices = dataset.vocabulary.answers
    found = score(predicted, answers, [record.type for record in dataset.records], len(choices))
    return found, tuple(choices[number] for number in predicted.tolist())


# ---- videos ----------------------------------------------------------------------------------------------------------


def measure_videos(folder: Path, count: int, effort: Effort) -> tuple[dict[str, Any], Features]:
    """What a video costs before anything of it is read, in a folder and in a store; and such a store."""
    store, half = write_store(folder, count, _TINY, 0), write_store(folder / "half", count // 2, _TINY, 0)
    ids = [name_of(video) for video in range(count)]

    def check() -> None:
        FeatureFolder(folder, keep="disk").check(ids, progress=False)

    def check_anew() -> None:
        for memory_file in Path(os.environ["AVGROUND_CACHE"]).rglob("*.json"):
            memory_file.unlink()
        check()

    ways = {
        "first look at a folder": check_anew,
        "next look at a folder": check,
        "opening a store": lambda: FeatureStore(store),
    }
    found = clock(ways, dict.fromkeys(ways, count), effort)
    found["opening a store"] |= memory(lambda: FeatureStore(store), count)
    header = (header_of(store) - header_of(half)) / (count - count // 2)
    return {"parts": found, "header_bytes": header, "id_length": len(ids[0])}, FeatureStore(store)


def header_of(store: Path) -> int:
    """Bytes of a store's header, which its first eight tell."""
    with store.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
    return int(length)


def write_store(folder: Path, count: int, shape: tuple[int, ...], seed: int) -> Path:
    """Noise as features of so many videos, in files and packed."""
    draw = np.random.default_rng(seed)
    for kind, item in {"vggish": (PUBLISHED["audio"] if shape != _TINY else 2,), "res18_14x14": shape}.items():
        (folder / kind).mkdir(parents=True)
        for video in range(count):
            values = np.abs(draw.standard_normal((PUBLISHED["segments"], *item), dtype=np.float32))
            np.save(folder / kind / f"{name_of(video)}.npy", values.astype(np.float16))
    return pack(folder, folder / "features.safetensors", progress=False)


def measure_maps(store: Path, questions: Path, effort: Effort) -> dict[str, Any]:
    """Moving features of the published shape, from the system's cache: a bank's video, and a question's maps."""
    records, features = read_annotations(questions), FeatureStore(store)
    ids = features.kinds["visual"].ids
    vocabulary, negatives = Vocabulary.from_annotations(records), Negatives(ids)
    dataset = MusicAVQA(records, features, vocabulary, negatives=negatives, progress=False)
    ways = {
        "reading into memory": lambda: Bank.load(features, ids, progress=False),
        "a batch from a store": lambda: dataset.__getitems__(range(16)),
    }
    found = clock(ways, {"reading into memory": len(ids), "a batch from a store": 16}, effort)
    bank, batch = Bank.load(features, ids, progress=False), dataset.__getitems__([0])
    held = bank.audio.nbytes + bank.maps.nbytes + bank.lengths.nbytes
    on_disk = features.kinds["visual"].stored(ids[:1]).nbytes
    return {
        "maps": found,
        "bank_bytes": held / len(ids),
        "stored_bytes": on_disk,
        "question_bytes": {"stored": 2 * on_disk, "single precision": batch.visual.nbytes + batch.negative.nbytes},
    }


def header_limit(folder: Path) -> int:
    """The largest header that the installed safetensors takes, by asking it."""
    from safetensors import SafetensorError, safe_open

    path = folder / "header.safetensors"
    low, high = 1, 2**40
    while high - low > 1:
        middle = (low + high) // 2
        with path.open("wb") as file:
            file.write(struct.pack("<Q", middle))  # And nothing behind it: that is the next thing it looks at.
        try:
            safe_open(path, framework="pt")
        except SafetensorError as error:
            low, high = (low, middle) if "too large" in str(error).lower() else (middle, high)
    return low


# ---- clocks ----------------------------------------------------------------------------------------------------------


def clock(
    ways: Mapping[str, Callable[[], Any]], counts: Mapping[str, int], effort: Effort
) -> dict[str, dict[str, Any]]:
    """Time of one of the ``counts`` things that each way does, in microseconds; ways take turns."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(1 + min(effort.repeats, 7)):
        for name, run in ways.items():
            started = time.perf_counter()
            run()
            if turn:
                seconds[name].append(time.perf_counter() - started)
    return {
        name: {"microseconds": spread([1e6 * value / counts[name] for value in values])}
        for name, values in seconds.items()
    }


def memory(run: Callable[[], Any], count: int) -> dict[str, float]:
    """Bytes that one of ``count`` things takes as long as the result is kept."""
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    result = run()
    after = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    return {"bytes": (after + tensor_bytes(result)) / count}  # torch takes its memory where Python does not see it.


def growth_by_reading(path: Path) -> int:
    """Bytes that a process of its own grows by while it reads questions, as the system counts them."""
    code = (
        "import re, sys, avground.data as data\n"
        "most = lambda: 1024 * int(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1])\n"
        "before = most(); records = data.read_annotations(sys.argv[1]); print(most() - before)"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    return int(done.stdout)


def tensor_bytes(result: Any) -> int:
    """Bytes of the tensors that an object holds itself."""
    return sum(value.nbytes for value in getattr(result, "__dict__", {}).values() if isinstance(value, torch.Tensor))
