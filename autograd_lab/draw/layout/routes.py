"""The curves that edges are drawn along, and the way they are written in Graphviz's language.

Relies on boxes in rows, waypoints between them (``layers.py``), and the attribute ``pos`` of an edge, which ``neato
-n2`` draws as it stands. Promises that no curve crosses a box: within a row it runs straight down between the boxes,
and only in the gap between two rows does it move to the side.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

Point: TypeAlias = tuple[float, float]

ARROW = 6.0
"""Points from an arrowhead's tip to its base: ten times Graphviz's ``arrowsize``, 0.6 here."""

_QUOTABLE = 12_000
"""Characters: Graphviz reads a quoted string of up to 16,384, and joins longer ones with ``+``."""


class Route(NamedTuple):
    """The curve of one edge.

    Attributes:
        points: Control points of cubic Bézier curves, 3 k + 1 of them, in points, y growing upwards; empty where
            the edge is left to Graphviz.
        head: Whether the curve reaches the edge's head, and so ends in an arrowhead. Where not, it ends where it
            meets the curve of another edge with the same head.

    Example:
        >>> Route(((0.0, 30.0), (0.0, 20.0), (0.0, 10.0), (0.0, 0.0)), True).head
        True
    """

    points: tuple[Point, ...]
    head: bool

    def pos(self, arrow: float = ARROW) -> str:
        """Writes the curve as the value of an edge's ``pos`` attribute, quotes included.

        Args:
            arrow: Points from an arrowhead's tip to its base: ten times the edge's ``arrowsize``.

        Returns:
            The value, or ``""`` where there's no curve.

        Example:
            >>> Route(((0.0, 30.0), (0.0, 20.0), (0.0, 10.0), (0.0, 0.0)), True).pos()
            '"e,0.0,0.0 0.0,30.0 0.0,20.0 0.0,10.0 0.0,6.0"'
        """
        if not self.points:
            return ""
        points, words = list(self.points), []
        if self.head:
            (x, y), (near_x, near_y) = points[-1], points[-2]
            length = max(((near_x - x) ** 2 + (near_y - y) ** 2) ** 0.5, 1e-9)
            points[-1] = (x + (near_x - x) * arrow / length, y + (near_y - y) * arrow / length)
            words.append(f"e,{x:.1f},{y:.1f}")
        words += [f"{x:.1f},{y:.1f}" for x, y in points]
        text = " ".join(words)
        parts = [text[i : i + _QUOTABLE] for i in range(0, len(text), _QUOTABLE)]
        return " + ".join(f'"{part}"' for part in parts)

    def middle(self) -> Point:
        """Finds a point about half way along the curve, where a label may stand (``lp``).

        Returns:
            ``(x, y)`` in points.

        Example:
            >>> Route(((0.0, 30.0), (0.0, 20.0), (0.0, 10.0), (0.0, 0.0)), True).middle()
            (0.0, 15.0)
        """
        start = (len(self.points) - 1) // 6 * 3
        a, b, c, d = self.points[start : start + 4]
        return (a[0] + 3 * b[0] + 3 * c[0] + d[0]) / 8, (a[1] + 3 * b[1] + 3 * c[1] + d[1]) / 8


class Pen:
    """Draws one curve, from its beginning on.

    Example:
        >>> pen = Pen((0.0, 0.0))
        >>> pen.down_to(-10.0)
        >>> pen.down_to(-30.0)
        >>> pen.points()
        ((0.0, 0.0), (0.0, -10.0), (0.0, -20.0), (0.0, -30.0))
    """

    def __init__(self, start: Point) -> None:
        self._points = [start]
        self._y = start[1]

    @property
    def x(self) -> float:
        """Where the pen is."""
        return self._points[-1][0]

    def down_to(self, y: float) -> None:
        """Draws straight down (or up); lines that continue each other become one."""
        self._y = y

    def curve_to(self, x: float, y: float) -> None:
        """Draws a curve to ``(x, y)`` that leaves and arrives upright."""
        if abs(x - self.x) < 0.05:
            self.down_to(y)
            return
        self._flush()
        old, middle = self.x, (self._y + y) / 2
        self._points += [(old, middle), (x, middle), (x, y)]
        self._y = y

    def line_to(self, x: float, y: float) -> None:
        """Draws a straight line to ``(x, y)``."""
        self._flush()
        (a, b), third, two_thirds = self._points[-1], 1 / 3, 2 / 3
        self._points += [
            (a + (x - a) * third, b + (y - b) * third),
            (a + (x - a) * two_thirds, b + (y - b) * two_thirds),
            (x, y),
        ]
        self._y = y

    def points(self) -> tuple[Point, ...]:
        """Ends the curve and gives its control points."""
        self._flush()
        return tuple(self._points)

    def _flush(self) -> None:
        x, y = self._points[-1]
        if abs(self._y - y) > 0.05:
            step = (self._y - y) / 3
            self._points += [(x, y + step), (x, y + 2 * step), (x, self._y)]
