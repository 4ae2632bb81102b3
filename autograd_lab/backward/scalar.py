"""The scalar view: a live graph of single numbers, with its forward values and its chain rule.

Relies on the graph not having been freed. Nothing is made up. A forward value is read from a tensor that is
named, an output, a leaf, or saved on a node, or comes of running an operation again on two values that are
known. A local gradient is what the real node returns for a gradient of 1, and the gradient that arrives is what
it returns for the one that flowed into it, both made to fit as the engine does it (``receive.py``). The nodes are
run for that, twice each, without hooks, without freeing anything and without touching ``.grad``.

Note [Operands that nobody kept]
An operand that needs no gradient leaves an empty slot on the node, and often nothing else: ``ŷ − y`` keeps no
trace of ``y``. If the user named such a tensor, it is put into the one empty slot where it fits: where the
operation, run again on the values that are known, gives the value that is known to have come out. A tensor
that fits nowhere, or in two places, isn't drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.autograd.graph import Node

from autograd_lab._torch import nodes as _nodes, saved as _saved, settings as _settings, tensors as _tensors
from autograd_lab._torch.run_node import run_node
from autograd_lab.backward.receive import Slots
from autograd_lab.capture import outputs as _outputs
from autograd_lab.capture.graph import live
from autograd_lab.capture.names import NameBook, Names
from autograd_lab.capture.places import called
from autograd_lab.errors import GraphError, Option
from autograd_lab.records import Graph, Node as NodeRecord, Number, Operand, Operation, ScalarGraph, Variable

_SCALAR = Option("view", "scalar")

_SIGNS = {
    "Mul": "×",
    "Add": "+",
    "Sub": "−",
    "Div": "÷",
    "Neg": "−",
    "Sqrt": "√",
    "Log": "ln",
    "Sigmoid": "σ",
}

_ARGUMENTS = {"self": 0, "other": 1, "exponent": 1}
"""Which slot of a binary operation a saved operand belongs to."""

_AGAIN: dict[str, Callable[..., torch.Tensor]] = {
    "AddBackward0": torch.add,
    "SubBackward0": torch.sub,
    "MulBackward0": torch.mul,
    "DivBackward0": torch.div,
    "PowBackward1": torch.pow,
}
"""The operations of two tensors that can be run again on values that are known."""


@dataclass(slots=True)
class _VariableDraft:
    """A variable, to be filled in."""

    kind: str
    name: str | None = None
    tensor: torch.Tensor | None = None
    grad: torch.Tensor | None = None
    id: int = -1


@dataclass(slots=True)
class _OperationDraft:
    """An operation, to be filled in."""

    node: Node
    record: NodeRecord
    result: _VariableDraft
    inputs: list[_VariableDraft] = field(default_factory=list)
    local: Sequence[torch.Tensor | None] = ()
    arrives: Sequence[torch.Tensor | None] = ()


def capture_scalar(
    outputs: _outputs.Outputs, *, model: torch.nn.Module | None = None, names: Names | None = None
) -> ScalarGraph:
    """Reads a live graph of one-element tensors, with values, local gradients and the chain rule.

    Args:
        outputs: One tensor of one element, or something that holds just one.
        model: As for ``capture``.
        names: As for ``capture``. Name the intermediates to see their names and all of their values.

    Returns:
        The computation, output first.

    Raises:
        GraphError: There isn't just one output, a tensor on the way has more than one element, a node has several
            results, or a backward has freed the graph.
        GradientError: A node returned what the engine would refuse, too, such as a complex gradient for a real number.

    Example:
        >>> w, x, y = (torch.tensor(value) for value in (0.0, 2.0, 4.0))
        >>> s = w.requires_grad_() * x - y
        >>> graph = capture_scalar(s**2, names={"w": w, "x": x, "y": y, "s": s})
        >>> [(variable.name, variable.value, variable.grad) for variable in graph.variables[:3]]
        [(None, 16.0, 1.0), ('s', -4.0, -8.0), ('y', 4.0, None)]
        >>> [(variable.name, variable.value, variable.grad) for variable in graph.variables[3:]]
        [(None, 0.0, -8.0), ('x', 2.0, None), ('w', 0.0, -16.0)]
    """
    with _tensors.no_torch_function(), _settings.grad_mode(False):
        graph, nodes = live(outputs, model=model, names=names, called=called())
        _check(graph)
        book = NameBook(model, names)
        ops, drafts = _draft(graph, nodes, book, next(_outputs.tensors(outputs), None))
        _find_values(ops, book)
        _work_out_results(ops)
        _place_operands(ops, book)
        _run(ops, drafts, Slots(graph, nodes))
        return _records(ops, drafts[next(iter(drafts))])


def _check(graph: Graph) -> None:
    if len(graph.roots) != 1:
        raise GraphError(_SCALAR, f" draws one output, and outputs holds {len(graph.roots)}; pass one")
    for node in graph.nodes:
        if len(node.grad_outputs) != 1:
            raise GraphError(
                _SCALAR, f" draws operations with one result; {node.name} has {len(node.grad_outputs)}"
            )
        meta = node.grad_outputs[0]
        if meta.shape is None or any(size != 1 for size in meta.shape):
            raise GraphError(
                _SCALAR,
                f" draws graphs of one-element tensors, and {node.variable or node.name} is {meta}; use ",
                Option("view", "graph"),
            )


def _draft(
    graph: Graph, nodes: Sequence[Node], book: NameBook, output: torch.Tensor | None
) -> tuple[list[_OperationDraft], dict[int, _VariableDraft]]:
    """Lays out variables and operations: every node's result is a variable, a leaf's node is the leaf."""
    names = {edge.node: edge.name for _, _, edge in graph.edges} | {
        edge.node: edge.name for edge in graph.roots
    }
    drafts = {
        record.id: _VariableDraft("leaf", record.variable, _nodes.variable(node))
        if record.kind == "accumulate"
        else _VariableDraft("intermediate", names[record.id])
        for record, node in zip(graph.nodes, nodes, strict=True)
    }
    root = drafts[graph.roots[0].node]
    root.tensor = output if root.tensor is None else root.tensor
    if root.kind == "intermediate":
        root.kind = "output"
    ops = [
        _OperationDraft(
            node,
            record,
            drafts[record.id],
            [drafts[edge.node] if edge else _VariableDraft("constant") for edge in record.next],
        )
        for record, node in zip(graph.nodes, nodes, strict=True)
        if record.kind != "accumulate"
    ]
    ids = {node: index for index, node in enumerate(nodes)}
    for (node, _), name in book.slots():
        if node in ids:
            drafts[ids[node]].tensor = book.tensors[name.split(", ")[0]]
    return ops, drafts


def _find_values(ops: Sequence[_OperationDraft], book: NameBook) -> None:
    """Reads forward values off what nodes saved."""
    made_by = {op.node: op.result for op in ops}
    for op in ops:
        for name, tensor in _one_element_tensors(op.node):
            if tensor.grad_fn is not None:
                variable = made_by.get(tensor.grad_fn)
                if variable is not None and variable.tensor is None:
                    variable.tensor = tensor
            elif name == "result":
                op.result.tensor = tensor if op.result.tensor is None else op.result.tensor
            elif not tensor.requires_grad:
                _fill_slot(op, _ARGUMENTS.get(name), tensor, book)


def _one_element_tensors(node: Node) -> Iterator[tuple[str, torch.Tensor]]:
    for name, value in _saved.read(node, _nodes.type_of(node).saved):
        if isinstance(value, torch.Tensor) and value.numel() == 1:
            yield name, value


def _fill_slot(op: _OperationDraft, slot: int | None, tensor: torch.Tensor, book: NameBook) -> None:
    if slot is not None and slot < len(op.inputs) and op.inputs[slot].kind == "constant":
        op.inputs[slot] = _VariableDraft("constant", next(iter(book.of_tensor(tensor)), None), tensor)


def _work_out_results(ops: Sequence[_OperationDraft]) -> None:
    """Runs operations of two known operands again, leaves first, where nothing kept what came out."""
    for op in reversed(ops):
        if op.result.tensor is None and all(draft.tensor is not None for draft in op.inputs):
            again = _AGAIN.get(op.record.name)
            if again is not None:
                op.result.tensor = again(*(draft.tensor for draft in op.inputs), **_alpha(op))


def _alpha(op: _OperationDraft) -> dict[str, Any]:
    return {saved.name: saved.value for saved in op.record.saved if saved.name == "alpha"}


def _place_operands(ops: Sequence[_OperationDraft], book: NameBook) -> None:
    """See Note [Operands that nobody kept]."""
    drawn = {id(draft.tensor) for op in ops for draft in (op.result, *op.inputs)}
    for name, tensor in book.tensors.items():
        if tensor.numel() != 1 or tensor.requires_grad or id(tensor) in drawn:
            continue
        fits = [
            (op, slot)
            for op in ops
            for slot, draft in enumerate(op.inputs)
            if draft.kind == "constant" and draft.tensor is None and _fits(op, slot, tensor)
        ]
        if len(fits) == 1:
            op, slot = fits[0]
            op.inputs[slot] = _VariableDraft("constant", name, tensor)


def _fits(op: _OperationDraft, slot: int, tensor: torch.Tensor) -> bool:
    again = _AGAIN.get(op.record.name)
    other = op.inputs[1 - slot].tensor
    if again is None or other is None or op.result.tensor is None:
        return False
    operands = (tensor, other) if slot == 0 else (other, tensor)
    return torch.equal(again(*operands, **_alpha(op)), op.result.tensor)


def _run(ops: Sequence[_OperationDraft], drafts: dict[int, _VariableDraft], slots: Slots) -> None:
    """Runs every node on 1 and on the gradient that flows into it, in the engine's order."""
    first = next(iter(drafts.values()))
    first.grad = torch.ones((), dtype=torch.float32)
    for op in ops:
        slot = _nodes.input_metadata(op.node)[0]
        one = torch.ones(slot.shape, dtype=slot.dtype, device=slot.device)
        grad = one if op.result is first or op.result.grad is None else op.result.grad.reshape(slot.shape)
        try:
            op.local, op.arrives = _run_op(op, one, slots), _run_op(op, grad, slots)
        except RuntimeError as error:
            if not _saved.says_released(error):
                raise
            raise GraphError(
                _SCALAR,
                " runs the graph's nodes, and a backward has freed this graph; draw it before the backward, or call "
                "backward(retain_graph=True)",
            ) from error
        for draft, arrived in zip(op.inputs, op.arrives, strict=True):
            if arrived is not None and draft.kind != "constant":
                draft.grad = arrived if draft.grad is None else draft.grad + arrived


def _run_op(op: _OperationDraft, grad: torch.Tensor, slots: Slots) -> Sequence[torch.Tensor | None]:
    """Returns what the nodes that a node leads to receive, when it runs on this gradient."""
    return slots.fitting(run_node(op.node, (grad,)), op.record.next, op.record.name)


def _records(ops: Sequence[_OperationDraft], output: _VariableDraft) -> ScalarGraph:
    ordered: list[_VariableDraft] = []
    for draft in (output, *(draft for op in ops for draft in (op.result, *reversed(op.inputs)))):
        if draft.id < 0:
            draft.id = len(ordered)
            ordered.append(draft)
    variables = tuple(
        Variable(draft.id, draft.kind, draft.name, _number(draft.tensor), _number(draft.grad))
        for draft in ordered
    )
    records = tuple(
        Operation(index, op.record.name, _symbol(op), _operands(op), op.result.id)
        for index, op in enumerate(ops)
    )
    return ScalarGraph(variables, records)


def _operands(op: _OperationDraft) -> tuple[Operand, ...]:
    return tuple(
        Operand(draft.id) if draft.kind == "constant" else Operand(draft.id, _number(local), _number(arrived))
        for draft, local, arrived in zip(op.inputs, op.local, op.arrives, strict=True)
    )


def _number(tensor: torch.Tensor | None) -> Number | None:
    return None if tensor is None else tensor.item()


def _symbol(op: _OperationDraft) -> str:
    """How people write the operation; a fixed exponent is part of it."""
    saved: dict[str, Any] = {item.name: item.value for item in op.record.saved}
    if op.record.name == "PowBackward0":
        return f"^{saved['exponent']:g}"
    stem = op.record.name.partition("Backward")[0]
    return _SIGNS.get(stem, stem.lower())
