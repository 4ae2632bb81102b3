"""The elementwise rules in PyTorch's place, on PyTorch's own samples."""

from __future__ import annotations

import agreement
import pytest
import swapped
import torch

RULES = (
    "exp", "log", "sqrt", "rsqrt", "abs", "tanh", "sigmoid", "relu", "gelu", "silu", "clamp", "where", "masked_fill",
)  # fmt: skip
ENTRIES = (
    "exp", "log", "sqrt", "rsqrt", "abs", "tanh", "sigmoid", "nn.functional.relu", "nn.functional.gelu",
    "nn.functional.silu", "clamp", "clamp_min", "clamp_max", "where", "masked_fill",
    "nn.functional.softsign", "nn.functional.tanhshrink", "nn.functional.normalize",
)  # fmt: skip
ROOM = {"nn.functional.gelu": 32}
"""In ulps. GELU by tanh, far from zero: tanh is nearly one there, and the last place of what ``1 - tanh²`` leaves is
multiplied by ``x³``, up to hundreds. PyTorch's kernel rounds its tanh otherwise."""

NOT_MAPPED = {"clamp"}
"""Between two tensors, one of which has a batch, PyTorch's own backward fails."""

NOT_FORWARD = {("clamp", torch.bfloat16)}
"""One of 250 elements lies on its bound, so few are the numbers; there PyTorch's tangent isn't on its gradient's side.

``test_clamp.py`` shows both, and checks the rule against another oracle."""


@pytest.mark.parametrize(("entry", "dtype"), swapped.cases(ENTRIES, swapped.DOUBLE))
def test_every_sample_equals_native(entry, dtype):
    counts = swapped.agree(entry, dtype, RULES, [agreement.reverse], ROOM.get(entry.name, agreement.ULPS))
    assert counts
    assert min(counts.values()) > 0


@pytest.mark.sweep
@pytest.mark.filterwarnings("ignore:There is a performance drop:UserWarning")  # vmap of torch's masked_fill
@pytest.mark.parametrize(
    ("entry", "dtype"), swapped.cases(ENTRIES, (*swapped.DOUBLE_AND_SINGLE, *swapped.OTHERS))
)
def test_every_sample_equals_native_in_every_way(entry, dtype):
    parts = [agreement.reverse]
    if (entry.name, dtype) not in NOT_FORWARD:
        parts.append(agreement.forward)
    if entry.name not in NOT_MAPPED:
        parts.append(agreement.mapped)
    swapped.agree(entry, dtype, RULES, parts, ROOM.get(entry.name, agreement.ULPS))
