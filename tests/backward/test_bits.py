"""What counts as the same gradient."""

from __future__ import annotations

import pytest
import torch

from autograd_lab.backward.bits import same_bits

NAN, OTHER_NAN = (
    torch.tensor([bits], dtype=torch.int32).view(torch.float32) for bits in (0x7FC00000, 0x7FC00001)
)


def sparse(layout, *, at=0, value=1.0, dtype=torch.float32):
    dense = torch.zeros(2, 4, dtype=dtype)
    dense[0, at] = value
    blocks = {"blocksize": (1, 1)} if layout in (torch.sparse_bsr, torch.sparse_bsc) else {}
    return dense.to_sparse(layout=layout, **blocks)


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        (None, None, True),
        (None, torch.zeros(1), False),
        (torch.zeros(2), torch.zeros(2), True),
        (torch.zeros(2), -torch.zeros(2), False),
        (torch.zeros(2), torch.zeros(2, dtype=torch.float64), False),
        (torch.zeros(2), torch.zeros(1, 2), False),
        (torch.ones(1), torch.nextafter(torch.ones(1), torch.zeros(1)), False),
        (NAN, OTHER_NAN, True),
        (NAN, torch.ones(1), False),
        (torch.tensor([1 + 2j]), torch.tensor([1 + 2j]), True),
        (torch.tensor([1 + 2j]), torch.tensor([1 - 2j]), False),
        (torch.tensor([1 - 2j]).conj(), torch.tensor([1 + 2j]), True),
        (torch.zeros(0), torch.zeros(0), True),
        (torch.ones(2, device="meta"), torch.ones(2, device="meta"), True),
        (torch.ones(3).expand(2, 3), torch.ones(2, 3), True),
        (torch.zeros(2, 4), sparse(torch.sparse_coo), False),
    ],
)
def test_bits_and_kinds_decide(a, b, same):
    assert same_bits(a, b) is same
    assert same_bits(b, a) is same


@pytest.mark.filterwarnings("ignore:Sparse")
@pytest.mark.parametrize("dtype", [torch.float32, torch.complex64])
@pytest.mark.parametrize(
    "layout", [torch.sparse_coo, torch.sparse_csr, torch.sparse_csc, torch.sparse_bsr, torch.sparse_bsc]
)
def test_sparse_ones_are_the_same_if_elements_and_places_are(layout, dtype):
    a = sparse(layout, dtype=dtype)
    assert same_bits(a, sparse(layout, dtype=dtype))
    assert not same_bits(a, sparse(layout, dtype=dtype, value=2.0))
    assert not same_bits(a, sparse(layout, dtype=dtype, at=1))
