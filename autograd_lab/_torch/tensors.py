"""Getting at a tensor's numbers without running a user's code.

Relies on ``torch._C.DisableTorchFunction``: without it, asking a tensor subclass for its shape calls the user's
``__torch_function__``. And on ``Tensor._values`` and ``Tensor._indices`` of sparse tensors: the public ``values()``
needs a coalesced tensor, and making one would change it. ``torch._C._len_torch_dispatch_stack``: without it, modes
would have to be put aside where there are none.
``torch.ops.mkldnn.data_ptr``: without it nothing tells whether two MKLDNN tensors share memory.
``is_traceable_wrapper_subclass``: without it, tensors like ``DTensor``, which keep their parts in slots, couldn't be
compared.
``torch._C.TensorBase.grad``: ``Tensor.grad`` may have been replaced by a property of the user's.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensor
from torch.utils._python_dispatch import is_traceable_wrapper_subclass

from autograd_lab._torch.readable import plain, runs_own_code
from autograd_lab._torch.settings import without_modes


def no_torch_function() -> Any:
    """Returns a context in which reading a tensor's attributes runs no code of a subclass or mode."""
    return torch._C.DisableTorchFunction()


def grad(tensor: torch.Tensor) -> torch.Tensor | None:
    """Returns a tensor's ``.grad``, whatever its class or a user has put in the place of that."""
    with no_torch_function():
        return _grad(tensor)


def set_grad(tensor: torch.Tensor, grad: torch.Tensor) -> None:
    """Sets a tensor's ``.grad``, likewise."""
    with no_torch_function():
        _set_grad(tensor, grad)


_grad: Callable[[torch.Tensor], torch.Tensor | None] = vars(torch._C.TensorBase)["grad"].__get__
_set_grad: Callable[[torch.Tensor, torch.Tensor], None] = vars(torch._C.TensorBase)["grad"].__set__


def unseen() -> contextlib.AbstractContextManager[Any]:
    """Returns a context in which kernels run without a subclass, a mode or a user's ``TorchDispatchMode`` noticing."""
    return without_modes() if torch._C._len_torch_dispatch_stack() else no_torch_function()


def filled(tensor: torch.Tensor) -> tuple[Any, ...] | None:
    """Returns a key that is equal for two living tensors that hold the same numbers: a matrix and its transpose.

    Returns:
        Where the memory is that the tensor fills, without holes or overlaps, and how it's read; ``None`` where it
        doesn't, and for tensors that aren't torch's own strided ones.
    """
    if not _plain(tensor) or tensor.is_meta or tensor.is_neg() or tensor.is_conj() or not dense(tensor):
        return None
    return tensor.data_ptr(), tensor.numel(), tensor.dtype


def _plain(tensor: torch.Tensor) -> bool:
    return type(tensor) is torch.Tensor and tensor.layout is torch.strided and not tensor.is_nested


def in_memory_order(tensor: torch.Tensor) -> torch.Tensor | None:
    """Returns a strided tensor's elements as one row, without copying; ``None`` where there are holes or overlaps."""
    return tensor.as_strided((tensor.numel(),), (1,)) if dense(tensor) else None


def dense(tensor: torch.Tensor) -> bool:
    """Returns whether a strided tensor's elements fill their memory, without holes or overlaps."""
    return tensor.is_contiguous() or bool(_is_non_overlapping_and_dense(tensor))


_is_non_overlapping_and_dense = torch.ops.aten.is_non_overlapping_and_dense.default


def elements(tensor: torch.Tensor) -> torch.Tensor | None:
    """Returns a tensor with the elements that another one stores; ``None`` where there are none to look at.

    Args:
        tensor: Any tensor.

    Returns:
        The tensor itself, or the stored values of a sparse, nested, MKLDNN or quantized one: of a sparse one that
        isn't coalesced, the summands. ``None`` for tensors without data (on the meta device, fake ones).
    """
    if isinstance(tensor, FakeTensor) or tensor.is_meta:
        return None
    if tensor.is_nested:
        return (
            torch.cat([part.reshape(-1) for part in tensor.unbind()])
            if tensor.layout is torch.strided
            else tensor.values()
        )
    if tensor.layout is torch.sparse_coo:
        return tensor._values()
    if tensor.is_mkldnn:
        return tensor.to_dense()
    if tensor.layout is not torch.strided:
        return tensor.values()
    return tensor.int_repr() if tensor.is_quantized else tensor


def parts(tensor: torch.Tensor) -> dict[str, torch.Tensor] | None:
    """Returns the tensors that a wrapper subclass holds, by name; ``None`` for a tensor of its own numbers.

    None of its operations is run. The parts are those that it tells ``torch.compile`` or that are in its ``__dict__``.
    """
    if not runs_own_code(type(tensor)):
        return None
    wrapper: Any = tensor
    held = (
        {name: getattr(wrapper, name) for name in wrapper.__tensor_flatten__()[0]}
        if is_traceable_wrapper_subclass(wrapper)
        else getattr(wrapper, "__dict__", {})
    )
    # a DTensor lists its mesh too
    return {name: value for name, value in held.items() if isinstance(value, torch.Tensor)} or None


def layout(tensor: torch.Tensor) -> torch.layout:
    """Returns a tensor's layout without running a subclass's code."""
    return plain(tensor).layout


def same_memory(a: torch.Tensor, b: torch.Tensor) -> bool | None:
    """Returns whether one of two living tensors took over the other's memory; ``None`` where that can't be told.

    It's quick, as a hook asks it at every leaf.
    """
    if type(a) is torch.Tensor is type(b) and a.layout is torch.strided is b.layout:
        here, there = a.data_ptr(), b.data_ptr()
        if here and there:  # 0 where there are no elements, and on devices without memory
            return here == there
    mine, others = address(a), address(b)
    return None if mine is None or others is None else mine == others


def address(tensor: torch.Tensor) -> int | None:
    """Returns a number that is equal for two tensors of which one took over the other's memory.

    ``TensorImpl``s differ where the engine detached a gradient it stole, so it's the memory that tells: the storage's,
    or for sparse and nested tensors that of what they store. ``None`` for a subclass with a dispatch of its own, which
    keeps its memory where it likes.
    """
    if runs_own_code(type(tensor)):
        return None
    with no_torch_function():
        tensor = plain(tensor)
        if tensor.is_mkldnn:
            return int(torch.ops.mkldnn.data_ptr(tensor))
        held = tensor if _plain(tensor) or tensor.is_quantized else elements(tensor)
        return int((tensor if held is None else held).untyped_storage()._cdata)


def indices(tensor: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Returns where the elements of a sparse tensor are, without coalescing it; nothing for others."""
    if tensor.layout is torch.sparse_coo:
        return (tensor._indices(),)
    if tensor.layout in (torch.sparse_csr, torch.sparse_bsr):
        return tensor.crow_indices(), tensor.col_indices()
    if tensor.layout in (torch.sparse_csc, torch.sparse_bsc):
        return tensor.ccol_indices(), tensor.row_indices()
    return ()


def sparse_taken_over(tensor: torch.Tensor) -> torch.Tensor | None:
    """Returns a sparse tensor (COO) that shares another one's indices and values, as ``AccumulateGrad`` makes it.

    Returns:
        The tensor, not coalesced; ``None`` where torch would copy the parts, and for other layouts.
    """
    if tensor.layout is not torch.sparse_coo:
        return None
    places, values = tensor._indices(), tensor._values()
    if not (places.is_contiguous() and values.is_contiguous()):
        return None
    return torch.sparse_coo_tensor(places, values, tensor.shape, check_invariants=False)
