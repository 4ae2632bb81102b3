"""The backward as a whole: final callbacks, and an engine inside another backward."""

from __future__ import annotations

import models
import pytest
import torch
from torch.utils.checkpoint import checkpoint

import autograd_lab as lab

RUNS = {"native": lambda loss: loss.backward(), "glass": lambda loss: lab.replay(loss, accumulate=True)}


def queue(callback):
    torch.autograd.Variable._execution_engine.queue_callback(callback)


# --- what it's told of itself ------------------------------------------------------------


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
def test_what_runs_in_a_nodes_turn_can_ask_which_node_that_is(run):
    asked = {}

    def asks(who):
        asked[who] = torch._C._current_autograd_node()

    class Asks(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.clone()

        @staticmethod
        def backward(ctx, grad):
            asks("backward")
            return grad

    def unpack(saved):
        asks("unpack")
        return saved

    x = torch.ones(2, requires_grad=True)
    own = Asks.apply(x)
    with torch.autograd.graph.saved_tensors_hooks(lambda saved: saved, unpack):
        y = own.exp()
    y.register_hook(lambda grad: asks("tensor hook"))
    y.grad_fn.register_prehook(lambda grads: asks("prehook"))
    y.grad_fn.register_hook(lambda *grads: asks("posthook"))
    x.register_post_accumulate_grad_hook(lambda leaf: asks("post-accumulate hook"))
    run(y.sum())
    assert asked.pop("backward") is own.grad_fn
    assert asked.pop("post-accumulate hook") is torch.autograd.graph.get_gradient_edge(x).node
    assert set(asked) == {"unpack", "tensor hook", "prehook", "posthook"}
    assert all(node is y.grad_fn for node in asked.values())
    assert torch._C._current_autograd_node() is None


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
def test_a_later_backward_has_a_higher_number(run):
    numbers = []
    for _ in range(3):
        x = torch.ones(2, requires_grad=True)
        x.register_hook(lambda grad: numbers.append(torch._C._current_graph_task_id()))
        run(x.sum())
    assert numbers == [numbers[0], numbers[0] + 1, numbers[0] + 2]
    assert torch._C._current_graph_task_id() == -1


# --- final callbacks -------------------------------------------------------------------


class Queues(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, callback):
        ctx.callback = callback
        return x.clone()

    @staticmethod
    def backward(ctx, grad):
        queue(ctx.callback)
        return grad, None


def _in_a_function(x, callback):
    return Queues.apply(x, callback)


def _in_a_tensor_hook(x, callback):
    y = x * 1
    y.register_hook(lambda _: queue(callback))
    return y


def _in_a_pre_hook(x, callback):
    y = x * 1
    y.grad_fn.register_prehook(lambda _: queue(callback))
    return y


def _in_a_post_hook(x, callback):
    y = x * 1
    y.grad_fn.register_hook(lambda *_: queue(callback))
    return y


def _in_a_leafs_hook(x, callback):
    x.register_hook(lambda _: queue(callback))
    return x * 1


def _in_a_checkpoint(x, callback):
    return checkpoint(_in_a_function, x, callback, use_reentrant=False)


PLACES = {
    f.__name__.removeprefix("_in_a_").replace("_", " "): f
    for f in (
        _in_a_function, _in_a_tensor_hook, _in_a_pre_hook, _in_a_post_hook, _in_a_leafs_hook, _in_a_checkpoint,
    )
}  # fmt: skip


@pytest.mark.parametrize("place", list(PLACES))
def test_final_callbacks_run_when_the_backward_ends(place):
    """In the order in which they were queued; what a callback queues comes after."""
    runs = {}
    for name, run in RUNS.items():
        seen = []
        x = torch.ones(2, requires_grad=True)

        def last(seen=seen):
            seen.append(("last", torch.is_grad_enabled()))

        def callback(seen=seen, last=last):
            seen.append(("callback", torch.is_grad_enabled()))
            queue(last)

        y = PLACES[place](x, callback)
        z = x.exp()
        z.register_hook(lambda _, seen=seen: queue(lambda: seen.append("other")))
        x.register_hook(lambda g, seen=seen: seen.append(("leaf", g.tolist())))
        run((y.sin() + z).sum())
        runs[name] = seen, x.grad.tolist()
    assert runs["glass"] == runs["native"]
    assert [("leaf", runs["native"][1]), "other", ("callback", False), ("last", False)] == sorted(
        runs["native"][0],
        key=lambda each: ["leaf", "other", "callback", "last"].index(each if each == "other" else each[0]),
    )


def test_step_by_step_callbacks_run_with_the_last_step():
    seen = []
    x = torch.ones(2, requires_grad=True)
    engine = lab.Engine(_in_a_function(x * 2, lambda: seen.append("called")).sum())
    while not engine.done:
        assert seen == []
        engine.step()
    assert seen == ["called"]


def test_a_backward_that_fails_calls_none_back():
    seen = []
    x = torch.ones(2, requires_grad=True)
    y = x * 2
    y.register_hook(lambda _: 1 / 0)
    loss = _in_a_function(y, lambda: seen.append("called")).sum()
    for run in (lambda: loss.backward(retain_graph=True), lambda: lab.replay(loss)):
        with pytest.raises(ZeroDivisionError):
            run()
    assert seen == []


def test_a_native_backward_inside_keeps_its_own_callbacks():
    runs = {}
    for name, run in RUNS.items():
        seen = []

        def hook(_, seen=seen):
            inner = torch.ones(1, requires_grad=True)
            with torch.enable_grad():
                loss = _in_a_function(inner, lambda: seen.append("inner")).sum()
            loss.backward()
            seen.append("hook over")

        y = _in_a_function(torch.ones(2, requires_grad=True), lambda seen=seen: seen.append("outer"))
        y.register_hook(hook)
        run(y.sum())
        runs[name] = seen
    assert runs["glass"] == runs["native"] == ["inner", "hook over", "outer"]


def test_outside_of_a_backward_a_callback_is_refused_as_always():
    engine = torch.autograd.Variable._execution_engine
    lab.replay(torch.ones(2, requires_grad=True).sum())
    assert torch.autograd.Variable._execution_engine is engine
    with pytest.raises(RuntimeError, match="Final callbacks can only be installed during backward pass"):
        queue(lambda: None)


# --- an engine inside another backward ---------------------------------------------------


def _by_backward_of_some(loss, leaf):
    loss.backward(inputs=[leaf])


def _by_grad(loss, leaf):
    torch.autograd.grad(loss, leaf)


def _by_another_engine(loss, leaf):
    lab.replay(loss, names={"p": leaf})


OUTER = {"backward": lambda loss, _: loss.backward(), "backward(inputs=)": _by_backward_of_some, "grad": _by_grad,
         "engine": _by_another_engine}  # fmt: skip
WHERE = {
    "tensor hook": lambda y, hook: y.register_hook(lambda _: hook()),
    "pre-hook": lambda y, hook: y.grad_fn.register_prehook(lambda _: hook()),
    "post-hook": lambda y, hook: y.grad_fn.register_hook(lambda *_: hook()),
}


@pytest.mark.parametrize("outer", list(OUTER))
@pytest.mark.parametrize("where", list(WHERE))
def test_an_engine_inside_another_backward_computes_all_gradients(outer, where):
    found = []

    def hook():
        torch.manual_seed(1)
        with torch.enable_grad():
            q, v = torch.randn(3, requires_grad=True), torch.randn(2, requires_grad=True)
            a, b = checkpoint(lambda q: (q * 2).exp(), q, use_reentrant=False).split([1, 2])
            loss = (models.DrawsNoise.apply(a).sum() + (b * v).tanh().sum()) * 3
        trace = lab.replay(loss, names={"q": q, "v": v})
        made = lab.replay(loss, names={"q": q, "v": v}, create_graph=True)
        torch.manual_seed(2)
        check = lab.check_engine(loss)
        with torch.enable_grad():
            other = (b * v).tanh().sum() * 3
        expected = torch.autograd.grad(other, (q, v), retain_graph=True)
        found.append(
            (trace.grads["v"].tolist(), expected[1].tolist(), str(check), made.grads["v"].requires_grad)
        )
        assert trace.grads["q"][1:].tolist() == expected[0][1:].tolist()

    p = torch.ones(3, requires_grad=True)
    y = p * p
    WHERE[where](y, hook)
    OUTER[outer](y.sum(), p)
    ((ours, expected, check, differentiable),) = found
    assert ours == expected
    assert check.startswith("the same:")
    assert differentiable


def test_an_engine_inside_another_backward_notes_its_own_errors():
    """With anomaly mode on, which stays as it is."""
    seen = []

    def hook(_):
        with torch.enable_grad():
            loss = (torch.zeros(2, requires_grad=True).sqrt() * 0).sum()
        with pytest.raises(lab.GradientError, match=r"SqrtBackward0.*nan"):
            lab.replay(loss)
        seen.append((torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled()))

    p = torch.ones(3, requires_grad=True)
    y = p * p
    y.register_hook(hook)
    with pytest.warns(UserWarning, match="Anomaly Detection"), torch.autograd.detect_anomaly():
        torch.autograd.grad(y.sum(), p)
    assert seen == [(True, True)]
    assert not torch.is_anomaly_enabled()
