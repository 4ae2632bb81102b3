"""Blocks that are alike and follow one another, so that one of them can be drawn for all.

A block is a module and all that lies in it, or a round: see ``rounds``. Relies on the records and ``homes``. Promises
that only blocks are put together which are the same in every fact that a picture shows and are wired alike: see Note
[Alike].
"""

from __future__ import annotations

import functools
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import NamedTuple

from autograd_lab.draw.plan.homes import Path, bare, class_finder
from autograd_lab.draw.plan.rounds import Rounds, rounds
from autograd_lab.records import Edge, Graph, Node

# Note [Alike]
# Blocks of one run are of one class and have the same nodes (names, kinds, shapes, modules inside, saved values, hooks,
# the leaves' names inside the block), the same edges inside, and the same wiring: every block sends the same gradients
# to its follower, and beyond that all of them have edges to and from the same nodes outside. Only where the chain
# begins and ends it may differ: what the first gets from outside in its neighbour's place, and where the last sends
# what would go to a follower. Which node is which follows from the order in which the forward made them, so that no
# search is needed; where that order differs the blocks aren't alike. The comparison is of whole descriptions, not of
# hashes.


class Repeats(NamedTuple):
    """Which blocks are drawn for which.

    Attributes:
        image: For each node the one that is drawn for it, often itself.
        texts: Path of a block that is drawn for a run → what its last part is called, such as ``"0 … 11"``.
        times: Path of such a block → how many there are.
        blocks: For each node in a run: index of the run → index of its block, the first in the backward's order 0.
        framed: Of a run of rounds, for each node of the one that is drawn how many rounds there are: see Note [Rounds]
            in ``rounds.py``.

    Example:
        >>> find_repeats(Graph((Node(0, "ExpBackward0", "op", 0),), ()), [None], None).image
        [0]
    """

    image: list[int]
    texts: dict[Path, str]
    times: dict[Path, int]
    blocks: list[dict[int, int]]
    framed: dict[int, int]


class _Block(NamedTuple):
    """A module, its nodes in the order in which they correspond, and what is compared."""

    name: str
    nodes: tuple[int, ...]
    inside: Hashable
    outs: frozenset[tuple[int, int, int, int, str | None]]
    """(index of the node, slot, id of the node that it leads to, input_nr, name)."""
    ins: Counter[tuple[int, int, str | None, int]]
    """(index of the node, input_nr, name, id of the node that it comes from), and how many such edges."""


def no_repeats(graph: Graph) -> Repeats:
    """Says that every node is drawn for itself.

    Args:
        graph: The graph.

    Returns:
        No runs at all.
    """
    return Repeats(list(range(len(graph))), {}, {}, [{} for _ in graph.nodes], {})


def find_repeats(graph: Graph, homes: Sequence[Path | None], depth: int | None) -> Repeats:
    """Finds the runs of blocks that are alike, those inside others too.

    Args:
        graph: The graph.
        homes: Which module each node belongs to, as ``modules.homes`` says.
        depth: Modules deeper than this aren't looked into; ``None`` for all.

    Returns:
        What is drawn for what.
    """
    found = no_repeats(graph)
    block = functools.partial(_block, graph, homes, _into(graph), class_finder(graph))
    runs = 0
    no_rounds: list[Rounds] = [{}]
    with_rounds = [{}, *filter(None, (rounds(graph, homes, chained=chained) for chained in (False, True)))]
    waiting: list[tuple[Path, list[int]]] = [
        ((), [i for i, home in enumerate(homes) if home is not None and home])
    ]
    while waiting:
        parent, nodes = waiting.pop()
        if depth is not None and len(parent) >= depth:
            continue
        children: dict[str, list[int]] = defaultdict(list)
        for node_id in nodes:
            children[_home(homes, node_id)[len(parent)]].append(node_id)
        ways = no_rounds if parent else with_rounds
        around, alike = _most_alike(
            (
                around,
                [
                    block((*parent, name), [*inside, *around.get(name, ())])
                    for name, inside in children.items()
                ],
            )
            for around in ways
        )
        drawn = set(children)
        for run in alike:
            first = run[0]
            if any(around.get(each.name) for each in run):
                found.framed.update(dict.fromkeys(first.nodes, len(run)))
            path = (*parent, first.name)
            # In a container: see Note [Containers] in homes.py.
            before, _, last = first.name.rpartition(".")
            after = last if run[-1].name.rpartition(".")[0] == before else first.name
            found.texts[path], found.times[path] = f"{run[-1].name} … {after}", len(run)
            for index, each in enumerate(run):
                for own, node_id in zip(first.nodes, each.nodes, strict=True):
                    found.image[node_id] = own
                    found.blocks[node_id][runs] = index
            drawn -= {each.name for each in run[1:]}
            runs += 1
        waiting += (
            ((*parent, name), [i for i in inside if len(_home(homes, i)) > len(parent) + 1])
            for name, inside in children.items()
            if name in drawn
        )
    return _resolved(found)


def _most_alike(ways: Iterable[tuple[Rounds, Sequence[_Block]]]) -> tuple[Rounds, list[list[_Block]]]:
    """Returns the rounds with which most blocks are alike, the first of several, and the runs of these blocks."""
    found = [(around, _runs(blocks)) for around, blocks in ways]
    return max(found, key=lambda each: sum(len(run) - 1 for run in each[1]))


def _resolved(found: Repeats) -> Repeats:
    """A run inside a block that is drawn for others holds for those too."""
    for node_id in range(len(found.image)):
        way = [node_id]
        while found.image[way[-1]] != way[-1]:
            way.append(found.image[way[-1]])
        found.image[node_id] = way[-1]
        found.blocks[node_id] = {
            run: block for node in reversed(way) for run, block in found.blocks[node].items()
        }
    return found


def _home(homes: Sequence[Path | None], node_id: int) -> Path:
    home = homes[node_id]
    assert home is not None
    return home


def _into(graph: Graph) -> list[list[tuple[int, Edge]]]:
    """For each node the edges that lead to it; an output counts as a node with an id below 0."""
    into: list[list[tuple[int, Edge]]] = [[] for _ in graph.nodes]
    for tail, _, edge in graph.edges:
        into[edge.node].append((tail, edge))
    for index, edge in enumerate(graph.roots):
        into[edge.node].append((-1 - index, edge))
    return into


# --- what a block is -----------------------------------------------------------------


def _block(
    graph: Graph,
    homes: Sequence[Path | None],
    into: list[list[tuple[int, Edge]]],
    class_of: Callable[[Path], str | None],
    path: Path,
    inside: list[int],
) -> _Block:
    nodes = _in_order(graph, inside)
    index_of = {node_id: index for index, node_id in enumerate(nodes)}
    outs = [
        (index, slot, edge)
        for index, node_id in enumerate(nodes)
        for slot, edge in enumerate(graph.nodes[node_id].next)
        if edge is not None
    ]
    return _Block(
        path[-1],
        nodes,
        (
            class_of(path),
            tuple(_described(graph.nodes[i], _within(homes[i], path), path) for i in nodes),
            tuple(
                (index, slot, index_of[edge.node], edge.input_nr, edge.name)
                for index, slot, edge in outs
                if edge.node in index_of
            ),
        ),
        frozenset(
            (index, slot, edge.node, edge.input_nr, edge.name)
            for index, slot, edge in outs
            if edge.node not in index_of
        ),
        Counter(
            (index, edge.input_nr, edge.name, tail)
            for index, node_id in enumerate(nodes)
            for tail, edge in into[node_id]
            if tail not in index_of
        ),
    )


def _in_order(graph: Graph, inside: Iterable[int]) -> tuple[int, ...]:
    """Operations from the last made to the first, then leaves in the order in which those lead to them."""
    nodes = [graph.nodes[i] for i in inside]
    operations = [node for node in nodes if node.kind != "accumulate"]
    operations.sort(key=lambda node: (-node.sequence_nr, node.id))
    leaves = dict.fromkeys(node.id for node in nodes if node.kind == "accumulate")
    met = dict.fromkeys(
        edge.node for node in operations for edge in node.next if edge is not None and edge.node in leaves
    )
    return (*(node.id for node in operations), *(met | leaves))


def _within(home: Path | None, block: Path) -> Path | None:
    """A module's path from a block on; ``None`` for what stands around the block."""
    return None if home is None else home[len(block) :]


def _described(node: Node, module: Path | None, block: Path) -> Hashable:
    """All that a picture shows of a node, but for its edges."""
    return (
        node.name,
        node.kind,
        module,
        node.grad_outputs,
        tuple(edge is None for edge in node.next),
        tuple(
            repr((saved.name, saved.meta, saved.value, saved.released, saved.packed)) for saved in node.saved
        ),
        tuple((hook.kind, hook.name, hook.input_nr) for hook in node.hooks),
        tuple(inner_name(name, block) for name in (node.variable, *node.aliases) if name is not None),
        node.source if node.kind == "function" else None,
    )


def inner_name(name: str, block: Path) -> str:
    """Writes a leaf's name as it reads from inside a block.

    Args:
        name: The name.
        block: The block's path.

    Returns:
        What follows the block's path, after a dot; the whole name where it doesn't begin with that.

    Example:
        >>> inner_name("h.0.fc.weight", ("h", "0")), inner_name("wte.weight", ("h", "0"))
        ('.fc.weight', 'wte.weight')
    """
    start = ".".join(bare(block))
    return name.removeprefix(start) if name.startswith(f"{start}.") else name


# --- which blocks are alike ----------------------------------------------------------


def _runs(blocks: Sequence[_Block]) -> list[list[_Block]]:
    """Runs of two blocks or more, each as long as it can be, from the first on."""
    found = []
    start = 0
    while start < len(blocks):
        run = _run_from(blocks, start)
        if len(run) > 1:
            found.append(run)
        start += len(run)
    return found


def _run_from(blocks: Sequence[_Block], start: int) -> list[_Block]:
    """Note [Alike]."""
    run = [blocks[start]]
    if start + 1 == len(blocks) or blocks[start + 1].inside != run[0].inside:
        return run
    first, second = run[0], blocks[start + 1]
    links = _links(first, second)
    heads = {link[2:4] for link in links}
    of_first, of_second = set(first.nodes), set(second.nodes)
    outs = {out for out in first.outs if out[2] not in of_second}
    ins = _but_from(second.ins, of_first)
    first_only = first.ins - ins
    if not ins <= first.ins or not {(index, nr) for index, nr, *_ in first_only} <= heads:
        return run
    seen = set(first.nodes)
    for block in blocks[start + 1 :]:
        # What a block sends beyond `outs` leaves from the slots of `links`, since blocks that are the same inside have
        # the same slots that lead outside.
        if (
            block.inside != first.inside
            or _links(run[-1], block) != links
            or _but_from(block.ins, set(run[-1].nodes)) != ins
            or not outs <= block.outs
            or any(out[2] in seen for out in block.outs)  # back into the run
        ):
            break
        run.append(block)
        seen |= set(block.nodes)
    return run


def _but_from(
    ins: Counter[tuple[int, int, str | None, int]], nodes: set[int]
) -> Counter[tuple[int, int, str | None, int]]:
    return Counter({into: count for into, count in ins.items() if into[3] not in nodes})


def _links(block: _Block, follower: _Block) -> set[tuple[int, int, int, int, str | None]]:
    """The edges from one block to the next, told by the indices of their nodes."""
    index_of = {node_id: index for index, node_id in enumerate(follower.nodes)}
    return {
        (index, slot, index_of[node_id], input_nr, name)
        for index, slot, node_id, input_nr, name in block.outs
        if node_id in index_of
    }
