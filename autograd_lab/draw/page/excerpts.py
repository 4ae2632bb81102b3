"""The code around the lines that a record names, read when the page is written, where it's there to read.

Relies on the standard library. Promises never to fail, to read nothing but Python source (a record may come from
anyone, and name any file) and no more of it than `MOST_LINES` lines.

Note [Whose lines]
A record says which file and line made a node; what stood there then is lost, and the file may have changed since. So
the page shows what is there now, as a debugger does. Lines come by way of ``linecache``, which also knows the cells of
the notebook that runs.
"""

from __future__ import annotations

import linecache
import os
import stat
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

AROUND = 3
"""Lines shown before and after each that is named."""

MOST_LINES = 4_000
"""Lines of all excerpts together."""

LONGEST_LINE = 240
"""Characters; the rest of a longer line isn't shown."""

LARGEST_FILE = 2_000_000
"""Bytes: nobody wrote a longer one by hand."""


class Excerpt(NamedTuple):
    """Some lines of a file.

    Attributes:
        file: The file's path, as the record has it.
        first: The number of its first line, from 1.
        lines: The lines, without their ends.

    Example:
        >>> Excerpt("train.py", 10, ("loss = (w * x - y) ** 2",)).first
        10
    """

    file: str
    first: int
    lines: tuple[str, ...]


def excerpts(places: Iterable[tuple[str, int]]) -> list[Excerpt]:
    """Reads the code around some lines.

    Args:
        places: ``(file, line)`` of each.

    Returns:
        What could be read, file by file; lines that are near one another are in one excerpt.

    Example:
        >>> excerpts([("/no/such/file.py", 3)])
        []
    """
    wanted: dict[str, set[int]] = defaultdict(set)
    for file, line in places:
        wanted[file].add(line)
    found: list[Excerpt] = []
    left = MOST_LINES
    for file, numbers in wanted.items():
        lines = _lines(file)
        for first, last in _windows(sorted(numbers), len(lines)):
            if last - first >= left:
                return found
            left -= last - first + 1
            shown = (line.rstrip("\r\n")[:LONGEST_LINE] for line in lines[first - 1 : last])
            found.append(Excerpt(file, first, tuple(shown)))
    return found


def _windows(numbers: Sequence[int], length: int) -> Iterator[tuple[int, int]]:
    """Yields the first and the last line of each stretch; those that touch are one."""
    first = last = 0
    for number in numbers:
        if not 1 <= number <= length:
            continue
        if last and number - AROUND <= last + 1:
            last = min(number + AROUND, length)
            continue
        if last:
            yield first, last
        first, last = max(number - AROUND, 1), min(number + AROUND, length)
    if last:
        yield first, last


def _lines(file: str) -> list[str]:
    """Returns a file's lines; none where they can't be had."""
    linecache.checkcache(file)  # it may have changed since Python read it
    if file not in linecache.cache and not _is_source(file):
        return []
    return linecache.getlines(file)


def _is_source(file: str) -> bool:
    """Returns whether a path is that of Python source: no secret has such a name, and no device."""
    if not file.endswith((".py", ".pyw")):
        return False
    try:
        found = os.stat(file)
    except (OSError, ValueError):  # ValueError: a null character, or one that no file's name can have
        return False
    return stat.S_ISREG(found.st_mode) and found.st_size <= LARGEST_FILE
