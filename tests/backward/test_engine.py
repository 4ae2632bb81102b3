"""The glass engine against the native one: order, bits, hooks, options, and what is left behind."""

from __future__ import annotations

import subprocess
import sys

import models
import pytest
import torch
from torch import nn
from torch.autograd.graph import get_gradient_edge
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


def released():
    """A graph that a backward has freed."""
    loss = torch.ones(3, requires_grad=True).exp().sum()
    loss.backward()
    return loss


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


def test_weights_that_autocast_has_cast_once_are_the_same():
    torch.manual_seed(0)
    model = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = model(model(torch.randn(2, 3, 8))).float().square().mean()
    check = lab.check_engine(loss, model=model)
    assert check.ok, check
    assert [node.name for node in lab.capture(loss).nodes].count("ToCopyBackward0") > 6


RECURRENT = {
    "rnn": lambda: nn.RNN(3, 4, num_layers=2, bidirectional=True),
    "lstm": lambda: nn.LSTM(3, 4, num_layers=2, bidirectional=True, dropout=0.3),
    "lstm projected": lambda: nn.LSTM(3, 4, proj_size=2),
    "gru": lambda: nn.GRU(3, 4, num_layers=2, bidirectional=True),
}


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("kind", list(RECURRENT))
def test_recurrent_layers_are_the_same(kind, packed):
    torch.manual_seed(0)
    model, x = RECURRENT[kind](), torch.randn(5, 2, 3)
    output, _ = model(nn.utils.rnn.pack_padded_sequence(x, [5, 3]) if packed else x)
    check = lab.check_engine((output.data if packed else output).square().sum(), model=model)
    assert check.ok, check


@pytest.mark.parametrize("keeps_state", [True, False])
def test_a_reentrant_checkpoints_own_backward_does_what_it_does_natively(keeps_state):
    """It writes ``.grad`` of the parameters in it, and draws their random numbers again."""
    runs = []
    for run in (torch.Tensor.backward, lab.replay):
        torch.manual_seed(1)
        model = nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.5), nn.Tanh())
        x = torch.randn(2, 3, requires_grad=True)
        loss = checkpoint(model, x * 1, use_reentrant=True, preserve_rng_state=keeps_state).sum()
        run(loss)
        runs.append([*(models.raw_bytes(p.grad) for p in model.parameters()), torch.get_rng_state().tolist()])
        assert (x.grad is None) is (run is lab.replay)
    assert runs[0] == runs[1]


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


@pytest.mark.parametrize("first", ["sparse", "dense"])
def test_a_sparse_and_a_dense_gradient_are_added_whichever_comes_first(first):
    weight, places = torch.randn(5, 3, requires_grad=True), torch.tensor([1, 1, 4])
    uses = {
        "sparse": lambda: nn.functional.embedding(places, weight, sparse=True).sum(),
        "dense": lambda: (weight * weight).sum(),
    }
    last = "dense" if first == "sparse" else "sparse"
    loss = uses[last]() + uses[first]()  # what was made last runs first
    check = lab.check_engine(loss)
    assert check.ok, check


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


@pytest.mark.parametrize("go_on", [lab.Engine.step, lab.Engine.run])
def test_nothing_goes_on_after_a_node_has_raised(go_on):
    x = torch.ones(2, requires_grad=True)
    y = x * 2
    y.register_hook(lambda grad: 1 / 0)
    engine = lab.Engine((y.exp() + x.sin()).sum())
    with pytest.raises(ZeroDivisionError) as caught:
        engine.run()
    assert engine.failed == engine.current
    assert engine.graph.node(engine.failed).name == "MulBackward0"
    assert len(caught.value.autograd_lab_trace.steps) == len(engine.steps)
    assert caught.value.autograd_lab_trace.error == "ZeroDivisionError('division by zero')"
    with pytest.raises(lab.OptionError, match="has raised, so nothing can go on"):
        go_on(engine)


def test_an_engine_says_where_it_stands():
    engine = lab.Engine(branches()[0])
    assert repr(engine) == "<Engine: 0 of 6 nodes have run, next is #0 SumBackward0>"
    assert engine.next == 0
    engine.run()
    assert repr(engine) == "<Engine: 6 of 6 nodes have run, done>"
    assert engine.next is None


# --- what is left behind --------------------------------------------------------------


def told_by_torch():
    return (
        torch._C._current_graph_task_id,
        torch._C._current_autograd_node,
        torch._C._will_engine_execute_node,
        torch.autograd._is_checkpoint_valid,
    )


def test_torch_is_as_it_was_after_a_step():
    before = told_by_torch()
    lab.replay(branches()[0])
    with pytest.raises(lab.ReleasedError):
        lab.replay(released())
    assert told_by_torch() == before
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


def test_a_chain_of_five_thousand_nodes_is_replayed():
    _deep(5_000)


@pytest.mark.sweep
def test_a_chain_of_a_million_nodes_is_replayed():
    _deep(1_000_000)


class Raises(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, grad):
        raise KeyError("mine")


def changed():
    x = torch.ones(2, requires_grad=True)
    y = x.exp()
    loss = y.sum()
    y.add_(1)
    return loss


def hooked(put_on):
    x = torch.ones(2, requires_grad=True)
    y = x * 2
    put_on(y)
    return (y * 3).sum()


RAISING = {
    "a node in C++": changed,
    "a Function": lambda: Raises.apply(torch.ones(2, requires_grad=True)).sum(),
    "a released node": released,
    "a tensor's hook": lambda: hooked(lambda y: y.register_hook(lambda grad: 1 / 0)),
    "a pre-hook": lambda: hooked(lambda y: y.grad_fn.register_prehook(lambda grads: 1 / 0)),
    "a post-hook": lambda: hooked(lambda y: y.grad_fn.register_hook(lambda *grads: 1 / 0)),
}


@pytest.mark.parametrize("make", RAISING.values(), ids=RAISING)
def test_the_trace_on_an_exception_is_the_native_ones(make):
    with pytest.raises(Exception, match=r".") as native:
        lab.trace(make(), retain_graph=True)
    with pytest.raises(Exception, match=r".") as glass:
        lab.replay(make())
    theirs, ours = native.value.autograd_lab_trace, glass.value.autograd_lab_trace

    def seen(trace):
        return [
            (step.node, step.grad_outputs, step.grad_inputs, step.duration_ns is None, step.contributions)
            for step in trace.steps
        ]

    assert seen(ours) == seen(theirs)
    assert ours.error == (theirs.error if make is not released else ours.error)
    assert "stopped by" in str(ours).splitlines()[0]
