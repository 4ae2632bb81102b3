"""A layered layout for graphs that ``dot`` would take minutes for, drawn from the top down.

Layers and lanes come from `layers.py`; the order within each layer, which decides how many edges cross, from the
Rust library fast-sugiyama; coordinates and curves from `columns.py`, `sheet.py` and `routes.py`.

Relies on ``fast_sugiyama.from_edges``, run in a process of its own (``isolated.py``), since it recurses once for each
layer and ends the process on a failed assertion. It only gets graphs without cycles whose edges all span one layer.
Promises that no two boxes touch; that every edge of a graph without cycles leads down (but see ``fold``); that equal
graphs give equal layouts, on every machine; and that vertices without edges and graphs of several pieces
are placed too.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from autograd_lab.draw.layout.layers import Layered, layered
from autograd_lab.draw.layout.routes import Point, Route
from autograd_lab.draw.layout.sheet import LANE_GAP, EdgePath, Sheet, Size, draw_sheet
from autograd_lab.draw.native.isolated import call
from autograd_lab.errors import RenderError

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
    ends: Sequence[tuple[float, float]] | None = None,
    fold: bool = False,
) -> Layout:
    """Lays a graph out, from the top down.

    Args:
        sizes: ``(width, height)`` of each box, in points.
        edges: ``(tail, head)`` of each edge, as indices of ``sizes``. Parallel edges run side by side. An edge from a
            box to itself, and the few that a very tangled graph has no room for, get an empty route.
        ends: For each edge, how far to the right of the middle of a side it leaves its tail and reaches its head, in
            points. Without it edges join the middles.
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
    graph = layered(len(sizes), edges)
    pieces = _pieces(graph, edges)
    rows = _ordered(graph, pieces)
    own: dict[int, int] = {vertex: index for index, piece in enumerate(pieces) for vertex in piece}
    drawn: list[list[int]] = [[] for _ in pieces]
    for index, path in enumerate(graph.paths):
        if path:
            drawn[own[path[0]]].append(index)
    paths = _paths(graph, sizes, edges, ends)
    sheets = [
        draw_sheet(ordered, graph.below, sizes, [paths[index] for index in own_paths], fold=fold)
        for ordered, own_paths in zip(rows, drawn, strict=True)
    ]
    return _joined(sheets, drawn, graph, len(sizes))


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
        requests = [_request(graph, pieces[i], widest=max(map(len, found[i]))) for i in asked]
        answer = call("order", json.dumps(requests).encode(), advice="pip install fast-sugiyama")
        if not answer.ok:
            raise RenderError(
                f"the layout failed: {answer.said.strip().splitlines()[-1:]}; try a smaller graph"
            )
        for index, placed in zip(asked, json.loads(answer.result), strict=True):
            piece, rows = pieces[index], found[index]
            x = {piece[vertex]: across for vertex, across in placed if vertex < len(piece)}
            for row in rows:
                row.sort(key=lambda vertex: (x[vertex], vertex))
            _centre_trunks(rows, graph)
    return found


def _centre_trunks(rows: Sequence[list[int]], graph: Layered) -> None:
    """Moves the vertices that lead on into the middle of the leaves beside them. Changes the rows in place.

    Otherwise a lane past a block of leaves stands at its side, and each row of the block drifts a bit further away.
    """
    for upper, row in pairwise(rows):
        index_of = {vertex: i for i, vertex in enumerate(row)}
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
            for index, other in zip(sorted(index_of[other] for other in order), order, strict=True):
                row[index] = other


def _request(graph: Layered, piece: Sequence[int], *, widest: int) -> dict[str, object]:
    """Writes one piece for fast-sugiyama, its vertices numbered from 0.

    Its ranking puts every vertex that nothing leads to into the top layer, and it takes unconnected parts for graphs
    of their own. Where there's more than one such vertex a spine of further vertices, one in each layer, holds them
    all in their layers and together.
    """
    index_of = {vertex: i for i, vertex in enumerate(piece)}
    edges = [(index_of[a], index_of[b]) for a in piece for b in graph.below[a]]
    reached = {b for _, b in edges}
    tops = [i for i in range(len(piece)) if i not in reached]
    if len(tops) > 1:
        layers = [graph.layer[piece[i]] for i in tops]
        start = len(piece) - min(layers)  # the spine's vertex above layer 0 would have this index
        edges += [(start + layer, i) for i, layer in zip(tops, layers, strict=True)]
        edges += [(start + layer, start + layer + 1) for layer in range(min(layers), max(layers))]
    return {"edges": edges, "transpose": widest <= _WIDE}


def _paths(
    graph: Layered,
    sizes: Sequence[Size],
    edges: Sequence[tuple[int, int]],
    ends: Sequence[tuple[float, float]] | None,
) -> list[EdgePath]:
    """Returns how the way of each edge is drawn; a way that was turned round is drawn from its upper end."""
    times, seen = Counter(edges), Counter[tuple[int, int]]()
    paths = []
    for index, (edge, path) in enumerate(zip(edges, graph.paths, strict=True)):
        leaves, arrives = ends[index] if ends else (0.0, 0.0)
        beside = (seen[edge] - (times[edge] - 1) / 2) * _SIDE_BY_SIDE
        seen[edge] += 1
        if not path:
            paths.append(EdgePath(()))
            continue
        room = min(sizes[edge[0]][0], sizes[edge[1]][0]) / 2 - 2
        if len(path) > 2:
            room = min(room, LANE_GAP - 1)  # beside its lane there may be a box
        beside = max(-room, min(beside, room))
        # An end that lies on another edge's lane isn't at a box, and so has no place of its own there.
        leaves, arrives = (leaves if path[0] == edge[0] else 0.0), (arrives if path[-1] == edge[1] else 0.0)
        upwards = graph.layer[path[0]] > graph.layer[path[-1]]
        paths.append(
            EdgePath(path[::-1], arrives, leaves, beside)
            if upwards
            else EdgePath(path, leaves, arrives, beside)
        )
    return paths


def _joined(sheets: Sequence[Sheet], drawn: Sequence[Sequence[int]], graph: Layered, count: int) -> Layout:
    """Sets the pieces side by side in shelves, the highest first, and makes y grow upwards."""
    order = sorted(range(len(sheets)), key=lambda index: -sheets[index].height)
    area = sum((sheet.width + PIECE_GAP) * (sheet.height + PIECE_GAP) for sheet in sheets)
    widest = max([(area * _SHAPE) ** 0.5, *(sheet.width for sheet in sheets)])
    corner: dict[int, Point] = {}
    x = y = shelf = width = 0.0
    for index in order:
        sheet = sheets[index]
        if x and x + sheet.width > widest:
            x, y = 0.0, y + shelf + PIECE_GAP
            shelf = 0.0
        corner[index] = (x, y)
        x, shelf = x + sheet.width + PIECE_GAP, max(shelf, sheet.height)
        width = max(width, x - PIECE_GAP)
    height = y + shelf

    positions: list[Point] = [(0.0, 0.0)] * count
    routes = [Route((), False)] * len(graph.paths)
    for index, sheet in enumerate(sheets):
        right, down = corner[index]
        for vertex, (x, y) in sheet.centres.items():
            positions[vertex] = (x + right, height - y - down)
        for edge, curve in zip(drawn[index], sheet.curves, strict=True):
            path = graph.paths[edge]
            points = tuple((x + right, height - y - down) for x, y in curve)
            upwards = graph.layer[path[0]] > graph.layer[path[-1]]
            routes[edge] = Route(points[::-1] if upwards else points, path[-1] < count)
    return Layout(tuple(positions), tuple(routes), width, height)
