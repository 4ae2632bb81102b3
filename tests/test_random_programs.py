"""Random programs notice nothing of the lab: see ``programs.py``."""

from __future__ import annotations

import contextlib
import os
import warnings

import numbers_of_programs as numbers
import programs
import pytest
import torch
from hypothesis import HealthCheck, given, settings

import autograd_lab as lab

QUICK, LONG = 60, int(os.environ.get("RANDOM_PROGRAMS", "400"))
"""How many programs the default run and the sweep try in each way. With 4,000, the sweep tries 20,000."""

PLAIN = programs.Tools()
WATCHES = {
    "nothing kept": {"stats": None, "forward": None},
    "as it comes": {},
    "everything": {"stats": "full", "forward": "stats", "keep": "all"},
}


def account(program, tools=PLAIN, around=contextlib.nullcontext):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns of gradients of non-leaves, and of create_graph
        with around():
            return programs.run(program, tools).lines


def watched(program):
    native = account(program)
    for name, options in WATCHES.items():
        assert account(program, around=lambda options=options: lab.watch(**options)) == native, name


def traced(program):
    def trace(outputs, grad_tensors=None, **options):
        try:
            lab.trace(outputs, grad_tensors=grad_tensors, **options)
        except lab.GraphError:  # the lab's word for outputs without a graph; torch has to refuse them, too
            torch.autograd.backward(outputs, grad_tensors, **options)

    assert account(program, programs.Tools(backward=trace)) == account(program)


def captured(program):
    def look(outputs):
        try:
            lab.capture(outputs)
        except lab.GraphError:
            assert not outputs[0].requires_grad
        except RuntimeError:  # torch refuses to say what node a view has that is out of date
            with pytest.raises(RuntimeError, match="is a view"):
                _ = outputs[0].grad_fn

    assert account(program, programs.Tools(look=look)) == account(program)


def swapped(program):
    """Under a swap, watching changes nothing either."""
    native = account(program, around=lab.swap)

    @contextlib.contextmanager
    def both():
        with lab.swap(), lab.watch():
            yield

    assert account(program, around=both) == native


ONE_SIDED = {
    "modified by an inplace": "a rule may save another tensor than PyTorch does",
    "refer to a single memory location": "a rule in place computes the new values first, then writes them",
    "backward through the graph a second time": "a rule that gets no gradient reads nothing, whether freed or not",
    "Expected isFloatingType(grad.scalar_type())": "where sends a complex gradient to a real operand",
}
"""What may be raised with a swap or without it alone, and why."""


def swapped_like_pytorch(program):
    """A swap gives PyTorch's gradients to rounding, and the same exceptions, but for `ONE_SIDED`.

    Hooks on a node that is swapped see the rule's own gradients, and which memory a gradient gets is PyTorch's affair
    and the rule's: neither is compared.
    """
    native, ours = account(program), account(program, around=lab.swap)
    if any(words in str(line) for line in (*native, *ours) for words in ONE_SIDED):
        return
    used = [programs.DTYPES[leaf.dtype] for leaf in program.leaves]
    if any(instruction.name == "to float" for instruction in program.instructions):
        used.append(torch.float32)
    assert numbers.close(_what_a_swap_keeps(native), _what_a_swap_keeps(ours), numbers.rounding(used))


def _what_a_swap_keeps(lines):
    """The lines of an account that a swap leaves as they are.

    Of an exception, its type: where an operation is wrong in two ways, the rule may be told of the other one first.
    """
    kept = [line for line in lines if line[0] not in ("hook", "shared")]
    return [
        line[: 2 if line[0] == "grad" else 4] if "raised" in line or line[0] == "grad" else line
        for line in kept
    ]


WAYS = [watched, traced, captured, swapped, swapped_like_pytorch]


@pytest.mark.parametrize("way", WAYS)
@settings(max_examples=QUICK, derandomize=True, suppress_health_check=list(HealthCheck))
@given(program=programs.programs)
def test_a_program_notices_nothing(way, program):
    way(program)


@pytest.mark.sweep
@pytest.mark.parametrize("way", WAYS)
def test_many_programs_notice_nothing(way, figure):
    tried = 0

    @settings(max_examples=LONG, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(program=programs.programs)
    def each(program):
        nonlocal tried
        way(program)
        tried += 1

    each()
    figure(f"random programs: {way.__name__} {tried}, no difference")
