"""A Pocket world that trains in a moment, and a run on it: fixtures that several folders of tests take over."""

import pytest

from avground.data import pocket
from avground.training import pocket_run, train

WORLD = pocket.World(types=4, segments=5, rows=6, columns=6, channels=8, train=10, val=3, test=5, questions=3)


@pytest.fixture(autouse=True)
def no_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("AVGROUND_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """The folder of a run."""
    root = tmp_path_factory.mktemp("trained")
    world = pocket.generate(root / "pocket", WORLD, progress=False)
    run = pocket_run(
        str(world), model="tjstg_sharp", segments=5, epochs=2, batch_size=8, dim=8, device="cpu", graph="off"
    )
    train(run, root / "run")
    return root / "run"
