"""Places the vertices of a layered graph from left to right.

The last step of a layered drawing. Vertices that can stand straight below each other are joined into columns, as by
Brandes and Köpf ("Fast and simple horizontal coordinate assignment", 2001). A walk from row to row says where each
column would like to be; then they are moved, one at a time, towards the median of what they are joined to, as far as
their neighbours allow.

Relies on the order within each layer, and on every edge spanning one layer. Promises that this order is kept, with at
least the room asked for between two neighbours; that equal input gives equal results; and time linear in the vertices
and n log n in the edges.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import TypeAlias

SWEEPS = 12
"""Times that every column is moved. Later sweeps change little."""

PULL = 0.01
"""Part of its distance from the middle by which each row is drawn back."""

Rows: TypeAlias = Sequence[Sequence[int]]


def x_positions(
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
        >>> x_positions([[0], [1, 2]], [[1, 2], [], []], [False] * 3, lambda left, right: 10.0)
        {0: 0.0, 1: 0.0, 2: 10.0}
    """
    depth = _depths(rows, below, waypoint)
    column = _columns(rows, below, waypoint, depth)
    count = max(column.values()) + 1
    left: list[dict[int, float]] = [{} for _ in range(count)]
    right: list[dict[int, float]] = [{} for _ in range(count)]
    for row in rows:
        for a, b in pairwise(row):
            before, after = column[a], column[b]
            needed = max(room(a, b), left[after].get(before, 0.0))
            left[after][before] = right[before][after] = needed
    joined: list[list[int]] = [[] for _ in range(count)]
    for vertex, here in column.items():
        for other in below[vertex]:
            if (there := column[other]) != here:
                joined[here].append(there)
                joined[there].append(here)
    wishes = _wishes(rows, below, room, depth)
    wished: list[list[float]] = [[] for _ in range(count)]
    for vertex, here in column.items():
        wished[here].append(wishes[vertex])
    x = _fitted([_median(found) for found in wished], left, right)
    _settle(x, left, right, joined)
    least = min(x)
    return {vertex: x[here] - least for vertex, here in column.items()}


def _columns(
    rows: Rows, below: Sequence[Sequence[int]], waypoint: Sequence[bool], depth: Mapping[int, int]
) -> dict[int, int]:
    """Numbers the columns from the top: vertex → column."""
    column: dict[int, int] = {}
    count = 0
    straight: dict[int, int] = {}
    for index, row in enumerate(rows):
        for vertex in row:
            if vertex in straight:
                column[vertex] = column[straight[vertex]]
            else:
                column[vertex] = count
                count += 1
        if index + 1 < len(rows):
            index_below = {vertex: i for i, vertex in enumerate(rows[index + 1])}
            edges = []
            for upper in row:
                middle = _median([index_below[lower] for lower in below[upper]])
                for lower in below[upper]:
                    rank = _rank(upper, lower, waypoint, depth, column)
                    edges.append((rank, abs(index_below[lower] - middle), upper, lower))
            straight = _straight([edge[2:] for edge in sorted(edges)], row, rows[index + 1])
    return column


def _rank(
    upper: int, lower: int, waypoint: Sequence[bool], depth: Mapping[int, int], column: Mapping[int, int]
) -> tuple[int, int, int]:
    """Ranks an edge between two layers: those of the lowest rank are made straight first.

    First those between two waypoints, then from box to box, and last where a long edge begins or ends. Of a box's ways
    down the deepest goes straight, so that the trunk of a graph does, and leaves stand aside. Of several ways in it's
    that of the oldest column: a transformer's blocks would otherwise drift to one side, each by the same step.
    """
    return (1, 2, 0)[waypoint[upper] + waypoint[lower]], -depth[lower], column[upper]


def _depths(rows: Rows, below: Sequence[Sequence[int]], waypoint: Sequence[bool]) -> dict[int, int]:
    """Counts the boxes on the way down from each vertex that has the most of them."""
    depth: dict[int, int] = {}
    for row in reversed(rows):
        for vertex in row:
            depth[vertex] = max((depth[b] + (not waypoint[b]) for b in below[vertex]), default=0)
    return depth


def _straight(
    edges: Sequence[tuple[int, int]], row: Sequence[int], next_row: Sequence[int]
) -> dict[int, int]:
    """Chooses edges between two layers, the first before the last, that don't cross or touch: lower → upper vertex."""
    upper = {vertex: i for i, vertex in enumerate(row)}
    lower = {vertex: i for i, vertex in enumerate(next_row)}
    chosen: list[tuple[int, int]] = []
    for a, b in edges:
        i, j = upper[a], lower[b]
        index = bisect(chosen, (i, j))
        before_fits = index == 0 or (chosen[index - 1][0] < i and chosen[index - 1][1] < j)
        after_fits = index == len(chosen) or (chosen[index][0] > i and chosen[index][1] > j)
        if before_fits and after_fits:
            chosen.insert(index, (i, j))
    return {next_row[j]: row[i] for i, j in chosen}


def _median(values: Sequence[float]) -> float:
    if not values:
        return 0.0
    ordered = sorted(values)
    return (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2


def _wishes(
    rows: Rows,
    below: Sequence[Sequence[int]],
    room: Callable[[int, int], float],
    depth: Mapping[int, int],
) -> dict[int, float]:
    """Places row after row as if there were no columns: vertex → the x that would suit it.

    Each vertex wishes to stand under the mean of those above it. Where a row hasn't the room, the one with more below
    it gives way less. The pull to the middle keeps what branches to the same side again and again (every block of a
    transformer does) from wandering off.
    """
    above: dict[int, list[float]] = {}
    found: dict[int, float] = {}
    for row in rows:
        offset, offsets = 0.0, [0.0]
        for a, b in pairwise(row):
            offset += room(a, b)
            offsets.append(offset)
        means = [sum(above[v]) / len(above[v]) * (1 - PULL) if v in above else 0.0 for v in row]
        # Less its offset, each x may be anything that isn't below the one before: a monotone regression.
        wished = [mean - offset for mean, offset in zip(means, offsets, strict=True)]
        for vertex, x, offset in zip(
            row, _rising(wished, [1.0 + depth[v] for v in row]), offsets, strict=True
        ):
            found[vertex] = x + offset
            for other in below[vertex]:
                above.setdefault(other, []).append(found[vertex])
    return found


def _rising(values: Sequence[float], weights: Sequence[float]) -> list[float]:
    """Finds the rising sequence nearest to the values in weighted least squares (pool adjacent violators)."""
    pools: list[tuple[float, float, int]] = []
    for value, weight in zip(values, weights, strict=True):
        mean, total, size = value, weight, 1
        while pools and pools[-1][0] > mean:
            other, more, count = pools.pop()
            mean = (mean * total + other * more) / (total + more)
            total, size = total + more, size + count
        pools.append((mean, total, size))
    return [mean for mean, _, size in pools for _ in range(size)]


def _fitted(
    wished: Sequence[float], left: Sequence[dict[int, float]], right: Sequence[dict[int, float]]
) -> list[float]:
    """Makes room for every column, near where it wishes to be."""
    order = _from_left(left, right)
    low, high = list(wished), list(wished)
    for here in order:
        low[here] = max([wished[here], *(low[other] + room for other, room in left[here].items())])
    for here in reversed(order):
        high[here] = min([wished[here], *(high[other] - room for other, room in right[here].items())])
    # Both keep every distance, and so does what lies half way between them.
    return [(a + b) / 2 for a, b in zip(low, high, strict=True)]


def _from_left(left: Sequence[dict[int, float]], right: Sequence[dict[int, float]]) -> list[int]:
    # There's always such an order: columns don't cross, so no ring of them lies left of itself.
    waiting = [len(others) for others in left]
    order = [here for here, count in enumerate(waiting) if not count]
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
        for here in order if sweep % 2 else reversed(order):
            if joined[here]:
                target = _median([x[other] for other in joined[here]])
                target = min([target, *(x[other] - room for other, room in right[here].items())])
                x[here] = max([target, *(x[other] + room for other, room in left[here].items())])
