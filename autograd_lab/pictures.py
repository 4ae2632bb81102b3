"""``render``: a picture of a record, or of live outputs.

Records are drawn by ``draw``, which knows nothing of torch. Live outputs are captured first, and what only a live
graph can give (``view="scalar"``, ``view="torchviz"``) is made here.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from autograd_lab import draw
from autograd_lab.capture import capture, capture_scalar
from autograd_lab.capture.names import Names
from autograd_lab.capture.outputs import Outputs, tensors
from autograd_lab.errors import RenderError
from autograd_lab.records import Graph, ScalarGraph, files

VIEWS = ("graph", "scalar", "torchviz")


def render(
    record: Graph | ScalarGraph | Outputs,
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
        record: A ``Graph`` or ``ScalarGraph``, or live outputs, which are captured first.
        path: Where to write the picture; it is there whole or not at all.
        format: ``"dot"``, ``"svg"``, ``"png"``, ``"pdf"``, ``"txt"``, ``"md"`` (a Mermaid diagram) or ``"json"``.
            Without it, what the path's ending says; without a path, ``"txt"``.
        view: ``"graph"`` shows operations, leaves and, with ``saved=True``, what the forward saved. ``"scalar"``
            shows values, local gradients and the chain rule of live outputs whose tensors all have one element;
            ``detail`` is ``"expression"``, ``"values"`` or ``"gradients"``. ``"torchviz"`` is the picture that
            ``torchviz.make_dot`` makes of live outputs. Without it, what the record is.
        model: For live outputs, as for ``capture``.
        names: For live outputs, as for ``capture``.
        **options: The view's own: see ``autograd_lab.draw.render_record``.

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
    chosen = draw.choose_format(path, format)
    if path is not None:
        files.check_writable(path)
    picture = _draw(record, chosen, view, model, names, options)
    return picture if path is None else files.write(path, picture)


def _draw(
    record: Any,
    chosen: str,
    view: str | None,
    model: torch.nn.Module | None,
    names: Names | None,
    options: dict[str, Any],
) -> str | bytes:
    own_view = {Graph: "graph", ScalarGraph: "scalar"}.get(type(record))
    view = view or own_view or "graph"
    if view not in VIEWS:
        raise RenderError(f"there is no view {view!r}; choose from {', '.join(VIEWS)}")
    if own_view is not None:
        if view != own_view:
            raise RenderError(
                f"view={view!r} needs live outputs, and this is a {type(record).__name__}; pass the loss"
            )
        return draw.render_record(record, chosen, **options)
    if view == "torchviz":
        return _torchviz(record, chosen, model, names, **options)
    read = capture if view == "graph" else capture_scalar
    return draw.render_record(read(record, model=model, names=names), chosen, **options)


def _torchviz(
    outputs: Outputs,
    chosen: str,
    model: torch.nn.Module | None,
    names: Names | None,
    *,
    saved: bool = False,
) -> str | bytes:
    """The picture that torchviz users know, made by torchviz itself."""
    import torchviz

    params = {**dict(model.named_parameters() if model is not None else ()), **(names or {})}
    try:
        source = torchviz.make_dot(tuple(tensors(outputs)), params=params, show_saved=saved).source
    except RecursionError as error:
        raise RenderError("torchviz can't draw a graph this deep; use view='graph'") from error
    except (RuntimeError, AttributeError, AssertionError) as error:
        raise RenderError(f"torchviz can't draw this graph ({error}); use view='graph'") from error
    return draw.render_dot(source, chosen)
