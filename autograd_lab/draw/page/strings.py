"""Texts, each once: the page's data name them by number.

Relies on the standard library and the records' numbers.
"""

from __future__ import annotations

import math

from autograd_lab.records import Number

_EXACT = 2**53
"""Whole numbers beyond this have no place among a script's numbers."""


class Strings:
    """A list of texts that grows as they are met.

    Attributes:
        texts: The texts, in the order in which they were met.

    Example:
        >>> strings = Strings()
        >>> [strings.at(text) for text in ("w", "x", "w", None)], strings.texts
        ([0, 1, 0, -1], ['w', 'x'])
    """

    __slots__ = ("_known", "texts")

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._known: dict[str | None, int] = {None: -1}

    def at(self, text: str | None) -> int:
        """Returns the number of a text, -1 for none."""
        found = self._known.get(text)
        if found is None:
            assert text is not None  # it's known from the start
            found = self._known[text] = len(self.texts)
            self.texts.append(text)
        return found


def plain(number: Number | None) -> float | int | bool | str | None:
    """Returns a number as JSON can hold it: what isn't finite, or a script can't hold exactly, is a text.

    Args:
        number: What a tensor of one element holds, or a statistic.

    Returns:
        The number itself, or Python's text for it.

    Example:
        >>> [plain(number) for number in (0.5, float("-inf"), 2 - 1j, 2**60, None)]
        [0.5, '-inf', '(2-1j)', '1152921504606846976', None]
    """
    if isinstance(number, float):
        return number if math.isfinite(number) else repr(number)
    if isinstance(number, complex) or (isinstance(number, int) and abs(number) > _EXACT):
        return str(number)
    return number


def cut(row: list[object]) -> list[object]:
    """Returns a row without the ``None`` at its end.

    Example:
        >>> cut([1, None, 2, None, None])
        [1, None, 2]
    """
    while row and row[-1] is None:
        row.pop()
    return row
