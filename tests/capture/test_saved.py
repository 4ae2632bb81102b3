"""What nodes saved, against torch's own unpacking getters; and that what hooks hold isn't unpacked."""

from __future__ import annotations

import math
import re

import pytest
import torch
from models import CASES, backward, leaves, shared
from torch import nn

import autograd_lab as lab
from autograd_lab._torch.saved import SavedField
from autograd_lab.capture.graph import live
from autograd_lab.capture.names import NameBook
from autograd_lab.capture.saved import MetaTable, SavedReader
from autograd_lab.records import Saved


def unpacked(node):
    """Everything that a node saved, as torch's getters give it: ``(name, value)``, members of a list apart."""
    if hasattr(node, "saved_tensors"):
        return [(f"tensors[{i}]", value) for i, value in enumerate(node.saved_tensors)]
    found = []
    for attribute in dir(node):
        if attribute.startswith("_saved_"):
            name, value = attribute.removeprefix("_saved_"), getattr(node, attribute)
            members = isinstance(value, tuple) and hasattr(node, f"_raw_saved_{name}")
            found += [(f"{name}[{i}]", item) for i, item in enumerate(value)] if members else [(name, value)]
    return found


def captured(built):
    """Pairs of what the record says and what torch's getter gives, of what no hook holds."""
    graph, nodes = live(built.outputs, model=built.model, names=built.names)
    for record, node in zip(graph.nodes, nodes, strict=True):
        if any(saved.packed for saved in record.saved):
            continue
        for saved, (name, value) in zip(record.saved, unpacked(node), strict=True):
            assert saved.name == name
            yield saved, value, node


def test_names_are_torchs(built):
    """Of what hooks hold too, where the names can be had without the values."""
    graph, nodes = live(built.outputs)
    for record, node in zip(graph.nodes, nodes, strict=True):
        attributes = [name.removeprefix("_saved_") for name in dir(node) if name.startswith("_saved_")]
        if attributes:
            assert list(dict.fromkeys(saved.name.partition("[")[0] for saved in record.saved)) == attributes


def test_tensors_are_what_torch_unpacks(built):
    for saved, value, _ in captured(built):
        if not isinstance(value, torch.Tensor):
            assert saved.meta is None
            continue
        assert (saved.meta.dtype, saved.meta.device) == (
            str(value.dtype).partition(".")[2],
            str(value.device),
        )
        if not (value.is_nested and value.layout is torch.strided):
            assert [str(size) for size in saved.meta.shape] == [str(size) for size in value.shape]
        assert saved.version == value._version
        assert (saved.value, saved.released, saved.packed) == (None, False, None)


def test_bytes_and_storages_are_those_of_the_memory(built):
    """The same number for two saved tensors if and only if their storages begin at the same address."""
    address_of, number_of, numbers = {}, {}, []
    for saved, value, _ in captured(built):
        if not isinstance(value, torch.Tensor) or value.is_nested or value.layout is not torch.strided:
            assert (saved.nbytes, saved.storage, saved.storage_nbytes) == (None, None, None)
        else:
            assert saved.nbytes == value.numel() * value.element_size()
            assert saved.storage_nbytes == value.untyped_storage().nbytes()
            numbers.append(saved.storage)
            if value.device.type == "cpu" and not isinstance(value, torch._subclasses.FakeTensor):
                address = value.untyped_storage().data_ptr()
                assert address_of.setdefault(saved.storage, address) == address
                assert number_of.setdefault(address, saved.storage) == saved.storage
    assert list(dict.fromkeys(numbers)) == list(range(len(set(numbers))))


def test_scalars_are_what_torch_saved(built):
    """Up to the sign, which torch's getters lose: that's below."""
    for saved, value, _ in captured(built):
        if not isinstance(value, torch.Tensor):
            assert same_scalar(saved.value, value), (saved, value)


def same_scalar(found, value):
    if isinstance(value, tuple):
        return type(found) is tuple and all(map(same_scalar, found, value)) and len(found) == len(value)
    if type(value) is int:
        return type(found) is int and -(2**63) <= found < 2**63 and (found - value) % 2**64 == 0
    if isinstance(value, bool | float | complex | str | None):
        return type(found) is type(value) and repr(found) == repr(value)
    return found == str(value)


def test_the_names_of_saved_tensors(built):
    """The very tensor that was saved; or the node's own result, known by its memory; or what it is a view of."""
    known = [
        *(built.model.named_parameters(remove_duplicate=False) if built.model else ()),
        *(built.model.named_buffers() if built.model else ()),
        *(built.names or {}).items(),
    ]
    for saved, value, node in captured(built):
        if not isinstance(value, torch.Tensor):
            assert (saved.variable, saved.view, saved.owner) == (None, None, None)
            continue
        same = [name for name, tensor in known if tensor is value]
        results = [name for name, tensor in known if tensor.grad_fn is node and is_at(tensor, value)]
        around = [(tensor, name) for name, tensor in known if is_around(tensor, value)]
        smallest = [name for _, name in sorted(around, key=lambda pair: pair[0].nbytes)]
        assert saved.variable == next(iter(same or results or smallest), None)
        assert saved.view is None or not same


def is_at(a, b):
    return (a.data_ptr(), a.shape, a.stride()) == (b.data_ptr(), b.shape, b.stride())


def is_around(a, b):
    """Whether every element of b lies between the first and the last of a, in one memory."""
    if not (is_plain(a) and is_plain(b)):
        return False
    return a.untyped_storage().data_ptr() == b.untyped_storage().data_ptr() and (
        a.data_ptr() <= b.data_ptr() and last_address(b) <= last_address(a)
    )


def is_plain(tensor):
    return (
        type(tensor) in (torch.Tensor, nn.Parameter)
        and tensor.device.type == "cpu"
        and tensor.layout is torch.strided
        and not tensor.is_nested
        and tensor.numel() > 0
    )


def last_address(tensor):
    return tensor.detach()[(-1,) * tensor.ndim].data_ptr()


def test_views_of_parameters_are_called_what_they_are():
    """Whichever way the model's code looks at its parameter, and without copying it."""
    weight = nn.Parameter(torch.rand(3, 4, 5))
    for look, view in (
        (lambda w: w, None),
        (lambda w: w.mT, "transposed"),
        (lambda w: w.transpose(-1, -2), "transposed"),
        (lambda w: w.mT.mT, None),
        (lambda w: w.detach(), None),
        (lambda w: w.transpose(0, 1), "view"),
        (lambda w: w.permute(2, 0, 1), "view"),
        (lambda w: w[1:], "view"),
        (lambda w: w[..., 0], "view"),
        (lambda w: w.reshape(12, 5), "view"),
        (lambda w: w[None], "view"),
        (lambda w: w[:, :1].expand(3, 4, 5), "view"),
        (lambda w: w[0].mT, "view"),
    ):
        assert saved_operand(look, weight) == ("w", view, "parameter"), look
    for copy in (lambda w: w + 0, lambda w: w.mT.contiguous(), lambda w: w.clone()):
        assert saved_operand(copy, weight) == (None, None, None)


def saved_operand(look, weight):
    model = nn.Module()
    model.w = weight
    looked = look(weight)
    loss = (looked.detach().clone().requires_grad_() * looked).sum()
    (product,) = lab.capture(loss, model=model).find("MulBackward")
    (saved,) = (saved for saved in product.saved if saved.name == "other")
    return saved.variable, saved.view, saved.owner


def test_the_registry_saves_things_of_every_sort():
    """What the tests above would be worth little without."""
    found = {name: [saved for saved, _, _ in captured(shared(name))] for name in CASES}
    everything = [saved for records in found.values() for saved in records]
    assert {type(saved.value) for saved in everything} >= {bool, int, float, str, tuple, type(None)}
    assert {saved.variable for saved in found["mlp"]} >= {None, "x"}
    assert {saved.variable for saved in found["cnn"]} >= {"x", "0.weight", "1.running_mean", "1.weight"}
    assert any(saved.meta and saved.storage is None for saved in found["sparse"])
    assert any(saved.storage_nbytes != saved.nbytes for saved in everything)
    assert [saved.name for saved in found["indexing"] if "[" in saved.name and saved.meta is None]


def test_the_model_comes_before_names_and_names_in_their_order():
    model = nn.Linear(2, 2, bias=False)
    x = torch.ones(2)
    graph = lab.capture(
        torch.outer(model(x), x).sum(), model=model, names={"w": model.weight, "b": x, "a": x}
    )
    names = {saved.variable for node in graph.nodes for saved in node.saved if saved.variable}
    assert names == {"b"}
    assert [(leaf.variable, leaf.aliases) for leaf in graph.leaves] == [("weight", ("w",))]


def test_an_intermediate_that_is_saved_has_its_name_wherever_it_is_saved():
    (x,) = leaves(1, 3)
    y = x.exp()  # saved by its own node, as a result
    z = y * y  # and by this one, as what went in
    graph = lab.capture(z.sum(), names={"y": y, "z": z})
    assert {
        (node.name, saved.name) for node in graph.nodes for saved in node.saved if saved.variable == "y"
    } == {
        ("ExpBackward0", "result"),
        ("MulBackward0", "self"),
        ("MulBackward0", "other"),
    }


def test_a_part_of_a_result_is_not_the_result():
    """Same node, same storage: but another tensor."""
    (x,) = leaves(1, 4)
    y = x.exp()
    graph = lab.capture(y.sum(), names={"half": y[:2], "other": x.exp()})
    assert graph.find("Exp")[0].saved[0].variable is None


def test_a_view_belongs_to_the_smallest_named_tensor_around_it():
    flat = nn.Parameter(torch.rand(12), requires_grad=False)
    x = leaves(1, 3, 2)[0]
    loss = (x @ flat[4:10].view(2, 3)).sum() + (x * flat[:6].view(3, 2)).sum()
    graph = lab.capture(loss, names={"flat": flat, "part": flat[4:10], "one": flat[5]})
    assert {(s.variable, s.view, s.owner) for n in graph.nodes for s in n.saved if s.meta and s.variable} == {
        ("part", "view", "parameter"),
        ("flat", "view", "parameter"),
    }


def test_views_of_activations_have_names_but_no_owner():
    (x,) = leaves(1, 3, 3)
    y = x.exp()
    graph = lab.capture((y.T * y[0]).sum(), names={"y": y})
    saved = [each for each in graph.find("MulBackward")[0].saved if each.meta]
    assert sorted((each.variable, each.view, each.owner) for each in saved) == [
        ("y", "transposed", None),
        ("y", "view", None),
    ]


@pytest.mark.parametrize("given", [True, False], ids=["model", "no model"])
@pytest.mark.parametrize("frozen", [True, False], ids=["frozen", "trained"])
def test_what_is_saved_is_told_in_two_figures(given, frozen):
    """What the graph alone keeps and what parameters keep anyway, each storage once; with and without the model."""
    model = nn.Sequential(nn.Linear(4, 8, bias=False), nn.Tanh(), nn.Linear(8, 2)).requires_grad_(not frozen)
    x = torch.ones(3, 4, requires_grad=True)
    graph = lab.capture((model(x) + model(x)).sum(), **({"model": model} if given else {}))
    weights = 4 * (4 * 8 + 8 * 2)
    assert graph.saved_parameter_nbytes == weights
    activations = 2 * 4 * 3 * 8 + (0 if frozen else 4 * 3 * 4)  # of the second Linear's input, tanh's result
    assert graph.saved_activation_nbytes == activations
    assert graph.saved_nbytes == weights + activations


def test_buffers_live_anyway_too():
    model = nn.BatchNorm1d(4, affine=False).eval()
    graph = lab.capture(model(torch.ones(3, 4, requires_grad=True)).sum(), model=model)
    owners = {saved.variable: saved.owner for node in graph.nodes for saved in node.saved if saved.variable}
    assert owners == {"running_mean": "buffer", "running_var": "buffer"}
    assert graph.saved_parameter_nbytes == 2 * 4 * 4


def test_bytes_held_count_each_storage_once():
    (x,) = leaves(1, 100)
    y = x.neg()
    a, b = y[:10], y[50:]
    graph = lab.capture((a * a).sum() + (b * b).sum())
    held = [saved for node in graph.nodes for saved in node.saved if saved.meta]
    assert [saved.nbytes for saved in held] == [200, 200, 40, 40]
    assert {saved.storage for saved in held} == {0}
    assert graph.saved_nbytes == 400


def test_versions_grow_with_changes_in_place():
    (x,) = leaves(1, 3)
    y = x * 2
    loss = (y * y).sum()
    before = lab.capture(loss).find("MulBackward0")[0].saved
    with torch.no_grad():
        y.add_(1)
    after = lab.capture(loss).find("MulBackward0")[0].saved
    assert [saved.version - old.version for saved, old in zip(after, before, strict=True)] == [1, 1]


# --- numbers ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "name", "value"),
    [
        (lambda x: x.sum(-1), "dim", (-1,)),
        (lambda x: x.sum((-1, -2)), "dim", (-1, -2)),
        (lambda x: x.transpose(-1, -2), "dim0", -1),
        (lambda x: x.cumsum(-1), "dim", -1),
        (lambda x: x.softmax(-1), "dim", -1),
        (lambda x: x.unsqueeze(-1), "dim", -1),
        (lambda x: x.unbind(-1)[0], "dim", -1),
        (lambda x: torch.add(x, x, alpha=-3), "alpha", -3),
        (lambda x: x**-2, "exponent", -2),
        (lambda x: x.roll(-1), "shifts", (-1,)),
        (lambda x: x.clamp(min=-0.0), "min", -0.0),
        (lambda x: x.clamp(max=math.inf), "max", math.inf),
        (lambda x: x[:, -1], "index", -1),
        (lambda x: torch.nn.functional.gelu(x, approximate="tanh"), "approximate", "tanh"),
        (lambda x: x.std(correction=0), "correction", 0),
        (lambda x: x.mean((0, 1), keepdim=True), "keepdim", True),
        (lambda x: torch.mul(torch.view_as_complex(x), 2j).abs(), "self", None),
    ],
)
def test_numbers_are_those_that_were_passed(make, name, value):
    """Also where torch's getter has lost the sign."""
    root = lab.capture(make(torch.ones(2, 2, requires_grad=True))).nodes[0]
    found = {saved.name: saved.value for saved in root.saved}[name]
    assert repr(found) == repr(value)


def test_equal_numbers_of_different_types_stay_apart():
    """They're shared between nodes: 0.0 and -0.0 are equal, and so are 1, 1.0 and True."""
    (x,) = leaves(1, 3)
    first = torch.add(x, x, alpha=1).clamp(min=0.0)
    second = torch.add(first, x, alpha=1.0).clamp(min=-0.0)
    nodes = lab.capture(second).nodes
    numbers = [saved.value for node in nodes for saved in node.saved if saved.name in ("alpha", "min")]
    assert list(map(repr, numbers)) == ["-0.0", "1.0", "0.0", "1"]
    assert [repr(lab.capture(x.clamp(min=value)).nodes[0].saved[1].value) for value in (0, 0.0, False)] == [
        repr(x.clamp(min=value).grad_fn._saved_min) for value in (0, 0.0, False)
    ]


@pytest.mark.parametrize("kind", [tuple, lambda values: values[0]])
def test_what_is_shared_is_the_same_to_the_last_sign(kind):
    """Equal values of one name, one after another in one capture, as no operation of torch's saves them."""

    class Node:
        def __init__(self, value):
            self._saved_given = value

    reader = SavedReader(NameBook(None, None), MetaTable())
    given = [kind(values) for values in ((1, 2), (True, 2), (1.0, 2), (0, 1), (0.0, 1), (-0.0, 1), (1, 2))]
    fields = (SavedField("given", None, "_saved_given"),)
    read = [reader.read(Node(value), fields, lambda tensor: None) for value in given]
    assert [repr(saved.value) for (saved,) in read] == [repr(value) for value in given]
    assert read[0][0] is read[-1][0]


# --- released, undefined ------------------------------------------------------------------------


def test_after_a_backward_what_was_freed_is_released(case):
    built = case.build()
    before = lab.capture(built.outputs, model=built.model, names=built.names)
    backward(built.outputs, retain_graph=False)
    after = lab.capture(built.outputs, model=built.model, names=built.names)
    assert [node._replace(saved=()) for node in after.nodes] == [
        node._replace(saved=()) for node in before.nodes
    ]
    for old, new in zip(before.nodes, after.nodes, strict=True):
        assert [saved.name for saved in new.saved] == names_after(old)
        held = {saved.name.partition("[")[0] for saved in old.saved if saved.meta or saved.packed}
        for saved in new.saved:
            was = next(item for item in old.saved if item.name.partition("[")[0] == saved.name)
            assert saved == (Saved(saved.name, released=True) if saved.name in held else was)


def names_after(node):
    """A saved list is freed whole, and its members' number with it."""
    return list(dict.fromkeys(saved.name.partition("[")[0] for saved in node.saved))


def test_only_what_ran_is_released():
    (x,) = leaves(1, 3)
    trunk = x.exp()
    first, second = trunk.sin().sum(), trunk.cos().sum()
    torch.autograd.grad(first, trunk)
    graph = lab.capture([first, second])
    tensors = {
        node.name: [saved for saved in node.saved if saved.meta or saved.released] for node in graph.nodes
    }
    assert {name: [saved.released for saved in found] for name, found in tensors.items() if found} == {
        "CosBackward0": [False],
        "SinBackward0": [True],
        "ExpBackward0": [False],
    }


def test_what_was_never_defined_is_not_released():
    """A batch norm without statistics and weights saves nothing in their places, before a backward and after it."""
    (x,) = leaves(1, 4, 2)
    loss = nn.BatchNorm1d(2, affine=False, track_running_stats=False)(x).sum()
    names = ("running_mean", "running_var", "weight")

    def undefined():
        saved = {item.name: item for item in lab.capture(loss).find("BatchNorm")[0].saved}
        return [saved[name] for name in names], saved["input"]

    empty = [Saved(name) for name in names]
    assert undefined()[0] == empty
    assert undefined()[1].meta is not None
    loss.backward()
    assert undefined() == (empty, Saved("input", released=True))


def test_a_function_that_saves_nothing():
    class Double(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.note = x  # not saved: it's the user's own
            return x * 2

        @staticmethod
        def backward(ctx, grad):
            return grad * 2

    (x,) = leaves(1, 2)
    loss = Double.apply(x)
    assert lab.capture(loss).nodes[0].saved == ()
    backward(loss, retain_graph=False)
    assert [saved for saved in lab.capture(loss).nodes[0].saved if not saved.released] == []


def test_a_functions_saved_none_keeps_its_place():
    saved = lab.capture(shared("custom_function").outputs).find("SeveralBackward")[0].saved
    assert [(item.name, item.meta is None) for item in saved] == [("tensors[0]", False), ("tensors[1]", True)]


# --- what hooks hold ------------------------------------------------------------------------------


def refuse(packed):
    raise AssertionError("unpacked")


def test_what_hooks_hold_is_not_unpacked():
    """Single tensors, lists and a Python Function's alike."""
    from models import Several

    (x,) = leaves(1, 4)
    packed = []
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: packed.append(1) or "elsewhere", refuse):
        y = Several.apply(x, x)[0].exp()
        loss = (y * y[torch.tensor([0, 1])].sum()).sum()
    graph = lab.capture(loss, names={"x": x, "y": y})
    held = [saved for node in graph.nodes for saved in node.saved if saved.packed]
    assert len(held) == len(packed) >= 5
    assert set(held) == {Saved(saved.name, packed="refuse") for saved in held}
    assert {"tensors[0]", "result", "indices[0]"} <= {saved.name for saved in held}


def test_hooks_may_be_any_callable():
    class Unpacks:
        def __call__(self, packed):
            raise AssertionError("unpacked")

    (x,) = leaves(1, 2)
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: 1, Unpacks()):
        loss = x.exp()
    assert lab.capture(loss).nodes[0].saved[0].packed.endswith("Unpacks")


def test_packed_values_are_released_by_a_backward_too():
    (x,) = leaves(1, 2)
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: tensor, lambda tensor: tensor):
        loss = x.exp()
    backward(loss, retain_graph=False)
    assert lab.capture(loss).nodes[0].saved == (Saved("result", released=True),)


@pytest.mark.parametrize("use_reentrant", [True, False])
def test_a_checkpoint_is_not_recomputed(use_reentrant):
    runs = []

    def counted(x):
        runs.append(1)
        return x.exp() * x

    (x,) = leaves(1, 2)
    loss = torch.utils.checkpoint.checkpoint(counted, x, use_reentrant=use_reentrant).sum()
    graph = lab.capture(loss)
    assert runs == [1]
    if not use_reentrant:
        assert {bool(saved.packed) for node in graph.find("Mul") for saved in node.saved} == {True}
        assert re.search("checkpoint", graph.find("Mul")[0].saved[0].packed)
    loss.backward()
    assert runs == [1, 1]


# --- tensors without ordinary memory ----------------------------------------------------------------


def test_symbolic_sizes_are_texts_and_are_not_specialised():
    from torch._subclasses.fake_tensor import FakeTensorMode
    from torch.fx.experimental.symbolic_shapes import DimDynamic, ShapeEnv, StatelessSymbolicContext

    env = ShapeEnv()
    mode = FakeTensorMode(shape_env=env)
    context = StatelessSymbolicContext(dynamic_sizes=[DimDynamic.DYNAMIC, DimDynamic.STATIC])
    x = mode.from_tensor(torch.ones(5, 3), symbolic_context=context).requires_grad_()
    with mode:
        y = x.exp()
        loss = x.exp().sum() + (y * y).sum()
    guards = len(env.guards)
    graph = lab.capture(loss, names={"x": x, "y": y})
    assert len(env.guards) == guards
    exp, _ = graph.find("Exp")
    symbol = str(x.shape[0])
    assert not symbol.isdigit()
    assert exp.grad_outputs[0].shape == exp.saved[0].meta.shape == (symbol, 3)
    assert (exp.saved[0].nbytes, exp.saved[0].storage_nbytes) == (None, None)
    assert {saved.variable for node in graph.nodes for saved in node.saved if saved.meta} == {None, "y"}
    assert graph.saved_nbytes == 0


def test_meta_tensors_share_storages_too():
    """Their addresses are all 0."""
    (x,) = (torch.ones(3, device="meta", requires_grad=True),)
    y = x.neg()
    graph = lab.capture((y * y).sum() + x.exp().sum())
    held = {
        (node.name, saved.name): saved.storage for node in graph.nodes for saved in node.saved if saved.meta
    }
    assert held["MulBackward0", "self"] == held["MulBackward0", "other"] != held["ExpBackward0", "result"]
