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
dicts are some way deep, the next one is put off until the outermost is done (the *trashcan* of ``Objects/object.c``).
So some nodes of a deep graph are given, in their ``metadata``, a tuple of their own children. A child then dies with
that tuple and no longer with its edge, and deletion passes through a container. On no path of the graph are there more
than ``STRIDE`` nodes in a row without one, so it doesn't matter which nodes the user lets go of, in which order, and
who owns the rest. Since a node owns its children anyway, nothing lives longer than it would have. Graphs that are
less than ``DEEP`` levels deep are left alone.

Note [When Python puts off a deletion]
How deep "some way" is depends on the version of Python. Up to 3.12 it's 50 containers. In 3.13 a container is put off
when no more than 50 are left of the thread's ``c_recursion_remaining``, which starts at 10,000 on most platforms
(``Py_C_RECURSION_LIMIT``): half of that in nodes, each with a dict and a tuple, needs 1.5 MiB of stack. From 3.14 on
whatever takes part in garbage collection, a node too, is put off when the thread's stack is nearly full. Which it is
is tried once, on tuples. Where deletions aren't put off early every node gets a tuple, so that there are as many
containers for each node as there can be; and a program with a smaller stack than ``STACK`` is refused the walk over a
graph of more than ``DEEP`` nodes, since nothing could keep it safe.

Note [Interrupted walks]
Whoever breaks off a walk, with Ctrl-C, lets go of the loss later all the same. So as soon as a walk is over, however it
ended, all nodes that it met are safe: if the graph's shape wasn't known yet, every one of them gets a tuple.
"""

from __future__ import annotations

import sys
import threading
import weakref
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from torch.autograd.graph import Node

if sys.platform != "win32":
    import resource

DEEP = 2_000
"""Levels from which on a graph is kept safe; a thread with half a megabyte of stack dies at about 3,000."""

STACK = 2 << 20
"""Bytes of stack that a deletion may need where it isn't put off early."""


class _Mark:
    """Something that a weak reference can watch."""


def _puts_off_early() -> bool:
    """Whether Python puts off the deletion of a container that is 100 containers deep.

    Of a tuple's members the last dies first: here, the tuple inside. So if nothing is put off, the innermost mark is
    the first to die; the outermost would be if tuples let go of their members in another order.
    """
    died: list[weakref.ref[_Mark]] = []
    marks = [_Mark() for _ in range(100)]
    references = [weakref.ref(mark, died.append) for mark in marks]
    nested: tuple[object, ...] = ()
    while marks:
        nested = (marks.pop(), nested)
    del nested
    return died[0] not in (references[0], references[-1])


PUTS_OFF_EARLY = _puts_off_early()
"""See Note [When Python puts off a deletion]."""

STRIDE = 16 if PUTS_OFF_EARLY else 1
"""Nodes in a row without a tuple. Where Python puts off after 50 containers the stack gets 25 times as deep."""

KEY = "autograd_lab: lets go of a deep graph without recursion"
"""The entry in ``Node.metadata``."""

NodeSlot: TypeAlias = tuple[int, int]
"""Where an edge leads: the index of a node, and which of its inputs, as ``next_functions`` has it."""


def keep_deletable(
    nodes: Sequence[Node], nexts: Sequence[Sequence[NodeSlot | None]], order: Sequence[int]
) -> None:
    """Makes sure that a graph whose nodes all have a Python object can be deleted. See Note [Deep graphs].

    Args:
        nodes: Every node that was met.
        nexts: For each, its edges; each names a node by its index.
        order: The indices of the nodes, such that every node comes after all nodes that lead to it.
    """
    if len(nodes) < DEEP or _levels(nexts, order) < DEEP:
        return
    bare = [0] * len(nodes)  # the longest run of nodes without a tuple that ends here
    for index in order:
        children = [edge[0] for edge in nexts[index] if edge is not None]
        run = bare[index] + 1
        if run == STRIDE:
            run = 0
            nodes[index].metadata[KEY] = tuple(nodes[child] for child in children)  # type: ignore[index]
        for child in children:
            bare[child] = max(bare[child], run)


def keep_interrupted_deletable(nodes: Iterable[Node]) -> None:
    """Does the same for a walk that broke off. See Note [Interrupted walks].

    Args:
        nodes: Those that were met so far.
    """
    for node in nodes:
        node.metadata[KEY] = tuple(child for child, _ in node.next_functions if child is not None)  # type: ignore[index]


def most_nodes() -> int | None:
    """Returns how many nodes may be looked at so that the graph can be deleted; ``None`` for any number of them.

    See Note [When Python puts off a deletion].
    """
    return None if PUTS_OFF_EARLY or _smallest_stack() >= STACK else DEEP


def _smallest_stack() -> int:
    """Returns the bytes of stack that the main thread has, or a new one if that is less."""
    sizes = [threading.stack_size()]
    if sys.platform != "win32":
        sizes.append(resource.getrlimit(resource.RLIMIT_STACK)[0])
    return min(
        (size for size in sizes if size > 0), default=STACK
    )  # 0 and -1: the system's own, and no limit


def _levels(nexts: Sequence[Sequence[NodeSlot | None]], order: Sequence[int]) -> int:
    """Counts the nodes on the longest path."""
    levels = [1] * len(nexts)
    for index in order:
        below = levels[index] + 1
        for edge in nexts[index]:
            if edge is not None and levels[edge[0]] < below:
                levels[edge[0]] = below
    return max(levels)
