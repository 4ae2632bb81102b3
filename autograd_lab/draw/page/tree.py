"""The boxes that a page shows a graph in: modules, blocks that repeat, and segments of long runs.

Relies on the records, ``plan.homes`` (where nodes belong) and ``plan.repeats`` (which blocks are alike). Promises that
every node lies in exactly one innermost box, that no box has more than `MOST` children, and that every box has a title
and says what it folds. Nothing here recurses or looks at anything twice for each of many nodes: a graph may be a chain
of a million.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from autograd_lab.draw.plan.homes import Path, class_finder, homes
from autograd_lab.draw.plan.repeats import Repeats, find_repeats
from autograd_lab.records import Graph

MOST = 150
"""Children of one box: more can't be taken in at a glance, nor laid out at once."""

SEGMENT = 100
"""Children of one segment: a round number, so that one knows where to look for node 4321."""

TOP, MODULE, REPEATS, SEGMENTS = "top", "module", "repeats", "segment"

OF_NODES, OF_BOXES = "fold nodes", "fold boxes"

NOTES = {TOP: "fold graph", MODULE: "fold module", REPEATS: "fold repeats"}
"""Kind of a box → key of the sentence in ``words/`` that says what it folds; a segment has one of those above."""


class TreeBox(NamedTuple):
    """A box of the page.

    Attributes:
        parent: Number of the box that it lies in; -1 for the top box.
        kind: ``"top"``, ``"module"``, ``"repeats"`` or ``"segment"``.
        title: What it is called inside its parent.
        class_name: The class of the module, or of the modules that repeat, where that's known.
        times: How many blocks it stands for, where it stands for several that are alike.
        note: Key of the sentence that says what it folds. It may have ``{count}``, ``{times}``, ``{first}``,
            ``{last}`` in it.
        first: The first node inside, by id.
        last: The last one.
        count: How many nodes there are inside, those in boxes too.

    Example:
        >>> tree(Graph((), ())).boxes[0].kind
        'top'
    """

    parent: int
    kind: str
    title: str
    class_name: str | None
    times: int
    note: str
    first: int
    last: int
    count: int  # type: ignore[assignment] # a tuple's method of that name isn't missed here


class Tree(NamedTuple):
    """What lies in what.

    Attributes:
        boxes: The boxes, each after the one that it lies in; the top box is the first.
        box_of: For each node the number of its innermost box.

    Example:
        >>> tree(Graph((), ())).box_of
        []
    """

    boxes: tuple[TreeBox, ...]
    box_of: list[int]


@dataclass(slots=True)
class _Draft:
    """A box to be, with nodes' ids and boxes in it, in the order in which the first node of each stands."""

    kind: str
    title: str
    node: int
    """The first node inside."""
    path: Path | None = None
    times: int = 1
    note: str = ""
    ends: tuple[str, str] | None = None
    """Of a segment of boxes: the titles of its first and its last, as the forward made them."""
    members: list[int | _Draft] = field(default_factory=list)


def tree(graph: Graph) -> Tree:
    """Puts the nodes of a graph into boxes.

    Args:
        graph: The graph.

    Returns:
        The boxes.

    Example:
        >>> from autograd_lab.records import Node
        >>> found = tree(Graph((Node(0, "ExpBackward0", "op", 1, module="fc"), Node(1, "ExpBackward0", "op", 0)), ()))
        >>> [box.title for box in found.boxes], found.box_of
        (['graph', 'fc'], [1, 0])
    """
    at_home = homes(graph)
    class_of = class_finder(graph)
    top = _modules(at_home, class_of(()) or "graph")
    if any(at_home):
        _gather(top, find_repeats(graph, at_home, None))
    for draft in reversed(_all(top)):  # from the innermost out: a name that was joined may be joined again
        draft.members = [_joined(member) for member in draft.members]
    for draft in _all(top):
        _cut(draft)
    return _numbered(top, len(graph), class_of)


def _all(top: _Draft) -> list[_Draft]:
    """Every box, each after the one that it lies in."""
    found, waiting = [], [top]
    while waiting:
        draft = waiting.pop()
        found.append(draft)
        waiting += [member for member in reversed(draft.members) if isinstance(member, _Draft)]
    return found


def _modules(at_home: Sequence[Path | None], title: str) -> _Draft:
    top = _Draft(TOP, title, 0, ())
    known: dict[Path, _Draft] = {(): top}
    for node, home in enumerate(at_home):
        path = home or ()
        if path not in known:
            around = top
            for length in range(1, len(path) + 1):
                if path[:length] not in known:
                    known[path[:length]] = _Draft(MODULE, path[length - 1] or "''", node, path[:length])
                    around.members.append(known[path[:length]])
                around = known[path[:length]]
        known[path].members.append(node)
    return top


def _gather(top: _Draft, repeats: Repeats) -> None:
    """Puts the blocks of each run into a box of their own, where the first of them stood."""
    runs = list(zip(repeats.texts, repeats.texts.values(), strict=True))
    levels = [len(path) for path, _ in runs]
    for draft in _all(top):
        gathered: dict[int, _Draft] = {}
        members: list[int | _Draft] = []
        for member in draft.members:
            if isinstance(member, int) or member.path is None:
                members.append(member)
                continue
            level = len(member.path)
            run = next((run for run in repeats.blocks[member.node] if levels[run] == level), None)
            if run is None:
                members.append(member)
                continue
            if run not in gathered:
                gathered[run] = _Draft(REPEATS, runs[run][1], member.node, member.path)
                members.append(gathered[run])
            gathered[run].members.append(member)
        for box in gathered.values():
            box.times = len(box.members)
        draft.members = members


def _joined(member: int | _Draft) -> int | _Draft:
    """A module in which nothing lies but one other box is no box of its own: ``encoder.layers``."""
    if isinstance(member, int) or member.kind != MODULE or len(member.members) != 1:
        return member
    (only,) = member.members
    if isinstance(only, int):
        return member
    only.title = f"{member.title}.{only.title}"
    return only


def _cut(draft: _Draft) -> None:
    """Cuts what lies in a box into segments, and these again, until there are few enough."""
    while len(draft.members) > MOST:
        pieces = (draft.members[i : i + SEGMENT] for i in range(0, len(draft.members), SEGMENT))
        draft.members = [_segment(piece) if len(piece) > 1 else piece[0] for piece in pieces]


def _segment(piece: list[int | _Draft]) -> _Draft:
    boxes = [member for member in piece if isinstance(member, _Draft)]
    node = piece[0] if isinstance(piece[0], int) else piece[0].node
    made = _Draft(SEGMENTS, "", node, members=piece)
    if len(boxes) == len(piece) and not any(box.note == OF_NODES for box in boxes):
        # In the forward's order, as the names of blocks that repeat are.
        made.note, made.ends = OF_BOXES, (_ends(boxes[-1])[0], _ends(boxes[0])[1])
        made.title = " … ".join(made.ends)
    else:
        made.note = OF_NODES  # the title is known when its nodes are
    return made


def _ends(box: _Draft) -> tuple[str, str]:
    return box.ends or (box.title, box.title)


def _numbered(top: _Draft, nodes: int, class_of: Callable[[Path], str | None]) -> Tree:
    drafts = _all(top)
    index_of = {id(draft): index for index, draft in enumerate(drafts)}
    parent, box_of = [-1] * len(drafts), [0] * nodes
    first, last, count = [nodes] * len(drafts), [-1] * len(drafts), [0] * len(drafts)
    for index, draft in enumerate(drafts):
        for member in draft.members:
            if isinstance(member, _Draft):
                parent[index_of[id(member)]] = index
            else:
                box_of[member] = index
                first[index], last[index], count[index] = (
                    min(first[index], member),
                    max(last[index], member),
                    count[index] + 1,
                )
    for index in range(len(drafts) - 1, 0, -1):  # the innermost first
        around = parent[index]
        first[around], last[around] = min(first[around], first[index]), max(last[around], last[index])
        count[around] += count[index]
    return Tree(
        tuple(
            TreeBox(
                parent[index],
                draft.kind,
                f"{first[index]} … {last[index]}" if draft.note == OF_NODES else draft.title,
                class_of(draft.path) if draft.path is not None else None,
                draft.times,
                draft.note or NOTES[draft.kind],
                min(first[index], last[index]),
                last[index],
                count[index],
            )
            for index, draft in enumerate(drafts)
        ),
        box_of,
    )
