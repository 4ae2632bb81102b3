"""Numbers as people write them in a figure: short, and with a true minus sign.

Relies on the standard library only. Promises four significant digits, whole numbers below a million in full.
"""

from __future__ import annotations

import math

from autograd_lab.records import Number

_SUPERSCRIPTS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


def number(value: Number) -> str:
    """Writes a number.

    Args:
        value: What a tensor of one element holds.

    Returns:
        Its short form.

    Example:
        >>> [number(value) for value in (-8.0, 0.1 + 0.2, 1.5e-7, -123456.7, True, float("-inf"), 2 - 1j)]
        ['−8', '0.3', '1.5×10⁻⁷', '−1.235×10⁵', 'True', '−∞', '2 − 1i']
    """
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, complex):
        sign = "−" if math.copysign(1.0, value.imag) < 0 else "+"
        return f"{_real(value.real)} {sign} {_real(abs(value.imag))}i"
    return _real(value)


def _real(value: float) -> str:
    if math.isnan(value):
        return "nan"
    sign = "−" if value < 0 else ""
    value = abs(value)
    if math.isinf(value):
        return f"{sign}∞"
    if value == int(value) and value < 1_000_000:
        return f"{sign}{int(value)}"
    mantissa, _, exponent = f"{value:.4g}".partition("e")
    power = f"×10{str(int(exponent)).translate(_SUPERSCRIPTS)}" if exponent else ""
    return f"{sign}{mantissa}{power}"


def superscript(digits: str) -> str:
    """Writes an exponent above the line.

    Args:
        digits: Digits, with a minus sign before them or none.

    Returns:
        The same in superscript characters.

    Example:
        >>> superscript("-12")
        '⁻¹²'
    """
    return digits.replace("−", "-").translate(_SUPERSCRIPTS)


def nbytes(count: int) -> str:
    """Writes a number of bytes.

    Args:
        count: Bytes.

    Returns:
        With a binary unit, three significant digits.

    Example:
        >>> [nbytes(count) for count in (24, 1536, 5 * 2**20, 3 * 2**40)]
        ['24 B', '1.5 KiB', '5 MiB', '3 TiB']
    """
    size = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.4g} {unit}"
        size /= 1024
    return f"{size:.4g} TiB"


def count(count: int, one: str, many: str | None = None) -> str:
    """Writes how many there are.

    Example:
        >>> count(1, "leaf", "leaves"), count(1200, "node")
        ('1 leaf', '1,200 nodes')
    """
    return f"{count:,} {one if count == 1 else many or one + 's'}"
