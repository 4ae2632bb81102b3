"""Gradients of every layout, dtype and class that torch can make, each as the gradient of a leaf like it."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable
from typing import ClassVar, NamedTuple

import torch
from torch.masked import masked_tensor
from torch.testing._internal.two_tensor import TwoTensor
from torch.utils._pytree import tree_map

SHAPE = (4, 6)
FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.complex64, torch.complex128)
FLOAT8 = (
    torch.float8_e4m3fn,
    torch.float8_e4m3fnuz,
    torch.float8_e5m2,
    torch.float8_e5m2fnuz,
    torch.float8_e8m0fnu,
)
INTEGERS = (
    torch.bool,
    torch.uint8,
    torch.int8,
    torch.int16,
    torch.int32,
    torch.int64,
    torch.uint16,
    torch.uint32,
    torch.uint64,
)


class Wrapper(torch.Tensor):
    """Holds another tensor, and notes every operation on it; even its sizes are asked of it."""

    ran: ClassVar[list[str]] = []

    @staticmethod
    def __new__(cls, inner):
        return torch.Tensor._make_wrapper_subclass(
            cls, inner.shape, dtype=inner.dtype, device=inner.device, dispatch_sizes_strides_policy="sizes",
            dispatch_device=True, dispatch_layout=True,
        )  # fmt: skip

    def __init__(self, inner):
        self.inner = inner

    __torch_function__ = torch._C._disabled_torch_function_impl

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        cls.ran.append(func.name())
        if func in (torch.ops.prim.device.default, torch.ops.prim.layout.default):
            return getattr(args[0].inner, func.name().removeprefix("prim::"))
        args, kwargs = tree_map(
            lambda each: each.inner if isinstance(each, Wrapper) else each, (args, kwargs or {})
        )
        return tree_map(
            lambda each: Wrapper(each) if isinstance(each, torch.Tensor) else each, func(*args, **kwargs)
        )


class Noting(torch.Tensor):
    """Notes every function that is called on it, and has methods of its own."""

    ran: ClassVar[list[str]] = []

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        cls.ran.append(getattr(func, "__name__", repr(func)))
        return super().__torch_function__(func, types, args, kwargs or {})

    def detach(self):
        self.ran.append("detach")
        return super().detach()


class Kind(NamedTuple):
    """A kind of gradient.

    Attributes:
        make: Makes one, always the same.
        dense: Makes the strided tensor of the same numbers; ``None`` where it can't be measured.
        reason: A part of the reason why it can't.
    """

    make: Callable[[], torch.Tensor]
    dense: Callable[[], torch.Tensor] | None = None
    reason: str = ""


def numbers(dtype=torch.float32):
    """A matrix of small numbers, many of them zero."""
    generator = torch.Generator().manual_seed(0)
    found = torch.randint(0, 4, SHAPE, generator=generator).double() * (1 if dtype.itemsize == 1 else 0.5)
    found[:, 1] = 0
    return found.to(dtype)


def _eights(dtype):
    return torch.full(SHAPE, 2.0).to(dtype)  # e8m0 has neither a zero nor a sign


def _coo(dtype, *, hybrid=False, times=2):
    """A sparse tensor that isn't coalesced: every place is there as often as told, with other numbers."""
    dense = numbers(dtype)
    if hybrid:
        indices, values = torch.tensor([[0, 2, 3]]), dense[[0, 2, 3]]
    else:
        indices = dense.nonzero().T.contiguous()
        values = dense[tuple(indices)]
    values = torch.cat([values * (i + 1) for i in range(times)])
    indices = indices.repeat(1, times)
    if times > 1:
        order = torch.randperm(len(values), generator=torch.Generator().manual_seed(1))
        indices, values = indices[:, order], values[order]
    return torch.sparse_coo_tensor(indices, values, SHAPE, is_coalesced=times == 1)


def _compressed(layout, dtype):
    blocks = {"blocksize": (2, 3)} if layout in (torch.sparse_bsr, torch.sparse_bsc) else {}
    return numbers(dtype).to_sparse(layout=layout, **blocks)


def _jagged():
    return torch.nested.nested_tensor([torch.arange(3.0), torch.arange(5.0)], layout=torch.jagged)


def _with_gaps():
    starts, lengths = torch.tensor([0, 1]), torch.tensor([2, 3])
    return torch.nested.narrow(numbers()[:2], 1, starts, lengths, layout=torch.jagged)


def _quantized():
    return torch.quantize_per_tensor(numbers(), 0.5, 0, torch.quint8)


def _name(dtype):
    return str(dtype).removeprefix("torch.")


def kinds():
    """Returns all kinds, by name."""
    found = {}
    for dtype in FLOATS:
        found |= {
            f"strided {_name(dtype)}": Kind(
                lambda dtype=dtype: numbers(dtype), lambda dtype=dtype: numbers(dtype)
            ),
            f"coalesced {_name(dtype)}": _sparse(_coo, dtype, times=1),
            f"not coalesced {_name(dtype)}": _sparse(_coo, dtype),
            f"hybrid {_name(dtype)}": _sparse(_coo, dtype, hybrid=True),
            f"hybrid coalesced {_name(dtype)}": _sparse(_coo, dtype, hybrid=True, times=1),
        }
        found[f"sparse_csr {_name(dtype)}"] = _of_layout(torch.sparse_csr, dtype)
    for dtype in FLOAT8:
        found[f"strided {_name(dtype)}"] = Kind(
            lambda dtype=dtype: _eights(dtype), lambda dtype=dtype: _eights(dtype).float()
        )
        found[f"not coalesced {_name(dtype)}"] = Kind(
            lambda dtype=dtype: torch.sparse_coo_tensor(torch.tensor([[0, 0]]), _eights(dtype)[:2], SHAPE),
            reason=f"coalesce in {_name(dtype)}",
        )
    return found | {
        "strided complex32": Kind(lambda: numbers(torch.complex32), lambda: numbers(torch.complex64)),
        "expanded values": Kind(
            lambda: torch.sparse_coo_tensor(torch.tensor([[3, 1, 1]]), torch.tensor(2.0).expand(3, 6), SHAPE),
            lambda: torch.tensor([0.0, 4.0, 0.0, 2.0])[:, None].expand(SHAPE),
        ),
        "no elements": Kind(lambda: torch.zeros(0, 3), lambda: torch.zeros(0, 3)),
        "no dimensions": Kind(lambda: torch.tensor(-2.0), lambda: torch.tensor(-2.0)),
        "transposed": Kind(lambda: numbers().T, lambda: numbers().T),
        "columns": Kind(lambda: numbers().T.contiguous().T, numbers),
        "expanded": Kind(lambda: torch.tensor(2.0).expand(SHAPE), lambda: torch.full(SHAPE, 2.0)),
        "conjugated": Kind(lambda: numbers(torch.complex64).conj(), lambda: numbers(torch.complex64)),
        "nothing stored": Kind(lambda: torch.sparse_coo_tensor(size=SHAPE), lambda: torch.zeros(SHAPE)),
        "zero tensor": Kind(lambda: torch._efficientzerotensor(SHAPE), lambda: torch.zeros(SHAPE)),
        "mkldnn": Kind(lambda: numbers().to_mkldnn(), numbers),
        "meta": Kind(lambda: torch.ones(SHAPE, device="meta"), reason="meta device"),
        "masked": Kind(lambda: masked_tensor(numbers(), numbers() > 0), reason="MaskedTensor runs code"),
        "two tensors": Kind(lambda: TwoTensor(numbers(), numbers()), reason="TwoTensor runs code"),
        "wrapper": Kind(lambda: Wrapper(numbers()), reason="Wrapper runs code"),
        "noting": Kind(lambda: numbers().as_subclass(Noting), numbers),
    }  # fmt: skip


def not_for_leaves():
    """Returns kinds that torch takes from a Function only as the gradient of an argument that needs none."""
    found = {
        f"strided {_name(dtype)}": Kind(
            lambda dtype=dtype: numbers(dtype), lambda dtype=dtype: numbers(dtype).double()
        )
        for dtype in INTEGERS
    }
    for dtype in FLOATS:
        for layout in (torch.sparse_csc, torch.sparse_bsr, torch.sparse_bsc):
            found[f"{_name(layout)} {_name(dtype)}"] = _of_layout(layout, dtype)
    return found | {
        "jagged": Kind(_jagged, lambda: torch.cat([torch.arange(3.0), torch.arange(5.0)])),
        "jagged with gaps": Kind(_with_gaps, lambda: torch.cat([numbers()[0, :2], numbers()[1, 1:4]])),
        "quantized": Kind(_quantized, reason="quantized"),
        "float4": Kind(
            lambda: torch.zeros(3, dtype=torch.uint8).view(torch.float4_e2m1fn_x2), reason="float4"
        ),
    }


def alone():
    """Returns kinds that torch takes from no Function."""
    return {
        "nested": Kind(
            lambda: torch.nested.nested_tensor([torch.arange(3.0), torch.arange(5.0)]),
            lambda: torch.cat([torch.arange(3.0), torch.arange(5.0)]),
        ),
    }


def _of_layout(layout, dtype):
    return _sparse(lambda dtype: _compressed(layout, dtype), dtype)


def _sparse(make, dtype, **options):
    return Kind(lambda: make(dtype, **options), lambda: make(dtype, **options).to_dense())


@contextlib.contextmanager
def quiet():
    """While such tensors are made: torch warns that some of these kinds are young or old."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


class Gradient(torch.autograd.Function):
    """A loss whose gradient is whatever ``make`` makes."""

    @staticmethod
    def forward(ctx, leaf, make):
        ctx.make = make
        return torch.ones(())

    @staticmethod
    def backward(ctx, grad):
        with quiet():
            return ctx.make(), None


class Beside(torch.autograd.Function):
    """A loss of a leaf that also returns a gradient for an argument that needs none."""

    @staticmethod
    def forward(ctx, leaf, other, make):
        ctx.make = make
        return leaf.sum()

    @staticmethod
    def backward(ctx, grad):
        with quiet():
            return grad.expand(3), ctx.make(), None
