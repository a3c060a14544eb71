"""A Pocket world that trains in a moment, and runs on it."""

import pytest

from avground.data import pocket
from avground.training import load_splits, pocket_run
from tests.trained import WORLD, no_cache

__all__ = ["no_cache"]


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    return str(pocket.generate(tmp_path_factory.mktemp("world") / "pocket", WORLD, progress=False))


@pytest.fixture
def make_run(world):
    """A short run, any field of which can be changed."""

    def make(data=world, **changes):
        few = {"segments": 5, "stage_one_epochs": 1, "epochs": 2, "batch_size": 8, "dim": 8, "device": "cpu"}
        return pocket_run(data, **{**few, **changes})

    return make


@pytest.fixture
def splits(make_run):
    return load_splits(make_run())
