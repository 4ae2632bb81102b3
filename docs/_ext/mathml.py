"""Mathematics as MathML, by docutils' own translator: nothing is fetched when a page is read.

Sphinx's usual renderer loads MathJax from another host. Browsers show MathML themselves. Promises that what can't be
translated is a warning, and so fails the build.
"""

from __future__ import annotations

from typing import Any

from docutils import nodes
from docutils.utils.math import MathError, latex2mathml
from sphinx.application import Sphinx
from sphinx.util import logging

_LOG = logging.getLogger(__name__)


def to_mathml(tex: str, *, block: bool) -> str:
    r"""Translates TeX.

    Args:
        tex: Mathematics, without dollar signs.
        block: Whether it stands on lines of its own; ``\\`` then breaks a line.

    Returns:
        A ``math`` element.

    Raises:
        docutils.utils.math.MathError: It can't be translated.
    """
    if block and r"\\" in tex and r"\begin" not in tex:
        tex = rf"\begin{{split}}{tex}\end{{split}}"
    return str(latex2mathml.tex2mathml(tex, as_block=block))


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


def setup(app: Sphinx) -> dict[str, bool]:
    """Registers the renderer; ``html_math_renderer = "mathml"`` chooses it."""
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
