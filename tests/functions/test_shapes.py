"""Channels, and sizes for each dimension."""

from __future__ import annotations

import pytest
import torch

from autograd_lab.functions.shapes import others, per_channel, spread


@pytest.mark.parametrize(
    ("sizes", "dims", "each"), [([2], 1, [2]), ([2], 3, [2, 2, 2]), ((2, 1), 2, [2, 1]), ((3,), 2, [3, 3])]
)
def test_one_number_stands_for_all_dimensions(sizes, dims, each):
    assert spread(sizes, dims) == each


@pytest.mark.parametrize("shape", [(4, 3), (4, 3, 8), (4, 3, 8, 5), (0, 3, 2)])
def test_what_is_summed_over_the_other_dimensions_meets_the_input_again(shape):
    x = torch.ones(shape)
    total = x.sum(others(x))
    assert total.shape == (3,)
    assert per_channel(total, x).expand_as(x)[:, 1].eq(total[1]).all()


def test_nothing_stays_nothing():
    assert per_channel(None, torch.ones(2, 3)) is None
