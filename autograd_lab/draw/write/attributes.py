"""Graphviz's attributes for the looks and strokes of the theme.

Relies on ``theme``.
"""

from __future__ import annotations

from collections.abc import Mapping

from autograd_lab.draw.theme import Look, Stroke

SHAPES = {
    "rounded": {"shape": "box", "style": "rounded,filled"},
    "box": {"shape": "box", "style": "filled"},
    "double": {"shape": "box", "style": "rounded,filled", "peripheries": "2"},
    "framed": {"shape": "box", "style": "filled", "peripheries": "2"},
    "circle": {"shape": "ellipse", "style": "filled"},
    "plain": {"shape": "plain", "style": "solid", "peripheries": "0"},
} | {name: {"shape": name, "style": "filled"} for name in ("ellipse", "component", "note", "folder", "tab")}


def look_of(look: Look) -> dict[str, str]:
    """Returns the attributes of a box."""
    shape = SHAPES[look.shape]
    style = f"{shape['style']},dashed" if look.dashed else shape["style"]
    return {
        "shape": shape["shape"],
        "style": f'"{style}"',
        "fillcolor": f'"{look.fill}"',
        "color": f'"{look.line}"',
        "penwidth": f"{look.width:g}",
        "peripheries": shape.get("peripheries", "1"),
    }


def stroke_of(stroke: Stroke) -> dict[str, str]:
    """Returns the attributes of an arrow."""
    return {
        "color": f'"{stroke.line}"',
        "penwidth": f"{stroke.width:g}",
        "style": stroke.dash,
        "arrowhead": "normal" if stroke.head else "none",
    }


def margin_of(points: tuple[float, float]) -> str:
    """Returns the room around a box's text, which Graphviz has in inches."""
    return f'"{points[0] / 72:.3f},{points[1] / 72:.3f}"'


def differences(attributes: Mapping[str, str], usual: Mapping[str, str]) -> dict[str, str]:
    """Returns those attributes that aren't as usual."""
    return {name: value for name, value in attributes.items() if usual[name] != value}


def attributes_of(attributes: Mapping[str, str]) -> str:
    """Returns attributes as they stand between brackets."""
    return ", ".join(f"{name}={value}" for name, value in attributes.items())


def edge(tail: str, head: str, attributes: Mapping[str, str]) -> str:
    """Returns the line of an arrow."""
    return f"{tail} -> {head}{f' [{attributes_of(attributes)}]' if attributes else ''};"
