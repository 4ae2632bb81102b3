"""Whose memory a tensor has."""

from __future__ import annotations

import pytest
import torch
from gradients import Wrapper
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.testing._internal.two_tensor import TwoTensor

from autograd_lab._torch import tensors


class Strict(torch.Tensor):
    """Can't be asked for anything."""

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        raise AssertionError(f"{function} was called")


def fake():
    with FakeTensorMode():
        return torch.ones(2)


KINDS = {
    "strided": lambda: torch.ones(2, 3),
    "no elements": lambda: torch.ones(0, 3),
    "no dimensions": lambda: torch.tensor(1.0),
    "transposed": lambda: torch.ones(2, 3).T,
    "meta": lambda: torch.ones(2, device="meta"),
    "fake": fake,
    "subclass": lambda: torch.ones(2).as_subclass(Strict),
    "coordinates": lambda: torch.eye(2).to_sparse(),
    "compressed rows": lambda: torch.eye(2).to_sparse_csr(),
    "nested": lambda: torch.nested.nested_tensor([torch.ones(2), torch.ones(3)]),
    "mkldnn": lambda: torch.ones(2, 3).to_mkldnn(),
    "jagged": lambda: torch.nested.nested_tensor([torch.ones(2), torch.ones(3)], layout=torch.jagged),
}


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors", "ignore:Sparse CSR")
@pytest.mark.parametrize("kind", KINDS)
def test_a_tensor_that_took_over_anothers_memory_is_told_from_a_copy(kind):
    given = KINDS[kind]()
    with torch._C.DisableTorchFunction():
        taken, copied = given.detach(), given.clone()
    assert tensors.same_memory(taken, given)
    assert not tensors.same_memory(copied, given)


def test_a_tensor_of_another_layout_has_memory_of_its_own():
    dense = torch.eye(2)
    assert not tensors.same_memory(dense.to_sparse(), dense)
    assert not tensors.same_memory(dense, dense.to_sparse())


@pytest.mark.parametrize(
    "make", [Wrapper, lambda inner: TwoTensor(inner, inner)], ids=["wrapper", "two tensors"]
)
def test_of_a_subclass_with_code_of_its_own_it_cannot_be_told(make):
    one = make(torch.ones(3))
    Wrapper.ran.clear()
    assert tensors.same_memory(one, one) is None
    assert tensors.address(one) is None
    assert not Wrapper.ran
