"""Node data for Model Explorer: a value for each node of a collection's graphs, in the colour that pictures give it.

Model Explorer's own colours are spread evenly from the least value to the greatest, while norms are powers of ten
apart; so each node brings its colour. Relies on ``modelexplorer`` for the graphs' names and on ``plan/heat.py``.
Promises valid JSON: what isn't a finite number is a text there.

Source: google-ai-edge/model-explorer 0.1.34, ``node_data_builder.py``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from autograd_lab.draw.plan.collapse import plan
from autograd_lab.draw.plan.heat import heat
from autograd_lab.draw.scales import HEATS
from autograd_lab.draw.write.modelexplorer import in_json, named
from autograd_lab.errors import RenderError
from autograd_lab.records import Graph, Trace


def to_node_data(record: Graph | Trace | Sequence[Trace], by: str | None = None) -> str:
    """Writes node data.

    Args:
        record: As for ``to_model_explorer``.
        by: ``"norm"``, ``"time"`` or ``"saved"``; ``None`` is ``"norm"`` of traces, and ``"saved"`` of a graph.

    Returns:
        JSON.

    Raises:
        RenderError: Nothing of that kind is known of any node.

    Example:
        >>> import json
        >>> from autograd_lab.records import Node, Step
        >>> trace = Trace(Graph((Node(0, "ExpBackward0", "op", 1),), ()), (Step(0, 0, duration_ns=2_000_000),))
        >>> json.loads(to_node_data(trace, "time"))["backward 0"]["results"]
        {'0': {'value': 2.0, 'bgColor': '#fdf8e3'}}
    """
    measure = by or ("saved" if isinstance(record, Graph) else "norm")
    found: dict[str, Any] = {}
    lacking: RenderError | None = None
    for name, graph, trace in named(record):
        try:
            found[name] = _data(graph, trace, measure)
        except RenderError as error:  # one of several backwards may have ended before anything ran
            lacking = error
    if lacking is not None and not found:
        raise lacking
    return in_json(found)


def _data(graph: Graph, trace: Trace | None, by: str) -> dict[str, Any]:
    hot = heat(by, graph, plan(graph), () if trace is None else trace.steps)
    return {
        "name": hot.what,
        "results": {
            str(node): {"value": _value(value), "bgColor": HEATS[step].fill}
            for node, (value, step) in enumerate(zip(hot.values, hot.step_of, strict=True))
            if value is not None and step is not None
        },
    }


def _value(value: float) -> float | str:
    """Model Explorer shows a text as it is."""
    return value if math.isfinite(value) else "nan" if math.isnan(value) else "inf"
