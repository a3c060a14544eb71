"""The directive ``names``: a module of :mod:`avground` and every public name in it.

A thing that several modules hand out is described once, under the shortest of its names; the components, which all
stand in :mod:`avground` itself, on their own pages. Its other names get an entry that leads there.
"""

import inspect
import sys
from collections.abc import Collection, Mapping
from importlib import import_module
from types import ModuleType

import torch
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.pycode import ModuleAnalyzer
from sphinx.util.docutils import SphinxDirective


def home_of(module: str, name: str) -> str:
    """The module under whose name a thing is described: the shortest that hands it out, of those above it."""
    thing = getattr(import_module(module), name)
    above = [module.rsplit(".", up)[0] for up in range(module.count(".") + 1)]
    return min((one for one in above if getattr(import_module(one), name, None) is thing), key=len)


def is_component(full: str) -> bool:
    """Whether a thing is described on a page under docs/components."""
    module, _, name = full.rpartition(".")
    thing = getattr(import_module(module), name)
    block = module == "avground" and inspect.isclass(thing) and issubclass(thing, torch.nn.Module)
    return block or full == "avground.ops.spatial_grounding"


def summary(thing: object) -> str:
    """The first paragraph of a docstring, on one line."""
    return " ".join((inspect.getdoc(thing) or "").split("\n\n")[0].split())


def kind_of(value: object) -> str:
    """The type of a constant, as readers need it."""
    return "Mapping" if isinstance(value, Mapping) else type(value).__name__


def contents(value: object) -> str:
    """What a constant holds, if that is names: those that can be chosen, or looked up."""
    if isinstance(value, str):
        return f"``{value!r}``"
    listed = list(value) if isinstance(value, Collection) else []
    return ", ".join(f"``{one!r}``" for one in listed) if all(isinstance(one, str) for one in listed) else ""


def comment_of(name: str, value: object, package: str) -> list[str]:
    """What is written at the definition of a constant, wherever in a package that is."""
    for module, loaded in sorted(sys.modules.items()):
        if module.startswith(package) and isinstance(loaded, ModuleType) and vars(loaded).get(name) is value:
            written = ModuleAnalyzer.for_module(module).find_attr_docs().get(("", name))
            if written:
                return list(written)
    return []


def entry(module: str, name: str) -> list[str]:
    """The reStructuredText that describes one name."""
    thing, home, full = getattr(import_module(module), name), home_of(module, name), f"{module}.{name}"
    role = "class" if inspect.isclass(thing) else "function" if callable(thing) else "data"
    if inspect.isclass(thing) and issubclass(thing, Exception):
        role = "exception"
    if is_component(full):
        return [f"* :py:obj:`{full}`: {summary(thing)}"]
    if home != module:
        return [f".. py:{role}:: {name}", f"   :module: {module}", "", f"   The same as :py:obj:`{home}.{name}`."]
    if role == "data":
        about = [*comment_of(name, thing, "avground"), "", contents(thing)]
        return [
            f".. py:data:: {name}",
            f"   :module: {module}",
            f"   :type: {kind_of(thing)}",
            "",
            *(f"   {line}" for line in about),
        ]
    return [f".. auto{role}:: {full}", *(["   :members:"] if role == "class" else [])]


SECTIONS = ("Args:", "Returns:", "Raises:", "Attributes:", "Example:")


class Names(SphinxDirective):
    """The docstring of a module, and an entry for each name that it makes public."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Write them as reStructuredText."""
        module = self.arguments[0]
        names = sorted(import_module(module).__all__, key=lambda name: not is_component(f"{module}.{name}"))
        lines = [f".. automodule:: {module}", ""]
        for name in names:
            lines += [*entry(module, name), ""]
        return self.parse_text_to_nodes("\n".join(("``````{eval-rst}", *lines, "``````")))


def skip(app: Sphinx, what: str, name: str, thing: object, skipped: bool, options: object) -> bool | None:
    """Leave out fields of named tuples, which the docstring of the tuple describes together, and what print() shows."""
    return True if type(thing).__name__ == "_tuplegetter" or name == "extra_repr" else None


def without_types(app: Sphinx, what: str, name: str, thing: object, options: object, lines: list[str]) -> None:
    """A colon in what is returned, or in what a property is, ends no type: types are in the signatures.

    A line that begins with a colon has an empty type.
    """
    starts = [number + 1 for number, line in enumerate(lines) if line == "Returns:"]
    if what in ("property", "attribute"):
        starts.append(0)
    for start in starts:
        text = lines[start].lstrip()
        lines[start] = f"{lines[start].removesuffix(text)}: {text}"


def arguments_only(app: Sphinx, what: str, name: str, thing: object, options: object, lines: list[str]) -> None:
    """On the page of a component its docstring is cut to its first line and what follows "Args:".

    The equation, and what there is to say about it, have heads of their own there.
    """
    if is_component_page(app.env.docname) and what in ("class", "function"):
        heads = [number for number, line in enumerate(lines) if line in SECTIONS]
        lines[:] = [*lines[: lines.index("")], "", *lines[min(heads, default=len(lines)) :]] if "" in lines else lines


def is_component_page(page: str) -> bool:
    """Whether a page is about one component."""
    return page.startswith("components/")


def readable(app: Sphinx, what: str, name: str, thing: object, options: object, given: str, returned: str) -> object:
    """A signature that is Python, and that of the class: a block without arguments has torch's otherwise."""
    if what == "class" and getattr(thing, "__init__", None) is torch.nn.Module.__init__:
        return "()", None
    return (given.replace("<factory>", "..."), returned) if given else None


def exists(name: str, module: str | None) -> bool:
    """Whether there is such a thing, by its full name or in some module below the one that speaks of it."""
    if name[0] in "'\"":
        return True  # one of several literals
    start, *rest = name.split(".")
    places = [loaded for key, loaded in sys.modules.items() if key.startswith(module or "avground")]
    for thing in (sys.modules.get(start), *(getattr(place, start, None) for place in places)):
        for attribute in rest:
            thing = getattr(thing, attribute, None)
        if thing is not None:
            return True
    return False


def known(app: Sphinx, env: object, node: nodes.Element, content: nodes.Node) -> nodes.Node | None:
    """A name that has no entry here is no mistake if there is such a thing; it is shown as code then."""
    return content if node.get("refdomain") == "py" and exists(node["reftarget"], node.get("py:module")) else None


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the directive."""
    app.add_directive("names", Names)
    app.connect("autodoc-process-docstring", arguments_only, priority=300)  # before the sections become fields
    app.connect("autodoc-process-docstring", without_types, priority=400)
    app.connect("autodoc-process-signature", readable)
    app.connect("missing-reference", known)
    app.connect("autodoc-skip-member", skip)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
