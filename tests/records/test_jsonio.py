"""Records to JSON and back; every way in which a file can be wrong."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given, strategies as st

from autograd_lab.errors import RecordError
from autograd_lab.records import (
    Edge,
    GradStats,
    Graph,
    Hook,
    Node,
    Operand,
    Operation,
    Saved,
    ScalarGraph,
    Source,
    Step,
    TensorMeta,
    Trace,
    Variable,
    dumps,
    load,
    loads,
    save,
)
from autograd_lab.records.jsonio import SCHEMA

texts = st.text(max_size=8)
counts = st.integers(0, 2**64)
plain = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.complex_numbers(allow_nan=False),
    texts,
)
values = st.recursive(plain, lambda inner: st.lists(inner, max_size=3).map(tuple), max_leaves=6)
metas = st.builds(
    TensorMeta, st.none() | st.lists(st.one_of(st.integers(0, 9), texts), max_size=3).map(tuple), texts, texts
)
sources = st.builds(Source, texts, counts, texts)
saveds = st.builds(
    Saved, texts, st.none() | metas, values, st.none() | counts, st.none() | counts, st.none() | counts,
    st.none() | texts, st.booleans(), st.none() | counts, st.none() | texts, st.none() | texts, st.none() | texts,
)  # fmt: skip
hooks = st.builds(Hook, texts, texts, st.none() | counts, st.none() | sources)


def tuples(of):
    return st.lists(of, max_size=3).map(tuple)


@st.composite
def graphs(draw):
    size = draw(st.integers(1, 4))
    edges = st.builds(Edge, st.integers(0, size - 1), st.integers(0, 3), st.none() | texts)
    nodes = tuple(
        Node(
            i,
            draw(texts),
            draw(st.sampled_from(["op", "accumulate", "function", "compiled"])),
            draw(counts),
            draw(tuples(metas)),
            draw(tuples(st.none() | edges)),
            draw(tuples(saveds)),
            draw(st.none() | texts),
            draw(tuples(texts)),
            draw(st.none() | texts),
            draw(st.none() | sources),
            draw(tuples(hooks)),
            draw(tuples(st.tuples(texts, values))),
        )
        for i in range(size)
    )
    return Graph(nodes, draw(tuples(edges)))


@given(graphs())
def test_any_graph_comes_back_equal_and_of_the_same_types(graph):
    back = loads(dumps(graph))
    assert back == graph
    assert repr(back) == repr(graph)  # 1, 1.0 and True are equal and look different
    assert dumps(back) == dumps(graph)


def test_a_file_from_before_views_had_names_loads():
    """Its saved tensors have neither a view nor an owner: all that they hold counts as the graph's."""
    text = (
        '{"autograd_lab": {"schema": 1, "record": "Graph"}, "data": {"nodes": [{"id": 0, "name": "MmBackward0",'
        ' "kind": "op", "sequence_nr": 3, "saved": [{"name": "mat2", "nbytes": 24, "storage": 0, "version": 0,'
        ' "storage_nbytes": 24}]}], "roots": []}}'
    )
    graph = loads(text)
    assert graph.nodes[0].saved == (Saved("mat2", nbytes=24, storage=0, version=0, storage_nbytes=24),)
    assert (graph.saved_activation_nbytes, graph.saved_parameter_nbytes) == (24, 0)


def test_nan_comes_back_as_nan_and_the_text_is_strict_json():
    graph = Graph(
        (Node(0, "A", "op", 0, saved=(Saved("a", value=(math.nan, math.inf, -math.inf, -0.0)),)),), ()
    )
    text = dumps(graph)
    json.loads(text, parse_constant=lambda token: pytest.fail(token))
    first, *rest = loads(text).nodes[0].saved[0].value
    assert math.isnan(first)
    assert rest == [math.inf, -math.inf, 0.0]
    assert math.copysign(1, rest[-1]) == -1


def test_a_list_of_traces_is_one_file(tmp_path):
    traces = [
        Trace(Graph((Node(0, "ExpBackward0", "op", 1),), ()), (Step(0, 0),), number=number)
        for number in (0, 1)
    ]
    assert load(save(traces, tmp_path / "traces.json")) == traces
    assert dumps(tuple(traces)) == dumps(traces)
    assert json.loads(dumps(traces))["autograd_lab"] == {"schema": SCHEMA, "record": "Traces"}
    wrong = dumps(traces).replace('"node": 0', '"node": 7')
    with pytest.raises(RecordError, match=r"^data\[0\]\.steps\[0\]\.node: there is no node 7$"):
        loads(wrong)
    with pytest.raises(RecordError, match=r"^data\[1\]: expected the fields of a Trace, found 3$"):
        loads(
            json.dumps(
                {
                    "autograd_lab": {"schema": 1, "record": "Traces"},
                    "data": [json.loads(dumps(traces))["data"][0], 3],
                }
            )
        )


@pytest.mark.parametrize(
    ("thing", "what"),
    [
        ([], "a list that holds nothing"),
        ([Trace(Graph((), ()), ()), Graph((), ())], "a list that holds a Graph"),
        ("text", "a str"),
    ],
)
def test_of_lists_only_those_of_traces_are_saved(thing, what):
    with pytest.raises(RecordError, match=rf"^cannot save {what}: give one of .* or a list of traces$"):
        dumps(thing)


def test_scalar_graphs_and_traces_come_back_too():
    scalar = ScalarGraph(
        (Variable(0, "output", None, 6.0, 1.0), Variable(1, "leaf", "z", 3j, True)),
        (Operation(0, "MulBackward0", "×", (Operand(1, 2.0, math.inf),), 0),),
    )
    assert loads(dumps(scalar)) == scalar
    trace = Trace(
        Graph((Node(0, "A", "op", 0),), ()),
        (Step(0, 0, (GradStats(TensorMeta((), "float32", "cpu"), norm=math.inf, infs=1),)),),
        17,
        grads={"w": object()},
    )
    back = loads(dumps(trace))
    assert back == trace
    assert back.grads == {}


def document(**changes):
    graph = Graph(
        (Node(0, "A", "op", 0, next=(Edge(1, 0), None)), Node(1, "B", "accumulate", 1, variable="w")),
        (Edge(0, 0),),
    )
    found = json.loads(dumps(graph))
    for path, value in changes.items():
        *way, last = path.split("__")
        place = found
        for part in way:
            place = place[int(part) if part.isdigit() else part]
        if value is KeyError:
            del place[last]
        else:
            place[int(last) if last.isdigit() else last] = value
    return json.dumps(found)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not JSON"),
        ("[]", "autograd_lab: missing; this isn't a file that lab.save wrote"),
        ("3", "autograd_lab: missing"),
        ('{"a": NaN}', "NaN isn't JSON"),
        ("[" * 100_000, "nested too deeply"),
        (document(autograd_lab__schema=SCHEMA + 1), "was written by a later release"),
        (document(autograd_lab__schema=True), "autograd_lab.schema: expected a version"),
        (document(autograd_lab__schema=0), "autograd_lab.schema: expected a version"),
        (document(autograd_lab__schema=KeyError), "autograd_lab.schema: expected a version"),
        (document(autograd_lab__record="Module"), "autograd_lab.record: expected one of EngineCheck, Graph"),
        (document(autograd_lab__record=["Graph"]), "autograd_lab.record: expected one of EngineCheck, Graph"),
        (document(data=KeyError), "data: expected the fields of a Graph, found null"),
        (document(data__nodes=KeyError), "data.nodes: missing"),
        (document(data__nodes=3), "data.nodes: expected a list, found 3"),
        (document(data__nodes__0__name=3), "data.nodes[0].name: expected a str, found 3"),
        (document(data__nodes__0__id=True), "data.nodes[0].id: expected an int, found true"),
        (document(data__nodes__0__id=1), "data.nodes[0].id: expected 0, found 1"),
        (document(data__nodes__0__colour="red"), "data.nodes[0].colour: a Node has no such field"),
        (document(data__nodes__0__next__0__node=7), "data.nodes[0].next[0].node: there is no node 7"),
        (
            document(data__nodes__0__next__0__input_nr=-1),
            "data.nodes[0].next[0].input_nr: expected 0 or more",
        ),
        (document(data__roots__0__node=-1), "data.roots[0].node: there is no node -1"),
        (
            document(data__nodes__0__grad_outputs=[{"shape": [1.5], "dtype": "f", "device": "cpu"}]),
            "data.nodes[0].grad_outputs[0].shape[0]: expected an int or a str, found 1.5",
        ),
        (
            document(data__nodes__0__saved=[{"name": "a", "value": {"float": "much"}}]),
            "data.nodes[0].saved[0].value: expected a number",
        ),
        (
            document(data__nodes__0__saved=[{"name": "a", "value": {"code": "import os"}}]),
            "data.nodes[0].saved[0].value: expected a number",
        ),
        (document(data__nodes__0__metadata=[["key"]]), "data.nodes[0].metadata[0]: expected a list of 2"),
    ],
)
def test_a_wrong_text_gets_one_line_that_names_the_field(text, says):
    with pytest.raises(RecordError) as caught:
        loads(text)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, ValueError)


def test_a_wrong_file_is_named(tmp_path):
    binary = tmp_path / "picture.json"
    binary.write_bytes(b"\x89PNG\xff")
    with pytest.raises(RecordError, match=r"picture\.json: not a record: the file isn't UTF-8 text"):
        load(binary)
    with pytest.raises(RecordError, match=r"nowhere\.json: cannot be read: No such file"):
        load(tmp_path / "nowhere.json")
    with pytest.raises(RecordError, match="cannot be read"):
        load(tmp_path)


def test_only_records_that_stand_by_themselves_are_saved(tmp_path):
    with pytest.raises(RecordError, match="cannot save an Edge: give one of EngineCheck, Graph"):
        save(Edge(0, 0), tmp_path / "edge.json")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "text",
    [
        document(autograd_lab__schema="x" * 10_000),
        document(autograd_lab__schema=10**4_000),
        document(autograd_lab__schema=["x" * 10_000]),
        document(autograd_lab__record="x" * 10_000),
        document(autograd_lab__record=["x\ny"] * 10_000),
        document(**{f"data__{'x' * 10_000}": 1}),
    ],
)
def test_no_value_is_quoted_at_any_length(text):
    with pytest.raises(RecordError) as caught:
        loads(text)
    assert len(str(caught.value)) < 200
    assert "\n" not in str(caught.value)
