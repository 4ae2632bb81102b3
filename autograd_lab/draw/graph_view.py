"""The ``"graph"`` view: a backward graph as a picture.

Arrows are the graph's edges, pointing the way gradients go: from the outputs, through the operations, to the
leaves. That is the order in which the engine runs, and the other way round than ``torchviz`` draws its arrows, which
follow the forward. By default the outputs are at the top; ``direction="up"`` puts the leaves there, as torchviz
does.

Relies on the records and on ``picture``; ``saved_view`` draws what nodes saved. Promises a box for each node and
each output, an arrow for each edge (parallel ones too), and a number on every slot where there's more than one.
"""

from __future__ import annotations

from collections.abc import Iterator

from autograd_lab.draw.groups import group_paths
from autograd_lab.draw.picture import Arrow, Box, Line, Picture
from autograd_lab.draw.saved_view import SavedView
from autograd_lab.records import Edge, Graph, Hook, Node, Source, TensorMeta

_KINDS = ("op", "accumulate", "function", "compiled", "custom")
"""Kinds of nodes that have a look of their own; a later release's kinds look like operations."""

_MOST_METAS = 3
_MOST_HOOKS = 3


def graph_picture(graph: Graph, *, saved: bool = False, direction: str = "down", title: str = "") -> Picture:
    """Draws a backward graph.

    Args:
        graph: The graph.
        saved: Whether what the forward left on each node is drawn too: saved tensors beside it, other saved
            values inside it.
        direction: Which way gradients go on the page: one of ``picture.DIRECTIONS``.
        title: Written above the picture.

    Returns:
        The picture: nodes are ``n0``, ``n1``, … by id, outputs ``r0``, ``r1``, ….

    Example:
        >>> graph = Graph((Node(0, "ExpBackward0", "op", 0),), (Edge(0, 0, "loss"),))
        >>> [box.lines[0].text for box in graph_picture(graph).boxes]
        ['loss', 'ExpBackward0']
    """
    groups = _groups(graph)
    boxes, arrows = [], []
    for number, edge in enumerate(graph.roots):
        boxes.append(_root(number, edge, len(graph.roots)))
        arrows.append(_arrow(f"r{number}", None, edge, graph, "root"))
    view = SavedView(graph) if saved else None
    for node in graph.nodes:
        group = groups[node.id]
        boxes.append(_box(node, group, view.lines(node) if view else ()))
        arrows += _arrows(node, graph)
        if view:
            notes = view.boxes(node, group)
            boxes += notes
            arrows += [Arrow(f"n{node.id}", note.key, look="saved") for note in notes]
    return Picture(tuple(boxes), tuple(arrows), title, direction)


# --- nodes ---------------------------------------------------------------------------


def _groups(graph: Graph) -> list[tuple[str, ...]]:
    """Each node's clusters. A leaf lies in the innermost module drawn that its name begins with."""
    paths = group_paths(node.module for node in graph.nodes if node.module)
    return [_group(node, paths) for node in graph.nodes]


def _group(node: Node, paths: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    owner = node.module or (node.variable or "").rpartition(".")[0]
    while owner and owner not in paths:
        owner = owner.rpartition(".")[0]
    return paths.get(owner, ())


def _box(node: Node, group: tuple[str, ...], more: tuple[Line, ...]) -> Box:
    return Box(
        key=f"n{node.id}",
        lines=(*_lines(node), *more, *_hook_lines(node.hooks)),
        look=node.kind if node.kind in _KINDS else "op",
        tooltip=tooltip(node),
        group=group,
        ins=tuple(map(str, range(len(node.grad_outputs)))) if len(node.grad_outputs) > 1 else (),
        outs=tuple("–" if edge is None else str(slot) for slot, edge in enumerate(node.next))
        if len(node.next) > 1
        else (),
    )


def _lines(node: Node) -> Iterator[Line]:
    if node.kind == "accumulate":
        yield Line(node.variable or node.name, "title")
        yield from (Line(f"also {alias}", "quiet") for alias in node.aliases)
    else:
        yield Line(node.name, "title")
    if node.grad_outputs:
        yield Line(metas(node.grad_outputs))
    if node.kind == "function" and node.source is not None:
        yield Line(place(node.source), "quiet")


def _hook_lines(hooks: tuple[Hook, ...]) -> Iterator[Line]:
    for hook in hooks[:_MOST_HOOKS]:
        yield Line(f"↪ {hook.name} ({hook.kind.replace('_', ' ')})", "quiet")
    if len(hooks) > _MOST_HOOKS:
        yield Line(f"↪ … {len(hooks) - _MOST_HOOKS} more hooks", "quiet")


def metas(found: tuple[TensorMeta, ...]) -> str:
    """Writes what flows into a node's input slots, briefly.

    Args:
        found: One for each slot.

    Returns:
        One after another; many alike as ``64 × f32[2,3]``, the rest of many others as a number.

    Example:
        >>> metas((TensorMeta((2,), "float32", "cpu"),) * 4), metas((TensorMeta((), "int64", "cpu"),))
        ('4 × f32[2]', 'i64[]')
    """
    texts = [str(meta) for meta in found]
    if len(texts) > 2 and len(set(texts)) == 1:
        return f"{len(texts)} × {texts[0]}"
    if len(texts) > _MOST_METAS:
        texts[_MOST_METAS:] = [f"… {len(texts) - _MOST_METAS} more"]
    return ", ".join(texts)


def place(source: Source) -> str:
    """Writes a place in the user's code without its folders.

    Args:
        source: The place.

    Returns:
        ``file:line``.

    Example:
        >>> place(Source("/home/me/train.py", 12, "loss_of"))
        'train.py:12'
    """
    file = source.file.replace("\\", "/").rpartition("/")[2]
    return f"{file}:{source.line}"


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
    if node.source is not None:
        lines.append(str(node.source))
    empty = [str(slot) for slot, edge in enumerate(node.next) if edge is None]
    if empty:
        lines.append(f"no gradient wanted from slot {', '.join(empty)}")
    lines += (f"{hook.kind} {hook.name}{f' ({hook.source})' if hook.source else ''}" for hook in node.hooks)
    return "\n".join(lines)


# --- edges ---------------------------------------------------------------------------


def _root(number: int, edge: Edge, count: int) -> Box:
    text = edge.name or ("output" if count == 1 else f"output {number}")
    return Box(
        f"r{number}",
        (Line(text, "title"),),
        "root",
        f"output {number}, grad_output {edge.input_nr} of node {edge.node}",
    )


def _arrows(node: Node, graph: Graph) -> Iterator[Arrow]:
    for slot, edge in enumerate(node.next):
        if edge is not None:
            yield _arrow(f"n{node.id}", slot if len(node.next) > 1 else None, edge, graph, "edge")


def _arrow(tail: str, slot: int | None, edge: Edge, graph: Graph, look: str) -> Arrow:
    several = len(graph.nodes[edge.node].grad_outputs) > 1
    name = edge.name if look != "root" else None  # the output's own box says it
    return Arrow(
        tail,
        f"n{edge.node}",
        (Line(name, "name"),) if name else (),
        "named" if name else look,
        slot,
        edge.input_nr if several else None,
    )
