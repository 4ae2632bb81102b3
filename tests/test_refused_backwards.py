"""Backwards that torch refuses, or that do nothing: watched, they end as they do without the lab, and can be shown."""

from __future__ import annotations

import pytest
import torch

import autograd_lab as lab
from autograd_lab.draw import traces_table


def leaf(**options):
    return torch.ones(2, requires_grad=True, **options)


def no_graph():
    torch.zeros(()).backward()


def integer_loss():
    torch.zeros((), dtype=torch.int64).backward()


def no_gradient_for_grad():
    torch.autograd.grad(torch.zeros(()), leaf())


def no_outputs():
    torch.autograd.backward(())


def nothing_by_grad():
    torch.autograd.grad((), [leaf()], allow_unused=True)


def nothing_by_grad_not_allowed():
    torch.autograd.grad((), [leaf()])


def one_of_several():
    torch.autograd.backward([(leaf() * 2).sum(), torch.zeros(())])


def the_first_of_several():
    torch.autograd.backward([torch.zeros(()), (leaf() * 2).sum()])


def out_of_reach():
    torch.autograd.grad((leaf() * 2).sum(), leaf())


def inputs_out_of_reach():
    (leaf() * 2).sum().backward(inputs=[leaf()])


def no_scalar():
    (leaf() * 2).backward()


def twice():
    loss = leaf().exp().sum()
    loss.backward()
    loss.backward()


def another_shape():
    loss = (leaf() * 2).sum()
    torch.autograd.backward(loss, torch.ones(7))


def in_inference_mode():
    with torch.inference_mode():
        torch.ones(()).backward()


CALLS = [
    no_graph, integer_loss, no_gradient_for_grad, no_outputs, nothing_by_grad, nothing_by_grad_not_allowed,
    one_of_several, the_first_of_several, out_of_reach, inputs_out_of_reach, no_scalar, twice, another_shape,
    in_inference_mode,
]  # fmt: skip


def outcome(call):
    try:
        call()
    except Exception as error:
        return type(error), error.args, error.__cause__
    return None


@pytest.mark.parametrize("options", [{}, {"kernels": True, "stats": "full", "keep": "all"}, {"limit": 0}])
@pytest.mark.parametrize("call", CALLS)
def test_it_ends_as_without_the_lab_and_its_trace_can_be_shown(call, options, tmp_path):
    plain = outcome(call)
    with lab.watch(**options) as watcher:
        watched = outcome(call)
    assert watched == plain
    for trace in watcher.traces:
        assert str(trace).startswith(f"{len(trace.steps)} step")
        for made in ("txt", "md", "dot", "json", "perfetto"):
            assert lab.render(trace, format=made)
        assert trace._repr_mimebundle_()
        assert lab.load(lab.save(trace, tmp_path / "trace.json")) == trace
    assert traces_table(watcher.traces)


def test_a_trace_of_no_steps_says_which_backward_it_was_and_what_stopped_it():
    with lab.watch() as watcher, pytest.raises(RuntimeError, match="does not require grad"):
        no_graph()
    (trace,) = watcher.traces
    line = no_graph.__code__.co_firstlineno + 1
    assert " ".join(str(trace).split()) == (
        f"0 steps; backward 0, test_refused_backwards.py:{line}; "
        "stopped by RuntimeError('element 0 of tensors does not require grad and does not have a grad_fn')"
    )
    assert (trace.graph.nodes, trace.steps) == ((), ())
    assert "requires no gradient" in trace.unread
    assert lab.render(trace, format="svg")


def test_where_torch_refuses_nothing_the_labs_reason_is_shown():
    with lab.watch() as watcher:
        no_outputs()
    assert "outputs holds no tensor" in " ".join(str(watcher.traces[0]).split())


def test_the_next_backward_is_traced_as_ever():
    with lab.watch() as watcher:
        for call in CALLS:
            outcome(call)
        (leaf() * 2).sum().backward()
    assert [node.name for node in watcher.traces[-1].graph.nodes] == [
        "SumBackward0",
        "MulBackward0",
        "AccumulateGrad",
    ]
    assert len(watcher.traces[-1].steps) == 3
