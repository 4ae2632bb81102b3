"""The table of checks: each with when it applies, and to which samples."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch.autograd.function import once_differentiable

from autograd_lab.functions.samples import Sample
from autograd_lab.records import Check
from autograd_lab.verify import checks, modes, slopes
from autograd_lab.verify.checks import Fault, Found, NativeError, NotTried, Try, described
from autograd_lab.verify.results import copies, is_float, outputs_of, wants
from autograd_lab.verify.subject import Subject


class Row(NamedTuple):
    """A check.

    Attributes:
        name: What a report calls it.
        attempt: Tries one sample.
        why_not: Says why it doesn't apply; ``""`` where it does.
        takes: Whether it's for a sample.
        two_runs: Whether it compares two runs, so that it says nothing where these differ anyway.
    """

    name: str
    attempt: Try
    why_not: Callable[[Subject], str]
    takes: Callable[[Sample], bool] = lambda _: True
    two_runs: bool = True


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


_ONCE = once_differentiable(lambda *_: None).__code__
"""What every backward runs that is marked so."""


def _twice(subject: Subject) -> str:
    if subject.function is not None and getattr(subject.function.backward, "__code__", None) is _ONCE:
        return "its backward is marked @once_differentiable"
    return _with_native(subject)


def _with_jvp(subject: Subject) -> str:
    base = torch.autograd.Function
    if subject.function is not None and subject.function.jvp is base.jvp:
        return "it has no jvp"
    return _with_native(subject)


def _with_vmap(subject: Subject) -> str:
    function = subject.function
    if function is None or function.generate_vmap_rule:
        return ""
    if function.vmap is torch.autograd.Function.vmap:
        return "it has no vmap, and generate_vmap_rule isn't set"
    return "it draws random numbers: others for a batch than for its members" if subject.draws else ""


def _several(subject: Subject) -> str:
    why = _with_native(subject)
    if why:
        return why
    live = outputs_of(subject.call, copies(subject.samples[0].args))
    return "" if sum(output.requires_grad for output in live) > 1 else "it has one result"


def _in_full_precision(sample: Sample) -> bool:
    return all(
        not isinstance(arg, torch.Tensor)
        or not arg.requires_grad
        or arg.dtype in (torch.float64, torch.complex128)
        for arg in sample.args
    )


def _in_one_dtype(sample: Sample) -> bool:
    """Where real and complex meet, PyTorch's own tangents of sums and powers lose their imaginary part (2.13)."""
    floats = [arg for arg in sample.args if is_float(arg)]  # masks and indices stand aside
    real = not any(arg.is_complex() for arg in floats)
    alike = len({arg.dtype for arg in floats}) < 2 and not (
        real and any(isinstance(arg, complex) for arg in sample.args)
    )
    return alike and _in_full_precision(sample)


def _tangent_is_told(sample: Sample) -> bool:
    """Where inputs meet in a kink, PyTorch's own tangent may choose another one than its gradient does (``clamp``)."""
    return _in_one_dtype(sample) and (sample.smooth or sum(map(wants, sample.args)) < 2)


def _smooth(sample: Sample) -> bool:
    return sample.smooth and _in_full_precision(sample)


REPRODUCIBLE = Row("reproducible", checks.reproducible, _always, two_runs=False)

ROWS = (
    REPRODUCIBLE,
    Row("forward", checks.forward, _with_native),
    Row("inputs untouched", checks.untouched, _always, two_runs=False),
    Row("gradients", checks.gradients, _with_native),
    Row("each result alone", checks.alone, _several),
    Row("finite differences", slopes.finite_differences, _always, _smooth),
    Row("a second backward", checks.again, _always, two_runs=False),
    Row("layouts of gradients", checks.layouts, _always),
    Row("second order", modes.second_order, _twice, _in_full_precision),
    Row("forward mode", modes.forward_mode, _with_jvp, _tangent_is_told),
    Row("vmap", modes.batched, _with_vmap, _in_full_precision),
    Row("which inputs need one", checks.needed, _always),
    Row("shapes of gradients", checks.shapes, _with_function, two_runs=False),
    Row("nothing kept", checks.freed, _with_function, two_runs=False),
)
"""Every check, in the order of a report."""


def checked(row: Row, subject: Subject) -> Check:
    """Makes one check on all samples that it's for.

    Args:
        row: Which check.
        subject: What is verified.

    Returns:
        The check: whether it holds on each sample that it could be tried on, or why it doesn't apply.
    """
    why_not = (
        row.why_not(subject) if subject.repeats or not row.two_runs else "two runs of the forward differ"
    )
    if why_not:
        return Check(row.name, None, 0, why_not)
    samples = [sample for sample in subject.samples if row.takes(sample)]
    if not samples:
        return Check(row.name, None, 0, "no input is in float64")
    found = [(sample, _tried(row.attempt, subject, sample)) for sample in samples]
    tried = [(sample, said) for sample, said in found if not isinstance(said, NotTried)]
    if not tried:
        return Check(row.name, None, 0, next(said.message for _, said in found if isinstance(said, NotTried)))
    faults = [(sample, said) for sample, said in tried if isinstance(said, Fault)]
    if not faults:
        apart = max((ulps for _, ulps in tried if isinstance(ulps, float)), default=None)
        return Check(row.name, True, len(tried), ulps=apart)
    sample, fault = faults[0]
    where = _where([each.name for each, _ in faults], len(tried))
    return Check(row.name, False, len(tried), where + fault.message, sample.name, fault.mismatch)


def _tried(attempt: Try, subject: Subject, sample: Sample) -> Found:
    """What the target raises is what's wrong with it: PyTorch computes the sample."""
    try:
        return attempt(subject, dataclasses.replace(sample, args=copies(sample.args)))
    except NativeError as error:
        return NotTried(f"PyTorch can't there: {error}")
    except Exception as error:
        if sample.loose:
            return NotTried(f"it takes no inputs of other ranks: {described(error)}")
        return Fault(f"it raises {described(error)}")


def _where(names: list[str], tried: int) -> str:
    """Names the sample that fails, where no other one does."""
    return f"only {names[0]}: " if len(names) == 1 and tried > 1 and names[0] != "as given" else ""
