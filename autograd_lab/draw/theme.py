"""Every colour, shape and font of every picture, once.

A picture says *what* a thing is (``look="accumulate"``); this module says how that looks. Relies on nothing.
Promises that no two kinds of box are told apart by colour alone: see Note [Never by colour alone].

The hues are those of Okabe and Ito's palette for colour-blind readers (blue, sky, bluish green, yellow, orange,
vermillion, reddish purple), lightened for fills and darkened for outlines and text until the text can be read:
4.5 to 1 against its ground, the measure of the Web Content Accessibility Guidelines 2.1.
"""

from __future__ import annotations

from typing import NamedTuple

FONT = "DejaVu Sans"
"""The one font: it has Greek letters, mathematical signs and arrows, and matplotlib's wheel carries it."""

SIZE = 10.0
"""Points of ordinary text."""

PAD = (7.0, 3.0)
"""Points between a box's text and its outline, at its sides and above and below."""

SLOT_PAD = {"down": 1.0, "up": 1.0, "right": 3.0, "left": 3.0}
"""Direction → points around the number of a slot."""

SMALLEST = 46.0
"""Points: no circle is smaller."""

SWATCH = (24.0, 11.0)
"""Points: how wide and high what stands in a legend for a box or an arrow is."""

ARROWSIZE = 0.7
"""The size of arrowheads, in Graphviz's units; ``routes.ARROW`` is its length in points."""

ROUND = ("ellipse", "circle")
"""Shapes that are round."""

# Note [Never by colour alone]
# Two looks that can stand in one picture differ in shape or outline too, so that the picture reads the same
# to a colour-blind reader and on a grey printer. tests/draw/test_theme.py compares every pair.

PAPER = "#ffffff"
INK = "#1f2a37"
QUIET = "#566270"
SLATE = "#4f6478"
FAINT = "#8b95a1"
BLUE = "#0b5a9e"
DEEP_BLUE = "#17466f"
GREEN = "#1b6e47"
ORANGE = "#9a5b00"
VERMILLION = "#b03f0a"
PURPLE = "#7a4488"
OLIVE = "#7d6c12"
SKY = "#23709c"


class Look(NamedTuple):
    """How one kind of box looks.

    Attributes:
        means: What the box stands for, in a few words: for legends.
        shape: A name that ``dot`` and ``mermaid`` each translate: ``"rounded"``, ``"box"``, ``"double"`` (rounded,
            with a second outline), ``"framed"`` (square, with a second outline), ``"component"``, ``"note"``,
            ``"folder"``, ``"tab"``, ``"ellipse"``, ``"circle"`` (an ellipse that is round unless its text is wide) or
            ``"plain"`` (no outline).
        fill: Colour of the inside.
        line: Colour of the outline.
        ink: Colour of the text; lines with a tone of their own keep that, unless the ground is dark.
        width: Points of the outline.
        dashed: Whether the outline is broken.

    Example:
        >>> LOOKS["accumulate"].means
        'a leaf: AccumulateGrad'
    """

    means: str
    shape: str
    fill: str
    line: str
    ink: str = INK
    width: float = 1.0
    dashed: bool = False


class Stroke(NamedTuple):
    """How one kind of arrow looks.

    Attributes:
        means: What the arrow stands for.
        line: Its colour.
        width: Points.
        dash: ``"solid"``, ``"dashed"`` or ``"dotted"``.
        head: Whether it ends in an arrowhead.

    Example:
        >>> STROKES["saved"].head
        False
    """

    means: str
    line: str
    width: float = 1.0
    dash: str = "solid"
    head: bool = True


class Tone(NamedTuple):
    """How one kind of text looks.

    Attributes:
        ink: Colour; ``None`` takes that of the box.
        size: Points, a whole number: Graphviz cuts off the rest.
        bold: Whether it's bold.
        italic: Whether it's slanted.

    Example:
        >>> TONES["title"].bold
        True
    """

    ink: str | None
    size: float = SIZE
    bold: bool = False
    italic: bool = False


LOOKS: dict[str, Look] = {
    # nodes of the backward graph
    "op": Look("an operation's node", "rounded", "#edf2f8", SLATE),
    "accumulate": Look("a leaf: AccumulateGrad", "box", "#dcf1e5", GREEN, width=1.8),
    "function": Look("a Python Function's node", "component", "#fdecd2", ORANGE),
    "compiled": Look("a node made by torch.compile", "framed", "#f1e6f5", PURPLE),
    "custom": Look("a node of a rule that was swapped in", "double", "#fce3d9", VERMILLION, width=1.2),
    "module": Look("a module drawn as one box", "tab", "#eef0fb", "#4a4f94", width=1.4),
    "root": Look("an output", "ellipse", DEEP_BLUE, DEEP_BLUE, PAPER),
    # what the forward left on them
    "saved": Look("saved tensors", "note", "#fffae0", OLIVE),
    "released": Look("saved tensors that a backward freed", "note", "#f3f4f6", FAINT, QUIET, dashed=True),
    "packed": Look("saved tensors that hooks hold packed", "folder", "#def1fb", SKY),
    # the worked example's picture
    "variable": Look("an intermediate result", "circle", PAPER, SLATE),
    "unnamed": Look("an intermediate result, its value not asked for", "ellipse", PAPER, SLATE),
    "leaf": Look("a leaf", "circle", "#dcf1e5", GREEN, width=2.2),
    "constant": Look("a constant: no gradient is wanted", "circle", "#f3f4f6", FAINT, QUIET, dashed=True),
    "output": Look("the output", "circle", DEEP_BLUE, DEEP_BLUE, PAPER, width=2.2),
    "operation": Look("an operation", "rounded", "#edf2f8", SLATE),
    "answer": Look("the chain rule's product", "plain", PAPER, PAPER),
}
"""Kind of box → how it looks."""

STROKES: dict[str, Stroke] = {
    "edge": Stroke("an edge: the way a gradient goes", "#6a7b8c"),
    "named": Stroke("an edge that carries a named tensor's gradient", BLUE, 1.8),
    "root": Stroke("where the gradient enters", DEEP_BLUE, 1.6),
    "several": Stroke("several edges, × how many", "#6a7b8c", 2.4),
    "again": Stroke("an edge from one repeated block to the next", SLATE, 1.4, "dashed"),
    "saved": Stroke("saved by", OLIVE, 1.0, "dotted", head=False),
    "forward": Stroke("the forward", SLATE, 1.2),
    "backward": Stroke("the gradient on its way back", VERMILLION, 1.2, "dashed"),
    "answer": Stroke("the gradient of", VERMILLION, 0.8, "dotted", head=False),
}
"""Kind of arrow → how it looks."""

TONES: dict[str, Tone] = {
    "title": Tone(None, bold=True),
    "plain": Tone(None),
    "quiet": Tone(QUIET, 9.0),
    "slot": Tone(QUIET, 8.0),
    "name": Tone(BLUE, 10.0, bold=True),
    "count": Tone(QUIET, 9.0, bold=True),
    "symbol": Tone(None, 13.0),
    "variable": Tone(None, 12.0, bold=True),
    "value": Tone(BLUE, 11.0),
    "local": Tone(INK, 10.0),
    "gradient": Tone(VERMILLION, 11.0, bold=True),
    "rule": Tone(VERMILLION),
    "caption": Tone(QUIET, 11.0),
    "module": Tone(QUIET, 9.0, bold=True),
    "legend": Tone(QUIET, 8.0),
    "sign": Tone(QUIET, 8.0, bold=True),
    "gradient sign": Tone(VERMILLION, 8.0, bold=True),
    "name sign": Tone(BLUE, 8.0, bold=True),
}
"""Kind of text → how it looks."""


MODULE_FILLS = ("#f7f8fa", "#eff1f5", "#e6eaf0")
"""Grounds of modules inside modules; deeper ones start again."""

MODULE_LINE = "#c3cbd6"

DARKEST = 0.18
"""The luminance of middle grey: text on darker grounds is light."""


def is_dark(look: Look) -> bool:
    """Returns whether a box's ground is too dark for ink of any tone but its own.

    Args:
        look: One of ``LOOKS``.

    Returns:
        Whether its relative luminance is below that of middle grey.

    Example:
        >>> is_dark(LOOKS["root"]), is_dark(LOOKS["op"])
        (True, False)
    """
    return luminance(look.fill) < DARKEST


def luminance(colour: str) -> float:
    """Returns a colour's relative luminance, by the Web Content Accessibility Guidelines 2.1.

    Args:
        colour: ``"#rrggbb"``.

    Returns:
        0 for black to 1 for white.

    Example:
        >>> luminance("#ffffff")
        1.0
    """
    red, green, blue = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))

    def linear(part: float) -> float:
        return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4

    return round(0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue), 6)


def gap(above: str | None, below: str) -> float:
    """Returns the room between two lines besides their own heights: a line under a much smaller one is set too high.

    Args:
        above: The tone of the upper line; ``None`` if there's none.
        below: That of the lower line.

    Returns:
        Points.

    Example:
        >>> gap("quiet", "gradient"), gap("plain", "quiet")
        (3.0, 0.0)
    """
    return 3.0 if above is not None and TONES[below].size - TONES[above].size >= 2 else 0.0
