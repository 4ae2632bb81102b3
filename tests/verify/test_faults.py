"""What kind of fault it is, told from two lists of gradients."""

from __future__ import annotations

import pytest
import torch

from autograd_lab.verify.faults import kind

WANT = torch.tensor([[1.0, -2.0], [3.0, 4.0]])
OTHER = torch.tensor([[5.0, 5.0], [0.0, 1.0]])
COMPLEX = torch.tensor([1 + 2j, 3 - 1j])


@pytest.mark.parametrize(
    ("want", "came", "says"),
    [
        (WANT, None, "is None, where a gradient is due"),
        (None, WANT, "isn't zero, where nothing depends on the input"),
        (WANT, WANT[0], "has the shape (2,) of another tensor than its input's (2, 2)"),
        (WANT, WANT.double(), "is float64, not its input's float32"),
        (WANT, WANT * 0, "is zero everywhere"),
        (WANT, -WANT, "has the wrong sign"),
        (WANT, 3 * WANT, "is off by the factor 3"),
        (COMPLEX, COMPLEX.conj(), "isn't conjugated as it should be"),
        (WANT, WANT.t(), "is transposed"),
        (WANT, OTHER, "is that of input 1"),
        (WANT, WANT * (1 + torch.tensor([[0, 2e-3], [0, 0]])), "is slightly off, by up to 2.0e-03"),
        (WANT, WANT + torch.tensor([[0.0, 5.0], [0, 0]]), "is wrong in 1 of 4 elements"),
        (WANT, WANT.exp(), "follows another formula, or was computed from a wrong saved tensor"),
    ],
)
def test_each_kind_has_its_name(want, came, says):
    assert kind(0, [want, OTHER], [came, OTHER], [torch.ones(2, 2)] * 2).startswith(says)


@pytest.mark.parametrize(
    ("came", "says"),
    [(float("nan"), "is NaN where an input is zero"), (9.0, "is wrong where an input is zero")],
)
def test_what_goes_wrong_where_an_input_is_zero(came, says):
    args = [torch.tensor([0.0, 1.0, 2.0])]
    assert kind(0, [torch.tensor([1.0, 2.0, 3.0])], [torch.tensor([came, 2.0, 3.0])], args) == says


def test_nan_anywhere_else():
    came = torch.tensor([1.0, float("nan")])
    assert kind(0, [torch.ones(2)], [came], [torch.tensor([0.0, 1.0])]) == "is NaN"
