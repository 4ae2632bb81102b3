"""What the forward left on a node, read without unpacking anything.

Relies on, of ``torch.autograd.graph.Node``:

- ``_saved_<name>``: scalars, sizes and flags. Documented for debugging, private by name.
- ``_raw_saved_<name>``: the ``SavedTensor`` behind a saved tensor, whose ``data`` is the tensor, or what a
  user's pack hook made of it, and whose ``unpack_hook`` tells the two apart. Without these, looking at a
  saved tensor would call the user's unpack hook: a checkpoint would recompute, an offloaded tensor be loaded.

And of tensors: ``torch._C._has_storage`` and ``UntypedStorage._cdata``, to tell which share memory. The
public ``data_ptr()`` is 0 for every tensor on the meta device and an error for fake ones. And ``Tensor._base``, the
tensor that a view is of: without it, a saved view of a frozen parameter counts as an activation without a model.

Note [Undefined or released]
A saved tensor that was never defined (``running_mean`` of a batch norm without statistics) and one that a
backward has freed both have ``data`` and ``unpack_hook`` ``None``. Only the unpacking getter tells them
apart: it gives ``None`` for the first and raises for the second. It's safe to call exactly then, since there
is no hook to run. Lists of saved tensors, and Python Functions', raise as soon as they are read when freed.

Note [Negative numbers]
The getters of saved integers hand C++'s ``int64_t`` to Python as if it had no sign, so ``x.sum(-1)`` saved the
``dim`` 18446744073709551615 (torch 2.13, ``tools/autograd/gen_autograd_functions.py``). What is over the largest
``int64_t`` is such a number, and ``signed`` gives back the one that was meant.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch.autograd.graph import Node

from autograd_lab._torch.readable import ORDINARY, plain

_STRIDED = torch.strided
_has_storage = torch._C._has_storage
_RAW = "_raw_saved_"
_VALUE = "_saved_"


class SavedField(NamedTuple):
    """One thing that nodes of a type save: its name, and the two attributes that give it."""

    name: str
    raw: str | None
    value: str


def saved_fields(node_type: type) -> tuple[SavedField, ...]:
    """Lists what nodes of a type save, in the order of their names."""
    if hasattr(node_type, "saved_tensors"):  # a Python Function: one list, in the order of save_for_backward
        return (SavedField("tensors", _RAW + "tensors", "saved_tensors"),)
    present = dir(node_type)
    raw = {attribute.removeprefix(_RAW) for attribute in present if attribute.startswith(_RAW)}
    names = [attribute.removeprefix(_VALUE) for attribute in present if attribute.startswith(_VALUE)]
    return tuple(SavedField(name, _RAW + name if name in raw else None, _VALUE + name) for name in names)


class Released:
    """Stands for a saved value that a backward has freed."""


@dataclass(frozen=True, slots=True)
class Packed:
    """Stands for a saved tensor that saved-tensor hooks hold, with the hook that would unpack it."""

    unpack_hook: Any


def read(node: Node, fields: Sequence[SavedField]) -> list[tuple[str, Any]]:
    """Reads everything that a node saved.

    Args:
        node: Any backward node.
        fields: What nodes of its type save.

    Returns:
        ``(name, value)`` for each, where the value is a tensor, ``None``, a plain value, ``Released`` or
        ``Packed``. The members of a saved list are called ``name[0]``, ``name[1]``, ….
    """
    found: list[tuple[str, Any]] = []
    for field in fields:
        name, raw, attribute = field
        try:
            value = getattr(node, raw or attribute)
        except RuntimeError:
            if not _is_released(node, field):
                raise
            value, raw = Released, None
        if raw is None:
            found.append((name, value))
        elif type(value) is tuple:
            found.extend([(f"{name}[{index}]", _of_list(item)) for index, item in enumerate(value)])
        else:
            found.append((name, _of_one(value, node, field)))
    return found


def _of_one(raw: Any, node: Node, field: SavedField) -> Any:
    data = raw.data
    if raw.unpack_hook is not None:
        return Packed(raw.unpack_hook)
    if data is None and _is_released(node, field):
        return Released
    return data


def _of_list(raw: Any) -> Any:
    """A member of a saved list: had the list been freed, reading it would have raised."""
    return raw.data if raw.unpack_hook is None else Packed(raw.unpack_hook)


def _is_released(node: Node, field: SavedField) -> bool:
    """See Note [Undefined or released]; only called where no hook can run."""
    try:
        getattr(node, field.value)
    except RuntimeError as error:
        if says_released(error):
            return True
        raise
    return False


def says_released(error: RuntimeError) -> bool:
    """Returns whether torch's error says that a backward has freed what a node saved."""
    return "after they have already been freed" in str(error)


def signed(value: Any) -> Any:
    """Returns a saved number, or a tuple of them, with its sign. See Note [Negative numbers].

    Example:
        >>> signed(2**64 - 1), signed((2**64 - 2, 3)), signed("sum")
        (-1, (-2, 3), 'sum')
    """
    if type(value) is tuple:
        return tuple(map(signed, value))
    return value - 2**64 if type(value) is int and value >= 2**63 else value


def shape(tensor: torch.Tensor) -> Sequence[Any] | None:
    """Returns a tensor's shape; ``None`` where torch can't tell (strided nested tensors)."""
    return None if tensor.is_nested and tensor.layout is _STRIDED else tensor.shape


def memory(tensor: torch.Tensor) -> tuple[int, Any, Any] | None:
    """Says where a tensor's elements are.

    Args:
        tensor: Any tensor.

    Returns:
        The storage's identity (for as long as it lives), bytes of the whole storage, bytes of the tensor's own
        elements (both are no plain ``int`` where sizes are symbolic). ``None`` where the tensor has no storage
        of its own: sparse and nested ones, and most wrapper subclasses.
    """
    if not _has_storage(tensor) or tensor.is_nested:
        return None
    storage = tensor.untyped_storage()
    # Only subclasses have symbolic sizes, for which nbytes raises.
    sized = plain(tensor)
    own = tensor.nbytes if type(tensor) in ORDINARY else sized.numel() * sized.element_size()
    return storage._cdata, storage.nbytes(), own


def extent(tensor: torch.Tensor) -> tuple[Any, Any] | None:
    """Returns the bytes of its storage that a strided tensor spans, first and last + 1; ``None`` where it has none.

    Example:
        >>> extent(torch.ones(4, 3)[1:3, :2])
        (12, 32)
    """
    if tensor.layout is not _STRIDED or type(tensor) not in ORDINARY or not tensor.numel():
        return None
    size = tensor.element_size()
    begin = tensor.storage_offset()
    last = sum((length - 1) * step for length, step in zip(tensor.shape, tensor.stride(), strict=True))
    return begin * size, (begin + last + 1) * size


def parameter_behind(tensor: torch.Tensor) -> bool:
    """Returns whether a tensor is a parameter or a view of one."""
    base = tensor._base
    return _is_parameter(tensor) or (base is not None and _is_parameter(base))


def _is_parameter(tensor: torch.Tensor) -> bool:
    # Asking isinstance of an ordinary tensor runs Parameter's own check, which is slow.
    return type(tensor) is not torch.Tensor and isinstance(tensor, torch.nn.Parameter)


def version(tensor: torch.Tensor) -> int | None:
    """Returns a tensor's version counter; ``None`` for inference tensors, which have none."""
    try:
        return tensor._version
    except RuntimeError:
        if tensor.is_inference():
            return None
        raise
