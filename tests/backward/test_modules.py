"""What modules and parameters are called, whichever were called, in whatever container, by whichever way of looking."""

from __future__ import annotations

import itertools
import re
import sys
import types
import weakref
from collections.abc import Callable
from typing import NamedTuple

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

import autograd_lab as lab
from autograd_lab.backward.modules import ModuleCall, RootModules
from autograd_lab.cli.target import watched
from autograd_lab.errors import GraphError


class Block(nn.Module):
    """Called, and calls what it holds in containers that aren't."""

    def __init__(self):
        super().__init__()
        self.parts = nn.ModuleList([nn.Linear(3, 3), nn.Sequential(nn.Linear(3, 3), nn.Tanh())])
        self.more = nn.ModuleDict({"last": nn.Linear(3, 3)})

    def forward(self, x):
        for part in self.parts:
            x = part(x)
        return self.more["last"](x)


class Holder(nn.Module):
    """Never called: it has no forward."""

    def __init__(self):
        super().__init__()
        self.enc = nn.Module()
        self.enc.inner = Block()
        self.dec = nn.Linear(3, 3)


class Wrapped(nn.Module):
    """A module around the model, as those that compute the loss too."""

    def __init__(self, model):
        super().__init__()
        self.task = nn.ModuleList([model])

    def forward(self, x):
        return self.task[0](x).square()


class Direct(nn.Module):
    """Uses a child's weight without calling the child, and calls another one twice."""

    def __init__(self):
        super().__init__()
        self.table = nn.Linear(3, 3, bias=False)
        self.twice = Block()

    def forward(self, x):
        return self.twice(self.twice(x @ self.table.weight))


def in_turn(*paths: str) -> Callable[[nn.Module, torch.Tensor], torch.Tensor]:
    """Calls some modules of a model one after another, and not the model."""

    def run(model, x):
        for path in paths:
            x = model.get_submodule(path)(x)
        return x

    return run


def whole(model, x):
    return model(x)


def twice(model, x):
    return model(x) + model(-x)


def wrapped(model, x):
    return Wrapped(model)(x)


def with_a_loss(model, x):
    return nn.MSELoss()(model(x), x)


def parametrized():
    return nn.Sequential(
        parametrizations.weight_norm(nn.Linear(3, 3)), parametrizations.spectral_norm(nn.Linear(3, 3))
    )


def shared():
    linear = nn.Linear(3, 3)
    return nn.Sequential(linear, nn.Tanh(), nn.Sequential(linear, nn.Linear(3, 3)))


class Case(NamedTuple):
    make: Callable[[], nn.Module]
    run: Callable[[nn.Module, torch.Tensor], torch.Tensor]


def sequential():
    return nn.Sequential(nn.Linear(3, 3), nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3)))


def module_dict():
    return nn.ModuleDict({"G": nn.Linear(3, 3), "D": sequential()})


def module_list():
    return nn.ModuleList([Block() for _ in range(3)])


CASES = {
    "a Sequential": Case(sequential, whole),
    "a Sequential's children": Case(sequential, in_turn("0", "1")),
    "a Sequential's grandchildren": Case(sequential, in_turn("0", "1.0", "1.1")),
    "a Sequential's one child": Case(sequential, in_turn("1.1")),
    "a Sequential in a wrapper": Case(sequential, wrapped),
    "a Sequential with a loss": Case(sequential, with_a_loss),
    "a Sequential twice": Case(sequential, twice),
    "a ModuleDict's": Case(module_dict, in_turn("G", "D")),
    "a ModuleDict's one": Case(module_dict, in_turn("G")),
    "a ModuleDict's parts": Case(module_dict, in_turn("D.1.0", "G", "D.0")),
    "a ModuleList's": Case(module_list, in_turn("0", "1", "2")),
    "a ModuleList's, one twice": Case(module_list, in_turn("1", "0", "1")),
    "a ModuleList's parts": Case(module_list, in_turn("2.parts.1", "0.more.last")),
    "a Block": Case(Block, whole),
    "a Block in a wrapper": Case(Block, wrapped),
    "a Block twice": Case(Block, twice),
    "a nested attribute": Case(Holder, in_turn("enc.inner", "dec")),
    "a nested attribute's parts": Case(Holder, in_turn("dec", "enc.inner.parts.0", "enc.inner.more.last")),
    "a weight used directly": Case(Direct, whole),
    "a single module": Case(lambda: nn.Linear(3, 3), whole),
    "a single module twice": Case(lambda: nn.Linear(3, 3), twice),
    "parametrized": Case(parametrized, whole),
    "parametrized, its children": Case(parametrized, in_turn("0", "1")),
    "shared": Case(shared, whole),
    "shared, its children": Case(shared, in_turn("0", "2")),
}


def by_watch(model, step):
    with lab.watch(model) as watcher:
        step().backward()
    return watcher.traces[0].graph


def by_watch_capture(model, step):
    with lab.watch(model) as watcher:
        return watcher.capture(step())


def by_target(model, step):
    module = types.ModuleType("target_of_these_tests")
    module.make = lambda: (step(), model)
    sys.modules[module.__name__] = module
    try:
        with watched(f"{module.__name__}:make") as (found, annotated):
            return annotated(lab.capture(found.loss, model=found.model, names=found.names))
    finally:
        del sys.modules[module.__name__]


WAYS = [by_watch, by_watch_capture, by_target]


def uncounted(path: str, model: nn.Module) -> str:
    """A module's path without its calls' numbers; a call of the model itself begins with its class."""
    root, rest = re.match(r"(?:(\w+)#\d+(?:\.|$))?(.*)", path).groups()
    path = rest if root == type(model).__name__ else path
    return re.sub(r"#\d+", "", path)


def users(graph, leaf):
    """The nodes that a leaf's gradient comes from, seen through the views of it."""
    found = []
    for tail, _, edge in graph.edges:
        if edge.node == leaf.id:
            node = graph.node(tail)
            found += users(graph, node) if node.name == "TBackward0" else [node]
    return found


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", CASES)
def test_names_are_those_of_named_modules_and_named_parameters(name, way):
    """Of every leaf, of every module, and each leaf in the module that uses it."""
    torch.manual_seed(0)
    model = CASES[name].make()
    graph = way(model, lambda: CASES[name].run(model, torch.ones(2, 3)).sum())
    check(graph, model)


def check(graph, model):
    tensors = dict(model.named_parameters(remove_duplicate=False))
    modules = dict(model.named_modules(remove_duplicate=False))
    assert graph.leaves
    for leaf in graph.leaves:
        assert leaf.variable in tensors
        names = [name for name, tensor in tensors.items() if tensor is tensors[leaf.variable]]
        assert (leaf.variable, *leaf.aliases) == tuple(names)
        for node in users(graph, leaf):
            if node.name == "AddmmBackward0":
                homes = {alias.rpartition(".")[0].partition(".parametrizations")[0] for alias in names}
                assert uncounted(node.module, model) in homes
    known = {uncounted(node.module, model) for node in graph.nodes if node.module is not None}
    assert {path for path in known if not path.startswith(("Wrapped", "MSELoss"))} <= set(modules)


@pytest.mark.parametrize("name", CASES)
def test_capture_and_trace_call_leaves_the_same(name):
    model = CASES[name].make()
    loss = CASES[name].run(model, torch.ones(2, 3)).sum()
    names = [(leaf.variable, leaf.aliases) for leaf in by_watch(model, lambda: loss).leaves]
    loss = CASES[name].run(model, torch.ones(2, 3)).sum()
    for graph in (lab.capture(loss, model=model), lab.trace(loss, model=model).graph):
        assert [(leaf.variable, leaf.aliases) for leaf in graph.leaves] == names


def test_a_roots_second_call_is_named_after_it():
    """By the variable that holds it, or by its class; what lies in it stands below that name."""
    model = Block()
    graph = by_watch(model, lambda: twice(model, torch.ones(2, 3)).sum())
    assert {node.module for node in graph.find("AddmmBackward0")} == {
        *("parts.0", "parts.1.0", "more.last"),
        *("Block#2.parts.0", "Block#2.parts.1.0", "Block#2.more.last"),
    }
    graph = by_watch(None, lambda: twice(model, torch.ones(2, 3)).sum())
    assert "Block#2.parts.1.0" in {node.module for node in graph.nodes}
    linear = nn.Linear(3, 3)
    graph = by_target(linear, lambda: twice(linear, torch.ones(2, 3)).sum())
    assert {node.module for node in graph.find("AddmmBackward0")} == {"", "Linear#2"}


def test_a_call_in_a_module_around_the_model_is_numbered_from_the_model_on():
    model = sequential()
    around = Wrapped(model)
    graph = by_target(model, lambda: (around(torch.ones(2, 3)) + around(torch.ones(2, 3))).sum())
    assert {node.module for node in graph.find("Addmm")} == {"0", "1.0", "1.1"}
    assert {node.module for node in graph.find("Pow")} == {"Wrapped", "Wrapped#2"}
    assert by_watch(model, lambda: around(torch.ones(2, 3)).sum()).find("Addmm")[0].module == "1.1"
    graph = by_target(
        model, lambda: sum(around.task[0](x).sum() + around(x).sum() for x in torch.ones(2, 2, 3))
    )
    assert {node.module for node in graph.find("Addmm")} >= {"0", "1.0", "Sequential#2.0", "Sequential#2.1.1"}


def test_modules_that_are_made_in_the_forward_keep_their_names():
    class Makes(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(3, 3)

        def forward(self, x):
            return nn.Tanh()(nn.Tanh()(self.linear(x)))

    model = Makes()
    for way in WAYS:
        graph = way(model, lambda: model(torch.ones(2, 3)).sum())
        assert [node.module for node in graph.find("tanh")] == ["Tanh#2", "Tanh"]


# --- parameters that stand for others -------------------------------------------------


def replaced(model, *, kind=torch.Tensor):
    made = {name: value.detach().clone() for name, value in model.named_parameters()}
    return {name: kind(value).requires_grad_() for name, value in made.items()}


@pytest.mark.parametrize("kind", [torch.Tensor, nn.Parameter])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("call", [torch.func.functional_call, nn.utils.stateless.functional_call])
@pytest.mark.filterwarnings("ignore:.*functional_call.*:FutureWarning")
def test_what_stands_in_for_a_parameter_has_its_name(call, way, kind):
    model = Block()
    tensors = replaced(model, kind=kind)
    graph = way(model, lambda: call(model, tensors, (torch.ones(2, 3),)).sum())
    assert {leaf.variable for leaf in graph.leaves} == set(tensors)
    assert {node.module for node in graph.find("Addmm")} == {"parts.0", "parts.1.0", "more.last"}


def test_only_what_is_replaced_is_renamed_and_in_the_inner_module():
    """A network that calls another one on weights that it makes or holds."""
    model = sequential()
    other = {"1.bias": torch.zeros(3, requires_grad=True)}
    graph = by_watch(
        model, lambda: model[0](torch.func.functional_call(model[1], other, (torch.ones(2, 3),))).sum()
    )
    names = {leaf.variable for leaf in graph.leaves}
    assert names == {name for name, _ in model.named_parameters()}
    (bias,) = graph.find("1.1.bias")
    assert lab.replay(
        sum(tensor.sum() for tensor in other.values()), names=other
    )  # it is a leaf of the user's
    assert bias.variable == "1.1.bias"


def test_two_tensors_that_stand_for_one_parameter_are_told_apart():
    model = nn.Linear(3, 3)
    first, second = replaced(model), replaced(model)

    def step():
        x = torch.ones(2, 3)
        several = [torch.func.functional_call(model, tensors, (x,)) for tensors in (first, second)]
        return (model(x) + sum(several)).sum()

    graph = by_watch(model, step)
    assert {leaf.variable for leaf in graph.leaves} == {
        *("weight", "weight#2", "weight#3"),
        *("bias", "bias#2", "bias#3"),
    }


def test_fast_weights_are_named_where_their_gradients_flow():
    model = nn.Linear(3, 3, bias=False)
    x = torch.ones(2, 3)

    def step():
        (slope,) = torch.autograd.grad(model(x).square().sum(), model.weight, create_graph=True)
        fast = {"weight": model.weight - slope}
        return torch.func.functional_call(model, fast, (x,)).sum(), fast

    with lab.watch(model) as watcher:
        loss, _fast = step()
        loss.backward()
    graph = watcher.traces[-1].graph
    assert [leaf.variable for leaf in graph.leaves] == ["weight"]
    assert "weight#2" in {edge.name for _, _, edge in graph.edges}


def test_tied_parameters_that_are_replaced_show_every_name():
    model = shared()
    tensors = {name: value for name, value in replaced(model).items() if name.startswith("0.")}
    graph = by_watch(model, lambda: torch.func.functional_call(model, tensors, (torch.ones(2, 3),)).sum())
    assert ("0.weight", "2.0.weight") in {(leaf.variable, *leaf.aliases) for leaf in graph.leaves}


def test_replaced_tensors_are_not_held():
    model = nn.Linear(3, 3)
    roots = RootModules(model)
    for _ in range(500):
        tensors = replaced(model)
        with torch.nn.utils.stateless._reparametrize_module(model, tensors):
            roots.replaced(model)
    assert len(roots._replaced) < 200
    del tensors
    assert roots.naming().stand_ins == ()


# --- wrappers ---------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.filterwarnings(
    "ignore:The .grad attribute of a Tensor that is not a leaf"
)  # torch.compile's own
@pytest.mark.parametrize("inner", [False, True], ids=["whole", "a child"])
def test_a_compiled_model_has_the_names_of_the_model(inner, way):
    model = nn.Sequential(nn.Linear(3, 3), Block())
    names = [name for name, _ in model.named_parameters()]
    compiled = (
        nn.Sequential(model[0], torch.compile(model[1], backend="eager"))
        if inner
        else torch.compile(model, backend="eager")
    )
    graph = way(compiled, lambda: compiled(torch.ones(2, 3)).sum())
    assert {leaf.variable for leaf in graph.leaves} == set(names)
    assert not [node for node in graph.nodes if "_orig_mod" in (node.module or "")]
    assert {
        leaf.variable for leaf in lab.capture(compiled(torch.ones(2, 3)).sum(), model=compiled).leaves
    } == set(names)


def test_an_attribute_of_the_users_may_have_the_wrappers_name():
    model = nn.Sequential()
    model.add_module("_orig_mod", nn.Linear(3, 3))
    graph = by_watch(model, lambda: model(torch.ones(2, 3)).sum())
    assert {leaf.variable for leaf in graph.leaves} == {"_orig_mod.weight", "_orig_mod.bias"}
    assert graph.find("Addmm")[0].module == "_orig_mod"


@pytest.fixture
def group(tmp_path):
    """A process group of one."""
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{tmp_path / 'store'}", rank=0, world_size=1
    )
    yield
    torch.distributed.destroy_process_group()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("reshard", [True, False])
def test_a_sharded_model_has_its_names(group, way, reshard):
    """``fully_shard`` gathers each parameter into another tensor, before the first forward and after many."""
    from torch.distributed.fsdp import fully_shard

    model = nn.Sequential(nn.Linear(3, 3), Block())
    for part in (model[1].parts[0], model[1], model):
        fully_shard(part, reshard_after_forward=reshard)
    names = {name for name, _ in model.named_parameters()}
    for _ in range(2):
        graph = way(model, lambda: model(torch.ones(2, 3)).sum())
        assert {leaf.variable for leaf in graph.leaves} == names
        assert {node.module for node in graph.find("Addmm")} == {
            "0",
            "1.parts.0",
            "1.parts.1.0",
            "1.more.last",
        }
    graph = lab.capture(model(torch.ones(2, 3)).sum(), model=model)
    assert {leaf.variable for leaf in graph.leaves} == names
    saved = {
        each.variable for node in graph.find("Addmm") for each in node.saved if each.view == "transposed"
    }
    assert saved == names - {"0.weight"} - {name for name in names if name.endswith("bias")}


def test_a_replicated_model_is_called_as_torch_calls_it(group):
    """``module`` is an attribute that users write."""
    model = nn.parallel.DistributedDataParallel(sequential())
    check(by_watch(model, lambda: model(torch.ones(2, 3)).sum()), model)
    check(by_target(model, lambda: model(torch.ones(2, 3)).sum()), model)


def test_what_is_no_module_gets_one_line():
    with pytest.raises(GraphError, match=r"^model is an int; pass a torch.nn.Module"):
        lab.capture(torch.ones(1, requires_grad=True).sum(), model=3)


def test_a_graph_knows_the_classes_of_the_modules_in_it():
    torch.manual_seed(0)
    model = nn.Sequential(Block(), nn.Tanh())
    with lab.watch(model) as watcher:
        (model(torch.ones(1, 3)) + model(torch.ones(1, 3))).sum().backward()
    graph = watcher.traces[0].graph
    assert graph.classes == (
        ("", "Sequential"), ("0", "Block"), ("0.more", "ModuleDict"), ("0.more.last", "Linear"),
        ("0.parts", "ModuleList"), ("0.parts.0", "Linear"), ("0.parts.1", "Sequential"),
        ("0.parts.1.0", "Linear"), ("0.parts.1.1", "Tanh"), ("1", "Tanh"),
    )  # fmt: skip
    assert lab.capture(model(torch.ones(1, 3)), model=model).classes == ()  # a forward that nobody watched


def test_classes_of_several_models_stand_behind_their_names():
    first, second = nn.Linear(2, 2), nn.Sequential(nn.Linear(2, 1))
    with lab.watch() as watcher:
        second(first(torch.ones(1, 2))).sum().backward()
    assert watcher.traces[0].graph.classes == (
        ("Linear", "Linear"), ("Sequential", "Sequential"), ("Sequential.0", "Linear")
    )  # fmt: skip


def temporaries():
    """Models that nobody else holds, with what they are called on."""
    parts = [nn.Linear(3, 2), nn.Linear(2, 1)]
    yield nn.ModuleDict({"0": parts[0], "1": parts[1]}), parts
    yield nn.ModuleList(parts), parts
    yield nn.Sequential(*parts), parts
    holder = nn.Module()
    setattr(holder, "0", parts[0])
    setattr(holder, "1", parts[1])
    yield holder, parts


@pytest.mark.parametrize("which", range(4))
def test_a_model_that_only_the_watch_was_given_lives_as_long_as_it(which):
    container, parts = next(itertools.islice(temporaries(), which, None))
    alive = weakref.ref(container)
    watcher = lab.watch(container)
    del container
    with watcher:
        for _ in range(2):
            parts[1](parts[0](torch.ones(1, 3))).sum().backward()
    assert alive() is None
    for trace in watcher.traces:
        assert leaves(trace) == {"0.weight", "0.bias", "1.weight", "1.bias"}
        assert {node.module for node in trace.graph.nodes} >= {"0", "1"}


def test_what_is_made_for_one_call_keeps_its_names_while_the_graph_keeps_its_parameters():
    with lab.watch() as watcher:
        for _ in range(3):
            encoded = nn.Sequential(nn.Linear(3, 2), nn.Tanh())(torch.ones(1, 3))
            nn.Linear(2, 1)(encoded).sum().backward()
            del encoded
    names = [leaves(trace) for trace in watcher.traces]
    assert names == [{"Sequential.0.weight", "Sequential.0.bias", "Linear.weight", "Linear.bias"}] * 3


def test_roots_whose_tensors_are_gone_are_forgotten():
    roots, around = RootModules(None), ModuleCall(None, "", "", {})
    for _ in range(10):
        roots.call(nn.Linear(2, 1), around)
    assert len(roots._roots) <= 2


def leaves(trace):
    return {leaf.variable for leaf in trace.graph.leaves}
