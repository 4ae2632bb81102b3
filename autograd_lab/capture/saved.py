"""Saved tensors and scalars as records.

Values of tensors aren't read: only what they are, how many bytes, and which share memory.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.autograd.graph import Node

from autograd_lab._torch import nodes as _nodes, readable as _readable, saved as _saved
from autograd_lab.capture.calls import qualified_name
from autograd_lab.capture.names import NameBook
from autograd_lab.records import Saved, Scalar, TensorMeta

_PLAIN = frozenset((bool, int, float, complex, str, type(None)))
_EXACT = _PLAIN - {float, complex}
"""Values of these types that are equal are the same: unlike 0.0 and -0.0."""
_INT = frozenset((int,))
_KEY: Callable[[torch.Tensor], Any] = operator.attrgetter("shape", "dtype", "device")


class MetaTable:
    """Makes ``TensorMeta`` records, one for all that are equal: a graph has many nodes and few shapes."""

    def __init__(self) -> None:
        self._known: dict[Any, TensorMeta] = {}

    def of_gradients(self, node: Node) -> tuple[TensorMeta, ...]:
        """Returns a record for each slot of a node's ``grad_outputs``."""
        known = self._known
        metas = []
        for slot in _nodes.input_metadata(node):
            shape = None if slot.is_cpp_nested_tensor else _nodes.sizes(slot.shape)
            key = (shape, slot.dtype, slot.device)
            metas.append(known.get(key) or self._make(key))
        return tuple(metas)

    def of_tensor(self, tensor: torch.Tensor) -> TensorMeta:
        """Returns the record for a tensor."""
        if type(tensor) in _readable.ORDINARY and not tensor.is_nested:
            key = _KEY(tensor)
        else:  # only subclasses have symbolic sizes, which mustn't be compared
            tensor = _readable.plain(tensor)
            shape = _saved.shape(tensor)
            key = (None if shape is None else _nodes.sizes(shape), tensor.dtype, tensor.device)
        return self._known.get(key) or self._make(key)

    def _make(self, key: tuple[Sequence[Any] | None, torch.dtype, torch.device]) -> TensorMeta:
        shape, dtype, device = key
        made = self._known[key] = TensorMeta(
            None if shape is None else tuple(shape), _nodes.dtype_name(dtype), str(device)
        )
        return made


class SavedReader:
    """Reads what nodes saved; one for each capture, so that storages are numbered through the whole graph.

    Args:
        names: Knows what the user calls a tensor.
        metas: Shares records between equal metas.
    """

    def __init__(self, names: NameBook, metas: MetaTable) -> None:
        self._names = names
        self._metas = metas
        self._storages: dict[int, int] = {}
        self._shared: dict[Any, Saved] = {}  # graphs save few different numbers, so equal ones share a record

    def read(
        self, node: Node, fields: Sequence[_saved.SavedField], see: Callable[[torch.Tensor], None]
    ) -> tuple[Saved, ...]:
        """Reads one node.

        Args:
            node: A live node.
            fields: What nodes of its type save.
            see: Is shown every saved tensor, and doesn't keep it.

        Returns:
            A record for each value.
        """
        shared = self._shared
        records = []
        for name, value in _saved.read(node, fields):
            kind = type(value)
            if kind in _EXACT:
                key: Any = (name, kind, value)  # the type too, since 1 == True
            elif kind is tuple and _INT.issuperset(map(type, value)):
                key = (name, value)
            else:
                records.append(self._own(name, node, value, see))
                continue
            record = shared.get(key)
            if record is None:
                record = shared[key] = Saved(name, None, _saved.signed(value))
            records.append(record)
        return tuple(records)

    def _own(self, name: str, node: Node, value: Any, see: Callable[[torch.Tensor], None]) -> Saved:
        """Makes a record that no other value shares."""
        if isinstance(value, torch.Tensor):
            see(value)
            return self._tensor(name, node, value)
        if value is _saved.Released:
            return Saved(name, released=True)
        if type(value) is _saved.Packed:
            return Saved(name, packed=qualified_name(value.unpack_hook))
        return Saved(name, None, _saved.signed(plain(value)))

    def _tensor(self, name: str, node: Node, tensor: torch.Tensor) -> Saved:
        meta = self._metas.of_tensor(tensor)
        version = _saved.version(tensor)
        memory = _saved.memory(tensor)
        variable, view, owner = self._names.of_saved(node, tensor, None if memory is None else memory[0])
        if memory is None:
            return Saved(name, meta, version=version, variable=variable, view=view, owner=owner)
        identity, whole, own = memory
        storage = self._storages.setdefault(identity, len(self._storages))
        return Saved(
            name, meta, None, _known(own), storage, version, variable, False, _known(whole), None, view, owner
        )


def _known(nbytes: Any) -> int | None:
    """Symbolic sizes have no number of bytes."""
    return nbytes if type(nbytes) is int else None


def plain(value: Any) -> Scalar:
    """Returns a value as plain data: what JSON has no place for as Python prints it, a tensor without its numbers."""
    if type(value) in _PLAIN:
        return value  # type: ignore[no-any-return]
    if isinstance(value, list | tuple):
        return tuple(plain(item) for item in value)
    return str(MetaTable().of_tensor(value) if isinstance(value, torch.Tensor) else value)
