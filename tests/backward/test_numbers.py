"""Norms, means and largest magnitudes against exact arithmetic, at every scale that a dtype holds."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings, strategies as st

from autograd_lab._torch.readable import Readable
from autograd_lab.backward import numbers as numbers_module
from autograd_lab.backward.numbers import numbers
from autograd_lab.backward.stats import Meter

DTYPES = (
    torch.float16,
    torch.bfloat16,
    torch.float32,
    torch.float64,
    torch.complex64,
    torch.complex128,
    torch.float8_e5m2,
    torch.float8_e4m3fn,
)
DIGITS = {torch.float64: 1e-14, torch.complex128: 1e-14}
"""A dtype → the relative error that is rounding; 2e-6 for others, whose norms are summed up in float32."""


def parts(tensor):
    """Every real and imaginary part as it is stored, exactly."""
    flat = tensor.reshape(-1)
    wide = torch.view_as_real(flat.to(torch.complex128)) if flat.is_complex() else flat.to(torch.float64)
    return [Fraction(number) for number in wide.reshape(-1).tolist()]


def root(square):
    """The square root of a fraction, as a float; infinite if it's too large for one."""
    if not square:
        return 0.0
    shift = (square.denominator.bit_length() - square.numerator.bit_length() + 200) // 2
    scaled = square * Fraction(4) ** shift
    try:
        return math.ldexp(float(Fraction(math.isqrt(int(scaled * 4**60)), 2**60)), -shift)
    except OverflowError:
        return math.inf


def close(found, right, digits, absolute=0.0):
    return found == right or math.isclose(found, right, rel_tol=digits, abs_tol=absolute)


def spread(dtype):
    """Powers of two from the least subnormal number to the largest."""
    real = torch.finfo(dtype)
    return math.frexp(real.smallest_normal * real.eps)[1] - 1, math.frexp(real.max)[1] - 1


@st.composite
def tensors(draw):
    """Elements of one or of mixed magnitudes, zeros among them."""
    dtype = draw(st.sampled_from(DTYPES))
    low, high = spread(dtype)
    middle = draw(st.integers(low, high))
    width = draw(st.sampled_from((0, 3, 60, 2200)))
    size = draw(st.integers(1, 40))
    exponents = draw(
        st.lists(
            st.integers(max(low, middle - width), min(high, middle + width)),
            min_size=2 * size,
            max_size=2 * size,
        )
    )
    digits = draw(
        st.lists(st.sampled_from((0.0, 1.0, -1.0, 1.5, -1.75)), min_size=2 * size, max_size=2 * size)
    )
    reals = [
        math.ldexp(digit, exponent) if abs(digit) <= 1 or exponent < high else digit / abs(digit)
        for digit, exponent in zip(digits, exponents, strict=True)
    ]
    if dtype.is_complex:
        return torch.tensor(list(map(complex, reals[:size], reals[size:])), dtype=dtype)
    return torch.tensor(reals[:size], dtype=torch.float64).to(dtype)


@settings(max_examples=150, deadline=None)
@given(tensors())
def test_numbers_are_right_at_every_scale(tensor):
    found = Meter("full").measure(tensor).finish()
    exact = parts(tensor)
    digits = DIGITS.get(tensor.dtype, 2e-6)
    least = 5e-324  # a float64 is rounded to multiples of it
    assert (found.nans, found.infs, found.finite) == (0, 0, True)
    assert close(found.norm, root(sum(part * part for part in exact)), digits, least)
    if tensor.is_complex():
        pairs = list(zip(exact[::2], exact[1::2], strict=True))
        largest = max(root(real * real + imaginary * imaginary) for real, imaginary in pairs)
        means = [sum(exact[start::2]) / len(pairs) for start in (0, 1)]
        spreads = [sum(map(abs, exact[start::2])) / len(pairs) for start in (0, 1)]
        zeros = sum(pair == (0, 0) for pair in pairs)
        mean = (found.mean.real, found.mean.imag)
    else:
        largest, means = max(map(abs, exact)), [sum(exact) / len(exact)]
        spreads, zeros, mean = [sum(map(abs, exact)) / len(exact)], exact.count(0), (found.mean,)
    assert close(found.max_abs, float(largest), digits, least)
    assert found.zeros == zeros
    for ours, right, scale in zip(mean, means, spreads, strict=True):
        assert abs(Fraction(ours) - right) <= Fraction(digits) * scale + Fraction(least)


@settings(max_examples=100, deadline=None)
@given(tensors())
def test_numbers_of_a_device_are_the_same(tensor):
    """The computation for a GPU, on the CPU."""
    values = tensor.to(torch.float32) if tensor.dtype.itemsize == 1 else tensor
    found = Readable(values, values.numel() + 3)  # as of a sparse tensor: three elements aren't stored
    there, here = numbers_module._on_device(found, full=True), numbers(found, full=True)
    assert there.keys() == here.keys()
    digits = DIGITS.get(values.dtype, 2e-6)
    for name, right in here.items():
        number = there[name].item() if isinstance(there[name], torch.Tensor) else there[name]
        if name == "mean":
            assert abs(number - right) <= digits * max(here["max_abs"], 5e-324) or here["max_abs"] == math.inf
        else:
            assert close(number, right, max(digits, 1e-14), 1e-323)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.complex64], ids=str)
@pytest.mark.parametrize("shape", [(3,), (100_000,), (300, 300)], ids=str)
def test_large_tensors_at_the_edge_of_sureness_have_their_digits(dtype, shape):
    generator = torch.Generator().manual_seed(0)
    unit = torch.randn(
        shape, dtype=torch.complex128 if dtype.is_complex else torch.float64, generator=generator
    )
    edge = numbers_module._SMALLEST[dtype]
    for scale in (edge / 2**20, edge / 4, edge, edge * 4, 1e-6, 1.0, 1 / edge):
        grad = (unit * scale).to(dtype)
        right = torch.linalg.vector_norm(grad.to(unit.dtype) * 2.0 ** -math.frexp(scale)[1]).item()
        found = Meter("norm").measure(grad).finish().norm
        assert found == pytest.approx(math.ldexp(right, math.frexp(scale)[1]), rel=DIGITS.get(dtype, 5e-6))


@pytest.mark.parametrize(
    ("elements", "norm"),
    [
        ([1.7e308] * 2, math.inf),  # no float64 can hold it
        ([1.2e308] * 2, 1.2e308 * math.sqrt(2)),
        ([5e-324], 5e-324),
        ([5e-324, 1.0], 1.0),
        ([], 0.0),
    ],
)
def test_only_what_no_float64_can_hold_is_infinite(elements, norm):
    found = Meter("norm").measure(torch.tensor(elements, dtype=torch.float64)).finish()
    assert found.norm == pytest.approx(norm, rel=1e-15)
    assert found.finite


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
@pytest.mark.parametrize("dtype", [torch.float32, torch.complex64, torch.float64], ids=str)
@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_counted_beside_any_scale(scale, dtype, wrong):
    grad = torch.full((5,), scale, dtype=dtype)
    grad[2] = wrong
    found = Meter("norm").measure(grad).finish()
    assert found.finite is False
    assert (found.nans, found.infs) == ((1, 0) if math.isnan(wrong) else (0, 1))
