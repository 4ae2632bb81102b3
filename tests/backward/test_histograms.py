"""How the elements of kept gradients are spread: each counted once, whatever tensor it is."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings, strategies as st

import autograd_lab as lab
from autograd_lab.backward.histograms import BINS, Histogram, histogram, histograms

numbers = st.floats(width=64, allow_nan=True, allow_infinity=True)


@given(st.lists(numbers, min_size=1, max_size=60))
@settings(max_examples=100, deadline=None)
def test_each_element_is_counted_once(values):
    found = histogram(torch.tensor(values, dtype=torch.float64))
    finite = [value for value in values if abs(value) < float("inf")]
    assert found.nans == sum(value != value for value in values)
    assert sum(found.counts) == len(finite)
    assert found.nans + found.infs + len(finite) == len(values)
    assert len(found.counts) == BINS
    assert (found.low, found.high) == ((min(finite), max(finite)) if finite else (None, None))
    if finite and min(finite) / 2 < max(finite) / 2:
        assert found.counts[0] >= 1
        assert found.counts[-1] >= 1


def test_the_bins_are_equal_parts():
    assert histogram(torch.arange(40.0)).counts == (2,) * BINS
    assert histogram(torch.full((7,), 3.0)) == Histogram(3.0, 3.0, (7, *(0,) * 19), 0, 0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float8_e5m2, torch.int32, torch.bool])
def test_dtypes_in_which_torch_counts_nothing(dtype):
    assert sum(histogram(torch.tensor([0, 1, 1]).to(dtype)).counts) == 3


def test_the_zeros_that_a_sparse_layout_leaves_out_count():
    sparse = torch.sparse_coo_tensor([[1, 3]], [2.0, -2.0], (10,), check_invariants=True)
    found = histogram(sparse)
    assert (found.low, found.high, sum(found.counts), found.counts[10]) == (-2.0, 2.0, 10, 8)


@pytest.mark.parametrize(
    "tensor",
    [torch.ones(0), torch.ones(2, dtype=torch.complex64), torch.ones(2, device="meta")],
    ids=["empty", "complex", "meta"],
)
def test_what_cannot_be_counted_has_none(tensor):
    assert histogram(tensor) is None


def test_those_of_a_trace_are_of_what_it_kept():
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    x = torch.tensor([3.0, 5.0])
    loss = (w * x).sum()
    trace = lab.trace(loss, names={"w": w}, keep=lambda node: node.name != "SumBackward0")
    found = histograms(trace)
    assert set(found) == {"in:1:0", "out:1:0", "in:2:0"}
    assert found["out:1:0"] == histogram(x)._asdict()
    assert histograms(lab.trace((w * x).sum())) == {}
