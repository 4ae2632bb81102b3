r"""Where a line of Chinese may be broken, marked for a writer that breaks lines at spaces only.

Relies on the standard library. rich fills lines with words, and takes a Chinese sentence, which has no spaces, for one
long word: it leaves half a line empty before it, cuts through the English name at the line's end, and begins the next
one with a comma.
"""

from __future__ import annotations

import re

MARK = "\x1f"
"""ASCII's unit separator: space to :mod:`re` and of no width to rich, and no text holds it."""

_HAN = "\u3400-\u9fff"
_OPENING = "（「『"
_CLOSING = "，。、：；？！）」』"
_PLACE = re.compile(rf"(?<=[\w{_CLOSING}])(?=[{_HAN}{_OPENING}])")


def breakable(text: str) -> str:
    r"""Marks the places before Chinese characters and opening brackets at which a line may end.

    Args:
        text: Text or Markdown.

    Returns:
        The text with a `MARK` at each such place; the same text if nothing of it is Chinese.

    Example:
        >>> breakable("用 torch 算，梯度（gradient）").replace(MARK, "|")
        '用 torch 算，|梯|度|（gradient）'
    """
    return _PLACE.sub(MARK, text)
