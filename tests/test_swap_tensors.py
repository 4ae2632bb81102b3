"""Tensors that no rule takes: an operation on them is PyTorch's, and counted."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional
from torch.testing._internal.two_tensor import TwoTensor

import autograd_lab as lab

VALUES = torch.eye(4) * 2 + torch.ones(4, 4).tril()


class Own(torch.Tensor):
    """A class of its own, without any code of its own."""


class Loud(torch.Tensor):
    """One that runs its own code for each operation that is called on it, and says so."""

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        heard.append(getattr(func, "__name__", str(func)))
        return super().__torch_function__(func, types, args, kwargs or {})


heard: list[str] = []
KINDS = {
    "COO": VALUES.to_sparse_coo,
    "CSR": VALUES.to_sparse_csr,
    "CSC": VALUES.to_sparse_csc,
    "BSR": lambda: VALUES.to_sparse_bsr((2, 2)),
    "BSC": lambda: VALUES.to_sparse_bsc((2, 2)),
    "MKLDNN": VALUES.to_mkldnn,
    "a class of its own": lambda: VALUES.clone().as_subclass(Own),
    "a class with code": lambda: VALUES.clone().as_subclass(Loud),
    "a wrapper": lambda: TwoTensor(VALUES.clone(), VALUES.clone()),
}
CALLS = {
    "mm": torch.mm,
    "mm the other way": lambda x, y: torch.mm(y, x),
    "addmm": lambda x, y: torch.addmm(y, x, y),
    "linear": functional.linear,
    "linear, as a weight": lambda x, y: functional.linear(y, x),
    "@": lambda x, y: x @ y,
    "sum": lambda x, _: x.sum(),
    "sum of rows": lambda x, _: x.sum(1),
    "mul": lambda x, _: x * 2,
    "add": lambda x, _: x + x,
    "relu": lambda x, _: torch.relu(x),
    "neg": lambda x, _: -x,
    "in place": lambda x, _: (x * 1).mul_(2),
    "softmax": lambda x, _: torch.softmax(x, -1),
}


def dense(tensor):
    if tensor is None:
        return None
    tensor = tensor.a if isinstance(tensor, TwoTensor) else tensor.detach()
    tensor = tensor if tensor.layout is torch.strided else tensor.to_dense()
    return tensor.as_subclass(torch.Tensor)


def outcome(call, kind):
    """What comes of it: what is returned and its gradients, or the exception."""
    heard.clear()
    x, y = KINDS[kind]().detach().requires_grad_(), torch.ones(4, 4).triu().requires_grad_()
    try:
        made = CALLS[call](x, y)
        made.backward(torch.ones_like(made))
    except (RuntimeError, NotImplementedError) as error:
        return type(error), str(error).partition(" is only available for these backends")[0]
    return type(made), made.layout, [dense(each) for each in (made, x.grad, y.grad)], list(heard)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("ignore:Sparse .* tensor support is in beta state:UserWarning")
def test_what_no_rule_takes_is_left_to_pytorch_and_counted(kind, call):
    wanted = outcome(call, kind)
    with lab.swap() as swapped:
        found = outcome(call, kind)
    assert str(found) == str(wanted)
    if isinstance(wanted[1], torch.layout):
        assert swapped.left


@pytest.mark.parametrize("layout", [torch.strided, torch.jagged])
@pytest.mark.filterwarnings("ignore:.*nested:UserWarning")
def test_nested_tensors_are_pytorchs(layout):
    """In the one layout they have a dispatch key of their own, in the other a class: no call of theirs arrives."""

    def step():
        parts = [torch.ones(2, 4), torch.ones(3, 4)]
        x = torch.nested.nested_tensor(parts, layout=layout, requires_grad=True)
        weight = torch.ones(2, 4, requires_grad=True)
        made = functional.linear(x * 2, weight)
        made.backward(made.detach())
        return weight.grad

    wanted = step()
    with lab.swap():
        assert torch.equal(step(), wanted)


@pytest.mark.parametrize("make", [torch.nn.Parameter, torch.nn.Buffer])
def test_parameters_and_buffers_are_plain(make):
    with lab.swap("mul") as swapped:
        (make(torch.ones(2)) * torch.ones(2, requires_grad=True)).sum().backward()
    assert (swapped.calls, swapped.left) == ({"mul.Tensor": 1}, {})
