"""The ``"graph"`` view: a backward graph as a picture.

Arrows are the graph's edges, pointing the way gradients go: from the outputs, through the operations, to the
leaves. That is the order in which the engine runs, and the other way round than ``torchviz`` draws its arrows, which
follow the forward. By default the outputs are at the top; ``direction="up"`` puts the leaves there, as torchviz
does. A short chain runs to the right.

Relies on the records, ``picture`` and ``collapse``, which says what is drawn as one; ``views.saved`` draws what nodes
saved, ``views.module`` a module that is one box. Promises a box for each node and each output, an arrow for each edge
(parallel ones too), and a number on every slot where there's more than one; where modules are one box, the number of
edges on each arrow that stands for several.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Literal

from autograd_lab.draw.picture import Arrow, Box, Line, Picture
from autograd_lab.draw.plan.collapse import Link, Part, Plan, edge_of, plan
from autograd_lab.draw.plan.heat import Heat, heat as heat_of
from autograd_lab.draw.scales import FADED
from autograd_lab.draw.views.caption import graph_note, graph_summary, graph_title
from autograd_lab.draw.views.legend import legend as explained
from autograd_lab.draw.views.module import module_box
from autograd_lab.draw.views.saved import SavedView
from autograd_lab.draw.words import ids, metas, place
from autograd_lab.records import Edge, Graph, Hook, Node

_KINDS = ("op", "accumulate", "function", "compiled")
"""Kinds of nodes that have a look of their own; a later release's kinds look like operations."""

_MOST_METAS = 3
_MOST_NAMES = 3
MOST_SLOTS = 100
"""Slots of a node that are drawn one by one; a box with more of them would be wider than any page."""

_MOST_HOOKS = 3

_SHORTEST, _LONGEST = 4, 9
"""Boxes of a chain that is drawn from left to right."""


def graph_picture(
    graph: Graph,
    *,
    saved: Literal["all"] | bool = False,
    depth: int | None = None,
    repeats: bool = False,
    direction: str | None = None,
    title: str | None = None,
    legend: bool = True,
    heat: str | None = None,
    module: str | None = None,
) -> Picture:
    """Draws a backward graph.

    Args:
        graph: The graph.
        saved: Whether what the forward left on each node is drawn too: saved tensors beside it, other saved
            values inside it; ``"all"`` for those too that say how tensors lie in memory.
        depth: Modules this deep are drawn as one box each, whatever lies in them: 1 for ``encoder``, 2 for
            ``encoder.layers``, 0 for the whole model. ``None`` draws every node.
        repeats: Whether modules that follow one another and are alike in every part are drawn once, with
            ``× 12`` beside their names.
        direction: Which way gradients go on the page: one of ``picture.DIRECTIONS``; ``None`` for down, or to the right
            in a short chain.
        title: Written above the picture; ``None`` for what it's a graph of, ``""`` for nothing.
        legend: Whether the picture explains its signs and says which parameters get no gradient.
        heat: ``"saved"`` colours each box by the memory that it keeps for the backward.
        module: The one module that is drawn, such as ``"h.3"``, with its neighbours, where gradients come from and go
            to, as one faded box each. ``None`` draws all.

    Returns:
        The picture: nodes are ``n0``, ``n1``, … by id, modules ``m0``, ``m1``, …, outputs ``r0``, ``r1``, ….

    Example:
        >>> graph = Graph((Node(0, "ExpBackward0", "op", 0),), (Edge(0, 0, "loss"),))
        >>> [box.lines[0].text for box in graph_picture(graph).boxes]
        ['loss', 'ExpBackward0']
    """
    drawn = plan(graph, depth=depth, repeats=repeats, module=module)
    picture = planned_picture(graph, drawn, saved, direction)
    warm = None if heat is None else heat_of(heat, graph, drawn)
    boxes = picture.boxes if warm is None else heated(picture.boxes, drawn, warm)
    return replace(
        picture,
        boxes=boxes,
        title=graph_title(graph, module) if title is None else title,
        legend=explained(boxes, picture.arrows, warm) if legend else (),
        summary=graph_summary(graph),
        note=graph_note(graph) if legend else "",
    )


def planned_picture(
    graph: Graph, drawn: Plan, saved: Literal["all"] | bool, direction: str | None
) -> Picture:
    """Draws a backward graph of which it's known what is drawn as one.

    Args:
        graph: The graph.
        drawn: What ``collapse.plan`` made of it.
        saved: As for ``graph_picture``.
        direction: As for ``graph_picture``.

    Returns:
        The picture, without a title and a legend. Its arrows are those of the outputs, then the plan's links in order,
        with arrows in the look ``"saved"`` in between.
    """
    boxes, arrows = [], []
    for index, edge in shown_roots(graph, drawn):
        boxes.append(_root(index, edge, len(graph.roots)))
        part = drawn.parts[drawn.part_of[edge.node]]
        arrows.append(Arrow(f"r{index}", part.key, (), "root", None, _head_slot(part, edge, graph)))
    view = SavedView(graph, whole=saved == "all") if saved else None
    for part, links in zip(drawn.parts, drawn.links, strict=True):
        arrows += [_arrow(link, drawn, graph) for link in links]
        if part.place == "far":
            continue
        heat = FADED if part.place else ""
        if part.node is None:
            boxes.append(module_box(part, graph)._replace(heat=heat))
            continue
        node = graph.nodes[part.node]
        boxes.append(
            _box(node, part, drawn.names[node.id], view.lines(node) if view else ())._replace(heat=heat)
        )
        if view:
            notes = view.boxes(node, part.clusters)
            boxes += notes
            arrows += [Arrow(part.key, note.key, look="saved") for note in notes]
    direction = direction or ("right" if _is_short_chain(boxes, arrows) else "down")
    return Picture(tuple(boxes), tuple(arrows), direction=direction, classes=drawn.classes)


def shown_roots(graph: Graph, drawn: Plan) -> list[tuple[int, Edge]]:
    """Returns the index and edge of each output that is drawn: not of one that leads to what isn't."""
    return [
        (index, edge)
        for index, edge in enumerate(graph.roots)
        if drawn.parts[drawn.part_of[edge.node]].place != "far"
    ]


def _is_short_chain(boxes: Sequence[Box], arrows: Sequence[Arrow]) -> bool:
    """Whether boxes stand in one row that a page has room for, and that would be a narrow column."""
    ends = [Counter(getattr(arrow, end) for arrow in arrows) for end in ("tail", "head")]
    return (
        _SHORTEST <= len(boxes) <= _LONGEST
        and len(arrows) == len(boxes) - 1
        and all(count == 1 for end in ends for count in end.values())
        and not any(box.group for box in boxes)
    )


def heated(boxes: tuple[Box, ...], drawn: Plan, warm: Heat) -> tuple[Box, ...]:
    """Colours boxes by a value.

    Args:
        boxes: The boxes.
        drawn: What they stand for.
        warm: How hot each of these is.

    Returns:
        The boxes; those of which nothing is known, and what is no part of the graph, as they were.
    """
    steps = {part.key: step for part, step in zip(drawn.parts, warm.step_of, strict=True)}
    return tuple(box if box.heat else box._replace(heat=steps.get(box.key) or "") for box in boxes)


# --- nodes ---------------------------------------------------------------------------


def _box(node: Node, part: Part, names: tuple[str, ...], more: tuple[Line, ...]) -> Box:
    others = "" if len(part.nodes) == 1 else f"\ndrawn for {len(part.nodes)} nodes: {ids(part.nodes)}"
    return Box(
        key=part.key,
        lines=(*_lines(node, names), *more, *_hook_lines(node.hooks)),
        look="custom" if node.rule else node.kind if node.kind in _KINDS else "op",
        tooltip=tooltip(node) + others,
        group=part.clusters,
        ins=_slots(tuple(map(str, range(len(node.grad_outputs))))),
        outs=_slots(tuple("–" if edge is None else str(slot) for slot, edge in enumerate(node.next))),
    )


def _slots(texts: tuple[str, ...]) -> tuple[str, ...]:
    """Slots need no number where there's one, and have no room for it where there are very many."""
    return texts if 1 < len(texts) <= MOST_SLOTS else ()


def _lines(node: Node, names: tuple[str, ...]) -> Iterator[Line]:
    if node.kind == "accumulate":
        name, *aliases = names or (node.name,)
        yield Line(name, "title")
        yield from (Line(f"also {alias}", "quiet") for alias in aliases)
    else:
        yield Line(node.name, "title")
    if node.grad_outputs:
        yield Line(metas(node.grad_outputs))
    if len(node.next) > MOST_SLOTS:
        yield Line(f"{len(node.next):,} slots", "quiet")
    if node.rule:
        yield Line(f"the lab's rule {node.rule!r}", "quiet")
    elif node.kind == "function" and node.source is not None:
        yield Line(place(node.source), "quiet")


def _hook_lines(hooks: tuple[Hook, ...]) -> Iterator[Line]:
    # A line that says "1 more" takes no less room than that one hook.
    shown = len(hooks) if len(hooks) <= _MOST_HOOKS + 1 else _MOST_HOOKS
    for hook in hooks[:shown]:
        yield Line(f"↪ {hook.name} ({hook.kind.replace('_', ' ')})", "quiet")
    if len(hooks) > shown:
        yield Line(f"↪ … {len(hooks) - shown} more hooks", "quiet")


def tooltip(node: Node) -> str:
    r"""Writes what a node's box has no room for.

    Args:
        node: The node.

    Returns:
        Lines of text.

    Example:
        >>> tooltip(Node(3, "ExpBackward0", "op", 7, module="head"))
        'node 3: ExpBackward0\nsequence_nr 7\nmodule head'
    """
    lines = [f"node {node.id}: {node.name}"]
    if node.kind != "accumulate":  # every leaf has torch's largest number
        lines.append(f"sequence_nr {node.sequence_nr}")
    devices = dict.fromkeys(meta.device for meta in node.grad_outputs)
    if devices:
        lines.append(f"on {', '.join(devices)}")
    if node.module is not None:
        lines.append(f"module {node.module}")
    if node.rule is not None:
        lines.append(f"the lab's rule {node.rule!r}, in place of PyTorch's")
    if node.source is not None:
        lines.append(str(node.source))
    empty = [str(slot) for slot, edge in enumerate(node.next) if edge is None]
    if empty:
        lines.append(f"no gradient wanted from slot {', '.join(empty)}")
    lines += (f"{hook.kind} {hook.name}{f' ({hook.source})' if hook.source else ''}" for hook in node.hooks)
    return "\n".join(lines)


# --- edges ---------------------------------------------------------------------------


def _root(index: int, edge: Edge, count: int) -> Box:
    text = edge.name or ("output" if count == 1 else f"output {index}")
    return Box(
        f"r{index}",
        (Line(text, "title"),),
        "root",
        f"output {index}, grad_output {edge.input_nr} of node {edge.node}",
    )


def _arrow(link: Link, drawn: Plan, graph: Graph) -> Arrow:
    tail, head = drawn.parts[link.tail], drawn.parts[link.head]
    edges = [edge_of(graph, *edge) for edge in link.edges]
    names = dict.fromkeys(edge.name for edge in edges if edge.name)
    count = _count(link, tail, head)
    look = "again" if link.again else "named" if names else "several" if count > 1 else "edge"
    slots = {slot for _, slot in link.edges}
    has_slots = tail.node is not None and len(graph.nodes[tail.node].next) > 1 and len(slots) == 1
    return Arrow(
        tail.key,
        head.key,
        (
            *(Line(name, "name") for name in list(names)[:_MOST_NAMES]),
            *([Line(f"… {len(names) - _MOST_NAMES} more", "name")] if len(names) > _MOST_NAMES else []),
            *([Line(f"× {count}", "count")] if count > 1 else []),
        ),
        look,
        link.edges[0][1] if has_slots else None,
        _head_slot(head, edges[0], graph),
    )


def _count(link: Link, tail: Part, head: Part) -> int:
    """How many edges an arrow stands for; inside blocks of which one is drawn, how many in each."""
    blocks = tail.times if tail.times == head.times and not link.again else 1
    each, rest = divmod(len(link.edges), blocks)
    return len(link.edges) if rest else each


def _head_slot(part: Part, edge: Edge, graph: Graph) -> int | None:
    several = part.node is not None and len(graph.nodes[part.node].grad_outputs) > 1
    return edge.input_nr if several else None
