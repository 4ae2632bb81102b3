"""``verify``: every check on every sample, as a report.

Relies on ``checks`` for what is tried and on ``subject`` for what it is tried on. Promises the same report for the same
seed, and that the inputs are as they were.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch

from autograd_lab.capture.outputs import tensors
from autograd_lab.errors import VerifyError
from autograd_lab.functions import rules
from autograd_lab.records import Check, VerifyReport
from autograd_lab.verify import checks
from autograd_lab.verify.checks import Fault, Try
from autograd_lab.verify.model import verify_step
from autograd_lab.verify.subject import (
    Args,
    Call,
    Sample,
    Subject,
    made_up,
    parameters,
    reference,
    refused,
    variations,
)


class _Row(NamedTuple):
    """A check, when it applies (else why not), and to which samples."""

    name: str
    attempt: Try
    why_not: Callable[[Subject], str]
    takes: Callable[[Sample], bool] = lambda _: True


def _always(subject: Subject) -> str:
    del subject
    return ""


def _with_native(subject: Subject) -> str:
    if subject.native:
        return ""
    why = "its forward leaves autograd; " if subject.function else ""
    return f"{why}pass native= to compare with"


def _with_function(subject: Subject) -> str:
    return "" if subject.function else "it isn't a Function"


def _with_jvp(subject: Subject) -> str:
    base = torch.autograd.Function
    if subject.function is not None and subject.function.jvp is base.jvp:
        return "it has no jvp"
    return _with_native(subject)


def _with_vmap(subject: Subject) -> str:
    function = subject.function
    if function is None or function.generate_vmap_rule or function.vmap is not torch.autograd.Function.vmap:
        return ""
    return "it has no vmap, and generate_vmap_rule isn't set"


def _in_full_precision(sample: Sample) -> bool:
    return all(
        not isinstance(arg, torch.Tensor)
        or not arg.requires_grad
        or arg.dtype in (torch.float64, torch.complex128)
        for arg in sample.args
    )


def _in_one_dtype(sample: Sample) -> bool:
    """Where real and complex meet, PyTorch's own tangents of sums and powers lose their imaginary part (2.13)."""
    tensors = [arg for arg in sample.args if isinstance(arg, torch.Tensor)]
    tensors = [
        arg for arg in tensors if arg.is_floating_point() or arg.is_complex()
    ]  # masks and indices stand aside
    real = not any(arg.is_complex() for arg in tensors)
    alike = len({arg.dtype for arg in tensors}) < 2 and not (
        real and any(isinstance(arg, complex) for arg in sample.args)
    )
    return alike and _in_full_precision(sample)


def _smooth(sample: Sample) -> bool:
    return sample.smooth and _in_full_precision(sample)


_ROWS = (
    _Row("forward", checks.forward, _with_native),
    _Row("inputs untouched", checks.untouched, _always),
    _Row("gradients", checks.gradients, _with_native),
    _Row("finite differences", checks.finite_differences, _always, _smooth),
    _Row("a second backward", checks.again, _always),
    _Row("second order", checks.second_order, _with_native, _in_full_precision),
    _Row("forward mode", checks.forward_mode, _with_jvp, _in_one_dtype),
    _Row("vmap", checks.batched, _with_vmap, _in_full_precision),
    _Row("which inputs need one", checks.needed, _always),
    _Row("shapes of gradients", checks.shapes, _with_function),
    _Row("nothing kept", checks.freed, _with_function),
)


def verify(
    target: type[torch.autograd.Function] | Call | str,
    inputs: Any = None,
    *,
    native: Call | None = None,
    swap: str | Sequence[str] | None = None,
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
            another callable nothing but finite differences.
        swap: Names of rules, or ``"all"``.
        seed: What made-up inputs are made from, and the random state of both runs of a step.

    Returns:
        The report: ``.ok``, and for each failed check what is wrong, on which sample, and where the numbers part.

    Raises:
        VerifyError: The target can't be called with these inputs, or there are none to call it with.

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
    if swap is not None:
        return verify_step(_name(target), _step(target, inputs), _rule_names(swap), seed, _named(inputs))
    if isinstance(target, str):
        return _verify_rule(target, seed)
    subject = _subject(target, inputs, native, seed)
    _must_run(subject)
    left_out = refused(subject.samples, subject.call)
    taken = tuple(sample for sample in subject.samples if sample.name not in left_out)
    rows = [_checked(row, subject._replace(samples=taken)) for row in _ROWS]
    if left_out:
        rows.append(
            Check("other dtypes", None, 0, "; ".join(f"{name}: {said}" for name, said in left_out.items()))
        )
    return VerifyReport(subject.name, tuple(rows), seed)


def _subject(target: Any, inputs: Any, native: Call | None, seed: int) -> Subject:
    function = target if isinstance(target, type) and issubclass(target, torch.autograd.Function) else None
    if function is None and not callable(target):
        raise VerifyError(
            f"can't verify a {type(target).__name__}; give a torch.autograd.Function or a callable"
        )
    if inputs is None and function is None:
        raise VerifyError("a callable has no inputs of its own; pass inputs=(…)")
    args: Args = (
        made_up(parameters(function), seed) if inputs is None and function is not None else _tuple(inputs)
    )
    if not any(isinstance(arg, torch.Tensor) and arg.requires_grad for arg in args):
        raise VerifyError(
            "no input requires a gradient, so there is none to verify; call requires_grad_() on one"
        )
    plain = native or (reference(function) if function is not None else None)
    if plain is not None and native is None and not _differentiates(plain, args):
        plain = None
    call = target if function is None else function.apply
    return Subject(_name(target), call, plain, function, tuple(variations(args, plain or call)))


def _name(target: Any) -> str:
    name = str(getattr(target, "__qualname__", type(target).__qualname__))
    return name.removeprefix("_VariableFunctionsClass.")  # torch.sinh is a method of this


def _verify_rule(name: str, seed: int) -> VerifyReport:
    """A rule brings its own samples."""
    if name not in rules:
        raise VerifyError(f"there is no rule {name!r}; use one of {', '.join(sorted(rules))}")
    rule = rules[name]
    samples = tuple(
        Sample(each.name, each.args, each.smooth)
        for each in rule.samples(torch.float64)
        if any(isinstance(arg, torch.Tensor) and arg.requires_grad for arg in each.args)
    )
    subject = Subject(name, rule.apply, reference(rule), rule, samples)
    return VerifyReport(name, tuple(_checked(row, subject) for row in _ROWS), seed)


def _step(target: Any, inputs: Any) -> Callable[[], Any]:
    if isinstance(target, torch.nn.Module):
        args = () if inputs is None else _tuple(inputs)
        return lambda: (_floating(target(*args)), target)
    if not callable(target):
        raise VerifyError(
            f"can't swap inside a {type(target).__name__}; give a module, or what returns a loss"
        )
    return target if inputs is None else lambda: target(*_tuple(inputs))


def _named(inputs: Any) -> dict[str, torch.Tensor]:
    """What those inputs are called in the report that a gradient is wanted for."""
    args = () if inputs is None else _tuple(inputs)
    return {
        f"input{place}": arg
        for place, arg in enumerate(args)
        if isinstance(arg, torch.Tensor) and arg.requires_grad
    }


def _floating(outputs: Any) -> list[torch.Tensor]:
    return [each for each in tensors(outputs) if each.requires_grad]


def _rule_names(swap: str | Sequence[str]) -> tuple[str, ...]:
    if swap == "all":
        return ()
    return (swap,) if isinstance(swap, str) else tuple(swap)


def _tuple(inputs: Any) -> Args:
    return tuple(inputs) if isinstance(inputs, tuple | list) else (inputs,)


def _differentiates(native: Call, args: Args) -> bool:
    """Whether a forward, run as it stands, stays within autograd."""
    try:
        outputs = checks.outputs_of(native, args)
    except Exception:
        return False
    return any(output.requires_grad for output in outputs)


def _must_run(subject: Subject) -> None:
    """Inputs that don't fit are the caller's fault, not the Function's."""
    args = subject.samples[0].args
    try:
        subject.call(*args)
    except Exception as error:
        raise VerifyError(
            f"{subject.name} can't be called with these inputs: {type(error).__name__}: {_line(error)}"
        ) from error


def _checked(row: _Row, subject: Subject) -> Check:
    why_not = row.why_not(subject)
    if why_not:
        return Check(row.name, None, 0, why_not)
    samples = [sample for sample in subject.samples if row.takes(sample)]
    if not samples:
        return Check(row.name, None, 0, "no input is in float64")
    found = [(sample, _tried(row.attempt, subject, sample)) for sample in samples]
    faults = [(sample, fault) for sample, fault in found if isinstance(fault, Fault)]
    if not faults:
        apart = max((ulps for _, ulps in found if isinstance(ulps, float)), default=None)
        return Check(row.name, True, len(samples), ulps=apart)
    sample, fault = faults[0]
    return Check(
        row.name, False, len(samples), _where(faults, samples) + fault.message, sample.name, fault.mismatch
    )


def _tried(attempt: Try, subject: Subject, sample: Sample) -> Fault | float | None:
    """What the target raises is what's wrong with it: PyTorch computes the sample."""
    try:
        return attempt(subject, sample)
    except Exception as error:
        if sample.loose:
            return None
        return Fault(f"it raises {type(error).__name__}: {_line(error)}")


def _where(faults: list[tuple[Sample, Fault]], samples: list[Sample]) -> str:
    """Names what all samples that fail have in common, where others don't fail."""
    names = [sample.name for sample, _ in faults]
    if len(names) == 1 and len(samples) > 1 and names[0] != "as given":
        return f"only {names[0]}: "
    return ""


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]
