"""NllLoss and MseLoss in PyTorch's place, on PyTorch's own samples of them and of the cross entropy."""

from __future__ import annotations

import agreement
import pytest
import swapped

RULES = ("nll_loss", "mse_loss", "log_softmax")
ENTRIES = ("nn.functional.nll_loss", "nn.functional.cross_entropy", "nn.functional.mse_loss")


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
