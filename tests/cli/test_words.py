"""What the debugger writes of a tensor."""

from __future__ import annotations

import pytest
import torch

from autograd_lab.cli.words import details, value


@pytest.mark.parametrize(
    ("tensor", "text"),
    [
        (None, "none"),
        (torch.tensor(-8.0), "−8"),
        (torch.tensor([[-8.0]]), "−8"),
        (torch.arange(3.0), "f32[3] [0, 1, 2]"),
        (torch.ones(20), "f32[20] of norm 4.472"),
        (torch.ones(20, dtype=torch.int64), "i64[20]"),
        (torch.ones(2, dtype=torch.bool), "b8[2] [True, True]"),
        (torch.ones(2, device="meta"), "f32[2], not measured: no numbers on the meta device"),
        (torch.ones((), device="meta"), "f32[], not measured: no numbers on the meta device"),
        (torch.tensor(1 - 2j), "1 − 2i"),
        (torch.ones(20, dtype=torch.complex64), "c64[20] of norm 4.472"),
        (torch.eye(3).to_sparse(), "f32[3,3] sparse_coo of norm 1.732"),
        (torch.tensor(2.0).to_sparse(), "f32[] sparse_coo of norm 2"),
        (torch.zeros(0), "f32[0] []"),
        (torch.ones(3, requires_grad=True), "f32[3] [1, 1, 1]"),
        (torch.ones(20, dtype=torch.float16), "f16[20] of norm 4.472"),
    ],
)
def test_values_are_written_in_a_line(tensor, text):
    assert value(tensor) == text


def test_details_say_what_many_numbers_are_like():
    grad = torch.arange(20.0)
    assert details(grad) == "f32[20] of norm 49.7, mean 9.5, largest magnitude 19, 1 zero"
    grad[1], grad[2], grad[3] = torch.nan, torch.inf, -torch.inf
    assert details(grad).endswith("of norm nan, mean nan, largest magnitude nan, 1 zero, 1 nan, 2 inf")
    assert details(torch.zeros(20)).endswith("largest magnitude 0, 20 zeros")
    assert details(torch.ones(20, dtype=torch.int64)) == "i64[20]"
    assert details(torch.ones(3)) == value(torch.ones(3))
    assert details(None) == "none"
