"""The colours of a dark page.

Relies on ``theme``. Promises one for each colour of its own and of boxes that are coloured by a value, on which text
can be read: tests/draw/test_theme.py.
"""

from __future__ import annotations

from autograd_lab.draw.theme import (
    BLUE,
    DEEP_BLUE,
    FAINT,
    GREEN,
    INK,
    MODULE_LINE,
    OLIVE,
    ORANGE,
    PAPER,
    PURPLE,
    QUIET,
    SKY,
    SLATE,
    VERMILLION,
)

DARK: dict[str, str] = {
    PAPER: "#14181f",
    INK: "#e6ebf1",
    QUIET: "#a7b2bf",
    SLATE: "#8fa4b8",
    FAINT: "#7f8b98",
    BLUE: "#86c1f7",
    DEEP_BLUE: "#a3cdf4",
    GREEN: "#70cf9f",
    ORANGE: "#e9b45f",
    VERMILLION: "#ffa274",
    PURPLE: "#d3a6e3",
    OLIVE: "#d5c563",
    SKY: "#82c7ec",
    MODULE_LINE: "#4d596a",
    "#4a4f94": "#aab0f4",
    "#6a7b8c": "#91a2b4",
    "#edf2f8": "#232d3a",
    "#dcf1e5": "#17362a",
    "#fdecd2": "#3a2c14",
    "#f1e6f5": "#35253c",
    "#fce3d9": "#43271b",
    "#eef0fb": "#252948",
    "#fffae0": "#37330f",
    "#f3f4f6": "#21262d",
    "#def1fb": "#16313e",
    "#f7f8fa": "#191e26",
    "#eff1f5": "#1f252e",
    "#e6eaf0": "#272e38",
    "#fdf8e3": "#23231c",
    "#fcebbb": "#352f19",
    "#fad88b": "#4b3a15",
    "#f7bd69": "#614013",
    "#f29f57": "#7a4214",
    "#ea8150": "#924018",
}
"""Each colour → the one that takes its place on a dark page."""
