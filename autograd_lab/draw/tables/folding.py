"""Fitting the text of a table's cell into its column, without breaking a number or a word.

Lines are broken at spaces and, if that isn't enough, at no-break spaces. A piece that is longer than the column is
shortened in its middle.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

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
    end = (width - 1) // 2
    tail = text[::-1]
    return (
        f"{set_cell_size(text, width - 1 - end).rstrip(' …')}…{set_cell_size(tail, end).rstrip(' …')[::-1]}"
    )


def folded(cell: str, width: int) -> str:
    """Breaks the text of a cell into lines.

    Args:
        cell: The text.
        width: Characters that a line may have.

    Returns:
        The text with newlines; a word longer than the line is shortened in its middle.

    Example:
        >>> print(folded("nll_loss_backward, mul", 12))
        nll_lo…ward,
        mul
    """
    lines = [line for text in cell.split("\n") for line in _filled(text, width, 0)]
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


def _filled(text: str, width: int, level: int) -> list[str]:
    """Fills lines with pieces that one separator parts; a piece too long for a line is parted by the next separator."""
    lines = [""]
    for piece in _PIECES[level].findall(text):
        if _fits(lines[-1] + piece, width):
            lines[-1] += piece
        elif _fits(piece, width):
            lines.append(piece)
        elif level + 1 == len(_PIECES):
            lines.append(shortened(piece.strip(f" {KEEP}"), width))
        else:
            lines += _filled(piece, width, level + 1)
    return [line for line in lines if line] or [""]


def _fits(text: str, width: int) -> bool:
    return cell_len(text.strip(f" {KEEP}")) <= width
