"""How far two tensors are apart, and where most."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch

from autograd_lab.records import Mismatch

ROOM = 256
"""Roundings, relative to the largest number in a tensor, that two right ways to compute it may be apart."""

NARROW_ROOM = 8
"""The same for half precision: with more, a tenth of the number itself would pass."""


def mismatch(
    what: str, expected: torch.Tensor | None, found: torch.Tensor | None, size: float = 0.0
) -> Mismatch | None:
    """Compares a tensor with what it should be.

    Args:
        what: How a report calls it.
        expected: What it should be; ``None`` for an undefined gradient, which counts as zeros.
        found: What it is, likewise.
        size: A number that was involved and may be larger than any in the tensor.

    Returns:
        Where they differ most; ``None`` if they agree within ``ROOM`` roundings of the largest number involved
        (``NARROW_ROOM`` in half precision).

    Example:
        >>> mismatch("gradient", torch.tensor([1.0, 2.0]), torch.tensor([1.0, -2.0])).element
        (1,)
    """
    if expected is None and found is None:
        return None
    if expected is None or found is None:
        there = found if expected is None else expected
        assert there is not None
        zeros = torch.zeros_like(there)
        expected, found = (zeros, there) if expected is None else (there, zeros)
    if expected.shape != found.shape:
        return Mismatch(what, (), f"shape {tuple(expected.shape)}", f"shape {tuple(found.shape)}")
    if expected.dtype != found.dtype:
        return Mismatch(what, (), _name(expected.dtype), _name(found.dtype))
    if expected.numel() == 0:
        return None
    if not (expected.is_floating_point() or expected.is_complex()):
        same = torch.equal(expected, found)
        return None if same else Mismatch(what, (), str(expected.tolist()), str(found.tolist()))
    return _of_numbers(what, expected.detach(), found.detach(), size)


def largest(tensors: Iterable[torch.Tensor | None]) -> float:
    """Gives the largest finite magnitude of some tensors' elements; 0.0 where there is none.

    Args:
        tensors: Any; those that are ``None`` have no elements.

    Returns:
        The magnitude.

    Example:
        >>> largest([torch.tensor([1.0, -3.0, math.inf]), None])
        3.0
    """
    return max((_largest(each.detach()) for each in tensors if each is not None), default=0.0)


def distance(expected: torch.Tensor | None, found: torch.Tensor | None) -> tuple[float | None, float | None]:
    """Says how far two tensors are apart at most, against the largest number that was expected.

    Args:
        expected: What it should be; ``None`` counts as zeros.
        found: What it is, likewise.

    Returns:
        The distance in units in the last place of the largest number, and as a share of it; ``None`` twice where
        they can't be compared: other shapes, other dtypes, no floating numbers, or nothing but zeros expected.

    Example:
        >>> distance(torch.tensor([1.0, 2.0]), torch.tensor([1.0 + 2**-23, 2.0]))
        (0.5, 5.960464477539063e-08)
    """
    if expected is None or found is None or (expected.shape, expected.dtype) != (found.shape, found.dtype):
        return None, None
    size = _largest(expected.detach())
    if size == 0:
        return None, None
    away = _away(expected.detach(), found.detach()).max().item()
    return ulps(size, size + away, expected.dtype), away / size


def _largest(tensor: torch.Tensor) -> float:
    if not (tensor.is_floating_point() or tensor.is_complex()) or not tensor.numel():
        return 0.0
    sizes = tensor.to_dense().abs() if tensor.layout != torch.strided else tensor.abs()
    return float(sizes.masked_fill(~sizes.isfinite(), 0).max().item())


def _away(expected: torch.Tensor, found: torch.Tensor) -> torch.Tensor:
    """How far each element is off, in double precision; NaN equals NaN, and is infinitely far from all else."""
    wide = torch.complex128 if expected.is_complex() else torch.float64
    ours, theirs = found.to(wide).reshape(-1), expected.to(wide).reshape(-1)
    same = (ours == theirs) | (ours.isnan() & theirs.isnan())
    return (ours - theirs).abs().masked_fill(same, 0).nan_to_num(math.inf, math.inf)


def ulps(expected: complex, found: complex, dtype: torch.dtype) -> float | None:
    """Counts the units in the last place between two numbers.

    Args:
        expected: The one whose last place counts.
        found: The other.
        dtype: Their dtype.

    Returns:
        The count; ``None`` where one of them isn't finite, or zero is expected.

    Example:
        >>> ulps(1.0, 1.0 + 2**-52, torch.float64)
        1.0
    """
    away, size = abs(found - expected), abs(expected)
    if not math.isfinite(away) or size == 0:
        return None
    info = torch.finfo(dtype)
    exponent = math.floor(math.log2(max(size, info.tiny)))
    return away / (info.eps * 2.0**exponent)


def _of_numbers(what: str, expected: torch.Tensor, found: torch.Tensor, size: float) -> Mismatch | None:
    away = _away(expected, found)
    size = max(size, _largest(expected))
    info = torch.finfo(expected.dtype)
    room = NARROW_ROOM if expected.dtype in (torch.float16, torch.bfloat16) else ROOM
    if away.max().item() <= room * info.eps * max(size, info.tiny):
        return None
    at = int(away.argmax())
    index = tuple(int(each) for each in torch.unravel_index(torch.tensor(at), expected.shape))
    want, came = expected.reshape(-1)[at].item(), found.reshape(-1)[at].item()
    return Mismatch(what, index, repr(want), repr(came), ulps(want, came, expected.dtype))


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
