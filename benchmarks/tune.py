"""Which layout of the kernels is fastest on this GPU: tile, cells, warps and stages, forward and backward.

    python benchmarks/tune.py [--b 64] [--dtype bfloat16]

Prints the layouts, the fastest first, with the share of a copy's rate; ``launch.DEFAULT`` is for a person to change.
Writes benchmarks/results/tune-<dtype>.json. Needs a CUDA device.
"""

import argparse
import itertools
from functools import partial
from typing import Any

import torch
from common import write_result
from run import about
from speed.op import Size
from speed.timing import FULL, check_agreement, compare, copy_bandwidth

from avground.ops import cell_lengths

TILES, CELLS, WARPS, STAGES = (4096, 8192, 16384), (256,), (4, 8, 16), (1, 2, 3, 4)  # about three minutes to compile


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--b", type=int, default=64)
    parser.add_argument("--dtype", default="bfloat16")
    options = parser.parse_args()
    if not torch.cuda.is_available():
        parser.error("expected a CUDA device, got none")
    device = torch.device("cuda")
    size = Size(b=options.b, dtype=options.dtype)
    bandwidth = copy_bandwidth(device)
    found = measure(size, device)
    for direction, layouts in found.items():
        print(direction)
        for layout, milliseconds in sorted(layouts.items(), key=lambda item: item[1])[:8]:
            share = size.bytes / (milliseconds / 1e3) / bandwidth
            print(f"  {milliseconds:8.3f} ms  {100 * share:5.1f} % of a copy  {layout}")
    result = {"command": f"python benchmarks/tune.py --b {options.b} --dtype {options.dtype}", **about(device)}
    write_result(f"tune-{options.dtype}", {**result, "copy_bytes_per_second": bandwidth, "milliseconds": found})


def measure(size: Size, device: torch.device) -> dict[str, dict[str, float]]:
    """Milliseconds of every layout that runs and computes what the default does."""
    from avground.ops.spatial_grounding import launch

    torch.manual_seed(0)
    n, s = size.b * size.t, size.side**2
    maps = torch.relu(torch.randn(2 * n, size.c, size.side, size.side, device=device)).to(getattr(torch, size.dtype))
    lengths, maps = cell_lengths(maps).flatten(1), maps.flatten(2)
    queries = torch.nn.functional.normalize(torch.randn(n, 2, size.c, device=device), dim=-1)
    rows = torch.arange(2 * n, device=device)
    settings = (0.01, "sum", "softmax")
    base = launch.forward(maps, queries, rows, lengths, True, *settings)
    pulls = torch.randn(2 * n, size.c, device=device), torch.randn(2 * n, s, device=device)
    arguments = (maps, queries, rows, *base[2:], *pulls, *settings)
    exact = launch.backward(*arguments)
    ways: dict[str, dict[str, Any]] = {"forward": {}, "backward": {}}
    for layout in itertools.starmap(launch.Config, itertools.product(TILES, CELLS, WARPS, STAGES)):
        if layout.tile > 2048 * layout.warps:
            continue  # more than 64 numbers a thread in each sum do not fit into registers
        once = partial(launch.forward, maps, queries, rows, lengths, True, *settings, config=layout)
        back = partial(launch.backward, *arguments, config=layout)
        try:
            check_agreement({str(layout): once()}, base, 1e-4)
            check_agreement({str(layout): back()}, exact, 1e-4)
        except (Exception, SystemExit) as error:  # It may ask for more registers or memory than there are.
            print(f"left out: {layout}: {type(error).__name__}: {error}"[:200])
            continue
        ways["forward"][str(layout)], ways["backward"][str(layout)] = once, back
    return {
        direction: {name: entry["milliseconds"]["median"] for name, entry in timed.items()}
        for direction, timed in ((name, compare(runs, device, FULL["cuda"])) for name, runs in ways.items())
    }


if __name__ == "__main__":
    main()
