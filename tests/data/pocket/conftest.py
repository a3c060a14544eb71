"""One tiny world for all tests of this folder."""

from pathlib import Path

import pytest

from avground.data import pocket


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pocket.generate(tmp_path_factory.mktemp("pocket") / "tiny", "tiny", seed=3, progress=False)
