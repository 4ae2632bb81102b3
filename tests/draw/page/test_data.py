"""The page's data say what the record says: read back here without the code that wrote them."""

from __future__ import annotations

import json
import math

import models
import pytest
import torch

import autograd_lab as lab
from autograd_lab.draw.page.html import as_json, page_data
from autograd_lab.records import Edge, GradStats, Graph, Hook, Node, Saved, Source, TensorMeta, Trace


class Twice(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * 2

    @staticmethod
    def backward(ctx, grad):
        return grad * 2


class Net(torch.nn.Module):
    """Tied weights, a Function, dropout, a call made twice, and a parameter that isn't used."""

    def __init__(self):
        super().__init__()
        self.fc, self.head = torch.nn.Linear(3, 3), torch.nn.Linear(3, 3)
        self.head.weight = self.fc.weight
        self.unused = torch.nn.Parameter(torch.ones(2))

    def forward(self, x):
        x = torch.dropout(self.fc(x), 0.5, True)
        return Twice.apply(self.head(self.fc(x)))


@pytest.fixture(scope="module")
def traces():
    torch.manual_seed(0)
    model = Net()
    model.fc.weight.register_hook(lambda grad: grad * math.inf)
    with lab.watch(model, stats="full", kernels=True) as watcher:
        for _ in range(2):
            model(torch.ones(2, 3)).sum().backward()
            with torch.no_grad():
                model.fc.bias.add_(1)
    return list(watcher.traces)


class Read:
    """The page's data, looked up."""

    def __init__(self, record, **options):
        self.data = json.loads(as_json(page_data(record, **options)))

    def text(self, number):
        return None if number in (None, -1) else self.data["strings"][number]

    def row(self, kind, row):
        if row is None:
            return None
        names = self.data["rows"][kind]
        return dict(zip(names, [*row, *[None] * (len(names) - len(row))], strict=True))

    def columns(self, columns):
        """As a list of dictionaries, one for each entry."""
        assert len({len(column) for column in columns.values()}) == 1, {n: len(c) for n, c in columns.items()}
        return [dict(zip(columns, entry, strict=True)) for entry in zip(*columns.values(), strict=True)]

    def stats(self, row):
        found = self.row("stats", row)
        return found and {
            **found,
            "meta": self.text(found["meta"]),
            "unmeasured": self.text(found["unmeasured"]),
        }


def number(value):
    if isinstance(value, float) and not math.isfinite(value):
        return {True: "nan", False: "inf" if value > 0 else "-inf"}[math.isnan(value)]
    return value


def said(stats: GradStats | None):
    return stats and {
        name: str(value) if name == "meta" else number(value) for name, value in stats._asdict().items()
    }


def check_graph(read: Read, found: dict, graph: Graph, sequence0: int, versions: dict) -> None:
    text = read.text
    nodes = read.columns(found["nodes"])
    assert len(nodes) == len(graph)
    for node, had in zip(nodes, graph.nodes, strict=True):
        assert [text(node[name]) for name in ("name", "kind", "module", "variable", "rule")] == [
            had.name, had.kind, had.module, had.variable, had.rule
        ]  # fmt: skip
        sequence = 2**64 - 1 if node["sequence"] == -1 else sequence0 + node["sequence"]
        assert sequence == had.sequence_nr
        assert [text(alias) for alias in node["aliases"]] == list(had.aliases)
        source = (
            None if node["file"] == -1 else Source(text(node["file"]), node["line"], text(node["function"]))
        )
        assert source == had.source
        assert text(node["call"]) == (had.call and had.call.name)
        assert [read.stats(row) for row in node["made"]] == [
            said(made) for made in (had.call.made if had.call else ())
        ]
        assert [text(meta) for meta in node["metas"]] == [str(meta) for meta in had.grad_outputs]
        assert [[text(key), value] for key, value in node["metadata"]] == [
            [k, str(v)] for k, v in had.metadata
        ]
        assert len(node["saved"]) == len(had.saved) == len(node["versions"])
        for at, (row, saved) in enumerate(zip(node["saved"], had.saved, strict=True)):
            it = read.row("saved", row)
            for name in ("name", "variable", "view", "owner", "packed"):
                assert text(it[name]) == getattr(saved, name)
            for name in ("nbytes", "storage", "storage_nbytes"):
                assert it[name] == getattr(saved, name)
            assert bool(it["released"]) == saved.released
            assert text(it["meta"]) == (saved.meta and str(saved.meta))
            assert (text(it["value"]) is None) or text(it["value"]) == str(saved.value)
            assert versions.get((had.id, at), node["versions"][at]) == saved.version
        hooks = [read.row("hook", row) for row in node["hooks"]]
        assert [(text(hook["kind"]), text(hook["name"]), hook["slot"]) for hook in hooks] == [
            (hook.kind, hook.name, hook.input_nr) for hook in had.hooks
        ]
        assert [(text(hook["file"]), hook["line"]) for hook in hooks] == [
            (hook.source.file, hook.source.line) if hook.source else (None, None) for hook in had.hooks
        ]
    assert [
        (edge["tail"], edge["slot"], Edge(edge["head"], edge["input"], text(edge["name"])))
        for edge in read.columns(found["edges"])
    ] == list(graph.edges)
    roots = read.columns(found["roots"])
    assert [Edge(root["node"], root["input"], text(root["name"])) for root in roots] == list(graph.roots)
    assert [text(name) for name in found["unreached"]] == list(graph.unreached)
    assert len(found["box"]) == len(graph)
    read.columns(found["boxes"])


def check_trace(read: Read, found: dict, trace: Trace) -> None:
    text = read.text
    if (started := found["started"]) is not None:
        started = Source(text(started["file"]), started["line"], text(started["function"]))
    assert started == trace.started
    for name in ("number", "total_ns", "error", "unread", "within"):
        assert found[name] == getattr(trace, name)
    steps = read.columns(found["steps"])
    assert [step["node"] for step in steps] == [step.node for step in trace.steps]
    for step, had in zip(steps, trace.steps, strict=True):
        assert (step["started"], step["duration"], step["thread"]) == (
            had.started_ns,
            had.duration_ns,
            had.thread,
        )
        assert [read.stats(row) for row in step["in"]] == [said(stats) for stats in had.grad_outputs]
        assert [read.stats(row) for row in step["out"]] == [said(stats) for stats in had.grad_inputs]
        assert [tuple(map(text, kernel)) for kernel in step["kernels"]] == [
            tuple(kernel) for kernel in had.kernels
        ]
        came = [read.row("came", row) for row in step["came"]]
        assert [
            (each["slot"], each["source"], each["sender_slot"], read.stats(each["stats"])) for each in came
        ] == [(each.input_nr, each.source, each.slot, said(each.stats)) for each in had.contributions]
        leaf = step["leaf"]
        assert (leaf is None) == (had.accumulation is None)
        if leaf is not None:
            assert (text(leaf["how"]), read.stats(leaf["before"]), read.stats(leaf["after"])) == (
                had.accumulation.how, said(had.accumulation.before), said(had.accumulation.after)
            )  # fmt: skip


def test_a_trace_reads_as_the_record_says(traces):
    read = Read(traces[0])
    (graph,), (trace,) = read.data["graphs"], read.data["traces"]
    check_graph(read, graph, traces[0].graph, graph["sequence0"], {})
    check_trace(read, trace, traces[0])
    assert any(stats and stats[1] == "inf" for step in trace["steps"]["in"] for stats in step)


@pytest.mark.parametrize(
    "name", ["seed", "tied_embedding", "parallel_edges", "random_graph", "several_results", "sparse"]
)
def test_so_does_that_of_any_model(name):
    loss, model, *_ = models.CASES[name].build()
    run = lab.Engine(loss, model=model).run()
    read = Read(run)
    (graph,), (trace,) = read.data["graphs"], read.data["traces"]
    check_graph(read, graph, run.graph, graph["sequence0"], {})
    check_trace(read, trace, run)


def test_traces_of_graphs_that_are_alike_share_one(traces):
    read = Read(traces)
    (graph,) = read.data["graphs"]
    assert [trace["number"] for trace in read.data["traces"]] == [0, 1]
    for trace, had in zip(read.data["traces"], traces, strict=True):
        versions = {(node, at): version for node, at, version in trace["versions"]}
        check_graph(read, graph, had.graph, trace["sequence0"], versions)
        check_trace(read, trace, had)


def test_traces_of_graphs_that_differ_have_each_their_own(traces):
    graph = traces[1].graph
    other = Trace(Graph((graph.nodes[0]._replace(name="Other"), *graph.nodes[1:]), graph.roots), ())
    read = Read([traces[0], other, traces[1]])
    assert [trace["graph"] for trace in read.data["traces"]] == [0, 1, 0]
    check_graph(read, read.data["graphs"][1], other.graph, read.data["graphs"][1]["sequence0"], {})


def test_a_graph_alone(traces):
    read = Read(traces[0].graph, title="a title", language="zh")
    assert (read.data["traces"], read.data["title"], read.data["language"]) == ([], "a title", "zh")
    check_graph(read, read.data["graphs"][0], traces[0].graph, read.data["graphs"][0]["sequence0"], {})


def test_what_seldom_stands_in_a_record():
    meta = TensorMeta(None, "bfloat16", "cuda:1")
    saved = (
        Saved("a", released=True),
        Saved("b", packed="unpack"),
        Saved("c", value=None),
        Saved("d", value=(1, None)),
        Saved("e", meta, view="view", variable="w", owner="buffer", version=3),
    )
    node = Node(
        0, "X", "op", 5, (meta,), (None,), saved, hooks=(Hook("post_hook", "f"),), metadata=(("k", 2**70),)
    )  # fmt: skip
    graph = Graph((node,), ())
    read = Read(graph)
    nodes = read.columns(read.data["graphs"][0]["nodes"])
    rows = [read.row("saved", row) for row in nodes[0]["saved"]]
    assert [read.text(row["value"]) for row in rows] == [None, None, "None", "(1, None)", None]
    assert [row["released"] for row in rows] == [1, None, None, None, None]
    assert read.text(nodes[0]["metas"][0]) == "bf16[?] cuda:1"
    assert nodes[0]["metadata"][0][1] == str(2**70)
    assert nodes[0]["versions"] == [None, None, None, None, 3]


def test_the_code_around_a_line_goes_with_it(traces):
    read = Read(traces[0])
    shown = {
        (read.text(file["path"]), file["first"] + at): line
        for file in read.data["files"]
        for at, line in enumerate(file["lines"])
    }
    node = next(node for node in traces[0].graph.nodes if node.name == "TwiceBackward")
    assert "def forward(ctx, x):" in shown[node.source.file, node.source.line]
    assert "backward()" in shown[traces[0].started.file, traces[0].started.line]
