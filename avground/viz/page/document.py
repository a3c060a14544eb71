"""One HTML file of a template, styles, scripts and data, under a policy that lets nothing else in."""

from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from html import escape
from importlib.resources import files
from string import Template

_STYLES = {"explain": ("base.css", "view.css"), "gallery": ("base.css", "view.css", "gallery.css")}
_VIEW = (
    *("dom.js", "bytes.js", "data.js", "scale.js", "clock.js", "heat.js", "words.js", "answers.js", "timeline.js"),
    *("stage.js", "panel.js", "controls.js", "keys.js", "view.js", "theme.js"),
)
_SCRIPTS = {
    "explain": (*_VIEW, "explain.js"),
    "gallery": (*_VIEW, "filters.js", "card.js", "rows.js", "dialog.js", "gallery.js"),
}


def document(page: str, title: str, texts: Mapping[str, str]) -> str:
    """Put a page together.

    Args:
        page: ``"explain"`` or ``"gallery"``.
        title: Heading, any text.
        texts: What the scripts read, by name, as from :func:`avground.viz.page.payload.payload`.
    """
    style = "\n".join(map(_asset, _STYLES[page]))
    script = "\n".join(map(_asset, _SCRIPTS[page]))  # One module: strict, and no name of it is global.
    heading = escape(title).encode("ascii", "xmlcharrefreplace").decode()
    blocks = "\n".join(
        f'<script type="{"application/json" if name == "data" else "text/plain"}" id="{name}">{text}</script>'
        for name, text in texts.items()
    )
    return Template(_asset("page.html")).substitute(
        policy=_policy(style, script),
        title=heading,
        style=style,
        body=Template(_asset(f"{page}.html")).substitute(title=heading),
        blocks=blocks,
        script=script,
    )


def _policy(style: str, script: str) -> str:
    """A content security policy: these styles, this script, pictures and videos of the page's own, and no network."""
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {_hash(script)}",
            f"style-src {_hash(style)}",
            "img-src data:",
            "media-src blob:",
            "connect-src 'none'",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        )
    )


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def _asset(name: str) -> str:
    return (files(__package__) / "assets" / name).read_text(encoding="utf-8")
