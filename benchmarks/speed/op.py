"""Spatial grounding alone: the published arithmetic, the definition, the same compiled, and the fused operation."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import published
import torch
from torch import Tensor

from avground.ops import MapRows, cell_lengths, spatial_grounding
from speed.timing import Effort, check_agreement, compare, copy_bandwidth

RELEASED: dict[str, Any] = {"combine": "sum", "threshold": 0.01, "similarity": "cosine"}
SETTINGS: dict[str, dict[str, Any]] = {
    "released": RELEASED,
    "paper": {},
    "sharp": {"normalize": "sum", "threshold": 0.0, "similarity": "cosine", "temperature": 0.1},
}
POCKET = {"b": 32, "c": 64, "side": 7}
"""What the embedded benchmark has: maps so small that calls count as much as what they do."""

TOLERANCE = {"float32": 1e-4, "float16": 1e-2, "bfloat16": 2e-2}
UNCUT = {"threshold": 0.0}
"""At a published threshold many cells lie within rounding of it, and gradients of two right ways differ by whole cells:
they are compared without one, the outputs with it."""


@dataclass(frozen=True)
class Size:
    """How much is grounded: b clips of t segments, maps of c channels and side x side cells, each with a negative."""

    b: int = 64
    t: int = 10
    c: int = 512
    side: int = 14
    dtype: str = "bfloat16"

    @property
    def bytes(self) -> int:
        """Bytes of all maps."""
        return 2 * self.b * self.t * self.c * self.side**2 * getattr(torch, self.dtype).itemsize


def run(device: torch.device, effort: Effort) -> dict[str, Any]:
    """The published sizes in every setting, and the released setting at other sizes."""
    base = Size() if device.type == "cuda" else Size(b=16, dtype="float32")
    if effort.quick:
        base = replace(base, b=2, t=2, c=64, side=6)
    bandwidth = copy_bandwidth(device, effort.quick)
    cases = [case(base, setting, device, effort, bandwidth) for setting in SETTINGS]
    if device.type == "cuda":
        others_of = [dtype for dtype in TOLERANCE if dtype != base.dtype]
        cases += [case(replace(base, dtype=dtype), "released", device, effort, bandwidth) for dtype in others_of]
    cases += [
        case(size, "released", device, effort, bandwidth, compiled=False) for size in others(base, device, effort.quick)
    ]
    cases += [case(replace(base, **POCKET), setting, device, effort, bandwidth, compiled=False) for setting in SETTINGS]
    return {"copy_bytes_per_second": bandwidth, "cases": cases}


def others(base: Size, device: torch.device, quick: bool) -> list[Size]:
    """Sizes around the published one: one number is changed at a time."""
    if quick:
        return [replace(base, b=3), replace(base, side=5)]
    on_gpu = device.type == "cuda"
    changes: dict[str, Sequence[int]] = {
        "b": (1, 4, 16, 64, 256) if on_gpu else (1, 4, 16, 32),
        "t": (1, 10, 60) if on_gpu else (1, 10, 30),
        "side": (7, 14, 28, 56) if on_gpu else (7, 14, 28),
        "c": (64, 128, 512, 2048) if on_gpu else (64, 128, 512, 1024),
    }
    sizes = [replace(base, **{name: value}) for name, values in changes.items() for value in values]
    if on_gpu:  # large maps at the published batch do not fit beside what the baseline copies
        sizes = [replace(size, b=16) if size.side == 56 or size.t == 60 else size for size in sizes]
    return list(dict.fromkeys(sizes))


def case(
    size: Size, setting: str, device: torch.device, effort: Effort, bandwidth: float, *, compiled: bool = True
) -> dict[str, Any]:
    """One size in one setting: that all ways agree, then how long each takes, forward and with the backward pass."""
    torch.manual_seed(0)
    dtype = getattr(torch, size.dtype)
    n = size.b * size.t
    bank = torch.relu(torch.randn(2 * n, size.c, size.side, size.side, device=device)).to(dtype)
    # Scores of dot products of this size are about 1, as trained ones: larger ones round to other numbers in half.
    drawn = (size.c**-0.5 * torch.randn(size.b, size.t, size.c, device=device) for _ in range(2))
    queries = [query.to(dtype).requires_grad_() for query in drawn]
    pull = torch.randn(2, size.b, size.t, size.c, device=device).to(dtype)
    ways = make_ways(bank, queries, size, SETTINGS[setting], published_too=setting == "released", compiled=compiled)

    def backward(way: Callable[[], tuple[Tensor, Tensor]]) -> tuple[Tensor, ...]:
        return torch.autograd.grad(way()[1], queries, pull)

    uncut = {**SETTINGS[setting], **UNCUT}
    same = make_ways(bank, queries, size, uncut, published_too=setting == "released", compiled=compiled)
    exact = exact_results(bank, queries, size, SETTINGS[setting], pull)
    results = {name: [part.detach() for part in way()] for name, way in ways.items()}
    deviation = check_agreement(results, exact[:2], TOLERANCE[size.dtype])
    exact = exact_results(bank, queries, size, uncut, pull)
    gradients = {name: backward(way) for name, way in same.items()}
    deviation = max(deviation, check_agreement(gradients, exact[2:], TOLERANCE[size.dtype]))
    del results, gradients, exact, same
    with torch.no_grad():
        forward = compare(ways, device, effort)
    both = compare({name: partial(backward, way) for name, way in ways.items()}, device, effort)
    return {
        **asdict(size),
        "setting": setting,
        "map_bytes": size.bytes,
        "largest_deviation": deviation,
        "forward": with_rates(forward, size.bytes, bandwidth),
        "forward_backward": with_rates(both, 2 * size.bytes, bandwidth),
    }


def make_ways(
    bank: Tensor, queries: list[Tensor], size: Size, setting: dict[str, Any], *, published_too: bool, compiled: bool
) -> dict[str, Callable[[], tuple[Tensor, Tensor]]]:
    """The ways to ground positives and negatives; each returns mean and attended features, (2, b, t, c)."""
    maps = bank.unflatten(0, (2, size.b, size.t))
    pair = (maps[0], maps[1])
    rows = torch.arange(len(bank), device=bank.device).unflatten(0, (2, size.b, size.t))
    cosine = setting.get("similarity") == "cosine"
    lengths = cell_lengths(bank) if cosine else None
    named = (MapRows(bank, rows[0], lengths), MapRows(bank, rows[1], lengths))

    def ground(visual: Any, impl: str) -> tuple[Tensor, Tensor]:
        found = spatial_grounding(queries[0], visual, queries[1], impl=impl, **setting)  # type: ignore[arg-type]
        return found.mean, found.attended

    def as_published() -> tuple[Tensor, Tensor]:
        asked = [query.flatten(0, 1) for query in queries]
        found = [published.grounding(asked[0], one.flatten(0, 1), asked[1], setting["threshold"]) for one in pair]
        mean, attended = (torch.stack([parts[i] for parts in found]).unflatten(1, (size.b, size.t)) for i in (0, 1))
        return mean, attended

    ways: dict[str, Callable[[], tuple[Tensor, Tensor]]] = {"published": as_published} if published_too else {}
    ways["reference"] = partial(ground, pair, "reference")
    if compiled:
        torch._dynamo.reset()
        ways["compiled reference"] = partial(torch.compile(ground, fullgraph=True), pair, "reference")
    ways["fused"] = partial(ground, pair, "fused")
    ways["fused, rows of a bank"] = partial(ground, named, "fused")
    return ways


def exact_results(
    bank: Tensor, queries: list[Tensor], size: Size, setting: dict[str, Any], pull: Tensor
) -> list[Tensor]:
    """The definition in single precision of the same numbers, some clips at a time."""
    maps, found = bank.unflatten(0, (2, size.b, size.t)), []
    for first in range(0, size.b, 8):
        part = slice(first, first + 8)
        asked = [query[part].detach().float().requires_grad_() for query in queries]
        pair = (maps[0, part].float(), maps[1, part].float())
        out = spatial_grounding(asked[0], pair, asked[1], impl="reference", **setting)
        gradients = torch.autograd.grad(out.attended, asked, pull[:, part].float())
        found.append((out.mean.detach(), out.attended.detach(), *gradients))
    mean, attended, audio, target = zip(*found, strict=True)
    return [torch.cat(mean, 1), torch.cat(attended, 1), torch.cat(audio), torch.cat(target)]


def with_rates(found: dict[str, dict[str, Any]], moved: int, bandwidth: float) -> dict[str, dict[str, Any]]:
    """Beside each time the bytes a second, every map counted once a pass, and their share of a copy's."""
    for entry in found.values():
        entry["bytes_per_second"] = moved / (entry["milliseconds"]["median"] / 1e3)
        entry["share_of_copy"] = entry["bytes_per_second"] / bandwidth
    return found
