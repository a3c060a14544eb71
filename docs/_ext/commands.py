"""The directive ``commands``: what ``avground COMMAND --help`` prints, from the parsers themselves."""

import argparse
from importlib import import_module

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from avground.cli import COMMANDS, EXTRAS


def help_of(name: str) -> str:
    """The help of one command."""
    module = import_module(f"avground.cli.{name}")
    parser = argparse.ArgumentParser(
        prog=f"avground {name}",
        description=module.__doc__,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    module.configure(parser)
    return parser.format_help()


class Commands(SphinxDirective):
    """A heading and the help of each command."""

    def run(self) -> list[nodes.Node]:
        """Write them as Markdown."""
        lines = []
        for name, purpose in COMMANDS.items():
            extra = f' Needs `pip install "avground[{EXTRAS[name]}]"`.' if name in EXTRAS else ""
            lines += [f"## {name}", "", f"{purpose[0].upper()}{purpose[1:]}.{extra}", ""]
            lines += ["```text", help_of(name).rstrip(), "```", ""]
        return self.parse_text_to_nodes("\n".join(lines), allow_section_headings=True)


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the directive."""
    app.add_directive("commands", Commands)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
