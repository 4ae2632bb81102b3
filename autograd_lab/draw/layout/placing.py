"""Places for the boxes of a picture that is too large for ``dot``'s own layout.

Relies on ``layered``, which lays out from the top down, and on ``sizes``. Promises that no two boxes touch and that
arrows run between them, in every direction that a picture may have.
"""

from __future__ import annotations

from itertools import accumulate
from typing import NamedTuple

from autograd_lab.draw.layout.layered import layout
from autograd_lab.draw.layout.routes import Point, Route
from autograd_lab.draw.layout.sizes import box_size, slot_sizes
from autograd_lab.draw.picture import Arrow, Picture
from autograd_lab.draw.theme import PAD

_SPARE = 1.03
"""Boxes are drawn this much larger than was reckoned, so that text which came out wider still fits."""


class Placement(NamedTuple):
    """Where everything of a picture goes. Points; y grows upwards.

    Attributes:
        sizes: Each box's width and height.
        positions: Each box's middle.
        routes: Each arrow's curve.
        back: The curve of each arrow's way back, from head to tail; ``None`` for arrows that have none.

    Example:
        >>> from autograd_lab.draw.picture import Box
        >>> placed(Picture((Box("a", ()),), ())).routes
        ()
    """

    sizes: tuple[Point, ...]
    positions: tuple[Point, ...]
    routes: tuple[Route, ...]
    back: tuple[Route | None, ...]


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
    number = {box.key: at for at, box in enumerate(picture.boxes)}
    # The way back runs beside the way there.
    backs = [arrow for arrow in picture.arrows if arrow.back]
    arrows = (*picture.arrows, *backs)
    upright = picture.direction in ("down", "up")
    found = layout(
        sizes if upright else [(height, width) for width, height in sizes],
        [(number[arrow.tail], number[arrow.head]) for arrow in arrows],
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
