"""The checks of what a Function gives: each takes a subject and a sample and says whether one thing holds.

Those of higher orders and other modes are in ``modes``, those by finite differences in ``slopes``.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import torch

from autograd_lab._torch import nodes as _nodes, saved as _saved
from autograd_lab._torch.run_node import run_node
from autograd_lab._torch.settings import grad_mode
from autograd_lab.capture.outputs import tensors
from autograd_lab.errors import one_line
from autograd_lab.functions.samples import Sample
from autograd_lab.records import Mismatch
from autograd_lab.verify.compare import Terms, compare, mismatch
from autograd_lab.verify.faults import kind
from autograd_lab.verify.randomness import seed_all
from autograd_lab.verify.results import (
    Args,
    Callee,
    Taken,
    copies,
    differentiable,
    gradients_of,
    leaves_of,
    outputs_of,
    results_of,
    taken,
    wants,
    weights_for,
)
from autograd_lab.verify.subject import Subject
from autograd_lab.verify.terms import measure


class Fault(NamedTuple):
    """What one sample shows to be wrong."""

    message: str
    mismatch: Mismatch | None = None


class NotTried(NamedTuple):
    """Why a check says nothing about one sample."""

    message: str


class NativeError(Exception):
    """What the target is compared with raises: no fault of the target's."""


@contextlib.contextmanager
def natively() -> Iterator[None]:
    """Counts what is raised inside as PyTorch's, not as the target's."""
    try:
        yield
    except Exception as error:
        raise NativeError(described(error)) from error


Found = Fault | NotTried | float | None
"""If all is well: how many ulps the numbers were apart at most, ``None`` where none were compared."""

Try = Callable[[Subject, Sample], Found]
"""Tries one sample."""


# --- what the checks are made of -----------------------------------------------------------


def part(
    found: Sequence[Taken | None],
    expected: Sequence[Taken | None],
    args: Sequence[Any],
    what: str,
    terms: Callable[[], Sequence[float]] | None = None,
) -> Fault | float | None:
    """Returns how the first gradients that differ do so, or how many ulps agreeing ones are apart at most.

    ``terms`` measures, for each gradient, the terms that it was summed from. See Note [What counts as equal].
    """
    apart = []
    for index, (want, came) in enumerate(zip(expected, found, strict=True)):
        verdict = compare(f"{what} {index}", want, came, terms and _one_of(terms, index))
        if verdict.mismatch is not None:
            return Fault(f"the {what} {index} {kind(index, expected, found, args)}", verdict.mismatch)
        apart.append(verdict.ulps)
    return max((ulps for ulps in apart if ulps is not None), default=None)


def _one_of(terms: Callable[[], Sequence[float]], index: int) -> Terms:
    return lambda: terms()[index]


def terms_of(
    call: Callee, args: Args, lay_out: Callable[[torch.Tensor], torch.Tensor] = torch.Tensor.clone
) -> list[float]:
    """Measures the terms of the gradient of each leaf. See Note [Terms]."""
    args = copies(args)
    outputs, weights = differentiable(outputs_of(call, args))
    weights = tuple(lay_out(weight) for weight in weights)
    measured = measure(outputs, weights)
    return [measured.leaf(leaf) for leaf in leaves_of(args)]


def told(found: Found, tell: Callable[[str], str]) -> Found:
    """Returns a fault in other words."""
    return Fault(tell(found.message), found.mismatch) if isinstance(found, Fault) else found


def described(error: BaseException) -> str:
    """Returns an exception as one line."""
    return one_line(error, 300)


# --- what is tried -------------------------------------------------------------------------


def reproducible(subject: Subject, sample: Sample) -> Fault | None:
    """Two runs from the same random state give the same. See Note [The same random numbers]."""
    for what, call in (("the forward", subject.call), ("native", subject.native)):
        if call is None or (call is subject.native and not subject.given):
            continue
        with grad_mode(False):
            live = list(tensors(call(*copies(sample.args))))
        first = taken(live)
        runs: list[Sequence[Taken | None]] = [results_of(call, copies(sample.args))]
        if call is subject.call and subject.early is not None and sample.name == subject.samples[0].name:
            runs.append(subject.early)
        if any(differ(first, run) for run in runs):
            return Fault(
                f"two runs of {what} differ: it is random (seed= sets torch's generators), or keeps a state"
            )
        for other in [each for each in subject.samples if each.name == "negative"]:
            results_of(call, copies(other.args))
            if differ(first, taken(live)):
                return Fault(f"the result of {what} changes when it is called again: two calls share memory")
    return None


def differ(first: Sequence[Taken | None], second: Sequence[Taken | None]) -> bool:
    """Whether two calls gave other results."""
    return len(first) != len(second) or any(
        mismatch("", want, came) is not None for want, came in zip(first, second, strict=True)
    )


def forward(subject: Subject, sample: Sample) -> Fault | float | None:
    """The result is PyTorch's."""
    assert subject.native is not None
    with grad_mode(False):
        expected = taken(outputs_of(subject.native, copies(sample.args)))
    found = taken(outputs_of(subject.call, sample.args))
    if len(found) != len(expected):
        return Fault(f"it has {len(found)} floating outputs, native has {len(expected)}")
    said = part(found, expected, (), "output")
    if isinstance(said, Fault) and subject.given and subject.draws:
        return Fault(
            f"{said.message}; it draws random numbers: have native draw the same ones", said.mismatch
        )
    return said


def untouched(subject: Subject, sample: Sample) -> Fault | None:
    """Neither forward nor backward changes what it's given."""
    inputs = [arg for arg in sample.args if isinstance(arg, torch.Tensor)]
    before = taken(inputs)
    versions = [_saved.version(tensor) for tensor in inputs]
    outputs, weights = differentiable(outputs_of(subject.call, sample.args))
    kept, given = taken(outputs), taken(weights)
    if outputs and leaves_of(sample.args):
        torch.autograd.grad(outputs, leaves_of(sample.args), weights, allow_unused=True)
    for index, (tensor, copy, version) in enumerate(zip(inputs, before, versions, strict=True)):
        where = mismatch(f"input {index}", copy, tensor)
        if _saved.version(tensor) != version or where is not None:
            return Fault(f"it changes input {index} in place", where)
    for name, copied, now in (("gradient it is given", given, weights), ("result after", kept, outputs)):
        for copy, tensor in zip(copied, now, strict=True):
            where = mismatch(name, copy, tensor)
            if where is not None:
                return Fault(f"its backward changes in place the {name}", where)
    return None


def gradients(subject: Subject, sample: Sample) -> Fault | float | None:
    """Each gradient is PyTorch's."""
    native = subject.native
    assert native is not None
    with natively():
        expected = gradients_of(native, copies(sample.args))
    found = gradients_of(subject.call, sample.args)
    leaves = leaves_of(sample.args)
    return part(found, expected, leaves, "gradient of input", lambda: terms_of(native, sample.args))


def again(subject: Subject, sample: Sample) -> Fault | float | None:
    """A second backward over the same graph gives the same: nothing saved was changed."""
    outputs, weights = differentiable(outputs_of(subject.call, sample.args))
    leaves = leaves_of(sample.args)
    if not outputs or not leaves:
        return None

    def backward(factor: float = 1) -> tuple[torch.Tensor | None, ...]:
        seed_all(subject.seed, sample.args)
        given = [weight * factor for weight in weights]
        return torch.autograd.grad(outputs, leaves, given, allow_unused=True, retain_graph=True)

    live = backward()
    first = taken(live)
    try:
        second = taken(backward())
    except RuntimeError as error:
        if "modified by an inplace operation" in str(error):
            return Fault("a second backward is refused: the first changed a saved tensor in place")
        raise
    found = part(second, first, leaves, "gradient of input")
    if isinstance(found, Fault):
        return Fault(
            "a second backward gives another gradient: the first changed a saved tensor", found.mismatch
        )
    backward(2)  # a buffer of its own would hold the same numbers again
    shared = part(taken(live), first, leaves, "gradient of input")
    if isinstance(shared, Fault):
        return Fault("a second backward changes what the first returned: they share memory", shared.mismatch)
    return found


def layouts(subject: Subject, sample: Sample) -> Fault | float | None:
    """Its backward takes a gradient of any layout: from a sum it's expanded, from a transpose not contiguous."""
    apart = []
    for layout, lay_out in _LAYOUTS.items():
        args = copies(sample.args)
        outputs, weights = differentiable(outputs_of(subject.call, args))
        if not outputs:
            return None
        weights = tuple(lay_out(weight) for weight in weights)
        plain = tuple(weight.contiguous() for weight in weights)
        expected = taken(
            torch.autograd.grad(outputs, leaves_of(args), plain, allow_unused=True, retain_graph=True)
        )
        args = copies(sample.args)
        outputs, _ = differentiable(outputs_of(subject.call, args))
        try:
            found = taken(torch.autograd.grad(outputs, leaves_of(args), weights, allow_unused=True))
        except Exception as error:
            return Fault(f"where the gradient that comes in is {layout}, it raises {described(error)}")
        terms = functools.partial(terms_of, subject.native or subject.call, sample.args, lay_out)
        said = part(found, expected, leaves_of(args), "gradient of input", terms)
        if isinstance(said, Fault):
            return Fault(f"where the gradient that comes in is {layout}, {said.message}", said.mismatch)
        apart.append(said)
    return max((ulps for ulps in apart if ulps is not None), default=None)


_LAYOUTS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "expanded": lambda weight: (
        weight.reshape(-1)[:1].reshape((1,) * weight.dim()).expand(weight.shape) if weight.numel() else weight
    ),
    "not contiguous": lambda weight: (
        weight.transpose(0, -1).contiguous().transpose(0, -1)
        if weight.dim() > 1
        else torch.stack((weight, weight), dim=-1)[..., 0]
    ),
}
"""Other layouts than an ordinary one, and what lays out a gradient so."""


def needed(subject: Subject, sample: Sample) -> Fault | float | None:
    """Whichever inputs need a gradient, theirs are the same."""
    wanting = [index for index, arg in enumerate(sample.args) if wants(arg)]
    leaves = leaves_of(sample.args)
    if len(leaves) < len(wanting):
        return None  # one tensor twice: its gradient is a sum of two
    whole = dict(zip(wanting, gradients_of(subject.call, copies(sample.args)), strict=True))
    for wanted in _subsets(wanting):
        args = tuple(
            arg.requires_grad_(index in wanted) if index in wanting else arg
            for index, arg in enumerate(copies(sample.args))
        )
        found = gradients_of(subject.call, args)
        terms = functools.partial(terms_of, subject.native or subject.call, args)
        said = part(found, [whole[index] for index in wanted], leaves_of(args), "gradient of input", terms)
        if isinstance(said, Fault):
            only = " and ".join(map(str, wanted))
            return Fault(f"where only {only} of the inputs need a gradient, {said.message}", said.mismatch)
    return None


def _subsets(wanting: Sequence[int]) -> Iterator[tuple[int, ...]]:
    return itertools.chain.from_iterable(
        itertools.combinations(wanting, size) for size in range(1, len(wanting))
    )


def alone(subject: Subject, sample: Sample) -> Fault | float | None:
    """Of several results, each alone gives PyTorch's gradients: those of the others come as zeros or ``None``."""
    native = subject.native
    assert native is not None
    live = outputs_of(subject.call, copies(sample.args))
    wanting = [index for index, output in enumerate(live) if output.requires_grad]
    apart: list[float] = []
    for index in wanting if len(wanting) > 1 else ():
        call, plain = _one(subject.call, index), _one(native, index)
        with natively():
            expected = gradients_of(plain, copies(sample.args))
        found = gradients_of(call, copies(sample.args))
        leaves = leaves_of(sample.args)
        said = part(
            found, expected, leaves, "gradient of input", functools.partial(terms_of, plain, sample.args)
        )
        if isinstance(said, Fault):
            return Fault(f"where only its result {index} is used, {said.message}", said.mismatch)
        apart += [] if said is None else [said]
    return max(apart, default=None)


def _one(call: Callee, index: int) -> Callee:
    """Computes one of the floating results."""
    return lambda *args: outputs_of(call, args)[index]


def shapes(subject: Subject, sample: Sample) -> Fault | None:
    """What its backward returns has each input's shape, before the engine makes it so."""
    given = subject.call(*sample.args)
    outputs = given if isinstance(given, tuple | list) else (given,)
    live = [output for output in outputs if wants(output)]
    if len(live) != 1 or live[0].grad_fn is None or _nodes.type_of(live[0].grad_fn).kind != "function":
        return None
    weights = [weights_for((output,))[0] if output is live[0] else None for output in outputs]
    made = run_node(live[0].grad_fn, weights)
    for index, (arg, grad) in enumerate(zip(sample.args, made, strict=False)):
        if wants(arg) and grad is not None and grad.shape != arg.shape:
            return Fault(
                f"it forgets the unbroadcast: for input {index} of shape {tuple(arg.shape)} its backward returns "
                f"{tuple(grad.shape)}; the engine sums that, other callers don't"
            )
    return None


def freed(subject: Subject, sample: Sample) -> Fault | None:
    """What it saved is let go after a backward: nothing is kept on ``ctx`` itself."""
    outputs, _ = differentiable(outputs_of(subject.call, sample.args))
    if not outputs or outputs[0].grad_fn is None:
        return None
    kept = [
        name for name, value in _nodes.own_attributes(outputs[0].grad_fn) if isinstance(value, torch.Tensor)
    ]
    if kept:
        return Fault(
            f"it keeps tensors on ctx ({', '.join(kept)}), where nothing frees them; use ctx.save_for_backward"
        )
    return None
