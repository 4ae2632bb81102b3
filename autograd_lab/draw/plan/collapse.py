"""What is drawn as one: modules below a depth, and blocks that repeat.

Relies on the records, ``modules`` (where nodes belong), ``repeats`` (which blocks are alike) and ``groups``.
Promises that every node stands for itself or lies in exactly one part, that every edge lies inside a part, is counted
by exactly one link or has an end that isn't drawn, and that without ``depth``, ``repeats`` and ``module`` each node is
a part and each edge a link of its own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from autograd_lab.draw.groups import group_paths
from autograd_lab.draw.plan.closeup import CloseUp, close_up
from autograd_lab.draw.plan.homes import Path, class_finder, homes
from autograd_lab.draw.plan.repeats import Repeats, find_repeats, inner_name, no_repeats
from autograd_lab.errors import Option, RenderError
from autograd_lab.records import Edge, Graph, Node

WHOLE = "whole model"
"""The name of the box that ``depth=0`` makes."""


class Part(NamedTuple):
    """One box, and what it stands for.

    Attributes:
        key: ``n3`` for node 3, ``m0``, ``m1``, … for modules.
        nodes: The ids of the nodes that it stands for, in the graph's order.
        node: The id of the node that is drawn; ``None`` for a module.
        module: Title of the module that it is; ``None`` for a node.
        group: The clusters of modules that it's in, outermost first.
        times: How many blocks that are alike it stands for.
        kind: The class of the module that it is, where that's known.
        place: ``"near"`` for a neighbour of the one module that is drawn, ``"far"`` for what isn't drawn at all.
        frame: What is written around it and all that is drawn for the same rounds; empty for none.

    Example:
        >>> Part("n3", (3,), 3).times
        1
    """

    key: str
    nodes: tuple[int, ...]
    node: int | None = None
    module: str | None = None
    group: tuple[str, ...] = ()
    times: int = 1
    kind: str | None = None
    place: Literal["", "near", "far"] = ""
    frame: str = ""

    @property
    def clusters(self) -> tuple[str, ...]:
        """All that is drawn around it, outermost first."""
        return (self.frame, *self.group) if self.frame else self.group


class Link(NamedTuple):
    """One arrow, and the edges that it counts.

    Attributes:
        tail: Index of the part that it leaves.
        head: Index of the part that it leads to.
        edges: ``(node, slot)`` of each edge, in the graph's order.
        again: Whether it leads from one block of a run to the next, which is drawn as the same.

    Example:
        >>> Link(0, 1, ((0, 0),)).again
        False
    """

    tail: int
    head: int
    edges: tuple[tuple[int, int], ...]
    again: bool = False


class Plan(NamedTuple):
    """What is drawn of a graph.

    Attributes:
        parts: The boxes, in the order in which the first node of each stands in the graph.
        links: For each part the arrows that leave it.
        part_of: For each node the index of its part.
        names: For each node the names of the leaf that it feeds; in a block that's drawn for others they speak for all.
        copies: For each node a number that those have in common which lie in one part and in one block of each run.
        classes: The class of each cluster's module, where that's known, by the clusters' texts on the way to it.

    Example:
        >>> plan(Graph((Node(0, "ExpBackward0", "op", 0),), ())).parts
        (Part(key='n0', nodes=(0,), node=0, module=None, group=(), times=1, kind=None, place='', frame=''),)
    """

    parts: tuple[Part, ...]
    links: tuple[tuple[Link, ...], ...]
    part_of: tuple[int, ...]
    names: tuple[tuple[str, ...], ...]
    copies: tuple[int, ...]
    classes: Mapping[tuple[str, ...], str]


def plan(graph: Graph, *, depth: int | None = None, repeats: bool = False, module: str | None = None) -> Plan:
    """Chooses what is drawn as one.

    Args:
        graph: The graph.
        depth: Modules this deep become one box each; 0 is the whole model. ``None`` leaves every node by itself.
        repeats: Whether blocks that are alike are drawn once.
        module: The one module that is drawn, with its neighbours as one box each; ``None`` for all.

    Returns:
        The plan.

    Raises:
        RenderError: There's no such module, or blocks that are alike are asked for as well.

    Example:
        >>> nodes = [Node(i, "ExpBackward0", "op", 9 - i, module="net.exp") for i in range(2)]
        >>> plan(Graph(tuple(nodes), ()), depth=1).parts
        (Part(key='m0', nodes=(0, 1), node=None, module='net', group=(), times=1, kind=None, place='', frame=''),)
    """
    at_home = homes(graph)
    must_go_together(module, repeats)
    found = find_repeats(graph, at_home, depth) if repeats else no_repeats(graph)
    near = None if module is None else close_up(graph, at_home, module)
    drawn: dict[int | Path, list[int]] = {}
    for index, image in enumerate(found.image):
        home = at_home[image]
        if near is not None and index not in near.inside:
            drawn.setdefault(near.neighbour(home) or image, []).append(index)
            continue
        whole = depth is not None and home is not None and len(home) >= depth
        drawn.setdefault(home[:depth] if whole and home is not None else image, []).append(index)
    parts, classes = _parts(graph, drawn, at_home, found)
    if near is not None:
        parts = tuple(part._replace(place=_place(part, near)) for part in parts)
    part_of = [0] * len(graph)
    for index, part in enumerate(parts):
        for node_id in part.nodes:
            part_of[node_id] = index
    names = tuple(_names(node, at_home[node.id], found) for node in graph.nodes)
    links = _links(graph, parts, part_of, found)
    return Plan(parts, links, tuple(part_of), names, _copies(part_of, found), classes)


def must_go_together(module: str | None, repeats: bool) -> None:
    """Raises where one block is to be drawn, and one for several.

    Raises:
        RenderError: As said.

    Example:
        >>> must_go_together("h.3", repeats=False)
    """
    if module is not None and repeats:
        raise RenderError(
            Option("module"),
            " draws one block and ",
            Option("repeats"),
            " one for several; leave one of them out",
        )


def _copies(part_of: Sequence[int], found: Repeats) -> tuple[int, ...]:
    numbers: dict[tuple[int, tuple[tuple[int, int], ...]], int] = {}
    blocks = ((part, tuple(sorted(own.items()))) for part, own in zip(part_of, found.blocks, strict=True))
    return tuple(numbers.setdefault(block, len(numbers)) for block in blocks)


# --- boxes ---------------------------------------------------------------------------


def _parts(
    graph: Graph, drawn: dict[int | Path, list[int]], at_home: Sequence[Path | None], found: Repeats
) -> tuple[tuple[Part, ...], dict[tuple[str, ...], str]]:
    paths = {what: what if isinstance(what, tuple) else at_home[what] for what in drawn}
    told = {path: _told(path, found) for path in paths.values() if path}
    frames = group_paths(told.values())
    classes: dict[tuple[str, ...], str] = {}
    known = class_finder(graph)
    parts = []
    modules = 0
    for what, nodes in drawn.items():
        path = paths[what]
        around = frames[told[path]] if path else ()
        around = around[:-1] if isinstance(what, tuple) else around
        group = tuple(frame.text for frame in around)
        rounds = found.framed.get(nodes[0], 0)
        outermost = f"alike × {rounds}" if rounds else ""
        before = (outermost,) if rounds else ()
        for count, frame in enumerate(around, start=1):
            if path and (kind := known(path[: frame.length])):
                classes[before + group[:count]] = kind
        times = _times(path, found) if path or not rounds else rounds
        if isinstance(what, tuple):
            title = _title(what, found)
            part = Part(f"m{modules}", tuple(nodes), None, title, group, times, known(what), frame=outermost)
            modules += 1
        else:
            part = Part(f"n{what}", tuple(nodes), what, None, group, times, frame=outermost)
        parts.append(part)
    return tuple(parts), classes


def _place(part: Part, near: CloseUp) -> Literal["", "near", "far"]:
    if not near.inside.isdisjoint(part.nodes):
        return ""
    return "far" if near.near.isdisjoint(part.nodes) else "near"


def _told(path: Path, found: Repeats) -> Path:
    """A path where the blocks of a run are told together: ``("h", "0 … 11 × 12", "attn")``."""
    names = []
    for length, name in enumerate(path, start=1):
        times = found.times.get(path[:length])
        names.append(f"{found.texts[path[:length]]} × {times}" if times else name)
    return tuple(names)


def _title(path: Path, found: Repeats) -> str:
    """A path where only its own blocks are counted, not those around it: ``h.0 … 11.attn``."""
    told = ".".join(found.texts.get(path[:length], name) for length, name in enumerate(path, start=1))
    return f"{told} × {found.times[path]}" if path in found.times else told or WHOLE


def _times(path: Path | None, found: Repeats) -> int:
    return math.prod(found.times.get((path or ())[:length], 1) for length in range(1, len(path or ()) + 1))


def _names(node: Node, home: Path | None, found: Repeats) -> tuple[str, ...]:
    return tuple(
        _name(name, home or (), found) for name in (node.variable, *node.aliases) if name is not None
    )


def _name(name: str, home: Path, found: Repeats) -> str:
    for length in range(len(home), 0, -1):
        block = home[:length]
        inner = inner_name(name, block)
        if inner != name:
            told = ".".join(found.texts.get(block[:i], block[i - 1]) for i in range(1, length + 1))
            return told + inner if _times(block, found) > 1 else name
    return name


# --- arrows --------------------------------------------------------------------------


class _Way(NamedTuple):
    """What edges have in common that leave one part and are counted together."""

    head: int
    again: bool
    slot: int | None
    input_nr: int | None


def _links(
    graph: Graph, parts: Sequence[Part], part_of: Sequence[int], found: Repeats
) -> tuple[tuple[Link, ...], ...]:
    """Edges are told apart by their slots at nodes, and not at modules, unless one edge is drawn for many."""
    kept: list[dict[_Way, list[tuple[int, int]]]] = [{} for _ in parts]
    for tail, slot, edge in graph.edges:
        start, end = part_of[tail], part_of[edge.node]
        if start == end and parts[start].module is not None:
            continue
        if "far" in (parts[start].place, parts[end].place):
            continue
        way = _Way(
            end,
            _differ(found.blocks[tail], found.blocks[edge.node]),
            slot if parts[start].module is None and not _goes_to_many(parts[start], parts[end]) else None,
            edge.input_nr if parts[end].module is None else None,
        )
        kept[start].setdefault(way, []).append((tail, slot))
    return tuple(
        tuple(Link(start, way.head, tuple(edges), way.again) for way, edges in leaving.items())
        for start, leaving in enumerate(kept)
    )


def _goes_to_many(tail: Part, head: Part) -> bool:
    """Whether a node has an edge, or several, to each of the nodes that one is drawn for."""
    return tail.times == 1 < head.times


def _differ(one: dict[int, int], other: dict[int, int]) -> bool:
    """Whether two nodes lie in different blocks of one run."""
    return any(other.get(run, block) != block for run, block in one.items())


def edge_of(graph: Graph, node: int, slot: int) -> Edge:
    """Returns an edge that a link counts.

    Args:
        graph: The graph.
        node: The id of the node that it leaves.
        slot: Which of the node's ``next`` it is.

    Returns:
        The edge.

    Raises:
        KeyError: No gradient goes there.
    """
    edge = graph.nodes[node].next[slot]
    if edge is None:
        raise KeyError(f"node {node} wants no gradient from slot {slot}")
    return edge
