"""A computation on single numbers, as a backward that ran."""

from __future__ import annotations

import torch

import autograd_lab as lab
from autograd_lab.backward.scalar import capture_scalar
from autograd_lab.draw.page.html import page_data
from autograd_lab.draw.page.scalar import played, scalars
from autograd_lab.draw.page.strings import Strings
from autograd_lab.records import ScalarGraph, Variable


def test_the_worked_example_plays_the_chain_rule(seed):
    trace = played(seed)
    assert [(node.name, node.variable) for node in trace.graph.nodes] == [
        ("PowBackward0", None), ("SubBackward0", None), ("MulBackward0", None), ("AccumulateGrad", "w")
    ]  # fmt: skip
    assert [step.grad_outputs[0].mean for step in trace.steps] == [1.0, -8.0, -8.0, -16.0]
    assert [[stats and stats.mean for stats in step.grad_inputs] for step in trace.steps] == [
        [-8.0], [-8.0, None], [-16.0, None], []
    ]  # fmt: skip
    strings = Strings()
    found = scalars(seed, strings)
    text = [*strings.texts, None]
    assert [text[at] for at in found["name"]] == ["loss", "s", "ŷ", "w"]
    assert found["value"] == [16.0, -4.0, 0.0, 0.0]
    assert [text[at] for at in found["symbol"]] == ["^2", "−", "×", None]
    assert [[(slot, text[name], value) for slot, name, value in each] for each in found["constants"]] == [
        [], [(1, "y", 4.0)], [(1, "x", 2.0)], []
    ]  # fmt: skip
    assert (found["local"], found["arrives"]) == ([-8.0, 1.0, 2.0], [-8.0, -8.0, -16.0])


def test_it_runs_as_torch_runs_it():
    """The same nodes in the same order, with the same numbers, where variables are used several times."""
    a, b = (torch.tensor(value, requires_grad=True) for value in (0.3, -0.7))
    c = a * b
    loss = (c.sin() + a) * c / b + c
    names = {"a": a, "b": b, "c": c, "loss": loss}
    alone = played(capture_scalar(loss, names=names))
    real = lab.trace(loss, names=names, stats="full")

    def told(trace):
        return [
            (
                trace.graph.nodes[step.node].name,
                trace.graph.nodes[step.node].variable,
                [stats and stats.mean for stats in step.grad_outputs],
                [(each.source, each.slot, each.stats.mean) for each in step.contributions],
            )
            for step in trace.steps
        ]

    assert told(alone) == told(real)
    assert [edge[:2] + edge[2][:2] for edge in alone.graph.edges] == [
        edge[:2] + edge[2][:2] for edge in real.graph.edges
    ]


def test_the_page_of_one_is_one_graph_and_one_trace(seed):
    found = page_data(seed)
    assert (len(found["graphs"]), len(found["traces"])) == (1, 1)
    assert found["graphs"][0]["scalar"]["value"] == [16.0, -4.0, 0.0, 0.0]
    assert found["traces"][0]["steps"]["in"][3] == [[None, 16.0, 16.0, -16.0]]
    assert found["traces"][0]["graph"] == 0


def test_a_leaf_alone_and_nothing_at_all():
    leaf = played(ScalarGraph((Variable(0, "leaf", "w", 3.0, 1.0),), ()))
    assert [node.variable for node in leaf.graph.nodes] == ["w"]
    assert leaf.steps[0].grad_outputs[0].mean == 1.0
    assert played(ScalarGraph((), ())).steps == ()


def test_what_nothing_kept_is_not_there():
    graph = ScalarGraph((Variable(0, "leaf", None, None, None),), ())
    assert played(graph).steps[0].grad_outputs == (None,)
    assert scalars(graph, Strings())["value"] == [None]


def test_numbers_that_json_lacks_are_texts():
    graph = ScalarGraph((Variable(0, "leaf", "w", float("nan"), 1j),), ())
    assert scalars(graph, Strings())["value"] == ["nan"]
    assert page_data(graph)["traces"][0]["steps"]["in"] == [[[None, 1.0, 1.0, "1j"]]]
