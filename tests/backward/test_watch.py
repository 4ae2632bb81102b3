"""The watcher: every backward of unmodified code, each node with its place in the forward, and nothing disturbed."""

from __future__ import annotations

import contextlib
import copy
import gc
import importlib
import itertools
import sys
import threading
import warnings
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from models import CASES, backward, leaf_tensors, live_nodes, raw_bytes
from torch import nn
from torch.utils.checkpoint import checkpoint
from torch.utils.flop_counter import FlopCounterMode

import autograd_lab as lab
from autograd_lab.chosen import Chosen
from autograd_lab.errors import GraphError, LabError, OptionError


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(3, 4)
        self.cell = nn.Linear(4, 4)
        self.last = nn.Linear(4, 1)

    def forward(self, x):
        h = torch.tanh(self.first(x))
        for _ in range(3):
            h = self.cell(h) * 2.0
        return self.last(h)


X = torch.linspace(-1, 1, 6).reshape(2, 3)


def line_of(function, text):
    """The number of the line with a text in a function's source."""
    import inspect

    lines, first = inspect.getsourcelines(function)
    return next(first + i for i, line in enumerate(lines) if text in line)


def grads(model):
    return [raw_bytes(parameter.grad) for parameter in model.parameters()]


# --- what is seen ----------------------------------------------------------------------


def test_every_way_to_start_a_backward_is_traced():
    from torch.autograd import backward as imported_backward, grad as imported_grad

    model = Net()
    with lab.watch(model) as watcher:
        model(X).sum().backward()
        imported_backward(model(X).sum())
        torch.autograd.backward([model(X).sum(), model(X).mean()])
        imported_grad(model(X).sum(), list(model.parameters()))
        torch.autograd.grad(model(X).sum(), model.first.weight)
    assert [trace.number for trace in watcher.traces] == [0, 1, 2, 3, 4]
    assert watcher.count == 5
    assert [len(trace.graph.roots) for trace in watcher.traces] == [1, 1, 2, 1, 1]
    assert all(trace.steps for trace in watcher.traces)
    line = line_of(test_every_way_to_start_a_backward_is_traced, "model(X).sum().backward()")
    assert [trace.started.line for trace in watcher.traces] == list(range(line, line + 5))
    assert all(trace.started.file == __file__ for trace in watcher.traces)
    assert [any(step.accumulation for step in trace.steps) for trace in watcher.traces] == [True] * 3 + [
        False
    ] * 2


def test_grad_returns_what_it_returns_without():
    model = Net()
    plain = torch.autograd.grad(model(X).sum(), list(model.parameters()))
    with lab.watch(model):
        watched = torch.autograd.grad(model(X).sum(), list(model.parameters()))
        unused = torch.autograd.grad(model(X).sum(), [torch.ones(1, requires_grad=True)], allow_unused=True)
    assert unused == (None,)
    assert [raw_bytes(grad) for grad in plain] == [raw_bytes(grad) for grad in watched]


def test_a_node_knows_its_module_its_line_its_call_and_what_that_made():
    model = Net()
    with lab.watch(model) as watcher:
        model(X).sum().backward()
    graph = watcher.traces[0].graph
    (tanh,) = graph.find("tanh")
    assert (tanh.module, tanh.call.name) == ("", "torch.tanh")
    assert [str(made.meta) for made in tanh.call.made] == ["f32[2,4]"]
    assert tanh.call.made[0].norm is None
    assert (tanh.source.file, tanh.source.function) == (__file__, "Net.forward")
    assert tanh.source.line == line_of(Net.forward, "torch.tanh")
    (total,) = graph.find("SumBackward0")
    assert (total.module, total.call.name) == (None, "torch.Tensor.sum")
    addmm = [node for node in graph.nodes if node.name == "AddmmBackward0"]
    assert [node.module for node in addmm] == ["last", "cell#3", "cell#2", "cell", "first"]
    assert [node.source.line for node in addmm[1:4]] == [line_of(Net.forward, "self.cell(h)")] * 3
    transposed = [node for node in graph.nodes if node.name == "TBackward0"]
    assert [node.call for node in transposed] == [node.call for node in addmm]  # one call made both
    assert len({node.call.number for node in addmm}) == 5
    assert {node.variable for node in graph.leaves} == {name for name, _ in model.named_parameters()}


def test_a_line_is_neither_torchs_nor_pythons_own():
    @contextlib.contextmanager
    def doubled(x):
        yield x * 2

    x = torch.ones(2, requires_grad=True)
    with lab.watch() as watcher, contextlib.ExitStack() as stack:
        attention = nn.MultiheadAttention(4, 2)
        y = stack.enter_context(doubled(x)).sum() + attention(*[torch.ones(3, 1, 4)] * 3)[0].sum()
        with ThreadPoolExecutor(1) as executor:
            executor.submit(y.backward).result()
    (trace,) = watcher.traces
    made = {node.source for node in trace.graph.nodes if node.call}
    here = [
        line_of(test_a_line_is_neither_torchs_nor_pythons_own, text) for text in ("yield x * 2", "y = stack")
    ]
    assert sorted((source.file, source.line) for source in made) == [(__file__, line) for line in here]
    assert trace.started is None  # nobody's line in that thread called backward


def test_forward_statistics_are_those_of_what_was_made():
    model = Net()
    seen = {}
    model.first.register_forward_hook(lambda module, args, output: seen.update(norm=output.norm().item()))
    with lab.watch(model, forward="stats") as watcher:
        model(X).sum().backward()
    first = next(node for node in watcher.traces[0].graph.nodes if node.module == "first")
    assert first.call.made[0].norm == pytest.approx(seen["norm"], rel=1e-6)
    with lab.watch(model, forward=None) as watcher:
        model(X).sum().backward()
    assert all(node.call.made == () for node in watcher.traces[0].graph.nodes if node.call)


def test_each_call_within_a_module_that_is_called_again():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = Net()

        def forward(self, x):
            return self.net(x) + self.net(-x)

    with lab.watch(model := Twice()) as watcher:
        model(X).sum().backward()
        with torch.no_grad():
            model(X)
        model(X).sum().backward()
    for trace in watcher.traces:
        modules = {node.module for node in trace.graph.nodes if node.name == "AddmmBackward0"}
        inner = {"first", "cell", "cell#2", "cell#3", "last"}
        assert modules == {f"{outer}.{name}" for outer in ("net", "net#2") for name in inner}


def test_models_are_found_and_told_apart():
    generator, discriminator = Net(), nn.Sequential(nn.Linear(1, 2), nn.Linear(2, 1))
    with lab.watch() as watcher:
        generator(X).sum().backward()
        discriminator(generator(X)).sum().backward()
        nn.MSELoss()(discriminator(generator(X)), torch.zeros(2, 1)).backward()
    first, second, third = (trace.graph for trace in watcher.traces)
    assert {node.variable for node in first.leaves} == {name for name, _ in generator.named_parameters()}
    assert {"Net.first.weight", "Sequential.0.bias"} <= {node.variable for node in second.leaves}
    assert {"Net", "Net.cell#2", "Sequential.1"} <= {node.module for node in second.nodes}
    assert third.find("MseLoss")[0].module == "MSELoss"


def test_the_main_programs_variables_name_the_models(monkeypatch):
    main = sys.modules["__main__"]
    generator, discriminator = Net(), Net()
    monkeypatch.setattr(main, "generator", generator, raising=False)
    monkeypatch.setattr(main, "discriminator", discriminator, raising=False)
    with lab.watch() as watcher:
        (generator.first(X).sum() + discriminator.first(X).sum()).backward()
    assert {node.module for node in watcher.traces[0].graph.find("Addmm")} == {
        "generator.first",
        "discriminator.first",
    }


def test_skip_and_limit_choose():
    model = Net()
    with lab.watch(model, skip=2, limit=2) as watcher:
        for _ in range(6):
            model(X).sum().backward()
        watcher.limit = None
        model(X).sum().backward()
    assert [trace.number for trace in watcher.traces] == [2, 3, 6]
    assert watcher.count == 7
    for trace in watcher.traces[:2]:
        assert trace.graph.find("tanh")[0].module == ""


def test_one_of_so_many():
    model = Net()
    with lab.watch(model, skip=1, limit=2, every=3) as watcher:
        for _ in range(9):
            model(X).sum().backward()
        assert [trace.number for trace in watcher.traces] == [1, 4]
        watcher.limit, watcher.every = None, 5
        for _ in range(9):
            model(X).sum().backward()
    assert [trace.number for trace in watcher.traces] == [1, 4, 11, 16]
    assert watcher.traces[-1].graph.find("tanh")[0].module == ""


def test_only_what_may_be_the_last_is_kept():
    model, lengths = Net(), []
    watcher = lab.watch(model)
    watcher.which = Chosen((slice(1, 2), slice(-2, None)))
    with watcher:
        for _ in range(5):
            model(X).sum().backward()
            lengths.append([trace.number for trace in watcher.traces])
    assert lengths == [[0], [0, 1], [1, 2], [1, 2, 3], [1, 3, 4]]


def test_what_is_not_chosen_is_not_looked_at(monkeypatch):
    """Neither its graph nor the calls and modules of its forward, but for those of the last one before a chosen one."""
    names = ("watch", "forward", "modules")
    watch, forward, modules = (importlib.import_module(f"autograd_lab.backward.{name}") for name in names)
    walks, calls = [], []
    find = modules.RootModules.call
    monkeypatch.setattr(modules.RootModules, "call", lambda *args: calls.append(None) or find(*args))
    live, place = watch.live, forward.place
    monkeypatch.setattr(watch, "live", lambda *args, **options: walks.append(None) or live(*args, **options))
    monkeypatch.setattr(forward, "place", lambda: calls.append(None) or place())
    model, counts = Net(), []
    with lab.watch(model, skip=3, limit=1) as watcher:
        for _ in range(8):
            output = model(X).sum()
            output.backward()
            counts.append((len(walks), len(calls)))
    seen = [(b[0] - a[0], b[1] > a[1]) for a, b in itertools.pairwise([(0, 0), *counts])]
    assert seen == [(0, False), (0, False), (0, True), (1, True)] + [(0, False)] * 4
    assert [trace.number for trace in watcher.traces] == [3]


READ_THE_STACK = {
    getattr(torch._C._functorch, name)
    for name in (
        "current_level", "get_dynamic_layer_stack_depth", "get_interpreter_stack", "maybe_current_level",
        "peek_interpreter_stack",
    )
}  # fmt: skip


@pytest.mark.parametrize("options", [{"limit": 1}, {"stats": "full", "forward": "stats"}])
def test_no_stack_of_transforms_is_read(options):
    """Whose first reading has torch's engine copy it from then on: Note [What isn't asked] in ``_torch/engine.py``."""
    asked, model = [], Net()

    def profile(_frame, event, function):
        if event == "c_call" and function in READ_THE_STACK:
            asked.append(function.__name__)

    with lab.watch(model, **options):
        sys.setprofile(profile)
        try:
            for _ in range(3):
                model(X).sum().backward()
        finally:
            sys.setprofile(None)
    assert asked == []


def test_a_module_that_was_not_noted_as_it_began_is_known_when_its_first_step_is_chosen():
    """A model that takes its steps inside its own forward."""

    class Trainer(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = Net()

        def forward(self):
            for _ in range(4):
                (self.net(X) * 2).sum().backward()

    model = Trainer()
    with lab.watch(model, skip=2) as watcher:
        model()
        model()
    assert [trace.number for trace in watcher.traces] == [2, 3, 4, 5, 6, 7]
    for trace in watcher.traces:
        assert trace.graph.find("tanh")[0].module == "net"
        assert trace.graph.find("mul")[0].module == ""


def test_several_losses_and_accumulation():
    model = Net()
    with lab.watch(model) as watcher:
        shared = model(X)
        shared.sum().backward(retain_graph=True)
        shared.square().sum().backward()
    first, second = watcher.traces
    assert {step.accumulation.how for step in second.steps if step.accumulation} == {"added"}
    assert first.graph.find("tanh")[0].call == second.graph.find("tanh")[0].call


def test_a_scaler_and_lbfgs():
    model = Net()
    scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
    lbfgs = torch.optim.LBFGS(model.parameters(), max_iter=3)

    def closure():
        lbfgs.zero_grad()
        loss = model(X).square().sum()
        loss.backward()
        return loss

    with lab.watch(model) as watcher:
        scaler.scale(model(X).sum()).backward()
        lbfgs.step(closure)
    assert watcher.traces[0].steps[0].grad_outputs[0].norm == 1.0
    assert len(watcher.traces) > 3
    assert {trace.started.function for trace in watcher.traces[1:]} == {closure.__qualname__}


def test_autocast_and_anomaly_mode():
    model = Net()
    with lab.watch(model) as watcher, torch.autocast("cpu", dtype=torch.bfloat16), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with torch.autograd.detect_anomaly():
            model(X).float().sum().backward()
    names = [node.name for node in watcher.traces[0].graph.nodes if node.module == "first"]
    assert "ToCopyBackward0" in names


# --- backwards in unusual places --------------------------------------------------------


def test_double_backward_knows_what_the_first_backward_made():
    model = Net()
    with lab.watch(model) as watcher:
        x = X.clone().requires_grad_()
        (slope,) = torch.autograd.grad(model(x).sum(), x, create_graph=True)
        slope.square().sum().backward()
    second = watcher.traces[1].graph
    made = [node for node in second.nodes if node.call and node.call.name == "torch.autograd.grad"]
    assert {node.name for node in made} >= {"MmBackward0", "TanhBackwardBackward0"}
    assert {node.module for node in made} == {None}
    assert all(node.source.line == made[0].source.line for node in made)
    assert second.find("TanhBackward0")[0].module == ""


class Inner(torch.autograd.Function):
    """Its backward starts another one, as a reentrant checkpoint's does, ``levels`` deep."""

    @staticmethod
    def forward(ctx, x, levels):
        ctx.levels = levels
        return x * 2

    @staticmethod
    def backward(ctx, grad):
        if ctx.levels:
            through_layers(ctx.levels - 1, layers=4)
        return grad * 2, None


def through_layers(levels, layers):
    """Starts the inner backward as user code does, some calls deep."""
    if layers:
        return through_layers(levels, layers - 1)
    x = torch.ones(2, requires_grad=True)
    with torch.enable_grad():
        Inner.apply(x, levels).sum().backward()
    return x.grad


@pytest.mark.parametrize("levels", [5, 59, 130])
def test_backwards_deep_inside_one_another_fit_on_the_stack(levels):
    with lab.watch() as watcher:
        grad = through_layers(levels, layers=0)
    assert grad.tolist() == [2, 2]
    assert watcher.count == 1
    assert len(watcher.traces) == min(levels + 1, 8)
    assert [trace.within is None for trace in watcher.traces] == [True, *[False] * (len(watcher.traces) - 1)]
    assert all(trace.error is None for trace in watcher.traces)


@pytest.mark.parametrize("use_reentrant", [True, False])
def test_checkpoints(use_reentrant):
    model = Net()

    def step():
        x = X.clone().requires_grad_()
        h = checkpoint(model.first, x, use_reentrant=use_reentrant)
        h = checkpoint(model.cell, torch.tanh(h), use_reentrant=use_reentrant)
        model.last(h).sum().backward()

    step()
    plain = grads(model)
    model.zero_grad()
    with lab.watch(model) as watcher:
        step()
    assert grads(model) == plain
    outer = watcher.traces[0]
    assert (outer.number, outer.within) == (0, None)
    inner = watcher.traces[1:]
    if not use_reentrant:
        assert inner == []
        assert [node.module for node in outer.graph.find("Addmm")] == ["last", "cell", "first"]
        return
    assert [outer.graph.node(trace.within).name for trace in inner] == ["CheckpointFunctionBackward"] * 2
    assert [trace.number for trace in inner] == [0, 0]
    recomputed = [node.module for trace in inner for node in trace.graph.find("Addmm")]
    assert recomputed == ["cell", "first"]
    assert all(step.duration_ns is not None for trace in watcher.traces for step in trace.steps)


def test_a_backward_in_a_hook_on_the_same_graph():
    a = torch.tensor(2.0, requires_grad=True)
    b = a * a
    c = b * 3.0
    inside = []

    def hook(grad):
        if not inside:
            inside.append(None)  # the inner backward fires this hook again
            inside.append(torch.autograd.grad(b, a, retain_graph=True)[0])

    b.register_hook(hook)
    with lab.watch(names={"a": a}) as watcher:
        c.backward()
    outer, inner = watcher.traces
    assert (a.grad, inside) == (12.0, [None, 4.0])
    assert [outer.graph.node(step.node).name for step in outer.steps] == [
        "MulBackward0",
        "MulBackward0",
        "AccumulateGrad",
    ]
    assert len(inner.steps) == 1
    assert outer.graph.node(inner.within).name == "MulBackward0"
    alone = lab.trace(a * a, names={"a": a})
    assert len(alone.steps) == 2


def test_a_trace_leaves_out_a_backward_that_a_hook_starts():
    a = torch.tensor(2.0, requires_grad=True)
    b = a * a
    inside = []

    def hook(grad):
        if not inside:
            inside.append(True)
            torch.autograd.grad(b, a, retain_graph=True)

    b.register_hook(hook)
    done = lab.trace(b * 3.0, names={"a": a})
    assert [step.node for step in done.steps] == [0, 1, 2]


def test_backwards_in_two_threads_at_once():
    barrier = threading.Barrier(2)
    models = [Net(), nn.Sequential(nn.Linear(3, 4), nn.Sigmoid(), nn.Linear(4, 1))]

    def train(model):
        for _ in range(5):
            barrier.wait()
            model(X).sum().backward()

    def run():
        threads = [threading.Thread(target=train, args=(model,)) for model in models]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        found = [grads(model) for model in models]
        for model in models:
            model.zero_grad()
        return found

    plain = run()
    with lab.watch() as watcher:
        assert run() == plain
    assert sorted(trace.number for trace in watcher.traces) == list(range(10))
    tanh = [trace for trace in watcher.traces if trace.graph.find("TanhBackward")]
    sigmoid = [trace for trace in watcher.traces if trace.graph.find("SigmoidBackward")]
    assert (len(tanh), len(sigmoid)) == (5, 5)
    for trace in watcher.traces:
        assert [step.node for step in trace.steps] == list(range(len(trace.graph)))
    # Calls are seen in the watching thread only, modules in all.
    assert {trace.graph.find("SigmoidBackward")[0].module for trace in sigmoid} <= {"Sequential.1", "1"}


def test_torch_func_transforms_inside():
    model = Net()
    parameters = dict(model.named_parameters())

    def loss(parameters, x):
        return torch.func.functional_call(model, parameters, (x,)).sum()

    def compute():
        return (
            torch.func.grad(loss)(parameters, X),
            torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0))(parameters, X[:, None]),
            torch.func.hessian(lambda x: model(x).sum())(X[0]),
            torch.autograd.functional.jacobian(model, X),
        )

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # torch scripts its decompositions on first use
        plain = compute()
    with lab.watch(model, forward="stats") as watcher:
        watched = compute()
        model(X).sum().backward()
    flat = torch.utils._pytree.tree_leaves
    assert [raw_bytes(a) for a in flat(plain)] == [raw_bytes(a) for a in flat(watched)]
    assert watcher.traces[-1].graph.find("tanh")[0].module == ""


def by_batches(x):
    y = x * x
    return torch.autograd.grad(y, x, torch.eye(3), is_grads_batched=True)[0]


def by_a_user_in_vmap(x):
    y = x * x
    return torch.func.vmap(lambda row: torch.autograd.grad(y, x, row, retain_graph=True)[0])(torch.eye(3))


IN_TRANSFORMS = {
    "grad": lambda x: torch.func.grad(lambda x: (x * x).sum())(x),
    "vmap of grad": lambda x: torch.func.vmap(torch.func.grad(lambda x: x * x))(x),
    "a user's own in vmap": by_a_user_in_vmap,
    "batches": by_batches,
}


@pytest.mark.parametrize("limit", [None, 0])
@pytest.mark.parametrize("transform", list(IN_TRANSFORMS))
def test_backwards_of_transforms_are_counted_and_said(transform, limit):
    """Also where nothing is traced any more. A plain one beside them counts as ever."""
    x = torch.ones(3, requires_grad=True)
    plain = IN_TRANSFORMS[transform](x)
    with lab.watch(limit=limit) as watcher:
        assert watcher.remark == ""
        for _ in range(2):
            assert raw_bytes(IN_TRANSFORMS[transform](x)) == raw_bytes(plain)
        (x * 2).sum().backward()
    assert (watcher.transformed, watcher.count, len(watcher.traces)) == (2, 1, 1 if limit is None else 0)
    said = "2 backwards inside torch.func or with is_grads_batched=True can't be traced"
    assert watcher.remark == said
    assert said in repr(watcher)


def test_no_grad_sections_and_fast_paths_have_the_same_bits():
    encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2).eval()
    attention = nn.MultiheadAttention(8, 2, batch_first=True).eval().requires_grad_(False)
    x = torch.randn(2, 5, 8)

    def compute():
        with torch.no_grad():
            teacher = encoder(x)
        return teacher, attention(x, x, x)[0]

    plain = [raw_bytes(made) for made in compute()]
    with lab.watch():
        assert [raw_bytes(made) for made in compute()] == plain
    # The control: with any mode that doesn't step aside, torch takes another path.
    with torch.overrides.BaseTorchFunctionMode():
        assert [raw_bytes(made) for made in compute()] != plain


def of_two_parts(x):
    x = x.sin()
    torch._dynamo.graph_break()
    return x.exp()


class Compiles(nn.Linear):
    """Its forward is compiled, and called as a method."""

    def forward(self, x):
        return self.inner(x)

    @torch.compile(backend="aot_eager")
    def inner(self, x):
        return nn.functional.linear(x, self.weight).sin()


def compiled_in_place():
    model = nn.Sequential(nn.Linear(3, 2), nn.Tanh())
    model.compile(backend="aot_eager")
    return model


def with_hooks():
    model = nn.Sequential(nn.Linear(3, 2), nn.Tanh())
    model[0].register_full_backward_hook(lambda *_: None)
    return model


BY_TORCHS_FUNCTIONS = {
    "a compiled module": lambda: torch.compile(nn.Linear(3, 2), backend="aot_eager"),
    "a compiled function": lambda: torch.compile(lambda x: x.sin().exp(), backend="aot_eager"),
    "compiled in two parts": lambda: torch.compile(of_two_parts, backend="aot_eager"),
    "a model's compile()": compiled_in_place,
    "backward hooks": with_hooks,
}


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")  # Dynamo asks for it
@pytest.mark.parametrize("made", list(BY_TORCHS_FUNCTIONS))
def test_a_node_of_torchs_own_function_is_at_the_line_of_the_users_call(made):
    """Neither torch's own nor the first one of what was compiled."""
    torch.compiler.reset()
    call = BY_TORCHS_FUNCTIONS[made]()
    x = torch.ones(4, 3, requires_grad=True)
    with lab.watch() as watcher:
        before = x.sigmoid()
        line = sys._getframe().f_lineno + 1
        result = call(x)
        (result.mean() + before.mean()).backward()
    graph = watcher.traces[0].graph
    nodes = [
        node for node in graph.nodes if node.name.startswith(("CompiledFunction", "BackwardHookFunction"))
    ]
    assert nodes
    for node in nodes:
        assert (node.source.file, node.source.line) == (__file__, line)
    assert graph.find("SigmoidBackward0")[0].source.line == line - 2
    assert [node.source.line for node in graph.find("MeanBackward0")] == [line + 1] * 2
    assert "__init__" not in vars(torch.autograd.function.BackwardCFunction)


def test_a_compiled_method_is_at_the_line_of_its_call():
    torch.compiler.reset()
    with lab.watch() as watcher:
        Compiles(3, 2)(torch.ones(4, 3)).sum().backward()
    (node,) = (node for node in watcher.traces[0].graph.nodes if node.kind == "compiled")
    first = Compiles.forward.__code__.co_firstlineno
    assert (node.source.function, node.source.line) == ("Compiles.forward", first + 1)


def test_watch_and_swap_notice_functions_side_by_side():
    """Whichever ends first."""
    made = torch.autograd.function.BackwardCFunction
    for first in ("watch", "swap"):
        watch, swap = lab.watch(with_hooks()), lab.swap("mul")
        blocks = [watch, swap] if first == "watch" else [swap, watch]
        for block in blocks:
            block.__enter__()
        assert "__init__" in vars(made)
        blocks[0].__exit__(None, None, None)
        assert "__init__" in vars(made)
        blocks[1].__exit__(None, None, None)
        assert "__init__" not in vars(made)


def test_a_compiled_model_stays_compiled():
    torch.compiler.reset()
    model = Net()
    compiled = torch.compile(model, backend="aot_eager")
    compiled(X).sum().backward()
    plain = grads(model)
    model.zero_grad()
    with lab.watch(model) as watcher:
        compiled(X).sum().backward()
    assert grads(model) == plain
    assert [node.kind for node in watcher.traces[0].graph.nodes][:2] == ["op", "compiled"]
    assert len(watcher.traces) == 1


def traced_by_jit(model):
    return torch.jit.trace(model, X)(X).sum().backward()


def scripted(model):
    return torch.jit.script(nn.Sequential(nn.Linear(3, 2), nn.Tanh()))(X).sum().backward()


def symbolically_traced(model):
    return torch.fx.symbolic_trace(model)(X).sum().backward()


def exported(model):
    return torch.export.export(model, (X,)).module()(X).sum().backward()


def copied(model):
    return copy.deepcopy(model)(X).sum().backward()


def parametrised(model):
    return torch.nn.utils.parametrizations.spectral_norm(nn.Linear(3, 3))(X).sum().backward()


def compiled_in_place(model):
    model.compile(backend="aot_eager")
    return model(X).sum().backward()


def compiled_function(model):
    return torch.compile(lambda x: model(x).sum() * 2, backend="aot_eager")(X).backward()


def checked(model):
    x = torch.ones(3, dtype=torch.float64, requires_grad=True)
    return torch.autograd.gradcheck(
        lambda x: (x * x).sum(), x, check_batched_grad=True, check_forward_ad=True
    )


def batched(model):
    output = model(X)
    return torch.autograd.grad(
        output, list(model.parameters()), torch.eye(2)[..., None], is_grads_batched=True
    )


def counted(model):
    with FlopCounterMode(display=False) as counter:
        model(X).sum().backward()
    return counter.get_total_flops()


OTHERS = [
    traced_by_jit, scripted, symbolically_traced, exported, copied, parametrised, compiled_in_place,
    compiled_function, checked, batched, counted,
]  # fmt: skip


@pytest.mark.parametrize("use", OTHERS, ids=lambda use: use.__name__)
def test_what_else_torch_does_with_models_and_backwards(use):
    def run():
        torch.manual_seed(0)
        torch.compiler.reset()
        model = Net()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = use(model)
        made = torch.utils._pytree.tree_leaves(found)
        return [raw_bytes(each) if isinstance(each, torch.Tensor) else each for each in made], grads(model)

    plain = run()
    with lab.watch():
        assert run() == plain


# --- undisturbed -------------------------------------------------------------------------


def everything():
    """What a watch could leave behind."""
    hooks = torch.nn.modules.module
    return (
        torch.autograd._engine_run_backward,
        torch._C._len_torch_function_stack(),
        torch._C._len_torch_dispatch_stack(),
        dict(hooks._global_forward_hooks),
        dict(hooks._global_forward_pre_hooks),
        dict(hooks._global_forward_hooks_always_called),
        list(warnings.filters),
        torch.is_grad_enabled(),
    )


NUMBERS = [case for case in CASES.values() if case.numbers]


def gradients(built):
    return [raw_bytes(leaf.grad) for leaf in leaf_tensors(built.outputs)]


def shape_of(built):
    """The nodes and edges of a graph, numbered as they are met."""
    nodes = live_nodes(built.outputs)
    index_of = {node: i for i, node in enumerate(nodes)}
    return [(node.name(), [(index_of.get(to), nr) for to, nr in node.next_functions]) for node in nodes]


@pytest.mark.parametrize(
    "options", [{}, {"stats": None, "forward": None}, {"stats": "full", "forward": "stats"}]
)
@pytest.mark.parametrize("case", NUMBERS, ids=lambda case: case.name)
def test_graph_and_gradients_are_the_same_with_and_without(case, options):
    plain = case.build()
    shape = shape_of(plain)
    backward(plain.outputs, retain_graph=False)
    before = everything()
    random = torch.get_rng_state()
    with lab.watch(**options) as watcher:
        watched = case.build()
        assert shape_of(watched) == shape
        torch.set_rng_state(random)
        backward(watched.outputs, retain_graph=False)
    assert everything() == before
    assert gradients(watched) == gradients(plain)
    assert watcher.traces
    ran = [step for step in watcher.traces[-1].steps if step.duration_ns is not None]
    assert len(ran) == len(watcher.traces[-1].steps)


def memory(tensor):
    """A number for the memory that a tensor fills; ``None`` where torch gives no single one."""
    plain = tensor is not None and type(tensor) in (torch.Tensor, nn.Parameter) and not tensor.is_nested
    return tensor.untyped_storage()._cdata if plain and tensor.layout == torch.strided else None


def stolen(case):
    """Which leaves' ``.grad`` is the very memory that came, and how each lies in memory, by the test's own hooks."""
    built, came = case.build(), {}
    nodes = [node for node in live_nodes(built.outputs) if "AccumulateGrad" in node.name()]
    for index, node in enumerate(nodes):
        node.register_prehook(lambda grads, index=index: came.update({index: memory(grads[0])}) and None)
    leaves = [node.variable for node in nodes]
    del nodes
    backward(built.outputs, retain_graph=False)
    return [
        (came.get(i) is not None and memory(leaf.grad) == came[i], leaf.grad.stride())
        if memory(leaf.grad) is not None
        else None
        for i, leaf in enumerate(leaves)
    ]


@pytest.mark.parametrize("case", NUMBERS, ids=lambda case: case.name)
def test_what_is_stolen_is_the_same_with_and_without(case):
    plain = stolen(case)
    with lab.watch(stats="full", forward="stats", keep="all") as watcher:
        assert stolen(case) == plain
    steps = watcher.traces[0].steps
    told = sum(step.accumulation is not None and step.accumulation.how == "stole" for step in steps)
    if not any(each is None for each in plain) and len(watcher.traces) == 1:
        assert told == sum(taken for taken, _ in plain)
    if case.name in ("mlp", "cnn", "gpt2_sdpa"):
        assert told > 3


@pytest.mark.parametrize("case", NUMBERS, ids=lambda case: case.name)
def test_a_trace_gives_the_same_bits_too(case):
    plain, traced = case.build(), case.build()
    backward(plain.outputs, retain_graph=False)
    from models import flat, ones_for

    tensors = flat(traced.outputs)
    done = lab.trace(
        tensors, model=traced.model, grad_tensors=[ones_for(t) for t in tensors], stats="full", keep="all"
    )
    assert gradients(traced) == gradients(plain)
    assert [step.node for step in done.steps] == [node.id for node in done.graph.nodes]


def test_hooks_that_were_there_fire_once_and_in_the_same_order():
    def run(watch):
        torch.manual_seed(0)
        model, fired = Net(), []
        model.first.register_full_backward_hook(lambda *_: fired.append("module"))
        model.first.register_forward_pre_hook(lambda *_: fired.append("forward pre"))
        model.first.register_forward_hook(lambda *_: fired.append("forward"))
        model.last.weight.register_hook(lambda grad: fired.append("tensor"))
        model.last.weight.register_post_accumulate_grad_hook(lambda leaf: fired.append("accumulated"))
        with watch(model):
            h = model(X.clone().requires_grad_())
            h.grad_fn.register_prehook(lambda grads: fired.append("pre"))
            h.grad_fn.register_hook(lambda *_: fired.append("post"))
            h.sum().backward()
        return fired

    plain = run(lambda model: contextlib.nullcontext())
    assert run(lab.watch) == plain
    assert len(plain) == len(set(plain)) == 7


def test_what_was_stolen_is_still_stolen():
    given = []

    class Give(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.clone()

        @staticmethod
        def backward(ctx, grad):
            made = grad * 2
            given.append(made.data_ptr())
            return made

    w = torch.ones(1000, requires_grad=True)
    with lab.watch(names={"w": w}, stats="full", forward="stats") as watcher:
        Give.apply(w).sum().backward()
    assert [w.grad.data_ptr()] == given
    assert watcher.traces[0].steps[-1].accumulation.how == "stole"


def test_a_backward_that_raises_keeps_its_exception_and_its_trace():
    class Breaks(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, grad):
            raise KeyError("mine")

    model = Net()
    before = everything()
    with pytest.raises(KeyError, match="mine") as caught, lab.watch(model) as watcher:
        Breaks.apply(model(X)).sum().backward()
    assert everything() == before
    assert len(watcher.traces) == 1
    assert caught.value.autograd_lab_trace == watcher.traces[0]
    assert [step.duration_ns is None for step in watcher.traces[0].steps] == [False, True]


def test_a_hook_that_raises_and_a_module_that_raises():
    model = Net()
    with lab.watch(model) as watcher:
        output = model(X)
        output.register_hook(lambda grad: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            output.sum().backward()
        with pytest.raises(RuntimeError):
            model(torch.ones(2, 99))
        model(X).sum().backward()
    assert "ZeroDivisionError" in watcher.traces[0].error
    assert watcher.traces[1].graph.find("tanh")[0].module == "Net#2"  # the first call raised


def test_an_error_inside_the_block_takes_everything_down_with_it():
    before = everything()
    with pytest.raises(ValueError, match="mine"), lab.watch():
        raise ValueError("mine")
    assert everything() == before


def test_watches_nest_and_leave_in_any_order():
    model, before = Net(), everything()
    outer, inner = lab.watch(model), lab.watch(model, stats=None)
    with outer:
        with inner:
            model(X).sum().backward()
        model(X).sum().backward()
    assert everything() == before
    assert (len(outer.traces), len(inner.traces)) == (2, 1)
    for a, b in zip(outer.traces[0].graph.nodes, inner.traces[0].graph.nodes, strict=True):
        assert (a.module, a.source, a.call and a.call.name) == (b.module, b.source, b.call and b.call.name)
    with pytest.raises(LabError, match="on already"), outer, outer:
        pass
    assert everything() == before


def test_nothing_is_kept_alive_and_memory_returns_to_where_it_was():
    model = Net()
    reference = weakref.ref(model)
    counts = []
    with lab.watch(model) as watcher:
        for step in range(330):  # the last 256 forwards are remembered
            model(X).sum().backward()
            abandoned = model(X)
            watcher.traces.clear()
            if step in (279, 329):
                gc.collect()
                counts.append(len(gc.get_objects()))
    assert counts[1] - counts[0] < 100
    del model, abandoned
    gc.collect()
    assert reference() is None


def test_wrong_options_get_one_line():
    for options, message in (
        ({"stats": "everything"}, "use None, 'norm' or 'full'"),
        ({"forward": "values"}, "use 'meta', 'stats' or None"),
        ({"keep": "some"}, "use None, 'all'"),
        ({"skip": -1}, "skip=-1 isn't a number of backwards; use a whole number from 0"),
        ({"every": 0}, "every=0 isn't a number of backwards; use a whole number from 1"),
        ({"limit": 0.5}, "limit=0.5"),
        ({"live": "yes"}, "live is True or False, not .yes."),
    ):
        with pytest.raises(OptionError, match=message):
            lab.watch(**options)
    with pytest.raises(GraphError, match="pass a"):
        lab.watch(3)


@pytest.mark.parametrize(
    ("option", "value"), [("skip", -1), ("limit", -1), ("every", 0), ("every", None), ("limit", True)]
)
def test_a_number_of_backwards_is_checked_whenever_it_is_given(option, value):
    with pytest.raises(OptionError, match=f"{option}={value} isn't a number"):
        lab.watch(**{option: value})
    watcher = lab.watch()
    before = getattr(watcher, option)
    with pytest.raises(OptionError, match=f"{option}={value} isn't a number"):
        setattr(watcher, option, value)
    assert getattr(watcher, option) == before
