"""Laying out a table for a terminal: what all tables have in common.

It's written here and not by ``rich``, which took two minutes for 30,000 rows. Relies on ``rich`` for the width of
characters. Promises a text of the given width, plain and without colours, in which no number and no word is broken:
what has no room is left out by the column, the least important first, and the last line says which; a long name is
shortened in its middle; and a cell of several words goes on in the next line.
"""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from typing import Any, Literal, NamedTuple, TypeVar

from rich.cells import cell_len

from autograd_lab.draw.tables.folding import (
    KEEP,
    folded,
    longest_piece,
    paragraph,
    shortened,
    told_apart,
    with_units,
)
from autograd_lab.errors import escaped

T = TypeVar("T")

WIDTH = 120
"""Characters, where nobody says how wide the table may be."""

MOST = 40
"""Rows that ``str()`` shows."""

LEAST = 60
"""Characters: no table is narrower."""

GAP = "  "
"""Between two columns."""

_LONGEST_WORD = 24


class Column(NamedTuple):
    """A column of a table.

    Attributes:
        name: What stands above it.
        rank: 0 for a column that is always there; of the others, the highest is left out first.
        kind: ``"number"`` stands against the right and is never cut; ``"name"`` may be shortened in its middle;
            ``"words"`` may go on in the next line.
        least: Characters that a name keeps.

    Example:
        >>> Column("ms", 3, "number").name
        'ms'
    """

    name: str
    rank: int = 0
    kind: Literal["number", "name", "words"] = "words"
    least: int = 14


class _Room(NamedTuple):
    """How wide a column must be, and would like to be."""

    least: int
    natural: int


def terminal_width() -> int:
    """Returns the terminal's width in characters; ``WIDTH`` where there's none."""
    return shutil.get_terminal_size((WIDTH, 24)).columns


def ends(items: Sequence[Any], most: int | None) -> Sequence[Any]:
    """Returns all items, or the first two thirds and the last third of as many as may be shown."""
    if most is None or len(items) <= most:
        return items
    last = most // 3
    return (*items[: most - last], *items[len(items) - last :])


def table(columns: Sequence[Column], rows: Iterable[Sequence[str]], width: int, gap: str = "") -> str:
    """Lays out rows.

    Args:
        columns: What the columns are.
        rows: The cells of each row, one for each column.
        width: Characters in a line.
        gap: Stands where rows were left out, before the last third.

    Returns:
        The lines, each ended by a newline.

    Example:
        >>> print(table([Column("node", 0, "name"), Column("ms", 1, "number")], [["ExpBackward0", "1.5"]], 60), end="")
         node           ms
         ─────────────────
         ExpBackward0  1.5
    """
    width = max(width, LEAST)
    columns = [column._replace(name=escaped(column.name)) for column in columns]
    cells = [[with_units(escaped(cell)) for cell in row] for row in rows]
    rooms = [_room(column, [row[i] for row in cells]) for i, column in enumerate(columns)]
    kept = _kept(columns, rooms, width - 1)
    widths = dict(zip(kept, _widths([rooms[i] for i in kept], width - 1), strict=True))
    fit = {
        index: _fitting(columns[index], [row[index] for row in cells], width)
        for index, width in widths.items()
    }
    lines = [*_row(columns, [column.name for column in columns], widths, fit)]
    lines.append(" " + "─" * (sum(widths.values()) + len(GAP) * (len(widths) - 1)))
    for index, row in enumerate(cells):
        if gap and index == len(cells) - len(cells) // 3:
            lines.append(f" {gap}")
        lines += _row(columns, row, widths, fit)
    left_out = [column.name for i, column in enumerate(columns) if i not in widths]
    if left_out:
        lines.append(paragraph(f" no room for: {', '.join(left_out)}", width))
    return "".join(f"{line.rstrip()}\n" for line in lines if line.strip()).replace(KEEP, " ")


def around(above: str, body: str, below: Iterable[str], width: int) -> str:
    r"""Puts lines of prose above and below a table.

    Args:
        above: The line above it.
        body: The table, or nothing.
        below: The lines below it.
        width: Characters in a line; longer ones go on in the next.

    Returns:
        The text, each line ended by a newline.

    Example:
        >>> print(around("2 nodes", " id\n ──\n  0\n  1\n", ["all is well"], 80), end="")
        2 nodes
         id
         ──
          0
          1
        all is well
    """
    width = max(width, LEAST)
    closing = "".join(f"{paragraph(escaped(line), width)}\n" for line in below)
    return f"{paragraph(escaped(above), width)}\n{body}{closing}"


def table_of(
    columns: Sequence[tuple[Column, Callable[[T], str]]],
    items: Sequence[T],
    width: int,
    *,
    always: Container[str] = (),
    shown: Sequence[T] | None = None,
    gap: str = "",
) -> str:
    """Lays out a row for each item, without the columns in which no item has anything.

    Args:
        columns: Each with the text of an item in it.
        items: The items.
        width: As for `table`.
        always: The names of columns that are there even if they're empty.
        shown: The items that get a row; ``None``: all of them.
        gap: As for `table`.

    Example:
        >>> columns = [(Column("name"), str), (Column("empty"), lambda item: "")]
        >>> print(table_of(columns, [1, 2], 60), end="")
         name
         ────
         1
         2
    """
    kept = [(column, text) for column, text in columns if column.name in always or any(map(text, items))]
    rows = [[text(item) for _, text in kept] for item in (items if shown is None else shown)]
    return table([column for column, _ in kept], rows, width, gap)


def _room(column: Column, cells: Sequence[str]) -> _Room:
    header = cell_len(column.name)
    natural = max([header, *(cell_len(line) for cell in cells for line in cell.split("\n"))])
    if column.kind == "number":
        return _Room(natural, natural)
    if column.kind == "name":
        return _Room(max(header, min(natural, column.least)), natural)
    longest = max(map(longest_piece, cells), default=0)
    return _Room(max(header, min(longest, _LONGEST_WORD)), natural)


def _kept(columns: Sequence[Column], rooms: Sequence[_Room], width: int) -> list[int]:
    """Returns the columns for which there's room, without those of the highest ranks."""
    kept = list(range(len(columns)))
    while sum(rooms[i].least for i in kept) + len(GAP) * (len(kept) - 1) > width:
        last = max(kept, key=lambda i: (columns[i].rank, i))
        if columns[last].rank == 0:
            break
        kept.remove(last)
    return kept


def _widths(rooms: Sequence[_Room], width: int) -> list[int]:
    """Returns the columns' widths: each gets the least that it needs, and those that want little more get it first."""
    given = [room.least for room in rooms]
    spare = width - sum(given) - len(GAP) * (len(rooms) - 1)
    wanting = sorted(range(len(rooms)), key=lambda index: rooms[index].natural - rooms[index].least)
    for served, index in enumerate(wanting):
        more = min(rooms[index].natural - rooms[index].least, max(spare, 0) // (len(wanting) - served))
        given[index] += more
        spare -= more
    return given


def _fitting(column: Column, cells: Sequence[str], width: int) -> Callable[[str], str]:
    """Returns what makes a cell fit its column, in which different names stay different."""
    if column.kind == "name":
        names = told_apart(cells, width)
        return lambda cell: names.get(cell) or shortened(cell, width)
    long: dict[str, None] = {}

    def note(word: str, width: int) -> str:
        long[word] = None
        return shortened(word, width)

    for cell in dict.fromkeys(cells):
        folded(cell, width, note)
    words = told_apart(long, width)
    return lambda cell: folded(cell, width, lambda word, width: words.get(word) or shortened(word, width))


def _row(
    columns: Sequence[Column],
    cells: Sequence[str],
    widths: dict[int, int],
    fit: dict[int, Callable[[str], str]],
) -> Iterator[str]:
    """Returns the lines of one row."""
    texts = [fit[index](cells[index]) for index in widths]
    for parts in itertools.zip_longest(*(text.split("\n") for text in texts), fillvalue=""):
        padded = []
        for part, (i, width) in zip(parts, widths.items(), strict=True):
            blank = " " * (width - cell_len(part))
            padded.append(blank + part if columns[i].kind == "number" else part + blank)
        yield " " + GAP.join(padded)
