"""Two accounts of a program compared to rounding, not bit for bit."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch

ROUNDING = {"torch.float64": 1e-9, "torch.float32": 1e-4, "torch.bfloat16": 6e-2, "torch.complex64": 1e-4}
"""How far gradients may be apart, relative to the largest element, in a program that has such a dtype anywhere."""


def rounding(dtypes: Iterable[torch.dtype]) -> float:
    """Returns how far the gradients of a program with these dtypes may be apart."""
    return max(ROUNDING[str(dtype)] for dtype in (torch.float64, *dtypes))


def close(one: Any, other: Any, room: float) -> bool:
    """Returns whether two accounts, or parts of them, agree: gradients to rounding, the rest exactly."""
    if _is_bits(one) and _is_bits(other):
        return one[:2] == other[:2] and one[3] == other[3] and _near(_elements(one), _elements(other), room)
    if isinstance(one, tuple | list) and isinstance(other, tuple | list):
        return len(one) == len(other) and all(close(*pair, room) for pair in zip(one, other, strict=True))
    return bool(one == other)


def _is_bits(value: Any) -> bool:
    return isinstance(value, tuple) and len(value) == 5 and isinstance(value[4], bytes)


def _elements(bits: tuple[Any, ...]) -> torch.Tensor:
    dtype = getattr(torch, bits[0].removeprefix("torch."))
    real = dtype.to_real() if dtype.is_complex else dtype
    return torch.frombuffer(bytearray(bits[4]), dtype=real).double() if bits[4] else torch.zeros(0)


def _near(one: torch.Tensor, other: torch.Tensor, room: float) -> bool:
    finite = one[one.isfinite()].abs()
    largest = max(finite.max().item() if finite.numel() else 0.0, 1e-6)
    return torch.allclose(one, other, rtol=5 * room, atol=room * largest, equal_nan=True)
