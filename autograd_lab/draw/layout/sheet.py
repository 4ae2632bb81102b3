"""Turns one connected graph, its layers and its order into coordinates and curves.

Relies on ``columns.py`` for the x of every vertex and on ``routes.py`` for the curves. Promises that neither
the boxes of a row touch nor the rows, and that every curve keeps clear of the boxes that it doesn't join.

A backward graph is deep and narrow: that of 140 transformer blocks has 6,500 rows and rarely five boxes in one.
Folded, such a graph is cut into bands of rows that stand side by side, like the columns of a newspaper; edges across
a cut are led through the gutter between two bands.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import NamedTuple, TypeAlias

from autograd_lab.draw.layout.columns import x_positions
from autograd_lab.draw.layout.routes import ARROW, Pen, Point

Size: TypeAlias = tuple[float, float]

BOX_GAP = 16.0
"""Points between two boxes of one row."""

LANE_GAP = 9.0
"""Points between an edge on its way and its neighbour."""

ROW_GAP = 24.0
"""Points between two rows; more where edges go far to the side."""

_STEEPNESS, _MOST_GAP = 0.06, 120.0
_GUTTER, _TRACK = 28.0, 7.0
_SHAPE = 1.4
"""Width over height that a folded graph should have."""

_REACH = 0.15
"""Part of a band's height by which a cut may be moved to where fewer edges cross."""


class Sheet(NamedTuple):
    """One connected graph, drawn. Coordinates in points, y growing downwards from 0.

    Attributes:
        centres: Vertex → the middle of its box.
        curves: One for each path that was handed in.
        width: From the left of the leftmost box to the right of the rightmost.
        height: From the top of the first row to the bottom of the last.

    Example:
        >>> draw_sheet([[0]], [[]], [(40, 20)], [], fold=False).width
        40.0
    """

    centres: dict[int, Point]
    curves: list[tuple[Point, ...]]
    width: float
    height: float


class EdgePath(NamedTuple):
    """An edge's way.

    Attributes:
        vertices: In layer after layer.
        leaves: Points to the right of the first vertex's middle at which the edge leaves it.
        arrives: The same for the last.
        beside: Points by which the whole way is shifted, for parallel edges.

    Example:
        >>> EdgePath((0, 1), leaves=5.0).arrives
        0.0
    """

    vertices: tuple[int, ...]
    leaves: float = 0.0
    arrives: float = 0.0
    beside: float = 0.0


class _Band(NamedTuple):
    """Rows ``first`` to ``last``, moved by so much, with the tracks of ``leaving`` edges below them."""

    first: int
    last: int
    right: float
    down: float
    leaving: int


def draw_sheet(
    rows: Sequence[Sequence[int]],
    below: Sequence[Sequence[int]],
    sizes: Sequence[Size],
    paths: Sequence[EdgePath],
    *,
    fold: bool,
) -> Sheet:
    """Finds coordinates and curves for one connected graph.

    Args:
        rows: The vertices of each layer from left to right, the highest first. Numbers beyond ``sizes`` are waypoints.
        below: For each vertex those one layer below that an edge leads to.
        sizes: ``(width, height)`` of each box, in points.
        paths: The edges to draw.
        fold: Whether a deep and narrow graph is cut into bands.

    Returns:
        The sheet.

    Example:
        >>> sheet = draw_sheet([[0], [1]], [[1], []], [(40, 20), (60, 20)], [EdgePath((0, 1))], fold=False)
        >>> sheet.centres, sheet.height
        ({0: (30.0, 10.0), 1: (30.0, 54.0)}, 64.0)
    """
    return _Drawing(rows, below, sizes, fold=fold).sheet(paths)


class _Drawing:
    def __init__(
        self,
        rows: Sequence[Sequence[int]],
        below: Sequence[Sequence[int]],
        sizes: Sequence[Size],
        *,
        fold: bool,
    ) -> None:
        self._rows, self._below, self._sizes = rows, below, sizes
        self._row = {vertex: i for i, row in enumerate(rows) for vertex in row}
        boxes = len(sizes)
        self._half = {vertex: sizes[vertex][0] / 2 if vertex < boxes else 0.0 for vertex in self._row}
        self._x = x_positions(rows, below, [vertex >= boxes for vertex in range(len(below))], self._room)
        self._top: list[float] = []
        self._bottom: list[float] = []
        self._stack_rows()
        self._bands = self._cut(fold=fold)
        self._band_of_row = [
            i for i, band in enumerate(self._bands) for _ in range(band.first, band.last + 1)
        ]
        self._track = self._tracks()

    def sheet(self, paths: Sequence[EdgePath]) -> Sheet:
        centres = {}
        for vertex, row in self._row.items():
            if vertex < len(self._sizes):
                band = self._bands[self._band_of_row[row]]
                middle = (self._top[row] + self._bottom[row]) / 2
                centres[vertex] = (self._x[vertex] + band.right, middle + band.down)
        curves = [self._curve(path) for path in paths]
        last = self._bands[-1]
        width = last.right + self._extent(last.first, last.last)[1]
        height = max(self._bottom[band.last] + band.down + band.leaving * _TRACK for band in self._bands)
        return Sheet(centres, curves, width, height)

    def _room(self, left: int, right: int) -> float:
        boxes = len(self._sizes)
        gap = BOX_GAP if left < boxes and right < boxes else LANE_GAP
        return self._half[left] + self._half[right] + gap

    def _stack_rows(self) -> None:
        y = 0.0
        for row in self._rows:
            height = max((self._sizes[vertex][1] for vertex in row if vertex < len(self._sizes)), default=0.0)
            self._top.append(y)
            self._bottom.append(y + height)
            far = max((abs(self._x[a] - self._x[b]) for a in row for b in self._below[a]), default=0.0)
            y += height + max(ROW_GAP, min(far * _STEEPNESS, _MOST_GAP))

    # --- folding -----------------------------------------------------------------------

    def _extent(self, first: int, last: int) -> tuple[float, float]:
        """Finds the left and the right edge of some rows."""
        ends = [(row[0], row[-1]) for row in self._rows[first : last + 1]]
        return min(self._x[a] - self._half[a] for a, _ in ends), max(
            self._x[b] + self._half[b] for _, b in ends
        )

    def _crossing(self, row: int) -> int:
        return sum(len(self._below[vertex]) for vertex in self._rows[row])

    def _cut(self, *, fold: bool) -> list[_Band]:
        height, (left, right) = self._bottom[-1], self._extent(0, len(self._rows) - 1)
        count = round((_SHAPE * height / (right - left + _GUTTER + 5 * _TRACK)) ** 0.5) if fold else 1
        cuts = self._cuts(count)
        bands: list[_Band] = []
        # Where the next band begins, and the room that the tracks into it need above it.
        edge, above = 0.0, 0.0
        for first, last in zip([0, *(cut + 1 for cut in cuts)], [*cuts, len(self._rows) - 1], strict=True):
            left, right = self._extent(first, last)
            leaving = self._crossing(last)  # none below the last row
            bands.append(_Band(first, last, edge - left, above - self._top[first], leaving))
            above = _TRACK * (leaving + 1)
            edge += right - left + above + _GUTTER
        return bands

    def _cuts(self, count: int) -> list[int]:
        """Chooses the rows after which the graph is cut: near equal heights, where few edges cross."""
        cuts: list[int] = []
        height, end = self._bottom[-1], 0
        for part in range(1, count):
            ideal, reach = height * part / count, height * _REACH / count
            begin = bisect_left(self._bottom, ideal - reach, lo=end)
            end = min(bisect_left(self._bottom, ideal + reach, lo=begin), len(self._rows) - 1)
            if begin < end:
                cuts.append(min(range(begin, end), key=partial(self._cost, ideal)))
        return cuts

    def _cost(self, ideal: float, row: int) -> tuple[int, float]:
        return self._crossing(row), abs(self._bottom[row] - ideal)

    def _tracks(self) -> dict[tuple[int, int], int]:
        """Numbers the edges across each cut, from the right."""
        found = {}
        for band in self._bands[:-1]:
            edges = [(a, b) for a in self._rows[band.last] for b in self._below[a]]
            edges.sort(key=lambda edge: (self._x[edge[0]], self._x[edge[1]]), reverse=True)
            found.update({edge: i for i, edge in enumerate(edges)})
        return found

    # --- curves ------------------------------------------------------------------------

    def _curve(self, path: EdgePath) -> tuple[Point, ...]:
        first, last = path.vertices[0], path.vertices[-1]
        band, x = self._at(first, path)
        start = self._bottom[self._row[first]]
        if first < len(self._sizes):
            start -= (start - self._top[self._row[first]] - self._sizes[first][1]) / 2
        pen = Pen((x, start + band.down))
        for a, b in pairwise(path.vertices):
            band, _ = self._at(a, path)
            pen.down_to(self._bottom[self._row[a]] + band.down)
            below, x = self._at(b, path)
            top = self._top[self._row[b]] + below.down
            stub = ARROW + 1 if b < len(self._sizes) else 0.0
            if band is below:
                pen.curve_to(x, top - stub)
            else:
                self._through_gutter(pen, self._track[a, b], band, below, x)
            pen.down_to(top)
        if last < len(self._sizes):
            row = self._row[last]
            pen.down_to(top + (self._bottom[row] - self._top[row] - self._sizes[last][1]) / 2)
        return pen.points()

    def _at(self, vertex: int, path: EdgePath) -> tuple[_Band, float]:
        band = self._bands[self._band_of_row[self._row[vertex]]]
        x = self._x[vertex] + band.right + path.beside
        if vertex == path.vertices[0]:
            x += path.leaves
        elif vertex == path.vertices[-1]:
            x += path.arrives
        return band, x

    def _through_gutter(self, pen: Pen, track: int, band: _Band, below: _Band, x: float) -> None:
        # The leftmost edge runs lowest, turns up furthest right and comes in lowest, so that no two tracks cross.
        out = (track + 1) * _TRACK
        count = band.leaving
        left = below.right + self._extent(below.first, below.last)[0]
        gutter = left - _GUTTER / 2 - (count - 1 - track) * _TRACK
        pen.down_to(self._bottom[band.last] + band.down + out)
        pen.line_to(gutter, self._bottom[band.last] + band.down + out)
        above = self._top[below.first] + below.down - (count - track) * _TRACK - ARROW
        pen.line_to(gutter, above)
        pen.line_to(x, above)
