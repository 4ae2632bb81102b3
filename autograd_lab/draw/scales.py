"""Colours that stand for values: of boxes by ``heat``, of maps, and of a model's layers by their depth.

Relies on ``theme``. Promises that a scale grows darker and that of boxes wider, too, so that it can be read without
colours.
"""

from __future__ import annotations

from typing import NamedTuple

from autograd_lab.draw.theme import DARKEST, FAINT, INK, LOOKS, PAPER, QUIET, VERMILLION, Look, luminance


class Warmth(NamedTuple):
    """How a box looks that is coloured by a value: its own fill and outline otherwise as its look says.

    Attributes:
        fill: Colour of the inside.
        width: Points of the outline.
        line: Colour of the outline; ``None`` takes that of the look.

    Example:
        >>> HEATS["5"].width > HEATS["0"].width
        True
    """

    fill: str
    width: float
    line: str | None = None


HEATS: dict[str, Warmth] = {
    "0": Warmth("#fdf8e3", 0.8),
    "1": Warmth("#fcebbb", 1.2),
    "2": Warmth("#fad88b", 1.6),
    "3": Warmth("#f7bd69", 2.0),
    "4": Warmth("#f29f57", 2.4),
    "5": Warmth("#ea8150", 2.8),
    "zero": Warmth(PAPER, 0.4),
    "faded": Warmth("#f3f4f6", 0.6, FAINT),
    "not finite": Warmth(VERMILLION, 4.0, INK),
}
"""Step of a scale → how it looks; those from ``"0"`` up grow darker and their outlines wider."""

SCALE = (
    "#fdf8e3",
    "#fcf0ca",
    "#fbe6ae",
    "#fada8f",
    "#f8c978",
    "#f6b866",
    "#f3a45a",
    "#ee9154",
    "#e67c4d",
    "#cd5537",
    "#ae3728",
    "#8a1f1f",
)
"""Colours from little to much, for maps that no text stands on."""

DEPTHS = (
    "#0b5a9e",
    "#275498",
    "#424f93",
    "#5e4a8e",
    "#7a4488",
    "#884368",
    "#954249",
    "#a2402a",
    "#b03f0a",
)
"""Colours of a model's layers, from the first to the last."""

FADED = "faded"
"""The key of what surrounds the one module that is drawn."""

_SCALE = (
    "#23231c",
    "#2e2b1a",
    "#3b3218",
    "#493915",
    "#573d14",
    "#664013",
    "#754214",
    "#854116",
    "#96421a",
    "#b54f27",
    "#d3683d",
    "#f08a5a",
)
_DEPTHS = (
    "#86c1f7",
    "#99baf2",
    "#acb4ed",
    "#c0ade8",
    "#d3a6e3",
    "#dea5c7",
    "#e9a4ac",
    "#f4a390",
    "#ffa274",
)

DARK = dict(zip(SCALE, _SCALE, strict=True)) | dict(zip(DEPTHS, _DEPTHS, strict=True))
"""Each colour of maps and of layers → the one that takes its place on a dark page."""


def look_of(kind: str, heat: str = "") -> Look:
    """Returns how a box looks.

    Args:
        kind: A key of `LOOKS`.
        heat: A key of `HEATS`; empty for none.

    Example:
        >>> look_of("op", "5").fill == HEATS["5"].fill
        True
    """
    look = LOOKS[kind]
    if not heat:
        return look
    warmth = HEATS[heat]
    ink = PAPER if luminance(warmth.fill) < DARKEST else QUIET if heat == FADED else INK
    return look._replace(fill=warmth.fill, width=warmth.width, line=warmth.line or look.line, ink=ink)
