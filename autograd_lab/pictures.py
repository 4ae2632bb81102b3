"""``render``: a picture of a record, or of live outputs.

Records are drawn by ``draw``, which knows nothing of torch. Live outputs are captured first, and what only a live
graph can give (``view="scalar"``, ``view="torchviz"``) is made here.
"""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

import torch
import torchviz

from autograd_lab import draw
from autograd_lab.capture import capture, capture_scalar
from autograd_lab.capture.models import Models
from autograd_lab.capture.names import Names
from autograd_lab.capture.outputs import Outputs, roots, tensors
from autograd_lab.draw import graphviz
from autograd_lab.draw.views import nearest
from autograd_lab.errors import RenderError, article
from autograd_lab.records import Graph, ScalarGraph, Trace, files

VIEWS = ("graph", "scalar", "torchviz")


def render(
    record: Graph | ScalarGraph | Trace | Outputs,
    path: str | os.PathLike[str] | None = None,
    *,
    format: str | None = None,  # noqa: A002 - the word that Graphviz and torchviz use
    view: str | None = None,
    model: torch.nn.Module | None = None,
    names: Names | None = None,
    **options: Any,
) -> Path | str | bytes:
    """Draws a graph.

    Args:
        record: A ``Graph``, ``Trace`` or ``ScalarGraph``, or live outputs, which are captured first. For the view
            ``"norms"`` and the format ``"perfetto"`` also a list of traces.
        path: Where to write the picture; it is there whole or not at all.
        format: ``"dot"``, ``"svg"``, ``"png"``, ``"pdf"``, ``"txt"``, ``"md"`` (a Mermaid diagram), ``"json"``
            or, of traces, ``"perfetto"`` (a time line for ui.perfetto.dev).
            Without it, what the path's ending says; without a path, ``"txt"``.
        view: ``"graph"`` shows operations, leaves and, with ``saved=True``, what the forward saved. ``"scalar"``
            shows values, local gradients and the chain rule of live outputs whose tensors all have one element;
            ``detail`` is ``"expression"``, ``"values"`` or ``"gradients"``. ``"torchviz"`` is the picture that
            ``torchviz.make_dot`` makes of live outputs (``saved=True`` shows saved tensors there too). Without it,
            what the record is.
        model: For live outputs, as for ``capture``.
        names: For live outputs, as for ``capture``.
        **options: The view's own, such as ``saved``, ``depth`` and ``repeats``: see ``autograd_lab.draw.draw``.

    Returns:
        The path if there is one; otherwise the picture, as ``str`` for text formats and ``bytes`` for others.

    Raises:
        RenderError: No such format or view, or the view can't draw this.
        GraphError: The outputs have no graph.
        UnwritableError: The path can't be written.

    Example:
        >>> w = torch.tensor(2.0, requires_grad=True)
        >>> print(render(w * w, format="md", names={"w": w}).splitlines()[0])
        ```mermaid
    """
    chosen = format or ("txt" if path is None else draw.format_of(path))
    if path is not None:
        files.check_writable(path)
    picture = _draw(record, chosen, view, {"model": model, "names": names}, options)
    return picture if path is None else files.write(path, picture)


def _draw(
    record: Any, chosen: str, view: str | None, reading: dict[str, Any], options: dict[str, Any]
) -> str | bytes:
    if isinstance(record, Graph | ScalarGraph | Trace) or _are_traces(record):
        if view == "torchviz":
            raise RenderError(
                f"view='torchviz' needs live outputs, not {article(type(record).__name__)}; pass the loss"
            )
        return draw.draw(record, chosen, view=view, **options)
    if view == "torchviz":
        return _torchviz(record, chosen, **reading, **options)
    read = {None: capture, "graph": capture, "scalar": capture_scalar}.get(view)
    if read is None:
        raise RenderError(f"no view {view!r}: {nearest(str(view), VIEWS)}")
    return draw.draw(read(record, **reading), chosen, view=view, **options)


def _are_traces(record: Any) -> bool:
    return (
        isinstance(record, list | tuple) and bool(record) and all(isinstance(each, Trace) for each in record)
    )


def _torchviz(
    outputs: Outputs,
    chosen: str,
    *,
    model: torch.nn.Module | None,
    names: Names | None,
    saved: bool = False,
    **others: Any,
) -> str | bytes:
    """The picture that torchviz users know, made by torchviz itself."""
    if others:
        raise RenderError(f"view 'torchviz' has no option {next(iter(others))!r}; its one option is saved")
    params = {**dict(Models.of(model).named()), **(names or {})}
    live = tuple(tensor for tensor in tensors(outputs) if tensor.requires_grad)
    roots(outputs)  # says it in one line if there is no graph
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "distutils Version classes", DeprecationWarning)
            source = torchviz.make_dot(live, params=params, show_saved=saved).source
    except RecursionError as error:
        raise RenderError("torchviz can't draw a graph this deep; use view='graph'") from error
    except (RuntimeError, AttributeError, AssertionError) as error:
        raise RenderError(f"torchviz can't draw this graph ({error}); use view='graph'") from error
    match chosen:
        case "dot":
            return str(source)
        case "svg":
            return graphviz.run(source, "svg").decode("utf-8")
        case "png" | "pdf":
            return graphviz.run(source, chosen)
    raise RenderError(f"torchviz makes no {chosen}; use dot, svg, png or pdf, or view='graph'")
