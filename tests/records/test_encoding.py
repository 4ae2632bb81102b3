"""Records as plain data."""

from __future__ import annotations

import json
import math

import pytest

from autograd_lab.records import Edge, Graph, Node
from autograd_lab.records.encoding import REQUIRED, defaults, encode, is_record


def test_fields_with_their_default_value_are_left_out():
    node = Node(0, "ExpBackward0", "op", 7, next=(None, Edge(1, 0)))
    assert encode(node) == {
        "id": 0, "name": "ExpBackward0", "kind": "op", "sequence_nr": 7, "next": [None, {"node": 1, "input_nr": 0}],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (math.inf, {"float": "inf"}),
        (-math.inf, {"float": "-inf"}),
        (math.nan, {"float": "nan"}),
        (complex(0.1, -0.0), {"complex": ["0.1", "-0.0"]}),
        ((1, (2.5, None), "x", True), [1, [2.5, None], "x", True]),
    ],
)
def test_what_json_does_not_have(value, plain):
    assert encode(value) == plain
    json.dumps(encode(value), allow_nan=False)


def test_what_a_record_is():
    assert is_record(Graph)
    assert is_record(Edge)
    assert not is_record(tuple)


def test_required_fields_have_no_default():
    assert [name for name, default in defaults(Node) if default is REQUIRED] == [
        "id",
        "name",
        "kind",
        "sequence_nr",
    ]
