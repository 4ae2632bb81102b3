"""A whole step with rules swapped in and without: do the gradients agree, and if not, where do they part first?

The step is run twice from the same random state, once natively and once inside ``lab.swap``, and natively a third time
where a gradient has to be judged by its terms; ``.grad`` and the random state are left as they were. Both backwards are
traced with every node's gradients kept, so that, where they differ, the first node responsible can be named.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import torch

from autograd_lab.backward import trace, watch
from autograd_lab.capture.models import taken_apart
from autograd_lab.capture.names import NameBook
from autograd_lab.capture.outputs import tensors
from autograd_lab.errors import VerifyError, article
from autograd_lab.hold import Hold
from autograd_lab.records import Check, Graph, Trace, VerifyReport
from autograd_lab.swap import swap
from autograd_lab.verify.checks import described
from autograd_lab.verify.compare import Terms, compare
from autograd_lab.verify.leaves import UnnamedLeaf, by_name, paired, unnamed
from autograd_lab.verify.parting import first_parting
from autograd_lab.verify.randomness import keep_random_state, seed_all
from autograd_lab.verify.results import Taken, taken
from autograd_lab.verify.terms import Measured, measure

TrainingStep = Callable[[], Any]
"""Runs a forward and returns the loss, or ``(loss, model)``, or what else ``taken_apart`` takes."""


_STRANGE = (
    "two runs of the step made leaves with other numbers: it draws them from somewhere that seed= doesn't set "
    "(NumPy, the time), or keeps a state; draw them with torch, or make them once and use them in each call"
)


class _Ran(NamedTuple):
    losses: list[Taken | None]
    trace: Trace
    leaves: Mapping[str, UnnamedLeaf]
    strange: bool


def verify_step(
    name: str, step: TrainingStep, names: Sequence[str], seed: int, inputs: Mapping[str, torch.Tensor]
) -> VerifyReport:
    """Compares a step with rules swapped in with the same step without.

    Args:
        name: What the report calls it.
        step: See ``TrainingStep``. It's called two or three times, each time after ``torch.manual_seed(seed)``.
        names: The rules to swap; none for every rule.
        seed: The random state of both.
        inputs: Names of inputs whose gradients are compared too.

    Returns:
        The report: a check for the loss, one for each gradient, and one for the first node at which they part.

    Raises:
        VerifyError: The step can't be run, or returns no loss.
        SwapError: There is no rule of one of these names.
    """
    swapped = swap(*names)
    with Hold() as held:
        keep_random_state(held)
        native = _run(_explained(name, step), seed, contextlib.nullcontext(), inputs)
        try:
            ours = _run(step, seed, swapped, inputs, native.leaves)
        except Exception as error:  # natively it ran: that it doesn't here is what's wrong
            return VerifyReport(
                name, (Check("step", False, 1, f"with the rules it raises {described(error)}"),), seed
            )
        if ours.strange:
            return VerifyReport(name, (Check("leaves", False, 1, _STRANGE),), seed)
        terms = StepTerms(native.trace, lambda: _measured(step, seed))
        checks = [
            *_losses(native.losses, ours.losses),
            *_gradient_checks(native.trace, ours.trace, terms),
            first_parting(native.trace, ours.trace, terms),
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


def _explained(name: str, step: TrainingStep) -> TrainingStep:
    """Returns the step; an exception of its own becomes a ``VerifyError``: without rules it's the caller's."""

    def run() -> Any:
        try:
            return step()
        except Exception as error:
            raise VerifyError(f"{name} can't be called with these inputs: {described(error)}") from error

    return run


def _run(
    step: TrainingStep,
    seed: int,
    setting: contextlib.AbstractContextManager[Any],
    inputs: Mapping[str, torch.Tensor],
    others: Mapping[str, UnnamedLeaf] | None = None,
) -> _Ran:
    """Runs a step; ``others`` are the leaves of another run, whose names this one's get."""
    seed_all(seed)
    with watch(stats=None, forward=None) as watcher:
        with setting:
            made = step()
        outputs, model = _taken_apart(made)
        seen = watcher.capture(outputs)
    found, strange = unnamed(outputs, seen, model, inputs), False
    if others is not None:
        found, strange = paired(found, others)
    leaves = by_name(found, NameBook(model, inputs).tensors)
    with Hold() as held:
        _put_grads_aside(held, model)
        done = trace(
            outputs,
            model=model,
            names={**inputs, **{leaf: each.tensor for leaf, each in leaves.items()}},
            grad_tensors=[torch.ones_like(each) for each in outputs],
            keep="all",
        )
    return _Ran(taken(outputs), _with_places(done, seen), leaves, strange)


def _measured(step: TrainingStep, seed: int) -> Measured:
    """Runs the step once more natively, to measure the terms of its gradients."""
    seed_all(seed)
    outputs, _ = _taken_apart(step())
    return measure(outputs, [torch.ones_like(each) for each in outputs])


def _taken_apart(made: Any) -> tuple[list[torch.Tensor], torch.nn.Module | None]:
    """Returns the differentiable outputs of a step, and the model if it returned one."""
    loss, model, _ = taken_apart(made)
    outputs = [each for each in tensors(loss) if each.requires_grad]
    if not outputs:
        raise VerifyError(
            f"the step returned {article(type(loss).__name__)} without a gradient; have it return the loss"
        )
    return outputs, model


def _with_places(done: Trace, seen: Graph) -> Trace:
    """Returns the trace with where each node was made; both graphs have the same nodes in the same order."""
    nodes = tuple(
        node._replace(module=made.module, source=made.source, call=made.call)
        for node, made in zip(done.graph.nodes, seen.nodes, strict=True)
    )
    return dataclasses.replace(done, graph=dataclasses.replace(done.graph, nodes=nodes))


class StepTerms:
    """The terms of a step's gradients, measured by running it once more where anything asks. See Note [Terms]."""

    def __init__(self, native: Trace, measured: Callable[[], Measured]) -> None:
        self._native = native
        self._measure = measured

    @functools.cached_property
    def _measured(self) -> Measured | None:
        # Its nodes are the native run's, unless the step makes another graph each time.
        found = self._measure()
        return found if found.nodes == len(self._native.graph.nodes) else None

    def leaf(self, name: str) -> float:
        """Returns how large the terms of a leaf's gradient are."""
        if self._measured is None:
            return 0.0
        ids = [node.id for node in self._native.graph.leaves if node.variable == name]
        return max((self._measured.leaves.get(node_id, 0.0) for node_id in ids), default=0.0)

    def sent(self, slots: Iterable[tuple[int, int]]) -> float:
        """Returns the size of the largest term that nodes send to some of their slots."""
        if self._measured is None:
            return 0.0
        return max((self._measured.sent.get(slot, 0.0) for slot in slots), default=0.0)


def _put_grads_aside(held: Hold, model: torch.nn.Module | None) -> None:
    """Has ``.grad`` empty for the run and puts back what was in it."""
    for parameter in () if model is None else model.parameters():
        held.add(functools.partial(setattr, parameter, "grad", parameter.grad))
        parameter.grad = None


def _losses(expected: Sequence[Taken | None], found: Sequence[Taken | None]) -> list[Check]:
    if len(expected) == 1 == len(found):
        return [_compared("loss", expected[0], found[0])]
    if len(expected) != len(found):
        return [Check("outputs", False, 1, f"there are {len(found)}, natively {len(expected)}")]
    return [
        _compared(f"output {index}", *pair) for index, pair in enumerate(zip(expected, found, strict=True))
    ]


def _gradient_checks(native: Trace, ours: Trace, terms: StepTerms) -> list[Check]:
    """Returns a check for each leaf to which either run gave a gradient."""
    return [
        _compared(
            f"gradient of {leaf}",
            native.grads.get(leaf),
            ours.grads.get(leaf),
            functools.partial(terms.leaf, leaf),
        )
        for leaf in {**native.grads, **ours.grads}
    ]


def _compared(
    name: str, expected: torch.Tensor | None, found: torch.Tensor | None, terms: Terms | None = None
) -> Check:
    verdict = compare(name, expected, found, terms)
    ok = verdict.mismatch is None
    said = verdict.judged_by() if ok else "differs from PyTorch's"
    return Check(name, ok, 1, said, None, verdict.mismatch, verdict.ulps, verdict.relative, verdict.scale)


def _native_nodes(done: Trace) -> Mapping[str, int]:
    return Counter(node.name for node in done.graph.nodes if node.kind == "op")
