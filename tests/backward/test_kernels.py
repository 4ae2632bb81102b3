"""Which kernels ran in which node's turn, and who ran them: the node, the engine or a hook."""

from __future__ import annotations

import interrupts
import leftovers
import pytest
import torch
from torch._ops import HigherOrderOperator
from torch.utils import _python_dispatch
from torch.utils.checkpoint import checkpoint

from autograd_lab._torch import kernels
from autograd_lab.backward import trace, watch
from autograd_lab.hold import Hold
from autograd_lab.records import Kernel


def ran(done):
    """Node's name → its kernels, as ``name by``."""
    return {
        done.graph.node(step.node).name: [
            f"{kernel.name.removeprefix('aten::')} by {kernel.by}" for kernel in step.kernels
        ]
        for step in done.steps
    }


def test_kernels_are_listed_and_the_engines_own_are_marked():
    w = torch.ones(3, requires_grad=True)
    b = torch.ones(1, requires_grad=True)
    y = w.exp()
    done = trace((y * y + b).sum(), names={"w": w, "b": b}, kernels=True)
    ran = {done.graph.node(step.node).name: step.kernels for step in done.steps if step.kernels}
    own = [kernel.name for kernel in ran["ExpBackward0"] if not kernel.hidden]
    assert own == ["aten::detach", "aten::mul.Tensor"]  # the saved result is unpacked, then multiplied
    hidden = [kernel for kernels in ran.values() for kernel in kernels if kernel.hidden]
    reduced = Kernel("aten::sum.dim_IntList", "validate_outputs")  # b's gradient, to b's shape
    added = Kernel("aten::add.Tensor", "input_buffer")  # y's two gradients
    assert hidden == [reduced, added]
    assert ran["AddBackward0"] == (reduced,)
    plain = trace((w.exp() * 2).sum(), names={"w": w}, stats="full")
    assert all(step.kernels == () for step in plain.steps)


def test_statistics_do_not_show_among_the_kernels():
    w = torch.ones(3, requires_grad=True)
    listed = [
        [
            step.kernels
            for step in trace((w.exp() * 2).sum(), names={"w": w}, kernels=True, stats=stats).steps[:3]
        ]
        for stats in (None, "full")
    ]
    assert listed[0] == listed[1]


def test_kernels_of_hooks_are_the_hooks():
    w = torch.ones(3, requires_grad=True)
    y = w * 2
    y.register_hook(lambda grad: grad.neg())
    y.grad_fn.register_hook(lambda grads, _: (grads[0].cos(), None))

    def sign(leaf):
        leaf.grad.sign_()

    w.register_post_accumulate_grad_hook(sign)
    done = trace(y.sum(), names={"w": w}, kernels=True)
    by = {kernel.name: kernel.by for step in done.steps for kernel in step.kernels}
    assert (by["aten::neg"], by["aten::cos"], by["aten::sign_"]) == ("hook", "hook", "hook")
    assert by["aten::mul.Tensor"] == "node"


def test_a_hooks_kernels_are_in_the_turn_of_the_node_that_it_is_on():
    """Torch calls the hooks on a node's tensors, and its pre-hooks, before any hook of the lab's."""
    w = torch.ones(3, requires_grad=True)
    y = w.exp()
    loss = (y * 2).sum()
    loss.register_hook(lambda grad: grad.neg())
    y.register_hook(lambda grad: grad.cos())
    y.grad_fn.register_prehook(lambda grads: (grads[0].sinh(),))
    w.register_hook(lambda grad: grad.tan())
    assert ran(trace(loss, names={"w": w}, kernels=True)) == {
        "SumBackward0": ["neg by hook", "expand by node"],
        "MulBackward0": ["mul.Tensor by node"],
        "ExpBackward0": ["cos by hook", "sinh by hook", "detach by node", "mul.Tensor by node"],
        "AccumulateGrad": ["tan by hook", "detach by node"],
    }


def test_what_a_backward_in_a_hook_runs_was_run_by_the_hook():
    """As the inner backward's own trace sees it, its nodes and its engine ran it."""
    a = torch.ones(3, requires_grad=True)
    b = a.exp()
    inner = []

    def hook(grad):
        if not inner:
            inner.append(None)  # the inner backward fires this hook again
            with torch.enable_grad():
                inner.append(trace((b * b).sum(), inputs=[a], retain_graph=True, kernels=True))

    b.register_hook(hook)
    done = ran(trace((b * 2).sum(), names={"a": a}, kernels=True))
    assert set(done["ExpBackward0"][:-2]) == {
        f"{name} by hook" for name in ("mul.Tensor", "sum", "ones_like", "expand", "add.Tensor", "detach")
    }
    assert done["ExpBackward0"][-2:] == ["detach by node", "mul.Tensor by node"]
    assert done["MulBackward0"] == ["mul.Tensor by node"]
    found = ran(inner[1])
    assert found["MulBackward0"] == ["mul.Tensor by node"] * 2 + ["add.Tensor by input_buffer"]
    assert found["ExpBackward0"] == ["detach by node", "mul.Tensor by node"]


def test_what_a_reentrant_checkpoint_computes_again_is_its_nodes_own():
    x = torch.ones(3, requires_grad=True)
    y = checkpoint(lambda x: (x * x).cos(), x, use_reentrant=True)
    done = ran(trace(y.sum(), names={"x": x}, kernels=True))
    again = done["CheckpointFunctionBackward"]
    assert {"cos by node", "sin by node"} <= set(again)
    assert all(kernel.endswith(" by node") for kernel in again)


def test_kernels_of_a_hook_that_raises():
    b = torch.ones(3, requires_grad=True) * 2
    b.register_hook(lambda grad: grad.cos() / [])
    with pytest.raises(TypeError) as caught:
        trace(b.sum(), kernels=True)
    assert ran(caught.value.autograd_lab_trace) == {"SumBackward0": ["expand by node"]}


class NoRule(HigherOrderOperator):
    """Has a kernel and no rule for any mode."""

    def __init__(self):
        super().__init__("autograd_lab_no_rule")

    def __call__(self, *args):
        return super().__call__(*args)


no_rule = NoRule()


@no_rule.py_impl(torch._C.DispatchKey.CompositeExplicitAutograd)
def _kernel(function, x):
    return function(x) * 3


@no_rule.py_impl(torch._C.DispatchKey.Autograd)
def _below_autograd(function, x):
    with torch._C._AutoDispatchBelowAutograd():
        return no_rule(function, x)


def sine(x):
    return x.sin()


def cosine(x):
    return x.cos()


HIGHER_ORDER = {
    "autograd_lab_no_rule": lambda grad: no_rule(sine, grad),
    "cond": lambda grad: torch.ops.higher_order.cond(grad.sum() > 0, sine, cosine, (grad,)),
    "while_loop": lambda grad: torch.ops.higher_order.while_loop(
        lambda count, x: count < 3, lambda count, x: (count + 1, x.sin()), (torch.tensor(0), grad), ()
    )[1],
    "map_impl": lambda grad: torch.ops.higher_order.map_impl(lambda x: (x.sin(),), (grad,), ())[0],
    "scan": lambda grad: torch.ops.higher_order.scan(
        lambda carry, x: (carry + x, carry * 1), [torch.ones(())], [grad], ()
    )[1],
}


@pytest.mark.parametrize("name", HIGHER_ORDER)
def test_higher_order_operators_run_as_ever_and_are_listed(name):
    class Runs(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, grad):
            return HIGHER_ORDER[name](grad)

    def gradient(backward):
        x = torch.linspace(0.1, 1, 4, requires_grad=True)
        done = backward((Runs.apply(x) * torch.linspace(1, 2, 4)).sum())
        return x.grad.tolist(), done

    plain, _ = gradient(torch.autograd.backward)
    watched, done = gradient(lambda loss: trace(loss, kernels=True, stats="full"))
    assert watched == plain
    assert f"higher_order::{name}" in [kernel.name for step in done.steps for kernel in step.kernels]


def test_what_an_interrupted_enter_or_exit_of_the_mode_left_is_put_right():
    class Block(Hold):
        def __enter__(self):
            super().__enter__()
            kernels.watch_kernels(self, lambda *_: None)
            return self

    def block():
        with Block():
            torch.ones(2).add(1)

    before = leftovers.everywhere()
    for within in (kernels.__file__, _python_dispatch.__file__):
        for moment in interrupts.each_moment(block, within=within, step=3):
            assert leftovers.everywhere() == before, moment


def _watched(loss: torch.Tensor, **options: object) -> None:
    with watch(**options):
        loss.backward()


def _cond(x: torch.Tensor) -> torch.Tensor:
    return torch.cond(x.sum() > 0, sine, cosine, (x,))


@pytest.mark.parametrize("watched", [trace, _watched], ids=["trace", "watch"])
def test_cond_in_a_checkpoint_still_compiles_afterwards(watched):
    def loss():
        return checkpoint(_cond, torch.ones(2, requires_grad=True), use_reentrant=False).sum()

    torch._dynamo.reset()
    watched(loss(), kernels=True)

    loss().backward()
    _cond(torch.ones(2, requires_grad=True)).sum().backward()


def test_a_function_that_is_first_called_in_a_hook_is_compiled():
    compiled = []

    def backend(module, example):
        del example
        compiled.append(module)
        return module.forward

    torch._dynamo.reset()
    doubled = torch.compile(lambda grad: grad.sin() * 2, backend=backend)
    x = torch.ones(2, requires_grad=True)
    y = x * 3
    y.register_hook(doubled)

    traced = trace(y.sum(), kernels=True, retain_graph=True)
    y.sum().backward()

    assert len(compiled) == 1
    names = [kernel.name for kernel in traced.steps[1].kernels if kernel.by == "hook"]
    assert names == ["aten::sin", "aten::mul.Tensor"]
