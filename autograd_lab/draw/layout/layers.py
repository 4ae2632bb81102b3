"""Puts the vertices of a graph into layers, and gives long edges a way past the layers between.

The first step of a layered drawing (Sugiyama, Tagawa and Toda, "Methods for visual understanding of hierarchical
system structures", 1981). Relies on nothing but its arguments. Promises that every edge leads from a layer to a lower
one, and in the result to the next one; that equal graphs give equal results; and that time and memory are linear in
vertices + edges + waypoints.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

MOST_WAYPOINTS = 30_000
"""Waypoints in all: more would take the layout too long, and edges that need more get no way of their own."""

MOST_APART = 8
"""Long edges to or from one vertex that each get a lane of their own; more of them share one."""

MOST_ABREAST = 60
"""Leaves of one vertex that stand in one layer; more of them make a block, about as wide as it's high."""

_BLOCK = 1.3
"""Leaves side by side for each one below another, in such a block: boxes are wider than they're high."""

# Note [Lanes]
# An edge over many layers goes through a waypoint in each layer between: its lane. Where many such edges lead to one
# vertex (a weight that is used at every time step) or away from one (the stack of all time steps), a waypoint for each
# edge and layer would make millions. Those edges share one lane: the first draws it whole, a later one draws its own
# part and ends where it meets the lane, or begins where it leaves it. Where few edges meet they keep apart, since a
# shared lane can force more crossings on a picture than it saves.


class Layered(NamedTuple):
    """A graph in layers.

    Attributes:
        layer: For each vertex its layer, from 0 at the top: first the graph's own vertices, then the waypoints.
        below: For each vertex those one layer below that an edge leads to, each once.
        paths: For each edge that was handed in, the vertices on its own way, in the edge's direction; see
            Note [Lanes]. Empty for an edge from a vertex to itself and for one that found no way.

    Example:
        >>> layered(3, [(0, 1), (1, 2), (0, 2)]).paths
        ((0, 1), (1, 2), (0, 3, 2))
    """

    layer: list[int]
    below: list[list[int]]
    paths: tuple[tuple[int, ...], ...]


def layered(count: int, edges: Sequence[tuple[int, int]]) -> Layered:
    """Puts a graph into layers.

    A vertex lies one layer below the lowest of those above it. One with more edges out than in is then moved down to
    just above those below it, which shortens more edges than it lengthens. A great many leaves of one vertex make a
    block of several layers.

    Args:
        count: How many vertices there are.
        edges: ``(tail, head)`` for each edge, numbers from 0 to ``count`` - 1. Parallel edges go the same way. Edges
            that close a cycle are turned round.

    Returns:
        The layers and every edge's way through them.

    Raises:
        ValueError: an edge names a vertex that there isn't.

    Example:
        >>> layered(4, [(0, 1), (1, 2), (0, 3), (3, 2)]).layer
        [0, 1, 2, 1]
    """
    for edge in edges:
        if not all(0 <= end < count for end in edge):
            raise ValueError(f"edge {edge} names a vertex outside 0 to {count - 1}")
    pairs = dict.fromkeys((a, b) for a, b in edges if a != b)
    turned = _closing_cycles(count, list(pairs))
    straight = list(dict.fromkeys((b, a) if (a, b) in turned else (a, b) for a, b in pairs))
    builder = _Lanes(_ranks(count, straight), straight)
    ways = {}
    for a, b in pairs:
        path = builder.paths[(b, a) if (a, b) in turned else (a, b)]
        ways[a, b] = path[::-1] if (a, b) in turned else path
    return Layered(builder.layer, builder.below, tuple(ways.get((a, b), ()) for a, b in edges))


def tangle(count: int, edges: Sequence[tuple[int, int]]) -> int:
    """Measures how much of a graph lies in edges that run side by side past many layers.

    These cost ``dot`` its time: it gives each edge a waypoint of its own in each layer that it passes, and
    compares all waypoints of a layer with each other.

    Args:
        count: As for `layered`.
        edges: As for `layered`.

    Returns:
        The square of the number of edges that pass a layer without ending there, summed over the layers.

    Example:
        >>> tangle(4, [(0, 1), (1, 2), (2, 3), (0, 3), (0, 2)])
        5
    """
    pairs = dict.fromkeys((a, b) for a, b in edges if a != b)
    turned = _closing_cycles(count, list(pairs))
    straight = dict.fromkeys((b, a) if (a, b) in turned else (a, b) for a, b in pairs)
    rank = _ranks(count, list(straight))
    change: Counter[int] = Counter()  # of the number of passing edges, from the layer above
    for a, b in straight:
        change[rank[a] + 1] += 1
        change[rank[b]] -= 1
    passing = total = last = 0
    for layer in sorted(change):
        total += passing * passing * (layer - last)
        passing, last = passing + change[layer], layer
    return total


def _neighbours(count: int, edges: Sequence[tuple[int, int]]) -> list[list[int]]:
    found: list[list[int]] = [[] for _ in range(count)]
    for a, b in edges:
        found[a].append(b)
    return found


def _closing_cycles(count: int, edges: Sequence[tuple[int, int]]) -> set[tuple[int, int]]:
    """Finds the edges that lead a depth-first walk back onto its own path: without them there is no cycle."""
    out = _neighbours(count, edges)
    state = [0] * count  # 0: not seen yet, 1: on the way to the vertex at hand, 2: done
    closing = set()
    for start in range(count):
        if state[start]:
            continue
        state[start] = 1
        stack = [(start, iter(out[start]))]
        while stack:
            vertex, rest = stack[-1]
            for other in rest:
                if state[other] == 1:
                    closing.add((vertex, other))
                elif not state[other]:
                    state[other] = 1
                    stack.append((other, iter(out[other])))
                    break
            else:
                state[vertex] = 2
                stack.pop()
    return closing


def _ranks(count: int, edges: Sequence[tuple[int, int]]) -> list[int]:
    out = _neighbours(count, edges)
    into = [0] * count
    for _, b in edges:
        into[b] += 1
    waiting = into.copy()
    order = [vertex for vertex in range(count) if not into[vertex]]
    rank = [0] * count
    for vertex in order:  # grows while it's walked
        for other in out[vertex]:
            rank[other] = max(rank[other], rank[vertex] + 1)
            waiting[other] -= 1
            if not waiting[other]:
                order.append(other)
    for vertex in reversed(order):
        if into[vertex] < len(out[vertex]):
            rank[vertex] = min(rank[other] for other in out[vertex]) - 1
    for vertex, others in enumerate(out):
        leaves = [other for other in others if into[other] == 1 and not out[other]]
        if len(leaves) > MOST_ABREAST:
            abreast = math.ceil((len(leaves) * _BLOCK) ** 0.5)
            for index, leaf in enumerate(leaves):
                rank[leaf] = rank[vertex] + 1 + index // abreast
    return rank


def widest_fan(count: int, edges: Sequence[tuple[int, int]]) -> int:
    """Counts the most leaves that any one vertex has: vertices below it alone, with nothing below them.

    Args:
        count: As for `layered`.
        edges: As for `layered`.

    Returns:
        Their number.

    Example:
        >>> widest_fan(5, [(0, 1), (0, 2), (0, 3), (2, 3), (3, 4)])
        1
    """
    out = _neighbours(count, list(dict.fromkeys(edges)))
    into = Counter(head for _, head in set(edges))
    return max((sum(into[b] == 1 and not out[b] for b in others) for others in out), default=0)


class _Lanes:
    """Finds every edge's way, shortest edges first."""

    def __init__(self, rank: list[int], edges: Sequence[tuple[int, int]]) -> None:
        self.layer = rank.copy()
        self.below: list[list[int]] = [[] for _ in rank]
        self.paths: dict[tuple[int, int], tuple[int, ...]] = {}
        self._most = len(rank) + max(MOST_WAYPOINTS, len(rank))
        self._to: dict[int, list[int]] = {}  # head -> its lane's waypoints, lowest first
        self._from: dict[int, list[int]] = {}  # tail -> its lane's waypoints, highest first
        long_in, long_out = [0] * len(rank), [0] * len(rank)
        for a, b in edges:
            if rank[b] - rank[a] > 1:
                long_out[a] += 1
                long_in[b] += 1
        for a, b in sorted(edges, key=lambda edge: rank[edge[1]] - rank[edge[0]]):
            if long_in[b] > MOST_APART and long_in[b] >= long_out[a]:
                self.paths[a, b] = self._way_in(a, b, self._to.setdefault(b, []))
            else:
                lane = self._from.setdefault(a, []) if long_out[a] > MOST_APART else []
                self.paths[a, b] = self._way_out(a, b, lane)

    def _way_in(self, a: int, b: int, lane: list[int]) -> tuple[int, ...]:
        """Leads an edge to the top of a lane that ends at its head, which grows upwards."""
        met = lane[-1] if lane else b
        new = self._waypoints(range(self.layer[met] - 1, self.layer[a], -1))
        if new is None:
            return ()
        lane += new
        return self._joined((a, *reversed(new), met))

    def _way_out(self, a: int, b: int, lane: list[int]) -> tuple[int, ...]:
        """Leads an edge from the foot of a lane that begins at its tail, which grows downwards."""
        met = lane[-1] if lane else a
        new = self._waypoints(range(self.layer[met] + 1, self.layer[b]))
        if new is None:
            return ()
        lane += new
        return self._joined((met, *new, b))

    def _waypoints(self, layers: range) -> list[int] | None:
        first = len(self.layer)
        if layers and first + len(layers) > self._most:
            return None
        self.layer += layers
        self.below += [[] for _ in layers]
        return list(range(first, len(self.layer)))

    def _joined(self, path: tuple[int, ...]) -> tuple[int, ...]:
        for upper, lower in pairwise(path):
            self.below[upper].append(lower)
        return path
