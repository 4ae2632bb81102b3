"""Records → the page's data: plain dictionaries, lists, numbers and texts, in columns.

Relies on the records, ``tree``, ``excerpts`` and ``words``. Promises that nothing is there which no record says, and
that what the record doesn't know is ``null``.

Note [The page's data]
A graph is a dictionary of columns, one entry for each node, edge or box, and a trace one of its steps; a column is
smaller than rows and quicker to write and to read. Texts are numbers into ``strings``, -1 or ``null`` where there is
none (S below). What has many fields of which most are empty is a row, a list without the ``null`` at its end; ``rows``
names the fields of each kind of row in their order:

    { "version": 1, "language": "en", "title": "…", "strings": ["…"],
      "rows": {"stats": ["meta", "norm", …], "saved": […], "hook": […], "kernel": […], "came": […]},
      "files": [{"path": S, "first": 10, "lines": ["…"]}],                  // see excerpts.py
      "graphs": [{
        "sequence0": 17,                                                    // + nodes.sequence = torch's sequence_nr
        "nodes": { "name": [S], "kind": [S], "sequence": [int], "module": [S], "variable": [S], "aliases": [[S]],
                   "file": [S], "line": [int], "function": [S], "call": [S], "rule": [S],
                   "metas": [[S]],                                          // grad_outputs: "f32[2,3]", "f32[2] cuda:0"
                   "saved": [[row]], "versions": [[int|null]],              // of each saved, its version counter
                   "made": [[stats]], "hooks": [[row]], "metadata": [[[S, text]]] },
        "edges": { "tail": [id], "slot": [int], "head": [id], "input": [int], "name": [S] },
        "roots": { "node": [id], "input": [int], "name": [S] },
        "boxes": { "parent": [int], "kind": [S], "title": [S], "class": [S], "times": [int], "note": [S],
                   "first": [id], "last": [id], "count": [int] },           // see tree.py
        "box": [int],                                                       // of each node its innermost box
        "unreached": [S],
        "scalar": null | {…} }],                                            // see scalar.py
      "traces": [{                                                          // none for a Graph alone
        "graph": int, "sequence0": int, "versions": [[id, index, int]],     // where these differ from the graph's
        "number": int, "started": {"file": S, "line": int, "function": S} | null, "total_ns": int|null,
        "error": text|null, "unread": text|null, "within": id|null,
        "steps": { "node": [id], "started": [ns|null], "duration": [ns|null], "thread": [int],
                   "in": [[stats|null]], "out": [[stats|null]], "kernels": [[row]], "came": [[row]],
                   "leaf": [null | {"how": S, "before": stats|null, "after": stats|null}] },
        "histograms": { "in:NODE:SLOT" | "out:NODE:SLOT": {"low", "high", "counts": [20 ints], "nans", "infs"} } }] }

An id is a node's index. A ``sequence`` of -1 is a leaf's, the highest there is. Numbers that aren't finite, and whole
ones beyond 2⁵³, are texts: ``"nan"``, ``"inf"``, ``"-inf"``. Traces of graphs that are equal but for ``sequence0`` and
``versions``, as in a training loop, share one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from autograd_lab.draw.page.excerpts import excerpts
from autograd_lab.draw.page.strings import Strings, cut, plain
from autograd_lab.draw.page.tree import tree
from autograd_lab.draw.words import value
from autograd_lab.records import GradStats, Graph, Hook, Node, Saved, Source, Step, TensorMeta, Trace

VERSION = 1
"""Of the data's form; the script in the same file reads no other."""

ROWS = {
    "stats": ("meta", "norm", "max_abs", "mean", "zeros", "nans", "infs", "unmeasured"),
    "saved": (
        "name", "value", "meta", "nbytes", "storage", "storage_nbytes", "variable", "view", "owner", "packed",
        "released",
    ),
    "hook": ("kind", "name", "slot", "file", "line"),
    "kernel": ("name", "by"),
    "came": ("slot", "source", "sender_slot", "stats"),
}  # fmt: skip
"""Kind of row → the names of its fields, in their order."""

_NO_MORE = (None,) * 6
"""What statistics hold beside a shape and a norm, where no more was asked for."""

LAST = 2**64 - 1
"""The ``sequence_nr`` of leaves."""


class Writer:
    """Writes records into the page's data; see Note [The page's data].

    Attributes:
        strings: The texts met so far.
        sources: Every place in the user's code that was met, once.

    Example:
        >>> Writer().graph(Graph((), ()))["box"]
        []
    """

    def __init__(self) -> None:
        self.strings = Strings()
        self.sources: dict[tuple[str, int], None] = {}
        self._metas: dict[TensorMeta, int] = {}

    def graph(self, graph: Graph) -> dict[str, Any]:
        """Returns a graph as the page's data have it."""
        at = self.strings.at
        edges = graph.edges
        found = tree(graph)
        boxes = found.boxes
        first = first_sequence(graph)
        return {
            "sequence0": first,
            "nodes": self._nodes(graph.nodes, first),
            "edges": {
                "tail": [tail for tail, _, _ in edges],
                "slot": [slot for _, slot, _ in edges],
                "head": [edge.node for _, _, edge in edges],
                "input": [edge.input_nr for _, _, edge in edges],
                "name": [at(edge.name) for _, _, edge in edges],
            },
            "roots": {
                "node": [edge.node for edge in graph.roots],
                "input": [edge.input_nr for edge in graph.roots],
                "name": [at(edge.name) for edge in graph.roots],
            },
            "boxes": {
                "parent": [box.parent for box in boxes],
                "kind": [at(box.kind) for box in boxes],
                "title": [at(box.title) for box in boxes],
                "class": [at(box.class_name) for box in boxes],
                "times": [box.times for box in boxes],
                "note": [at(box.note) for box in boxes],
                "first": [box.first for box in boxes],
                "last": [box.last for box in boxes],
                "count": [box.count for box in boxes],
            },
            "box": found.box_of,
            "unreached": [at(name) for name in graph.unreached],
            "scalar": None,
        }

    def trace(self, trace: Trace, histograms: Mapping[str, Any]) -> dict[str, Any]:
        """Returns a trace as the page's data have it, all but its graph."""
        return {
            "number": trace.number,
            "started": None if trace.started is None else self._place(trace.started),
            "total_ns": trace.total_ns,
            "error": trace.error,
            "unread": trace.unread,
            "within": trace.within,
            "steps": self._steps(trace.steps),
            "histograms": dict(histograms),
        }

    def files(self) -> list[dict[str, Any]]:
        """Returns the code around every place that was met, as far as it's there to read."""
        return [
            {"path": self.strings.at(found.file), "first": found.first, "lines": found.lines}
            for found in excerpts(self.sources)
        ]

    def _nodes(self, nodes: Sequence[Node], first: int) -> dict[str, Any]:
        at = self.strings.at
        for node in nodes:
            if node.source is not None:
                self.sources[node.source.file, node.source.line] = None
        return {
            "name": [at(node.name) for node in nodes],
            "kind": [at(node.kind) for node in nodes],
            "sequence": [-1 if node.sequence_nr == LAST else node.sequence_nr - first for node in nodes],
            "module": [at(node.module) for node in nodes],
            "variable": [at(node.variable) for node in nodes],
            "aliases": [[at(name) for name in node.aliases] for node in nodes],
            "file": [-1 if node.source is None else at(node.source.file) for node in nodes],
            "line": [0 if node.source is None else node.source.line for node in nodes],
            "function": [-1 if node.source is None else at(node.source.function) for node in nodes],
            "call": [-1 if node.call is None else at(node.call.name) for node in nodes],
            "rule": [at(node.rule) for node in nodes],
            "metas": [[self._meta(meta) for meta in node.grad_outputs] for node in nodes],
            "saved": [[self._saved(saved) for saved in node.saved] for node in nodes],
            "versions": [[saved.version for saved in node.saved] for node in nodes],
            "made": [[] if node.call is None else self._all_stats(node.call.made) for node in nodes],
            "hooks": [[self._hook(hook) for hook in node.hooks] for node in nodes],
            "metadata": [[[at(key), str(text)] for key, text in node.metadata] for node in nodes],
        }

    def _steps(self, steps: Sequence[Step]) -> dict[str, Any]:
        at = self.strings.at
        return {
            "node": [step.node for step in steps],
            "started": [step.started_ns for step in steps],
            "duration": [step.duration_ns for step in steps],
            "thread": [step.thread for step in steps],
            "in": [self._all_stats(step.grad_outputs) for step in steps],
            "out": [self._all_stats(step.grad_inputs) for step in steps],
            "kernels": [[[at(kernel.name), at(kernel.by)] for kernel in step.kernels] for step in steps],
            "came": [
                [
                    cut([each.input_nr, each.source, each.slot, self.stats(each.stats)])
                    for each in step.contributions
                ]
                for step in steps
            ],
            "leaf": [
                None
                if (done := step.accumulation) is None
                else {"how": at(done.how), "before": self.stats(done.before), "after": self.stats(done.after)}
                for step in steps
            ],
        }

    def stats(self, stats: GradStats | None) -> list[Any] | None:
        """Returns a row of ``ROWS["stats"]``."""
        if stats is None:
            return None
        if stats[2:] == _NO_MORE:  # nearly all
            return cut([self._meta(stats.meta), plain(stats.norm)])
        meta, norm, max_abs, mean, *counts, unmeasured = stats
        told = None if unmeasured is None else self.strings.at(unmeasured)
        return cut([self._meta(meta), plain(norm), plain(max_abs), plain(mean), *map(plain, counts), told])

    def _all_stats(self, every: Iterable[GradStats | None]) -> list[Any]:
        return [self.stats(stats) for stats in every]

    def _meta(self, meta: TensorMeta | None) -> int | None:
        if meta is None:
            return None
        found = self._metas.get(meta)
        if found is None:
            text = str(meta) if meta.device == "cpu" else f"{meta} {meta.device}"
            found = self._metas[meta] = self.strings.at(text)
        return found

    def _saved(self, saved: Saved) -> list[Any]:
        def text(known: str | None) -> int | None:
            return None if known is None else self.strings.at(known)

        is_value = saved.value is not None or (
            saved.meta is None and not saved.released and saved.packed is None
        )
        return cut([
            self.strings.at(saved.name),
            self.strings.at(value(saved)) if is_value else None,
            self._meta(saved.meta),
            saved.nbytes,
            saved.storage,
            saved.storage_nbytes,
            text(saved.variable),
            text(saved.view),
            text(saved.owner),
            text(saved.packed),
            1 if saved.released else None,
        ])  # fmt: skip

    def _hook(self, hook: Hook) -> list[Any]:
        at = self.strings.at
        place = None if hook.source is None else self._place(hook.source)
        return cut([
            at(hook.kind),
            at(hook.name),
            hook.input_nr,
            None if place is None else place["file"],
            None if place is None else place["line"],
        ])  # fmt: skip

    def _place(self, source: Source) -> dict[str, int]:
        self.sources[source.file, source.line] = None
        at = self.strings.at
        return {"file": at(source.file), "line": source.line, "function": at(source.function)}


def first_sequence(graph: Graph) -> int:
    """Returns the least sequence number of a graph, leaves aside.

    Args:
        graph: The graph.

    Example:
        >>> first_sequence(Graph((Node(0, "ExpBackward0", "op", 7), Node(1, "AccumulateGrad", "accumulate", LAST)), ()))
        7
    """
    return min((node.sequence_nr for node in graph.nodes if node.sequence_nr != LAST), default=0)
