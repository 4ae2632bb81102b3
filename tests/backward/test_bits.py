"""What counts as the same gradient."""

from __future__ import annotations

import pytest
import torch
from gradients import Wrapper, alone, kinds, not_for_leaves, quiet
from torch import distributed
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import Shard, distribute_tensor
from torch.testing._internal.distributed.fake_pg import FakeStore
from torch.testing._internal.two_tensor import TwoTensor

from autograd_lab.backward.bits import same_bits
from autograd_lab.backward.stats import Meter

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


@pytest.mark.parametrize("name", kinds() | not_for_leaves() | alone())
def test_every_kind_is_the_same_as_its_twin(name):
    kind = (kinds() | not_for_leaves() | alone())[name]
    with quiet():
        assert same_bits(kind.make(), kind.make())


@pytest.mark.parametrize(
    "wrap", [Wrapper, lambda inner: TwoTensor(torch.ones(3), inner), torch.Tensor.to_mkldnn]
)
def test_what_a_tensor_holds_is_compared_without_running_its_code(wrap):
    one, other = wrap(torch.ones(3)), wrap(torch.tensor([1.0, 1.0, 2.0]))
    Wrapper.ran.clear()
    assert same_bits(one, wrap(torch.ones(3)))
    assert not same_bits(one, other)
    assert not same_bits(one, torch.ones(3))
    assert not Wrapper.ran


@pytest.mark.filterwarnings("ignore")
def test_a_distributed_tensor_is_compared_by_its_own_part():
    distributed.init_process_group("fake", store=FakeStore(), rank=0, world_size=2)
    try:
        mesh = init_device_mesh("cpu", (2,))
        one, same, other = (
            distribute_tensor(numbers, mesh, [Shard(0)])
            for numbers in (torch.ones(4, 2), torch.ones(4, 2), torch.zeros(4, 2))
        )
        assert same_bits(one, same)
        assert not same_bits(one, other)
        stats = Meter("full").measure(one).finish()
        assert (stats.meta.shape, stats.unmeasured) == ((4, 2), "DTensor runs code of its own")
    finally:
        distributed.destroy_process_group()
