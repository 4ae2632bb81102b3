"""Mm, Addmm, Bmm and Linear in PyTorch's place, on PyTorch's own samples of them and of what comes to them."""

from __future__ import annotations

import agreement
import pytest
import swapped

RULES = ("mm", "addmm", "bmm", "linear")
ENTRIES = (
    "mm",
    "addmm",
    "bmm",
    "nn.functional.linear",
    "matmul",
    "__rmatmul__",
    "einsum",
    "linalg.multi_dot",
)
ROOM = 16
"""In ulps. The samples are numbers of up to 9, 25 products to a sum, which BLAS adds in another order if a factor lies
in memory otherwise: a linear layer's gradient is one product here and passes a transposed matrix there."""


@pytest.mark.parametrize(("entry", "dtype"), swapped.cases(ENTRIES, swapped.DOUBLE_AND_SINGLE))
def test_every_sample_equals_native(entry, dtype):
    counts = swapped.agree(entry, dtype, RULES, [agreement.reverse], ROOM)
    assert counts
    assert min(counts.values()) > 0


@pytest.mark.sweep
@pytest.mark.parametrize(
    ("entry", "dtype"), swapped.cases(ENTRIES, (*swapped.DOUBLE_AND_SINGLE, *swapped.OTHERS))
)
def test_every_sample_equals_native_in_every_way(entry, dtype):
    swapped.agree(entry, dtype, RULES, [agreement.reverse, agreement.forward, agreement.mapped], ROOM)
