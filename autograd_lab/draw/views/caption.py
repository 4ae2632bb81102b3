"""What a picture is of: its title, and a sentence for those who can't see it.

Relies on the records, ``words`` and ``digits``.
"""

from __future__ import annotations

from collections.abc import Sequence

from autograd_lab.draw.digits import count, number
from autograd_lab.draw.words import place, some, without_gradient
from autograd_lab.records import Graph, ScalarGraph, Trace

_LONGEST = 60

_FIRST = 3
"""Names in a note."""


def outputs(graph: Graph) -> str:
    """Returns what a graph's outputs are called.

    Args:
        graph: The graph.

    Example:
        >>> from autograd_lab.records import Edge
        >>> outputs(Graph((), (Edge(0, 0, "loss"),))), outputs(Graph((), (Edge(0, 0), Edge(1, 0))))
        ('loss', '2 outputs')
    """
    names = [edge.name for edge in graph.roots]
    if names and all(names):
        return some([name for name in names if name])
    return "the output" if len(names) == 1 else count(len(names), "output")


def graph_title(graph: Graph, module: str | None = None) -> str:
    """Returns the title of the picture of a graph.

    Example:
        >>> graph_title(Graph((), ()))
        'Backward graph of 0 outputs: 0 nodes'
    """
    return f"Backward graph of {outputs(graph)}{_in(module)}: {count(len(graph), 'node')}{_all(module)}"


def trace_title(trace: Trace, module: str | None = None) -> str:
    """Returns the title of the picture of a trace.

    Example:
        >>> trace_title(Trace(Graph((), ()), (), total_ns=1_500_000))
        'Backward of 0 outputs: 0 steps in 1.5 ms'
    """
    began = "" if trace.started is None else f" {trace.number}"
    where = "" if trace.started is None else f", {place(trace.started)}"
    took = "" if trace.total_ns is None else f" in {trace.total_ns / 1e6:,.4g} ms"
    error = trace.error or ""
    error = error if len(error) <= _LONGEST else f"{error[: _LONGEST - 1]}…"
    stopped = f"; stopped by {error}" if error else ""
    return (
        f"Backward{began} of {outputs(trace.graph)}{where}{_in(module)}: "
        f"{count(len(trace.steps), 'step')}{_all(module)}{took}{stopped}"
    )


def _in(module: str | None) -> str:
    return "" if module is None else f" in {module}"


def _all(module: str | None) -> str:
    """Where one module is drawn, the numbers are still those of the whole."""
    return "" if module is None else " in all"


def graph_note(graph: Graph) -> str:
    """Returns which parameters will get no gradient; nothing where there are none.

    Example:
        >>> graph_note(Graph((), (), unreached=("fc.weight", "fc.bias")))
        '2 parameters will get no gradient: fc.weight, fc.bias'
    """
    return _missing(graph.unreached, "will get")


def trace_note(trace: Trace) -> str:
    """Returns which parameters got no gradient; nothing where there are none.

    Example:
        >>> trace_note(Trace(Graph((), (), unreached=("fc.bias",)), ()))
        '1 parameter got no gradient: fc.bias'
    """
    return _missing(without_gradient(trace), "got")


def _missing(names: Sequence[str], got: str) -> str:
    return f"{count(len(names), 'parameter')} {got} no gradient: {some(names, _FIRST)}" if names else ""


def scalar_title(graph: ScalarGraph, detail: str) -> str:
    """Returns the title of the picture of a computation.

    Example:
        >>> scalar_title(ScalarGraph((), ()), "gradients")
        'The chain rule for the output'
    """
    what = {"expression": "The expression of", "values": "The forward of"}.get(detail, "The chain rule for")
    return f"{what} {_output(graph)}"


def graph_summary(graph: Graph) -> str:
    """Returns what the picture of a graph shows.

    Example:
        >>> graph_summary(Graph((), ()))
        'The backward graph of 0 outputs: 0 nodes, 0 leaves among them; arrows point the way gradients go.'
    """
    leaves = count(len(graph.leaves), "leaf", "leaves")
    return (
        f"The backward graph of {outputs(graph)}: {count(len(graph), 'node')}, {leaves} among them; "
        "arrows point the way gradients go."
    )


def trace_summary(trace: Trace) -> str:
    """Returns what the picture of a trace shows.

    Example:
        >>> trace_summary(Trace(Graph((), ()), ()))
        'A backward of 0 outputs: 0 nodes, of which 0 ran; arrows point the way gradients go.'
    """
    gradients = [stats for step in trace.steps for stats in step.grad_inputs if stats is not None]
    known = [stats.norm for stats in gradients if stats.norm is not None]
    said = f", with norms from {number(min(known))} to {number(max(known))}" if known else ""
    return (
        f"A backward of {outputs(trace.graph)}: {count(len(trace.graph), 'node')}, of which {len(trace.steps)} ran; "
        f"arrows point the way gradients go{said}."
    )


def scalar_summary(graph: ScalarGraph, detail: str) -> str:
    """Returns what the picture of a computation shows.

    Example:
        >>> scalar_summary(ScalarGraph((), ()), "gradients")
        'The computation of the output by 0 operations.'
    """
    leaves = [variable for variable in graph.variables if variable.kind == "leaf" and detail == "gradients"]
    found = [
        f"{leaf.name or 'a leaf'} has the gradient {number(leaf.grad)}"
        for leaf in leaves
        if leaf.grad is not None
    ]
    return (
        f"The computation of {_output(graph)} by {count(len(graph.operations), 'operation')}"
        f"{'; ' if found else ''}{some(found)}."
    )


def _output(graph: ScalarGraph) -> str:
    return (graph.variables[0].name if graph.variables else None) or "the output"
