"""What makes an SVG at home on a page: it follows the reader's light or dark colours, and says what it shows.

One file serves both: its colours are CSS variables, and ``prefers-color-scheme`` chooses their values. A page may
choose for itself by setting ``--lab-…`` on the picture. What knows no CSS shows the light colours, which stay in the
attributes.

Relies on ``theme`` and on how Graphviz and matplotlib write SVG: ``fill="#rrggbb"`` the one, ``style="fill: #rrggbb"``
the other. Promises that nothing is drawn otherwise in light colours, and that equal pictures give equal text.
"""

from __future__ import annotations

import hashlib
import re
from xml.sax.saxutils import escape

from autograd_lab.draw import dark, scales
from autograd_lab.draw.picture import clean

CLASS = "autograd-lab"

DARK = scales.DARK | dark.DARK
"""Each colour → the one that takes its place on a dark page."""

_MEASURED = {"10.00": "9.7px"}
"""Graphviz fits letters to a grid of pixels and so takes text of some sizes for narrower than browsers draw it: it
would run over the boxes' edges. Size → the size at which it's as wide in a browser."""

_OPENING = re.compile(r"<svg\b[^>]*>")
_COLOUR = re.compile(r"""(fill|stroke)(="|: ?)(#[0-9a-f]{6})""")


def at_home(svg: str, title: str, summary: str) -> str:
    """Adds dark colours, a title and a description to a picture.

    Args:
        svg: The picture.
        title: What it's called.
        summary: What it shows, in one sentence.

    Returns:
        The picture, whose ``<title>`` and ``<desc>`` a screen reader reads out.

    Example:
        >>> at_home('<svg width="9pt"><path fill="#ffffff"/></svg>', "Loss", "A loss.")[:60]
        '<svg width="9pt" class="autograd-lab" role="img" aria-labell'
    """
    found = _OPENING.search(svg)
    if found is None:
        return svg
    title, summary = escape(clean(title or summary)), escape(clean(summary))
    # Pictures may stand on one page, where ids must differ.
    key = hashlib.sha256(f"{title}\n{summary}\n{svg}".encode("utf-8", "replace")).hexdigest()[:8]
    opening = found[0].removesuffix(">")
    opening += f' class="{CLASS}" role="img" aria-labelledby="title-{key} desc-{key}">'
    head = f'<title id="title-{key}">{title}</title>\n<desc id="desc-{key}">{summary}</desc>\n'
    return f"{svg[: found.start()]}{opening}\n{head}{_style(svg)}{svg[found.end() :]}"


def _style(svg: str) -> str:
    uses = {(name, how, colour) for name, how, colour in _COLOUR.findall(svg) if colour in DARK}
    colours = sorted({colour for _, _, colour in uses})
    light = "".join(f"--lab-{colour[1:]}:{colour};" for colour in colours)
    dark = "".join(f"--lab-{colour[1:]}:{DARK[colour]};" for colour in colours)
    rules = "".join(sorted({_rule(*use) for use in uses}))
    rules += "".join(
        f'.{CLASS} text[font-size="{size}"]{{font-size:{as_wide}}}\n'
        for size, as_wide in _MEASURED.items()
        if f'font-size="{size}"' in svg
    )
    return (
        f"<style>\n:where(svg.{CLASS}){{color-scheme:light dark;{light}}}\n"
        f"@media (prefers-color-scheme:dark){{:where(svg.{CLASS}){{{dark}}}}}\n{rules}</style>\n"
    )


def _rule(name: str, how: str, colour: str) -> str:
    value = f"{name}:var(--lab-{colour[1:]})"
    if how == '="':
        return f'.{CLASS} [{name}="{colour}"]{{{value}}}\n'
    return f'.{CLASS} [style*="{name}{how}{colour}"]{{{value}!important}}\n'
