"""Fitting the text of a table's cell into its column, without breaking a number or a word.

Lines are broken at spaces and, if that isn't enough, at no-break spaces. A piece that is longer than the column is
shortened in its middle.
"""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence

from rich.cells import cell_len, set_cell_size

KEEP = "\N{NO-BREAK SPACE}"
"""Stands between words that belong together: "8 → 3"."""

_UNITS = re.compile(r"(?<=\d) (?=(?:[KMGT]i)?B\b|ms\b)")
_INDENT = "  "

_PIECES = (re.compile(r" *[^ ]+"), re.compile(rf"{KEEP}*[^{KEEP}]+"))
"""What a line is made up of: the pieces that are broken first, and those that these are made up of."""


def together(words: Iterable[str]) -> str:
    r"""Joins words that are to stand in one line.

    Example:
        >>> together(["8", "→", "3"]).split(" ")
        ['8\xa0→\xa03']
    """
    return KEEP.join(words)


def with_units(text: str) -> str:
    r"""Keeps numbers and their units together.

    Example:
        >>> with_units("saved 128 B")
        'saved 128\xa0B'
    """
    return _UNITS.sub(KEEP, text)


def longest_piece(cell: str) -> int:
    """Returns the width of the longest piece that ought not to be broken.

    Example:
        >>> longest_piece(f"stole: None{KEEP}→{KEEP}8")
        8
    """
    return max(map(cell_len, re.split(r"[ \n]", cell)), default=0)


def shortened(text: str, width: int) -> str:
    """Shortens a long name in its middle.

    Args:
        text: The name.
        width: Characters that it may have.

    Returns:
        The name; of a longer one, its ends with ``…`` between them.

    Example:
        >>> shortened("transformer.h.11.attn.c_proj", 15)
        'transfo….c_proj'
    """
    if cell_len(text) <= width:
        return text
    if width < 2:
        return "…"[:width]
    return _cut(text, width // 2, (width - 1) // 2)


def _cut(text: str, head: int, tail: int) -> str:
    """Returns so much of a text's beginning and of its end."""
    before, after = set_cell_size(text, head), set_cell_size(text[::-1], tail)[::-1]
    return f"{before.rstrip(' …')}…{after.lstrip(' …')}"


def told_apart(names: Iterable[str], width: int) -> dict[str, str]:
    """Shortens names so that those which differ still do.

    Args:
        names: The names.
        width: Characters that each may have.

    Returns:
        Name → text. Of long names whose usual short forms would be the same, another part is left out, or if nothing
        else helps, a number stands at the end.

    Example:
        >>> list(told_apart(["layers.1.linear2", "layers.2.linear2"], 10).values())
        ['layers.1…2', 'layers.2…2']
    """
    groups: dict[str, list[str]] = defaultdict(list)
    for name in dict.fromkeys(names):
        groups[shortened(name, width)].append(name)
    found = {group[0]: text for text, group in groups.items() if len(group) == 1}
    taken = set(found.values())
    for group in groups.values():
        if len(group) > 1:
            texts = next(
                texts
                for texts in _forms(group, width)
                if len(set(texts)) == len(group) and taken.isdisjoint(texts)
            )
            found |= zip(group, texts, strict=True)
            taken.update(texts)
    return found


def _forms(names: Sequence[str], width: int) -> Iterator[list[str]]:
    """Returns ways to shorten names that begin and end alike, the best first: with one gap, with two, numbered."""
    middle = width // 2
    for head in sorted(range(width), key=lambda head: abs(head - middle)):
        yield [_cut(name, head, width - 1 - head) for name in names]
    first = next(i for i, letters in enumerate(itertools.zip_longest(*names)) if len(set(letters)) > 1)
    for end in range(width // 4, -1, -1):
        yield [f"{name[:end]}…{_cut(name[first:], width - 2 - 2 * end, end)}" for name in names]
    for start in itertools.count(1, len(names)):
        numbers = [f"…{number}" for number in range(start, start + len(names))]
        yield [
            shortened(name, width - len(number)) + number for name, number in zip(names, numbers, strict=True)
        ]


def folded(cell: str, width: int, shorten: Callable[[str, int], str] = shortened) -> str:
    """Breaks the text of a cell into lines.

    Args:
        cell: The text.
        width: Characters that a line may have.
        shorten: Makes words fit that are longer than that.

    Returns:
        The text with newlines; a word longer than the line is shortened in its middle.

    Example:
        >>> print(folded("nll_loss_backward, mul", 12))
        nll_lo…ward,
        mul
    """
    lines = [line for text in cell.split("\n") for line in _filled(text, width, 0, shorten)]
    return "\n".join(line.strip(f" {KEEP}") for line in lines)


def paragraph(text: str, width: int) -> str:
    """Breaks a line of prose, such as stands above and below a table; each further line is indented.

    Args:
        text: The line.
        width: Characters that a line may have.

    Returns:
        The text with newlines; a word longer than the line is shortened in its middle.

    Example:
        >>> print(paragraph("2 parameters got no gradient: fc.bias", 24))
        2 parameters got no
          gradient: fc.bias
    """
    if cell_len(text) > width:
        text = folded(with_units(text), width - len(_INDENT)).replace("\n", f"\n{_INDENT}")
    return text.replace(KEEP, " ")


def _filled(text: str, width: int, level: int, shorten: Callable[[str, int], str]) -> list[str]:
    """Fills lines with pieces that one separator parts; a piece too long for a line is parted by the next separator."""
    lines = [""]
    for piece in _PIECES[level].findall(text):
        if _fits(lines[-1] + piece, width):
            lines[-1] += piece
        elif _fits(piece, width):
            lines.append(piece)
        elif level + 1 == len(_PIECES):
            lines.append(shorten(piece.strip(f" {KEEP}"), width))
        else:
            lines += _filled(piece, width, level + 1, shorten)
    return [line for line in lines if line] or [""]


def _fits(text: str, width: int) -> bool:
    return cell_len(text.strip(f" {KEEP}")) <= width
