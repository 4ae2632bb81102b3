"""A default that is made anew, ``<factory>``, as ``...``: else Sphinx takes no such signature apart."""

from __future__ import annotations

from typing import Any

from sphinx.application import Sphinx


def parsable(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, signature: str | None, returns: str | None
) -> tuple[str | None, str | None] | None:
    """Gives the signature of a dataclass in a form that Sphinx takes apart."""
    del app, name, obj, options
    if what != "class" or signature is None:
        return None
    return signature.replace("<factory>", "..."), returns


def setup(app: Sphinx) -> dict[str, bool]:
    """Registers it."""
    app.connect("autodoc-process-signature", parsable)
    return {"parallel_read_safe": True}
