"""How far two tensors are apart, where most, and whether that is more than rounding.

Note [What counts as equal]
Two right ways to compute a tensor differ by roundings. How far the tensors are apart is the largest difference between
two of their elements, and it is held against a *scale*: the largest number in the tensor, since its small elements
were summed beside large ones and have their rounding. Up to ``ROOM`` roundings of the scale count as equal: 3e-5 of it
in float32, 6e-14 in float64. (In half precision it's ``NARROW_ROOM``, and no more than the format can tell: 0.8 % of
the scale in float16, 6 % in bfloat16.)

Where large terms cancel, the tensor itself is no scale: the gradient of a bias before a batch norm is zero, and what
comes of it is the terms' rounding, other noise for each order of summing. Only if the tensors are further apart than
their own scale allows, the scale is the size of those terms, measured as Note [Terms] in ``terms.py`` says. The verdict
then carries that scale, and the report says that the number was judged by it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import NamedTuple

import torch

from autograd_lab.records import Mismatch

ROOM = 256
"""Roundings, relative to the scale, that two right ways to compute a tensor may be apart."""

NARROW_ROOM = 8
"""The same for half precision: with more, a tenth of the number itself would pass."""

Terms = Callable[[], float]
"""Measures the size of the terms that a tensor was summed from; called only where it decides."""


class Verdict(NamedTuple):
    """How two tensors compare.

    Attributes:
        mismatch: Where they differ most; ``None`` if they are equal but for rounding.
        ulps: How far they are apart, in units in the last place of the scale; ``None`` where nothing can be counted:
            other shapes or dtypes, no floating numbers, a difference that isn't finite, no tensors.
        relative: The same as a share of the scale.
        scale: The size of the terms, where these were the scale.
        size: The largest number that was expected.
        room: How far apart the tensors may be to be equal.
    """

    mismatch: Mismatch | None = None
    ulps: float | None = None
    relative: float | None = None
    scale: float | None = None
    size: float = 0.0
    room: float = 0.0

    def judged_by(self) -> str:
        """Returns what to say where terms were the scale; ``""`` where the tensor was its own."""
        if self.scale is None:
            return ""
        what = "zero but for rounding" if self.size <= self.room else "what is left where terms cancel"
        return f"{what}: {self.size:.1g} beside terms of {self.scale:.1g}"


def compare(
    what: str, expected: torch.Tensor | None, found: torch.Tensor | None, terms: Terms | None = None
) -> Verdict:
    """Compares a tensor with what it should be. See Note [What counts as equal].

    Args:
        what: How a report calls it.
        expected: What it should be, in any layout; ``None`` for an undefined gradient, which counts as zeros.
        found: What it is, likewise.
        terms: Measures the terms that the tensor was summed from, if they can be had.

    Returns:
        The verdict.

    Example:
        >>> compare("gradient", torch.tensor([1.0, 2.0]), torch.tensor([1.0, -2.0])).mismatch.element
        (1,)
        >>> compare("gradient", torch.zeros(2), torch.zeros(2)).ulps
        0.0
    """
    if expected is None and found is None:
        return Verdict()
    if expected is not None and found is not None and expected.shape != found.shape:
        return Verdict(Mismatch(what, (), f"shape {tuple(expected.shape)}", f"shape {tuple(found.shape)}"))
    expected, found = (None if each is None else dense(each) for each in (expected, found))
    if expected is None:
        assert found is not None
        expected = torch.zeros_like(found)
    if found is None:
        found = torch.zeros_like(expected)
    if expected.dtype != found.dtype:
        return Verdict(Mismatch(what, (), _name(expected.dtype), _name(found.dtype)))
    if not (expected.is_floating_point() or expected.is_complex()):
        same = torch.equal(expected, found)
        return Verdict(None if same else Mismatch(what, (), str(expected.tolist()), str(found.tolist())))
    return _of_numbers(what, expected, found.to(expected.device), terms)


def mismatch(what: str, expected: torch.Tensor | None, found: torch.Tensor | None) -> Mismatch | None:
    """Returns where two tensors differ most; ``None`` if they are equal but for rounding."""
    return compare(what, expected, found).mismatch


def dense(tensor: torch.Tensor) -> torch.Tensor:
    """Returns a tensor's elements without gaps: what is sparse or in a library's layout as an ordinary tensor."""
    tensor = tensor.detach()
    if tensor.is_nested:
        return torch.cat([part.reshape(-1) for part in tensor.unbind()])
    return tensor if tensor.layout is torch.strided else tensor.to_dense()


def largest(tensors: Iterable[torch.Tensor | None]) -> float:
    """Returns the largest finite magnitude of some tensors' elements; 0.0 where there is none.

    Args:
        tensors: Any, in any layout; those that are ``None`` have no elements.

    Returns:
        The magnitude.

    Example:
        >>> largest([torch.tensor([1.0, -3.0, math.inf]), None])
        3.0
    """
    return max((_largest(dense(each)) for each in tensors if each is not None), default=0.0)


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


def _of_numbers(what: str, expected: torch.Tensor, found: torch.Tensor, terms: Terms | None) -> Verdict:
    if expected.numel() == 0:
        return Verdict(ulps=0.0, relative=0.0)
    apart = _away(expected, found)
    away, size = apart.max().item(), _largest(expected)
    if away <= _room(expected.dtype, size):
        return Verdict(None, *_distance(away, size, expected.dtype), size=size)
    scale = terms() if terms is not None and math.isfinite(away) else 0.0
    room = _room(expected.dtype, scale)
    if scale > size and away <= room:
        return Verdict(None, *_distance(away, scale, expected.dtype), scale, size, room)
    worst = int(apart.argmax())
    element = tuple(
        int(each) for each in torch.unravel_index(torch.tensor(worst, device="cpu"), expected.shape)
    )
    want, came = expected.reshape(-1)[worst].item(), found.reshape(-1)[worst].item()
    part = Mismatch(what, element, repr(want), repr(came), ulps(want, came, expected.dtype))
    return Verdict(part, *_distance(away, size, expected.dtype), size=size)


def _room(dtype: torch.dtype, scale: float) -> float:
    info = torch.finfo(dtype)
    room = NARROW_ROOM if dtype in (torch.float16, torch.bfloat16) else ROOM
    return room * info.eps * max(scale, info.tiny)


def _distance(away: float, scale: float, dtype: torch.dtype) -> tuple[float | None, float | None]:
    """In units in the last place of a scale, and as a share of it."""
    if away == 0:
        return 0.0, 0.0
    if scale == 0:
        return None, None
    return ulps(scale, scale + away, dtype), away / scale


def _largest(tensor: torch.Tensor) -> float:
    if not (tensor.is_floating_point() or tensor.is_complex()) or not tensor.numel():
        return 0.0
    sizes = tensor.abs()
    return float(sizes.masked_fill(~sizes.isfinite(), 0).max().item())


def _away(expected: torch.Tensor, found: torch.Tensor) -> torch.Tensor:
    """How far each element is off, in double precision; NaN equals NaN, and is infinitely far from all else."""
    wide = torch.complex128 if expected.is_complex() else torch.float64
    ours, theirs = found.to(wide).reshape(-1), expected.to(wide).reshape(-1)
    same = (ours == theirs) | (ours.isnan() & theirs.isnan())
    return (ours - theirs).abs().masked_fill(same, 0).nan_to_num(math.inf, math.inf)


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
