"""What an open page gets: put together, it is what a page of the same traces has."""

from __future__ import annotations

import json

import pytest

from autograd_lab.draw import draw
from autograd_lab.draw.page.html import page_data
from autograd_lab.draw.page.stream import AGAIN, MOST, RENEW, TRACE, Deltas, GrowingPage, few
from autograd_lab.records import Edge, GradStats, Graph, Node, Source, Step, TensorMeta, Trace

META = TensorMeta((2,), "float32", "cpu")


def trace(number, name="w", first=0):
    graph = Graph(
        (
            Node(0, "ExpBackward0", "op", first + 1, (META,), (Edge(1, 0),), source=Source(__file__, 3, "f")),
            Node(1, "AccumulateGrad", "accumulate", 2**64 - 1, (META,), variable=name),
        ),
        (Edge(0, 0),),
    )
    return Trace(graph, (Step(0, 0, (GradStats(META, 1.0 + number),)), Step(1, 1)), 5, number=number)


def taken(events):
    """Does as ``script/live.js`` does."""
    data = {"strings": [], "graphs": [], "traces": [], "files": []}
    for name, text in events:
        assert name == TRACE
        assert "\n" not in text
        delta = json.loads(text)
        data["strings"] += delta["strings"]
        data["graphs"] += [delta["graph"]] if delta["graph"] else []
        data["traces"].append(delta["trace"])
        data["files"] = data["files"] if delta["files"] is None else delta["files"]
    return data


def readable(data):
    """Its graphs and traces with texts in place of their numbers, which differ with the order in which they are met."""
    text = data["strings"]
    nodes = [
        [
            [text[at] if at >= 0 else None for at in graph["nodes"][column]]
            for column in ("name", "variable", "file")
        ]
        for graph in data["graphs"]
    ]
    steps = [
        [each["number"], each["graph"], each["sequence0"], each["steps"]["node"]] for each in data["traces"]
    ]
    norms = [
        [[row and [text[row[0]], *row[1:]] for row in came] for came in each["steps"]["in"]]
        for each in data["traces"]
    ]
    files = [[text[each["path"]], each["first"], each["lines"]] for each in data["files"]]
    return nodes, steps, norms, files


def test_put_together_it_is_a_pages_data():
    traces = [trace(0), trace(1, first=40), trace(2, "other"), trace(3)]
    growing = []
    stream = Deltas(lambda: growing)
    events = []
    for each in traces:
        growing.append(each)
        events += stream.new()
    assert len(events) == len(traces)
    assert not list(stream.new())
    expected = json.loads(json.dumps(page_data(traces)))
    assert readable(taken(events)) == readable(expected)
    assert len(expected["graphs"]) == 2


def test_texts_graphs_and_lines_come_once():
    stream = Deltas(lambda: traces)
    traces = [trace(0)]
    list(stream.new())
    traces.append(trace(1))
    ((_, text),) = stream.new()
    delta = json.loads(text)
    assert (delta["strings"], delta["graph"], delta["files"]) == ([], None, None)


def test_one_that_was_let_go_of_doesnt_come_again():
    traces = [trace(number) for number in range(4)]
    stream = Deltas(lambda: traces)
    assert len(list(stream.new())) == 4
    del traces[1::2]
    assert not list(stream.new())
    traces.append(trace(9))
    assert len(list(stream.new())) == 1


def test_of_a_long_list_a_page_begins_with_some_and_then_gets_all():
    traces = [trace(number) for number in range(3 * MOST)]
    stream = Deltas(lambda: traces)
    numbers = [json.loads(text)["trace"]["number"] for _, text in stream.new()]
    assert len(numbers) <= MOST
    assert numbers[-1] == 3 * MOST - 1
    traces.append(trace(3 * MOST))
    assert len(list(stream.new())) == 1


def test_a_page_that_has_many_is_to_begin_anew():
    traces = [trace(0)]
    stream = Deltas(lambda: traces)
    assert len(list(stream.new())) == 1
    traces += [trace(number) for number in range(1, RENEW + 5)]
    names = [name for name, _ in stream.new()]
    assert names == [TRACE] * (RENEW - 1) + [AGAIN]


@pytest.mark.parametrize("count", [0, 1, MOST, MOST + 1, 7 * MOST])
def test_few(count):
    traces = [trace(number) for number in range(count)]
    found = few(traces)
    assert len(found) <= MOST
    assert found[-1:] == traces[-1:]
    assert [each.number for each in found] == sorted(each.number for each in found)
    assert found == traces if count <= MOST else len(found) > MOST / 2


def test_names_are_data():
    stream = Deltas(lambda: [trace(0, "</script>\u2028\n")])
    ((_, text),) = stream.new()
    assert text.isascii()
    assert "<" not in text
    assert taken([(TRACE, text)])["strings"].count("</script>\u2028\n") == 1


def test_the_page_itself_is_empty_and_may_ask_where_it_came_from():
    html = GrowingPage("events", list).html()
    assert "connect-src &#x27;self&#x27;" in html
    assert '"live":"events"' in html
    whole = draw(trace(0), "html")
    assert "connect-src &#x27;none&#x27;" in whole
    assert '"live":' not in whole
