"""Keeping a deep graph safe to delete after its nodes were looked at.

Relies on ``Node.metadata`` (public) living exactly as long as its node.

Note [Deep graphs]
Torch deletes a graph in a loop, so that depth costs no stack, but only through nodes that nobody has looked at.
``next_functions`` gives a node a Python object, which the node then keeps for life and which owns the node in
turn; and a parent that dies lets go of such a child through that object's destructor, one C stack frame inside
the other (torch 2.13, ``deleteNode`` in ``torch/csrc/autograd/function.cpp`` and the preservation of Python
objects). So *any* walk over a chain of more than about 50,000 nodes makes torch overflow the stack, and the
interpreter die, when the user later lets go of the loss. Nothing can take the Python objects away again.

What helps is to let them go root first. So every ``STRIDE`` levels a node of a deep graph is given, in its
``metadata``, a list of the Python objects of those of its descendants that are up to ``STRIDE`` levels below it,
parents first. When it dies the list dies with it and lets them go one after the other. Since a node owns its
descendants anyway, nothing lives longer than it would have. Graphs less than ``DEEP`` levels deep are left alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from torch.autograd.graph import Node

DEEP = 2_000
"""Levels from which on a graph is kept safe; a thread with half a megabyte of stack dies at about 3,000."""

STRIDE = 1_000
"""Levels between two nodes that hold such a list."""

KEY = "autograd_lab: lets go of a deep graph root first"
"""The entry in ``Node.metadata``."""


def keep_deletable(nodes: Sequence[Node], parents: Sequence[int], order: Sequence[int]) -> None:
    """Makes sure that a graph whose nodes all have a Python object can be deleted. See Note [Deep graphs].

    Args:
        nodes: Every node that was met, a parent before its children.
        parents: For each, the place in ``nodes`` of the node from which it was met first; its own, for a root.
        order: The places in ``nodes``, such that every node comes after all nodes that lead to it.
    """
    if len(nodes) < DEEP:
        return
    levels = [0] * len(nodes)
    holders = list(range(len(nodes)))
    for place, parent in enumerate(parents):
        if parent != place:
            levels[place] = levels[parent] + 1
            holders[place] = parent if levels[parent] % STRIDE == 0 else holders[parent]
    if max(levels) < DEEP:
        return
    held: dict[int, deque[Node]] = {}
    for place in order:
        if holders[place] != place:
            held.setdefault(holders[place], deque()).append(nodes[place])
    for holder, descendants in held.items():
        nodes[holder].metadata[KEY] = descendants  # type: ignore[index]
