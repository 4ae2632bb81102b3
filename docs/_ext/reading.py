"""What autodoc reads from docstrings, made fit for the site.

Named tuples document their fields in the class's docstring; Python's own "Alias for field number 0" says nothing.
"""

from __future__ import annotations

from typing import Any

from sphinx.application import Sphinx

OUTSIDE = [
    (r"py:.*", r"(torch|np|numpy|npt|click|os)\..*"),
]
"""What other projects document: kind and name of references that lead nowhere here."""


def _skip(app: Sphinx, what: str, name: str, found: Any, skip: bool, options: Any) -> bool | None:
    del app, what, name, skip, options
    return True if (getattr(found, "__doc__", None) or "").startswith("Alias for field number") else None


def setup(app: Sphinx) -> dict[str, bool]:
    """Connects to autodoc."""
    app.connect("autodoc-skip-member", _skip)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
