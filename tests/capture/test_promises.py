"""The promises of ``capture``, each against an oracle that isn't the lab: torch's engine, torchviz, weak references."""

from __future__ import annotations

import gc
import linecache
import subprocess
import sys
import weakref

import pytest
import torch
import torchviz
from torch import nn

import autograd_lab as lab
from autograd_lab.errors import GraphError


class Several(torch.autograd.Function):
    """Two results, a saved ``None``, many leaves."""

    @staticmethod
    def forward(ctx, *xs):
        ctx.save_for_backward(xs[0], None)
        return sum(xs) * 1.0, xs[0] * 2.0

    @staticmethod
    def backward(ctx, first, second):
        return (first + second, *[first] * (len(ctx.needs_input_grad) - 1))


def leaves(count, *shape):
    return [
        torch.linspace(0.1, 1.0, max(1, torch.Size(shape).numel())).reshape(shape).requires_grad_()
        for _ in range(count)
    ]


def worked_example():
    w = torch.tensor(0.0, requires_grad=True)
    return (w * torch.tensor(2.0) - torch.tensor(4.0)) ** 2


def many_leaves():
    return torch.cat([leaf * 1 if place % 3 else leaf for place, leaf in enumerate(leaves(23, 2))]).sum()


def custom_function():
    first, second = Several.apply(*leaves(9, 2))
    return (first * second).sum()


def parallel_edges():
    (x,) = leaves(1, 3)
    y = x.exp()
    return (y * y + x * x).sum()


def convolutions():
    model = nn.Sequential(
        nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.LazyLinear(2)
    )
    return model(torch.randn(2, 2, 6, 6)).logsumexp(-1).sum()


def recurrent():
    return (
        nn.GRU(3, 4, num_layers=2)(torch.randn(4, 2, 3))[0].sum()
        + nn.LSTM(3, 4)(torch.randn(4, 2, 3))[0].sum()
    )


def transformer():
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    return nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)(torch.randn(2, 3, 8)).square().mean()


def in_place_and_views():
    (x,) = leaves(1, 4)
    base = x.clone()
    view = base[:2]
    view.mul_(3)
    base[2:].exp_()
    return (base * view.sum()).sum()


def multiple_outputs():
    (x,) = leaves(1, 3, 3)
    first, _, third = (x + 0.5).unbind(0)
    u, s, _ = torch.linalg.svd(x + torch.eye(3))
    return (first * third).sum() + s.sum() + u.abs().sum() * 0


def double_backward():
    (x,) = leaves(1, 3)
    (grad,) = torch.autograd.grad((x.exp() * x.sin()).sum(), x, create_graph=True)
    return grad.square().sum()


def complex_numbers():
    (x,) = leaves(1, 4)
    return torch.fft.fft(x).abs().sum() + torch.view_as_real(x * 1j).sum()


def half_precision():
    return nn.Linear(3, 2, dtype=torch.bfloat16)(torch.ones(1, 3, dtype=torch.bfloat16)).sum()


def checkpointed():
    model = nn.Sequential(nn.Linear(3, 3), nn.Tanh())
    x = torch.ones(2, 3, requires_grad=True)
    return torch.utils.checkpoint.checkpoint(model, x, use_reentrant=False).sum()


def reentrant():
    model = nn.Sequential(nn.Linear(3, 3), nn.Tanh())
    return torch.utils.checkpoint.checkpoint(
        model, torch.ones(2, 3, requires_grad=True), use_reentrant=True
    ).sum()


def two_outputs():
    (x,) = leaves(1, 3)
    trunk = x.exp()
    return [trunk.sum(), {"other": (trunk * 2).sum(), "number": 3, "again": trunk.sum()}]


CASES = [
    worked_example,
    many_leaves,
    custom_function,
    parallel_edges,
    convolutions,
    recurrent,
    transformer,
    in_place_and_views,
    multiple_outputs,
    double_backward,
    complex_numbers,
    half_precision,
    checkpointed,
    reentrant,
    two_outputs,
]


@pytest.fixture(params=CASES, ids=lambda case: case.__name__)
def outputs(request):
    torch.manual_seed(0)
    return request.param()


def flat(outputs):
    if isinstance(outputs, torch.Tensor):
        return [outputs]
    items = outputs.values() if isinstance(outputs, dict) else outputs
    return [tensor for item in items if not isinstance(item, int) for tensor in flat(item)]


def live_nodes(outputs):
    """An own walk, so that the lab's isn't checked against itself."""
    waiting = [tensor.grad_fn for tensor in flat(outputs)]
    met = dict.fromkeys(waiting)
    while waiting:
        for target, _ in waiting.pop().next_functions:
            if target is not None and target not in met:
                met[target] = None
                waiting.append(target)
    return list(met)


def native_order(outputs):
    """Runs the native engine with a hook on every node, and says in which order they ran."""
    ran = []
    nodes = live_nodes(outputs)
    handles = [node.register_prehook(lambda grads, node=node: ran.append(node)) for node in nodes]
    torch.autograd.backward(flat(outputs), retain_graph=True)
    for handle in handles:
        handle.remove()
    return ran


def test_ids_are_the_order_in_which_the_native_engine_runs_the_nodes(outputs):
    from autograd_lab.capture.graph import live

    graph, nodes = live(outputs)
    assert nodes == native_order(outputs)
    assert [node.name.rpartition("::")[2] for node in graph.nodes] == [
        n.name().rpartition("::")[2] for n in nodes
    ]


@pytest.mark.parametrize(
    "case", [case for case in CASES if case is not two_outputs], ids=lambda case: case.__name__
)
def test_ids_are_torchs_own_plan(case):
    """Not ``two_outputs``: the plan can only be asked for in a pre-hook of a single root."""
    from autograd_lab.capture.graph import live

    outputs = case()
    _, nodes = live(outputs)
    plan = []

    def ask(grads):
        plan.extend(torch._C._current_graph_task_execution_order())

    handle = flat(outputs)[0].grad_fn.register_prehook(ask)
    with torch.autograd.set_multithreading_enabled(False):
        torch.autograd.backward(flat(outputs), retain_graph=True)
    handle.remove()
    assert nodes[-len(plan) :] == plan
    assert len(nodes) - len(plan) <= 1


@pytest.mark.filterwarnings("ignore:distutils Version classes:DeprecationWarning")
@pytest.mark.parametrize(
    "case", [case for case in CASES if case is not custom_function], ids=lambda case: case.__name__
)
def test_the_nodes_are_those_that_torchviz_draws(case):
    """Not ``custom_function``: torchviz raises an ``AttributeError`` where a custom Function saved ``None``."""
    outputs = case()
    nodes = live_nodes(outputs)
    dot = torchviz.make_dot(tuple(flat(outputs)))
    keys = {line.split()[0] for line in dot.body if "[" in line and "->" not in line} - {"node"}
    tensors = {str(id(tensor)) for tensor in every_tensor(outputs, nodes)}
    assert keys - tensors == {str(id(node)) for node in nodes}
    assert len(lab.capture(outputs)) == len(nodes)


def every_tensor(outputs, nodes):
    bases = [tensor._base for tensor in flat(outputs) if tensor._base is not None]
    return [*flat(outputs), *bases, *(node.variable for node in nodes if hasattr(node, "variable"))]


def test_edges_are_kept_slot_by_slot(outputs):
    from autograd_lab.capture.graph import live

    graph, nodes = live(outputs)
    for record, node in zip(graph.nodes, nodes, strict=True):
        expected = [(target, nr) if target is not None else None for target, nr in node.next_functions]
        assert [(nodes[edge.node], edge.input_nr) if edge else None for edge in record.next] == expected


def test_grad_outputs_are_what_flows(outputs):
    from autograd_lab.capture.graph import live

    graph, nodes = live(outputs)
    seen = {}
    handles = [
        node.register_prehook(lambda grads, place=place: seen.__setitem__(place, grads))
        for place, node in enumerate(nodes)
    ]
    torch.autograd.backward(flat(outputs), retain_graph=True)
    for handle in handles:
        handle.remove()
    for place, grads in seen.items():
        metas = graph.node(place).grad_outputs
        assert len(metas) == len(grads)
        for meta, grad in zip(metas, grads, strict=True):
            if grad is not None:
                assert (meta.shape, meta.dtype) == (tuple(grad.shape), str(grad.dtype).removeprefix("torch."))


def test_gradients_have_the_same_bits_with_a_capture_and_without(outputs):
    nodes = live_nodes(outputs)
    variables = [node.variable for node in nodes if hasattr(node, "variable")]

    def gradients():
        for variable in variables:
            variable.grad = None
        torch.autograd.backward(flat(outputs), retain_graph=True)
        return [variable.grad for variable in variables]

    before = gradients()
    lab.capture(outputs)
    for a, b in zip(before, gradients(), strict=True):
        assert (a is None) == (b is None)
        assert a is None or torch.equal(a, b)


def test_it_goes_to_json_and_back(outputs, tmp_path):
    graph = lab.capture(outputs)
    assert lab.load(lab.save(graph, tmp_path / "graph.json")) == graph


def test_after_the_backward_what_was_freed_is_released(outputs):
    before = lab.capture(outputs)
    torch.autograd.backward(flat(outputs))
    after = lab.capture(outputs)
    assert [node.name for node in after.nodes] == [node.name for node in before.nodes]
    held = [s for node in after.nodes for s in node.saved if s.meta is not None]
    freed = [s for node in after.nodes for s in node.saved if s.released]
    assert not held
    assert bool(freed) == any(s.meta or s.packed for node in before.nodes for s in node.saved)


def test_nothing_is_held_afterwards():
    model = nn.Linear(3, 2)
    x = torch.ones(1, 3)
    loss = Several.apply(model(x), model(x))[0].exp().sum()
    watched = [weakref.ref(tensor) for tensor in (loss, x, model.weight)]

    weight = model.weight
    before = [
        sys.getrefcount(loss),
        sys.getrefcount(weight),
        sys.getrefcount(x),
        sys.getrefcount(loss.grad_fn),
    ]
    lab.capture(loss, model=model, names={"x": x})
    after = [
        sys.getrefcount(loss),
        sys.getrefcount(weight),
        sys.getrefcount(x),
        sys.getrefcount(loss.grad_fn),
    ]
    assert before == after
    del loss, x, model, weight
    gc.collect()
    assert [reference() for reference in watched] == [None] * 3


def test_captures_do_not_pile_up():
    loss = transformer()
    lab.capture(loss)
    gc.collect()
    before = len(gc.get_objects())
    for _ in range(50):
        lab.capture(loss)
    gc.collect()
    assert len(gc.get_objects()) - before < 50


def test_hooks_are_found_and_not_called_and_none_is_added():
    w = torch.ones(2, requires_grad=True)
    y = w * 3
    z = y.exp()
    called = []
    y.register_hook(lambda grad: called.append(1))
    y.retain_grad()
    y.grad_fn.register_prehook(lambda grads: called.append(2))
    y.grad_fn.register_hook(lambda a, b: called.append(3))
    w.register_hook(lambda grad: called.append(4))
    w.register_post_accumulate_grad_hook(lambda leaf: called.append(5))
    graph = lab.capture(z.sum(), names={"y": y, "w": w})
    kinds = {node.name: [hook.kind for hook in node.hooks] for node in graph.nodes}
    assert kinds == {
        "SumBackward0": [],
        "ExpBackward0": [],
        "MulBackward0": ["tensor_pre_hook", "retains_grad_hook", "pre_hook", "post_hook"],
        "AccumulateGrad": ["tensor_pre_hook", "post_accumulate_grad_hook"],
    }
    assert called == []
    assert "<lambda>" in graph.find("Mul")[0].hooks[0].name
    assert graph.find("Mul")[0].hooks[0].source.file == __file__
    assert lab.capture(z.sum()).find("Exp")[0].hooks == ()


def test_what_hooks_hold_is_not_unpacked():
    def refuse(packed):
        raise AssertionError("unpacked")

    w = torch.ones(3, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: "elsewhere", refuse):
        loss = (w.exp() * w).sum()
    packed = [saved for node in lab.capture(loss).nodes for saved in node.saved if saved.packed]
    assert {saved.packed.rpartition(".")[2] for saved in packed} == {"refuse"}
    assert all(saved.meta is None and not saved.released for saved in packed)


def test_a_checkpoint_is_not_recomputed():
    runs = []

    class Counts(nn.Module):
        def forward(self, x):
            runs.append(1)
            return x.exp()

    x = torch.ones(2, requires_grad=True)
    loss = torch.utils.checkpoint.checkpoint(Counts(), x, use_reentrant=False).sum()
    lab.capture(loss)
    assert runs == [1]


def test_saved_tensors_say_what_they_are():
    weight = torch.ones(2, 3, requires_grad=True)
    x = torch.ones(4, 3)
    hidden = nn.functional.linear(x, weight)
    loss = (hidden * hidden).sum(-1).sum()
    graph = lab.capture(loss, names={"weight": weight, "x": x, "hidden": hidden})
    mul = {saved.name: saved for saved in graph.find("MulBackward0")[0].saved}
    assert (mul["self"].variable, mul["self"].nbytes, str(mul["self"].meta)) == ("hidden", 32, "f32[4,2]")
    assert mul["self"].storage == mul["other"].storage
    sums = graph.find("SumBackward1")[0].saved
    assert {saved.name: saved.value for saved in sums}["dim"] == (-1,)
    assert graph.saved_nbytes == sum(
        {s.storage: s.storage_nbytes for node in graph.nodes for s in node.saved if s.meta}.values()
    )


def test_an_in_place_change_shows_in_the_version():
    w = torch.ones(3, requires_grad=True)
    y = w * 2
    loss = (y * y).sum()
    before = lab.capture(loss).find("MulBackward0")[0].saved[0].version
    with torch.no_grad():
        y.add_(1)
    assert lab.capture(loss).find("MulBackward0")[0].saved[0].version == before + 1


def test_names_of_parameters_ties_and_intermediates():
    model = nn.ModuleDict({"a": nn.Linear(2, 2, bias=False), "b": nn.Linear(2, 2, bias=False)})
    model["b"].weight = model["a"].weight
    extra = torch.ones(2, requires_grad=True)
    hidden = model["a"](torch.ones(1, 2))
    loss = (model["b"](hidden) * extra).sum()
    graph = lab.capture(loss, model=model, names={"hidden": hidden, "loss": loss})
    tied, unnamed = (
        next(n for n in graph.leaves if n.aliases),
        next(n for n in graph.leaves if not n.aliases),
    )
    assert (tied.variable, tied.aliases) == ("a.weight", ("b.weight",))
    assert unnamed.variable == "leaf0"
    assert {edge.name for _, _, edge in graph.edges} == {"hidden", None}
    assert graph.roots[0].name == "loss"


def test_a_custom_function_says_where_its_forward_is():
    record = lab.capture(custom_function()).find("SeveralBackward")[0]
    assert record.kind == "function"
    assert record.source.file == __file__
    assert linecache.getline(__file__, record.source.line).strip() == "def forward(ctx, *xs):"
    assert [saved.name for saved in record.saved] == ["tensors[0]", "tensors[1]"]


def test_anomaly_mode_gives_the_users_line():
    with pytest.warns(UserWarning, match="Anomaly Detection"), torch.autograd.detect_anomaly(check_nan=False):
        loss = worked_example()
    assert lab.capture(loss).nodes[0].source.function == "worked_example"


@pytest.mark.parametrize(
    ("outputs", "arguments", "says"),
    [
        (lambda: 3, {}, "outputs holds no tensor (it is an int)"),
        (list, {}, "outputs holds no tensor (it is a list)"),
        (
            lambda: torch.ones(2),
            {},
            "outputs is a float32 tensor of shape (2,) that has no graph: it requires no gradient",
        ),
        (lambda: torch.tensor([1, 2]), {}, "only floating and complex tensors have gradients"),
        (lambda: [torch.ones(1), torch.ones(2)], {}, "none of the 2 tensors in outputs"),
        (worked_example, {"model": 3}, "model is an int; pass a torch.nn.Module"),
        (worked_example, {"names": [3]}, "names is a list; pass a mapping"),
        (worked_example, {"names": {"a": 3}}, "names['a'] is an int; give a tensor"),
        (worked_example, {"names": {3: torch.ones(1)}}, "names has the key 3; names are texts"),
        (
            worked_example,
            {"model": nn.Linear(1, 1), "names": {"weight": torch.ones(1)}},
            "names['weight'] is another tensor than the model's 'weight'",
        ),
    ],
)
def test_wrong_calls_get_one_line(outputs, arguments, says):
    with pytest.raises(GraphError) as caught:
        lab.capture(outputs(), **arguments)
    assert says in str(caught.value)
    assert isinstance(caught.value, ValueError)
    assert "\n" not in str(caught.value)


def test_inference_mode_is_named_as_the_reason():
    with torch.inference_mode():
        made = torch.ones(2) * 2
    with pytest.raises(GraphError, match="inference mode"):
        lab.capture(made)


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
def test_tensors_without_ordinary_memory():
    from torch._subclasses.fake_tensor import FakeTensorMode

    meta = (torch.ones(3, device="meta", requires_grad=True).exp() * 2).sum()
    assert lab.capture(meta).nodes[0].grad_outputs[0].device == "meta"
    with FakeTensorMode():
        fake = (torch.ones(3, requires_grad=True).exp() * 2).sum()
    assert len(lab.capture(fake)) == 4
    sparse = torch.eye(3).to_sparse().requires_grad_()
    assert len(lab.capture(torch.sparse.mm(sparse, torch.ones(3, 1)))) == 2
    for layout in (torch.strided, torch.jagged):
        nested = torch.nested.nested_tensor(
            [torch.ones(2, 3), torch.ones(4, 3)], layout=layout, requires_grad=True
        )
        graph = lab.capture(nested * 2.0)
        assert str(graph.nodes[0].grad_outputs[0]) in ("f32[?]", "f32[2,j1,3]") or layout is torch.jagged


DEEP = """
import sys, threading, torch, autograd_lab as lab
def chain(length, y):
    for _ in range(length):
        y = y * 1.0
    return y
length, how = int(sys.argv[1]), sys.argv[2]
w = torch.ones(1, requires_grad=True)
middle = chain(length // 2, w)
loss = chain(length // 2, middle)
if how == "two":
    loss = [loss * 1.0, loss * 2.0]
for _ in range(2 if how == "twice" else 1):
    graph = lab.capture(loss)
assert len(graph) >= length
del graph
if how == "middle first":
    del middle
    del loss
else:
    del loss
    del middle
print("alive")
"""


@pytest.mark.parametrize("how", ["middle first", "loss first", "twice", "two"])
def test_a_deep_chain_is_captured_and_let_go(how):
    ran = subprocess.run(
        [sys.executable, "-c", DEEP, "80000", how], capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stdout) == (0, "alive\n"), ran.stderr


@pytest.mark.sweep
def test_a_million_operations():
    ran = subprocess.run(
        [sys.executable, "-c", DEEP, "1000000", "loss first"], capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stdout) == (0, "alive\n"), ran.stderr


def test_a_deep_graph_keeps_nothing_alive_that_would_have_died():
    class Holds(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.note = Note()
            notes.append(weakref.ref(ctx.note))
            return x * 1.0

        @staticmethod
        def backward(ctx, grad):
            return grad

    class Note:
        pass

    notes = []
    y = torch.ones(1, requires_grad=True)
    kept = None
    for place in range(6000):
        y = Holds.apply(y) if place % 500 == 0 else y * 1.0
        if place == 3000:
            kept = y
    lab.capture(y)
    del y
    gc.collect()
    assert [reference() is not None for reference in notes] == [
        place <= 3000 for place in range(0, 6000, 500)
    ]
    del kept
    gc.collect()
    assert all(reference() is None for reference in notes)


def test_a_shallow_graphs_metadata_is_left_alone():
    loss = transformer()
    lab.capture(loss)
    assert all(node.metadata == {} for node in live_nodes(loss))
