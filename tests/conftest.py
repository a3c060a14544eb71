"""Settings that all tests share."""

import pytest
import torch
from hypothesis import settings

settings.register_profile("suite", deadline=None, derandomize=True, database=None, max_examples=40)
settings.load_profile("suite")


@pytest.fixture(autouse=True)
def _seeded():
    """Every test starts from the same random state, whichever ran before it."""
    torch.manual_seed(0)
