"""How the site is built: ``sphinx-build -W docs docs/_build/html``.

Every code cell of every page is executed by the build, and one that raises fails it. Nothing is fetched, then or when a
page is read: mathematics is MathML, fonts are the system's, and what other projects document is named, not linked.
"""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

DOCS = Path(__file__).parent
PACKAGE = DOCS.parent / "autograd_lab"
sys.path.insert(0, str(DOCS / "_ext"))

import colours
import reading

import autograd_lab

project = "autograd_lab"
author = "The autograd_lab authors"
project_copyright = author
version = release = autograd_lab.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "alternatives",
    "chapters",
    "chinese_search",
    "mathml",
    "reading",
    "rules",
    "signatures",
]
exclude_patterns = ["_build", "_ext", "_static", "conf.py"]

# --- pages ---------------------------------------------------------------------------

myst_enable_extensions = ["amsmath", "attrs_inline", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
nb_custom_formats = {".py": ["jupytext.reads", {"fmt": "py:percent"}]}
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 300  # seconds for a cell; on a busy machine an import of torch takes many
nb_execution_in_temp = True  # a page leaves nothing behind in the folder
nb_merge_streams = True
# As images, which get an alternative text (`_ext/alternatives.py`); a record would show itself as HTML first.
nb_mime_priority_overrides = [("*", "image/svg+xml", 0)]
os.environ["COLUMNS"] = "104"  # tables that fit a page
os.environ.setdefault("OMP_NUM_THREADS", "1")  # two pages are built at once
# Cells that call autograd-lab find the one that stands beside this Python.
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])


def _fingerprint() -> str:
    """A page shows what the lab does, so a change to the lab is a change to every page."""
    digest = hashlib.sha256()
    for path in sorted(PACKAGE.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def setup(app: object) -> None:
    """Tells Sphinx to begin afresh where the lab has changed since the last build."""
    app.add_config_value("lab", _fingerprint(), "env")


# --- docstrings ----------------------------------------------------------------------

napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_attr_annotations = True
napoleon_use_rtype = False
napoleon_custom_sections = [("Source", "notes_style")]
autodoc_default_options = {"members": True, "member-order": "bysource"}
autodoc_preserve_defaults = True
autodoc_typehints = "signature"
python_maximum_signature_line_length = 88
python_use_unqualified_type_names = True
add_module_names = False
toc_object_entries_show_parents = "hide"
nitpicky = True
nitpick_ignore_regex = reading.OUTSIDE
default_role = "py:obj"

# --- HTML ----------------------------------------------------------------------------

html_theme = "furo"
html_title = "autograd_lab"
html_static_path = ["_static"]
html_css_files = ["lab.css"]
html_js_files = ["lab.js"]
html_math_renderer = "mathml"
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
_light, _dark = colours.variables()
html_theme_options = {
    "light_css_variables": _light,
    "dark_css_variables": _dark,
    "sidebar_hide_name": False,
}

# A build reaches no network. tests/docs/test_site.py checks every link within the site.
linkcheck_ignore = [r"https?://.*"]
