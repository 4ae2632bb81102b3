"""Walking a live graph: which nodes there are, in the order in which the engine would run them.

Two passes, neither recursive and both linear in nodes + edges: meet every node and its edges; tell the order.

Note [Holding nodes]
``next_functions`` makes a node's Python object when it is first asked for. All are held for the length of a walk,
in one dict that they are the keys of. Graphs that are very deep need more care: see Note [Deep graphs] in
``_torch/deep.py``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from torch.autograd.graph import Node as TorchNode

from autograd_lab._torch import deep, nodes as _nodes
from autograd_lab._torch.deep import NodeSlot
from autograd_lab.capture.order import execution_order
from autograd_lab.capture.outputs import RootEdge
from autograd_lab.errors import GraphError
from autograd_lab.hold import Hold
from autograd_lab.records import Edge

_TOO_MANY = (
    "a graph of more than {most} nodes can't be looked at with threads of less than 2 MiB of stack on this version of "
    "Python, which could not delete it: call threading.stack_size(0), or raise `ulimit -s`"
)


class Walk(NamedTuple):
    """A live graph in the order in which the engine would run it; a node's index is its id.

    Attributes:
        nodes: The live nodes. See Note [Holding nodes].
        sequence_nrs: Their ``sequence_nr``.
        nexts: Each node's edges, ``None`` where no gradient is wanted.
        roots: Where the backward starts.
    """

    nodes: list[TorchNode]
    sequence_nrs: list[int]
    nexts: list[tuple[Edge | None, ...]]
    roots: tuple[Edge, ...]


def walk(roots: Iterable[RootEdge]) -> Walk:
    """Walks from the roots along ``next_functions`` (``torch/csrc/autograd/function.h``).

    Args:
        roots: The edges at which a backward would start.

    Returns:
        Every node that can be reached, in the engine's order.

    Raises:
        GraphError: So many nodes can't be looked at here: see Note [When Python puts off a deletion].
    """
    met: dict[TorchNode, int] = {}
    with Hold() as held:
        held.add(lambda: deep.keep_interrupted_deletable(met) if len(met) >= deep.DEEP else None)
        walked = _walked(list(roots), met)
        met.clear()
    return walked


def _walked(roots: list[RootEdge], met: dict[TorchNode, int]) -> Walk:
    nexts = _meet(roots, met)
    starts: list[NodeSlot] = [(met[node], input_nr) for node, input_nr in roots]
    sequence_nrs = [_nodes.sequence_nr(node) for node in met]
    order = execution_order(sequence_nrs, nexts, starts)
    ids = [0] * len(order)
    for index, met_as in enumerate(order):
        ids[met_as] = index
    nodes = list(met)
    deep.keep_deletable(nodes, nexts, order)
    return Walk(
        [nodes[index] for index in order],
        [sequence_nrs[index] for index in order],
        [tuple([target and Edge(ids[target[0]], target[1]) for target in nexts[index]]) for index in order],
        tuple(Edge(ids[index], input_nr) for index, input_nr in starts),
    )


def _meet(roots: Iterable[RootEdge], met: dict[TorchNode, int]) -> list[list[NodeSlot | None]]:
    """Numbers every node in the order met, and lists where its edges lead."""
    most = deep.most_nodes()
    for node, _ in roots:
        met.setdefault(node, len(met))
    waiting = list(met)
    slots: dict[int, list[NodeSlot | None]] = {}
    while waiting:
        if most is not None and len(met) > most:
            raise GraphError(_TOO_MANY.format(most=most))
        node = waiting.pop()
        found: list[NodeSlot | None] = []
        for target, input_nr in node.next_functions:
            if target is None:
                found.append(None)
                continue
            index = met.get(target)
            if index is None:
                index = met[target] = len(met)
                waiting.append(target)
            found.append((index, input_nr))
        slots[met[node]] = found
    return [slots[index] for index in range(len(met))]
