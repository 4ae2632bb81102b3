"""A whole step with rules swapped in and without: do the gradients agree, and if not, where do they part first?

The step is run twice from the same random state, once natively and once inside ``lab.swap``; ``.grad`` and the random
state are left as they were. Both backwards are traced with every node's gradients kept, so that of two that differ the
first node can be named whose own doing it is.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import torch

from autograd_lab.backward import trace, watch
from autograd_lab.capture.outputs import tensors
from autograd_lab.errors import VerifyError
from autograd_lab.records import Check, Graph, Trace, VerifyReport
from autograd_lab.swap import swap
from autograd_lab.verify.compare import distance, largest, mismatch
from autograd_lab.verify.parting import first_parting

Step = Callable[[], Any]
"""Runs a forward and returns the loss, or ``(loss, model)``."""


class _Ran(NamedTuple):
    loss: torch.Tensor
    trace: Trace


def verify_step(
    name: str, step: Step, names: Sequence[str], seed: int, inputs: Mapping[str, torch.Tensor]
) -> VerifyReport:
    """Compares a step with rules swapped in with the same step without.

    Args:
        name: What the report calls it.
        step: See ``Step``. It's called twice, each time after ``torch.manual_seed(seed)``.
        names: The rules to swap; none for every rule.
        seed: The random state of both.
        inputs: Names of inputs whose gradients are compared too.

    Returns:
        The report: a check for the loss, one for each gradient, and one for the first node at which they part.

    Raises:
        VerifyError: The step returns no loss.
        SwapError: There is no rule of one of these names.
    """
    swapped = swap(*names)
    with _as_it_was():
        native = _run(step, seed, contextlib.nullcontext(), inputs)
        ours = _run(step, seed, swapped, inputs)
    checks = [
        _compared("loss", native.loss, ours.loss),
        *_gradient_checks(native.trace, ours.trace),
        first_parting(native.trace, ours.trace),
    ]
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


def _run(
    step: Step,
    seed: int,
    setting: contextlib.AbstractContextManager[Any],
    inputs: Mapping[str, torch.Tensor],
) -> _Ran:
    torch.manual_seed(seed)
    with watch(stats=None, forward=None) as watcher:
        with setting:
            made = step()
        outputs, model = _taken_apart(made)
        seen = watcher.capture(outputs)
    with _without_grads(model):
        done = trace(
            outputs,
            model=model,
            names=inputs,
            grad_tensors=[torch.ones_like(each) for each in outputs],
            keep="all",
        )
    return _Ran(torch.stack([each.detach().sum() for each in outputs]).sum(), _with_places(done, seen))


def _taken_apart(made: Any) -> tuple[list[torch.Tensor], torch.nn.Module | None]:
    """What has a gradient of what a step returned, and the model, if it returned one."""
    with_model = isinstance(made, tuple) and len(made) == 2 and isinstance(made[1], torch.nn.Module)
    loss, model = made if with_model else (made, None)
    outputs = [each for each in tensors(loss) if each.requires_grad]
    if not outputs:
        raise VerifyError(
            f"the step returned a {type(loss).__name__} without a gradient; have it return the loss"
        )
    return outputs, model


def _with_places(done: Trace, seen: Graph) -> Trace:
    """The trace, each node with its place in the forward: both graphs are of the same nodes in the same order."""
    nodes = tuple(
        node._replace(module=place.module, source=place.source, call=place.call)
        for node, place in zip(done.graph.nodes, seen.nodes, strict=True)
    )
    return dataclasses.replace(done, graph=dataclasses.replace(done.graph, nodes=nodes))


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


def _gradient_checks(native: Trace, ours: Trace) -> list[Check]:
    """One for each leaf that either run gave a gradient."""
    return [
        _compared(
            f"gradient of {leaf}", native.grads.get(leaf), ours.grads.get(leaf), _going_in(native, leaf)
        )
        for leaf in {**native.grads, **ours.grads}
    ]


def _going_in(trace: Trace, leaf: str) -> float:
    """The largest number of what the nodes were given that made a leaf's gradient. See Note [Cancelling]."""
    senders = {
        step.source
        for node in trace.graph.leaves
        if node.variable == leaf and node.id in trace.kept
        for step in trace.step(node.id).contributions
    }
    return largest(grad for node in senders if node is not None for grad in trace.kept[node].grad_outputs)


def _compared(
    name: str, expected: torch.Tensor | None, found: torch.Tensor | None, size: float = 0.0
) -> Check:
    part = mismatch(name, expected, found, size)
    ulps, relative = distance(expected, found)
    if part is None:
        return Check(name, True, 1, ulps=ulps, relative=relative)
    return Check(name, False, 1, "differs from PyTorch's", None, part, ulps, relative)


def _native_nodes(done: Trace) -> Mapping[str, int]:
    return Counter(node.name for node in done.graph.nodes if node.kind == "op")
