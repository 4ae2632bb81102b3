"""What a picture shows, in words, for readers who don't see it: the ``alt`` of every picture that a cell made.

A picture of a graph says what it is of and names its boxes, from the SVG itself; a plot has its title, axes and legend.
"""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.application import Sphinx

MOST_BOXES = 12
_BEFORE_SPHINX_COLLECTS_IMAGES = 400

_BOX = re.compile(r'<g [^>]*class="node">.*?</g>', re.DOTALL)
_FURNITURE = re.compile(r'xlink:title="(legend|title)"')
_SUMMARY = re.compile(r'<desc id="desc-[0-9a-f]+">([^<]*)</desc>')
_TEXT = re.compile(r"<text [^>]*>([^<]+)</text>")
_OUTLINED = re.compile(r"<!-- ([^$]+?) -->")  # numbers beside the axes are formulas, between dollar signs


def describe(svg: str) -> str:
    """Says what a picture shows.

    Args:
        svg: The picture.

    Returns:
        A line; empty where nothing is written in the picture.
    """
    if "matplotlib" in svg:  # which draws text as outlines, and writes what it says beside them
        words = [text for text in _OUTLINED.findall(svg) if re.search(r"[^\W\d_]", text)]
        return f"Plot: {', '.join(map(_plain, dict.fromkeys(words)))}" if words else ""
    texts = [_TEXT.search(box) for box in _BOX.findall(svg) if not _FURNITURE.search(box)]
    boxes = [_plain(text[1]) for text in texts if text]
    if not boxes:
        return ""
    more = f" and {len(boxes) - MOST_BOXES} more" if len(boxes) > MOST_BOXES else ""
    summary = _SUMMARY.search(svg)
    what = f"{_plain(summary[1])} Boxes" if summary else "Graph"
    return f"{what}: {', '.join(boxes[:MOST_BOXES])}{more}"


def _plain(text: str) -> str:
    return " ".join(html.unescape(text).split())


def _add(app: Sphinx, doctree: nodes.document) -> None:
    for image in doctree.findall(lambda node: node.tagname == "image"):
        path = Path(app.env.relfn2path(image["uri"], app.env.docname)[1])
        if "alt" not in image and path.suffix == ".svg":
            image["alt"] = describe(path.read_text("utf-8"))


def setup(app: Sphinx) -> dict[str, bool]:
    """Connects to the build."""
    app.connect("doctree-read", _add, priority=_BEFORE_SPHINX_COLLECTS_IMAGES)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
