"""The Python of the README and of the pages that readers begin with runs as it stands."""

import shutil

import pytest
import torch

from tests.answer.conftest import film, manifests, save
from tests.docs.blocks import PageError, all_blocks
from tests.docs.session import ROOT, Session
from tests.golden import recipe

__all__ = ["film", "manifests", "save"]

DOCS = ROOT / "docs"
PAGES = [
    page
    for page in (ROOT / "README.md", DOCS / "explain.md", *sorted(DOCS.glob("components/*.md")))
    if any(block.language == "python" for block in all_blocks(page, ROOT))
]


@pytest.fixture
def files(tmp_path, save, film):
    """A session in a folder with the files that readers have, and pages speak of."""
    with Session(tmp_path / "session") as session:
        shutil.copy(save(), session.folder / "best.pt")
        shutil.copy(film, session.folder / "concert.mp4")
        torch.save(recipe.official_state("avst", 0), session.folder / "avst.pt")
        yield session


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_python_of_the_page_runs(page, files):
    try:
        for block in all_blocks(page, ROOT):
            if block.language == "python":
                files.run(block)
    except PageError as error:  # It says which line of the page; that of this file is of no interest.
        pytest.fail(str(error), pytrace=False)


def test_the_readme_is_among_them():
    assert ROOT / "README.md" in PAGES
