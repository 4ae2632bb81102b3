"""Live nodes as records."""

from __future__ import annotations

import inspect
import itertools
import re
from collections.abc import Container, Iterable, Sequence
from typing import Any

import torch
from torch.autograd.graph import Node as TorchNode

from autograd_lab._torch import deep, hooks as _hooks, nodes as _nodes
from autograd_lab.capture import hooks as _hook_records
from autograd_lab.capture.calls import source_of_code
from autograd_lab.capture.names import NameBook
from autograd_lab.capture.saved import MetaTable, SavedReader, plain
from autograd_lab.capture.walk import Walk
from autograd_lab.records import Hook, Node, Scalar, Source
from autograd_lab.records.graph import rows

_PYTHON = ("function", "compiled")
_FRAME = re.compile(r'File "(?P<file>.+)", line (?P<line>\d+), in (?P<function>.+)')
_TORCH_FILES = f"{torch.__path__[0]}/"


class NodeReader:
    """Reads the nodes of one walk.

    Args:
        book: Knows what the user calls a tensor.
        outputs: The tensors whose graph it is.
    """

    def __init__(self, book: NameBook, outputs: Iterable[torch.Tensor]) -> None:
        self._book = book
        self._metas = MetaTable()
        self._saved = SavedReader(book, self._metas)
        self._leaf_names = _FreshNames("leaf", book.tensors)
        self._hooked: dict[TorchNode, dict[int, torch.Tensor]] = {}
        for tensor in itertools.chain(outputs, book.intermediates()):
            self._note_hooks(tensor)

    def read(self, walk: Walk) -> tuple[Node, ...]:
        """Returns a record for each node: its fields column by column, then the rows.

        What was saved is read before the hooks: a saved tensor shows the hooks on the node that made it.

        Args:
            walk: The live nodes.

        Returns:
            The records, in the walk's order.
        """
        nodes = walk.nodes
        types = [_nodes.type_of(node) for node in nodes]
        metadata = [_nodes.metadata(node) for node in nodes]
        read, see = self._saved.read, self._note_hooks  # not kept by the reader: that would be a circle
        saved = [read(node, known.saved, see) for node, known in zip(nodes, types, strict=True)]
        columns = (
            range(len(nodes)),
            [known.name or _nodes.name(node) for node, known in zip(nodes, types, strict=True)],
            [known.kind for known in types],
            walk.sequence_nrs,
            [self._metas.of_gradients(node) for node in nodes],
            walk.nexts,
            saved,
            *self._leaf_columns(nodes, types),
            [None] * len(nodes),
            [
                _source(node, known.kind, found) if found or known.kind in _PYTHON else None
                for node, known, found in zip(nodes, types, metadata, strict=True)
            ],
            self._hook_column(nodes, types),
            [_plain_pairs(found) if found else () for found in metadata],
            [None] * len(nodes),
            [
                _rule(node) if known.kind == "function" else None
                for node, known in zip(nodes, types, strict=True)
            ],
        )
        return rows(Node, columns)

    def _leaf_columns(
        self, nodes: Sequence[TorchNode], types: Sequence[_nodes.NodeType]
    ) -> tuple[list[str | None], list[tuple[str, ...]]]:
        variables: list[str | None] = [None] * len(nodes)
        aliases: list[tuple[str, ...]] = [()] * len(nodes)
        for index, known in enumerate(types):
            if known.kind == "accumulate":
                names = self._book.of_tensor(_nodes.variable(nodes[index])) or [self._leaf_names.next()]
                variables[index] = names[0]
                if len(names) > 1:
                    aliases[index] = tuple(names[1:])
        return variables, aliases

    def _hook_column(
        self, nodes: Sequence[TorchNode], types: Sequence[_nodes.NodeType]
    ) -> list[tuple[Hook, ...]]:
        if not self._hooked and _hooks.none_yet():
            return [()] * len(nodes)
        with _hooks.reading_allowed():
            own = [_hooks.of_node(node) for node in nodes]
        return [
            self._hooks(node, known.kind, *found)
            if found is not _hooks.NEITHER or known.kind == "accumulate" or node in self._hooked
            else ()
            for node, known, found in zip(nodes, types, own, strict=True)
        ]

    def _note_hooks(self, tensor: torch.Tensor) -> None:
        if _hooks.on_intermediate(tensor):
            assert tensor.grad_fn is not None
            self._hooked.setdefault(tensor.grad_fn, {})[tensor.output_nr] = tensor

    def _hooks(
        self, node: TorchNode, kind: str, pre_hooks: _hooks.Hooks, post_hooks: _hooks.Hooks
    ) -> tuple[Hook, ...]:
        """All of a node's hooks, in the order in which the engine calls them."""
        before, after = _hook_records.of_node(pre_hooks, post_hooks, self._book.of_module)
        if kind == "accumulate":
            first, last = _hook_records.of_leaf(_nodes.variable(node))
            return (*first, *before, *last, *after)
        first = _hook_records.of_intermediates(self._hooked.get(node, {}).values())
        return (*first, *before, *after)


class _FreshNames:
    """Counts up names that nobody has: ``leaf0``, ``leaf1``, …."""

    def __init__(self, stem: str, taken: Container[str]) -> None:
        self._names = (f"{stem}{number}" for number in itertools.count())
        self._taken = taken

    def next(self) -> str:
        return next(name for name in self._names if name not in self._taken)


def _source(node: TorchNode, kind: str, metadata: dict[str, Any]) -> Source | None:
    """Returns where a node was made: a Function's ``forward``, or what anomaly mode wrote down; no line of torch's."""
    if kind in _PYTHON:
        code = _nodes.forward_code(node)
        return None if code is None or code.co_filename.startswith(_TORCH_FILES) else source_of_code(code)
    traceback = metadata.get("traceback_")
    if not isinstance(traceback, list):
        return None
    frames = [_FRAME.search(entry) for entry in reversed(traceback) if isinstance(entry, str)]
    for frame in frames:
        if frame is not None and not frame["file"].startswith(_TORCH_FILES):
            return Source(frame["file"], int(frame["line"]), frame["function"].strip())
    return None


def _rule(node: TorchNode) -> str | None:
    """Returns the name of the lab's rule that a Python Function is: ``functions.rule`` wrote it on the class."""
    made_by = _nodes.forward_class(node)
    return None if made_by is None else inspect.getattr_static(made_by, "lab_rule", None)


def _plain_pairs(metadata: dict[str, Any]) -> tuple[tuple[str, Scalar], ...]:
    return tuple((str(key), plain(value)) for key, value in metadata.items() if key != deep.KEY)
