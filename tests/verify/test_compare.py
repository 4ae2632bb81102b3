"""What counts as equal, and by which scale."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, strategies as st

from autograd_lab.verify.compare import compare
from autograd_lab.verify.terms import measure

DTYPES = [torch.float32, torch.float64, torch.complex64]


@given(
    st.sampled_from(DTYPES),
    st.floats(-30, 30).map(lambda power: 10.0**power),
    st.sampled_from([1e-3, -1e-3, 1e-1, -2.0]),
    st.integers(1, 40),
)
def test_what_is_wrong_by_a_thousandth_of_its_scale_is_never_equal(dtype, size, by, count):
    expected = (torch.linspace(-1, 1, count + 1, dtype=torch.float64)[1:] * size).to(dtype)
    assert compare("x", expected, expected * (1 + by)).mismatch is not None
    assert compare("x", expected, expected * (1 + by), lambda: size).mismatch is not None
    assert compare("x", expected, expected.clone()).ulps == 0


@pytest.mark.filterwarnings("ignore:Sparse")
@pytest.mark.parametrize("layout", ["coo", "uncoalesced", "csr", "mkldnn"])
def test_layouts_are_compared_by_their_numbers(layout):
    dense = torch.tensor([[0.0, 2.0], [3.0, 0.0]])
    if layout == "uncoalesced":
        made = torch.sparse_coo_tensor([[0, 1, 1], [1, 0, 0]], [2.0, 1.0, 2.0], (2, 2))
    else:
        made = {"coo": dense.to_sparse, "csr": dense.to_sparse_csr, "mkldnn": dense.to_mkldnn}[layout]()
    assert compare("x", dense, made).ulps == 0
    assert compare("x", made, dense).mismatch is None
    assert compare("x", made, dense + 1).mismatch.element in ((0, 0), (0, 1), (1, 0), (1, 1))
    assert compare("x", None, made).mismatch is not None


@pytest.mark.parametrize("empty", [None, torch.zeros(3)])
def test_zeros_are_equal(empty):
    verdict = compare("x", torch.zeros(3), empty)
    assert (verdict.mismatch, verdict.ulps, verdict.relative) == (None, 0.0, 0.0)


def test_terms_are_asked_for_only_where_they_decide():
    asked = []
    assert compare("x", torch.ones(2), torch.ones(2), lambda: asked.append(1) or 1.0).mismatch is None
    assert asked == []
    verdict = compare("x", torch.tensor([3e-9]), torch.tensor([-2e-9]), lambda: asked.append(1) or 0.2)
    assert asked == [1]
    assert (verdict.mismatch, verdict.scale) == (None, 0.2)
    assert verdict.judged_by() == "zero but for rounding: 3e-09 beside terms of 0.2"
    assert compare("x", torch.tensor([3e-9]), torch.tensor([-2e-4]), lambda: 0.2).mismatch is not None
    assert compare("x", torch.tensor([1.0]), torch.tensor([math.inf]), lambda: 1e30).mismatch is not None
    left = compare("x", torch.tensor([1e-3]), torch.tensor([1.0005e-3]), lambda: 1.0)
    assert left.judged_by() == "what is left where terms cancel: 0.001 beside terms of 1"


def sizes(outputs, leaves):
    measured = measure([outputs], [torch.ones_like(outputs)])
    return [measured.leaf(leaf) for leaf in leaves]


def test_terms_that_cancel_are_as_large_as_before():
    torch.manual_seed(0)
    norm, linear, x = torch.nn.BatchNorm1d(8), torch.nn.Linear(4, 8), torch.randn(64, 4)
    (size,) = sizes(norm(linear(x)).square().sin(), [linear.bias])
    grad = torch.autograd.grad(norm(linear(x)).square().sin().sum(), linear.bias)[0]
    assert grad.abs().max() < 1e-5
    assert 0.1 < size < 100


def test_two_ways_into_one_tensor_that_cancel():
    a = torch.ones(3, requires_grad=True)
    b = a * 2
    (size,) = sizes(b - b, [a])
    assert 2 <= size <= 4
    (size,) = sizes((a - a).exp(), [a])
    assert 1 <= size <= 2


@pytest.mark.parametrize("factor", [1e-12, 1e-6, 1, 1e6])
def test_what_is_only_small_has_small_terms(factor):
    """A factor that goes in beside a gradient of size 1 says nothing about rounding."""
    w = torch.ones(16, requires_grad=True)
    (size,) = sizes(w * torch.linspace(0.5, 1, 16) * factor, [w])
    assert size == pytest.approx(factor, rel=1e-6)


def test_measuring_leaves_no_hook_and_no_grad():
    w = torch.ones(2, requires_grad=True)
    out = w * 2
    seen = []
    w.register_hook(lambda grad: seen.append(grad))
    measure([out.sum()], [torch.ones(())])
    assert w.grad is None
    assert len(seen) == 1
    assert torch.autograd.grad((w * 2).sum(), w)[0].eq(2).all()
