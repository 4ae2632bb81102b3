"""Plain data as records: what is wrong is named by its field."""

from __future__ import annotations

import pytest

from autograd_lab.errors import RecordError
from autograd_lab.records import Edge, Graph, Node, Saved, TensorMeta
from autograd_lab.records.decoding import decoder, shown
from autograd_lab.records.encoding import encode

NODE = Node(0, "ExpBackward0", "op", 7, (TensorMeta((2, "s0"), "float32", "cpu"),), (None, Edge(1, 0, "x")))


@pytest.mark.parametrize(
    "record", [NODE, Graph((NODE,), (Edge(0, 0),)), Saved("self", value=(1, float("inf"), 2j, "x", None))]
)
def test_it_reads_what_was_encoded(record):
    assert decoder(type(record))(encode(record), "data") == record


@pytest.mark.parametrize(
    ("kind", "value", "says"),
    [
        (Edge, [], "data: expected the fields of a Edge, found []"),
        (Edge, {"node": 1}, "data.input_nr: missing"),
        (Edge, {"node": 1, "input_nr": 0, "to": 2}, "data.to: a Edge has no such field"),
        (Edge, {"node": True, "input_nr": 0}, "data.node: expected an int, found true"),
        (Edge, {"node": 1, "input_nr": 0, "name": 3}, "data.name: expected a str, found 3"),
        (Graph, {"nodes": {}, "roots": []}, "data.nodes: expected a list, found {}"),
        (Graph, {"nodes": [], "roots": [{}]}, "data.roots[0].node: missing"),
        (
            Saved,
            {"name": "x", "value": {"float": "many"}},
            "data.value: expected a number, a text, a flag or a list",
        ),
        (
            Saved,
            {"name": "x", "value": [1, {}]},
            "data.value[1]: expected a number, a text, a flag or a list",
        ),
        (tuple[int, int], [1], "data: expected a list of 2, found [1]"),
    ],
)
def test_what_is_wrong_is_named_by_its_field(kind, value, says):
    with pytest.raises(RecordError) as raised:
        decoder(kind)(value, "data")
    assert str(raised.value).startswith(says)


def test_a_long_value_is_quoted_in_part():
    assert shown("x" * 99) == '"' + "x" * 56 + "..."
