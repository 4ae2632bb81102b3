"""Half precision is computed in single."""

from __future__ import annotations

import pytest
import torch

from autograd_lab.functions.precision import wide


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_becomes_single(dtype):
    value = torch.tensor([0.1, -3.0], dtype=dtype)
    assert wide(value).dtype is torch.float32
    assert wide(value).to(dtype).equal(value)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.complex64, torch.int64])
def test_any_other_tensor_stays_itself(dtype):
    value = torch.ones(2, dtype=dtype)
    assert wide(value) is value
