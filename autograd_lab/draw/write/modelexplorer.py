"""A graph, or backwards, for Google's Model Explorer: a graph collection in its JSON.

A node's namespace is the path of its module, calls apart. Edges run as gradients do: a node's outputs are its
``grad_inputs``, and its inputs its ``grad_outputs``. Relies on the records, on where nodes belong (``plan/homes.py``)
and on ``namespaces``. Promises the same text for the same record, ids that are unique, edges whose ends exist, and that
a fact which isn't known is left out.

Note [Names in Model Explorer]
Its namespaces are paths with slashes. It drops an empty part, takes the last of what semicolons part, and reads a
backslash before a slash as hiding it. So in a name these characters are their full-width twins; should two modules then
have one name, the second is numbered. It hides nodes by their label, ``Const`` by default, so that a parameter of that
name wouldn't be there: ``nodeLabelsToHide`` is empty. It takes ``"`` out of attributes: they are written as ``″``.

Source: google-ai-edge/model-explorer 0.1.34, ``graph_builder.py``; for the names ``graph_processor.ts``.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from autograd_lab.draw import digits, words
from autograd_lab.draw.picture import clean
from autograd_lab.draw.plan.homes import Path, class_finder, homes
from autograd_lab.draw.write.namespaces import Namespaces
from autograd_lab.records import GradStats, Graph, Node, Saved, Step, TensorMeta, Trace
from autograd_lab.records.jsonio import in_utf8

LABEL = "backward"
"""The name of the collection."""

_TWINS = str.maketrans({"/": "／", ";": "；", "\\": "＼", '"': "″"})
_UNNAMED = "(unnamed)"

_Item = dict[str, Any]


def to_model_explorer(record: Graph | Trace | Sequence[Trace]) -> str:
    """Writes a graph collection.

    Args:
        record: A graph; or a trace, or several: each is a graph of the collection, with what ran on its nodes.

    Returns:
        JSON.

    Example:
        >>> text = to_model_explorer(Graph((Node(0, "ExpBackward0", "op", 1, module="net.act"),), ()))
        >>> node = json.loads(text)["graphs"][0]["nodes"][0]
        >>> node["id"], node["label"], node["namespace"]
        ('0', 'ExpBackward0', 'net/act')
    """
    graphs = [_graph(name, graph, trace) for name, graph, trace in named(record)]
    return in_json({"label": LABEL, "graphs": graphs, "graphSorting": "name_asc"})


def in_json(found: dict[str, Any]) -> str:
    """Returns what is written into a file."""
    return in_utf8(json.dumps(found, ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n")


def named(record: Graph | Trace | Sequence[Trace]) -> Iterator[tuple[str, Graph, Trace | None]]:
    """Yields each graph with an id of its own; numbers are padded, so that the order of names is that of numbers."""
    if isinstance(record, Graph):
        yield "backward graph", record, None
        return
    traces = [record] if isinstance(record, Trace) else record
    width = len(str(max(trace.number for trace in traces)))
    seen: Counter[int] = Counter()
    for trace in traces:
        again = seen[trace.number]
        seen[trace.number] += 1
        yield f"backward {trace.number:0{width}}{f'.{again}' if again else ''}", trace.graph, trace


# --- graphs --------------------------------------------------------------------------


def _graph(name: str, graph: Graph, trace: Trace | None) -> _Item:
    spaces = Namespaces(_part)
    places = homes(graph)
    incoming = _incoming(graph)
    ran = {} if trace is None else {step.node: step for step in trace.steps}
    roots: dict[int, list[str]] = defaultdict(list)
    for index, edge in enumerate(graph.roots):
        roots[edge.node].append(f"{edge.name or f'output {index}'} (grad_outputs[{edge.input_nr}])")
    nodes = [
        {
            "id": str(node.id),
            "label": clean(node.variable or node.name) or _UNNAMED,
            "namespace": spaces.of(places[node.id] or ()),
            "attrs": _pairs(_attributes(node, roots[node.id], ran.get(node.id))),
            "incomingEdges": incoming[node.id],
            "inputsMetadata": _inputs(node, ran.get(node.id)),
            "outputsMetadata": _outputs(graph, node, ran.get(node.id)),
        }
        for node in graph.nodes
    ]
    return {
        "id": name,
        "nodes": nodes,
        "groupNodeAttributes": {"": dict(_whole(graph, trace)), **_of_modules(graph, places, spaces)},
        "nodeLabelsToHide": [],
    }


def _part(name: str) -> str:
    """What a module is called in a namespace: see Note [Names in Model Explorer]."""
    return clean(name).translate(_TWINS) or _UNNAMED


def _incoming(graph: Graph) -> list[list[_Item]]:
    found: list[list[_Item]] = [[] for _ in graph.nodes]
    for tail, slot, edge in graph.edges:
        found[edge.node].append(
            {
                "sourceNodeId": str(tail),
                "sourceNodeOutputId": str(slot),
                "targetNodeInputId": str(edge.input_nr),
            }
        )
    return found


def _inputs(node: Node, step: Step | None) -> list[_Item]:
    came = () if step is None else step.grad_outputs
    return [
        _metadata(slot, "grad_outputs", meta, came[slot] if slot < len(came) else None)
        for slot, meta in enumerate(node.grad_outputs)
    ]


def _outputs(graph: Graph, node: Node, step: Step | None) -> list[_Item]:
    """What goes along an edge has the shape that the receiving slot wants."""
    found = []
    for slot, edge in enumerate(node.next):
        if edge is not None:
            taken = graph.node(edge.node).grad_outputs
            meta = taken[edge.input_nr] if edge.input_nr < len(taken) else None
            went = () if step is None else step.grad_inputs
            stats = went[slot] if slot < len(went) else None
            found.append(_metadata(slot, "grad_inputs", meta, stats, edge.name))
    return found


def _metadata(
    slot: int, what: str, meta: TensorMeta | None, stats: GradStats | None, name: str | None = None
) -> _Item:
    known: dict[str, Any] = {
        "__tensor_tag": f"{what}[{slot}]",
        "tensor_shape": None if stats is None and meta is None else str(stats.meta if stats else meta),
        "gradient of": name,
    }
    if stats is not None:
        for field in ("norm", "max_abs", "mean"):
            value = getattr(stats, field)
            known[field] = None if value is None else digits.number(value)
        known |= {field: getattr(stats, field) for field in ("zeros", "nans", "infs")}
        known["not measured"] = stats.unmeasured
    return {"id": str(slot), "attrs": _pairs(known.items())}


def _pairs(attributes: Iterable[tuple[str, Any]]) -> list[dict[str, str]]:
    return [
        {"key": key, "value": _text(value)}
        for key, value in attributes
        if value is not None and value not in ((), "")
    ]


def _text(value: object) -> str:
    return clean(str(value)).replace('"', "″")


def _attributes(node: Node, outputs: Sequence[str], step: Step | None) -> Iterator[tuple[str, Any]]:
    yield "class", node.name
    yield "kind", node.kind
    yield "sequence_nr", node.sequence_nr
    yield "output", ", ".join(outputs)
    yield "variable", node.variable
    yield "aliases", ", ".join(node.aliases)
    yield "module", node.module
    yield "call", None if node.call is None else node.call.name
    yield "source", node.source
    yield "rule", node.rule
    for saved in node.saved:
        yield f"saved {clean(saved.name)}", _kept(saved)
    yield "keeps alive", words.held([node])
    yield "hooks", ", ".join(f"{hook.kind} {hook.name}" for hook in node.hooks)
    for key, value in node.metadata:
        yield f"metadata {clean(key)}", value
    if step is not None:
        yield from _ran(step)


def _kept(saved: Saved) -> str:
    match words.state(saved):
        case "released":
            return "released"
        case "packed":
            return f"packed by {saved.packed}"
        case "value":
            return words.value(saved)
    size = None if saved.nbytes is None else digits.nbytes(saved.nbytes)
    return ", ".join(str(each) for each in (saved.meta, size, words.called(saved, shape=False)) if each)


def _ran(step: Step) -> Iterator[tuple[str, Any]]:
    yield "step", step.index
    yield "started", None if step.started_ns is None else f"{step.started_ns / 1e6:.3f} ms"
    yield "time", None if step.duration_ns is None else f"{step.duration_ns / 1e6:.3f} ms"
    yield "thread", step.thread
    yield (
        "kernels",
        ", ".join(f"{each.name} ({each.by})" if each.by else each.name for each in step.kernels),
    )
    if step.accumulation is not None:
        yield ".grad", step.accumulation.how
        for when in ("before", "after"):
            stats = getattr(step.accumulation, when)
            yield f".grad {when}", None if stats is None else words.gradient(stats)


def _whole(graph: Graph, trace: Trace | None) -> Iterator[tuple[str, str]]:
    """What the panel shows where nothing is selected."""
    yield "nodes", f"{len(graph):,}"
    yield "leaves", f"{len(graph.leaves):,}"
    facts: dict[str, Any] = {
        "keeps alive": words.held(graph.nodes),
        "no path leads to": ", ".join(graph.unreached),
    }
    if trace is not None:
        facts |= {
            "started": trace.started,
            "time": None if trace.total_ns is None else f"{trace.total_ns / 1e6:.3f} ms",
            "inside of node": trace.within,
            "raised": trace.error,
            "couldn't be read": trace.unread,
        }
    yield from ((pair["key"], pair["value"]) for pair in _pairs(facts.items()))


def _of_modules(graph: Graph, places: Sequence[Path | None], spaces: Namespaces) -> dict[str, dict[str, str]]:
    inside: dict[Path, list[Node]] = defaultdict(list)
    for node, place in zip(graph.nodes, places, strict=True):
        for length in range(1, len(place or ()) + 1):
            inside[(place or ())[:length]].append(node)
    class_of = class_finder(graph)
    found = {}
    for path, nodes in inside.items():
        facts = {"class": class_of(path), "nodes": f"{len(nodes):,}", "keeps alive": words.held(nodes)}
        found[spaces.of(path)] = {pair["key"]: pair["value"] for pair in _pairs(facts.items())}
    return found
