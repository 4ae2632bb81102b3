"""Softmax and LogSoftmax in PyTorch's place, on PyTorch's own samples of them and of what comes to them."""

from __future__ import annotations

import agreement
import pytest
import swapped

RULES = ("softmax", "log_softmax")
ENTRIES = ("softmax", "log_softmax", "nn.functional.softmin", "masked.softmax", "masked.log_softmax")
ROOM = 16
"""Roundings of the largest number. A gradient's second order has sums of numbers of up to 9 that cancel,
which PyTorch adds in one loop."""


@pytest.mark.parametrize(("entry", "dtype"), swapped.cases(ENTRIES, swapped.DOUBLE))
def test_every_sample_equals_native(entry, dtype):
    counts = swapped.agree(entry, dtype, RULES, [agreement.reverse], room=ROOM)
    assert counts
    assert min(counts.values()) > 0


@pytest.mark.sweep
@pytest.mark.filterwarnings(
    "ignore:Casting complex values to real"
)  # op_db asks for it: softmax with a real dtype
@pytest.mark.parametrize(
    ("entry", "dtype"), swapped.cases(ENTRIES, (*swapped.DOUBLE_AND_SINGLE, *swapped.OTHERS))
)
def test_every_sample_equals_native_in_every_way(entry, dtype):
    swapped.agree(entry, dtype, RULES, [agreement.reverse, agreement.forward, agreement.mapped], room=ROOM)
