"""Keeping a deep graph safe to delete after its nodes were looked at.

Relies on ``Node.metadata`` (public) living exactly as long as its node, and on torch letting a dying node's edges go
before its metadata (``deleteNode`` in ``torch/csrc/autograd/function.cpp``).

Note [Deep graphs]
Torch deletes a graph in a loop, so that depth costs no stack, but only through nodes that nobody has looked at.
``next_functions`` gives a node a Python object, which the node then keeps for life and which owns the node in
turn; and a parent that dies lets go of such a child through that object's destructor, one C stack frame inside
the other (torch 2.13, ``deleteNode`` and the preservation of Python objects). So *any* walk over a chain of more
than about 50,000 nodes makes torch overflow the stack, and the interpreter die, when the user later lets go of the
loss. Nothing can take the Python objects away again.

What helps is that Python deletes its own containers without recursion: when tuples and dicts within dying tuples and
dicts are some 50 deep, the next one is put off until the outermost is done (the *trashcan* of ``Objects/object.c``).
So some nodes of a deep graph are given, in their ``metadata``, a tuple of their own children. A child then dies with
that tuple and no longer with its edge, and deletion passes through a container. On no path of the graph are there more
than ``STRIDE`` nodes in a row without one, so it doesn't matter which nodes the user lets go of, in which order, and
who owns the rest. Since a node owns its children anyway, nothing lives longer than it would have. Graphs that are
less than ``DEEP`` levels deep are left alone.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch.autograd.graph import Node

DEEP = 2_000
"""Levels from which on a graph is kept safe; a thread with half a megabyte of stack dies at about 3,000."""

STRIDE = 16
"""Nodes in a row without a tuple; times 25, since Python counts the dict and the tuple, is how deep the stack gets."""

KEY = "autograd_lab: lets go of a deep graph without recursion"
"""The entry in ``Node.metadata``."""

Slot = tuple[int, int]


def keep_deletable(
    nodes: Sequence[Node], nexts: Sequence[Sequence[Slot | None]], order: Sequence[int]
) -> None:
    """Makes sure that a graph whose nodes all have a Python object can be deleted. See Note [Deep graphs].

    Args:
        nodes: Every node that was met.
        nexts: For each, its edges; each leads to a place in ``nodes``.
        order: The places in ``nodes``, such that every node comes after all nodes that lead to it.
    """
    if len(nodes) < DEEP or _levels(nexts, order) < DEEP:
        return
    bare = [0] * len(nodes)  # the longest run of nodes without a tuple that ends here
    for place in order:
        children = [edge[0] for edge in nexts[place] if edge is not None]
        run = bare[place] + 1
        if run == STRIDE:
            run = 0
            nodes[place].metadata[KEY] = tuple(nodes[child] for child in children)  # type: ignore[index]
        for child in children:
            bare[child] = max(bare[child], run)


def _levels(nexts: Sequence[Sequence[Slot | None]], order: Sequence[int]) -> int:
    """Counts the nodes on the longest path."""
    levels = [1] * len(nexts)
    for place in order:
        below = levels[place] + 1
        for edge in nexts[place]:
            if edge is not None and levels[edge[0]] < below:
                levels[edge[0]] = below
    return max(levels)
