"""Is the built site whole? ``python docs/check.py`` says what is missing, and ends with status 1 if anything is.

- Every public name (``tests/public_names.txt``) has an entry.
- Every link to a page, a file or an anchor of the site leads somewhere.
- Every block and loss, and the operation, is described on the page of a component; all these pages have the same heads.
"""

import argparse
import sys
import zlib
from collections.abc import Iterable, Mapping
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).parents[1]
HEADS = (
    "Equation",
    "Shapes",
    "Arguments",
    "Where it differs from the paper and from the released code",
    "Example",
)


class Page(HTMLParser):
    """What one page holds: anchors, links and second-level heads, in their order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.heads: list[str] = []
        self._in_head = False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an anchor or a link, and where a head begins."""
        for name, value in attrs:
            if value and (name == "id" or (name == "name" and tag == "a")):
                self.anchors.add(value)
            elif value and name in ("href", "src"):
                self.links.append(value)
        if tag == "h2":
            self._in_head = True
            self.heads.append("")
        elif tag == "a":
            self._in_head = False  # the mark beside a head that links to it

    def handle_endtag(self, tag: str) -> None:
        """Note where a head ends."""
        if tag == "h2":
            self._in_head = False

    def handle_data(self, data: str) -> None:
        """Collect the text of a head."""
        if self._in_head:
            self.heads[-1] += data


def read_pages(site: Path) -> dict[Path, Page]:
    """Every page of a site, by its file."""
    return {file.resolve(): Page(file.read_text(encoding="utf-8")) for file in sorted(site.rglob("*.html"))}


def read_inventory(site: Path) -> set[str]:
    """The names that have an entry: those of Python in ``objects.inv``, which is four lines and a zlib stream."""
    packed = (site / "objects.inv").read_bytes().split(b"\n", 4)[4]
    entries = (line.split() for line in zlib.decompress(packed).decode().splitlines())
    return {entry[0] for entry in entries if entry[1].startswith("py:")}


def missing_names(names: Iterable[str], inventory: set[str]) -> list[str]:
    """The names that have no entry."""
    return [f"{name}: is public and has no entry" for name in names if name not in inventory]


def broken_links(site: Path, pages: Mapping[Path, Page]) -> list[str]:
    """The links that lead to no file of the site, or to no anchor of a page."""
    broken = []
    for file, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (file.parent / unquote(parts.path)).resolve() if parts.path else file
            anchor = unquote(parts.fragment)
            if not target.exists():
                broken.append(f"{file.relative_to(site.resolve())}: {link} leads to no file")
            elif anchor and target in pages and anchor not in pages[target].anchors:
                broken.append(f"{file.relative_to(site.resolve())}: {link} leads to no anchor")
    return broken


def wrong_heads(site: Path, pages: Mapping[Path, Page]) -> list[str]:
    """The pages of components whose heads are not :data:`HEADS`."""
    return [
        f"components/{file.name}: expected the heads {', '.join(HEADS)}, got {', '.join(page.heads) or 'none'}"
        for file, page in component_pages(site, pages).items()
        if tuple(page.heads) != HEADS
    ]


def missing_components(names: Iterable[str], site: Path, pages: Mapping[Path, Page]) -> list[str]:
    """The components that no page of a component describes."""
    described = {anchor for page in component_pages(site, pages).values() for anchor in page.anchors}
    return [f"{name}: is described on no page under components/" for name in names if name not in described]


def component_pages(site: Path, pages: Mapping[Path, Page]) -> dict[Path, Page]:
    """The pages under ``components/`` but the one that lists them."""
    folder = (site / "components").resolve()
    return {file: page for file, page in pages.items() if file.parent == folder and file.name != "index.html"}


def components() -> list[str]:
    """The full names of the blocks and the losses in :mod:`avground`, and of the operation under them."""
    import torch

    import avground

    things = {name: getattr(avground, name) for name in avground.__all__}
    blocks = [name for name, thing in things.items() if isinstance(thing, type) and issubclass(thing, torch.nn.Module)]
    return [*(f"avground.{name}" for name in blocks), "avground.ops.spatial_grounding"]


def check(site: Path, names: Iterable[str], components: Iterable[str]) -> list[str]:
    """Everything that is wrong with a site."""
    pages = read_pages(site)
    return [
        *missing_names(names, read_inventory(site)),
        *broken_links(site, pages),
        *wrong_heads(site, pages),
        *missing_components(components, site, pages),
    ]


def main() -> int:
    """Check the site that ``make docs`` built."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("site", nargs="?", type=Path, default=ROOT / "docs" / "_build" / "html")
    site = parser.parse_args().site
    names = (ROOT / "tests" / "public_names.txt").read_text(encoding="utf-8").split()
    wrong = check(site, names, components())
    for line in wrong:
        print(line, file=sys.stderr)
    print(f"{site}: {len(wrong) or 'nothing'} wrong")
    return min(len(wrong), 1)


if __name__ == "__main__":
    sys.exit(main())
