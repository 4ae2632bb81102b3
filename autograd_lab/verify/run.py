"""``verify``: every check on every sample, as a report.

Relies on ``rows`` for what is tried and on ``subject`` for what it is tried on. Promises the same report for the same
seed, and that the inputs and the random state are as they were.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch

from autograd_lab._torch.settings import keep_settings, not_inference, set_grad_mode
from autograd_lab.capture.outputs import tensors
from autograd_lab.errors import VerifyError, article, nearest
from autograd_lab.functions import rules
from autograd_lab.hold import Hold
from autograd_lab.records import Check, VerifyReport
from autograd_lab.verify import checks, rows
from autograd_lab.verify.checks import described
from autograd_lab.verify.model import verify_step
from autograd_lab.verify.randomness import keep_random_state
from autograd_lab.verify.results import Args, Callee, Taken, copies, outputs_of, results_of, wants
from autograd_lab.verify.samples import made_up, refused, variations
from autograd_lab.verify.subject import (
    Subject,
    changes_leaves,
    dirty,
    parameters,
    reference,
    steady,
)
from autograd_lab.verify.wanted import (
    check_names,
    must_be_callable,
    must_be_checks,
    must_be_seed,
    must_count,
    rule_names,
)
from autograd_lab.verify.warned import show_warnings


def verify(
    target: type[torch.autograd.Function] | Callee | str,
    inputs: Any = None,
    *,
    native: Callee | None = None,
    swap: str | Sequence[str] | None = None,
    skip: str | Iterable[str] = (),
    seed: int = 0,
) -> VerifyReport:
    """Checks that a Function computes its gradients as PyTorch would, in every way that users call it.

    A Function's forward, run as plain torch operations, gives the native gradients that its backward must agree with.
    The inputs are varied: not contiguous, with a zero, negative, empty, without dimensions, broadcast, one tensor
    twice, in other dtypes; where PyTorch itself can't compute a variation it's left out.

    With ``swap``, a whole step is compared instead: natively, and with the lab's rules in PyTorch's place.

    Args:
        target: A ``torch.autograd.Function``, the name of one of the lab's rules, or any callable of tensors. With
            ``swap``, a module, or a callable that returns a loss or ``(loss, model)``.
        inputs: A tuple of arguments, in float64 for all checks to apply; tensors that require a gradient are those
            that one is checked for. Without it, a Function is given matrices of random numbers.
        native: What computes the same by PyTorch's own operations; without it, a Function's own forward, and of
            another callable nothing but finite differences. Of a surrogate gradient (straight-through, reversal), what
            has the gradient that is meant.
        swap: Names of rules, or ``"all"``.
        skip: Names of checks to leave out, as the report has them: ``("finite differences",)``.
        seed: What made-up inputs are made from, and the random state that each call starts from.

    Returns:
        The report: ``.ok``, and for each failed check what is wrong, on which sample, and where the numbers part.

    Raises:
        VerifyError: The target can't be called with these inputs, there are none to call it with, or there's no check
            of a name in ``skip``, or an option is of another type than it says here or would say nothing: ``native``
            beside ``swap``, inputs or ``native`` for a rule's name.
        SwapError: There's no rule of a name in ``swap``.

    Example:
        >>> class Square(torch.autograd.Function):
        ...     @staticmethod
        ...     def forward(ctx, x):
        ...         ctx.save_for_backward(x)
        ...         return x * x
        ...
        ...     @staticmethod
        ...     def backward(ctx, grad):
        ...         (x,) = ctx.saved_tensors
        ...         return -2 * x * grad
        >>> report = verify(Square)
        >>> report.ok, report.failed[0].name, report.failed[0].message
        (False, 'gradients', 'the gradient of input 0 has the wrong sign')
    """
    left_out = check_names(skip)
    must_be_callable(native)
    must_be_seed(seed)
    must_count(target, inputs, native, swap)
    if swap is not None:
        names = rule_names(swap)
        with Hold() as held:
            keep_settings(held)
            show_warnings(held)
            report = verify_step(_name(target), _step(target, inputs), names, seed, _named(inputs))
        return _without(report, left_out)
    must_be_checks(left_out, [row.name for row in rows.ROWS])
    args = () if inputs is None else _tuple(inputs)
    with not_inference(), Hold() as held:
        keep_settings(held)
        keep_random_state(held, args)
        show_warnings(held)
        set_grad_mode(held, True)
        subject = _rule(target, seed) if isinstance(target, str) else _subject(target, inputs, native, seed)
        return _report(subject, left_out)


def _report(subject: Subject, left_out: Sequence[str]) -> VerifyReport:
    _must_run(subject)
    dtypes = refused(subject.samples, subject.call)
    subject = subject._replace(
        samples=tuple(each for each in subject.samples if each.name not in dtypes), draws=_draws(subject)
    )
    made: list[Check] = []
    for row in rows.ROWS:
        if row.name in left_out:
            made.append(Check(row.name, None, skipped=True))
            if row is not rows.REPRODUCIBLE:
                continue
        check = rows.checked(row, subject)
        if row is rows.REPRODUCIBLE:
            subject = subject._replace(repeats=check.ok is not False)
        if row.name not in left_out:
            made.append(check)
    if dtypes:
        said = "; ".join(f"{name}: {reason}" for name, reason in dtypes.items())
        made.append(Check("other dtypes", None, 0, said))
    return VerifyReport(subject.name, tuple(made), subject.seed)


def _without(report: VerifyReport, left_out: Sequence[str]) -> VerifyReport:
    """A step's report without some of its checks."""
    must_be_checks(left_out, [check.name for check in report.checks])
    return dataclasses.replace(
        report,
        checks=tuple(
            Check(check.name, None, skipped=True) if check.name in left_out else check
            for check in report.checks
        ),
    )


def _subject(target: Any, inputs: Any, native: Callee | None, seed: int) -> Subject:
    function = target if isinstance(target, type) and issubclass(target, torch.autograd.Function) else None
    if isinstance(target, type) and issubclass(target, torch.nn.Module):
        raise VerifyError(
            f"{target.__name__} is a module's class; make a module, and say which rules to swap in it"
        )
    if function is None and not callable(target):
        raise VerifyError(
            f"can't verify {article(type(target).__name__)}; give a torch.autograd.Function or a callable"
        )
    if inputs is None and function is None:
        raise VerifyError("a callable has no inputs of its own; pass inputs=(…)")
    args: Args = (
        made_up(parameters(function), seed) if inputs is None and function is not None else _tuple(inputs)
    )
    _must_have_gradients(args)
    raw = target if function is None else function.apply
    plain = native or (reference(function) if function is not None else None)
    early = _early(steady(raw, seed), args)
    in_place = _in_place(function, raw, args, seed)
    call = steady(raw, seed, in_place)
    plain = None if plain is None else steady(plain, seed, in_place)
    if plain is not None and native is None and not _differentiates(plain, args):
        plain = None
    samples = tuple(variations(args, plain or call, bool(in_place)))
    given = native is not None
    return Subject(_name(target), raw, call, plain, function, samples, given, seed, in_place, early=early)


def _early(call: Callee, args: Args) -> list[Taken | None] | None:
    """The results of the first call: a forward that keeps something from it gives others later."""
    try:
        return results_of(call, copies(args))
    except Exception:  # what it raises with these inputs is said when it's called in earnest
        return None


def _must_have_gradients(args: Args) -> None:
    if not any(wants(arg) for arg in args):
        raise VerifyError(
            "no input requires a gradient, so there is none to verify; call requires_grad_() on one"
        )
    if any(isinstance(arg, torch.Tensor) and arg.is_meta for arg in args):
        raise VerifyError("an input is on the meta device and has no numbers; pass one on another device")


def _in_place(
    function: type[torch.autograd.Function] | None, call: Callee, args: Args, seed: int
) -> frozenset[int]:
    """Returns the indices of the arguments that are changed in place, which leaves can't be."""
    if function is not None:
        try:
            return dirty(function, args)
        except Exception:  # what it raises with these inputs is said when it's called in earnest
            return frozenset()
    if changes_leaves(steady(call, seed), args):
        return frozenset(index for index, arg in enumerate(args) if wants(arg))
    return frozenset()


def _draws(subject: Subject) -> bool:
    """Returns whether another random state gives another result."""
    args = subject.samples[0].args
    other = steady(subject.raw, subject.seed + 1, subject.dirty)
    return checks.differ(results_of(subject.call, copies(args)), results_of(other, copies(args)))


def _name(target: Any) -> str:
    name = str(getattr(target, "__qualname__", type(target).__qualname__))
    return name.removeprefix("_VariableFunctionsClass.")  # torch.sinh is a method of this


def _rule(name: str, seed: int) -> Subject:
    """A rule brings its own samples."""
    if name not in rules:
        raise VerifyError(f"there is no rule {name!r}; {nearest(name, sorted(rules))}")
    rule = rules[name]
    with torch.device("cpu"):
        made = list(rule.samples(torch.float64))
    samples = tuple(sample for sample in made if any(wants(arg) for arg in sample.args))
    call, native = steady(rule.apply, seed), steady(reference(rule), seed)
    return Subject(name, rule.apply, call, native, rule, samples, seed=seed)


def _step(target: Any, inputs: Any) -> Callable[[], Any]:
    if isinstance(target, torch.nn.Module):
        args = () if inputs is None else _tuple(inputs)
        return lambda: (_floating(target(*args)), target)
    if not callable(target):
        raise VerifyError(
            f"can't swap inside {article(type(target).__name__)}; give a module, or what returns a loss"
        )
    return target if inputs is None else lambda: target(*_tuple(inputs))


def _named(inputs: Any) -> dict[str, torch.Tensor]:
    """What those inputs are called in the report that a gradient is wanted for."""
    args = () if inputs is None else _tuple(inputs)
    return {
        f"input{index}": arg
        for index, arg in enumerate(args)
        if isinstance(arg, torch.Tensor) and arg.requires_grad
    }


def _floating(outputs: Any) -> list[torch.Tensor]:
    return [each for each in tensors(outputs) if each.requires_grad]


def _tuple(inputs: Any) -> Args:
    return tuple(inputs) if isinstance(inputs, tuple | list) else (inputs,)


def _differentiates(native: Callee, args: Args) -> bool:
    """Whether a forward, run as it stands, stays within autograd."""
    try:
        outputs = outputs_of(native, copies(args))
    except Exception:
        return False
    return any(output.requires_grad for output in outputs)


def _must_run(subject: Subject) -> None:
    """Inputs that don't fit are the caller's fault, not the Function's; so is a ``native`` that they don't fit."""
    given = subject.native if subject.given else None
    for name, call in ((subject.name, subject.call), ("native", given)):
        try:
            if call is not None:
                call(*copies(subject.samples[0].args))
        except Exception as error:
            raise VerifyError(f"{name} can't be called with these inputs: {described(error)}") from error
