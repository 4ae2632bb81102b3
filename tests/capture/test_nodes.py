"""What else a node's record says: where a Function's forward is, what anomaly mode wrote, the node's own dictionary."""

from __future__ import annotations

import functools
import sys

import pytest
import torch
from models import Several, leaves, shared

import autograd_lab as lab
from autograd_lab.records import Source


def sources(graph):
    return {node.name: node.source for node in graph.nodes if node.source is not None}


def test_a_function_says_where_its_forward_is():
    code = Several.forward.__code__
    graph = lab.capture(shared("custom_function").outputs)
    assert sources(graph) == {
        "SeveralBackward": Source(code.co_filename, code.co_firstlineno + 1, "Several.forward")
    }


def test_a_wrapped_forward_is_looked_through():
    def wrapper(call):
        @functools.wraps(call)
        def wrapped(*args):
            return call(*args)

        return wrapped

    class Wrapped(torch.autograd.Function):
        @staticmethod
        @wrapper
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, grad):
            return grad * 2

    (found,) = sources(lab.capture(Wrapped.apply(*leaves(1, 2)))).values()
    assert found.line == Wrapped.forward.__wrapped__.__code__.co_firstlineno + 2  # below its decorators
    assert found.function.endswith("Wrapped.forward")


def test_a_forward_that_has_no_code_of_its_own():
    class Partial(torch.autograd.Function):
        forward = staticmethod(functools.partial(lambda factor, ctx, x: x * factor, 2.0))

        @staticmethod
        def backward(ctx, grad):
            return grad * 2

    node, _ = lab.capture(Partial.apply(*leaves(1, 2))).nodes
    assert (node.name, node.kind, node.source) == ("PartialBackward", "function", None)


def test_functions_of_one_name_are_not_mixed_up():
    """A class made anew in each call, as in notebooks: nothing is remembered for its name."""

    def make(saves):
        class Again(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                if saves:
                    ctx.save_for_backward(x)
                return x * 2

            @staticmethod
            def backward(ctx, grad):
                return grad * 2

        return Again

    counts = [
        len(lab.capture(make(saves).apply(*leaves(1, 2))).nodes[0].saved) for saves in (True, False, True)
    ]
    assert counts == [1, 0, 1]


@pytest.fixture
def anomaly():
    with pytest.warns(UserWarning, match="Anomaly Detection"), torch.autograd.detect_anomaly(check_nan=False):
        yield


def test_anomaly_mode_gives_the_users_line(anomaly):
    (x,) = leaves(1, 3)
    line = sys._getframe().f_lineno + 1
    loss = torch.nn.functional.gelu(x).sum()
    name = test_anomaly_mode_gives_the_users_line.__name__
    graph = lab.capture(loss)
    assert sources(graph) == dict.fromkeys(
        ["SumBackward0", "GeluBackward0", "AccumulateGrad"], Source(__file__, line, name)
    )
    traceback = dict(graph.nodes[0].metadata)["traceback_"]
    assert isinstance(traceback, tuple)
    assert f'File "{__file__}", line {line}, in {name}' in traceback[-1]


def test_anomaly_mode_in_a_double_backward_says_which_node_made_it(anomaly):
    (x,) = leaves(1, 3)
    (grad,) = torch.autograd.grad(x.exp().sum(), x, create_graph=True)
    root = lab.capture(grad).nodes[0]
    assert dict(root.metadata)["parent_"].startswith("<ExpBackward0")


def test_a_nodes_own_dictionary_is_shown_and_left_alone():
    (x,) = leaves(1, 3)
    loss = x.exp().sum()
    mine = loss.grad_fn.metadata
    mine.update({"number": 3, "nothing": None, 5: ["a", (1.5, True)], "tensor": x, "torch": torch.float32})
    before = dict(mine)
    found = lab.capture(loss).nodes[0].metadata
    assert found == (
        ("number", 3),
        ("nothing", None),
        ("5", ("a", (1.5, True))),
        ("tensor", "f32[3]"),
        ("torch", "torch.float32"),
    )
    assert loss.grad_fn.metadata is mine
    assert list(mine.items()) == list(before.items())
    assert lab.capture(loss).nodes[1].metadata == ()


def hooked():
    model = torch.nn.Linear(2, 2)
    model.register_full_backward_hook(lambda *_: None)
    return model(torch.ones(1, 2, requires_grad=True))


def checkpointed():
    model, x = torch.nn.Linear(2, 2), torch.ones(1, 2, requires_grad=True)
    return torch.utils.checkpoint.checkpoint(model, x, use_reentrant=True)


def compiled():
    torch.compiler.reset()
    return torch.compile(torch.nn.Linear(2, 2), backend="aot_eager")(torch.ones(1, 2))


@pytest.mark.parametrize(
    ("made", "name"),
    [
        (hooked, "BackwardHookFunctionBackward"),
        (checkpointed, "CheckpointFunctionBackward"),
        (compiled, "CompiledFunctionBackward"),
    ],
)
def test_a_function_of_torchs_own_has_no_line(made, name):
    graph = lab.capture(made().sum())
    assert name in {node.name for node in graph.nodes}
    assert sources(graph) == {}
