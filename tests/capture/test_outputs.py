"""What may be passed as ``outputs``, and what is said of what may not."""

from __future__ import annotations

import collections
import warnings

import pytest
import torch
from models import leaves
from torch.autograd.graph import get_gradient_edge

import autograd_lab as lab
from autograd_lab.errors import GraphError

Pair = collections.namedtuple("Pair", "first second")


def unnamed(graph):
    return lab.records.Graph(graph.nodes, tuple(root._replace(name=None) for root in graph.roots))


def two():
    (x,) = leaves(1, 2)
    return x.exp().sum(), x.sin().sum()


@pytest.mark.parametrize(
    "nest",
    [
        lambda a, b: [a, b],
        lambda a, b: (a, (b,)),
        lambda a, b: {"a": a, "b": [b]},
        lambda a, b: collections.OrderedDict(a=a, b=b),
        Pair,
        lambda a, b: collections.deque([a, b]),
        lambda a, b: [None, a, "text", b"bytes", 3, torch.ones(2), [], {"x": {"y": b}}, torch.tensor([1])],
        lambda a, b: [get_gradient_edge(a), b],
    ],
)
def test_any_nesting(nest):
    a, b = two()
    graph = lab.capture(nest(a, b))
    assert [graph.node(root.node).name for root in graph.roots] == ["SumBackward0"] * 2
    assert unnamed(graph) == unnamed(lab.capture([a, b]))


class Key:
    """Prints itself in no way at all."""

    def __str__(self):
        raise RuntimeError("mine")


@pytest.mark.parametrize(
    ("nest", "names"),
    [
        (lambda a, b: {"loss": a, "hidden": b}, ["loss", "hidden"]),
        (lambda a, b: {"hidden": [a, {"last": b}]}, ["hidden[0]", "hidden[1].last"]),
        (lambda a, b: [{"loss": a}, b], ["loss", None]),
        (lambda a, b: {"n": 3, 0: a, "frozen": torch.ones(2), "b": (b,)}, ["0", "b[0]"]),
        (lambda a, b: collections.OrderedDict(a=a, b=get_gradient_edge(b)), ["a", "b"]),
        (lambda a, b: Pair(a, {"x": b}), ["first", "second.x"]),
        (lambda a, b: {Key(): a, "b": b}, ["<Key>", "b"]),
        (lambda a, b: [a, (b,)], [None, None]),
    ],
)
def test_outputs_under_keys_are_called_by_them(nest, names):
    graph = lab.capture(nest(*two()))
    assert [root.name for root in graph.roots] == names
    said = [name for name in names if name is not None]
    assert all(f"({name})" in str(graph).splitlines()[0] for name in said)


@pytest.mark.parametrize("run", [lab.trace, lab.replay])
def test_a_backward_keeps_the_keys(run):
    a, b = two()
    assert [root.name for root in run({"loss": a, "other": [b]}).graph.roots] == ["loss", "other[0]"]


def test_a_name_of_the_users_goes_before_a_key():
    a, b = two()
    roots = lab.capture({"loss": a, "other": b}, names={"mine": a}).roots
    assert [root.name for root in roots] == ["mine", "other"]


def test_what_transformers_returns():
    import transformers

    a, b = two()
    output = transformers.modeling_outputs.MaskedLMOutput(loss=a, logits=b)
    graph = lab.capture(output)
    assert unnamed(graph) == unnamed(lab.capture([a, b]))
    assert [root.name for root in graph.roots] == ["loss", "logits"]


def test_a_gradient_edge_by_itself():
    a, _ = two()
    assert lab.capture(get_gradient_edge(a)) == unnamed(lab.capture(a))
    (x,) = leaves(1, 2)
    assert len(lab.capture(get_gradient_edge(x))) == 1


def test_a_gradient_edge_of_a_python_function_keeps_its_node_alive():
    from models import Several

    edge = get_gradient_edge(Several.apply(*leaves(2, 2))[1])
    graph = lab.capture(edge)
    assert (graph.nodes[0].name, graph.roots[0].input_nr) == ("SeveralBackward", 1)


def test_what_a_function_made_of_a_temporary():
    from models import Several

    assert len(lab.capture(Several.apply(*leaves(3, 2)))) == 4


def inference():
    with torch.inference_mode():
        return torch.ones(2) * 2


def nested():
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The PyTorch API of nested tensors")
        return torch.nested.nested_tensor([torch.ones(2), torch.ones(3)])


def detached():
    return two()[0].detach()


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: 3, "outputs holds no tensor (it is an int); pass a loss or what a model returned"),
        (lambda: None, "outputs holds no tensor (it is None)"),
        (lambda: "loss", "outputs holds no tensor (it is a str)"),
        (list, "outputs holds no tensor (it is a list)"),
        (lambda: {"a": [1, {}]}, "outputs holds no tensor (it is a dict)"),
        (lambda: torch.ones(2).numpy(), "outputs holds no tensor (it is an ndarray)"),
        (lambda: torch.nn.Linear(1, 1), "outputs holds no tensor (it is a Linear)"),
        (
            lambda: torch.ones(2, 3),
            "outputs is a float32 tensor of shape (2, 3) that has no graph: it requires no gradient; nothing that "
            "went into it has requires_grad=True, or it was detached or computed under torch.no_grad()",
        ),
        (detached, "outputs is a float32 tensor of shape () that has no graph: it requires no gradient"),
        (
            lambda: torch.tensor([1, 2]),
            "outputs is an int64 tensor of shape (2,) that has no graph: only floating and complex tensors have "
            "gradients; pass the loss, not an index or a mask",
        ),
        (lambda: torch.tensor(True), "outputs is a bool tensor of shape ()"),
        (
            lambda: [torch.ones(1), torch.ones(2)],
            "none of the 2 tensors in outputs (the first is a float32 tensor of shape (1,)) has a graph",
        ),
        (
            inference,
            "outputs is a float32 tensor of shape (2,) that has no graph: it was made in inference mode",
        ),
        (nested, "outputs is a float32 tensor of shape ('?',) that has no graph"),
        (lambda: torch.ones(2, device="meta"), "outputs is a float32 tensor of shape (2,) that has no graph"),
    ],
)
def test_outputs_without_a_graph_get_one_line(make, says):
    with pytest.raises(GraphError) as caught:
        lab.capture(make())
    assert str(caught.value).startswith(says)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    "mode", [torch.no_grad, torch.enable_grad, torch.inference_mode, lambda: torch.autocast("cpu")]
)
def test_grad_modes_make_no_difference(mode):
    """To leaves and to what Python Functions return neither, for which torch's own helper makes a view."""
    from models import Several

    outputs = [*two(), *leaves(1, 2), *Several.apply(*leaves(2, 2))]
    expected = lab.capture(outputs)
    with mode():
        assert lab.capture(outputs) == expected
