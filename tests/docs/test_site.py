"""What looks over the built site finds what is wrong with it, on small sites made here."""

import zlib
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from tests.test_public import PUBLIC

DOCS = Path(__file__).parents[2] / "docs"
_SPEC = spec_from_file_location("check", DOCS / "check.py")
check = module_from_spec(_SPEC)
_SPEC.loader.exec_module(check)

HEADS = "".join(f'<div id="s{n}"><h2>{head}<a href="#s{n}">¶</a></h2></div>' for n, head in enumerate(check.HEADS))


@pytest.fixture
def site(tmp_path):
    """A site with nothing wrong: a first page, a component that describes ``pack.Block``, and an inventory."""
    write(
        tmp_path / "index.html", '<a href="components/block.html#pack.Block">Block</a> <a href="https://x.org/#y">x</a>'
    )
    write(tmp_path / "components" / "index.html", '<h2>Something else</h2><a href="block.html">Block</a>')
    write(tmp_path / "components" / "block.html", f'<dt id="pack.Block"></dt>{HEADS}<img src="../a%20b.svg">')
    write(tmp_path / "a b.svg", "<svg/>")
    write_inventory(tmp_path, "pack.Block", "pack.other")
    return tmp_path


def write(file, text):
    file.parent.mkdir(exist_ok=True)
    file.write_text(text, encoding="utf-8")


def write_inventory(site, *names):
    lines = [f"{name} py:class 1 api.html#$ -" for name in names] + ["index std:doc -1 index.html First page"]
    head = b"# Sphinx inventory version 2\n# Project: x\n# Version: 1\n# The rest is compressed using zlib.\n"
    (site / "objects.inv").write_bytes(head + zlib.compress("\n".join(lines).encode()))


def found(site, names=("pack.Block", "pack.other"), components=("pack.Block",)):
    return check.check(site, names, components)


def test_nothing_is_wrong_with_a_whole_site(site):
    assert found(site) == []


def test_a_public_name_without_an_entry_is_missing(site):
    assert found(site, names=["pack.Block", "pack.gone", "index"]) == [
        "pack.gone: is public and has no entry",
        "index: is public and has no entry",  # a page is no name
    ]


@pytest.mark.parametrize(
    ("link", "wrong"),
    [
        ('<a href="nowhere.html">', "nowhere.html leads to no file"),
        ('<img src="figures/gone.svg">', "figures/gone.svg leads to no file"),
        ('<a href="components/block.html#gone">', "components/block.html#gone leads to no anchor"),
        ('<a href="#gone">', "#gone leads to no anchor"),
        ('<a href="index.html#gone">', "index.html#gone leads to no anchor"),
    ],
)
def test_a_link_that_leads_nowhere_is_broken(site, link, wrong):
    write(site / "index.html", link)
    assert found(site) == [f"index.html: {wrong}"]


@pytest.mark.parametrize(
    "link",
    [
        '<p id="here"></p><a href="#here">',
        '<a name="here"></a><a href="?q=1#here">',
        '<a href="#">',
        '<a href="a%20b.svg#layer">',
        '<a href="mailto:someone@x.org">',
        '<a href="//x.org/gone.html">',
    ],
)
def test_a_link_that_leads_somewhere_or_away_is_none(site, link):
    write(site / "index.html", link)
    assert found(site) == []


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("<h2>Shapes", "<h2>Sizes"),
        lambda text: text.replace("h2", "h3"),
        lambda text: text + "<h2>More</h2>",
        lambda text: text.replace("Equation", "?").replace("Example", "Equation").replace("?", "Example"),
    ],
)
def test_a_component_has_all_heads_in_their_order(site, change):
    page = site / "components" / "block.html"
    write(page, change(page.read_text(encoding="utf-8")))
    (wrong,) = found(site)
    assert wrong.startswith("components/block.html: expected the heads Equation, Shapes")


def test_a_component_is_described_on_a_page_of_one(site):
    write(site / "index.html", '<dt id="pack.Loss"></dt>')
    assert found(site, components=["pack.Block", "pack.Loss"]) == [
        "pack.Loss: is described on no page under components/"
    ]


def test_the_components_are_the_blocks_the_losses_and_the_operation():
    components = check.components()
    assert {"avground.TargetAware", "avground.PairMatchingLoss", "avground.ops.spatial_grounding"} <= set(components)
    assert not {"avground.ShapeError", "avground.__version__"} & set(components)
    assert len(set(components)) == len(components)


def test_every_public_module_has_a_page_in_the_reference():
    index = (DOCS / "api" / "index.md").read_text(encoding="utf-8")
    for module in PUBLIC:
        assert f"{{names}} {module}\n" in (DOCS / "api" / f"{module}.md").read_text(encoding="utf-8")
        assert f"]({module}.md)" in index, module


def test_the_table_of_components_has_every_page_of_one():
    index = (DOCS / "components" / "index.md").read_text(encoding="utf-8")
    for page in (DOCS / "components").glob("*.md"):
        assert page.name == "index.md" or f"]({page.name})" in index, page.name
