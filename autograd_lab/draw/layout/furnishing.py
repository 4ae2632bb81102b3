"""Where a picture's title, legend and note stand.

The title is above the picture. The legend is in a corner that the layout left empty, or else below. The note is below
all.

Relies on ``placing`` and ``sizes``. Promises that none of them touches anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from autograd_lab.draw.layout.placing import Furniture, Placement
from autograd_lab.draw.layout.routes import Point
from autograd_lab.draw.layout.sizes import lines_size
from autograd_lab.draw.layout.space import Rect, Space, around_all
from autograd_lab.draw.layout.widths import text_width
from autograd_lab.draw.picture import Entry, Line, Picture
from autograd_lab.draw.theme import SWATCH, TONES

ROW = 15.0
"""Points from one line of a legend to the next."""

KEY_GAP = 6.0
"""Points between a sign and what it means."""

_WIDER = 1.15
"""Browsers draw small bold text so much wider than the font's table says."""

_COLUMN_GAP = 16.0
_MARGIN = 14.0
"""Points between the legend and what it explains."""

_NARROWEST = 300.0
"""Points: neither a title nor a legend below is broken to be narrower."""

_MOST_SEARCHED = 1_500
"""Boxes: in larger pictures no empty corner is looked for."""


def furnished(picture: Picture, placement: Placement) -> Placement:
    """Finds places for the title, the legend and the note.

    Args:
        picture: The picture.
        placement: Where its boxes and arrows are.

    Returns:
        The same with these.
    """
    rects = [
        *placement.box_rects(),
        *placement.label_rects(picture),
        *(each.frame for each in placement.clusters),
    ]
    points = [point for route in (*placement.routes, *placement.back) if route for point in route.points]
    extent = around_all([*rects, *(Rect(x, y, x, y) for x, y in points)])
    title, above = _title(picture, extent)
    legend = tuple(_legend(picture, placement, extent, rects))
    low = min([extent.bottom, *(y - ROW / 2 for _, y in legend)])
    note = _broken(picture.note, "legend", extent)
    below = (extent.left, low - _MARGIN)
    found = Furniture(title, above, legend, KEY_GAP + _key_width(picture.legend), note, below)
    ends = [x + _width(entry, found.key) for entry, (x, _) in zip(picture.legend, legend, strict=True)]
    texts = [*(Line(text, "caption") for text in title), *(Line(text, "legend") for text in note)]
    top = above[1] if title else extent.top
    bottom = below[1] - _height(note, "legend") if note else low
    wide = max([extent.right, *ends, *(extent.left + lines_size((line,))[0] for line in texts)])
    left = min([extent.left, *(x for x, _ in legend)])
    return placement._replace(furniture=found, extent=(wide - left, top - bottom))


def _title(picture: Picture, extent: Rect) -> tuple[tuple[str, ...], Point]:
    """The title's lines, and the upper left corner of the first."""
    lines = _broken(picture.title, "caption", extent)
    return lines, (extent.left, extent.top + _MARGIN + _height(lines, "caption") if lines else extent.top)


def _broken(text: str, tone: str, extent: Rect) -> tuple[str, ...]:
    """A text in lines about as wide as the picture."""
    room = max(extent.size[0], _NARROWEST)
    lines: list[str] = []
    for word in text.split(" ") if text else ():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and text_width(longer, TONES[tone].size, TONES[tone].bold) <= room:
            lines[-1] = longer
        else:
            lines.append(word)
    return tuple(lines)


def _height(lines: Sequence[str], tone: str) -> float:
    return sum(lines_size((Line(text, tone),))[1] for text in lines)


def _legend(picture: Picture, placement: Placement, extent: Rect, rects: Sequence[Rect]) -> Iterator[Point]:
    """The middle of each entry's left side."""
    if not picture.legend:
        return
    key = KEY_GAP + _key_width(picture.legend)
    widths = [_width(entry, key) for entry in picture.legend]
    if len(picture.boxes) <= _MOST_SEARCHED:
        column = max(widths), ROW * len(widths)
        space = Space(rects, (route for route in (*placement.routes, *placement.back) if route is not None))
        for corner in _corners(extent, column):
            if space.is_free(corner):
                left, top = corner.left + _MARGIN, corner.top - _MARGIN
                yield from ((left, top - ROW * (row + 0.5)) for row in range(len(widths)))
                return
    yield from _below(widths, extent)


def _corners(extent: Rect, size: Point) -> Iterator[Rect]:
    """The rectangles in which a legend of a size may stand inside a picture, with room around it."""
    width, height = size[0] + 2 * _MARGIN, size[1] + 2 * _MARGIN
    left, right = extent.left - _MARGIN, extent.right + _MARGIN
    bottom, top = extent.bottom - _MARGIN, extent.top + _MARGIN
    if width > right - left or height > top - bottom:
        return
    yield Rect(right - width, top - height, right, top)
    yield Rect(left, top - height, left + width, top)
    yield Rect(left, bottom, left + width, bottom + height)
    yield Rect(right - width, bottom, right, bottom + height)


def _below(widths: Sequence[float], extent: Rect) -> Iterator[Point]:
    """Columns of one width, in rows from left to right."""
    column = max(widths) + _COLUMN_GAP
    columns = max(1, int((max(extent.size[0], _NARROWEST) + _COLUMN_GAP) // column))
    rows = -(-len(widths) // columns)
    for i in range(len(widths)):
        x, row = divmod(i, rows)
        yield extent.left + x * column, extent.bottom - _MARGIN - ROW * (row + 0.5)


def _key_width(legend: Sequence[Entry]) -> float:
    tone = TONES["sign"]
    return max(
        (
            SWATCH[0] if not entry.sign else _WIDER * text_width(entry.sign, tone.size, tone.bold)
            for entry in legend
        ),
        default=0.0,
    )


def _width(entry: Entry, key: float) -> float:
    tone = TONES["legend"]
    return key + text_width(entry.means, tone.size, tone.bold)
