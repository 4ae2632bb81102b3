"""The elementwise rules in PyTorch's place, on PyTorch's own samples."""

from __future__ import annotations

import agreement
import pytest
import swapped

RULES = (
    "exp", "log", "sqrt", "rsqrt", "abs", "tanh", "sigmoid", "relu", "gelu", "silu", "clamp", "where", "masked_fill",
)  # fmt: skip
ENTRIES = (
    "exp", "log", "sqrt", "rsqrt", "abs", "tanh", "sigmoid", "nn.functional.relu", "nn.functional.gelu",
    "nn.functional.silu", "clamp", "clamp_min", "clamp_max", "where", "masked_fill",
    "nn.functional.softsign", "nn.functional.tanhshrink", "nn.functional.normalize",
)  # fmt: skip
ROOM = {"nn.functional.gelu": 16}
"""In ulps. GELU by tanh, at 2.9: tanh is nearly one there, and the second derivative is a sum of what ``1 - tanh²``
leaves, times 10. PyTorch adds in another order."""


@pytest.mark.parametrize(("entry", "dtype"), swapped.cases(ENTRIES, swapped.DOUBLE_AND_SINGLE))
def test_every_sample_equals_native(entry, dtype):
    counts = swapped.agree(entry, dtype, RULES, [agreement.reverse], ROOM.get(entry.name, agreement.ULPS))
    assert counts
    assert min(counts.values()) > 0


@pytest.mark.sweep
@pytest.mark.parametrize(
    ("entry", "dtype"), swapped.cases(ENTRIES, (*swapped.DOUBLE_AND_SINGLE, *swapped.OTHERS))
)
def test_every_sample_equals_native_in_every_way(entry, dtype):
    parts = [agreement.reverse, agreement.forward, agreement.mapped]
    swapped.agree(entry, dtype, RULES, parts, ROOM.get(entry.name, agreement.ULPS))
