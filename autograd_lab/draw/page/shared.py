"""Graphs that traces share: in a training loop each step has the same one.

Relies on ``data``. Promises that traces share a graph only if the page would show the same of each, but for where its
sequence numbers begin and its saved tensors' versions, which the trace then says itself.

Note [Alike at a glance]
Writing a graph costs much more than looking whether two are alike, and in a training loop they are. So a graph is
compared, node by node, with the few that were met last; only one that is like none of these is written, and then
compared by its text with all.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from autograd_lab.draw.page.data import LAST, Writer, first_sequence
from autograd_lab.records import Call, Graph, Node, Saved

_GLANCES = 4
"""Graphs looked at: a GAN's step has two or three."""


class Shared:
    """The graphs of a page's traces.

    Args:
        writer: Writes them.

    Attributes:
        distinct: The graphs that differ, in the order in which they were met, as the page's data have them.

    Example:
        >>> found = Shared(Writer())
        >>> [found.add(Graph((), ()))["graph"] for _ in range(2)], len(found.distinct)
        ([0, 0], 1)
    """

    def __init__(self, writer: Writer) -> None:
        self.distinct: list[dict[str, Any]] = []
        self._writer = writer
        self._known: dict[bytes, int] = {}
        self._met: dict[int, Graph] = {}
        """For each of those that are distinct a graph like it, the last one met the last."""

    def add(self, graph: Graph) -> dict[str, Any]:
        """Returns which graph a trace's is, ``graph``, and how it differs: ``sequence0``, ``versions``."""
        index = self._at_a_glance(graph)
        if index is None:
            index = self._written(graph)
        self._met.pop(index, None)
        self._met[index] = graph
        first = self.distinct[index]["nodes"]["versions"]
        return {
            "graph": index,
            "sequence0": first_sequence(graph),
            "versions": [
                [node.id, slot, saved.version]
                for node, versions in zip(graph.nodes, first, strict=True)
                for slot, saved in enumerate(node.saved)
                if saved.version != versions[slot]
            ],
        }

    def _at_a_glance(self, graph: Graph) -> int | None:
        """See Note [Alike at a glance]."""
        last = list(self._met.items())[: -_GLANCES - 1 : -1]
        return next((index for index, met in last if alike(met, graph)), None)

    def _written(self, graph: Graph) -> int:
        written = self._writer.graph(graph)
        nodes = {name: column for name, column in written["nodes"].items() if name != "versions"}
        key = hashlib.sha256(json.dumps({**written, "sequence0": 0, "nodes": nodes}).encode()).digest()
        index = self._known.setdefault(key, len(self.distinct))
        if index == len(self.distinct):
            self.distinct.append(written)
        return index


def alike(one: Graph, other: Graph) -> bool:
    """Returns whether a page shows the same of two graphs. Where that would take long to find out, it says no.

    Args:
        one: A graph.
        other: Another.

    Example:
        >>> first, second = (Graph((Node(0, "ExpBackward0", "op", number),), ()) for number in (3, 9))
        >>> alike(first, second)
        True
    """
    if len(one) != len(other) or one.roots != other.roots:
        return False
    if one.unreached != other.unreached or one.classes != other.classes:
        return False
    apart = first_sequence(other) - first_sequence(one)
    return all(_alike(a, b, apart) for a, b in zip(one.nodes, other.nodes, strict=True))


def _alike(one: Node, other: Node, apart: int) -> bool:
    return (
        one.name == other.name
        and one.kind == other.kind
        and other.sequence_nr - one.sequence_nr == (0 if one.sequence_nr == LAST else apart)
        and one.next == other.next
        and one.grad_outputs == other.grad_outputs
        and one.variable == other.variable
        and one.aliases == other.aliases
        and one.module == other.module
        and one.source == other.source
        and one.hooks == other.hooks
        and one.rule == other.rule
        and repr(one.metadata) == repr(other.metadata)  # 1 and 1.0 are equal and read differently
        and _same_call(one.call, other.call)
        and len(one.saved) == len(other.saved)
        and all(map(_same_saved, one.saved, other.saved))
    )


def _same_call(one: Call | None, other: Call | None) -> bool:
    if one is None or other is None:
        return one is other
    return one.name == other.name and one.made == other.made


def _same_saved(one: Saved, other: Saved) -> bool:
    """All but the version."""
    if one.value is not None and repr(one.value) != repr(other.value):
        return False
    return one._replace(version=None) == other._replace(version=None)
