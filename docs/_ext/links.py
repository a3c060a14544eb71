"""Links from a page to files of the repository: the same text works on a code host and on the site.

A link to a folder or page that the site has elsewhere leads there; any other file is offered as a download, which is
what MyST does by itself.
"""

import posixpath
import re

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

#: Folders and pages of the repository, and the pages of the site that hold the same.
PAGES = {
    ".": "index",
    "README": "index",
    "avground/models/released.py": "api/avground.models.released",
    "CHANGELOG": "changelog",
    "benchmarks": "benchmarks",
    "benchmarks/README": "benchmarks",
    "benchmarks/results": "benchmarks",
    "docs": "index",
}


def page_of(target: str, page: str) -> str | None:
    """The page of the site that a link means, if it is one of :data:`PAGES`; either is a path in the repository."""
    return PAGES.get(posixpath.normpath(posixpath.join(posixpath.dirname(page), target)).removesuffix(".md"))


def redirect(app: Sphinx, document: nodes.document) -> None:
    """Let the links to :data:`PAGES` lead to pages of the site."""
    repository = app.srcdir.parent.as_posix()
    for node in (*document.findall(addnodes.pending_xref), *document.findall(addnodes.download_reference)):
        if node.get("reftype") != "myst":
            continue
        # MyST knows documents outside of docs/ by their place on the machine, others by their place below the page.
        target = node["reftarget"].removeprefix(f"{repository}/")
        start = "." if target != node["reftarget"] else f"docs/{app.env.docname}"
        page = page_of(target, start)
        if page:
            attributes = {"refdomain": "doc", "reftarget": page, "reftargetid": node.get("reftargetid")}
            node.replace_self(addnodes.pending_xref("", *node.children, **{**node.attributes, **attributes}))


def without_back_links(app: Sphinx, page: str, template: str, context: dict[str, object], document: object) -> None:
    """Take the links back out of a page of source text: they all lead to one module, whichever a name is public in."""
    if page.startswith("_modules/") and "body" in context:
        context["body"] = re.sub(r'<a class="viewcode-back"[^>]*>.*?</a>', "", str(context["body"]))


def setup(app: Sphinx) -> dict[str, bool]:
    """Look at every page that was read, and at those of source text."""
    app.connect("doctree-read", redirect)
    app.connect("html-page-context", without_back_links)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
