"""``capture``: from outputs to the ``Graph`` of their backward."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import torch
from torch.autograd.graph import Node as TorchNode

from autograd_lab._torch import nodes as _nodes, tensors as _tensors
from autograd_lab._torch.grounds import need
from autograd_lab.capture import outputs as _outputs
from autograd_lab.capture.models import Models
from autograd_lab.capture.names import NameBook, Names
from autograd_lab.capture.nodes import NodeReader
from autograd_lab.capture.places import OutputNames, called
from autograd_lab.capture.walk import Walk, walk
from autograd_lab.records import Edge, Graph


def capture(
    outputs: _outputs.Outputs, model: torch.nn.Module | None = None, *, names: Names | None = None
) -> Graph:
    """Reads the backward graph of one or more outputs. Runs nothing and changes nothing.

    Works before a backward and after it; what the backward freed is recorded as released. Saved tensors that a
    user's saved-tensor hooks or a checkpoint hold aren't unpacked. The walk follows ``grad_fn`` and
    ``next_functions`` (``torch/csrc/autograd/function.h``); the order is that of
    ``torch/csrc/autograd/engine.cpp``.

    Args:
        outputs: A tensor of any shape, a ``GradientEdge``, or any nesting of list, tuple and dict of them.
        model: Its parameters and buffers are called by their dotted names; tied ones show every name.
        names: Name → tensor for any other tensor: inputs, leaves, intermediates.

    Returns:
        The graph, its nodes in the order in which the native engine would run them. Leaves without a name are
        called ``leaf0``, ``leaf1``, … in that order. An output is called what ``outputs`` or ``names`` calls it, or
        else what the calling line does: ``loss`` in ``capture(loss)``.

    Raises:
        GroundError: The installed torch lacks something that this relies on.
        GraphError: No tensor in ``outputs`` has a graph, ``model`` or ``names`` aren't what they should be, or a
            name is given to two tensors. It is a ``ValueError``.

    Example:
        >>> w = torch.tensor(0.0, requires_grad=True)
        >>> loss = (w * 2.0 - 4.0) ** 2
        >>> [node.name for node in capture(loss, names={"w": w}).nodes]
        ['PowBackward0', 'SubBackward0', 'MulBackward0', 'AccumulateGrad']
    """
    need("capture")
    with _tensors.no_torch_function():
        return live(outputs, model=model, names=names, called=called())[0]


def live(
    outputs: _outputs.Outputs,
    *,
    model: torch.nn.Module | Models | None = None,
    names: Names | None = None,
    called: OutputNames = None,
) -> tuple[Graph, list[TorchNode]]:
    """Does what ``capture`` does, and gives the live nodes too, for those who go on to run them.

    Args:
        outputs: As for ``capture``.
        model: As for ``capture``; ``Models`` where there are several.
        names: As for ``capture``.
        called: What the user's line calls the outputs.

    Returns:
        The graph, and the live nodes by id. The caller lets go of these while ``outputs`` still owns the
        graph: see Note [Holding nodes].

    Raises:
        GraphError: As for ``capture``.
    """
    book = NameBook(model, names)
    walked = walk(_outputs.roots(outputs))
    book.settle(walked.nodes)
    walked = _with_names(walked, book, _outputs.names(outputs, called))
    nodes = NodeReader(book, _outputs.tensors(outputs)).read(walked)
    graph = Graph(nodes, walked.roots)
    return dataclasses.replace(graph, unreached=book.unreached(graph)), walked.nodes


def _with_names(walked: Walk, book: NameBook, keys: Sequence[str | None]) -> Walk:
    """Puts the names of intermediates on the edges that carry their gradients, and outputs' names on the roots."""
    roots = [root._replace(name=key) for root, key in zip(walked.roots, keys, strict=True)]
    wanted = dict(book.slots())
    if not wanted:
        return walked._replace(roots=tuple(roots))
    names = {
        (index, input_nr): name
        for index, node in enumerate(walked.nodes)
        for input_nr in range(len(_nodes.input_metadata(node)))
        if (name := wanted.get((node, input_nr)))
    }

    def named(edge: Edge | None) -> Edge | None:
        return edge and edge._replace(name=names.get((edge.node, edge.input_nr), edge.name))

    return walked._replace(
        nexts=[tuple(map(named, edges)) for edges in walked.nexts],
        roots=tuple(edge for edge in map(named, roots) if edge),
    )
