"""The glass engine against the native one: order, bits, hooks, options, and what is left behind."""

from __future__ import annotations

import subprocess
import sys

import models
import pytest
import torch
from torch import nn
from torch.autograd.graph import get_gradient_edge, register_multi_grad_hook
from torch.utils.checkpoint import checkpoint

import autograd_lab as lab


def native(outputs, leaves, **options):
    """What ``torch.autograd.backward`` puts into ``.grad`` of fresh leaves."""
    for leaf in leaves:
        leaf.grad = None
    torch.autograd.backward(outputs, retain_graph=True, **options)
    grads = [leaf.grad for leaf in leaves]
    for leaf in leaves:
        leaf.grad = None
    return grads


def same(a, b):
    return models.raw_bytes(a) == models.raw_bytes(b)


def ops(trace):
    return [trace.graph.node(step.node).variable or trace.graph.node(step.node).name for step in trace.steps]


# --- every model of the tests --------------------------------------------------------


@pytest.mark.parametrize("name", [case.name for case in models.CASES.values() if case.numbers])
@pytest.mark.filterwarnings("ignore")
def test_order_bits_numbers_and_random_state_are_the_native_engines(name):
    built = models.CASES[name].build()
    outputs = models.flat(built.outputs)
    options = {
        "model": built.model,
        "names": built.names,
        "grad_tensors": [models.ones_for(output) for output in outputs],
    }
    leaves = {node.variable: leaf for node, leaf in zip(*_leaves(outputs, options), strict=True)}
    state = torch.get_rng_state()
    glass = lab.replay(outputs, **options)
    drawn = torch.get_rng_state()
    assert all(leaf.grad is None for leaf in leaves.values())
    torch.set_rng_state(state)
    real = lab.trace(outputs, **options, retain_graph=True)
    assert torch.equal(drawn, torch.get_rng_state())
    assert [step.node for step in glass.steps] == [step.node for step in real.steps]
    for ours, theirs in zip(glass.steps, real.steps, strict=True):
        assert ours.contributions == theirs.contributions
        assert (ours.grad_outputs, ours.grad_inputs) == (theirs.grad_outputs, theirs.grad_inputs)
        if ours.accumulation is not None and name != "sparse":  # which a replay copies, to the same bits
            assert ours.accumulation.how == theirs.accumulation.how
    for variable, leaf in leaves.items():
        assert same(leaf.grad, glass.grads.get(variable)), variable
        if leaf.grad is not None and leaf.grad.layout is torch.strided and not leaf.grad.is_nested:
            assert leaf.grad.stride() == glass.grads[variable].stride()


def _leaves(outputs, options):
    from autograd_lab.capture.graph import live

    graph, nodes = live(outputs, model=options["model"], names=options["names"])
    return graph.leaves, [nodes[node.id].variable for node in graph.leaves]


@pytest.mark.parametrize("name", list(models.CASES))
@pytest.mark.filterwarnings("ignore")
def test_the_check_says_it_is_the_same(name):
    built = models.CASES[name].build()
    outputs = models.flat(built.outputs)
    check = lab.check_engine(
        outputs,
        model=built.model,
        names=built.names,
        grad_tensors=[models.ones_for(output) for output in outputs],
    )
    assert check.ok, check
    assert check.deterministic
    assert check.gradients > check.steps > 0


# --- hooks ---------------------------------------------------------------------------


def hooked(record):
    """A graph with a hook of each kind, each of which records what it saw and changes it."""
    torch.manual_seed(3)
    w, v = torch.randn(3, requires_grad=True), torch.randn(3, requires_grad=True)
    y = w * v
    a, b = y.exp().split([1, 2])
    loss = (a.sum() + (b * b).sum()) * 2

    def seen(name, change):
        def hook(*grads):
            record.append(
                (name, [[None if g is None else g.tolist() for g in some] for some in map(_tuple, grads)])
            )
            return change(*grads)

        return hook

    y.register_hook(seen("tensor 1", lambda g: g * 3))
    y.register_hook(seen("tensor 2", lambda _: None))
    b.register_hook(seen("slot 1", lambda g: g + 1))
    w.register_hook(seen("leaf", lambda g: g / 7))
    y.grad_fn.register_prehook(seen("pre 1", lambda gs: (gs[0] - 1,)))
    y.grad_fn.register_prehook(seen("pre 2", lambda _: None))
    y.grad_fn.register_hook(seen("post", lambda gi, _: (gi[0] * 2, gi[1])))
    get_gradient_edge(w).node.register_hook(seen("leaf post", lambda *_: None))
    b.grad_fn.register_prehook(seen("pre of split", lambda _: None))
    y.grad_fn.register_hook(seen("post 2", lambda *_: None))
    del y, a, b
    return loss, w, v


def _tuple(grads):
    return grads if isinstance(grads, tuple) else (grads,)


def test_hooks_of_each_kind_are_called_in_the_same_order_with_the_same_gradients():
    expected, found = [], []
    loss, w, v = hooked(expected)
    grads = native(loss, [w, v])
    loss, w, v = hooked(found)
    trace = lab.replay(loss, names={"w": w, "v": v})
    assert found == expected
    assert same(trace.grads["w"], grads[0])
    assert same(trace.grads["v"], grads[1])
    assert lab.check_engine(loss).ok


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


# --- undefined gradients and Functions -----------------------------------------------


class Drops(torch.autograd.Function):
    """Gives no gradient."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, grad):
        return None


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
        loss = sum((Drops.apply(r) if i in drop else r.exp()).sum() for i, r in enumerate(results))
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
    assert [step.node for step in caught.value.autograd_lab_trace.steps] == [0]


# --- options -------------------------------------------------------------------------


def test_several_roots_edges_and_grad_tensors():
    w = torch.randn(3, requires_grad=True)
    y, z = w.exp(), w.sin()
    given = [torch.randn(3), torch.randn(3)]
    (expected,) = native([y, z], [w], grad_tensors=given)
    outputs = [get_gradient_edge(y), z]
    assert same(lab.replay(outputs, grad_tensors=given, names={"w": w}).grads["w"], expected)
    assert lab.check_engine(outputs, grad_tensors=given).ok


@pytest.mark.parametrize("grad_tensors", [None, [torch.ones(2)], [torch.ones(3, dtype=torch.complex64)]])
def test_wrong_starts_get_torchs_message(grad_tensors):
    y = torch.randn(3, requires_grad=True).exp()
    with pytest.raises(RuntimeError) as expected:
        torch.autograd.backward([y], grad_tensors, retain_graph=True)
    with pytest.raises(RuntimeError) as found:
        lab.replay(y, grad_tensors=grad_tensors)
    assert str(found.value) == str(expected.value)


def test_inputs_run_only_what_leads_to_them():
    w, v = torch.randn(3, requires_grad=True), torch.randn(3, requires_grad=True)
    y = w.exp()
    loss = (y.sin() * v.cos()).sum()
    for inputs in ([w], [v], [y], [w, v], [get_gradient_edge(v)], [y, w]):
        real = lab.trace(loss, inputs=inputs, retain_graph=True)
        glass = lab.Engine(loss, inputs=inputs, names={"w": w, "v": v})
        glass.run()
        assert [step.node for step in glass.steps] == [step.node for step in real.steps]
        found = [glass.grads[f"inputs[{number}]"] for number in range(len(inputs))]
        for one, expected in zip(found, torch.autograd.grad(loss, inputs, retain_graph=True), strict=True):
            assert same(one, expected)
        y.grad = w.grad = v.grad = None


@pytest.mark.parametrize("order", [2, 3])
def test_higher_orders(order):
    def grads(differentiate):
        torch.manual_seed(1)
        w, v = torch.randn(3, requires_grad=True), torch.randn(3, requires_grad=True)
        value = (w.tanh() * v.exp() * w * w).sum()
        for _ in range(order):
            value = sum(grad.sin().sum() for grad in differentiate(value, w, v))
        return value, *differentiate(value, w, v)

    def by_glass(value, w, v):
        trace = lab.replay(value, names={"w": w, "v": v}, create_graph=True)
        return trace.grads["w"], trace.grads["v"]

    def by_torch(value, w, v):
        return torch.autograd.grad(value, (w, v), create_graph=True)

    for ours, theirs in zip(grads(by_glass), grads(by_torch), strict=True):
        assert same(ours, theirs)
        assert ours.requires_grad


def test_without_create_graph_no_graph_is_built():
    w = torch.ones(3, requires_grad=True)
    assert not lab.replay((w * w * w).sum(), names={"w": w}).grads["w"].requires_grad


def test_autocast_is_as_in_the_native_run():
    layer, x = nn.Linear(4, 4), torch.randn(2, 4)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = layer(x).float().sum()
        assert lab.check_engine(loss, model=layer).ok
    assert lab.check_engine(loss, model=layer).ok


@pytest.mark.parametrize("keeps_state", [True, False])
def test_a_checkpoint_recomputes_once(keeps_state):
    calls = []

    def part(x):
        calls.append(1)
        return torch.nn.functional.dropout(x.exp(), 0.5).sin() * x

    w = torch.randn(5, requires_grad=True)
    loss = checkpoint(part, w, use_reentrant=False, preserve_rng_state=keeps_state).sum()
    lab.replay(loss)
    assert len(calls) == 2
    assert lab.check_engine(loss).ok


def test_a_reentrant_checkpoint_refuses_inputs_as_natively():
    w = torch.randn(5, requires_grad=True)
    loss = checkpoint(torch.exp, w, use_reentrant=True).sum()
    with pytest.raises(RuntimeError, match="use_reentrant=True"):
        lab.replay(loss, inputs=[w])


# --- stepping ------------------------------------------------------------------------


def branches():
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    y = w * 3
    return (y.exp() + y.sin()).sum(), w, y


def test_everything_is_visible_at_each_step():
    loss, w, y = branches()
    engine = lab.Engine(loss, names={"w": w, "y": y})
    names = [node.name for node in engine.graph.nodes]
    assert names == [
        "SumBackward0",
        "AddBackward0",
        "SinBackward0",
        "ExpBackward0",
        "MulBackward0",
        "AccumulateGrad",
    ]
    assert (engine.ready, engine.current, engine.done, engine.dependencies) == (
        [0],
        None,
        False,
        [0, 1, 1, 1, 2, 1],
    )
    engine.step()
    assert (engine.ready, engine.current) == ([1], 0)
    engine.step()
    assert engine.ready == [2, 3]
    step = engine.step()
    assert (step.node, engine.current, engine.ready) == (2, 2, [3])
    buffer = engine.buffers[4]
    assert (buffer.awaited, [part.source for part in buffer.arrived]) == (1, [2])
    assert torch.equal(buffer.grads[0], y.cos().detach())
    engine.step()
    assert engine.buffers[4].awaited == 0
    assert torch.equal(engine.buffers[4].grads[0], (y.cos() + y.exp()).detach())
    assert dict(engine.grads) == {}
    engine.step()
    engine.step()
    assert engine.done
    assert (engine.buffers, engine.ready) == ({}, [])
    assert list(engine.grads) == ["w"]
    with pytest.raises(lab.OptionError, match="every node has run"):
        engine.step()


@pytest.mark.parametrize("until", [4, "MulBackward0", "y"])
def test_running_until_a_node_stops_before_it(until):
    loss, w, y = branches()
    engine = lab.Engine(loss, names={"w": w, "y": y})
    assert len(engine.run(until).steps) == 4
    assert engine.ready == [4]
    engine.run(until)  # it already stands there
    assert engine.done


def test_running_until_something_holds_stops_after_it():
    loss, w, _ = branches()
    engine = lab.Engine(loss, names={"w": w})
    assert len(engine.run(lambda step: step.node == 2).steps) == 3
    assert engine.run("w").steps[-1].node == 4
    x = torch.tensor([0.0, 1.0], requires_grad=True)
    engine = lab.Engine((x.sqrt() * 2).sum())
    trace = engine.run("nonfinite")
    assert trace.graph.node(trace.steps[-1].node).name == "SqrtBackward0"
    assert not engine.done


@pytest.mark.parametrize("until", [99, -1, "nothing", 1.5, True])
def test_an_until_that_names_nothing_is_refused(until):
    with pytest.raises(lab.OptionError, match="until="):
        lab.Engine(branches()[0]).run(until)


def test_nonfinite_needs_statistics():
    with pytest.raises(lab.OptionError, match="stats"):
        lab.Engine(branches()[0], stats=None).run("nonfinite")


def test_an_output_that_the_native_engine_could_not_start_at_is_refused():
    with pytest.raises(lab.GraphError, match="element 1 of tensors does not require grad"):
        lab.replay([branches()[0], torch.ones(1)])


# --- what is left behind --------------------------------------------------------------


def test_torch_is_as_it_was_after_a_step():
    before = torch._C._current_graph_task_id, torch.autograd._is_checkpoint_valid
    lab.replay(branches()[0])
    with pytest.raises(RuntimeError):
        lab.replay(bad(lambda g: g).apply(torch.ones(2, requires_grad=True), 1).sum())
    assert (torch._C._current_graph_task_id, torch.autograd._is_checkpoint_valid) == before
    assert torch.is_grad_enabled()


def test_the_graph_is_as_it_was():
    loss, w, _ = branches()
    before = lab.capture(loss, names={"w": w})
    lab.replay(loss)
    assert lab.capture(loss, names={"w": w}) == before
    loss.backward()


def test_a_gradient_in_the_result_is_nobody_elses():
    w, v = torch.ones(3, requires_grad=True), torch.ones(3, requires_grad=True)
    start = torch.ones(3)
    trace = lab.replay(w + v, grad_tensors=[start], names={"w": w, "v": v})
    trace.grads["w"].zero_()
    assert trace.grads["v"].tolist() == start.tolist() == [1.0, 1.0, 1.0]


# --- deep graphs ---------------------------------------------------------------------

DEEP = """
import resource, sys, torch, autograd_lab as lab
x = torch.ones((), requires_grad=True)
y = x
for _ in range(int(sys.argv[1])):
    y = y * 1.0000001
trace = lab.replay(y, names={"x": x}, stats=None)
y.backward()
assert torch.equal(trace.grads["x"], x.grad)
print(len(trace.steps))
del trace, y
"""


def _deep(count):
    ran = subprocess.run(
        [sys.executable, "-c", DEEP, str(count)], capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stdout) == (0, f"{count + 1}\n"), ran.stderr


def test_a_chain_of_twenty_thousand_nodes_is_replayed():
    _deep(20_000)


@pytest.mark.sweep
def test_a_chain_of_a_million_nodes_is_replayed():
    _deep(1_000_000)
