"""The norm, the largest magnitude, the mean and the counts of a tensor's elements, right at every scale.

The choice of reduction decides what statistics cost: ``vector_norm`` passes once over the memory, while
``isfinite().all()`` takes fifteen times as long. So the norm comes first, and only a norm that isn't finite has NaN
and inf counted.

Note [A norm in parts]
On the CPU torch adds up the squares of a whole tensor in a few running sums, so that the norm of a matrix of 50,000 by
768 numbers in float32 is wrong in its third digit. The norm of the norms of small parts has seven right digits, and is
quicker.

Note [Squares out of range]
A norm is the root of a sum of squares. In float32 the square of 10²⁰ is infinite and that of 10⁻²⁵ is zero, although
both elements are fine. Overflow shows: the norm isn't finite. Underflow shows only if the norm is small: a square below
the least normal number ``tiny`` may lose up to ``tiny``, so n squares lose at most ``n * tiny`` together, which is less
than a rounding error ``eps`` of their sum if the norm is at least ``sqrt(n * tiny / eps)``. ``_sure`` asks for twice
that, since parts are squared again and a complex number has two squares. Where the quick norm isn't sure, all is
computed again in float64, from elements scaled by a power of two so that the largest is near 1. A 0 is among these.

Note [Statistics stay on the device]
Reading a number from a GPU waits until the GPU has done all the work given to it, so reading one for each node would
serialise the backward. Numbers of a tensor that isn't on the CPU stay there, as tensors without dimensions, until the
backward is over. So it can't be asked there whether the quick norm is sure: norms are taken in float64 at once, those
of float64 from scaled elements. NaN and inf are counted only where the norm alone doesn't tell: with ``full``, and in
float64, whose norm can be too large for a float64 with all elements finite.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch

from autograd_lab._torch import tensors as _tensors
from autograd_lab._torch.readable import Readable


def numbers(found: Readable, *, full: bool) -> dict[str, Any]:
    """Returns ``GradStats``' numbers of a tensor, by name; some as tensors that are still to be read.

    Args:
        found: The tensor's elements.
        full: Whether more is wanted than the norm.
    """
    if found.values.is_cpu:
        return _on_cpu(found, full=full)
    return _on_device(found, full=full)


def _on_cpu(found: Readable, *, full: bool) -> dict[str, Any]:
    """See Note [Squares out of range]."""
    values = found.values
    norm = _norm(values, torch.float32 if values.dtype in _NARROW else None).item()
    measured: dict[str, Any] = {"norm": norm}
    if not full and _SURELY < norm < math.inf:  # nearly all
        return measured
    finite = math.isfinite(norm)
    if full or not finite:
        measured |= _counts(values)
        finite = not (measured["nans"] or measured["infs"])
    if full and found.numel:
        measured["zeros"] = found.numel - int(torch.count_nonzero(values))
    if finite and not _sure(norm, values):
        return measured | _scaled(found, full=full)
    return measured | (_quick(found) if full and found.numel else {})


def _counts(values: torch.Tensor) -> dict[str, Any]:
    return {"nans": int(torch.isnan(values).sum()), "infs": int(torch.isinf(values).sum())}


def _quick(found: Readable) -> dict[str, Any]:
    """Mean and largest magnitude, where no sum of squares is out of range or an element isn't finite."""
    values, numel = found
    wide = torch.float32 if values.dtype in _NARROW else None
    mean = values.mean(dtype=wide).item() if values.numel() else 0.0
    return {
        "mean": mean if values.numel() == numel else mean * (values.numel() / numel),
        "max_abs": torch.linalg.vector_norm(values, math.inf, dtype=wide).item() if values.numel() else 0.0,
    }


def _sure(norm: float, values: torch.Tensor) -> bool:
    """Returns whether a norm is right but for rounding. See Note [Squares out of range]."""
    if values.dtype is torch.float16:  # squared in float32, which holds its squares
        return True
    if not math.isfinite(norm):
        return False
    return norm >= _SMALLEST[values.dtype] * math.sqrt(values.numel()) or not values.numel()


def _scaled(found: Readable, *, full: bool) -> dict[str, Any]:
    """Norm, mean and largest magnitude of finite elements of any scale. See Note [Squares out of range]."""
    values, numel = found
    if not values.numel() or not _largest(values):
        return {"norm": 0.0, "mean": 0.0, "max_abs": 0.0} if full and numel else {"norm": 0.0}
    wide = values.to(torch.complex128 if values.is_complex() else torch.float64)
    exponent = math.frexp(_largest(wide))[1]
    half = exponent // 2  # the power of two itself may be out of range
    unit = wide * 2.0**-half * 2.0 ** (half - exponent)
    measured: dict[str, Any] = {"norm": _times_two_to(exponent, torch.linalg.vector_norm(unit).item())}
    if full:
        mean = (unit.sum() / numel).item()
        measured["max_abs"] = _times_two_to(exponent, torch.linalg.vector_norm(unit, math.inf).item())
        measured["mean"] = (
            complex(_times_two_to(exponent, mean.real), _times_two_to(exponent, mean.imag))
            if isinstance(mean, complex)
            else _times_two_to(exponent, mean)
        )
    return measured


def _largest(values: torch.Tensor) -> float:
    """The largest magnitude of a real or an imaginary part."""
    parts = torch.view_as_real(values.resolve_conj()) if values.is_complex() else values
    low, high = torch.aminmax(parts)
    return max(-low.item(), high.item())


def _times_two_to(exponent: int, number: float) -> float:
    """Returns ``number * 2**exponent``; infinite only if no float64 can hold it."""
    try:
        return math.ldexp(number, exponent)
    except OverflowError:
        return math.copysign(math.inf, number)


def _on_device(found: Readable, *, full: bool) -> dict[str, Any]:
    """See Note [Statistics stay on the device]."""
    values, numel = found
    wide = _wide(values)
    unit, scale = _unit(values) if values.dtype in _DOUBLE else (values, None)
    norm: Callable[..., torch.Tensor] = torch.linalg.vector_norm
    measured: dict[str, Any] = {"norm": _times(norm(unit, dtype=wide), scale)}
    if full or values.dtype in _DOUBLE:
        measured["nans"] = torch.isnan(values).sum()
        measured["infs"] = torch.isinf(values).sum()
    if full and numel:
        measured["zeros"] = numel - torch.count_nonzero(values)
        measured["mean"] = _times(unit.sum(dtype=wide) / numel, scale)
        measured["max_abs"] = _times(norm(unit, math.inf, dtype=wide), scale) if values.numel() else 0.0
    return measured


def _times(number: torch.Tensor, scale: torch.Tensor | None) -> torch.Tensor:
    return number if scale is None else number * scale


def _unit(values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Elements of which the largest is near 1, and what they are to be multiplied by."""
    if not values.numel():
        return values, None
    parts = torch.view_as_real(values.resolve_conj()) if values.is_complex() else values
    low, high = torch.aminmax(parts)
    largest = torch.maximum(-low, high)
    scale = torch.where((largest > 0) & torch.isfinite(largest), largest, 1.0)
    return values / scale, scale


def _wide(values: torch.Tensor) -> torch.dtype:
    """The dtype in which squares are in range; Apple's GPUs have no float64."""
    if values.device.type == "mps":
        return torch.complex64 if values.is_complex() else torch.float32
    return torch.complex128 if values.is_complex() else torch.float64


def _norm(values: torch.Tensor, dtype: torch.dtype | None) -> torch.Tensor:
    """See Note [A norm in parts]."""
    norm: Callable[..., torch.Tensor] = torch.linalg.vector_norm
    if values.numel() <= _MANY:
        return norm(values, dtype=dtype)
    strides = [
        stride if size > 1 else math.inf for size, stride in zip(values.shape, values.stride(), strict=True)
    ]
    along = strides.index(min(strides))
    if _FEW <= values.shape[along] <= _MANY:
        return _norm(norm(values, dim=along, dtype=dtype), None)
    flat = _tensors.in_memory_order(values)
    if flat is None:
        half = values.tensor_split(2, values.shape.index(max(values.shape)))
        return norm(torch.stack([_norm(part, dtype) for part in half]))
    rows = flat[: flat.numel() // _MANY * _MANY].view(-1, _MANY)
    return norm(
        torch.stack([_norm(norm(rows, dim=1, dtype=dtype), None), norm(flat[rows.numel() :], dtype=dtype)])
    )


_FEW, _MANY = 2**5, 2**15
"""Of how many numbers a norm is taken at once, where there are many."""

_NARROW = (torch.float16, torch.bfloat16)
"""The sum of their squares would overflow, or lose its digits."""

_DOUBLE = (torch.float64, torch.complex128)

_SURELY = 1e-6
"""A norm that is sure for any number of elements that fits into memory, in every dtype."""

_SMALLEST = {
    dtype: 2 * math.sqrt(torch.finfo(accumulated).tiny / torch.finfo(accumulated).eps)
    for dtype, accumulated in (
        (torch.bfloat16, torch.float32),
        (torch.float32, torch.float32),
        (torch.complex64, torch.float32),
        (torch.float64, torch.float64),
        (torch.complex128, torch.float64),
    )
}
"""A dtype → the root mean square from which a quick norm is sure."""
