"""Settings of the site: ``sphinx-build -W --keep-going -b html docs docs/_build/html``, without a network."""

import os
import sys
from pathlib import Path

# The same pages on every machine: figures carry no date, and help texts are as wide everywhere.
os.environ.setdefault("SOURCE_DATE_EPOCH", "0")
os.environ["COLUMNS"] = "92"
os.environ["NO_COLOR"] = "1"
os.environ["OMP_WAIT_POLICY"] = "PASSIVE"

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

from cycler import cycler

import avground

project = "avground"
author = "The avground authors"
release = version = avground.__version__
copyright = author
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "sphinx_design",
    "matplotlib.sphinxext.plot_directive",
    "commands",
    "figures",
    "links",
    "names",
]
exclude_patterns = ["_build", "_ext"]
nitpicky = True
nitpick_ignore = [("py:class", "Figure")]  # matplotlib's, which is imported only where figures are drawn
myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 4

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_display_short_literal_types = True
python_maximum_signature_line_length = 88
add_module_names = False
napoleon_use_ivar = True
napoleon_attr_annotations = False  # the signatures have them
napoleon_numpy_docstring = False
viewcode_line_numbers = True

plot_include_source = True
plot_html_show_source_link = False
plot_html_show_formats = False
plot_formats = ["svg"]
plot_pre_code = ""
plot_apply_rcparams = True
plot_rcparams = {
    "svg.hashsalt": "avground",
    "figure.constrained_layout.use": True,
    "font.size": 9.0,
    "axes.titlesize": 9.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.prop_cycle": cycler(color=["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9"]),
    "legend.frameon": False,
}

html_theme = "furo"
html_title = "avground"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_theme_options = {"navigation_with_keys": True}
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
