"""The first promise: with the lab watching, everything is as without it, and nothing is held afterwards."""

from __future__ import annotations

import contextlib
import gc
import sys
import threading
import weakref

import pytest
import torch
from models import (
    CASES,
    Several,
    backward,
    flat,
    leaf_tensors,
    leaves,
    live_nodes,
    ones_for,
    raw_bytes,
    shared,
)
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

import autograd_lab as lab


def capture(built):
    return lab.capture(built.outputs, model=built.model, names=built.names)


def gradients(built):
    return [raw_bytes(leaf.grad) for leaf in leaf_tensors(built.outputs)]


def runs(case, watch):
    """Backward twice, and looks before, between and after."""
    built, found = case.build(), []
    for retain_graph in (True, False):
        watch(built)
        backward(built.outputs, retain_graph=retain_graph)
        found.append(gradients(built))
    watch(built)
    return found


NUMBERS = [case for case in CASES.values() if case.numbers]


@pytest.mark.parametrize("case", NUMBERS, ids=lambda case: case.name)
def test_gradients_have_the_same_bits_with_captures_and_without(case):
    assert runs(case, capture) == runs(case, lambda built: None)


def test_the_graph_is_the_same_graph(built):
    """The same node objects, edges, numbers and leaves, and no ``.grad``, version or flag changed."""

    def state():
        nodes = live_nodes(built.outputs)
        tensors = [*leaf_tensors(built.outputs), *flat(built.outputs), *(built.names or {}).values()]
        return (
            [(node, node.next_functions, node._sequence_nr()) for node in nodes],
            [
                (id(t), id(t.grad) if t.is_leaf else None, t._version, t.requires_grad, t.grad_fn)
                for t in tensors
            ],
            [(t._backward_hooks, t._post_accumulate_grad_hooks) for t in tensors],
            torch.get_rng_state().tolist(),
        )

    before = state()
    capture(built)
    assert state() == before


def test_the_threads_counter_goes_on_where_it_was(built):
    """A leaf that is an output by itself costs one number: its node can only be had by way of a view."""
    leaf_outputs = [tensor for tensor in flat(built.outputs) if tensor.grad_fn is None]
    before = torch._C._autograd._get_sequence_nr()
    capture(built)
    assert torch._C._autograd._get_sequence_nr() - before == len(leaf_outputs)


# --- nothing is held ------------------------------------------------------------------------------------


def outlive(case, watch):
    """What lives on, of a model's tensors and nodes, once it's let go of: by counting alone, no cycle collected."""
    built = case.build()
    nodes = live_nodes(built.outputs)
    saved = [
        value
        for node in nodes
        if hasattr(node, "saved_tensors")
        for value in node.saved_tensors
        if value is not None
    ]
    tensors = [*leaf_tensors(built.outputs), *flat(built.outputs), *(built.names or {}).values(), *saved]
    kept = [weakref.ref(tensor) for tensor in tensors]
    functions = [
        weakref.ref(node) for node in nodes if isinstance(node, torch.autograd.function.BackwardCFunction)
    ]
    gc.disable()
    try:
        watch(built)
        del built, nodes, saved, tensors
        return [reference() is None for reference in kept], [reference() is None for reference in functions]
    finally:
        gc.enable()


def test_whatever_would_die_dies(case):
    assert outlive(case, capture) == outlive(case, lambda built: None)


def test_what_a_functions_context_holds_dies_with_the_graph():
    class Note:
        pass

    class Holds(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.note = notes.pop()
            ctx.save_for_backward(x * 3)
            return x * 1.0

        @staticmethod
        def backward(ctx, grad):
            return grad

    notes = [Note()]
    alive = weakref.ref(notes[0])
    loss = Holds.apply(leaves(1, 2)[0]).sum()
    graph = lab.capture(loss)
    assert alive() is not None
    del loss
    assert alive() is None
    assert graph.nodes[1].name == "HoldsBackward"


def test_reference_counts_are_what_they_were(built):
    nodes = live_nodes(built.outputs)
    watched = [
        *nodes,
        *leaf_tensors(built.outputs),
        *flat(built.outputs),
        *(built.names or {}).values(),
        *(built.model.parameters() if built.model else ()),
        *(built.model.buffers() if built.model else ()),
    ]
    capture(built)  # the first makes dictionaries that belong to the nodes
    before = list(map(sys.getrefcount, watched))
    graph = capture(built)
    assert list(map(sys.getrefcount, watched)) == before
    assert len(graph) == len(nodes)


def test_nothing_is_held_after_an_error_in_the_middle(monkeypatch):
    from autograd_lab.capture.nodes import NodeReader

    def fails(reader, walk):
        raise RuntimeError("in the middle")

    built = CASES["mlp"].build()
    nodes = live_nodes(built.outputs)
    watched = [*nodes, built.outputs, *built.model.parameters()]
    before = list(map(sys.getrefcount, watched))
    monkeypatch.setattr(NodeReader, "read", fails)
    with contextlib.suppress(RuntimeError):
        capture(built)
    assert list(map(sys.getrefcount, watched)) == before


def test_no_object_is_left_however_often_it_is_called():
    built = shared("transformer_layer")
    capture(built)
    gc.collect()
    gc.disable()
    try:
        before = len(gc.get_objects())
        for _ in range(100):
            capture(built)
        assert len(gc.get_objects()) - before < 20  # no circles either, which a collection would have hidden
    finally:
        gc.enable()


@pytest.mark.parametrize("looks_for_hooks", [False, True])
def test_no_memory_is_left_however_often_it_is_called(looks_for_hooks, monkeypatch):
    """Counted in blocks of Python's own memory, of which a graph's records take several hundred.

    Looking for hooks first fills Python's cache of attribute names, with the one that torch makes anew each time.
    """
    monkeypatch.setattr(torch.utils.hooks.RemovableHandle, "next_id", int(looks_for_hooks))
    built = shared("mlp")

    def blocks_after(count):
        for _ in range(count):
            capture(built)
        gc.collect()
        return sys.getallocatedblocks()

    before = blocks_after(1000 if looks_for_hooks else 50)
    assert blocks_after(150) - before < 5_000  # one graph more for each capture would be over 45,000


def test_the_graph_itself_holds_no_tensor_and_no_node():
    """A record may be kept for as long as one likes."""
    graph = capture(CASES["residual_cnn"].build())
    waiting, seen = [graph], set()
    while waiting:
        item = waiting.pop()
        if id(item) in seen or isinstance(item, type):
            continue
        seen.add(id(item))
        assert not isinstance(
            item, torch.Tensor | nn.Module | torch.autograd.graph.Node | torch.dtype | torch.device
        )
        assert type(item) is not torch.Size
        waiting.extend(gc.get_referents(item))


# --- nothing is run -----------------------------------------------------------------------------------


class Kernels(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.calls = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.calls.append(func.name())
        return func(*args, **(kwargs or {}))


class Calls(TorchFunctionMode):
    def __init__(self):
        super().__init__()
        self.calls = []

    def __torch_function__(self, func, types, args=(), kwargs=None):
        self.calls.append(func)
        return func(*args, **(kwargs or {}))


def test_modes_see_nothing(case, built):
    with Kernels() as kernels, Calls() as calls:
        capture(built)
    # No kernels, but how a jagged tensor answers when it's asked for its shape.
    asked = {"prim::layout", "aten::sym_size"} if case.name == "nested_jagged" else set()
    assert set(kernels.calls) <= asked
    assert calls.calls == []


def test_the_modes_would_see_something():
    with Kernels() as kernels, Calls() as calls:
        torch.ones(2).requires_grad_().exp().shape
    assert kernels.calls
    assert calls.calls


class Refuses(torch.Tensor):
    """Whoever asks it for anything is an error."""

    armed = False

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        assert not cls.armed, f"{func} was called"
        return super().__torch_function__(func, types, args, kwargs)


def test_a_subclass_is_not_asked(monkeypatch):
    """For outputs, leaves, what was saved, names and a model's parameters."""
    model = nn.Module()
    model.weight = nn.Parameter(torch.ones(3).as_subclass(Refuses))
    x = torch.ones(3).as_subclass(Refuses)
    y = (model.weight * x).exp()
    loss = (y * y).sum()
    leaf = torch.ones(2).as_subclass(Refuses).requires_grad_()
    monkeypatch.setattr(Refuses, "armed", True)
    with pytest.raises(AssertionError, match="was called"):
        loss.grad_fn
    graph = lab.capture([loss, y, leaf], model=model, names={"x": x, "y": y, "leaf": leaf})
    monkeypatch.undo()
    assert {node.variable for node in graph.leaves} == {"weight", "leaf"}
    assert {saved.variable for node in graph.nodes for saved in node.saved} >= {"x", "y"}


class Wrapper(torch.Tensor):
    """A wrapper without memory of its own, which counts what it's asked."""

    calls = 0

    @staticmethod
    def __new__(cls, inner):
        self = torch.Tensor._make_wrapper_subclass(cls, inner.shape, dtype=inner.dtype)
        self.inner = inner
        return self

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        cls.calls += 1

        def unwrap(value):
            return value.inner if isinstance(value, Wrapper) else value

        result = func(*map(unwrap, args), **(kwargs or {}))
        return Wrapper(result) if isinstance(result, torch.Tensor) else result


def test_a_wrapper_is_not_dispatched_to():
    x = Wrapper(torch.ones(3)).requires_grad_()
    y = x.exp()
    loss = (y * y).sum()
    before = Wrapper.calls
    graph = lab.capture([loss, y], names={"x": x, "y": y})
    assert Wrapper.calls == before > 0
    assert str(graph.find("Exp")[0].saved[0].meta) == "f32[3]"


def test_saved_tensor_hooks_that_are_in_force_are_not_called():
    outputs = [*leaves(1, 2), *Several.apply(*leaves(2, 2)), leaves(1, 2)[0].exp()]
    with torch.autograd.graph.saved_tensors_hooks(pytest.fail, pytest.fail):
        lab.capture(outputs)


# --- from wherever it's called ---------------------------------------------------------------------------


def test_in_the_middle_of_a_backward():
    """From a hook, on the graph that is being run: what has run already is released, the rest isn't."""
    (x,) = leaves(1, 3)
    trunk = x.exp()
    loss = trunk.sin().sum()
    seen = []
    trunk.register_hook(lambda grad: seen.append(lab.capture(loss)))
    loss.backward()
    (graph,) = seen
    released = {node.name: [s.released for s in node.saved if s.meta or s.released] for node in graph.nodes}
    assert (released["SinBackward0"], released["ExpBackward0"]) == ([True], [False])
    expected = x.detach().exp().cos() * x.detach().exp()
    assert torch.equal(x.grad, expected)


def test_in_several_threads_at_once():
    built = shared("transformer_stack")
    expected = capture(built)
    found = []

    def several():
        found.extend(capture(built) for _ in range(5))

    threads = [threading.Thread(target=several) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 15
    assert all(graph == expected for graph in found)


def test_gradients_that_come_from_elsewhere_are_left_alone():
    (x,) = leaves(1, 3)
    x.grad = mine = torch.ones(3)
    loss = x.exp().sum()
    lab.capture(loss, names={"x": x})
    assert x.grad is mine
    assert torch.equal(mine, ones_for(mine))


def test_a_captured_graph_goes_to_json_and_back(built, tmp_path):
    graph = capture(built)
    assert lab.load(lab.save(graph, tmp_path / "graph.json")) == graph
