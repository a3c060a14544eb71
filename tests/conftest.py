"""Settings that all tests share."""

import os

import pytest
import torch
from hypothesis import settings

if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"  # read when Triton is first imported: its kernels run on the CPU then

# At its first backward pass torch decides for which devices it starts threads, which no forked process has. Exporting a
# model makes it believe in devices that are not there; tests that fork (tests/training/processes.py) come after.
torch.ones(1, requires_grad=True).sum().backward()

settings.register_profile("suite", deadline=None, derandomize=True, database=None, max_examples=40)
settings.load_profile("suite")


@pytest.fixture(autouse=True)
def _seeded():
    """Every test starts from the same random state, whichever ran before it."""
    torch.manual_seed(0)
