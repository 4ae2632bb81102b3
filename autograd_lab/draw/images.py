"""Pictures to images: SVG, PNG and PDF, drawn by Graphviz.

Relies on ``write.dot``, ``native.graphviz`` and, for pictures that ``dot`` can't lay out in time, ``layout``; what runs
native code is imported when an image is asked for. Promises that every image ends: whatever ``dot`` can't lay out in
`SECONDS_FOR_DOT` gets the layered layout.
"""

from __future__ import annotations

from typing import Literal

from autograd_lab.draw.layout.fromdot import read
from autograd_lab.draw.layout.furnishing import furnished
from autograd_lab.draw.layout.layers import tangle, widest_fan
from autograd_lab.draw.layout.placing import Placement, placed
from autograd_lab.draw.native.isolated import OutOfTimeError
from autograd_lab.draw.picture import Picture
from autograd_lab.draw.progress import progress
from autograd_lab.draw.svg import at_home
from autograd_lab.draw.write.dot import to_dot

MOST_FOR_DOT = 1_500
"""Boxes: of larger pictures ``dot``'s own layout takes minutes, so they get the fast one."""

MOST_TANGLE_FOR_DOT = 500_000
"""As `layers.tangle` measures it. 40 steps of a recurrent network have twice as much; ``dot`` was never seen to lay out
so tangled a graph in less than 25 s."""

MOST_LEAVES_FOR_DOT = 200
"""Leaves of one node: ``dot`` sets all of them in one row, the layered layout in a block."""

SECONDS_FOR_DOT = 10.0
"""Seconds after which ``dot``'s own layout is given up for the layered one."""


def image(picture: Picture, kind: Literal["svg", "png", "pdf"], *, dpi: int | None = None) -> bytes:
    """Draws with ``dot``'s own layout, or where that would take too long with the layered one.

    Args:
        picture: The picture.
        kind: The image's format.
        dpi: Pixels to the inch, for PNG; ``None`` leaves the choice to whoever runs Graphviz.

    Returns:
        The image.

    Raises:
        RenderError: Graphviz can't be had, or can't draw it.
    """
    from autograd_lab.draw.native import graphviz

    if not _beyond_dot(picture):
        try:
            answer = graphviz.lay_out(to_dot(picture, numbered=True), limit=SECONDS_FOR_DOT)
        except OutOfTimeError:
            pass  # what it would have taken can't be told beforehand
        else:
            return _drawn(picture, read(picture, answer), kind, dpi)
    with progress(2, shown=True) as step:
        step("laying out")
        placement = placed(picture)
        step(f"drawing {len(picture.boxes):,} boxes")
        return _drawn(picture, placement, kind, dpi)


def _drawn(
    picture: Picture, placement: Placement, kind: Literal["svg", "png", "pdf"], dpi: int | None
) -> bytes:
    from autograd_lab.draw.native import graphviz

    found = furnished(picture, placement)
    drawn = graphviz.run(to_dot(picture, found), kind, pinned=True, dpi=dpi, extent=found.extent)
    if kind != "svg":
        return drawn
    return at_home(drawn.decode("utf-8"), picture.title, picture.summary).encode("utf-8")


def _beyond_dot(picture: Picture) -> bool:
    """Returns whether ``dot``'s own layout is sure to take too long, or would be one very long row."""
    if len(picture.boxes) > MOST_FOR_DOT:
        return True
    index_of = {box.key: i for i, box in enumerate(picture.boxes)}
    edges = [(index_of[arrow.tail], index_of[arrow.head]) for arrow in picture.arrows]
    return (
        widest_fan(len(index_of), edges) > MOST_LEAVES_FOR_DOT
        or tangle(len(index_of), edges) > MOST_TANGLE_FOR_DOT
    )
