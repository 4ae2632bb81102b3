"""Traces share a graph where the page shows the same of each, and only there."""

from __future__ import annotations

import dataclasses

import pytest

from autograd_lab.draw.page import shared
from autograd_lab.draw.page.data import Writer
from autograd_lab.draw.page.shared import Shared, alike
from autograd_lab.records import (
    Call,
    Edge,
    GradStats,
    Graph,
    Hook,
    Node,
    Saved,
    Source,
    TensorMeta,
)

META = TensorMeta((2,), "float32", "cpu")
LEAF = 2**64 - 1


def graph(first: int = 5, version: int = 0, **changed: object) -> Graph:
    """A multiplication and its leaf, with something in each field; those given are changed in the multiplication."""
    node = Node(
        0, "MulBackward0", "op", first + 1, (META,), (Edge(1, 0, "w"), None),
        (Saved("self", META, version=version, storage=0), Saved("alpha", value=1)), module="fc",
        source=Source("train.py", 3, "loss"), hooks=(Hook("pre_hook", "clip"),), metadata=(("k", 1),),
        call=Call("torch.mul", first, (GradStats(META),)),
    )  # fmt: skip
    last = Node(2, "SinBackward0", "op", first)
    leaf = Node(1, "AccumulateGrad", "accumulate", LEAF, (META,), variable="w", aliases=("v",))
    return Graph(
        (node._replace(**changed), leaf, last), (Edge(0, 0, "loss"),), ("b",), (("", "Net"), ("fc", "Linear"))
    )


def test_a_later_step_of_a_training_shares_the_graph():
    found = Shared(Writer())
    assert [found.add(graph(5 + 10 * step, version=step)) for step in range(3)] == [
        {"graph": 0, "sequence0": 5 + 10 * step, "versions": [[0, 0, step]] if step else []}
        for step in range(3)
    ]
    assert len(found.distinct) == 1


CHANGES = {
    "name": "DivBackward0", "kind": "function", "sequence_nr": 17, "grad_outputs": (), "next": (Edge(1, 0), None),
    "module": "fc2", "variable": "x", "aliases": ("x",), "source": None, "hooks": (), "rule": "mul",
    "metadata": (("k", 1.0),), "call": Call("torch.mul"), "saved": (),
}  # fmt: skip
"""A field of a node → another value of it."""

OTHERS = {
    **{field: graph(**{field: value}) for field, value in CHANGES.items()},
    "no call": graph(call=None),
    "a value": graph(saved=(*graph().nodes[0].saved[:1], Saved("alpha", value=1.0))),
    "a saved tensor": graph(saved=(Saved("self", META, storage=1), graph().nodes[0].saved[1])),
    "roots": dataclasses.replace(graph(), roots=(Edge(0, 0),)),
    "unreached": dataclasses.replace(graph(), unreached=()),
    "classes": dataclasses.replace(graph(), classes=()),
    "fewer nodes": dataclasses.replace(graph(), nodes=graph().nodes[:2]),
}


def test_every_field_is_changed_once():
    assert CHANGES.keys() == set(Node._fields) - {"id"}


@pytest.mark.parametrize("other", OTHERS)
def test_graphs_that_differ_have_each_their_own(other):
    found = Shared(Writer())
    assert not alike(graph(), OTHERS[other])
    assert [found.add(each)["graph"] for each in (graph(), OTHERS[other], graph(25))] == [0, 1, 0]


def test_one_met_long_ago_is_known_by_its_text(monkeypatch):
    found = Shared(Writer())
    for at in range(9):
        assert found.add(graph(variable=str(at)))["graph"] == at
    monkeypatch.setattr(shared, "alike", lambda *_: False)
    assert [found.add(graph(first=30, variable=str(at)))["graph"] for at in range(9)] == list(range(9))
