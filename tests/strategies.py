"""What hypothesis draws: rows of weights, ordinary and awkward."""

import torch
from hypothesis import strategies as st

DTYPES = (torch.float64, torch.float32, torch.bfloat16, torch.float16)
SEEDS = st.integers(0, 2**31 - 1)

# Ordinary numbers, zeros, and numbers at the edge of what float32 (1e-38, 1e-45) and float64 (1e-308) can hold.
AWKWARD = st.one_of(st.floats(0, 1), st.sampled_from((0.0, 1.0, 1e-8, 1e-30, 2e-38, 1e-40, 1e-45, 3e-308, 5e-324, 1e4)))


@st.composite
def raw_pairs(draw, entries=AWKWARD):
    """Two rows of the same number of non-negative numbers, float64."""
    t = draw(st.integers(1, 8))
    return tuple(torch.tensor(draw(st.lists(entries, min_size=t, max_size=t)), dtype=torch.float64) for _ in range(2))


@st.composite
def weight_pairs(draw):
    """Two rows of weights, float64: non-negative, and each sums to 1 but for rounding; many have zeros."""
    counts = st.one_of(st.just(0), st.integers(1, 1000))
    t = draw(st.integers(1, 8))
    rows = [draw(st.lists(counts, min_size=t, max_size=t).filter(any)) for _ in range(2)]
    return tuple(torch.tensor(row, dtype=torch.float64) / sum(row) for row in rows)


def normal(seed, *shape, dtype=torch.float64):
    """Normal numbers that follow from a seed."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)
