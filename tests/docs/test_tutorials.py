"""Every tutorial does what it says: its commands and its code are run, and print what it shows."""

import re

import pytest

from tests.docs.blocks import PageError, all_blocks, tutorial_blocks
from tests.docs.session import ROOT, Session

TUTORIALS = [ROOT / "docs" / "start.md", *sorted((ROOT / "docs" / "tutorials").glob("*.md"))]


@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.stem)
def test_the_tutorial_does_what_it_says(page, tmp_path):
    try:
        with Session(tmp_path) as session:
            for block in tutorial_blocks(page, ROOT):
                session.run(block)
    except PageError as error:  # It says which line of the page; that of this file is of no interest.
        pytest.fail(str(error), pytrace=False)


@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.stem)
def test_the_links_of_the_tutorial_lead_to_files(page):
    links = re.findall(r"\]\(([^)\s#]+)[^)]*\)", page.read_text(encoding="utf-8"))
    gone = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert links
    assert gone == []


def test_the_script_for_slurm_is_that_of_the_reference():
    (shown,) = (
        block.text for block in all_blocks(ROOT / "docs" / "tutorials" / "scale_out.md", ROOT) if "SBATCH" in block.text
    )
    assert shown in (block.text for block in all_blocks(ROOT / "docs" / "scaling.md", ROOT))
