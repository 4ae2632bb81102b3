"""Records to JSON and back; every way in which a file can be wrong."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from models import CASES, shared

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
    st.none() | texts, st.booleans(), st.none() | counts, st.none() | texts,
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
            place,
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
        for place in range(size)
    )
    return Graph(nodes, draw(tuples(edges)))


@pytest.mark.parametrize("name", CASES)
def test_every_models_graph_comes_back(name, tmp_path):
    from autograd_lab.capture import capture

    built = shared(name)
    graph = capture(built.outputs, model=built.model, names=built.names)
    back = load(save(graph, tmp_path / "graph.json"))
    assert back == graph
    assert repr(back) == repr(graph)


@pytest.mark.parametrize(
    "value",
    [
        None, True, False, 0, 1, -1, 2**64, 0.0, -0.0, 1.0, 0.1, 5e-324, 1.7976931348623157e308, math.inf, -math.inf,
        1j, complex(-0.0, math.inf), "", "ŷ", "\u2028\n\r\t\"\\", "float", "\ud800", (), ((),), (1, (2.0, ("a", None))),
    ],
)  # fmt: skip
def test_a_value_comes_back_of_the_same_type(value, tmp_path):
    graph = Graph((Node(0, "A", "op", 0, saved=(Saved("a", value=value),), metadata=(("k", value),)),), ())
    back = load(save(graph, tmp_path / "a.json"))
    assert repr(back) == repr(graph)


@given(graphs())
def test_any_graph_comes_back_equal_and_of_the_same_types(graph):
    back = loads(dumps(graph))
    assert back == graph
    assert repr(back) == repr(graph)  # 1, 1.0 and True are equal and look different
    assert dumps(back) == dumps(graph)


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


def nested(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not JSON"),
        ("[]", "autograd_lab: missing; this isn't a file that lab.save wrote"),
        ("3", "autograd_lab: missing"),
        ('{"a": NaN}', "NaN isn't JSON"),
        ("[" * 100_000, "nested too deeply"),
        (document(data__nodes__0__saved=[{"name": "a", "value": nested(700)}]), "nested too deeply"),
        ('{"a": ' + "1" * 5000 + "}", "a number has too many digits"),
        ('{"a": Infinity}', "Infinity isn't JSON"),
        ("\ufeff{}", "not JSON: Unexpected UTF-8 BOM"),
        ("{} {}", "not JSON: Extra data"),
        (document()[:-20], "not JSON"),
        (document(autograd_lab=[1]), "autograd_lab: missing"),
        (document(autograd_lab__schema=SCHEMA + 1), "was written by a later release"),
        (document(autograd_lab__schema=True), "autograd_lab.schema: expected a version"),
        (document(autograd_lab__schema=0), "autograd_lab.schema: expected a version"),
        (document(autograd_lab__schema=KeyError), "autograd_lab.schema: expected a version"),
        (document(autograd_lab__record="Module"), "autograd_lab.record: expected one of Graph"),
        (document(autograd_lab__record=["Graph"]), "autograd_lab.record: expected one of Graph"),
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
            "data.nodes[0].grad_outputs[0].shape[0]: expected a int or a str, found 1.5",
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
        (document(data__nodes__0__kind=None), "data.nodes[0].kind: expected a str, found null"),
        (document(data__nodes__0__sequence_nr=1.0), "data.nodes[0].sequence_nr: expected an int, found 1.0"),
        (document(data__nodes__0__next=[[1, 0]]), "data.nodes[0].next[0]: expected the fields of a Edge"),
        (document(data__nodes__0__next=[{"node": 1}]), "data.nodes[0].next[0].input_nr: missing"),
        (
            document(data__nodes__0__saved=[{"name": "a", "released": 1}]),
            "saved[0].released: expected a bool, found 1",
        ),
        (
            document(data__nodes__0__saved=[{"name": "a", "value": {"complex": ["1"]}}]),
            "value: expected a number",
        ),
        (
            document(data__nodes__0__saved=[{"name": "a", "value": {"float": "inf", "b": 1}}]),
            "value: expected a number",
        ),
        (document(data__nodes__0__source="file.py"), "data.nodes[0].source: expected the fields of a Source"),
        (document(data__nodes__0__hooks={}), "data.nodes[0].hooks: expected a list, found {}"),
        (document(data__nodes__0__aliases=["a", 1]), "data.nodes[0].aliases[1]: expected a str, found 1"),
        (document(data__nodes__1=None), "data.nodes[1]: expected the fields of a Node, found null"),
        (document(data__roots=KeyError), "data.roots: missing"),
        (document(data__trace=1), "data.trace: a Graph has no such field"),
        (document(data="x" * 1000), 'data: expected the fields of a Graph, found "xxxx'),
        (document(autograd_lab__record="Trace"), "data.nodes: a Trace has no such field"),
        (document(autograd_lab__record="ScalarGraph"), "data.nodes: a ScalarGraph has no such field"),
    ],
)
def test_a_wrong_text_gets_one_line_that_names_the_field(text, says):
    with pytest.raises(RecordError) as caught:
        loads(text)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 250
    assert isinstance(caught.value, ValueError)


OTHERS = [
    None,
    True,
    0,
    -1,
    10**30,
    1.5,
    "",
    "x",
    [],
    [[]],
    {},
    {"float": "inf"},
    {"float": 1},
    {"complex": []},
]


@given(graphs(), st.data())
def test_any_change_to_a_file_is_refused_in_one_line_or_gives_a_record(graph, data):
    """And never anything else: no other exception, no record of a wrong type."""
    changed = json.loads(dumps(graph))
    place, keys = changed, list(changed)
    while True:
        key = data.draw(st.sampled_from(keys))
        inner = place[key]
        keys = (
            list(inner)
            if isinstance(inner, dict)
            else list(range(len(inner)))
            if isinstance(inner, list)
            else []
        )
        if not keys or data.draw(st.integers(0, 3)) == 0:
            break
        place = inner
    how = data.draw(st.sampled_from(["replace", "remove", "add"]))
    if how == "remove":
        del place[key]
    elif how == "add" and isinstance(place, dict):
        place["unknown"] = 1
    else:
        place[key] = data.draw(st.sampled_from(OTHERS))
    refused_or_a_record(json.dumps(changed))


@given(graphs(), st.integers(0), st.text(alphabet='{}[]",:0123456789.eE-NaInfty \\\x00é', max_size=3))
def test_any_damaged_text_is_refused_in_one_line_or_gives_a_record(graph, at, text):
    whole = dumps(graph)
    at %= len(whole)
    refused_or_a_record(whole[:at] + text + whole[at + 1 :])
    refused_or_a_record(whole[:at])


def refused_or_a_record(text):
    try:
        record = loads(text)
    except RecordError as error:
        assert "\n" not in str(error)
        assert str(error).split(":")[0].split(".")[0].split("[")[0] in (
            "data",
            "autograd_lab",
            "not JSON",
            "not a record",
        )
    else:
        record.validate()
        assert type(record) in (Graph, ScalarGraph, Trace)
        again = loads(dumps(record))
        assert repr(again) == repr(record)


def test_a_wrong_file_is_named(tmp_path):
    binary = tmp_path / "picture.json"
    binary.write_bytes(b"\x89PNG\xff")
    with pytest.raises(RecordError, match=r"picture\.json: not a record: the file isn't UTF-8 text"):
        load(binary)
    with pytest.raises(RecordError, match=r"nowhere\.json: cannot be read: No such file"):
        load(tmp_path / "nowhere.json")
    with pytest.raises(RecordError, match="cannot be read"):
        load(tmp_path)


def test_what_is_refused_is_not_half_read():
    """A field of an unknown name isn't passed over: it may be what a later version means something by."""
    with pytest.raises(
        RecordError, match=r"^autograd_lab\.schema: version 9 was written by a later release, and this one"
    ):
        loads(document(autograd_lab__schema=9, data__new="field"))


def test_equal_records_give_equal_text_of_one_node_a_line():
    built = shared("seed")
    from autograd_lab.capture import capture

    texts = [dumps(capture(built.outputs, names=built.names)) for _ in range(2)]
    assert texts[0] == texts[1]
    lines = texts[0].splitlines()
    assert len([line for line in lines if line.startswith('{"id": ')]) == 4


def test_a_file_that_cannot_be_written_stays_as_it_was(tmp_path):
    path = save(Graph((), ()), tmp_path / "a.json")
    before = path.read_bytes()
    with pytest.raises(TypeError):
        save(Graph((Node(0, "A", "op", 0, saved=(Saved("a", value=object()),)),), ()), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_only_records_that_stand_by_themselves_are_saved(tmp_path):
    with pytest.raises(RecordError, match="cannot save a Edge: give one of Graph"):
        save(Edge(0, 0), tmp_path / "edge.json")
    assert list(tmp_path.iterdir()) == []
