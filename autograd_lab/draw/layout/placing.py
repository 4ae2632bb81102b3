"""Places for the boxes of a picture that is too large for ``dot``'s own layout.

Relies on ``layered``, which lays out from the top down, and on ``sizes``. Promises that no two boxes touch and that
arrows run between them, in every direction that a picture may have.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
from typing import NamedTuple

from autograd_lab.draw.layout.layered import layout
from autograd_lab.draw.layout.routes import Point, Route
from autograd_lab.draw.layout.sizes import box_size, lines_size, slot_sizes
from autograd_lab.draw.layout.space import Rect
from autograd_lab.draw.picture import Arrow, Picture
from autograd_lab.draw.theme import PAD

_SPARE = 1.03
"""Boxes are drawn this much larger than was reckoned, so that text which came out wider still fits."""


class Framed(NamedTuple):
    """Where a cluster is.

    Attributes:
        frame: Its outline.
        label: The room that its name takes.
    """

    frame: Rect
    label: Rect


class Furniture(NamedTuple):
    """Where a picture's title and legend are.

    Attributes:
        title: The title's lines.
        above: The upper left corner of the first.
        legend: The middle of the left side of each entry.
        key: How far to the right of that an entry's words begin.
        note: The note's lines.
        below: The upper left corner of the first.
    """

    title: tuple[str, ...] = ()
    above: Point = (0.0, 0.0)
    legend: tuple[Point, ...] = ()
    key: float = 0.0
    note: tuple[str, ...] = ()
    below: Point = (0.0, 0.0)


class Placement(NamedTuple):
    """Where everything of a picture goes. Points; y grows upwards.

    Attributes:
        sizes: Each box's width and height.
        positions: Each box's middle.
        routes: Each arrow's curve.
        back: The curve of each arrow's way back, from head to tail; ``None`` for arrows that have none.
        labels: The middle of each arrow's label, where the layout says it; empty where it says none.
        back_labels: Likewise of the labels of the ways back.
        clusters: Each cluster's frame, in the order of their numbers; empty where a layout keeps none together.
        furniture: The title, the legend and the note.
        extent: How wide and high all of it is; ``None`` where that isn't known.

    Example:
        >>> from autograd_lab.draw.picture import Box
        >>> placed(Picture((Box("a", ()),), ())).routes
        ()
    """

    sizes: tuple[Point, ...]
    positions: tuple[Point, ...]
    routes: tuple[Route, ...]
    back: tuple[Route | None, ...]
    labels: tuple[Point | None, ...] = ()
    back_labels: tuple[Point | None, ...] = ()
    clusters: tuple[Framed, ...] = ()
    furniture: Furniture = Furniture()
    extent: Point | None = None

    def label(self, picture: Picture, index: int, *, back: bool = False) -> Point | None:
        """Returns the middle of an arrow's label.

        Args:
            picture: The picture.
            index: The arrow's.
            back: Whether it's the label of the way back.

        Returns:
            Where the layout says, or else on one side of the curve's middle; ``None`` where there's no label or curve.
        """
        arrow = picture.arrows[index]
        lines, way = (arrow.back, self.back[index]) if back else (arrow.lines, self.routes[index])
        said = self.back_labels if back else self.labels
        if said and said[index] is not None:
            return said[index]
        if way is None or not way.points or not lines:
            return None
        (x, y), (width, height) = way.middle(), lines_size(lines)
        side = -1 if back else 1  # right or above, and left or below
        if picture.direction in ("down", "up"):
            return x + side * (width / 2 + 4), y
        return x, y + side * (height / 2 + 1)

    def box_rects(self) -> Iterator[Rect]:
        """Returns where the boxes are."""
        return map(Rect.around, self.positions, self.sizes)

    def label_rects(self, picture: Picture) -> Iterator[Rect]:
        """Returns where the arrows' labels are."""
        for index, arrow in enumerate(picture.arrows):
            for back, lines in ((False, arrow.lines), (True, arrow.back)):
                middle = self.label(picture, index, back=back) if lines else None
                if middle is not None:
                    yield Rect.around(middle, lines_size(lines))


def placed(picture: Picture) -> Placement:
    """Lays a picture out. A deep and narrow one is cut into bands that stand side by side.

    Args:
        picture: The picture; its clusters have no say.

    Returns:
        Where everything goes.

    Raises:
        RenderError: The layout isn't installed or failed.

    Example:
        >>> from autograd_lab.draw.picture import Box
        >>> found = placed(Picture((Box("a", ()), Box("b", ())), (Arrow("a", "b"),), direction="right"))
        >>> found.positions[0][0] < found.positions[1][0]
        True
    """
    reckoned = tuple(box_size(box, picture.direction) for box in picture.boxes)
    sizes = tuple((width * _SPARE, height * _SPARE) for width, height in reckoned)
    slots = _Slots(picture, reckoned)
    index_of = {box.key: i for i, box in enumerate(picture.boxes)}
    # The way back runs beside the way there.
    backs = [arrow for arrow in picture.arrows if arrow.back]
    arrows = (*picture.arrows, *backs)
    upright = picture.direction in ("down", "up")
    found = layout(
        sizes if upright else [(height, width) for width, height in sizes],
        [(index_of[arrow.tail], index_of[arrow.head]) for arrow in arrows],
        ends=[slots.ends(arrow) for arrow in arrows],
        fold=True,
    )

    def turned(point: Point) -> Point:
        x, y = point
        return {
            "down": (x, y),
            "up": (x, found.height - y),
            "right": (found.height - y, found.width - x),
            "left": (y, found.width - x),
        }[picture.direction]

    routes = [Route(tuple(map(turned, route.points)), route.head) for route in found.routes]
    ways = iter(Route(route.points[::-1], head=True) for route in routes[len(picture.arrows) :])
    return Placement(
        sizes,
        tuple(map(turned, found.positions)),
        tuple(routes[: len(picture.arrows)]),
        tuple(next(ways) if arrow.back else None for arrow in picture.arrows),
    )


class _Slots:
    """Knows where the slots of each box are: reckoned once a box, which may have 100,000."""

    def __init__(self, picture: Picture, sizes: tuple[Point, ...]) -> None:
        self._direction = picture.direction
        self._across = 0 if picture.direction in ("down", "up") else 1
        rooms = [size[self._across] - 2 * PAD[self._across] for size in sizes]
        boxes = list(zip(picture.boxes, rooms, strict=True))
        self._outs = {box.key: self._offsets(box.outs, room) for box, room in boxes if box.outs}
        self._ins = {box.key: self._offsets(box.ins, room) for box, room in boxes if box.ins}

    def ends(self, arrow: Arrow) -> tuple[float, float]:
        """Returns how far from the middles of their sides an arrow leaves its tail and reaches its head."""
        leaves, arrives = self._outs.get(arrow.tail), self._ins.get(arrow.head)
        return (
            0.0 if leaves is None or arrow.tail_slot is None else leaves[arrow.tail_slot],
            0.0 if arrives is None or arrow.head_slot is None else arrives[arrow.head_slot],
        )

    def _offsets(self, slots: tuple[str, ...], room: float) -> list[float]:
        """From the middle of a row of slots to that of each; Graphviz shares out evenly what room is left."""
        widths = [size[self._across] for size in slot_sizes(slots, self._direction)]
        spare = (room - sum(widths)) / len(widths)
        ends = accumulate(width + spare for width in widths)
        return [end - (width + spare) / 2 - room / 2 for end, width in zip(ends, widths, strict=True)]
