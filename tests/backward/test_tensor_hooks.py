"""Hooks on tensors, retained gradients, and gradients that are undefined."""

from __future__ import annotations

import models
import pytest
import torch

import autograd_lab as lab


def same(a, b):
    return models.raw_bytes(a) == models.raw_bytes(b)


def test_hooks_about_grad_run_only_where_grad_is_written():
    w = torch.ones(2, requires_grad=True)
    y = w * 2
    y.retain_grad()
    y.register_hook(lambda g: g * 5)  # so that the node's hooks are called at all
    calls = []
    w.register_post_accumulate_grad_hook(lambda leaf: calls.append(leaf.grad.tolist()))
    trace = lab.replay(y.sum(), names={"w": w})
    assert (w.grad, y.grad, calls) == (None, None, [])
    assert trace.grads["w"].tolist() == [10.0, 10.0]
    lab.replay(y.sum(), accumulate=True)
    assert (w.grad.tolist(), y.grad.tolist(), calls) == ([10.0, 10.0], [5.0, 5.0], [[10.0, 10.0]])
    lab.replay(y.sum(), accumulate=True)
    assert (w.grad.tolist(), y.grad.tolist()) == ([20.0, 20.0], [10.0, 10.0])


def test_retained_gradients_stay_as_they_were():
    y = torch.ones(2, requires_grad=True) * 2
    y.retain_grad()
    y.register_hook(lambda g: g)
    y.sum().backward(retain_graph=True)
    was = y.grad
    lab.replay(y.sum())
    lab.check_engine(y.sum())
    assert y.grad is was
    assert was.tolist() == [1.0, 1.0]


def test_a_hook_stays_with_the_tensor_as_it_was_and_a_retained_gradient_goes_along():
    """In-place operations give a tensor another node: what was put on it before sees the gradient of what it was."""
    runs = []
    for run in (torch.Tensor.backward, lambda loss: lab.replay(loss, accumulate=True)):
        seen = []
        w = torch.tensor([1.0, 2.0], requires_grad=True)
        y = w * 2
        y.register_hook(lambda g, seen=seen: seen.append(("before", g.tolist())))
        y.retain_grad()
        y.mul_(3)
        y.register_hook(lambda g, seen=seen: seen.append(("after", g.tolist())) or g * 2)
        run((y * y).sum())
        runs.append((seen, y.grad.tolist(), w.grad.tolist()))
    assert [name for name, _ in runs[0][0]] == ["after", "before"]
    assert runs[1] == runs[0]


# --- undefined gradients -------------------------------------------------------------


def taker(materialize, seen, *, indices=False):
    class Takes(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, flag, other):
            ctx.set_materialize_grads(materialize)
            number = torch.arange(3)
            ctx.mark_non_differentiable(number)
            return (x * 2, x * 3, number) if indices else (x * 2, x * 3)

        @staticmethod
        def backward(ctx, *grads):
            seen.append([None if grad is None else (grad.dtype, grad.tolist()) for grad in grads])
            return None if grads[0] is None else grads[0] * 2, None, None

    return Takes


@pytest.mark.parametrize("indices", [False, True])
@pytest.mark.parametrize("materialize", [False, True])
@pytest.mark.parametrize("drop", [(0,), (1,), (0, 1), ()])
def test_undefined_gradients_reach_functions_as_natively(materialize, drop, indices):
    runs = []
    for engine in ("native", "glass"):
        seen = []
        w = torch.ones(2, requires_grad=True)
        x = w * 1
        results = taker(materialize, seen, indices=indices).apply(x, True, torch.ones(1))[:2]
        hooks = []
        results[0].register_hook(lambda g, hooks=hooks: hooks.append(g))
        results[0].grad_fn.register_prehook(lambda g, hooks=hooks: hooks.append([p is None for p in g]))
        loss = sum((models.Drops.apply(r) if i in drop else r.exp()).sum() for i, r in enumerate(results))
        if engine == "native":
            loss.backward()
            grad = w.grad
        else:
            grad = lab.replay(loss, names={"w": w}).grads.get("w")
        if drop == (0, 1) and indices:
            seen = [some[:2] for some in seen]  # what an integer output's zeros are can't be had then
        if drop != (0, 1):
            runs.append((seen, str(hooks), None if grad is None else grad.tolist()))
        else:
            runs.append((seen, None if grad is None else grad.tolist()))
    assert runs[0] == runs[1]


@pytest.mark.parametrize("kind", ["op", "function"])
def test_hooks_are_called_with_none_where_all_is_undefined(kind):
    runs = []
    for run in (lambda loss: loss.backward(), lab.replay):
        calls = []
        w = torch.ones(2, requires_grad=True)
        w.register_hook(lambda g, calls=calls: calls.append(("leaf", g)))
        y = w * 3 if kind == "op" else taker(False, []).apply(w * 1, True, torch.ones(1))[0]
        y.register_hook(lambda g, calls=calls: calls.append(("intermediate", g)))
        run(models.Drops.apply(y).sum())
        runs.append(calls)
    assert runs[0] == [("intermediate", None), ("leaf", None)]
    assert runs[1] == runs[0]


def test_a_hook_can_not_make_a_gradient_where_there_is_none():
    for run in (lambda loss: loss.backward(), lab.replay):
        w = torch.ones(2, requires_grad=True)
        w.register_hook(lambda g: torch.ones(2))
        with pytest.raises(RuntimeError, match="can't replace a None gradient with a non-None value"):
            run(models.Drops.apply(w * 1).sum())
