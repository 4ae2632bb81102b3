"""What autodoc reads from docstrings and annotations, made fit for the site.

- Named tuples document their fields in the class's docstring; Python's own "Alias for field number 0" says nothing.
- Annotations name classes by the module in which they're defined; the site documents public names, so references are
  led there.
"""

from __future__ import annotations

import sys
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

_AFTER_NAPOLEON = 600

PLACES = (
    "autograd_lab",
    "autograd_lab.functions",
    "autograd_lab.records.files",
    "autograd_lab.byhand",
    "autograd_lab.bytorch",
)
"""Where documented names are looked for."""

OUTSIDE = [
    (r"py:.*", r"(torch|_pytest|np|numpy|npt|click|os|collections|pathlib|types)\..*"),
    (r"py:class", r"(.*\.)?(Array|Gradient|Number|Scalar|R)"),
    (r"py:class", r"autograd_lab\.errors\.Option"),  # the lab's own; users meet the message that it becomes
]
"""References that lead nowhere here, kind and name: to what other projects document, and to aliases of types."""


def _skip(app: Sphinx, what: str, name: str, found: Any, skip: bool, options: Any) -> bool | None:  # noqa: ARG001
    return True if (getattr(found, "__doc__", None) or "").startswith("Alias for field number") else None


def _public(
    app: Sphinx, env: Any, node: addnodes.pending_xref, content: nodes.TextElement
) -> nodes.Node | None:
    """Leads ``autograd_lab.records.graph.Node`` to ``autograd_lab.Node``, which is where it's documented."""
    if node.get("refdomain") != "py":
        return None
    last = node["reftarget"].rpartition(".")[2]
    known = env.domains["py"].objects
    for place in PLACES:
        if found := known.get(f"{place}.{last}"):
            reference = nodes.reference("", "", content, internal=True)
            page = app.builder.get_relative_uri(node.get("refdoc", env.docname), found.docname)
            reference["refuri"] = f"{page}#{found.node_id}"
            return reference
    # A docstring may also name what's in its own module, and isn't on the site: that's no link, but no mistake.
    return content if hasattr(sys.modules.get(node.get("py:module")), node["reftarget"]) else None


def _types(app: Sphinx, what: str, name: str, found: Any, options: Any, lines: list[str]) -> None:  # noqa: ARG001
    """Puts an attribute's type beside its name: Napoleon writes it as a paragraph of its own, below."""
    attribute = None
    for place, line in enumerate(lines):
        if line.startswith(".. attribute::"):
            attribute = place
        elif line.startswith("   :type:") and attribute is not None:
            lines[place] = ""
            lines[attribute] += f"\n{line}"
    lines[:] = "\n".join(lines).split("\n")


def setup(app: Sphinx) -> dict[str, bool]:
    """Connects to autodoc and to the resolving of references."""
    app.connect("autodoc-skip-member", _skip)
    app.connect("autodoc-process-docstring", _types, priority=_AFTER_NAPOLEON)
    app.connect("missing-reference", _public)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
