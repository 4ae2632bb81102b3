"""Python Functions in the glass engine: what they're called with, and whom their gradients reach."""

from __future__ import annotations

import itertools
import random

import models
import pytest
import torch

import autograd_lab as lab

VIEWS = {
    "slice": lambda h: h[:],
    "view": lambda h: h.view(3),
    "transposed": lambda h: h.t(),
    "expanded": lambda h: h.expand(3),
    "unsqueezed": lambda h: h.unsqueeze(0).squeeze(0),
    "of torch's own": lambda h: h.view_as(h),
}
"""Views made under ``no_grad`` of what requires a gradient: they require one, and nothing is sent to them."""


class TwoAndThree(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a, b):
        return a * 2 + b * 3

    @staticmethod
    def backward(ctx, grad):
        return grad * 2, grad * 3


@pytest.mark.parametrize("form", list(VIEWS))
def test_a_view_made_under_no_grad_takes_no_other_operands_gradient(form):
    w = torch.ones(3, requires_grad=True)
    h = w * 1
    with torch.no_grad():
        view = VIEWS[form](h)
    loss = TwoAndThree.apply(view, h).sum()
    loss.backward(retain_graph=True)
    assert lab.replay(loss, names={"w": w}).grads["w"].tolist() == w.grad.tolist() == [3.0, 3.0, 3.0]


def _under_no_grad(h):
    with torch.no_grad():
        return h[:]


ARGUMENTS = {
    "leaf": lambda w: w,
    "result": lambda w: w * 1,
    "view": lambda w: (w * 1)[:],
    "view under no_grad": lambda w: _under_no_grad(w * 1),
    "detached": lambda w: (w * 1).detach(),
    "constant": lambda w: torch.full((3,), 2.0),
    "integers": lambda w: torch.arange(3),
    "number": lambda w: 2.5,
    "flag": lambda w: None,
}


def function(seen, outputs, returns, materialize):
    """A Function of whatever it's given, that notes what its backward gets."""

    class Mixed(torch.autograd.Function):
        @staticmethod
        def forward(ctx, *args):
            ctx.set_materialize_grads(materialize)
            total = sum(arg.detach() * (k + 1) for k, arg in enumerate(args) if isinstance(arg, torch.Tensor))
            made = {
                "tensor": lambda: total * 2,
                "indices": lambda: torch.arange(4),
                "words": lambda: "words",
                "nothing": lambda: None,
            }
            results = tuple(made[kind]() for kind in outputs)
            ctx.mark_non_differentiable(
                *[r for r, kind in zip(results, outputs, strict=True) if kind == "indices"]
            )
            return results

        @staticmethod
        def backward(ctx, *grads):
            seen.append(("backward", [said(grad) for grad in grads]))
            total = sum((grad for grad in grads if grad is not None and grad.shape == (3,)), torch.zeros(3))
            return tuple(total * (k + 2) if does else None for k, does in enumerate(returns))

    return Mixed


def said(grad):
    return grad if not isinstance(grad, torch.Tensor) else (grad.dtype, grad.tolist())


def ran(case, run):
    """What the hooks and the backward of a Function saw, and every leaf's gradient."""
    seen = []
    leaves = [torch.tensor([1.0, 2.0, 3.0], requires_grad=True) for _ in case["arguments"]]
    args = [ARGUMENTS[kind](leaf) for kind, leaf in zip(case["arguments"], leaves, strict=True)]
    results = function(seen, case["outputs"], case["returns"], case["materialize"]).apply(*args)
    differentiable = [r for r in results if isinstance(r, torch.Tensor) and r.requires_grad]
    node = differentiable[0].grad_fn
    if case["hooks"]:
        for index, result in enumerate(differentiable):
            result.register_hook(lambda g, n=index: seen.append((f"tensor {n}", said(g))))
        node.register_prehook(lambda gs: seen.append(("pre", [said(g) for g in gs])))
        node.register_hook(lambda gi, go: seen.append(("post", [said(g) for g in gi], [said(g) for g in go])))
    loss = sum(
        (models.Drops.apply(r) if drop else r.exp()).sum()
        for r, drop in zip(differentiable, case["drops"], strict=False)
    )
    try:
        grads = run(loss, {f"w{k}": leaf for k, leaf in enumerate(leaves)})
    except RuntimeError as error:
        return seen, str(error)
    return seen, [
        grads.get(f"w{k}") if grads.get(f"w{k}") is None else models.raw_bytes(grads[f"w{k}"])
        for k in range(len(leaves))
    ]


def native(loss, names):
    loss.backward()
    return {name: leaf.grad for name, leaf in names.items() if leaf.grad is not None}


def glass(loss, names):
    return lab.replay(loss, names=names).grads


def cases(count, seed):
    """Random Functions, which return a gradient for tensors as they please, and for others once in a while."""
    draw = random.Random(seed)
    for _ in range(count):
        arguments = draw.choices(list(ARGUMENTS), k=draw.randint(1, 5))
        if not {"leaf", "result", "view"} & {*arguments}:
            arguments[draw.randrange(len(arguments))] = "result"
        outputs = draw.choices(["tensor", "indices", "words", "nothing"], [4, 1, 1, 1], k=draw.randint(1, 3))
        if "tensor" not in outputs:
            outputs[0] = "tensor"
        tensors = [kind not in ("number", "flag") for kind in arguments]
        yield {
            "arguments": arguments,
            "outputs": outputs,
            "returns": [draw.random() < (0.8 if one else 0.05) for one in tensors],
            "materialize": draw.random() < 0.6,
            "hooks": draw.random() < 0.6,
            "drops": [draw.random() < 0.4 for _ in outputs],
        }


@pytest.mark.parametrize("seed", range(4))
def test_functions_get_and_give_what_they_do_natively(seed):
    for case in cases(15, seed):
        assert ran(case, glass) == ran(case, native), case


@pytest.mark.parametrize(
    ("outputs", "materialize"),
    [*itertools.product([["tensor", "indices", "words"], ["tensor", "tensor"]], [True, False])],
)
def test_what_a_function_gets_where_all_is_undefined(outputs, materialize):
    """Zeros of the output's own shape for a tensor, ``None`` for what is none."""
    case = {
        "arguments": ["result", "number"], "outputs": outputs, "returns": [True, False], "materialize": materialize,
        "hooks": True, "drops": [True, True],
    }  # fmt: skip
    seen, grads = ran(case, glass)
    assert (seen, grads) == ran(case, native)
    if materialize and len(outputs) == 3:
        assert ("backward", [(torch.float32, [0.0] * 3), (torch.int64, [0] * 4), None]) in seen
    if not materialize:
        assert ("backward", [None] * len(outputs)) in seen


def test_a_gradient_for_what_needs_none_reaches_the_hooks_of_a_module():
    calls = []

    class Scales(torch.nn.Module):
        def forward(self, x, y):
            return TwoAndThree.apply(x, y)

    for run in (torch.Tensor.backward, lab.replay):
        module, seen = Scales(), []
        module.register_full_backward_hook(lambda _, gi, go, seen=seen: seen.append([*map(said, gi)]))
        run(module(torch.ones(3, requires_grad=True), torch.ones(3)).sum())
        calls.append(seen)
    assert calls[0] == calls[1]
    constant = torch.ones(2)
    check = lab.check_engine(TwoAndThree.apply(torch.ones(2, requires_grad=True), constant).sum())
    assert check.ok, check
