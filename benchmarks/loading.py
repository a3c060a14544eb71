"""How fast batches of real-size features are loaded: whole files, memory-mapped files, and packed stores.

    python benchmarks/loading.py [--videos 40] [--batch 16] [--repeats 7]

Random features of the official shapes, (60, 128) and (60, 512, 14, 14), and the same cut to 10 rows. A sample is one
video's ten segments and, for the matching loss, ten frames of other videos. The whole-file way reads, as the published
loaders do, its own file and ten others from end to end for every sample. All ways draw the same samples and the same
other videos, and first it is checked that they return the same numbers (up to the stores' precision). One process, warm
cache: every file is read once before. The ways take turns; medians, and the least and the greatest.

Writes benchmarks/results/loading.json.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import environment, write_result

from avground.data import FeatureFolder, Features, FeatureStore, MusicAVQA, Negatives, Record, Vocabulary, pack

Load = Callable[[list[int]], dict[str, torch.Tensor]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=int, default=40)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = measure(Path(folder), options.videos, options.batch, options.repeats)
    command = (
        f"python benchmarks/loading.py --videos {options.videos} --batch {options.batch} --repeats {options.repeats}"
    )
    write_result("loading", {"command": command, **environment(), **result})
    print(json.dumps(result["ways"], indent=1))


def measure(root: Path, videos: int, batch: int, repeats: int) -> dict[str, Any]:
    ids = [f"{number:08d}" for number in range(videos)]
    make_files(root, ids)
    ways, sizes = open_ways(root, ids)
    order = np.random.default_rng(0)
    batches = [order.integers(videos, size=batch).tolist() for _ in range(repeats)]
    check(ways, batches[0])
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for name, load in ways.items():
        load(list(range(videos)) if "whole" not in name else batches[0])  # Into the system's cache.
    for indices in batches:
        for name, load in ways.items():
            started = time.perf_counter()
            load(indices)
            seconds[name].append(time.perf_counter() - started)
    baseline = statistics.median(seconds["whole files, 60 rows"])
    return {
        "videos": videos,
        "batch": batch,
        "repeats": repeats,
        "threads": torch.get_num_threads(),
        "bytes": sizes,
        "ways": {
            name: {
                "samples_per_second": batch / statistics.median(times),
                "least_and_greatest": [batch / max(times), batch / min(times)],
                "faster_than_whole_files": baseline / statistics.median(times),
            }
            for name, times in seconds.items()
        },
    }


def make_files(root: Path, ids: list[str]) -> None:
    generator = np.random.default_rng(0)
    for rows in (60, 10):
        for kind in ("vggish", "res18_14x14"):
            (root / str(rows) / kind).mkdir(parents=True)
    for video in ids:
        sound = generator.standard_normal((60, 128), dtype=np.float32)
        pictures = np.maximum(generator.standard_normal((60, 512, 14, 14), dtype=np.float32), 0)
        for rows in (60, 10):
            np.save(root / str(rows) / "vggish" / f"{video}.npy", sound[:: 60 // rows])
            np.save(root / str(rows) / "res18_14x14" / f"{video}.npy", pictures[:: 60 // rows])


def open_ways(root: Path, ids: list[str]) -> tuple[dict[str, Load], dict[str, int]]:
    """The ways to load a batch, and what each keeps on disk."""
    draw = Negatives(ids, seed=0)
    ways: dict[str, Load] = {}
    sizes = {
        f"{rows} rows": sum(path.stat().st_size for path in (root / str(rows)).rglob("*.npy")) for rows in (60, 10)
    }
    for rows in (60, 10):
        ways[f"whole files, {rows} rows"] = whole_files(root / str(rows), ids, draw, rows)
        ways[f"memory-mapped files, {rows} rows"] = dataset(FeatureFolder(root / str(rows), keep="disk"), ids, draw)
    for dtype in ("float32", "float16", "bfloat16"):
        path = pack(root / "60", root / f"{dtype}.safetensors", dtype=dtype, progress=False)
        sizes[f"store, {dtype}"] = path.stat().st_size
        ways[f"store, {dtype}"] = dataset(FeatureStore(path), ids, draw)
        if dtype != "float32":
            ways[f"store, {dtype}, as stored"] = dataset(FeatureStore(path, dtype=None), ids, draw)
    return ways, sizes


def whole_files(folder: Path, ids: list[str], draw: Negatives, rows: int) -> Load:
    """Sample by sample, every file from end to end."""
    step = rows // 10

    def load(indices: list[int]) -> dict[str, torch.Tensor]:
        samples = []
        for index in indices:
            drawn = draw.draw([index], [ids[index]], 0)
            negative = []
            for video, segment in zip(drawn.videos[0], drawn.segments[0], strict=True):
                whole = np.load(folder / "res18_14x14" / f"{draw.video_ids[video]}.npy")
                negative.append(torch.from_numpy(whole[segment * step]))
            sound = np.load(folder / "vggish" / f"{ids[index]}.npy")[::step]
            pictures = np.load(folder / "res18_14x14" / f"{ids[index]}.npy")[::step]
            samples.append((torch.from_numpy(sound), torch.from_numpy(pictures), torch.stack(negative)))
        audio, visual, others = (torch.stack(parts) for parts in zip(*samples, strict=True))
        return {"audio": audio, "visual": visual, "negative": others}

    return load


def dataset(features: Features, ids: list[str], draw: Negatives) -> Load:
    records = [Record(video, None, ("Audio", "Counting"), "How?", ("How",), "one") for video in ids]
    found = MusicAVQA(records, features, Vocabulary.from_annotations(records), negatives=draw, progress=False)

    def load(indices: list[int]) -> dict[str, torch.Tensor]:
        batch = found.__getitems__(indices)
        assert batch.negative is not None
        return {"audio": batch.audio, "visual": batch.visual, "negative": batch.negative}

    return load


def check(ways: dict[str, Load], indices: list[int]) -> None:
    """Make sure that all ways return the same numbers."""
    expected = ways["whole files, 60 rows"](indices)
    for name, load in ways.items():
        tolerance = {"float16": 2**-10, "bfloat16": 2**-7}.get(name.split(", ")[1], 0.0)
        for part, values in load(indices).items():
            torch.testing.assert_close(
                values.float(), expected[part], rtol=tolerance, atol=tolerance, msg=f"{name}: {part}"
            )


if __name__ == "__main__":
    main()
