"""A backward graph as TensorBoard's plugin for graphs takes it: a ``GraphDef``'s nodes, as plain data.

A node's name is the path of its module, calls apart, and its own name with its number. Relies on the records, on where
nodes belong (``plan/homes.py``) and on ``namespaces``; of TensorBoard nothing is imported. Promises names that are
unique, and inputs that name a node.

Note [Names in TensorBoard]
The plugin cuts a name at slashes, takes what follows a colon for an output's number and a ``^`` at the beginning for
another kind of edge. It keeps names and operations' types in JavaScript objects, where ``constructor`` and a few others
are always there. So in both all but letters, digits and ``_.#()[]-`` becomes ``_``, and those few get a ``_`` behind
them; should two modules then have one name, the second is numbered. An operation whose type has ``Const`` in it would
be drawn inside the node that uses it, and one whose type ends in ``Summary`` likewise: these two words are written
small.

Source: tensorflow/tensorboard 2.21, ``tf_graph_common/graph.ts``, ``parser.ts`` and ``hierarchy.ts``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from autograd_lab.draw import words
from autograd_lab.draw.plan.homes import homes
from autograd_lab.draw.write.namespaces import Namespaces, inside
from autograd_lab.records import Graph, Node, Step, TensorMeta, Trace

_UNSAFE = re.compile(r"[^\w.#()\[\]-]")
_OF_OBJECTS = {
    "constructor", "hasOwnProperty", "isPrototypeOf", "propertyIsEnumerable", "toLocaleString", "toString", "valueOf",
    "__proto__", "__defineGetter__", "__defineSetter__", "__lookupGetter__", "__lookupSetter__",
}  # fmt: skip
_EMBEDDED = re.compile(r"Const|Summary$")
_DEVICES = {"cpu": "/device:CPU:0"}

NUMBERED = "{}({})"
"""How the second of two names that would be alike is written: no space is allowed."""

_MOST_BYTES = 900
"""Of an attribute: TensorBoard leaves out those of more than 1,024."""


class Def(NamedTuple):
    """A node of a ``GraphDef``.

    Attributes:
        name: See Note [Names in TensorBoard].
        op: Its type.
        inputs: ``"name:output"`` for each edge that leads to it, in the order of its input slots.
        device: Where its gradients are.
        attributes: What the plugin shows of it.
        shapes: Of each gradient that it returns; ``None`` where that isn't known.
        start_us: Microseconds from the backward's beginning to its turn, where it ran.
        duration_us: Microseconds that its turn took, where that's known; at least one.
        saved: Bytes that it keeps alive.
    """

    name: str
    op: str
    inputs: tuple[str, ...]
    device: str
    attributes: tuple[tuple[str, str], ...]
    shapes: tuple[tuple[int, ...] | None, ...]
    start_us: int | None = None
    duration_us: int | None = None
    saved: int = 0


def to_graph_def(record: Graph | Trace) -> tuple[Def, ...]:
    """Returns the nodes of a ``GraphDef``.

    Args:
        record: A graph, or a trace: then with times and norms.

    Returns:
        One for each node, in the graph's order.

    Example:
        >>> [node] = to_graph_def(Graph((Node(0, "ExpBackward0", "op", 7, module="net.act"),), ()))
        >>> node.name, node.op
        ('net/act/ExpBackward0_0', 'ExpBackward0')
    """
    graph = record if isinstance(record, Graph) else record.graph
    ran = {} if isinstance(record, Graph) else {step.node: step for step in record.steps}
    spaces = Namespaces(safe, NUMBERED)
    names = [
        inside(spaces.of(place or ()), f"{_own(node)}_{node.id}")
        for node, place in zip(graph.nodes, homes(graph), strict=True)
    ]
    inputs: list[list[tuple[int, str]]] = [[] for _ in graph.nodes]
    for tail, slot, edge in graph.edges:
        inputs[edge.node].append((edge.input_nr, f"{names[tail]}:{slot}"))
    return tuple(
        _def(graph, node, name, [each for _, each in sorted(inputs[node.id], key=_slot)], ran.get(node.id))
        for node, name in zip(graph.nodes, names, strict=True)
    )


def _slot(found: tuple[int, str]) -> int:
    return found[0]


def _own(node: Node) -> str:
    """A leaf is called as its variable is inside its module."""
    return safe((node.variable or "").rpartition(".")[2] or node.name)


def safe(name: str) -> str:
    """Returns a name as TensorBoard can take it: see Note [Names in TensorBoard].

    Args:
        name: A part of a path.

    Example:
        >>> safe("a/b"), safe("constructor"), safe("cell#2"), safe("")
        ('a_b', 'constructor_', 'cell#2', '_')
    """
    found = _UNSAFE.sub("_", name) or "_"
    return f"{found}_" if found in _OF_OBJECTS else found


def _def(graph: Graph, node: Node, name: str, inputs: Sequence[str], step: Step | None) -> Def:
    device = node.grad_outputs[0].device if node.grad_outputs else "cpu"
    duration = None if step is None else step.duration_ns
    return Def(
        name,
        safe(_EMBEDDED.sub(lambda found: found[0].lower(), node.name)),
        tuple(inputs),
        _DEVICES.get(device, device),
        tuple((key, _cut(text)) for key, text in _attributes(node, step) if text),
        tuple(_shapes(graph, node)),
        None if step is None or step.started_ns is None else step.started_ns // 1000,
        None if duration is None else max(1, duration // 1000),
        Graph((node,), ()).saved_activation_nbytes,
    )


def _shapes(graph: Graph, node: Node) -> Iterator[tuple[int, ...] | None]:
    for edge in node.next:
        taken = () if edge is None else graph.node(edge.node).grad_outputs
        yield _shape(taken[edge.input_nr]) if edge is not None and edge.input_nr < len(taken) else None


def _shape(meta: TensorMeta) -> tuple[int, ...] | None:
    """A size that isn't known is -1 there."""
    if meta.shape is None:
        return None
    return tuple(size if isinstance(size, int) else -1 for size in meta.shape)


def _cut(text: str) -> str:
    data = text.encode("utf-8", "replace")
    return text if len(data) <= _MOST_BYTES else data[:_MOST_BYTES].decode("utf-8", "ignore") + " …"


def _attributes(node: Node, step: Step | None) -> Iterator[tuple[str, str]]:
    yield "kind", node.kind
    yield "sequence_nr", str(node.sequence_nr)
    yield "variable", node.variable or ""
    yield "module", node.module or ""
    yield "call", "" if node.call is None else node.call.name
    yield "source", "" if node.source is None else str(node.source)
    yield "grad_outputs", words.metas(node.grad_outputs)
    yield "keeps alive", words.held([node])
    if step is not None:
        yield "step", str(step.index)
        for what in ("grad_outputs", "grad_inputs"):
            norms = ", ".join(words.gradient(stats) for stats in getattr(step, what))
            yield f"norm of {what}", norms
        yield ".grad", "" if step.accumulation is None else step.accumulation.how
