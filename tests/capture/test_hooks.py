"""Hooks that are there already: all found, in the order in which a real backward calls them, and none called."""

from __future__ import annotations

import functools

import pytest
import torch
from models import Several, backward, leaves

import autograd_lab as lab
from autograd_lab.records import Hook, Source


class Log:
    """Makes hooks that write down their names when they're called."""

    def __init__(self):
        self.called = []

    def hook(self, name):
        def call(*grads):
            self.called.append(name)

        call.__qualname__ = name
        return call


def recorded(graph, kinds=None):
    """The names of all hooks of a graph, in the order in which they'd fire."""
    return [hook.name for node in graph.nodes for hook in node.hooks if kinds is None or hook.kind in kinds]


def test_every_kind_in_the_order_in_which_the_engine_calls_them():
    log = Log()
    (x,) = leaves(1, 3)
    y = x * 2
    for index in range(2):
        x.register_hook(log.hook(f"leaf's tensor {index}"))
        y.register_hook(log.hook(f"tensor {index}"))
        y.grad_fn.register_hook(log.hook(f"after {index}"))
        y.grad_fn.register_prehook(log.hook(f"before {index}"))
        x.register_post_accumulate_grad_hook(log.hook(f"accumulated {index}"))
    loss = y.exp().sum()
    leaf = y.grad_fn.next_functions[0][0]
    leaf.register_hook(log.hook("after the leaf"))
    leaf.register_prehook(log.hook("before the leaf"))
    graph = lab.capture(loss, names={"y": y})
    assert log.called == []
    assert [(node.name, [hook.kind for hook in node.hooks]) for node in graph.nodes if node.hooks] == [
        ("MulBackward0", ["tensor_pre_hook"] * 2 + ["pre_hook"] * 2 + ["post_hook"] * 2),
        (
            "AccumulateGrad",
            ["tensor_pre_hook"] * 2 + ["pre_hook"] + ["post_accumulate_grad_hook"] * 2 + ["post_hook"],
        ),
    ]
    loss.backward()
    assert len(log.called) == 12
    assert recorded(graph) == log.called


def test_hooks_on_several_results_of_a_node():
    """The engine goes by which of them was hooked first, not by their number; what ``retain_grad`` adds comes last."""
    log = Log()
    a, b, c = leaves(1, 3, 2)[0].unbind(0)
    b.retain_grad()
    c.register_hook(log.hook("c"))
    a.register_hook(log.hook("a"))
    b.register_hook(log.hook("b"))
    c.register_hook(log.hook("c again"))
    c.retain_grad()
    loss = (a * b * c).sum()
    graph = lab.capture(loss)
    (unbind,) = graph.find("Unbind")
    assert [(hook.kind, hook.name, hook.input_nr) for hook in unbind.hooks] == [
        ("tensor_pre_hook", "c", 2),
        ("tensor_pre_hook", "c again", 2),
        ("tensor_pre_hook", "a", 0),
        ("tensor_pre_hook", "b", 1),
        ("retains_grad_hook", "retain_grad", 1),
        ("retains_grad_hook", "retain_grad", 2),
    ]
    loss.backward()
    assert recorded(graph, {"tensor_pre_hook"}) == log.called


def test_retained_gradients_are_seen_after_the_hooks():
    """Whatever was registered first: what the record's order claims."""
    (x,) = leaves(1, 2)
    y = x * 1
    y.retain_grad()
    y.register_hook(lambda grad: grad * 3)
    graph = lab.capture(y.sum(), names={"y": y})
    assert [hook.kind for hook in graph.find("Mul")[0].hooks] == ["tensor_pre_hook", "retains_grad_hook"]
    y.sum().backward()
    assert y.grad.tolist() == [3, 3]


@pytest.mark.parametrize(
    "make", [lambda x: x.exp(), lambda x: Several.apply(x, x)[0]], ids=["op", "function"]
)
def test_hooks_on_nodes_of_every_kind(make):
    log = Log()
    (x,) = leaves(1, 2)
    y = make(x)
    y.grad_fn.register_prehook(log.hook("before"))
    y.grad_fn.register_hook(log.hook("after"))
    graph = lab.capture(y.sum())
    backward(y.sum())
    assert recorded(graph) == log.called == ["before", "after"]


def test_removed_hooks_are_gone():
    log = Log()
    (x,) = leaves(1, 2)
    y = x.exp()
    handles = [
        x.register_hook(log.hook("a")),
        y.grad_fn.register_hook(log.hook("b")),
        y.register_hook(log.hook("c")),
    ]
    y.grad_fn.register_hook(log.hook("stays"))
    for handle in handles:
        handle.remove()
    assert recorded(lab.capture(y.sum(), names={"y": y})) == ["stays"]


def test_hooks_that_a_change_in_place_left_behind_are_not_shown_on_the_new_node():
    """Torch keeps them on the node that made the old value, where they can't be seen."""
    log = Log()
    (x,) = leaves(1, 2)
    y = x * 2
    y.register_hook(log.hook("old"))
    y.mul_(3)
    y.register_hook(log.hook("new"))
    graph = lab.capture(y.sum(), names={"y": y})
    assert [(node.sequence_nr, recorded(lab.Graph((node,), ()))) for node in graph.nodes if node.hooks] == [
        (y.grad_fn._sequence_nr(), ["new"])
    ]


@pytest.mark.parametrize("how", ["output", "named", "saved"])
def test_an_intermediates_hooks_are_seen_through_any_tensor_that_can_be_had(how):
    log = Log()
    (x,) = leaves(1, 2)
    y = x + 1
    y.register_hook(log.hook("seen"))
    loss = (y * y).sum() if how == "saved" else y.sum()
    outputs = [loss, y] if how == "output" else loss
    graph = lab.capture(outputs, names={"y": y} if how == "named" else None)
    (add,) = graph.find("Add")
    assert [(hook.name, hook.input_nr) for hook in add.hooks] == [("seen", 0)]


def test_without_a_tensor_they_cannot_be_seen():
    """As the record's own docstring says."""
    (x,) = leaves(1, 2)
    y = x + 1
    y.register_hook(lambda grad: None)
    assert recorded(lab.capture(y.sum())) == []


def test_a_leafs_hooks_need_no_name():
    log = Log()
    (x,) = leaves(1, 2)
    x.register_hook(log.hook("a"))
    x.register_post_accumulate_grad_hook(log.hook("b"))
    graph = lab.capture(x.sum())
    assert [(hook.kind, hook.input_nr) for hook in graph.leaves[0].hooks] == [
        ("tensor_pre_hook", 0),
        ("post_accumulate_grad_hook", None),
    ]


def test_names_and_places_of_callables():
    class Callable:
        def __call__(self, grad):
            return None

        def method(self, grad):
            return None

    def plain(grad):
        return None

    (x,) = leaves(1, 2)
    for hook in (plain, functools.partial(plain), Callable(), Callable().method, print):
        x.register_hook(hook)
    found = lab.capture(x.sum()).leaves[0].hooks
    line = plain.__code__.co_firstlineno
    here = test_names_and_places_of_callables.__qualname__ + ".<locals>."
    assert [hook.name for hook in found] == [
        here + "plain",
        here + "plain",
        here + "Callable",
        here + "Callable.method",
        "print",
    ]
    assert found[0].source == found[1].source == Source(__file__, line, here + "plain")
    assert found[2].source.line == Callable.__call__.__code__.co_firstlineno
    assert found[4].source is None
    assert isinstance(found[0], Hook)


def test_nothing_is_missed_before_the_first_hook_of_the_process(monkeypatch):
    """Where none was ever registered capture doesn't look; ``retain_grad`` registers nothing that counts."""
    monkeypatch.setattr(torch.utils.hooks.RemovableHandle, "next_id", 0)
    (x,) = leaves(1, 2)
    y = x * 2
    y.retain_grad()
    loss = y.sum()
    graph = lab.capture([loss, y])
    assert [hook.kind for hook in graph.find("Mul")[0].hooks] == ["retains_grad_hook"]
    assert recorded(lab.capture(loss)) == []
    x.register_hook(print)
    assert recorded(lab.capture(loss)) == ["print"]


def test_multi_gradient_hooks_and_queued_callbacks_are_hooks_like_others():
    (x, y) = leaves(2, 2)
    torch.autograd.graph.register_multi_grad_hook((x, y), lambda grads: None)
    assert [hook.kind for leaf in lab.capture((x * y).sum()).leaves for hook in leaf.hooks] == [
        "tensor_pre_hook"
    ] * 2


def seen(module, grad_inputs, grad_outputs):
    return None


def seen_before(module, grad_outputs):
    return None


def module_hooks(x, **options):
    """A model's hooks, as recorded, and the model."""
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Tanh())
    model[0].register_full_backward_hook(seen)
    model[1].register_full_backward_pre_hook(seen_before)
    model.register_full_backward_hook(seen)
    with lab.watch(**options) as watcher:
        model(x).sum().backward()
    return watcher.traces[0].graph, lab.capture(model(x).sum(), model=model)


@pytest.mark.filterwarnings("ignore:Full backward hook is firing")
@pytest.mark.parametrize("needs_grad", [True, False])
def test_a_modules_hook_is_called_by_the_users_function_and_its_module(needs_grad):
    watched, captured = module_hooks(torch.ones(1, 2, requires_grad=needs_grad))
    expected = {
        True: [
            "BackwardHook of Sequential",
            "seen_before of 1",
            "BackwardHook of 1",
            "BackwardHook of 0",
            "seen of 0",
            "seen of Sequential",
        ],
        False: ["seen of Sequential", "seen_before of 1", "BackwardHook of 1", "seen of 0"],
    }[needs_grad]
    assert recorded(captured) == recorded(watched) == expected
    places = {hook.name: hook.source for node in captured.nodes for hook in node.hooks}
    assert places["seen of 0"] == Source(__file__, seen.__code__.co_firstlineno, "seen")


def test_a_function_of_that_name_is_no_modules_hook():
    class BackwardHook:
        def _set_user_hook(self, y):
            def hook(grads, _):
                assert self is not None

            hook.__code__ = hook.__code__.replace(co_qualname="BackwardHook._set_user_hook.<locals>.hook")
            y.grad_fn.register_hook(hook)

    (x,) = leaves(1, 2)
    y = x * 2
    BackwardHook()._set_user_hook(y)
    assert recorded(lab.capture(y.sum()))[0].endswith("_set_user_hook.<locals>.hook")
