"""Settings that all tests share."""

import os

import pytest
import torch
from hypothesis import settings

if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"  # read when Triton is first imported: its kernels run on the CPU then

settings.register_profile("suite", deadline=None, derandomize=True, database=None, max_examples=40)
settings.load_profile("suite")


@pytest.fixture(autouse=True)
def _seeded():
    """Every test starts from the same random state, whichever ran before it."""
    torch.manual_seed(0)
