"""What can be measured of a tensor, decided by what it is before any operation runs on it.

Note [Code of a subclass]
A subclass of ``torch.Tensor`` may bring code of its own: ``__torch_dispatch__`` runs for every operation on it and, if
it asks for that, for its sizes, device and layout. Looking at a gradient mustn't run any of it, so such a tensor isn't
measured. Its shape, dtype and device are read from a plain tensor that ``Tensor.detach`` makes of the same
``TensorImpl`` fields while Python's dispatch is off. A subclass without a dispatch of its own is measured through its
detached plain tensor, on which neither ``__torch_function__`` nor an overridden method can run.

Relies on:

- ``torch._C._DisableTorchDispatch``: without it, ``detach`` is the subclass's;
- ``Tensor.__torch_dispatch__``, which is the same object for every class that has no dispatch of its own;
- the class of jagged nested tensors, whose dispatch is torch's own, and its ``_lengths``, without which the gaps that
  ``torch.nested.narrow`` leaves between rows would be measured too;
- ``torch._C._get_privateuse1_backend_name``: without it, tensors of a device that is written in Python would lose
  their numbers as they're detached;
- ``torch._C._functorch.is_functorch_wrapped_tensor`` and ``torch._C._are_functorch_transforms_active``: the numbers of
  a tensor that ``vmap`` or ``grad`` wraps can't be read inside the transform. See Note [What isn't asked] in
  ``engine.py``;
- ``Tensor._values`` and ``Tensor._nnz`` of sparse tensors: the public ``values()`` needs a coalesced one.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch._subclasses.fake_tensor import FakeTensor
from torch.nested._internal.nested_tensor import NestedTensor

ORDINARY = (torch.Tensor, torch.nn.Parameter)
"""The types that bring no code."""

_TORCHS = (FakeTensor, NestedTensor)
"""Subclasses whose sizes may be asked for: their code is torch's own."""

_in_transform = torch._C._are_functorch_transforms_active
_is_wrapped = torch._C._functorch.is_functorch_wrapped_tensor

_REDUCED = frozenset(
    (torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.complex64, torch.complex128)
)
"""The dtypes in which torch takes norms, means and counts."""

_CONVERTED = {
    torch.float8_e4m3fn: torch.float32,
    torch.float8_e4m3fnuz: torch.float32,
    torch.float8_e5m2: torch.float32,
    torch.float8_e5m2fnuz: torch.float32,
    torch.float8_e8m0fnu: torch.float32,
    torch.complex32: torch.complex64,
    torch.bool: torch.float32,
    torch.uint8: torch.float32,
    torch.int8: torch.float32,
    torch.int16: torch.float32,
    torch.uint16: torch.float32,
    torch.int32: torch.float64,
    torch.uint32: torch.float64,
    torch.int64: torch.float64,
    torch.uint64: torch.float64,
}
"""Other dtypes → one that holds their numbers (the largest of 64 bits are rounded)."""

_NOT_ADDED = frozenset(dtype for dtype in _CONVERTED if dtype.is_floating_point or dtype.is_complex) | {
    torch.uint16,
    torch.uint32,
    torch.uint64,
}
"""The dtypes in which torch can't coalesce."""


class Readable(NamedTuple):
    """The numbers of a tensor that can be measured.

    Attributes:
        values: All elements but those that a sparse layout leaves out as zeros.
        numel: How many elements the tensor has, those zeros included.
    """

    values: torch.Tensor
    numel: int


def plain(tensor: torch.Tensor) -> torch.Tensor:
    """Returns a tensor of the same shape, dtype and device on which no subclass's code runs.

    It has no numbers where the subclass has a dispatch of its own. See Note [Code of a subclass].
    """
    if type(tensor) in ORDINARY or type(tensor) in _TORCHS or is_on_own_device(tensor):
        return tensor
    with torch._C.DisableTorchFunction(), torch._C._DisableTorchDispatch():
        return torch.Tensor.detach(tensor)


def is_on_own_device(tensor: torch.Tensor) -> bool:
    """Returns whether a tensor is on a device that is written in Python, which keeps its numbers on the very object."""
    if runs_own_code(type(tensor)):
        return False
    device: torch.device = torch.Tensor.device.__get__(tensor)
    return device.type == torch._C._get_privateuse1_backend_name()


def runs_own_code(kind: type) -> bool:
    """Returns whether operations on tensors of a type run a ``__torch_dispatch__`` that isn't torch's own."""
    if kind in ORDINARY or kind in _TORCHS:
        return False
    return kind.__torch_dispatch__ is not torch.Tensor.__torch_dispatch__  # type: ignore[attr-defined]


def readable(tensor: torch.Tensor) -> Readable | str:
    """Returns a tensor's numbers for measuring, or in a few words why there are none.

    Args:
        tensor: Any tensor; it's left as it is. A sparse one that isn't coalesced is read as the sum that it stands for.
    """
    if (
        type(tensor) is torch.Tensor and tensor.layout is torch.strided and tensor.dtype in _REDUCED
    ):  # nearly all
        has_numbers = not (tensor.is_meta or tensor.is_nested or tensor.requires_grad)
        if has_numbers and not _in_transform():
            return Readable(tensor, tensor.numel())
    reason = _unreadable(tensor)
    return _read(plain(tensor)) if reason is None else reason


def _unreadable(tensor: torch.Tensor) -> str | None:
    """Returns why a tensor can't be measured, if it can't."""
    kind = type(tensor)
    if runs_own_code(kind):
        return f"{kind.__name__} runs code of its own"
    if kind is FakeTensor:
        return "a fake tensor has no numbers"
    if tensor.is_meta:
        return "no numbers on the meta device"
    if _in_transform() and _is_wrapped(tensor):
        return "inside a torch.func transform"
    return None if tensor.dtype in _REDUCED else _refused(plain(tensor))


def _refused(tensor: torch.Tensor) -> str | None:
    """Returns why torch can't measure a tensor of an unusual dtype, if it can't."""
    if tensor.is_quantized:
        return "quantized"
    dtype = str(tensor.dtype).removeprefix("torch.")
    if tensor.dtype not in _REDUCED and tensor.dtype not in _CONVERTED:
        return f"torch can't compute in {dtype}"
    if tensor.dtype in _NOT_ADDED and _is_sum(tensor):
        return f"torch can't coalesce in {dtype}"
    return None


def _read(tensor: torch.Tensor) -> Readable:
    values, numel = _stored(tensor.detach() if tensor.requires_grad else tensor)
    return Readable(values if values.dtype in _REDUCED else values.to(_CONVERTED[values.dtype]), numel)


def _stored(tensor: torch.Tensor) -> tuple[torch.Tensor, int]:
    """What a layout stores, and how many elements the tensor has."""
    if tensor.is_nested:
        values = _of_nested(tensor)
        return values, values.numel()
    if tensor.layout is torch.strided:
        return tensor, tensor.numel()
    if tensor.is_mkldnn:
        return tensor.to_dense(), tensor.numel()
    if _is_sum(tensor):
        tensor = tensor.coalesce()  # a new tensor: the user's stays as it is
    values = tensor._values() if tensor.layout is torch.sparse_coo else tensor.values()
    return values, tensor.numel()


def _is_sum(tensor: torch.Tensor) -> bool:
    """Returns whether a tensor is sparse and may store several values for one place."""
    return tensor.layout is torch.sparse_coo and not tensor.is_coalesced() and tensor._nnz() > 1


def _of_nested(tensor: torch.Tensor) -> torch.Tensor:
    """The elements of all parts."""
    if tensor.layout is not torch.strided and tensor._lengths is None:  # type: ignore[attr-defined]
        return tensor.values().detach()
    parts = [part.detach().reshape(-1) for part in tensor.unbind()]
    return torch.cat(parts) if parts else torch.empty(0, dtype=tensor.dtype, device=tensor.device)
