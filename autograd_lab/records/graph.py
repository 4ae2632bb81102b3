"""The backward graph as plain data: what ``capture`` returns and everything else reads.

A record holds no tensor and no torch object, so it outlives the graph it was read from, compares by value,
goes to JSON and back, and can be drawn on a machine without torch.

Relies on the standard library only. Promises:

- nodes stand in the order in which the engine would run them, and a node's ``id`` is its index;
- ``next`` has one slot for each gradient that the node returns, in torch's order, none merged or dropped;
- what could not be had is ``None``, never a guess.

The small records are named tuples: as frozen as a frozen dataclass, and made in a quarter of the time, of which
a capture makes several for each node.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple, TypeAlias, TypeVar

from autograd_lab.records.display import DisplayMixin
from autograd_lab.records.scalar import Number

Scalar: TypeAlias = Annotated[bool | int | float | complex | str | tuple["Scalar", ...] | None, "scalar"]
"""A saved value that is not a tensor: a number, a text, a flag, or tuples of them (sizes, strides, dims)."""

R = TypeVar("R", bound=tuple[Any, ...])

_ABBREVIATIONS = {
    "bool": "b8", "uint8": "u8", "uint16": "u16", "uint32": "u32", "uint64": "u64",
    "int8": "i8", "int16": "i16", "int32": "i32", "int64": "i64",
    "float16": "f16", "bfloat16": "bf16", "float32": "f32", "float64": "f64",
    "complex32": "c32", "complex64": "c64", "complex128": "c128",
}  # fmt: skip


def rows(record: type[R], columns: Iterable[Iterable[Any]]) -> tuple[R, ...]:
    """Makes many records at once, as quickly as tuples are made.

    Args:
        record: Which of the named tuples here.
        columns: For each of its fields, the values of all records, in their order.

    Returns:
        The records.

    Example:
        >>> rows(Edge, ([4, 5], [0, 1], ["h", None]))
        (Edge(node=4, input_nr=0, name='h'), Edge(node=5, input_nr=1, name=None))
    """
    return tuple(map(functools.partial(tuple.__new__, record), zip(*columns, strict=True)))


class TensorMeta(NamedTuple):
    """What a tensor is, without its values.

    Attributes:
        shape: One entry for each dimension: an ``int``, or a text for a symbolic size (``"j1"``, ``"s0"``).
            ``None`` where torch can't tell (strided nested tensors).
        dtype: Torch's name without the ``torch.``: ``"float32"``.
        device: As torch prints it: ``"cpu"``, ``"cuda:0"``, ``"meta"``.

    Example:
        >>> str(TensorMeta((2, 3), "float32", "cpu"))
        'f32[2,3]'
        >>> str(TensorMeta((), "bfloat16", "cuda:0"))
        'bf16[]'
    """

    shape: tuple[int | str, ...] | None
    dtype: str
    device: str

    def __str__(self) -> str:
        dtype = _ABBREVIATIONS.get(self.dtype, self.dtype)
        return f"{dtype}[{'?' if self.shape is None else ','.join(map(str, self.shape))}]"


class GradStats(NamedTuple):
    """A gradient, or what an operation of the forward made, in a few numbers; what was not asked for is ``None``.

    Attributes:
        meta: Its shape, dtype and device.
        norm: The 2-norm of its elements; infinite only if an element is, or if no float64 can hold it.
        max_abs: The largest magnitude.
        mean: The mean.
        zeros: How many elements are exactly zero.
        nans: How many elements are NaN; counted where the norm isn't finite.
        infs: How many elements are infinite; counted where the norm isn't finite.
        unmeasured: Why it couldn't be measured, where that was asked for and couldn't be done: it's a subclass with
            code of its own, is quantized, has no numbers on this device, ….

    Example:
        >>> GradStats(TensorMeta((), "float32", "cpu"), norm=8.0).norm
        8.0
    """

    meta: TensorMeta
    norm: float | None = None
    max_abs: float | None = None
    mean: Number | None = None
    zeros: int | None = None
    nans: int | None = None
    infs: int | None = None
    unmeasured: str | None = None

    @property
    def finite(self) -> bool | None:
        """Whether every element is finite; ``None`` where that isn't known."""
        if self.nans is not None and self.infs is not None:
            return not (self.nans or self.infs)
        return None if self.norm is None else math.isfinite(self.norm)


class Edge(NamedTuple):
    """Where a gradient goes: into one input slot of a node.

    Attributes:
        node: The id of the node that the edge leads to.
        input_nr: Which of that node's ``grad_outputs`` the gradient is added to.
        name: What the user calls the tensor whose gradient this is, for tensors that were named.

    Example:
        >>> Edge(4, 0)
        Edge(node=4, input_nr=0, name=None)
    """

    node: int
    input_nr: int
    name: str | None = None


class Saved(NamedTuple):
    """One value that the forward left on a node for its backward.

    Attributes:
        name: As in torch's ``_saved_*``, without that prefix: ``"self"``, ``"result"``, ``"alpha"``. The
            members of a saved list are ``"tensors[0]"``, ``"tensors[1]"``, ….
        meta: What the tensor is; ``None`` for a value that is no tensor, is undefined, was released, or
            was packed by saved-tensor hooks.
        value: The value where it is no tensor.
        nbytes: Bytes of the tensor's elements: ``numel * itemsize``.
        storage: Equal for two saved tensors of one graph that share memory: 0, 1, 2, … in the order met.
            ``None`` where the tensor has no single storage (sparse, nested).
        version: The tensor's version counter when the graph was captured. It grows at each in-place change.
        variable: The name of the leaf or named tensor that it is, or is a view of.
        released: Whether a backward has freed it.
        storage_nbytes: Bytes of the whole storage that it keeps alive; over the distinct values of
            ``storage`` these add up to the memory held.
        packed: The pack hook's other half, where saved-tensor hooks (offloading, checkpointing) hold the
            value: the unpack hook's name. Nothing was unpacked to find this out.
        view: How it looks at the memory of ``variable``: ``"transposed"`` (its last two dimensions swapped) or
            ``"view"`` (in any other way). ``None`` where it is that very tensor.
        owner: Who keeps its memory whatever becomes of the graph: ``"parameter"`` or ``"buffer"``, if it is one
            of a model or a view of one. Buffers are known only where the capture was given a model.

    Example:
        >>> Saved("alpha", value=1).value
        1
    """

    name: str
    meta: TensorMeta | None = None
    value: Scalar = None
    nbytes: int | None = None
    storage: int | None = None
    version: int | None = None
    variable: str | None = None
    released: bool = False
    storage_nbytes: int | None = None
    packed: str | None = None
    view: str | None = None
    owner: str | None = None


class Source(NamedTuple):
    """A place in the user's code.

    Example:
        >>> str(Source("train.py", 12, "loss_of"))
        'train.py:12 in loss_of'
    """

    file: str
    line: int
    function: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line} in {self.function}"


class Call(NamedTuple):
    """The forward's call during which a node was made, where the forward was watched.

    A call may make several nodes: ``torch.nn.functional.cross_entropy`` makes two. They carry the same ``Call``.

    Attributes:
        name: What was called: ``"torch.nn.functional.linear"``, ``"torch.Tensor.__mul__"``.
        number: Equal for nodes that one call made, and growing in the order of the calls.
        made: What it returned: one entry for each tensor that requires a gradient. Numbers are there where
            ``forward="stats"`` asked for them; it's empty under ``forward=None``.

    Example:
        >>> Call("torch.exp", 3).name
        'torch.exp'
    """

    name: str
    number: int = 0
    made: tuple[GradStats, ...] = ()


class Hook(NamedTuple):
    """A hook that was there when the graph was captured.

    Attributes:
        kind: ``"tensor_pre_hook"`` (``Tensor.register_hook``), ``"pre_hook"`` (``Node.register_prehook``),
            ``"post_hook"`` (``Node.register_hook``), ``"retains_grad_hook"`` (``Tensor.retain_grad``) or
            ``"post_accumulate_grad_hook"`` (``Tensor.register_post_accumulate_grad_hook``).
        name: The callable's qualified name; for a module's backward hook also the module: ``"clip of encoder"``.
        input_nr: Which of the node's ``grad_outputs`` a tensor's hook sees; ``None`` for a node's own hooks.
        source: Where the callable was written, for Python functions.

    Example:
        >>> Hook("post_hook", "clip", source=Source("train.py", 3, "clip")).kind
        'post_hook'
    """

    kind: str
    name: str
    input_nr: int | None = None
    source: Source | None = None


class Node(NamedTuple):
    """One node of the backward graph.

    Attributes:
        id: Its index in the order in which the engine would run the graph.
        name: As torch says it, without the C++ namespace: ``"MulBackward0"``, ``"AccumulateGrad"``.
        kind: ``"op"``, ``"accumulate"`` (a leaf's ``AccumulateGrad``), ``"function"`` (a Python
            ``torch.autograd.Function``) or ``"compiled"`` (what ``torch.compile`` made).
        sequence_nr: Torch's counter; the engine runs the highest first.
        grad_outputs: What flows into the node: one entry for each input slot.
        next: Where its ``grad_inputs`` go: one entry for each that it returns, ``None`` where no gradient
            is wanted.
        saved: What the forward left on it.
        variable: The name of the leaf that an ``AccumulateGrad`` feeds.
        aliases: Further names of that leaf (tied parameters).
        module: The dotted path of the module in whose ``forward`` it was made, as ``named_modules()`` says it, where
            the forward was watched: ``""`` is the model itself, ``None`` is outside of any module. A module's second
            call is ``"cell#2"``, within one call of the module around it and one step: a backward begins anew.
        source: The user's line that made it, where it is known; for a Python Function its ``forward``.
        hooks: What was registered on it, on its leaf, or on a tensor of its that could be reached.
        metadata: Torch's own dictionary on the node (anomaly mode keeps the forward's traceback there),
            as pairs; a tensor is there as its ``TensorMeta`` says, anything else that is neither a number nor a text
            as Python prints it.
        call: The forward's call during which it was made, where the forward was watched.
        rule: The name of the lab's rule that made it (``lab.swap``, ``lab.functions``), as ``"mul"``, if one did.

    Example:
        >>> Node(0, "SumBackward0", "op", 7).next
        ()
    """

    id: int
    name: str
    kind: str
    sequence_nr: int
    grad_outputs: tuple[TensorMeta, ...] = ()
    next: tuple[Edge | None, ...] = ()
    saved: tuple[Saved, ...] = ()
    variable: str | None = None
    aliases: tuple[str, ...] = ()
    module: str | None = None
    source: Source | None = None
    hooks: tuple[Hook, ...] = ()
    metadata: tuple[tuple[str, Scalar], ...] = ()
    call: Call | None = None
    rule: str | None = None


@dataclass(frozen=True, slots=True)
class Graph(DisplayMixin):
    """The backward graph of one or more outputs.

    Attributes:
        nodes: All nodes, in the order in which the engine would run them.
        roots: One edge for each output, in the order in which they were passed.
        unreached: The names of the model's parameters that require a gradient and to which no path leads from the
            outputs: they get none.
        classes: ``(path, class)`` of each module that a node lies in, and of those around it, in the paths' order,
            where the forward was watched: paths as ``named_modules()`` says them, without the numbers of calls.

    Example:
        >>> leaf = Node(1, "AccumulateGrad", "accumulate", 2**64 - 1, variable="w")
        >>> graph = Graph((Node(0, "ExpBackward0", "op", 0, next=(Edge(1, 0),)), leaf), (Edge(0, 0),))
        >>> len(graph), graph.find("exp")[0].id, [node.variable for node in graph.leaves]
        (2, 0, ['w'])
    """

    nodes: tuple[Node, ...]
    roots: tuple[Edge, ...]
    unreached: tuple[str, ...] = ()
    classes: tuple[tuple[str, str], ...] = ()

    def __len__(self) -> int:
        """The number of nodes."""
        return len(self.nodes)

    def node(self, id: int) -> Node:  # noqa: A002 - the field's own name
        """Returns the node with this id.

        Args:
            id: A node's ``id``.

        Returns:
            The node.

        Raises:
            KeyError: There's no node with this id.
        """
        if not 0 <= id < len(self.nodes):
            raise KeyError(f"no node {id!r}: this graph has the ids 0 to {len(self.nodes) - 1}")
        return self.nodes[id]

    def find(self, text: str) -> tuple[Node, ...]:
        """Returns the nodes whose name, leaf or module contains a text, upper and lower case alike.

        Args:
            text: Any part of ``name``, ``variable``, an alias or ``module``.

        Returns:
            The nodes, in the graph's order; empty if there are none.
        """
        wanted = text.casefold()
        return tuple(
            node
            for node in self.nodes
            if any(
                wanted in known.casefold()
                for known in (node.name, node.variable, node.module, *node.aliases)
                if known is not None
            )
        )

    @property
    def leaves(self) -> tuple[Node, ...]:
        """The ``AccumulateGrad`` nodes, in the graph's order."""
        return tuple(node for node in self.nodes if node.kind == "accumulate")

    @property
    def edges(self) -> tuple[tuple[int, int, Edge], ...]:
        """Every edge as ``(id of the node it leaves, which grad_input it carries, edge)``."""
        return tuple(self._edges())

    @property
    def saved_nbytes(self) -> int:
        """Bytes that the saved tensors keep alive, each storage counted once."""
        return self._held(lambda _: True)

    @property
    def saved_activation_nbytes(self) -> int:
        """Those of ``saved_nbytes`` that no parameter or buffer keeps: the graph's own cost."""
        return self._held(lambda saved: saved.owner is None)

    @property
    def saved_parameter_nbytes(self) -> int:
        """Those of ``saved_nbytes`` that are in parameters and buffers, which live whatever becomes of the graph."""
        return self._held(lambda saved: saved.owner is not None)

    def _held(self, wanted: Callable[[Saved], bool]) -> int:
        storages: dict[int, int] = {}
        apart = 0
        for saved in filter(wanted, itertools.chain.from_iterable(node.saved for node in self.nodes)):
            if saved.storage is not None:
                storages[saved.storage] = saved.storage_nbytes or 0
            else:
                apart += saved.nbytes or 0
        return apart + sum(storages.values())

    def _edges(self) -> Iterator[tuple[int, int, Edge]]:
        for node in self.nodes:
            for slot, edge in enumerate(node.next):
                if edge is not None:
                    yield node.id, slot, edge

    def validate(self) -> None:
        """Checks what the fields' types don't say: that ids are indices and edges lead to nodes.

        Raises:
            ValueError: Names the field that is wrong.
        """
        for index, node in enumerate(self.nodes):
            if node.id != index:
                raise ValueError(f"nodes[{index}].id: expected {index}, found {node.id}")
            for slot, edge in enumerate(node.next):
                if edge is not None:
                    self._check_edge(edge, f"nodes[{index}].next[{slot}]")
        for index, edge in enumerate(self.roots):
            self._check_edge(edge, f"roots[{index}]")

    def _check_edge(self, edge: Edge, field: str) -> None:
        if not 0 <= edge.node < len(self.nodes):
            raise ValueError(f"{field}.node: there is no node {edge.node}")
        if edge.input_nr < 0:
            raise ValueError(f"{field}.input_nr: expected 0 or more, found {edge.input_nr}")
