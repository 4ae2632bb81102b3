"""A gradient in its input's shape and dtype: the transpose of what brought the input to the result's."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings, strategies as st

from autograd_lab.functions.unbroadcast import fit, like, real_if

RESULT = (2, 3, 4)
INPUTS = [(2, 3, 4), (3, 4), (4,), (), (1, 3, 1), (2, 1, 4), (1,)]


@given(st.sampled_from(INPUTS), st.integers(0, 99))
@settings(deadline=None, max_examples=20)
def test_a_gradient_is_summed_to_what_expanding_gave_it(shape, seed):
    """So the products of both with anything are the same number: one is the other's transpose."""
    generator = torch.Generator().manual_seed(seed)
    grad, value = (torch.randint(-9, 9, size, generator=generator) * 1.0 for size in (RESULT, shape))
    fitted = fit(grad, like(value))
    assert fitted.shape == value.shape
    assert (fitted * value).sum() == (grad * value.expand(RESULT)).sum()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64, torch.complex64])
def test_a_gradient_has_its_inputs_dtype(dtype):
    assert fit(torch.ones(2), like(torch.ones(1, dtype=dtype))).dtype is dtype


def test_a_real_input_gets_the_real_part():
    grad = torch.tensor([1 + 2j])
    assert fit(grad, like(torch.ones(1))).tolist() == [1.0]
    assert real_if(grad, like(torch.ones(1, dtype=torch.complex64))) is grad


def test_a_number_has_no_gradient():
    assert like(2.0) is None
