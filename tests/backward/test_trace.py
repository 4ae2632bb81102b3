"""The tracer against the native engine: same order, same bits, nothing left behind."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import weakref

import pytest
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode

import autograd_lab as lab
from autograd_lab.backward import trace
from autograd_lab.errors import GraphError, OptionError
from autograd_lab.records import dumps, loads


def mlp():
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
    return model, lambda: model(torch.linspace(-1, 1, 12).reshape(3, 4)).square().mean()


def residual():
    convolution, norm = nn.Conv2d(2, 2, 3, padding=1), nn.BatchNorm2d(2)
    model = nn.ModuleList([convolution, norm])
    x = torch.linspace(-1, 1, 50).reshape(1, 2, 5, 5)
    return model, lambda: (x + torch.relu(norm(convolution(x))) * norm(convolution(x))).sum()


def lstm():
    model = nn.LSTM(3, 4, num_layers=2)
    return model, lambda: model(torch.linspace(-1, 1, 12).reshape(4, 1, 3))[0].sum()


def transformer():
    model = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
    return model, lambda: model(torch.linspace(-1, 1, 48).reshape(2, 3, 8)).square().mean()


def tied():
    model = nn.ModuleDict({"embed": nn.Embedding(5, 3), "out": nn.Linear(3, 5, bias=False)})
    model["out"].weight = model["embed"].weight
    return model, lambda: model["out"](model["embed"](torch.tensor([0, 2, 2]))).logsumexp(-1).sum()


MODELS = [mlp, residual, lstm, transformer, tied]


@pytest.fixture(params=MODELS, ids=lambda build: build.__name__)
def case(request):
    torch.manual_seed(0)
    return request.param()


def seed():
    w, x, y = torch.tensor(0.0, requires_grad=True), torch.tensor(2.0), torch.tensor(4.0)
    return (w * x - y) ** 2, w


def gradients(model):
    return [None if p.grad is None else p.grad.clone() for p in model.parameters()]


def test_the_worked_example_reads_minus_8_minus_8_minus_16():
    loss, w = seed()
    done = trace(loss, names={"w": w}, stats="full")
    assert [step.grad_inputs[0].mean for step in done.steps[:3]] == [-8.0, -8.0, -16.0]
    assert done.steps[3].accumulation.how == "stole"
    assert done.steps[3].accumulation.after.mean == -16.0
    assert w.grad == -16.0


@pytest.mark.parametrize("stats", [None, "norm", "full"])
def test_gradients_have_the_same_bits_as_without(case, stats):
    model, loss = case
    loss().backward()
    plain = gradients(model)
    model.zero_grad()
    trace(loss(), model=model, stats=stats, keep="all")
    assert all(torch.equal(a, b) for a, b in zip(plain, gradients(model), strict=True))


def test_every_node_ran_once_in_the_order_of_the_graph(case):
    model, loss = case
    done = trace(loss(), model=model)
    assert [step.node for step in done.steps] == list(range(len(done.graph)))


def test_norms_are_those_that_hooks_see(case):
    model, loss = case
    output = loss()
    seen = {}
    graph, nodes = lab.capture(output, model=model), []
    waiting, met = [output.grad_fn], {output.grad_fn}
    while waiting:
        node = waiting.pop()
        nodes.append(node)
        for target, _ in node.next_functions:
            if target is not None and target not in met:
                met.add(target)
                waiting.append(target)
    ordered = sorted(nodes, key=lambda node: node._sequence_nr(), reverse=True)
    for node in ordered:
        node.register_hook(
            lambda grad_inputs, grad_outputs, node=node: seen.__setitem__(
                id(node), [None if g is None else g.norm().item() for g in grad_outputs]
            )
        )
    done = trace(output, model=model)
    norms = sorted(norm for slots in seen.values() for norm in slots if norm is not None)
    traced = sorted(stats.norm for step in done.steps for stats in step.grad_outputs if stats is not None)
    assert len(done.steps) == len(graph) == len(seen)
    assert traced == pytest.approx(norms, rel=1e-6)


def test_contributions_are_what_the_senders_returned_and_add_up(case):
    model, loss = case
    done = trace(loss(), model=model, stats="full")
    for step in done.steps:
        for slot, came in enumerate(step.grad_outputs):
            parts = [part for part in step.contributions if part.input_nr == slot and part.stats is not None]
            if came is None or not parts:
                continue
            for part in parts:
                if part.source is not None:
                    assert done.step(part.source).grad_inputs[part.slot] == part.stats
            assert came.mean == pytest.approx(sum(part.stats.mean for part in parts), rel=1e-4, abs=1e-6)


def test_what_was_stolen_is_still_stolen():
    given = {}

    class Give(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.clone()

        @staticmethod
        def backward(ctx, grad):
            given["address"] = (made := grad * 2).data_ptr()
            return made

    w = torch.ones(1000, requires_grad=True)
    done = trace(Give.apply(w).sum(), names={"w": w}, keep="all")
    assert w.grad.data_ptr() == given["address"]
    assert done.steps[-1].accumulation.how == "stole"
    assert done.grads["w"].data_ptr() != given["address"]


def test_a_second_backward_adds_into_what_was_there():
    loss, w = seed()
    loss.backward(retain_graph=True)
    before = w.grad
    done = trace(loss, names={"w": w}, stats="full")
    accumulation = done.steps[-1].accumulation
    assert (accumulation.how, accumulation.before.mean, accumulation.after.mean) == ("added", -16.0, -32.0)
    assert w.grad is before


@pytest.mark.filterwarnings("ignore:Using backward.. with create_graph=True")
def test_under_create_graph_the_sum_is_a_new_tensor():
    loss, w = seed()
    trace(loss, names={"w": w}, create_graph=True)
    assert w.grad.requires_grad
    done = trace(seed_again := (w * 3.0) ** 2, names={"w": w}, create_graph=True)
    assert done.steps[-1].accumulation.how == "replaced"
    assert seed_again.requires_grad


def test_an_expanded_gradient_is_copied():
    w = torch.ones(5, requires_grad=True)
    done = trace(w.sum(), names={"w": w})
    assert done.steps[-1].accumulation.how == "copied"


def test_what_is_kept_is_a_copy():
    w = torch.ones(3, requires_grad=True)
    done = trace((w * 2).sum(), names={"w": w}, keep=lambda node: node.kind == "accumulate")
    w.grad.zero_()
    assert done.grads["w"].tolist() == [2.0, 2.0, 2.0]
    none = trace((w * 2).sum(), names={"w": w})
    assert (none.grads, none.kept) == ({}, {})


def test_what_every_node_was_given_and_returned_is_kept():
    loss, w = seed()
    done = trace(loss, names={"w": w}, keep="all")
    w.grad.zero_()
    came = [done.kept[node.id].grad_outputs[0].item() for node in done.graph.nodes]
    went = [done.kept[node.id].grad_inputs[0].item() for node in done.graph.nodes[:3]]
    assert (came, went) == ([1.0, -8.0, -8.0, -16.0], [-8.0, -8.0, -16.0])
    assert done.kept[2].grad_inputs[1] is None
    assert done.kept[3].grad_inputs == ()
    assert done.grads == {"w": torch.tensor(-16.0)}


def test_users_hooks_fire_once_in_their_order_and_their_changes_are_seen():
    w = torch.tensor(1.0, requires_grad=True)
    y = w * 3.0
    called = []
    y.register_hook(lambda grad: called.append("tensor") or grad * 10)
    y.grad_fn.register_prehook(lambda grads: called.append("pre"))
    y.grad_fn.register_hook(lambda grads, _: called.append("post") or (grads[0] + 1, None))
    w.register_post_accumulate_grad_hook(lambda leaf: called.append("leaf"))
    done = trace(y * 1.0, names={"w": w}, stats="full")
    assert called == ["tensor", "pre", "post", "leaf"]
    mul = done.graph.find("MulBackward0")[1]
    assert done.step(mul.id).grad_outputs[0].mean == 10.0
    assert done.step(mul.id).grad_inputs[0].mean == 31.0
    assert w.grad == 31.0


def test_nan_and_inf_are_counted_where_the_norm_is_not_finite():
    w = torch.tensor([0.0, 1.0, 4.0], requires_grad=True)
    done = trace((w.sqrt() * torch.tensor([1.0, float("nan"), 1.0])).sum(), names={"w": w})
    came = done.steps[-1].grad_outputs[0]
    assert (came.nans, came.infs) == (1, 1)
    fine = done.steps[0].grad_outputs[0]
    assert (fine.nans, fine.infs) == (None, None)


def test_full_statistics():
    w = torch.tensor([1.0, 2.0, 3.0, 4.0], requires_grad=True)
    done = trace((w * torch.tensor([0.0, -3.0, 4.0, 0.0])).sum(), names={"w": w}, stats="full")
    came = done.steps[-1].grad_outputs[0]
    assert (came.norm, came.max_abs, came.mean, came.zeros) == (5.0, 4.0, 0.25, 2)


def test_half_precision_does_not_overflow_the_norm():
    w = torch.full((10,), 1.0, dtype=torch.float16, requires_grad=True)
    done = trace((w * 30000.0).sum(), names={"w": w})
    assert done.steps[-1].grad_outputs[0].norm == pytest.approx(30000 * 10**0.5)


def test_an_exception_is_the_users_own_and_the_trace_holds_what_ran():
    class Breaks(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, grad):
            raise KeyError("mine")

    w = torch.tensor(1.0, requires_grad=True)
    loss = Breaks.apply(w * 2.0).exp()
    with pytest.raises(KeyError, match="mine") as caught:
        trace(loss, names={"w": w})
    partial = caught.value.autograd_lab_trace
    assert [partial.graph.node(step.node).name for step in partial.steps] == [
        "ExpBackward0",
        "BreaksBackward",
    ]
    assert partial.steps[-1].duration_ns is None
    assert "mine" in partial.error
    assert all(node.hooks == () for node in lab.capture(loss).nodes)


def test_nothing_is_left_on_a_retained_graph():
    model, loss = mlp()
    output = loss()
    trace(output, model=model, retain_graph=True)
    assert all(node.hooks == () for node in lab.capture(output, model=model).nodes)


@pytest.mark.filterwarnings("ignore:Using backward.. with create_graph=True")
def test_a_graph_is_kept_only_where_that_is_asked_for():
    def loss():
        return (torch.ones(2, requires_grad=True).exp() * 2).sum()

    for options in ({"retain_graph": True}, {"create_graph": True}):
        kept = loss()
        trace(kept, **options)
        kept.backward()
    for options in ({}, {"retain_graph": False}, {"create_graph": True, "retain_graph": False}):
        gone = loss()
        trace(gone, **options)
        with pytest.raises(RuntimeError, match="backward through the graph a second time"):
            gone.backward()


@pytest.mark.filterwarnings("ignore:Using backward.. with create_graph=True")
def test_what_create_graph_builds_is_what_it_builds_without(case):
    model, loss = case

    def second(backward):
        model.zero_grad(set_to_none=True)
        with sdpa_kernel(SDPBackend.MATH):  # the others have no second derivative
            backward(loss())
        squares = sum(p.grad.square().sum() for p in model.parameters() if p.grad is not None)
        found = torch.autograd.grad(squares, list(model.parameters()), allow_unused=True)
        return [p.grad.clone() for p in model.parameters()], found, len(lab.capture(squares))

    plain = second(lambda output: output.backward(create_graph=True))
    traced = second(lambda output: trace(output, model=model, create_graph=True, stats="full", keep="all"))
    for a, b in zip(plain[0] + list(plain[1]), traced[0] + list(traced[1]), strict=True):
        assert (a is None and b is None) or torch.equal(a, b)
    assert plain[2] == traced[2]


def test_nothing_is_kept_alive():
    loss, w = seed()
    reference = weakref.ref(w)
    done = trace(loss, names={"w": w})
    del loss, w
    gc.collect()
    assert reference() is None
    assert len(done.steps) == 4


def test_only_what_leads_to_the_inputs_runs():
    a, b = (torch.tensor(2.0, requires_grad=True) for _ in range(2))
    done = trace(a * 3.0 + b * 4.0, names={"a": a, "b": b}, inputs=[a])
    ran = {done.graph.node(step.node).variable for step in done.steps}
    assert "b" not in ran
    assert (a.grad, b.grad) == (3.0, None)


def test_several_outputs_with_grad_tensors():
    a = torch.tensor(2.0, requires_grad=True)
    outputs = [a * 3.0, a * 5.0]
    done = trace(outputs, names={"a": a}, grad_tensors=[torch.tensor(1.0), torch.tensor(10.0)], stats="full")
    assert a.grad == 53.0
    assert [part.stats.mean for part in done.steps[-1].contributions] == [50.0, 3.0]


def test_what_a_backward_is_started_with_is_a_contribution_too():
    x = torch.ones(2, requires_grad=True)
    y = x * 2
    outputs = [y, (y * 3).sum()]
    done = trace(outputs, grad_tensors=[torch.tensor([5.0, 7.0]), None], names={"x": x}, stats="full")
    total, _, product, _ = done.steps
    (only,) = total.contributions
    assert (only.source, only.slot, only.stats.mean) == (None, 1, 1.0)
    assert [(part.source, part.slot, part.stats.mean) for part in product.contributions] == [
        (None, 0, 6.0),
        (1, 0, 3.0),
    ]
    assert product.grad_outputs[0].mean == 9.0


def test_two_threads_at_once():
    results = {}

    def work(name, model, loss):
        results[name] = (trace(loss(), model=model), gradients(model))

    threads = []
    for name in "ab":
        torch.manual_seed(0)
        threads.append(threading.Thread(target=work, args=(name, *transformer())))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (first, grads_a), (second, grads_b) = results["a"], results["b"]
    assert [step.node for step in first.steps] == [step.node for step in second.steps]
    assert all(torch.equal(x, y) for x, y in zip(grads_a, grads_b, strict=True))


def test_it_goes_to_json_and_back(case):
    model, loss = case
    done = trace(loss(), model=model, stats="full")
    assert loads(dumps(done)) == done


COMPILER_STAYS_OUT = """
import sys, torch, warnings
from torch.utils.checkpoint import checkpoint
from autograd_lab.backward import trace

warnings.simplefilter("error", UserWarning)  # what the compiler says of code that it can't read
w = torch.tensor([1.0, 2.0], requires_grad=True)
trace((w * w).sum(), kernels=True)
print("torch._dynamo" in sys.modules)
f = torch.compile(lambda w: w.exp() * w, backend="eager")
done = trace(checkpoint(f, w, use_reentrant=True).sum(), kernels=True)  # is compiled in the node's turn
print("aten::exp" in {kernel.name for step in done.steps for kernel in step.kernels})
"""


def test_the_compiler_is_not_imported_for_kernels_and_does_not_compile_what_watches_them():
    ran = subprocess.run(
        [sys.executable, "-c", COMPILER_STAYS_OUT], capture_output=True, text=True, check=False
    )
    assert (ran.stdout.split(), ran.returncode) == (["False", "True"], 0), ran.stderr


class Counts(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.names = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.names.append(func.name())
        return func(*args, **(kwargs or {}))


def test_a_users_mode_does_not_see_what_measures():
    def run(backward):
        w = torch.ones(3, requires_grad=True)
        loss = (w.exp() * 2).sum()
        with Counts() as counts:
            backward(loss)
        return counts.names

    assert run(lambda loss: trace(loss, stats="full", keep="all")) == run(lambda loss: loss.backward())


def test_what_is_measured_once_is_measured_again_when_it_changed():
    w = torch.ones(3, requires_grad=True)
    y = w * 2
    y.register_hook(lambda grad: grad.mul_(5))
    done = trace((y * 3).sum(), names={"w": w})
    sent = done.steps[1].grad_inputs[0].norm
    assert done.steps[2].grad_outputs[0].norm == pytest.approx(5 * sent)
    v = torch.ones(3, requires_grad=True)

    def zero(leaf):
        leaf.grad.zero_()

    v.register_post_accumulate_grad_hook(zero)
    done = trace((v * 3).sum(), names={"v": v})
    assert done.steps[-1].accumulation.after.norm == 0.0
    assert done.steps[-1].grad_outputs[0].norm > 0.0


def test_an_edge_is_an_output_too():
    w = torch.tensor(2.0, requires_grad=True)
    edge = torch.autograd.graph.get_gradient_edge(w * 3.0)
    trace([edge], names={"w": w}, grad_tensors=[torch.tensor(1.0)])
    assert w.grad == 3.0


@pytest.mark.sweep
def test_a_million_nodes():
    """In a process of its own: a crash would take the test run with it."""
    program = """if True:
        import torch, autograd_lab as lab
        leaf = y = torch.ones(1, requires_grad=True)
        for _ in range(1_000_000):
            y = y * 1.0
        done = lab.trace(y, stats=None)
        assert len(done.steps) == 1_000_001
        assert [step.node for step in done.steps] == list(range(1_000_001))
        assert leaf.grad == 1
        with lab.watch(stats=None, forward=None) as watcher:
            y = leaf
            for _ in range(1_000_000):
                y = y * 1.0
            y.backward()
        del y
        (trace,) = watcher.traces
        assert len(trace.steps) == 1_000_001
        assert trace.graph.nodes[5].call.name == "torch.Tensor.mul"
        print("done")
    """
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (0, "done\n"), ran.stderr


def test_a_predicate_that_raises_does_so_before_anything_ran():
    loss, w = seed()
    with pytest.raises(ZeroDivisionError):
        trace(loss, keep=lambda node: 1 / 0)
    assert w.grad is None
    trace(loss, keep=lambda node: False)  # the graph is still there


def test_outputs_that_the_engine_refuses_are_refused_in_its_words():
    loss, w = seed()
    with pytest.raises(RuntimeError, match="element 1 of tensors does not require grad") as caught:
        trace([loss, torch.arange(3)])
    assert caught.value.autograd_lab_trace.steps == ()
    assert w.grad is None


def test_wrong_options_get_one_line():
    loss, _ = seed()
    with pytest.raises(OptionError, match="use None, 'norm' or 'full'"):
        trace(loss, stats="everything")
    with pytest.raises(OptionError, match="use None, 'all' or a function"):
        trace(loss, keep="some")
    with pytest.raises(GraphError, match="has no graph"):
        trace(torch.ones(2))
