"""Laying out a table for a terminal: what all tables have in common.

It's written here and not by ``rich``, which took two minutes for 30,000 rows. Relies on ``rich`` for the width of
characters. Promises a text of the given width, plain and without colours, in which no part of a cell is cut off.
"""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from rich.cells import cell_len

from autograd_lab.draw.picture import clean
from autograd_lab.draw.tables.folding import KEEP, folded, longest_piece

WIDTH = 120
"""Characters, where nobody says how wide the table may be."""

MOST = 40
"""Rows that ``str()`` shows."""

LEAST = 60
"""Characters: no table is narrower."""

_NARROWEST = 3
_READABLE = 10
_NUMBERS = ("id", "step", "ms", "backward", "steps", "samples")
"""Columns whose cells are set against the right."""


def terminal_width() -> int:
    """Gives the terminal's width in characters; ``WIDTH`` where there's none."""
    return shutil.get_terminal_size((WIDTH, 24)).columns


def ends(items: Sequence[Any], most: int | None) -> Sequence[Any]:
    """Gives all items, or the first two thirds and the last third of as many as may be shown."""
    if most is None or len(items) <= most:
        return items
    last = most // 3
    return (*items[: most - last], *items[len(items) - last :])


def table(names: list[str], rows: list[list[str]], width: int, gap: list[str] | None) -> str:
    """Lays out rows; ``gap`` stands where rows were left out, before the last third."""
    if gap is not None:
        at = len(rows) - len(rows) // 3
        rows = [*rows[:at], gap + [""] * (len(names) - len(gap)), *rows[at:]]
    width = max(width, LEAST)
    names, *cells = [[clean(cell) for cell in row] for row in (names, *rows)]
    natural = [max(map(_cell_width, column)) for column in zip(names, *cells, strict=True)]
    pieces = [max(map(longest_piece, column)) for column in zip(names, *cells, strict=True)]
    rooms = fitted(natural, width - 2 - 3 * len(names), pieces)
    lines = [*_row(names, names, rooms, header=True), " " + "─" * (sum(rooms) + 3 * (len(rooms) - 1))]
    for row in cells:
        lines += _row(names, row, rooms)
    return _stripped(lines).replace(KEEP, " ")


def _row(
    names: Sequence[str], cells: Sequence[str], rooms: Sequence[int], *, header: bool = False
) -> Iterator[str]:
    """The lines of one row, its cells folded into their columns; in a header they end on the same line."""
    columns = [folded(cell, room).split("\n") for cell, room in zip(cells, rooms, strict=True)]
    if header:
        highest = max(map(len, columns))
        columns = [[""] * (highest - len(column)) + column for column in columns]
    for parts in itertools.zip_longest(*columns, fillvalue=""):
        padded = []
        for name, part, room in zip(names, parts, rooms, strict=True):
            blank = " " * (room - cell_len(part))
            padded.append(blank + part if name in _NUMBERS else part + blank)
        yield " " + "   ".join(padded)


def _cell_width(cell: str) -> int:
    return max(map(cell_len, cell.split("\n")))


def fitted(natural: list[int], room: int, pieces: list[int]) -> list[int]:
    """Widths of columns that fit into a room: the widest give first, and the first two, which name a row, last.

    A column of the others gets its longest piece whole where there's room, those with short ones first.
    """
    least = sum(min(width, _NARROWEST) for width in natural[2:])
    given = _capped(natural[:2], max(room - least, 2 * _NARROWEST), [1] * len(natural[:2]))
    left = room - sum(given)
    return given + _relieved(
        _capped(natural[2:], left, _granted(natural[2:], left, pieces[2:])), natural[2:], pieces[2:]
    )


def _granted(natural: list[int], room: int, pieces: list[int]) -> list[int]:
    """The width that each column gets in any case: enough for its longest piece, if the others can still be read."""
    wanted = [min(width, piece) for width, piece in zip(natural, pieces, strict=True)]
    granted = [min(width, _READABLE) for width in wanted]
    for column in sorted(range(len(wanted)), key=lambda column: wanted[column]):
        if sum(granted) - granted[column] + wanted[column] <= room:
            granted[column] = wanted[column]
    return granted if sum(granted) <= room else [1] * len(natural)


def _relieved(given: list[int], natural: list[int], pieces: list[int]) -> list[int]:
    """Spares columns that lack little the folding: the widest gives it, but no piece of its own, nor over a quarter."""
    if not given:
        return given
    widest = natural.index(max(natural))
    least = max(given[widest] * 3 // 4, min(given[widest], pieces[widest]))
    for column in sorted(range(len(given)), key=lambda column: natural[column] - given[column]):
        lacks = natural[column] - given[column]
        if column != widest and given[widest] - lacks >= least:
            given[column] += lacks
            given[widest] -= lacks
    return given


def _capped(natural: list[int], room: int, least: list[int]) -> list[int]:
    """Widths none of which is above the highest cap that lets all of them fit, but for the least that each gets."""

    def under(cap: int) -> list[int]:
        return [min(width, max(cap, granted)) for width, granted in zip(natural, least, strict=True)]

    cap = max(natural, default=0)
    while cap > 1 and sum(under(cap)) > room:
        cap -= 1
    given = under(cap)
    # What rounding down left over goes to the first columns that can use it.
    for column, width in enumerate(natural):
        if sum(given) < room and given[column] < width:
            given[column] += 1
    return given


def _stripped(lines: Iterable[str]) -> str:
    return "".join(f"{line.rstrip()}\n" for line in lines if line.strip())
