"""A layered layout for graphs that ``dot`` would take minutes for, drawn from the top down.

Layers and lanes come from `layers.py`; the order within each layer, which decides how many edges cross, from the
Rust library fast-sugiyama; coordinates and curves from `columns.py`, `sheet.py` and `routes.py`.

What it relies on: ``fast_sugiyama.from_edges``, run in a process of its own (`isolated.py`) since it recurses once for
each layer and ends the process on a failed assertion. It only gets graphs without cycles whose edges all span one
layer. What it promises: no two boxes touch; every edge of a graph without cycles leads down (but see ``fold``); equal
graphs give equal layouts, on every machine; vertices without edges and graphs of several pieces are placed too.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, TypeAlias

from autograd_lab.draw.layout.layers import Layered, layered
from autograd_lab.draw.layout.routes import Point, Route
from autograd_lab.draw.layout.sheet import LANE_GAP, Path, Sheet, Size, draw_sheet
from autograd_lab.draw.native.isolated import call
from autograd_lab.errors import RenderError

Direction: TypeAlias = Literal["down", "up", "right", "left"]

PIECE_GAP = 40.0
"""Points between two unconnected pieces."""

_SIDE_BY_SIDE = 5.0
"""Points between two parallel edges."""

_SHAPE = 1.4
"""Width over height that the pieces together should have."""

_BLOCK_ROW = 6
"""Leaves below one vertex from which on they're a row of a block."""

_WIDE = 400
"""Vertices in one layer above which neighbours aren't swapped one by one, which takes the square of their number."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything goes. Points, y growing upwards from 0, as Graphviz has it.

    Attributes:
        positions: The middle of each box.
        routes: The curve of each edge.
        width: Of the whole picture.
        height: Of the whole picture.

    Example:
        >>> layout([(40, 20)], []).positions
        ((20.0, 10.0),)
    """

    positions: tuple[Point, ...]
    routes: tuple[Route, ...]
    width: float
    height: float


def layout(
    sizes: Sequence[Size],
    edges: Sequence[tuple[int, int]],
    *,
    direction: Direction = "down",
    ends: Sequence[tuple[float, float]] | None = None,
    fold: bool = False,
) -> Layout:
    """Lays a graph out.

    Args:
        sizes: ``(width, height)`` of each box, in points.
        edges: ``(tail, head)`` of each edge, as places in ``sizes``. Parallel edges run side by side. An edge from a
            box to itself, and the few that a very tangled graph has no room for, get an empty route.
        direction: Which way edges lead.
        ends: For each edge, how far from the middle of a side it leaves its tail and reaches its head, in points to
            the right, or downwards where edges lead to a side. Without it edges join the middles.
        fold: Cut a deep and narrow graph into bands of rows that stand side by side, like the columns of a newspaper.
            Edges from one band to the next run back through the gutter between them; all others lead the right way.

    Returns:
        The layout.

    Raises:
        RenderError: fast-sugiyama isn't installed, or it failed.
        ValueError: an edge names a box that there isn't.

    Example:
        >>> found = layout([(40, 20), (60, 20)], [(0, 1)])
        >>> found.positions
        ((30.0, 54.0), (30.0, 10.0))
        >>> found.routes[0].pos()
        '"e,30.0,20.0 30.0,44.0 30.0,36.0 30.0,28.0 30.0,26.0"'
    """
    if direction in ("right", "left"):
        sizes = [(height, width) for width, height in sizes]
    graph = layered(len(sizes), edges)
    pieces = _pieces(graph, edges)
    rows = _ordered(graph, pieces)
    own: dict[int, int] = {vertex: number for number, piece in enumerate(pieces) for vertex in piece}
    drawn: list[list[int]] = [[] for _ in pieces]
    for number, path in enumerate(graph.paths):
        if path:
            drawn[own[path[0]]].append(number)
    paths = _paths(graph, sizes, edges, ends)
    sheets = [
        draw_sheet(rows[at], graph.below, sizes, [paths[number] for number in drawn[at]], fold=fold)
        for at in range(len(pieces))
    ]
    return _turned(_joined(sheets, drawn, graph, len(sizes)), direction)


def positions(
    sizes: Sequence[Size], edges: Sequence[tuple[int, int]], *, direction: Direction = "down"
) -> list[Point]:
    """Lays a graph out and gives the boxes' places only.

    Args:
        sizes: ``(width, height)`` of each box, in points.
        edges: ``(tail, head)`` of each edge, as places in ``sizes``.
        direction: Which way edges lead.

    Returns:
        The middle of each box in points, y growing upwards.

    Raises:
        RenderError: fast-sugiyama isn't installed, or it failed.
        ValueError: an edge names a box that there isn't.

    Example:
        >>> positions([(40, 20), (60, 20)], [(0, 1)])
        [(30.0, 54.0), (30.0, 10.0)]
    """
    return list(layout(sizes, edges, direction=direction).positions)


def _pieces(graph: Layered, edges: Sequence[tuple[int, int]]) -> list[list[int]]:
    """Splits the vertices, waypoints included, into connected pieces; each is in rising order."""
    root = list(range(len(graph.layer)))

    def find(vertex: int) -> int:
        while root[vertex] != vertex:
            root[vertex] = vertex = root[root[vertex]]
        return vertex

    # Along the edges too, and not only what they became: some may have found no way.
    for a, b in edges:
        root[find(a)] = find(b)
    for a, others in enumerate(graph.below):
        for b in others:
            root[find(a)] = find(b)
    pieces = defaultdict(list)
    for vertex in range(len(graph.layer)):
        pieces[find(vertex)].append(vertex)
    return list(pieces.values())


def _ordered(graph: Layered, pieces: Sequence[Sequence[int]]) -> list[list[list[int]]]:
    """Sorts each piece into rows, and each row so that few edges cross."""
    found = []
    asked = []
    for piece in pieces:
        by_layer = defaultdict(list)
        for vertex in piece:
            by_layer[graph.layer[vertex]].append(vertex)
        found.append([by_layer[layer] for layer in sorted(by_layer)])
        if len(by_layer) < len(piece):
            asked.append(len(found) - 1)
    if asked:
        requests = [_request(graph, pieces[at], widest=max(map(len, found[at]))) for at in asked]
        answer = call("order", json.dumps(requests).encode(), advice="pip install fast-sugiyama")
        if not answer.ok:
            raise RenderError(
                f"the layout failed: {answer.said.strip().splitlines()[-1:]}; try a smaller graph"
            )
        for at, places in zip(asked, json.loads(answer.result), strict=True):
            x = {pieces[at][vertex]: place for vertex, place in places if vertex < len(pieces[at])}
            for row in found[at]:
                row.sort(key=lambda vertex: (x[vertex], vertex))
            _centre_trunks(found[at], graph)
    return found


def _centre_trunks(rows: Sequence[list[int]], graph: Layered) -> None:
    """Moves what leads on to the middle of the leaves beside it, which stand in their own order then, in place.

    Else a lane down a block of leaves stands at its side, and each row of the block wanders off a bit further.
    """
    for upper, row in pairwise(rows):
        at = {vertex: place for place, vertex in enumerate(row)}
        above = Counter(other for vertex in upper for other in graph.below[vertex])
        for vertex in upper:
            leading = [other for other in graph.below[vertex] if graph.below[other]]
            leaves = sorted(
                other for other in graph.below[vertex] if not graph.below[other] and above[other] == 1
            )
            if len(leading) > 1 or len(leaves) < _BLOCK_ROW:
                continue
            half = len(leaves) // 2
            order = [*leaves[:half], *leading, *leaves[half:]]
            for place, other in zip(sorted(at[other] for other in order), order, strict=True):
                row[place] = other


def _request(graph: Layered, piece: Sequence[int], *, widest: int) -> dict[str, object]:
    """Writes one piece for fast-sugiyama, its vertices numbered from 0.

    Its ranking puts every vertex that nothing leads to into the top layer, and it takes unconnected parts for graphs
    of their own. Where there's more than one such vertex a spine of further vertices, one in each layer, holds them
    all in their layers and together.
    """
    number = {vertex: at for at, vertex in enumerate(piece)}
    edges = [(number[a], number[b]) for a in piece for b in graph.below[a]]
    reached = {b for _, b in edges}
    tops = [at for at in range(len(piece)) if at not in reached]
    if len(tops) > 1:
        layers = [graph.layer[piece[at]] for at in tops]
        start = len(piece) - min(layers)  # the spine's vertex above layer 0 would have this number
        edges += [(start + layer, at) for at, layer in zip(tops, layers, strict=True)]
        edges += [(start + layer, start + layer + 1) for layer in range(min(layers), max(layers))]
    return {"edges": edges, "transpose": widest <= _WIDE}


def _paths(
    graph: Layered,
    sizes: Sequence[Size],
    edges: Sequence[tuple[int, int]],
    ends: Sequence[tuple[float, float]] | None,
) -> list[Path]:
    """Says for each edge how its way is drawn; a way that was turned round is drawn from its upper end."""
    times, seen = Counter(edges), Counter[tuple[int, int]]()
    paths = []
    for number, (edge, path) in enumerate(zip(edges, graph.paths, strict=True)):
        leaves, arrives = ends[number] if ends else (0.0, 0.0)
        beside = (seen[edge] - (times[edge] - 1) / 2) * _SIDE_BY_SIDE
        seen[edge] += 1
        if not path:
            paths.append(Path(()))
            continue
        room = min(sizes[edge[0]][0], sizes[edge[1]][0]) / 2 - 2
        if len(path) > 2:
            room = min(room, LANE_GAP - 1)  # beside its lane there may be a box
        beside = max(-room, min(beside, room))
        # An end that lies on another edge's lane isn't at a box, and so has no place of its own there.
        leaves, arrives = (leaves if path[0] == edge[0] else 0.0), (arrives if path[-1] == edge[1] else 0.0)
        upwards = graph.layer[path[0]] > graph.layer[path[-1]]
        paths.append(
            Path(path[::-1], arrives, leaves, beside) if upwards else Path(path, leaves, arrives, beside)
        )
    return paths


def _joined(sheets: Sequence[Sheet], drawn: Sequence[Sequence[int]], graph: Layered, count: int) -> Layout:
    """Sets the pieces side by side in shelves, the highest first, and makes y grow upwards."""
    order = sorted(range(len(sheets)), key=lambda at: -sheets[at].height)
    area = sum((sheet.width + PIECE_GAP) * (sheet.height + PIECE_GAP) for sheet in sheets)
    widest = max([(area * _SHAPE) ** 0.5, *(sheet.width for sheet in sheets)])
    corner: dict[int, Point] = {}
    x = y = shelf = width = 0.0
    for at in order:
        sheet = sheets[at]
        if x and x + sheet.width > widest:
            x, y = 0.0, y + shelf + PIECE_GAP
            shelf = 0.0
        corner[at] = (x, y)
        x, shelf = x + sheet.width + PIECE_GAP, max(shelf, sheet.height)
        width = max(width, x - PIECE_GAP)
    height = y + shelf

    places: list[Point] = [(0.0, 0.0)] * count
    routes = [Route((), False)] * len(graph.paths)
    for at, sheet in enumerate(sheets):
        right, down = corner[at]
        for vertex, (x, y) in sheet.centres.items():
            places[vertex] = (x + right, height - y - down)
        for number, curve in zip(drawn[at], sheet.curves, strict=True):
            path = graph.paths[number]
            points = tuple((x + right, height - y - down) for x, y in curve)
            upwards = graph.layer[path[0]] > graph.layer[path[-1]]
            routes[number] = Route(points[::-1] if upwards else points, path[-1] < count)
    return Layout(tuple(places), tuple(routes), width, height)


def _turned(found: Layout, direction: Direction) -> Layout:
    """Turns a layout that leads down into one that leads another way."""
    if direction == "down":
        return found
    width, height = found.width, found.height

    def turn(point: Point) -> Point:
        x, y = point
        if direction == "up":
            return x, height - y
        return (height - y if direction == "right" else y), width - x

    places = tuple(map(turn, found.positions))
    routes = tuple(Route(tuple(map(turn, route.points)), route.head) for route in found.routes)
    return Layout(places, routes, *((width, height) if direction == "up" else (height, width)))
