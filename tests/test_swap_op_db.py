"""The swap on PyTorch's own samples: each entry of ``op_db`` that comes to Mul, Sub, Pow, Add or Div."""

from __future__ import annotations

import agreement
import pytest
import tallies
import torch
from op_db_samples import ENTRIES
from torch.autograd import gradcheck, gradgradcheck

import autograd_lab as lab

DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.complex64, torch.complex128)
QUICK = (torch.float64, torch.complex128)
"""What the default run takes; the sweep takes the others too."""
NAMES = ("mul", "sub", "pow", "add", "div")

CASES = [
    pytest.param(
        entry,
        dtype,
        id=f"{entry.formatted_name}-{str(dtype).removeprefix('torch.')}",
        marks=() if dtype in QUICK else pytest.mark.sweep,
    )
    for entry in ENTRIES
    for dtype in DTYPES
    if dtype in entry.supported_backward_dtypes("cpu")
]


NOT_BY_DIFFERENCES = {"__rpow__-float64"}
"""Named exceptions: its samples take negative bases to broken powers, where results are NaN, and PyTorch's own
gradients fail here too. That the rule equals PyTorch on them is tested."""


def samples(entry, dtype):
    return entry.sample_inputs("cpu", dtype, requires_grad=True)


def bound(entry, sample):
    """An operation of the positional tensors and numbers alone, and these."""
    values = [sample.input, *sample.args]
    return (lambda *given: entry.op(*given, **sample.kwargs)), values


def swapped(function):
    def run(*values):
        with lab.swap(*NAMES) as swap:
            result = function(*values)
        assert not swap.left
        run.calls += sum(swap.calls.values())
        return result

    run.calls = 0
    return run


@pytest.mark.parametrize(("entry", "dtype"), CASES)
def test_every_sample_equals_native(entry, dtype):
    count = 0
    for sample in samples(entry, dtype):
        native, values = bound(entry, sample)
        ours = swapped(native)
        parts = (agreement.reverse, agreement.forward, agreement.mapped)
        agreement.agree(ours, native, values, f"{entry.formatted_name} {sample.name}", parts)
        assert ours.calls, "nothing was swapped"
        count += 1
    assert count
    kind = str(dtype).removeprefix("torch.")
    tallies.note(
        f"op_db, mul, sub, pow, add, div and their variants as the lab's rules, {kind}: {{}} samples equal",
        count,
    )


@pytest.mark.sweep
@pytest.mark.parametrize(
    ("entry", "dtype"),
    [
        case
        for case in CASES
        if case.values[1] in (torch.float64, torch.complex128) and case.id not in NOT_BY_DIFFERENCES
    ],
)
def test_every_sample_by_finite_differences(entry, dtype):
    count = 0
    for sample in samples(entry, dtype):
        native, values = bound(entry, sample)
        inputs = agreement.leaves(values)
        ours = swapped(native)

        def function(*given, ours=ours, values=values, inputs=inputs):
            there = {id(was): now for was, now in zip(inputs, given, strict=True)}
            return ours(*(there.get(id(v), v) for v in values))

        assert gradcheck(function, inputs, check_forward_ad=True, check_batched_grad=True, fast_mode=True)
        assert gradgradcheck(function, inputs, check_fwd_over_rev=True, fast_mode=True)
        count += 1
    tallies.note("op_db, the same by finite differences (gradcheck, gradgradcheck): {} samples", count)
