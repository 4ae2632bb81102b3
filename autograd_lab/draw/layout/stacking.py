"""Which boxes stand below which, so that clusters which follow one another stand in a column.

``dot`` sets a cluster beside another wherever their boxes could be in one row: the leaves of a layer beside the layer
that gets its gradient next. Of a chain of layers that makes a staircase with an empty half on either side. So each end
of a cluster is told to stand above the box at which the next cluster is entered.

Relies on ``picture``. Promises that none of this turns an arrow round.
"""

from __future__ import annotations

from collections import defaultdict

from autograd_lab.draw.picture import Picture

MOST = 600
"""Pairs: with many more ``dot`` takes longer than what they mend is worth."""


def above(picture: Picture) -> list[tuple[str, str]]:
    """Returns what has to stand above what, beside what the arrows say.

    Args:
        picture: The picture, its boxes in the order in which arrows reach them.

    Returns:
        The keys of each upper and lower box.

    Example:
        >>> from autograd_lab.draw.picture import Arrow, Box
        >>> boxes = (Box("a", (), group=("f",)), Box("w", (), group=("f",)), Box("b", (), group=("g",)))
        >>> above(Picture(boxes, (Arrow("a", "w"), Arrow("a", "b"))))
        [('w', 'b')]
    """
    index_of = {box.key: i for i, box in enumerate(picture.boxes)}
    group = {box.key: box.group for box in picture.boxes}
    leads_on = {arrow.tail for arrow in picture.arrows}
    ends: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for box in picture.boxes:
        if box.key not in leads_on:
            for depth in range(1, len(box.group) + 1):
                ends[box.group[:depth]].append(box.key)
    found: dict[tuple[str, str], None] = {}
    for arrow in picture.arrows:
        left = _left(group[arrow.tail], group[arrow.head])
        if not left or (arrow.head not in leads_on and len(group[arrow.head]) < len(left)):
            continue  # a leaf that several clusters share may stand beside them
        # Only downwards in the boxes' order: so no circle comes about, of whatever arrows and pairs.
        found |= {(end, arrow.head): None for end in ends[left] if index_of[end] < index_of[arrow.head]}
        if len(found) > MOST:
            return []
    return list(found)


def _left(tail: tuple[str, ...], head: tuple[str, ...]) -> tuple[str, ...]:
    """The outermost cluster that an arrow leaves; empty where it leaves none."""
    depth = 0
    while depth < min(len(tail), len(head)) and tail[depth] == head[depth]:
        depth += 1
    return tail[: depth + 1] if depth < len(tail) else ()
