"""Saved tensors and scalars as records.

Values of tensors aren't read: only what they are, how many bytes, and which share memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.autograd.graph import Node

from autograd_lab._torch import nodes as _nodes
from autograd_lab._torch import saved as _saved
from autograd_lab.capture.calls import qualified_name
from autograd_lab.capture.names import NameBook
from autograd_lab.records import Saved, Scalar, TensorMeta

_PLAIN = frozenset((bool, int, float, complex, str, type(None)))


class MetaTable:
    """Makes ``TensorMeta`` records, one for all that are equal: a graph has many nodes and few shapes."""

    def __init__(self) -> None:
        self._known: dict[Any, TensorMeta] = {}

    def of_gradients(self, node: Node) -> tuple[TensorMeta, ...]:
        """Gives a record for each slot of a node's ``grad_outputs``."""
        known = self._known
        metas = []
        for slot in _nodes.input_metadata(node):
            shape = None if slot.is_cpp_nested_tensor else _nodes.sizes(slot.shape)
            key = (shape, slot.dtype, slot.device)
            metas.append(known.get(key) or self._make(key))
        return tuple(metas)

    def of_tensor(self, tensor: torch.Tensor) -> TensorMeta:
        """Gives the record for a tensor."""
        shape = _saved.shape(tensor)
        if shape is not None and type(tensor) not in _saved.ORDINARY:
            shape = _nodes.sizes(shape)  # only subclasses have symbolic sizes, which mustn't be compared
        key = (shape, tensor.dtype, tensor.device)
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
        self._shared: dict[Any, Saved] = {}

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
        records = []
        for name, value in _saved.read(node, fields):
            kind = type(value)
            if kind in _PLAIN:  # graphs save few different numbers, so equal ones share a record
                # the type, since 1 == 1.0 == True, and a float's digits, since 0.0 == -0.0
                key = (name, kind, repr(value) if kind is float or kind is complex else value)
                record = self._shared.get(key)
                if record is None:
                    record = self._shared[key] = Saved(name, None, _saved.signed(value))
            elif kind is tuple and _PLAIN.issuperset(map(type, value)):
                record = Saved(name, None, _saved.signed(value))
            elif isinstance(value, torch.Tensor):
                see(value)
                record = self._tensor(name, node, value)
            elif value is _saved.Released:
                record = Saved(name, released=True)
            elif kind is _saved.Packed:
                record = Saved(name, packed=qualified_name(value.unpack_hook))
            else:
                record = Saved(name, None, _saved.signed(plain(value)))
            records.append(record)
        return tuple(records)

    def _tensor(self, name: str, node: Node, tensor: torch.Tensor) -> Saved:
        meta = self._metas.of_tensor(tensor)
        version = _saved.version(tensor)
        variable = self._names.of_saved(node, tensor)
        memory = _saved.memory(tensor)
        if memory is None:
            return Saved(name, meta, version=version, variable=variable)
        identity, whole, own = memory
        storage = self._storages.setdefault(identity, len(self._storages))
        return Saved(name, meta, None, _known(own), storage, version, variable, False, _known(whole))


def _known(nbytes: Any) -> int | None:
    """Symbolic sizes have no number of bytes."""
    return nbytes if type(nbytes) is int else None


def plain(value: Any) -> Scalar:
    """Gives a value as plain data: what JSON has no place for as Python prints it, a tensor without its numbers."""
    if type(value) in _PLAIN:
        return value  # type: ignore[no-any-return]
    if isinstance(value, list | tuple):
        return tuple(plain(item) for item in value)
    return str(MetaTable().of_tensor(value) if isinstance(value, torch.Tensor) else value)
