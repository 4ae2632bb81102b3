"""``init_to_execute``: what ``inputs=`` means for each node.

``torch/csrc/autograd/graph_task.h`` and ``engine.cpp``.

Note [Exec info]
With ``inputs=`` only nodes from which one of these can be reached are run; a gradient that is sent to another one is
dropped. A C++ node doesn't even compute such a gradient: it asks the engine first (``task_should_compute_output``), and
its hooks see ``None`` there; a list of tensors is computed as a whole, if any of them is needed. A Python Function
isn't asked; ``needs_input_grad`` was settled in the forward. The inputs' own nodes run, as they do under
``torch.autograd.backward(inputs=…)``, whose rule this is, and an input's gradient is what the hooks on it made of it.
(``torch.autograd.grad`` stops before them. It also gives the gradient from *before* the hooks if another input lies
further down, and from after them otherwise.) Where a graph of the backward is built, an input's gradient is what
arrived, as ``torch.autograd.grad`` gives it; ``.grad`` is a copy of it.
An output from which no input can be reached isn't run. If it's the only output, the hooks on its tensor are called all
the same: the C++ engine begins with the only root without asking whether it's needed.

Note [Topological numbers]
To find which nodes lead to an input the C++ engine walks down from the roots, and turns back where a node's
``topological_nr`` (its longest way to a leaf) is lower than that of every input: no input can be below it. Here the
nodes are already in an order in which each comes before those that it leads to, so one pass from the end will do.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.autograd.graph import GradientEdge

from autograd_lab._torch import nodes as _nodes
from autograd_lab._torch.run_node import Grads
from autograd_lab.capture.outputs import starts
from autograd_lab.errors import OptionError
from autograd_lab.records import Graph, Node

_OF_A_LIST = frozenset({"CatBackward0", "StackBackward0", "BlockDiagBackward0"})
"""Nodes whose only tensors are a list. See Note [Exec info]."""


def asked_for(inputs: Any) -> list[torch.Tensor | GradientEdge]:
    """Returns the tensors and edges in ``inputs``.

    Raises:
        OptionError: It holds none, or one that requires no gradient.
    """
    found = starts(inputs)
    if not found:
        raise OptionError(
            f"inputs={inputs!r} holds no tensor; give leaves, or results of operations in the graph"
        )
    for index, item in enumerate(found):
        if isinstance(item, torch.Tensor) and not item.requires_grad:
            raise OptionError(
                f"inputs[{index}] requires no gradient, so no backward leads to it; leave it out"
            )
    return found


def edge_of(item: torch.Tensor | GradientEdge) -> tuple[Any, int]:
    """Returns the node that an input's gradient flows into, and which of its slots."""
    return _nodes.gradient_edge(item) if isinstance(item, torch.Tensor) else (item.node, item.output_nr)


class ExecInfo:
    """Which nodes are run, and which gradients were asked for. See Note [Exec info].

    Attributes:
        everything: Whether all nodes are run, since no inputs were given.
        needed: For each node, whether it's run.
        wanted: A node's id → which of its slots hold gradients that were asked for, and their names.

    Args:
        graph: The graph.
        ids: Its live nodes → their ids.
        inputs: Tensors and edges, in any nesting; ``None`` for all leaves.
        retain: Whether ``.grad`` of those that are no leaves is written, as ``backward`` does: it's retained.

    Raises:
        OptionError: ``inputs`` holds none, or one that requires no gradient.
    """

    def __init__(self, graph: Graph, ids: dict[Any, int], inputs: Any, *, retain: bool) -> None:
        self.everything = inputs is None
        self.wanted: dict[int, list[tuple[int, str]]] = {}
        for index, item in enumerate([] if inputs is None else asked_for(inputs)):
            node, slot = edge_of(item)
            if retain and isinstance(item, torch.Tensor) and not item.is_leaf:
                item.retain_grad()
            if node in ids:
                self.wanted.setdefault(ids[node], []).append((slot, f"inputs[{index}]"))
        self.needed = [self.everything] * len(graph)
        if not self.everything:  # in the order of execution, whatever a node leads to comes after it
            for record in reversed(graph.nodes):
                leads = any(edge and self.needed[edge.node] for edge in record.next)
                self.needed[record.id] = leads or record.id in self.wanted

    def computed(self, grads: Grads, node: Node) -> Grads:
        """Returns what a C++ node would have computed: ``None`` for edges to nodes that aren't run."""
        if self.everything or len(grads) != len(node.next) or node.name in _OF_A_LIST:
            return grads
        return tuple(
            grad if edge is None or self.needed[edge.node] else None
            for grad, edge in zip(grads, node.next, strict=True)
        )
