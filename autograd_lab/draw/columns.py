"""Places the vertices of a layered graph from left to right.

The last step of a layered drawing. Vertices that can stand straight below each other are joined into columns, as by
Brandes and Köpf ("Fast and simple horizontal coordinate assignment", 2001); the columns are packed to the left and
then moved, one at a time, towards the median of what they are joined to, as far as their neighbours allow.

What it relies on: the order within each layer, and that every edge spans one layer. What it promises: that order is
kept, with at least the asked room between two neighbours; equal input gives equal results; time linear in the
vertices and n log n in the edges.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

SWEEPS = 12
"""Times that every column is moved. Later sweeps change little."""

Rows: TypeAlias = Sequence[Sequence[int]]


def place(
    rows: Rows,
    below: Sequence[Sequence[int]],
    waypoint: Sequence[bool],
    room: Callable[[int, int], float],
) -> dict[int, float]:
    """Finds an x for every vertex.

    Args:
        rows: The vertices of each layer from left to right, the highest layer first.
        below: For each vertex those one layer below that it's joined to.
        waypoint: For each vertex whether it's only a bend of an edge; those are kept straight first of all.
        room: The least distance between two neighbours in a layer, in points.

    Returns:
        Vertex → x in points, growing to the right, the smallest 0.

    Example:
        >>> place([[0], [1, 2]], [[1, 2], [], []], [False] * 3, lambda left, right: 10.0)
        {0: 0.0, 1: 0.0, 2: 10.0}
    """
    column = _columns(rows, below, waypoint)
    count = max(column.values()) + 1
    left: list[dict[int, float]] = [{} for _ in range(count)]
    right: list[dict[int, float]] = [{} for _ in range(count)]
    for row in rows:
        for a, b in zip(row, row[1:], strict=False):
            before, after = column[a], column[b]
            needed = max(room(a, b), left[after].get(before, 0.0))
            left[after][before] = right[before][after] = needed
    joined: list[list[int]] = [[] for _ in range(count)]
    for vertex, here in column.items():
        for other in below[vertex]:
            if (there := column[other]) != here:
                joined[here].append(there)
                joined[there].append(here)
    x = _packed(left, right)
    _settle(x, left, right, joined)
    least = min(x)
    return {vertex: x[here] - least for vertex, here in column.items()}


def _columns(rows: Rows, below: Sequence[Sequence[int]], waypoint: Sequence[bool]) -> dict[int, int]:
    """Numbers the columns: vertex → column."""
    column: dict[int, int] = {}
    count = 0
    straight: dict[int, int] = {}
    depth = _depths(rows, below)
    for at, row in enumerate(rows):
        for vertex in row:
            if vertex in straight:
                column[vertex] = column[straight[vertex]]
            else:
                column[vertex] = count
                count += 1
        if at + 1 < len(rows):
            straight = _straight(row, rows[at + 1], below, waypoint, depth)
    return column


def _depths(rows: Rows, below: Sequence[Sequence[int]]) -> dict[int, int]:
    """Counts the layers that can be reached below each vertex."""
    depth: dict[int, int] = {}
    for row in reversed(rows):
        for vertex in row:
            depth[vertex] = max((depth[other] + 1 for other in below[vertex]), default=0)
    return depth


def _straight(
    upper: Sequence[int],
    lower: Sequence[int],
    below: Sequence[Sequence[int]],
    waypoint: Sequence[bool],
    depth: Mapping[int, int],
) -> dict[int, int]:
    """Chooses the edges between two layers that are drawn straight: lower → upper vertex. None of them cross."""
    place_in_lower = {vertex: at for at, vertex in enumerate(lower)}
    edges = [(i, place_in_lower[b]) for i, a in enumerate(upper) for b in below[a]]
    outs, ins = _middles(edges), _middles([(j, i) for i, j in edges])

    def rank(edge: tuple[int, int]) -> tuple[int, int, float]:
        i, j = edge
        bends = waypoint[upper[i]] + waypoint[lower[j]]
        # First between two waypoints, then from box to box, and last where a long edge begins or ends. Of a box's
        # ways down the longest goes straight, so that the trunk of a graph does, and its leaves stand aside.
        return (1, 2, 0)[bends], -depth[lower[j]], abs(outs[i] - j) + abs(ins[j] - i)

    chosen: list[tuple[int, int]] = []
    for i, j in sorted(edges, key=rank):
        at = bisect(chosen, (i, j))
        before_fits = at == 0 or (chosen[at - 1][0] < i and chosen[at - 1][1] < j)
        after_fits = at == len(chosen) or (chosen[at][0] > i and chosen[at][1] > j)
        if before_fits and after_fits:
            chosen.insert(at, (i, j))
    return {lower[j]: upper[i] for i, j in chosen}


def _middles(edges: Sequence[tuple[int, int]]) -> dict[int, float]:
    """Finds the median of what each vertex is joined to."""
    ends: dict[int, list[int]] = {}
    for a, b in edges:
        ends.setdefault(a, []).append(b)
    return {vertex: _median(found) for vertex, found in ends.items()}


def _median(values: Sequence[float]) -> float:
    ordered = sorted(values)
    return (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2


def _packed(left: Sequence[dict[int, float]], right: Sequence[dict[int, float]]) -> list[float]:
    """Puts every column as far left as it can go."""
    x = [0.0] * len(left)
    for here in _from_left(left, right):
        x[here] = max((x[other] + room for other, room in left[here].items()), default=0.0)
    return x


def _from_left(left: Sequence[dict[int, float]], right: Sequence[dict[int, float]]) -> list[int]:
    # There's always such an order: columns don't cross, so no ring of them lies left of itself.
    waiting = [len(others) for others in left]
    order = [here for here, number in enumerate(waiting) if not number]
    for here in order:  # grows while it's walked
        for other in right[here]:
            waiting[other] -= 1
            if not waiting[other]:
                order.append(other)
    return order


def _settle(
    x: list[float],
    left: Sequence[dict[int, float]],
    right: Sequence[dict[int, float]],
    joined: Sequence[Sequence[int]],
) -> None:
    """Moves columns towards what they're joined to, in place."""
    order = _from_left(left, right)
    for sweep in range(SWEEPS):
        # All is packed to the left at first, so the rightmost moves first and makes room for the others.
        for here in order if sweep % 2 else reversed(order):
            if joined[here]:
                target = _median([x[other] for other in joined[here]])
                target = min([target, *(x[other] - room for other, room in right[here].items())])
                x[here] = max([target, *(x[other] + room for other, room in left[here].items())])
