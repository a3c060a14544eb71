"""Maps and queries for the tests of every implementation, and the ways to ground them."""

import itertools

import torch

from avground.ops import MapRows, spatial_grounding
from tests.strategies import normal

VARIANTS = [
    {"combine": combine, "normalize": normalize, "similarity": similarity, "threshold": threshold}
    for combine, normalize, similarity, threshold in itertools.product(
        ("product", "sum"), ("softmax", "sum"), ("dot", "cosine"), (0.0, 0.05, 3.0)
    )
]
SHAPES = [  # leading dimensions, channels, rows and columns of cells
    ((3,), 8, 2, 3),
    ((2, 2), 5, 7, 1),  # nothing is a power of two
    ((1,), 1, 1, 1),
    ((2,), 33, 14, 14),
    ((1,), 3, 17, 19),  # more cells than a tile has
    ((0,), 4, 2, 2),
]
SETTING_NAMES = ("combine", "normalize", "similarity", "threshold")


def name_of(variant):
    return "-".join(str(value) for value in variant.values())


def inputs(leading, c, h, w, dtype, seed=1, with_target=True):
    """Audio, maps and target; scores keep to a size at which every precision can tell them apart."""
    size = c**-0.25
    audio = size * normal(seed, *leading, c, dtype=torch.float64)
    visual = size * normal(seed + 1, *leading, c, h, w, dtype=torch.float64)
    target = size * normal(seed + 2, *leading, c, dtype=torch.float64)
    parts = [part.to(dtype) for part in (audio, visual, target)]
    return parts if with_target else [*parts[:2], None]


def run(parts, settings, *, map_gradient=False, device="cpu", seed=5):
    """Outputs and gradients of a grounding by name, for a fixed weighing of its outputs."""
    leaves = [None if part is None else part.detach().to(device).requires_grad_() for part in parts]
    leaves[1].requires_grad_(map_gradient)
    temperature = torch.tensor([0.6, 1.4], device=device).to(torch.promote_types(parts[0].dtype, torch.float32))
    temperature.requires_grad_()
    grounded = spatial_grounding(*leaves, temperature=temperature, **settings)
    found = dict(zip(grounded._fields, grounded, strict=True))
    weighing = [normal(seed + i, *part.shape).to(part) for i, part in enumerate(grounded)]
    loss = sum((part * by).float().sum() for part, by in zip(grounded, weighing, strict=True))
    named = {"audio": leaves[0], "visual": leaves[1], "target": leaves[2], "temperature": temperature}
    wanted = {name: leaf for name, leaf in named.items() if leaf is not None and leaf.requires_grad}
    gradients = torch.autograd.grad(loss, list(wanted.values()), allow_unused=True)
    found.update({f"gradient of {name}": value for name, value in zip(wanted, gradients, strict=True)})
    return {name: None if value is None else value.detach().cpu() for name, value in found.items()}


def bank_of(visual, seed=3, spare=2):
    """A bank that holds these maps in another order, some more, and the rows under which they lie there."""
    flat = visual.flatten(0, -4)
    order = torch.randperm(len(flat) + spare, generator=torch.Generator().manual_seed(seed))
    bank = torch.full((len(order), *flat.shape[1:]), float("nan"), dtype=flat.dtype, device=flat.device)
    rows = order[: len(flat)].to(flat.device)
    bank[rows] = flat
    return MapRows(bank, rows.reshape(visual.shape[:-3]))
