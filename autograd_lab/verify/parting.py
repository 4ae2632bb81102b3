"""Where two backwards of one program part first: the call of the forward whose nodes made another gradient.

Relies on traces of two watched runs of the same code, with every gradient kept. Their graphs may have different nodes:
a rule that stands for ``linear`` is one node, PyTorch's ``linear`` is three or four. What they have in common is the
program, so its calls.

Note [Calls are what two graphs have in common]
The forward's n-th call in one run is the n-th call in the other. All nodes that a call made are taken as one: gradients
come in from later calls, and go out to earlier ones and to leaves. Going from the last call to the first, the first one
that sends another gradient than its counterpart was still given the same: it is where they part. Where its nodes can be
paired one by one, the first of them that differs is the one named. Nodes that no call made (a Function's own, say) are
taken together, as made by the call before.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import torch

from autograd_lab.records import Check, Mismatch, Node, Trace
from autograd_lab.verify.compare import compare, dense

NAME = "every node on the way"


class _Sent(NamedTuple):
    """The gradient that a call's nodes send to one receiver: the sum over the edges that lead there."""

    total: torch.Tensor
    by: Node
    slot: int
    slots: tuple[tuple[int, int], ...]


class _Unit(NamedTuple):
    """All nodes that one call made, in the order in which they ran."""

    name: str
    nodes: Sequence[Node]


Receiver = tuple[str | int, tuple[int, ...]]
"""A leaf's name or the index of a call, and the gradient's shape."""


class TermsOfSlots(Protocol):
    """Measures the terms that nodes send. See Note [Terms]."""

    def sent(self, slots: Iterable[tuple[int, int]]) -> float:
        """Returns the size of the largest term that nodes send to some of their slots."""


def first_parting(native: Trace, ours: Trace, terms: TermsOfSlots) -> Check:
    """Finds the first node that made another gradient of what it was given.

    See Note [Calls are what two graphs have in common].

    Args:
        native: A watched backward, with every gradient kept.
        ours: Another one of the same code.
        terms: Measures the terms of the native one.

    Returns:
        A check: that there is no such node; or which it is, and where the numbers part.
    """
    theirs, own = _units(native), _units(ours)
    if [unit.name for unit in theirs] != [unit.name for unit in own]:
        return Check(NAME, None, 0, "the two runs called different operations, so they can't be compared")
    for index, (expected, found) in enumerate(zip(theirs, own, strict=True)):
        part = _paired(native, expected, ours, found, terms) or _sent_elsewhere(
            native, ours, theirs, own, index, terms
        )
        if part is not None:
            node, where = part
            return Check(NAME, False, index + 1, f"they part first at {_called(node)}", None, where)
    return Check(NAME, True, len(theirs))


def _units(trace: Trace) -> list[_Unit]:
    """The nodes by the call that made them, the last call first; without leaves."""
    made: dict[int, list[Node]] = {}
    names: dict[int, str] = {}
    number = 0
    for node in sorted((n for n in trace.graph.nodes if n.kind != "accumulate"), key=lambda n: n.sequence_nr):
        if node.call is not None:
            number = max(number, node.call.number)
            names[number] = node.call.name
        made.setdefault(number, []).append(node)
    ran = {step.node: step.index for step in trace.steps}
    return [
        _Unit(
            names.get(number, ""), sorted((n for n in made[number] if n.id in ran), key=lambda n: ran[n.id])
        )
        for number in sorted(made, reverse=True)
    ]


def _paired(
    native: Trace, expected: _Unit, ours: Trace, found: _Unit, terms: TermsOfSlots
) -> tuple[Node, Mismatch] | None:
    """The first node of a call that differs, where both runs made nodes with the same edges."""
    if [len(n.next) for n in expected.nodes] != [len(n.next) for n in found.nodes]:
        return None
    for their, own in zip(expected.nodes, found.nodes, strict=True):
        came, made = native.kept[their.id], ours.kept[own.id]
        for slot, (want, got) in enumerate(zip(came.grad_inputs, made.grad_inputs, strict=False)):
            if want is None or got is None or want.shape != got.shape:
                continue  # what goes where is compared for the call as a whole
            scale = functools.partial(terms.sent, [(their.id, slot)])
            part = compare(f"grad_inputs[{slot}] of #{own.id} {own.name}", want, got, scale).mismatch
            if part is not None:
                return own, part
    return None


def _sent_elsewhere(
    native: Trace,
    ours: Trace,
    theirs: Sequence[_Unit],
    own: Sequence[_Unit],
    index: int,
    terms: TermsOfSlots,
) -> tuple[Node, Mismatch] | None:
    """The first gradient that leaves a call and differs."""
    wanted, got = _sent(native, theirs, index), _sent(ours, own, index)
    for receiver in [*wanted, *(key for key in got if key not in wanted)]:
        want, came = wanted.get(receiver), got.get(receiver)
        sender = came or want
        assert sender is not None
        if came is None and not sender.total.any():
            continue
        what = f"grad_inputs[{sender.slot}] of #{sender.by.id} {sender.by.name}"
        scale = functools.partial(terms.sent, want.slots) if want is not None else None
        part = compare(what, want and want.total, came and came.total, scale).mismatch
        if part is not None:
            return sender.by, part
    return None


def _sent(trace: Trace, units: Sequence[_Unit], index: int) -> Mapping[Receiver, _Sent]:
    homes: dict[int, str | int] = {n.id: i for i, unit in enumerate(units) for n in unit.nodes}
    homes |= {n.id: n.variable or "" for n in trace.graph.nodes if n.kind == "accumulate"}
    found: dict[Receiver, _Sent] = {}
    for home, node, slot, grad in _leaving(trace, units[index], homes):
        if home == index:
            continue
        key = home, tuple(grad.shape)
        before = found.get(key)
        slots = (*(() if before is None else before.slots), (node.id, slot))
        found[key] = _Sent(grad if before is None else before.total + grad, node, slot, slots)
    return found


def _leaving(
    trace: Trace, unit: _Unit, homes: Mapping[int, str | int]
) -> Iterator[tuple[str | int, Node, int, torch.Tensor]]:
    for node in unit.nodes:
        kept = trace.kept[node.id].grad_inputs
        for slot, (edge, grad) in enumerate(zip(node.next, kept, strict=False)):
            if edge is not None and grad is not None and edge.node in homes:
                yield homes[edge.node], node, slot, dense(grad)


def _called(node: Node) -> str:
    """Names a node, and where in the forward it was made."""
    where = [f"in {node.module}"] if node.module else []
    where += [f"made by {node.call.name}"] if node.call is not None else []
    where += [f"at {Path(node.source.file).name}:{node.source.line}"] if node.source is not None else []
    return " ".join([f"#{node.id} {node.name}", *([f"({', '.join(where)})"] if where else [])])
