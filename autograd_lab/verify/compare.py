"""How far two tensors are apart, and where most."""

from __future__ import annotations

import math

import torch

from autograd_lab.records import Mismatch

ROOM = 256
"""Roundings, relative to the largest number in a tensor, that two right ways to compute it may be apart."""

NARROW_ROOM = 8
"""The same for half precision: with more, a tenth of the number itself would pass."""


def mismatch(what: str, expected: torch.Tensor | None, found: torch.Tensor | None) -> Mismatch | None:
    """Compares a tensor with what it should be.

    Args:
        what: How a report calls it.
        expected: What it should be; ``None`` for an undefined gradient, which counts as zeros.
        found: What it is, likewise.

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
    return _of_numbers(what, expected.detach(), found.detach())


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


def _of_numbers(what: str, expected: torch.Tensor, found: torch.Tensor) -> Mismatch | None:
    wide = torch.complex128 if expected.is_complex() else torch.float64
    ours, theirs = found.to(wide).reshape(-1), expected.to(wide).reshape(-1)
    same = (ours == theirs) | (ours.isnan() & theirs.isnan())
    away = (ours - theirs).abs().masked_fill(same, 0).nan_to_num(math.inf, math.inf)
    finite = theirs.abs()[theirs.abs().isfinite()]
    size = finite.max().item() if finite.numel() else 0.0
    info = torch.finfo(expected.dtype)
    room = NARROW_ROOM if expected.dtype in (torch.float16, torch.bfloat16) else ROOM
    if away.max().item() <= room * info.eps * max(size, info.tiny):
        return None
    at = int(away.argmax())
    index = tuple(int(each) for each in torch.unravel_index(torch.tensor(at), expected.shape))
    want, came = theirs[at].item(), ours[at].item()
    return Mismatch(what, index, repr(want), repr(came), ulps(want, came, expected.dtype))


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
