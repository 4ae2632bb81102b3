"""What saved tensors hold, in two figures: kept for the graph, and in parameters, which live anyway.

Relies on the records and ``digits``.
"""

from __future__ import annotations

from collections.abc import Iterable

from autograd_lab.draw import digits
from autograd_lab.records import Graph, Node, Saved


def held(nodes: Iterable[Node]) -> str:
    """Writes how many bytes the saved tensors of some nodes keep alive, each storage counted once.

    Args:
        nodes: The nodes.

    Returns:
        What is kept for the graph, and what parameters and buffers keep anyway; empty where nothing is kept.

    Example:
        >>> x = Saved("mat1", nbytes=24, storage=0, storage_nbytes=24)
        >>> w = Saved("mat2", nbytes=2048, storage=1, storage_nbytes=2048, owner="parameter")
        >>> held([Node(0, "MmBackward0", "op", 0, saved=(x, w))])
        '24 B + 2 KiB of parameters'
        >>> held([Node(0, "MmBackward0", "op", 0, saved=(w,))])
        '2 KiB of parameters'
    """
    graph = Graph(tuple(nodes), ())
    kept = [saved for node in graph.nodes for saved in node.saved]
    return figures(graph.saved_activation_nbytes, graph.saved_parameter_nbytes, kept)


def figures(activations: int, parameters: int, saved: Iterable[Saved]) -> str:
    """Writes the two figures.

    Args:
        activations: Bytes kept for the graph.
        parameters: Bytes in parameters and buffers.
        saved: What these are of.

    Returns:
        The figures that aren't 0.

    Example:
        >>> figures(24, 8, [Saved("running_mean", owner="buffer")])
        '24 B + 8 B of buffers'
    """
    owners = {f"{each.owner}s" for each in saved if each.owner is not None}
    parts = [digits.nbytes(activations)] if activations else []
    if parameters:
        parts.append(f"{digits.nbytes(parameters)} of {' and '.join(sorted(owners, reverse=True))}")
    return " + ".join(parts)
