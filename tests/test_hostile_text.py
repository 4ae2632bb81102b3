"""Any text in any record, in every format and view: what is drawn is valid, and says the text where it can be said."""

from __future__ import annotations

import dataclasses
import json
import re
import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from autograd_lab import records
from autograd_lab.draw import draw, trace_line
from autograd_lab.draw.picture import clean
from autograd_lab.errors import escaped
from autograd_lab.records import (
    Accumulation,
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
)

META = TensorMeta((2,), "float32", "cpu")
STATS = GradStats(META, 1.5, None, None, None, None, None)

HOSTILE = [
    "a\x00b", "\x1b[31m", "\ud800", "\udcff.py", "\uffff", "]]>", "<!--", "-->", "--", "&amp;", "&#0;", "<b>", '"',
    "\\", "\\N", "$x$", r"$\frac$", "$", "%s", "{}", "\n", "\r\n", "\u2028", "a\tb", "漢字", "👍", "\u202e", "", " ",
    "_", "_x", "#", "```", "|", ";", "</script>", "<!--<script>",
]  # fmt: skip
"""What some reader of a picture takes for something else than text."""

texts = st.one_of(st.sampled_from(HOSTILE), st.text(st.characters(), max_size=20))


def trace_of(words: list[str]) -> Trace:
    """A trace in which every text that a record can hold is one of those given."""
    first, second, third = words
    source = Source(first, 3, second)
    leaf = Node(
        1, "AccumulateGrad", "accumulate", 2**64 - 1, (META,), variable=first, aliases=(second,),
        hooks=(Hook("tensor_pre_hook", third, 0, source=source),),
    )  # fmt: skip
    op = Node(
        0, second or "X", "function", 1, (META, META), (Edge(1, 0, third), None),
        (
            Saved(first, META, variable=second, nbytes=8, storage=0),
            Saved(third, value=first),
            Saved(second, packed=first),
        ),
        module=third, source=source, rule=first,
    )  # fmt: skip
    steps = (
        Step(0, 0, (STATS, None), (STATS, None), 0, 5, 0),
        Step(1, 1, (STATS,), (), 6, 5, 0, accumulation=Accumulation("stole", None, STATS)),
    )
    return Trace(Graph((op, leaf), (Edge(0, 0, second),)), steps)


def scalar_of(words: list[str]) -> ScalarGraph:
    first, second, third = words
    return ScalarGraph(
        (Variable(0, "output", first, 6.0, 1.0), Variable(1, "leaf", second, 3.0, 2.0)),
        (Operation(0, third, first, (Operand(1, 2.0, 2.0),), 0),),
    )


def is_valid(kind: str, found: str | bytes) -> bool:
    match kind:
        case "svg":
            ElementTree.fromstring(found)
        case "json" | "perfetto" | "model-explorer" | "node-data":
            json.loads(found)
        case "png":
            return found.startswith(b"\x89PNG")
        case "pdf":
            return found.startswith(b"%PDF")
    return isinstance(found, bytes) or bool(found.encode("utf-8"))


@given(st.lists(texts, min_size=3, max_size=3))
@settings(deadline=None, max_examples=60)
def test_formats_of_text(words):
    for record in (trace_of(words), trace_of(words).graph, scalar_of(words)):
        for kind in ("txt", "dot", "md", "json", "html"):
            assert is_valid(kind, draw(record, kind))
        assert records.loads(draw(record, "json")) == record
    for kind in ("perfetto", "model-explorer", "node-data"):
        assert is_valid(kind, draw(trace_of(words), kind))
    assert is_valid("dot", draw(trace_of(words), "dot", saved=True, title=words[0]))


OBEYED = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""What a terminal would obey, but for the newlines between lines."""

EVIL = ["\x1b[2Jx", "a\nb", "c\td", "\u202egpj", "\x9b1m"]


def shown_in(record: records.Record) -> list[str]:
    """What a terminal shows of a record and of a check that differs."""
    graph = record.graph if isinstance(record, Trace) else None
    tables = [draw(record, "txt")]
    if graph is not None:
        tables += [
            draw(graph, "txt"),
            draw(graph, "txt", depth=1),
            str(records.Traces([record])),
            trace_line(record),
        ]
    return tables


@pytest.mark.parametrize("evil", EVIL)
def test_no_text_that_a_terminal_would_obey_reaches_it(evil):
    trace = trace_of([evil, evil, evil])
    trace = dataclasses.replace(
        trace,
        graph=dataclasses.replace(trace.graph, unreached=(evil,)),
        error=evil,
        started=Source(evil, 1, evil),
    )
    tables = [*shown_in(trace), *shown_in(scalar_of([evil, evil, evil]))]
    different = records.EngineCheck(1, 1, records.Difference(evil, 0, 0, evil, None, evil, evil))
    runs_once = records.EngineCheck(1, 1, records.Difference("runs_once", 0, 0, evil, None, evil, evil))
    wrong = records.VerifyReport(evil, (records.Check(evil, False, 1, evil),))
    tables += [str(different), str(runs_once), str(wrong)]
    for text in tables:
        assert not OBEYED.search(text)
        assert escaped(evil)[:4] in text
        assert "a\nb" not in text


@given(st.lists(texts, min_size=3, max_size=3))
@settings(deadline=None, max_examples=5)
@pytest.mark.parametrize("kind", ["svg", "png", "pdf"])
def test_pictures(kind, words):
    assert is_valid(kind, draw(trace_of(words), kind, saved=True, title=words[0]))
    assert is_valid(kind, draw(scalar_of(words), kind, title=words[1]))


@given(st.lists(texts, min_size=3, max_size=3))
@settings(deadline=None, max_examples=8, suppress_health_check=[HealthCheck.too_slow])
@pytest.mark.parametrize("kind", ["svg", "png", "pdf"])
def test_plots(kind, words):
    trace = trace_of(words)
    assert is_valid(kind, draw(trace, kind, view="norms", title=words[0] or None))
    assert is_valid(kind, draw([trace, trace], kind, view="norms", title=words[1] or None))


@pytest.mark.parametrize("index", range(0, len(HOSTILE), 3))
def test_each_known_to_be_hostile(index):
    words = (HOSTILE * 2)[index : index + 3]
    trace = trace_of(words)
    assert is_valid("svg", draw(trace, "svg", view="norms", title=words[0] or None))
    svg = draw(trace, "svg")
    assert is_valid("svg", svg)
    shown = {text.text or "" for text in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")}
    for line in clean(words[0]).split("\n"):
        if line.strip():
            assert any(line.strip() in each.replace("\xa0", " ") for each in shown), (line, shown)
