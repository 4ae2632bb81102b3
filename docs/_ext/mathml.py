"""Mathematics as MathML, by docutils' own translator: nothing is fetched when a page is read.

Sphinx's usual renderer loads MathJax from another host. Browsers show MathML themselves. Promises that what can't be
translated, or is known to be misread, is a warning, and so fails the build; and that no line ends between a formula and
the punctuation beside it.
"""

from __future__ import annotations

import html
import re
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from docutils import nodes
from docutils.utils.math import MathError, latex2mathml
from sphinx.application import Sphinx
from sphinx.util import logging

_LOG = logging.getLogger(__name__)

_NAMESPACE = "http://www.w3.org/1998/Math/MathML"
ElementTree.register_namespace("", _NAMESPACE)

_TWO_DIGITS = re.compile(r"(?:\\[a-z]*frac|\\sqrt|[\^_])\s*\d\d")
_OPENING = re.compile(r"[(\[「（]$")
_CLOSING = re.compile(r"^[,.;:!?)\]、。，；：！？）」]+")


def to_mathml(tex: str, *, block: bool) -> str:
    r"""Translates TeX.

    Args:
        tex: Mathematics, without dollar signs.
        block: Whether it stands on lines of its own; ``\\`` then breaks a line.

    Returns:
        A ``math`` element.

    Raises:
        docutils.utils.math.MathError: It can't be translated, or would be misread.
    """
    if number := _TWO_DIGITS.search(tex):
        raise MathError(f"{number[0]}: TeX takes one digit of it, docutils both; write braces")
    if block and r"\\" in tex and r"\begin" not in tex:
        tex = rf"\begin{{split}}{tex}\end{{split}}"
    math = ElementTree.fromstring(_without_html_entities(str(latex2mathml.tex2mathml(tex, as_block=block))))
    if any((each.text or "").startswith("*") for each in math.iter(_tag("mi"))):
        raise MathError(r"a name that begins with *: \operatorname* isn't known, write \operatorname")
    _put_indices_beside_accented_letters(math)
    return ElementTree.tostring(math, encoding="unicode")


def _tag(name: str) -> str:
    return f"{{{_NAMESPACE}}}{name}"


def _without_html_entities(text: str) -> str:
    """Text without ``&ApplyFunction;`` and others that HTML knows and XML doesn't."""
    return re.sub(r"&(?!amp;|lt;|gt;|quot;|apos;)\w+;", lambda entity: html.unescape(entity[0]), text)


def _put_indices_beside_accented_letters(parent: Element) -> None:
    r"""Turns ``\bar x_j`` into a letter with a bar and an index: docutils writes the index below the letter."""
    for place, child in enumerate(parent):
        _put_indices_beside_accented_letters(child)
        if child.tag != _tag("munderover") or child[2].tag != _tag("mo"):
            continue
        letter, index, accent = child
        accented = Element(_tag("mover"), {"accent": "true"})
        accented.extend([letter, accent])
        if parent.tag == _tag("msup") and place == 0:  # with an exponent, too: both stand at one letter
            parent.tag = _tag("msubsup")
            parent[0] = accented
            parent.insert(1, index)
            return
        parent[place] = Element(_tag("msub"))
        parent[place].extend([accented, index])


def _write(writer: Any, node: nodes.Element, *, block: bool) -> None:
    try:
        writer.body.append(to_mathml(node.astext(), block=block))
    except MathError as error:
        _LOG.warning("no MathML for %r: %s", node.astext(), error, location=node)


def _inline(writer: Any, node: nodes.math) -> None:
    _write(writer, node, block=False)
    raise nodes.SkipNode


def _block(writer: Any, node: nodes.math_block) -> None:
    writer.body.append(writer.starttag(node, "div", CLASS="math"))
    _write(writer, node, block=True)
    writer.body.append("</div>\n")
    raise nodes.SkipNode


def keep_with_punctuation(document: nodes.Element) -> None:
    """Wraps each formula and the punctuation that touches it in a span that isn't broken.

    A browser may break the line on both sides of a formula, also before a comma.

    Args:
        document: A document's tree; changed in place.
    """
    for formula in list(document.findall(nodes.math)):
        parent, place = formula.parent, formula.parent.index(formula)
        before, after = (parent[at] if 0 <= at < len(parent) else None for at in (place - 1, place + 1))
        opening = _OPENING.search(before) if isinstance(before, nodes.Text) else None
        closing = _CLOSING.search(after) if isinstance(after, nodes.Text) else None
        if opening is None and closing is None:
            continue
        span = nodes.inline("", "", classes=["unbroken"])
        parent.replace(formula, span)
        if opening is not None:
            parent.replace(before, nodes.Text(before[: opening.start()]))
            span += nodes.Text(opening[0])
        span += formula
        if closing is not None:
            parent.replace(after, nodes.Text(after[closing.end() :]))
            span += nodes.Text(closing[0])


def _resolved(app: Sphinx, doctree: nodes.document, docname: str) -> None:  # noqa: ARG001
    keep_with_punctuation(doctree)


def setup(app: Sphinx) -> dict[str, bool]:
    """Registers the renderer; ``html_math_renderer = "mathml"`` chooses it."""
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
    app.connect("doctree-resolved", _resolved)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
