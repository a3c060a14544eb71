"""The file around the data: it stands alone, and its policy lets in what is in it and no more."""

import re
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser
from importlib.resources import files

import pytest

from avground.viz import Footage, explain_page, gallery_page

from .material import example

PAGES = {
    "explain": lambda **about: explain_page(Footage(6.0), [example()], **about),
    "gallery": lambda **about: gallery_page({"v": Footage(6.0)}, [example()], **about),
}
every_page = pytest.mark.parametrize("make", PAGES.values(), ids=PAGES)


class Reader(HTMLParser):
    """Every element with its attributes, and what stands in those that hold text."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.texts, self.inside = [], [], False
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self.texts.append("")
        self.inside = True

    def handle_endtag(self, tag):
        self.inside = False

    def handle_data(self, data):
        if self.inside:
            self.texts[-1] += data

    def of(self, tag):
        return [(about, text) for (name, about), text in zip(self.elements, self.texts, strict=True) if name == tag]


@every_page
def test_the_policy_allows_this_style_and_this_script_only(make):
    read = Reader(make())
    ((policy, _),) = [found for found in read.of("meta") if found[0].get("http-equiv") == "Content-Security-Policy"]
    rules = dict(rule.split(" ", 1) for rule in policy["content"].split("; "))
    ((_, style),) = read.of("style")
    ((_, script),) = [found for found in read.of("script") if found[0]["type"] == "module"]
    for text, rule in ((style, "style-src"), (script, "script-src")):
        assert rules[rule] == f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
    assert rules["default-src"] == rules["connect-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
    assert (rules["img-src"], rules["media-src"]) == ("data:", "blob:")
    assert "unsafe" not in policy["content"]


@every_page
def test_nothing_is_loaded_and_nothing_handles_events_in_the_markup(make):
    html = make()
    assert set(re.findall(r"\w+://[^\s\"'`]+", html)) == {"http://www.w3.org/2000/svg"}  # A name, which nobody asks.
    for tag, about in Reader(html).elements:
        assert not [name for name in about if name.startswith("on") or name in ("style", "src", "srcset", "action")]
        assert tag not in ("iframe", "object", "embed", "base")
        assert about.get("href", "data:,") == "data:,"


@every_page
def test_a_title_is_text(make):
    title = "$script </title><script>alert(1)</script> \u00fc & $$ {}"
    html = make(title=title)
    read = Reader(html)
    assert html.isascii()
    assert read.of("title")[0][1] == read.of("h1")[0][1] == title
    assert len(read.of("script")) == 3


def test_assets_are_ascii_so_that_pages_are():
    found = [asset for asset in (files("avground.viz.page") / "assets").iterdir() if asset.is_file()]
    assert len(found) > 10
    assert all(asset.read_bytes().isascii() for asset in found)
