"""A picture as ``dot`` text: exact, and the same from run to run.

Relies on ``picture``, ``groups``, ``labels`` and ``theme``. Promises that every box and every arrow is written,
parallel arrows too, and that equal pictures give equal text.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from autograd_lab.draw import theme
from autograd_lab.draw.groups import Cluster, cluster_text, tree
from autograd_lab.draw.layout.sizes import lines_size, outer_outline
from autograd_lab.draw.picture import Arrow, Box, Line, Picture
from autograd_lab.draw.theme import LOOKS, STROKES, Look, Stroke
from autograd_lab.draw.write.labels import box_label, label, margin, quoted

if TYPE_CHECKING:
    from autograd_lab.draw.layout.placing import Placement
    from autograd_lab.draw.layout.routes import Point, Route

_RANKDIR = {"down": "TB", "up": "BT", "right": "LR", "left": "RL"}
_SIDES = {"down": ("n", "s"), "up": ("s", "n"), "right": ("w", "e"), "left": ("e", "w")}
"""Direction → where arrows come in, and where they leave."""

_SHAPES = {
    "rounded": {"shape": "box", "style": "rounded,filled"},
    "box": {"shape": "box", "style": "filled"},
    "double": {"shape": "box", "style": "rounded,filled", "peripheries": "2"},
    "framed": {"shape": "box", "style": "filled", "peripheries": "2"},
    "circle": {"shape": "ellipse", "style": "filled"},
    "plain": {"shape": "plain", "style": "solid", "peripheries": "0"},
} | {name: {"shape": name, "style": "filled"} for name in ("ellipse", "component", "note", "folder", "tab")}


def to_dot(picture: Picture, placement: Placement | None = None) -> str:
    """Writes a picture in Graphviz's language.

    Args:
        picture: What to draw.
        placement: Where everything goes, for ``neato -n2``, which only draws. Clusters aren't written then, since
            the boxes of one may lie anywhere. ``None`` leaves the layout to ``dot``.

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
    parts = _laid_out(picture) if placement is None else _placed(picture, placement)
    return "digraph autograd {\n" + "".join(f"  {line}\n" for line in (*_head(picture), *parts)) + "}\n"


def _laid_out(picture: Picture) -> Iterator[str]:
    yield from _members(tree(picture.boxes), picture)
    slotted = {box.key: (bool(box.ins), bool(box.outs)) for box in picture.boxes}
    for arrow in picture.arrows:
        yield from _arrow(arrow, picture.direction, slotted)


def _placed(picture: Picture, placement: Placement) -> Iterator[str]:
    for box, size, place in zip(picture.boxes, placement.sizes, placement.positions, strict=True):
        yield _box(box, picture.direction, _pinned(box, size, place))
    # Arrows side by side that say the same have no room for saying it twice: the last says it, which is on the side
    # where labels stand, or in pictures that run across the page the first.
    order = range(len(picture.arrows))
    words = [(arrow.tail, arrow.head, arrow.lines) for arrow in picture.arrows]
    says = {words[at]: at for at in (order if picture.direction in ("down", "up") else reversed(order))}
    for at, arrow, way, back in zip(order, picture.arrows, placement.routes, placement.back, strict=True):
        lines = arrow.lines if says[words[at]] == at else ()
        yield from _routed(arrow._replace(lines=lines), way, back, picture.direction)


def _head(picture: Picture) -> Iterator[str]:
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
    if picture.title:
        graph |= {"labelloc": "t", "labeljust": "l", "label": label((Line(picture.title, "caption"),))}
    yield f"graph [{_attributes(graph)}];"
    font = {"fontname": f'"{theme.FONT}"', "fontsize": f"{theme.SIZE:g}", "fontcolor": f'"{theme.INK}"'}
    node = {"width": "0", "height": "0", "margin": _margin(theme.PAD)}
    yield f"node [{_attributes(font | node | _look(LOOKS['op']))}];"
    edge = {"arrowsize": f"{theme.ARROWSIZE:g}"}
    yield f"edge [{_attributes(font | edge | _stroke(STROKES['edge']))}];"


# --- boxes ---------------------------------------------------------------------------


def _members(cluster: Cluster, picture: Picture) -> Iterator[str]:
    # Recursion goes no deeper than modules are nested.
    for member in cluster.members:
        if isinstance(member, Box):
            yield _box(member, picture.direction)
        else:
            yield f"subgraph cluster_{member.number} {{"
            yield f"  graph [{_attributes(_cluster(member, picture))}];"
            yield from (f"  {line}" for line in _members(member, picture))
            yield "}"


def _cluster(cluster: Cluster, picture: Picture) -> dict[str, str]:
    return {
        "label": label((Line(cluster_text(cluster, picture), "module"),)),
        "labeljust": "l",
        "style": '"rounded,filled"',
        "fillcolor": f'"{theme.MODULE_FILLS[(len(cluster.group) - 1) % len(theme.MODULE_FILLS)]}"',
        "color": f'"{theme.MODULE_LINE}"',
        "tooltip": quoted(".".join(cluster.group)),
    }


def _pinned(box: Box, size: Point, place: Point) -> dict[str, str]:
    width, height = (side - outer_outline(box) for side in size)
    return {
        "width": f"{width / 72:.3f}",
        "height": f"{height / 72:.3f}",
        "pos": f'"{place[0]:.1f},{place[1]:.1f}"',
    }


def _box(box: Box, direction: str, more: dict[str, str] | None = None) -> str:
    look = LOOKS[box.look]
    attributes = {"label": box_label(box, direction)}
    if (room := margin(box, direction)) != theme.PAD:
        attributes["margin"] = _margin(room)
    if look.shape == "circle":
        attributes |= {"width": f"{theme.SMALLEST / 72:.2f}", "height": f"{theme.SMALLEST / 72:.2f}"}
    attributes |= _differences(_look(look), _look(LOOKS["op"]))
    if box.tooltip:
        attributes["tooltip"] = quoted(box.tooltip)
    return f"{box.key} [{_attributes(attributes | (more or {}))}];"


def _look(look: Look) -> dict[str, str]:
    shape = _SHAPES[look.shape]
    style = f"{shape['style']},dashed" if look.dashed else shape["style"]
    return {
        "shape": shape["shape"],
        "style": f'"{style}"',
        "fillcolor": f'"{look.fill}"',
        "color": f'"{look.line}"',
        "penwidth": f"{look.width:g}",
        "peripheries": shape.get("peripheries", "1"),
    }


# --- arrows --------------------------------------------------------------------------


def _arrow(arrow: Arrow, direction: str, slotted: dict[str, tuple[bool, bool]]) -> Iterator[str]:
    comes_in, leaves = _SIDES[direction]
    tail, head = arrow.tail, arrow.head
    if arrow.tail_slot is not None and slotted[tail][1]:
        tail = f"{tail}:o{arrow.tail_slot}:{leaves}"
    if arrow.head_slot is not None and slotted[head][0]:
        head = f"{head}:i{arrow.head_slot}:{comes_in}"
    attributes = _differences(_stroke(STROKES[arrow.look]), _stroke(STROKES["edge"]))
    if arrow.look == "again":  # it closes a cycle, and must not turn the layout upside down
        attributes["constraint"] = "false"
    if arrow.lines:
        attributes["label"] = label(arrow.lines)
    yield _edge(tail, head, attributes)
    if arrow.back:
        # Written from tail to head, so that it doesn't turn the layout upside down.
        attributes = _differences(_stroke(STROKES["backward"]), _stroke(STROKES["edge"]))
        yield _edge(tail, head, attributes | {"label": label(arrow.back), "dir": "back"})


def _routed(arrow: Arrow, way: Route, back: Route | None, direction: str) -> Iterator[str]:
    stroke = STROKES[arrow.look]
    attributes = _differences(_stroke(stroke), _stroke(STROKES["edge"]))
    way = way if stroke.head else way._replace(head=False)  # no gap for an arrowhead
    yield _edge(arrow.tail, arrow.head, attributes | _along(way, arrow.lines, direction, 1))
    if back is not None:
        attributes = _differences(_stroke(STROKES["backward"]), _stroke(STROKES["edge"]))
        yield _edge(arrow.head, arrow.tail, attributes | _along(back, arrow.back, direction, -1))


def _along(way: Route, lines: tuple[Line, ...], direction: str, side: int) -> dict[str, str]:
    """A curve, and its label on one side of its middle: 1 for right or above, -1 for left or below."""
    attributes = {"label": label(lines)} if lines else {}
    if way.points:
        attributes["pos"] = way.pos()
        if lines:
            (x, y), (width, height) = way.middle(), lines_size(lines)
            if direction in ("down", "up"):
                x += side * (width / 2 + 4)
            else:
                y += side * (height / 2 + 1)
            attributes["lp"] = f'"{x:.1f},{y:.1f}"'
    return attributes


def _edge(tail: str, head: str, attributes: dict[str, str]) -> str:
    return f"{tail} -> {head}{f' [{_attributes(attributes)}]' if attributes else ''};"


def _stroke(stroke: Stroke) -> dict[str, str]:
    return {
        "color": f'"{stroke.line}"',
        "penwidth": f"{stroke.width:g}",
        "style": stroke.dash,
        "arrowhead": "normal" if stroke.head else "none",
    }


# --- attributes ----------------------------------------------------------------------


def _margin(points: tuple[float, float]) -> str:
    return f'"{points[0] / 72:.3f},{points[1] / 72:.3f}"'


def _differences(attributes: dict[str, str], usual: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in attributes.items() if usual[name] != value}


def _attributes(attributes: dict[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in attributes.items())
