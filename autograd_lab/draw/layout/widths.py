"""How wide and high text is, in DejaVu Sans, without opening a font.

A layout that isn't Graphviz's own must know how much room a box takes before anything is drawn. Relies on the
standard library only; the advance widths are those of the DejaVu Sans 2.37 font files (``hmtx`` table, 2,048
units to the em), and tests/draw/layout/test_widths.py compares them with the files that matplotlib carries. Promises
the width of the characters that torch's names, Greek letters and figures need, and a fair guess for others.
"""

from __future__ import annotations

import math
import unicodedata

UNITS = 2048
"""Font units to the em."""

_ASCENT, _DESCENT = 1901, 483
_PIXEL = 72 / 96
"""Points to the pixel that Graphviz's text layout, Pango, rounds to."""

EXTRAS = "·∂…–—‖²³°½•αβγδεζηθικλμνξοπρστυφχψωΓΔΘΛΞΠΣΦΨΩ"
"""Characters beyond ASCII that the tables hold."""

_REGULAR = """
651 821 942 1716 1303 1946 1597 563 799 799 1024 1716 651 739 651 690 1303 1303 1303 1303 1303 1303 1303
1303 1303 1303 690 690 1716 1716 1716 1087 2048 1401 1405 1430 1577 1294 1178 1587 1540 604 604 1343 1141
1767 1532 1612 1235 1612 1423 1300 1251 1499 1401 2025 1403 1251 1403 799 690 799 1716 1024 1024 1255 1300
1126 1300 1260 721 1300 1298 569 569 1186 569 1995 1298 1253 1300 1300 842 1067 803 1298 1212 1675 1212
1212 1075 1303 690 1303 1716
651 1059 2048 1024 2048 1024 821 821 1024 1985 1208 1350 1307 1212 1253 1107 1114 1298 1253 693 1207 1212 1303
1144 1142 1253 1233 1300 1298 1233 1185 1351 1183 1351 1715 1141 1401 1612 1401 1294 1540 1294 1612 1612 1565
"""
_BOLD = """
713 934 1067 1716 1425 2052 1786 627 936 936 1071 1716 778 850 778 748 1425 1425 1425 1425 1425 1425 1425
1425 1425 1425 819 819 1716 1716 1716 1188 2048 1585 1561 1503 1700 1399 1399 1681 1714 762 762 1587 1305
2038 1714 1741 1501 1741 1577 1475 1397 1663 1585 2259 1579 1483 1485 936 748 936 1716 1024 1024 1382 1466
1214 1466 1389 891 1466 1458 702 702 1362 702 2134 1458 1407 1466 1466 1010 1219 979 1458 1335 1892 1321
1335 1192 1458 748 1458 1716
778 1114 2048 1024 2048 1024 897 897 1024 2120 1309 1407 1466 1395 1407 1140 1210 1458 1407 798 1455 1296 1507
1395 1210 1407 1620 1466 1595 1307 1383 1602 1321 1626 1780 1305 1585 1741 1585 1294 1714 1399 1741 1740 1741
"""

CHARACTERS = "".join(map(chr, range(0x20, 0x7F))) + EXTRAS
"""The characters whose widths are known exactly."""

_WIDTHS = {
    bold: dict(zip(CHARACTERS, map(int, table.split()), strict=True))
    for bold, table in ((False, _REGULAR), (True, _BOLD))
}
_SIGN = 1716
"""The width of DejaVu's arrows and most of its mathematical signs, regular and bold; others get it as a guess."""


def text_width(text: str, size: float, bold: bool = False) -> float:
    """Returns the width of a line of text.

    Args:
        text: One line.
        size: Points.
        bold: Whether it's bold.

    Returns:
        Points.

    Example:
        >>> text_width("f32[2,3]", 10.0)
        39.951171875
        >>> text_width("ŷ", 10.0) == text_width("y", 10.0)
        True
    """
    widths = _WIDTHS[bold]
    try:
        units = sum([widths[character] for character in text])
    except KeyError:
        units = sum(
            _units(character, widths) for part in text for character in unicodedata.normalize("NFD", part)
        )
    return units * size / UNITS


def line_height(size: float) -> float:
    """Returns the height of a line of text, as Graphviz reckons it.

    Args:
        size: Points.

    Returns:
        Points: the font's ascent and descent, each rounded up to whole pixels.

    Example:
        >>> [line_height(size) for size in (8.0, 10.0, 13.0)]
        [9.75, 12.75, 16.5]
    """
    return _PIXEL * sum(math.ceil(part * size / UNITS / _PIXEL) for part in (_ASCENT, _DESCENT))


def _units(character: str, widths: dict[str, int]) -> int:
    if (known := widths.get(character)) is not None:
        return known
    if unicodedata.combining(character):
        return 0
    return UNITS if unicodedata.east_asian_width(character) in ("W", "F") else _SIGN
