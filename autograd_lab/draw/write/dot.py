"""A picture as ``dot`` text: exact, and the same from run to run.

Relies on ``picture``, ``groups``, ``labels`` and ``theme``. Promises that every box and every arrow is written,
parallel arrows too, and that equal pictures give equal text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from autograd_lab.draw import scales, theme
from autograd_lab.draw.groups import Cluster, cluster_text, tree
from autograd_lab.draw.layout.sizes import outer_outline
from autograd_lab.draw.layout.stacking import above
from autograd_lab.draw.picture import Arrow, Box, Line, Picture
from autograd_lab.draw.theme import LOOKS, STROKES
from autograd_lab.draw.write import legend
from autograd_lab.draw.write.attributes import attributes_of, differences, edge, look_of, margin_of, stroke_of
from autograd_lab.draw.write.labels import box_label, label, margin, quoted

if TYPE_CHECKING:
    from autograd_lab.draw.layout.placing import Framed, Placement
    from autograd_lab.draw.layout.routes import Point, Route
    from autograd_lab.draw.layout.space import Rect

_RANKDIR = {"down": "TB", "up": "BT", "right": "LR", "left": "RL"}
_SIDES = {"down": ("n", "s"), "up": ("s", "n"), "right": ("w", "e"), "left": ("e", "w")}
"""Direction → where arrows come in, and where they leave."""


def to_dot(picture: Picture, placement: Placement | None = None, *, numbered: bool = False) -> str:
    """Writes a picture in Graphviz's language.

    Args:
        picture: What to draw.
        placement: Where everything goes, for ``neato -n2``, which only draws. Clusters that have no place there aren't
            written, since the boxes of one may lie anywhere. ``None`` leaves the layout to ``dot``.
        numbered: Whether arrows have the numbers by which `fromdot.read` knows them: their ``id`` is ``e0``, ``e1``, …,
            and that of their ways back ``b0``, ``b1``, ….

    Returns:
        The text, equal for equal arguments.

    Example:
        >>> print(to_dot(Picture((Box("a", (Line("ŷ"),)),), ())))  # doctest: +ELLIPSIS
        digraph autograd {
        ...
          a [label=<ŷ>];
        }
        <BLANKLINE>
    """
    parts = _laid_out(picture, numbered) if placement is None else _placed(picture, placement)
    titled = bool(picture.title) and placement is None and not numbered
    head = _head(picture, titled=titled)
    return "digraph autograd {\n" + "".join(f"  {line}\n" for line in (*head, *parts)) + "}\n"


def _laid_out(picture: Picture, numbered: bool) -> Iterator[str]:
    boxes = {box.key: _box(box, picture.direction) for box in picture.boxes}
    yield from _members(tree(picture.boxes), picture, boxes)
    slotted = {box.key: (bool(box.ins), bool(box.outs)) for box in picture.boxes}
    for index, arrow in enumerate(picture.arrows):
        yield from _arrow(arrow, picture.direction, slotted, index if numbered else None)
    yield from (f"{one} -> {other} [style=invis, weight=2];" for one, other in above(picture))
    if not numbered:
        yield from legend.laid_out(picture.legend, picture.note)


def _placed(picture: Picture, placement: Placement) -> Iterator[str]:
    boxes = {
        box.key: _box(box, picture.direction, _pinned(box, size, middle))
        for box, size, middle in zip(picture.boxes, placement.sizes, placement.positions, strict=True)
    }
    if placement.clusters:
        yield from _members(tree(picture.boxes), picture, boxes, placement.clusters)
    else:
        yield from boxes.values()
    # Arrows side by side that say the same have no room for saying it twice: the last says it, which is on the side
    # where labels stand, or in pictures that run across the page the first.
    order = range(len(picture.arrows))
    words = [(arrow.tail, arrow.head, arrow.lines) for arrow in picture.arrows]
    says = {words[i]: i for i in (order if picture.direction in ("down", "up") else reversed(order))}
    apart = bool(placement.labels)  # then each has a place of its own
    for index, arrow in zip(order, picture.arrows, strict=True):
        lines = arrow.lines if apart or says[words[index]] == index else ()
        yield from _routed(picture, placement, index, lines)
    yield from legend.placed(picture.legend, placement.furniture)


def _head(picture: Picture, *, titled: bool) -> Iterator[str]:
    graph = {
        "rankdir": _RANKDIR[picture.direction],
        "bgcolor": f'"{theme.PAPER}"',
        "fontname": f'"{theme.FONT}"',
        "fontsize": f"{theme.SIZE:g}",
        "nodesep": "0.25",
        "ranksep": "0.4",
        "pad": "0.15",
        "outputorder": "edgesfirst",
        "newrank": "true",
    }
    if titled:
        graph |= {"labelloc": "t", "labeljust": "l", "label": label((Line(picture.title, "caption"),))}
    yield f"graph [{attributes_of(graph)}];"
    font = {"fontname": f'"{theme.FONT}"', "fontsize": f"{theme.SIZE:g}", "fontcolor": f'"{theme.INK}"'}
    node = {"width": "0", "height": "0", "margin": margin_of(theme.PAD)}
    yield f"node [{attributes_of(font | node | look_of(LOOKS['op']))}];"
    arrow = {"arrowsize": f"{theme.ARROWSIZE:g}"}
    yield f"edge [{attributes_of(font | arrow | stroke_of(STROKES['edge']))}];"


# --- boxes ---------------------------------------------------------------------------


def _members(
    cluster: Cluster, picture: Picture, boxes: Mapping[str, str], frames: Sequence[Framed] = ()
) -> Iterator[str]:
    # Recursion goes no deeper than modules are nested.
    for member in cluster.members:
        if isinstance(member, Box):
            yield boxes[member.key]
            continue
        yield f"subgraph cluster_{member.number} {{"
        framed = frames[member.number - 1] if frames else None
        yield f"  graph [{attributes_of(_cluster(member, picture, framed))}];"
        if framed is not None:
            yield f"  {_name(member, picture, framed.label)}"
        yield from (f"  {line}" for line in _members(member, picture, boxes, frames))
        yield "}"


def _cluster(cluster: Cluster, picture: Picture, framed: Framed | None) -> dict[str, str]:
    words = {"label": label((Line(cluster_text(cluster, picture), "module"),)), "labeljust": "l"}
    place = {"bb": f'"{",".join(f"{side:.1f}" for side in framed.frame)}"'} if framed is not None else {}
    return {
        **(place or words),
        "style": '"rounded,filled"',
        "fillcolor": f'"{_ground(cluster)}"',
        "color": f'"{theme.MODULE_LINE}"',
        "tooltip": quoted(".".join(cluster.group)),
    }


def _name(cluster: Cluster, picture: Picture, place: Rect) -> str:
    """A cluster's name as a box on the cluster's ground: Graphviz draws boxes over arrows, and labels under them."""
    (x, y), (width, height) = place.middle, place.size
    attributes = {
        "label": label((Line(cluster_text(cluster, picture), "module"),)),
        "shape": "plain",
        "style": "filled",
        "fillcolor": f'"{_ground(cluster)}"',
        "peripheries": "0",
        "width": f"{width / 72:.3f}",
        "height": f"{height / 72:.3f}",
        "pos": f'"{x:.1f},{y:.1f}"',
        "tooltip": quoted(".".join(cluster.group)),
    }
    return f"name_{cluster.number} [{attributes_of(attributes)}];"


def _ground(cluster: Cluster) -> str:
    return theme.MODULE_FILLS[(len(cluster.group) - 1) % len(theme.MODULE_FILLS)]


def _pinned(box: Box, size: Point, middle: Point) -> dict[str, str]:
    width, height = (side - outer_outline(box) for side in size)
    return {
        "width": f"{width / 72:.3f}",
        "height": f"{height / 72:.3f}",
        "pos": f'"{middle[0]:.1f},{middle[1]:.1f}"',
    }


def _box(box: Box, direction: str, more: dict[str, str] | None = None) -> str:
    look = scales.look_of(box.look, box.heat)
    attributes = {"label": box_label(box, direction)}
    if (room := margin(box, direction)) != theme.PAD:
        attributes["margin"] = margin_of(room)
    if look.shape == "circle":
        attributes |= {"width": f"{theme.SMALLEST / 72:.2f}", "height": f"{theme.SMALLEST / 72:.2f}"}
    attributes |= differences(look_of(look), look_of(LOOKS["op"]))
    if box.tooltip:
        attributes["tooltip"] = quoted(box.tooltip)
    return f"{box.key} [{attributes_of(attributes | (more or {}))}];"


# --- arrows --------------------------------------------------------------------------


def _arrow(
    arrow: Arrow, direction: str, slotted: dict[str, tuple[bool, bool]], index: int | None
) -> Iterator[str]:
    comes_in, leaves = _SIDES[direction]
    tail, head = arrow.tail, arrow.head
    if arrow.tail_slot is not None and slotted[tail][1]:
        tail = f"{tail}:o{arrow.tail_slot}:{leaves}"
    if arrow.head_slot is not None and slotted[head][0]:
        head = f"{head}:i{arrow.head_slot}:{comes_in}"
    attributes = differences(stroke_of(STROKES[arrow.look]), stroke_of(STROKES["edge"]))
    if arrow.look == "again":  # it closes a cycle, and must not turn the layout upside down
        attributes["constraint"] = "false"
    if arrow.lines:
        attributes["label"] = label(arrow.lines)
    yield edge(tail, head, attributes | ({} if index is None else {"id": f"e{index}"}))
    if arrow.back:
        # Written from tail to head, so that it doesn't turn the layout upside down.
        attributes = differences(stroke_of(STROKES["backward"]), stroke_of(STROKES["edge"]))
        attributes |= {"label": label(arrow.back), "dir": "back"}
        yield edge(tail, head, attributes | ({} if index is None else {"id": f"b{index}"}))


def _routed(picture: Picture, placement: Placement, index: int, lines: tuple[Line, ...]) -> Iterator[str]:
    arrow, way, back = picture.arrows[index], placement.routes[index], placement.back[index]
    stroke = STROKES[arrow.look]
    attributes = differences(stroke_of(stroke), stroke_of(STROKES["edge"]))
    way = way if stroke.head else way._replace(head=False)  # no gap for an arrowhead
    yield edge(arrow.tail, arrow.head, attributes | _along(way, lines, placement.label(picture, index)))
    if back is not None:
        attributes = differences(stroke_of(STROKES["backward"]), stroke_of(STROKES["edge"]))
        said = placement.label(picture, index, back=True)
        yield edge(arrow.head, arrow.tail, attributes | _along(back, arrow.back, said))


def _along(way: Route, lines: tuple[Line, ...], middle: Point | None) -> dict[str, str]:
    """A curve, and its label."""
    attributes = {"label": label(lines)} if lines else {}
    if way.points:
        attributes["pos"] = way.pos()
        if lines and middle is not None:
            attributes["lp"] = f'"{middle[0]:.1f},{middle[1]:.1f}"'
    return attributes
