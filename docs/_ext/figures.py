"""matplotlib's directive ``plot`` for these pages: it is used in Markdown, and shows figures that pyplot does not know.

The functions of :mod:`avground.viz` return a figure and leave pyplot alone, so that a user's own figures stay as they
are; and matplotlib's directive hands on reStructuredText, which has to be parsed as such.
"""

from collections.abc import Callable
from typing import Any

from docutils import nodes
from matplotlib import _pylab_helpers
from matplotlib.backend_bases import FigureManagerBase
from matplotlib.figure import Figure
from matplotlib.sphinxext import plot_directive
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


def adopt(figures: list[Figure]) -> None:
    """Let pyplot know figures that were made without it, in their order."""
    known = {manager.canvas.figure for manager in _pylab_helpers.Gcf.get_all_fig_managers()}
    for figure in figures:
        if figure not in known:
            number = max(_pylab_helpers.Gcf.figs, default=0) + 1
            _pylab_helpers.Gcf._set_new_active_manager(FigureManagerBase(figure.canvas, number))


def adopting(run_code: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """What runs the code of an example, and then hands the figures among its variables to pyplot."""

    def run(*args: Any, **kwargs: Any) -> dict[str, Any]:
        names = run_code(*args, **kwargs)
        adopt([value for value in names.values() if isinstance(value, Figure)])
        return names

    return run


class _Collecting:
    """Stands for the state machine that matplotlib's directive hands its lines to."""

    def __init__(self, document: nodes.document) -> None:
        self.document = document
        self.lines: list[str] = []

    def insert_input(self, lines: list[str], source: str) -> None:
        self.lines += lines


class Plot(plot_directive.PlotDirective, SphinxDirective):
    """Runs the code in it and shows it above the figures that it made."""

    def run(self) -> list[nodes.Node]:
        """Draw, and parse what matplotlib says about it."""
        self.state_machine = _Collecting(self.state.document)
        messages = super().run()
        return messages + self.parse_text_to_nodes("\n".join(("``````{eval-rst}", *self.state_machine.lines, "``````")))


def setup(app: Sphinx) -> dict[str, bool]:
    """Put this directive in the place of matplotlib's."""
    plot_directive._run_code = adopting(plot_directive._run_code)
    app.add_directive("plot", Plot, override=True)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
