"""Embedding, IndexSelect and Gather in PyTorch's place, on PyTorch's own samples."""

from __future__ import annotations

import agreement
import pytest
import swapped

RULES = ("embedding", "index_select", "gather")
ENTRIES = ("nn.functional.embedding", "index_select", "gather", "take_along_dim")


@pytest.mark.parametrize(("entry", "dtype"), swapped.cases(ENTRIES, swapped.DOUBLE_AND_SINGLE))
def test_every_sample_equals_native(entry, dtype):
    counts = swapped.agree(entry, dtype, RULES, [agreement.reverse])
    assert counts
    assert min(counts.values()) > 0


@pytest.mark.sweep
@pytest.mark.parametrize(
    ("entry", "dtype"), swapped.cases(ENTRIES, (*swapped.DOUBLE_AND_SINGLE, *swapped.OTHERS))
)
def test_every_sample_equals_native_in_every_way(entry, dtype):
    swapped.agree(entry, dtype, RULES, [agreement.reverse, agreement.forward, agreement.mapped])
