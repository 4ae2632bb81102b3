"""One node's turn: hooks of each kind, what a Function returns, released nodes, anomaly mode."""

from __future__ import annotations

import functools

import models
import pytest
import torch
from torch.autograd.graph import get_gradient_edge, register_multi_grad_hook
from torch.utils.checkpoint import checkpoint

import autograd_lab as lab
from autograd_lab.capture.graph import live


def same(a, b):
    return models.raw_bytes(a) == models.raw_bytes(b)


# --- hooks ---------------------------------------------------------------------------


def _lists(grads):
    grads = grads if isinstance(grads, tuple) else (grads,)
    return [None if grad is None else grad.tolist() for grad in grads]


def hooked(record, *, changing):
    """A graph with hooks of each kind, each of which records what it saw and may change it."""
    torch.manual_seed(3)
    w, v = torch.randn(3, requires_grad=True), torch.randn(3, requires_grad=True)
    y = w * v
    a, b = y.exp().split([1, 2])
    loss = (a.sum() + (b * b).sum()) * 2

    def seen(name, change=lambda *_: None):
        def hook(*grads):
            record.append((name, [_lists(some) for some in grads]))
            return change(*grads) if changing else None

        return hook

    def accumulated(leaf):
        record.append(("post-accumulate", leaf.grad.tolist()))
        if changing:
            leaf.grad = leaf.grad * 5  # not in place: what was stolen is what the post-hook sees

    y.retain_grad()  # is called after those that come later
    y.register_hook(seen("tensor 1", lambda g: g * 3))
    y.register_hook(seen("tensor 2"))
    b.register_hook(seen("tensor of slot 1", lambda g: g + 1))
    y.grad_fn.register_prehook(seen("pre 1", lambda gs: (gs[0] - 1,)))
    y.grad_fn.register_prehook(
        lambda _: record.append(("retained", None if y.grad is None else y.grad.tolist()))
    )
    y.grad_fn.register_hook(seen("post 1", lambda gi, _: (gi[0] * 2, gi[1])))
    y.grad_fn.register_hook(seen("post 2"))
    b.grad_fn.register_prehook(seen("pre of split"))
    leaf = get_gradient_edge(w).node
    leaf.register_hook(seen("leaf's post"))
    leaf.register_prehook(seen("leaf's pre", lambda gs: (gs[0] * 11,)))
    w.register_hook(seen("leaf's tensor", lambda g: g / 7))
    w.register_post_accumulate_grad_hook(accumulated)
    return loss, w, v, y


ORDER = [
    "tensor of slot 1", "pre of split",
    "tensor 1", "tensor 2", "pre 1", "retained", "post 1", "post 2",
    "leaf's tensor", "leaf's pre", "post-accumulate", "leaf's post",
]  # fmt: skip
"""What torch documents: Autograd mechanics, "Backward Hooks execution"."""


@pytest.mark.parametrize("changing", [False, True])
def test_hooks_of_each_kind_run_in_the_documented_order_and_see_what_they_see_natively(changing):
    expected, found = [], []
    loss, w, v, y = hooked(expected, changing=changing)
    loss.backward(retain_graph=True)
    assert [name for name, _ in expected] == ORDER
    ours, w2, v2, y2 = hooked(found, changing=changing)
    lab.replay(ours, accumulate=True)
    assert found == expected
    for mine, theirs in ((w2, w), (v2, v), (y2, y)):
        assert same(mine.grad, theirs.grad)
    assert ("retained", y.grad.tolist()) in found  # before the pre-hooks changed it


@pytest.mark.parametrize("changing", [False, True])
def test_a_replay_calls_all_hooks_but_those_about_grad(changing):
    expected, found = [], []
    loss, w, v, _ = hooked(expected, changing=changing)
    loss.backward(retain_graph=True)
    ours, w2, v2, y2 = hooked(found, changing=changing)
    trace = lab.replay(ours, names={"w": w2, "v": v2})
    about_grad = ("post-accumulate", "retained")
    assert [one for one in found if one[0] not in about_grad] == [
        one for one in expected if one[0] not in about_grad
    ]
    assert [one for one in found if one[0] in about_grad] == [("retained", None)]
    assert (w2.grad, v2.grad, y2.grad) == (None, None, None)
    assert same(trace.grads["w"] * (5 if changing else 1), w.grad)  # without what came after accumulation
    assert same(trace.grads["v"], v.grad)
    check = lab.check_engine(ours)
    assert check.ok, check


def test_hooks_of_modules_see_and_change_what_they_do_natively():
    runs = []
    for run in (torch.Tensor.backward, lambda loss: lab.replay(loss, accumulate=True)):
        torch.manual_seed(2)
        calls = []

        def after(module, grad_inputs, grad_outputs, calls=calls):
            calls.append((type(module).__name__, _lists(grad_inputs), _lists(grad_outputs)))
            return tuple(None if grad is None else grad * 2 for grad in grad_inputs)

        def before(_, grad_outputs, calls=calls):
            calls.append(_lists(grad_outputs))
            return (grad_outputs[0] * 3,)

        model = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.Tanh(), torch.nn.Linear(3, 1))
        for part in model:
            part.register_full_backward_hook(after)
            part.register_full_backward_pre_hook(before)
        run(model(torch.randn(2, 3, requires_grad=True)).sum())
        runs.append((calls, [models.raw_bytes(parameter.grad) for parameter in model.parameters()]))
    assert len(runs[0][0]) == 6
    assert runs[1] == runs[0]


@pytest.mark.parametrize("put_on", ["before the engine", "between two steps"])
def test_node_hooks_are_found_whenever_they_were_put_on(put_on):
    w = torch.ones(2, requires_grad=True)
    y = w * 3
    loss = (y * 1).sum()
    torch.ones(1, requires_grad=True).register_hook(lambda _: None).remove()
    calls = []

    def put():
        y.grad_fn.register_prehook(lambda g: calls.append("pre"))
        y.grad_fn.register_hook(lambda *_: calls.append("post"))

    if put_on == "before the engine":
        put()
    engine = lab.Engine(loss)
    engine.step()
    if put_on == "between two steps":
        put()
    engine.run()
    assert calls == ["pre", "post"]


def test_a_hook_may_put_a_hook_on_the_node_whose_turn_it_is():
    runs = []
    for run in (lambda loss: loss.backward(), lab.replay):
        calls = []
        y = torch.ones(2, requires_grad=True) * 3
        node = y.grad_fn
        y.register_hook(
            lambda _, n=node, c=calls: n.register_prehook(lambda _: c.append("late pre")) and None
        )
        run(y.sum())
        runs.append(calls)
    assert runs == [["late pre"]] * 2


@pytest.mark.parametrize(
    ("register", "message"),
    [
        (lambda y: y.grad_fn.register_prehook(lambda g: (g[0], g[0])), "incorrect number of values"),
        (lambda y: y.grad_fn.register_hook(lambda i, o: (i[0].double(),)), "has changed the type of value"),
        (lambda y: y.grad_fn.register_hook(lambda i, o: (i[0][:1],)), "has changed the size of value"),
        (lambda y: y.register_hook(lambda g: g[:1]), "has changed the size of value"),
    ],
)
def test_a_hook_that_returns_nonsense_is_refused_as_natively(register, message):
    y = torch.ones(3, requires_grad=True).exp()
    register(y)
    with pytest.raises(RuntimeError, match=message):
        y.sum().backward(retain_graph=True)
    with pytest.raises(RuntimeError, match=message):
        lab.replay(y.sum())


def test_hooks_that_wait_for_several_tensors_are_called_once():
    a, b = (torch.ones(2, requires_grad=True) * k for k in (2, 3))
    calls = []
    register_multi_grad_hook((a, b), lambda grads: calls.append([g.tolist() for g in grads]))
    loss = (a * b).sum()
    lab.replay(loss)
    assert calls == [[[3.0, 3.0], [2.0, 2.0]]]


def _watched(name, run, inputs):
    """What hooks on every node of a model saw, some of which change what they see; and every leaf's gradient."""
    built = models.CASES[name].build()
    outputs = models.flat(built.outputs)
    _, nodes = live(outputs, model=built.model)
    leaves = [leaf for leaf in models.leaf_tensors(outputs) if leaf.requires_grad]
    seen = []

    def hooks(index):
        def before(grads):
            seen.append((index, "pre", [_bytes(grads)]))
            return tuple(None if grad is None else grad * 0.5 for grad in grads) if index % 3 == 0 else None

        def after(grads, came):
            seen.append((index, "post", [_bytes(grads), _bytes(came)]))
            return (
                tuple(None if grad is None else grad * 1.5 for grad in grads)
                if index % 3 == 1 and grads
                else None
            )

        return before, after

    for index, node in enumerate(nodes):
        before, after = hooks(index)
        node.register_prehook(before)
        node.register_hook(after)
    options = {"inputs": leaves[-1:]} if inputs else {}
    run(outputs, grad_tensors=[models.ones_for(output) for output in outputs], **options)
    return seen, _bytes(leaf.grad for leaf in leaves)


def _bytes(grads):
    return [None if grad is None else models.raw_bytes(grad) for grad in grads]


NOT_TO_HOOK = {
    "checkpointed_reentrant": "torch refuses inputs= there",
    "nested_strided": "natively a hook on a nested gradient can't change it: torch asks for its size",
}
"""Case → why hooks on its nodes can't be compared, with ``inputs=`` and without."""


IN_THE_SWEEP = {"gpt2_eager", "bert_eager", "bert_sdpa"}
"""Large models; ``gpt2_sdpa`` stands for them in the default run."""


@pytest.mark.parametrize("inputs", [False, True])
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(case.name, marks=pytest.mark.sweep if case.name in IN_THE_SWEEP else ())
        for case in models.CASES.values()
        if case.numbers and case.name not in NOT_TO_HOOK
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_hooks_on_every_node_see_and_change_what_they_do_natively(name, inputs):
    expected = _watched(name, torch.autograd.backward, inputs)
    assert expected[0]
    assert _watched(name, functools.partial(lab.replay, accumulate=True), inputs) == expected


# --- what a Function returns ---------------------------------------------------------


def bad(returned):
    class Bad(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, flag):
            return x * 2

        @staticmethod
        def backward(ctx, grad):
            return returned(grad)

    return Bad


@pytest.mark.parametrize(
    "returned",
    [
        lambda g: g,
        lambda g: (g, None, g),
        lambda g: (g[:1], None),
        lambda g: (g.reshape(1, 3).expand(2, 3)[:, :2], None),
        lambda g: (g.to(torch.complex64), None),
        lambda g: (torch.ones(3, device="meta"), None),
        lambda g: (5, None),
    ],
)
def test_wrong_gradients_are_refused_with_the_native_message(returned):
    w = torch.ones(3, requires_grad=True)
    loss = bad(returned).apply(w.exp(), True).sum()
    with pytest.raises(RuntimeError) as expected:
        loss.backward(retain_graph=True)
    with pytest.raises(lab.GradientError) as found:
        lab.replay(loss)
    assert isinstance(found.value, RuntimeError)
    assert str(found.value).split(" - ")[0] in str(expected.value) or "dtype" in str(found.value)


@pytest.mark.parametrize(
    "returned", [lambda g: (g, None, None), lambda g: (g.expand(4, 3), None), lambda g: (g.double(), None)]
)
def test_gradients_that_fit_after_all_are_taken(returned):
    w = torch.ones(3, requires_grad=True)
    assert lab.check_engine(bad(returned).apply(w.exp(), True).sum()).ok


def test_a_released_node_says_so():
    w = torch.ones(3, requires_grad=True)
    loss = w.exp().sum()
    loss.backward()
    with pytest.raises(
        lab.ReleasedError, match=r"ExpBackward0 can't run.*retain_graph=True.*a second time"
    ) as caught:
        lab.replay(loss)
    assert isinstance(caught.value, RuntimeError)
    assert [step.node for step in caught.value.autograd_lab_trace.steps] == [0, 1]


def test_a_function_that_torch_released_says_so_too():
    class Saves(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * 2

        @staticmethod
        def backward(ctx, grad):
            (x,) = ctx.saved_tensors
            return grad * x

    w = torch.ones(3, requires_grad=True)
    by_checkpoint = checkpoint(lambda x: x.exp().sin(), w, use_reentrant=True)
    for loss, name in (
        (Saves.apply(w).sum(), "SavesBackward"),
        (by_checkpoint.sum(), "CheckpointFunctionBackward"),
    ):
        loss.backward()
        with pytest.raises(RuntimeError) as native:
            loss.backward()
        with pytest.raises(lab.ReleasedError) as found:
            lab.replay(loss)
        assert str(found.value).startswith(f"{name} can't run: an earlier backward freed what it had saved.")
        assert str(native.value) in str(found.value)


# --- anomaly mode --------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:Anomaly Detection has been enabled", "ignore:Error detected in")
@pytest.mark.parametrize(("check_nan", "raises"), [(True, True), (False, False)])
def test_anomaly_mode_stops_where_the_native_engine_stops(check_nan, raises):
    x = torch.tensor([0.0, 1.0], requires_grad=True)
    with torch.autograd.detect_anomaly(check_nan=check_nan):
        loss = (x.sqrt() * 0).sum()
        if not raises:
            loss.backward(retain_graph=True)
            assert len(lab.replay(loss).steps) == 4
            return
        with pytest.raises(RuntimeError) as native:
            loss.backward(retain_graph=True)
        with pytest.raises(lab.GradientError) as found:
            lab.replay(loss)
    assert str(found.value) == str(native.value)
    assert "SqrtBackward0" in str(found.value)
    ran = found.value.autograd_lab_trace
    names = [ran.graph.node(step.node).name for step in ran.steps]
    assert names == ["SumBackward0", "MulBackward0", "SqrtBackward0"]
