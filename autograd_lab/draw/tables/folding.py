"""Breaking the text of a table's cell into lines, where it hurts least.

A line is broken at a space; if that isn't enough, at a no-break space; then inside a word after a slash, an underline
or a point that isn't a number's; then anywhere. Promises that nothing but spaces at the ends of lines is lost.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from rich.cells import cell_len

KEEP = "\N{NO-BREAK SPACE}"
"""Stands between words that belong together: "8 → 3"."""

_PIECES = (
    re.compile(r" *[^ ]+ *"),
    re.compile(rf"{KEEP}*[^{KEEP}]+{KEEP}*"),
    re.compile(r"(?:[^./_]|\.(?=\d))*(?:[/_]+|\.(?!\d))?"),
    re.compile(r"."),
)
"""What a line is made up of, from the pieces that are broken last to single characters."""


def together(words: Iterable[str]) -> str:
    r"""Joins words that are to stand in one line.

    Example:
        >>> together(["8", "→", "3"]).split(" ")
        ['8\xa0→\xa03']
    """
    return KEEP.join(words)


def longest_piece(cell: str) -> int:
    """Gives the width of the longest piece that ought not to be broken.

    Example:
        >>> longest_piece(f"stole: None{KEEP}→{KEEP}8")
        8
    """
    return max(map(cell_len, re.split(r"[ \n]", cell)), default=0)


def folded(cell: str, width: int) -> str:
    """Breaks the text of a cell into lines.

    Args:
        cell: The text.
        width: Characters that a line may have.

    Returns:
        The text with newlines.

    Example:
        >>> print(folded("nll_loss_backward, mul", 12))
        nll_loss_
        backward,
        mul
    """
    lines = [line for text in cell.split("\n") for line in _filled(text, width, 0)]
    return "\n".join(line.strip(f" {KEEP}") for line in lines)


def _filled(text: str, width: int, level: int) -> list[str]:
    """Lines as full as may be, of pieces of one level; a piece that is too long for a line, of the next one's."""
    lines = [""]
    for piece in _PIECES[level].findall(text):
        if _fits(lines[-1] + piece, width):
            lines[-1] += piece
        elif _fits(piece, width) or level + 1 == len(_PIECES):
            lines.append(piece)
        else:
            lines += _filled(piece, width, level + 1)
    return [line for line in lines if line] or [""]


def _fits(text: str, width: int) -> bool:
    return cell_len(text.strip(f" {KEEP}")) <= width
