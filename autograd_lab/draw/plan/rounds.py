"""What a program does around each call of its model.

Relies on the records and ``homes``. Promises that a node lies in one round at most, and that no node of a module does.

Note [Rounds]
A program that calls its model in a loop does something with each result. Those nodes lie in no module, and each call
has its own, so that no two calls are wired alike without them. A *round* is a call together with the nodes outside all
modules that lead to it alone, or that it alone leads to. A loop that adds up (``loss = loss + step``) makes nodes that
lead to this round and to the one before; in *chained* rounds they belong to this one. What the program does at the end
leads to the last round alone, so a round has no more of such nodes than most rounds have: those that were made first.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence

from autograd_lab.draw.plan.homes import Path, bare
from autograd_lab.records import Graph

Rounds = Mapping[str, Sequence[int]]
"""A call's name → the nodes around it."""


def rounds(graph: Graph, homes: Sequence[Path | None], *, chained: bool) -> Rounds:
    """Returns what stands around each call of what is called several times.

    Args:
        graph: The graph.
        homes: Which module each node belongs to, as ``homes`` says.
        chained: Whether nodes that lead to a round and to the one before belong to it.

    Returns:
        The nodes around each call; no such call is left out, what is called once is.

    Example:
        >>> rounds(Graph((), ()), [], chained=False)
        {}
    """
    order = _order(homes)
    if not order:
        return {}
    owner = {
        index: home[0]
        for index, home in enumerate(homes)
        if home is not None and home[:1] and home[0] in order
    }
    after = _leading_to(graph, homes, owner, order if chained else {})
    before = _led_to(graph, homes, owner)
    found: dict[str, list[int]] = {name: [] for name in order}
    for name, nodes in _as_many_as_most(graph, after).items():
        found[name] += nodes
    for index in before:
        found[owner[index]].append(index)
    return found


def _order(homes: Sequence[Path | None]) -> dict[str, int]:
    """The calls of what is called several times, each with its index in the order of the forward."""
    firsts = dict.fromkeys(home[0] for home in homes if home)
    names: dict[str, list[str]] = defaultdict(list)
    for first in firsts:
        names[bare((first,))[0]].append(first)
    calls = [sorted(each, key=_number) for each in names.values() if len(each) > 1]
    return {name: index for each in calls for index, name in enumerate(each)}


def _number(name: str) -> int:
    return int(name.rpartition("#")[2]) if "#" in name else 1


def _is_outside(graph: Graph, homes: Sequence[Path | None], index: int) -> bool:
    return homes[index] is None and graph.nodes[index].kind != "accumulate"


def _leading_to(
    graph: Graph, homes: Sequence[Path | None], owner: dict[int, str], order: Mapping[str, int]
) -> dict[str, list[int]]:
    """Adds to ``owner`` the nodes that lead to one round; in ``order``, also to that and the one before."""
    found: dict[str, list[int]] = defaultdict(list)
    for node in reversed(graph.nodes):
        if not _is_outside(graph, homes, node.id):
            continue
        heads = {edge.node for edge in node.next if edge is not None}
        owners = {owner.get(head) for head in heads if graph.nodes[head].kind != "accumulate"}
        if (name := _one_of(owners, order)) is not None:
            owner[node.id] = name
            found[name].append(node.id)
    return found


def _one_of(owners: Collection[str | None], order: Mapping[str, int]) -> str | None:
    """The round that nodes belong to that lead to these rounds; ``None`` for what is outside of all."""
    names = [name for name in owners if name is not None]
    if len(names) < len(owners) or not names:
        return None
    if len(names) == 1:
        return names[0]
    if len(names) > 2 or any(name not in order for name in names):
        return None
    earlier, later = sorted(names, key=order.__getitem__)
    alike = bare((earlier,)) == bare((later,))
    return later if alike and order[later] - order[earlier] == 1 else None


def _led_to(graph: Graph, homes: Sequence[Path | None], owner: dict[int, str]) -> list[int]:
    """Adds to ``owner`` the nodes that one round alone leads to."""
    senders: dict[int, set[str | None]] = defaultdict(set)
    for root in graph.roots:
        senders[root.node].add(None)
    found = []
    for node in graph.nodes:
        names = senders[node.id]
        if node.id not in owner and _is_outside(graph, homes, node.id) and len(names) == 1:
            name = next(iter(names))
            if name is not None:
                owner[node.id] = name
                found.append(node.id)
        for edge in node.next:
            if edge is not None:
                senders[edge.node].add(owner.get(node.id))
    return found


def _as_many_as_most(graph: Graph, after: Mapping[str, Sequence[int]]) -> dict[str, list[int]]:
    """Of each round the nodes that were made first, as many as most rounds of the same module have."""
    sizes: dict[str, Counter[int]] = defaultdict(Counter)
    for name, nodes in after.items():
        sizes[bare((name,))[0]][len(nodes)] += 1
    found = {}
    for name, nodes in after.items():
        counts = sizes[bare((name,))[0]]
        most = min(counts, key=lambda size: (-counts[size], size))
        found[name] = sorted(nodes, key=lambda index: graph.nodes[index].sequence_nr)[:most]
    return found
