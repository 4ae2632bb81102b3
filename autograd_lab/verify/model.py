"""A whole step with rules swapped in and without: do the gradients agree, and if not, where do they part first?

The step is run twice from the same random state, once natively and once inside ``lab.swap``; ``.grad`` and the random
state are left as they were. Both backwards are traced with every node's gradients kept, so that of two that differ the
first node can be named whose own doing it is.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import torch

from autograd_lab.backward import trace
from autograd_lab.capture.outputs import tensors
from autograd_lab.errors import VerifyError
from autograd_lab.records import Check, Trace, VerifyReport
from autograd_lab.swap import swap
from autograd_lab.verify.compare import mismatch

Step = Callable[[], Any]
"""Runs a forward and returns the loss, or ``(loss, model)``."""


class _Ran(NamedTuple):
    loss: torch.Tensor
    trace: Trace


def verify_step(name: str, step: Step, names: Sequence[str], seed: int) -> VerifyReport:
    """Compares a step with rules swapped in with the same step without.

    Args:
        name: What the report calls it.
        step: See ``Step``. It's called twice, each time after ``torch.manual_seed(seed)``.
        names: The rules to swap; none for every rule.
        seed: The random state of both.

    Returns:
        The report: a check for the loss, one for each gradient, and one for the first node at which they part.

    Raises:
        VerifyError: The step returns no loss.
        SwapError: There is no rule of one of these names.
    """
    swapped = swap(*names)
    with _as_it_was():
        native = _run(step, seed, contextlib.nullcontext())
        ours = _run(step, seed, swapped)
    checks = [_compared("loss", native.loss, ours.loss)]
    for leaf in native.trace.grads:
        found = ours.trace.grads.get(leaf)
        checks.append(_compared(f"gradient of {leaf}", native.trace.grads[leaf], found))
    checks.append(_first_parting(native.trace, ours.trace))
    if not swapped.calls:
        checks.append(Check("swapped", None, 0, "none of these rules' operations ran"))
    return VerifyReport(
        name,
        tuple(checks),
        seed,
        tuple(sorted(swapped.calls.items())),
        tuple(sorted(_native_nodes(ours.trace).items())),
    )


@contextlib.contextmanager
def _as_it_was() -> Iterator[None]:
    """Leaves the random state as it was."""
    with torch.random.fork_rng(devices=range(torch.cuda.device_count()) if torch.cuda.is_available() else ()):
        yield


def _run(step: Step, seed: int, setting: contextlib.AbstractContextManager[Any]) -> _Ran:
    torch.manual_seed(seed)
    with setting:
        made = step()
    model = (
        made[1]
        if isinstance(made, tuple) and len(made) == 2 and isinstance(made[1], torch.nn.Module)
        else None
    )
    loss = made[0] if model is not None else made
    if not any(each.requires_grad for each in tensors(loss)):
        raise VerifyError(
            f"the step returned a {type(loss).__name__} without a gradient; have it return the loss"
        )
    outputs = [each for each in tensors(loss) if each.requires_grad]
    with _without_grads(model):
        done = trace(
            outputs, model=model, grad_tensors=[torch.ones_like(each) for each in outputs], keep="all"
        )
    return _Ran(torch.stack([each.detach().sum() for each in outputs]).sum(), done)


@contextlib.contextmanager
def _without_grads(model: torch.nn.Module | None) -> Iterator[None]:
    """Has ``.grad`` empty for the run and puts back what was in it."""
    held = [] if model is None else [(parameter, parameter.grad) for parameter in model.parameters()]
    for parameter, _ in held:
        parameter.grad = None
    try:
        yield
    finally:
        for parameter, grad in held:
            parameter.grad = grad


def _compared(name: str, expected: torch.Tensor, found: torch.Tensor | None) -> Check:
    part = mismatch(name, expected, found)
    if part is None:
        return Check(name, True, 1)
    return Check(name, False, 1, "differs from PyTorch's", None, part)


def _first_parting(native: Trace, ours: Trace) -> Check:
    """The first node that made another gradient of what it was given, where both graphs have the same nodes."""
    name = "every node on the way"
    if len(native.graph) != len(ours.graph):
        return Check(
            name, None, 0, f"{len(native.graph)} nodes natively and {len(ours.graph)} swapped can't be paired"
        )
    for step in native.steps:
        theirs, own = native.kept[step.node], ours.kept[step.node]
        for slot, (expected, found) in enumerate(zip(theirs.grad_inputs, own.grad_inputs, strict=False)):
            node = ours.graph.node(step.node)
            part = mismatch(f"grad_inputs[{slot}] of #{node.id} {node.name}", expected, found)
            if part is not None:
                return Check(
                    name, False, step.index + 1, f"they part first at #{node.id} {node.name}", None, part
                )
    return Check(name, True, len(native.steps))


def _native_nodes(done: Trace) -> Mapping[str, int]:
    return Counter(node.name for node in done.graph.nodes if node.kind == "op")
