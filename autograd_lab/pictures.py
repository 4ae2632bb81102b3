"""``render``: a picture of a record, or of live outputs.

Records are drawn by ``draw``, which knows nothing of torch. Live outputs are captured first, and what only a live
graph can give (``view="scalar"``, ``view="torchviz"``) is made here.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, cast

import torch

from autograd_lab import draw
from autograd_lab.capture import capture
from autograd_lab.capture.models import Models
from autograd_lab.capture.names import Names
from autograd_lab.capture.outputs import Outputs, roots, tensors
from autograd_lab.draw.notebook import shown
from autograd_lab.errors import Option, RenderError, article, nearest
from autograd_lab.records import Record, Trace, Traces, are_traces, files

_USUAL = Option("view", "graph")


def render(
    record: Record | Sequence[Trace] | Outputs,
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
            ``"norms"`` and the formats ``"html"``, ``"txt"``, ``"json"``, ``"perfetto"``, ``"model-explorer"`` and
            ``"node-data"`` also a list of traces.
        path: Where to write the picture; it is there whole or not at all.
        format: ``"dot"``, ``"svg"``, ``"png"``, ``"pdf"``, ``"html"`` (a page to look around in), ``"txt"``, ``"md"``
            (a Mermaid diagram), ``"json"`` or, of traces, ``"perfetto"`` (a time line for ui.perfetto.dev); also
            ``"model-explorer"`` (a path ends in ``.me.json``: a graph for Google's Model Explorer) and
            ``"node-data"`` (``.nd.json``: what it colours that graph by, chosen by ``heat``).
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
        The path if there is one; otherwise the picture, as ``str`` for text formats and ``bytes`` for others. In a
        notebook it shows itself.

    Raises:
        RenderError: No such format or view, or the view can't draw this.
        GraphError: The outputs have no graph.
        UnwritableError: The path can't be written.

    Example:
        >>> w = torch.tensor(2.0, requires_grad=True)
        >>> print(render(w * w, format="md", names={"w": w}, title="").splitlines()[0])
        ```mermaid
    """
    chosen = format or ("txt" if path is None else draw.format_of(path))
    if path is not None:
        files.check_writable(path)
    picture = _draw(record, chosen, view, {"model": model, "names": names}, options)
    return shown(picture, chosen) if path is None else files.write(path, picture)


def _draw(
    record: Any, chosen: str, view: str | None, reading: dict[str, Any], options: dict[str, Any]
) -> str | bytes:
    if isinstance(record, Traces) and not record:
        raise RenderError("the list is empty: no backward was traced; run one in `with lab.watch() as w:`")
    if isinstance(record, list | tuple) and not record:
        raise RenderError(
            f"the {type(record).__name__} is empty: give a loss, a graph, a trace or a list of traces"
        )
    live = not isinstance(record, Record) and not are_traces(record)
    if chosen == "html" and not live:
        options = {"histograms": _histograms(record), **options}
    if not live:
        if view == "torchviz":
            raise RenderError(
                Option("view", "torchviz"),
                f" needs live outputs, not {article(type(record).__name__)}; pass the loss",
            )
        return draw.draw(record, chosen, view=view, **options)
    name = view or "graph"
    if name not in LIVE:
        if name in draw.VIEWS:
            raise RenderError(
                f"view {name!r} is of a Trace: trace the outputs first, with lab.trace or lab.watch"
            )
        raise RenderError(f"no view {name!r}: {nearest(name, LIVE)}")
    return LIVE[name](record, chosen, reading, options)


def _histograms(record: Any) -> list[dict[str, Any]]:
    """Counts the elements of gradients that were kept, for the page."""
    traces = [record] if isinstance(record, Trace) else record if are_traces(record) else []
    if not any(trace.kept for trace in traces):
        return []
    from autograd_lab.backward.histograms import histograms

    return [histograms(trace) for trace in traces]


def _graph(outputs: Outputs, chosen: str, reading: dict[str, Any], options: dict[str, Any]) -> str | bytes:
    return draw.draw(capture(outputs, **reading), chosen, view="graph", **options)


def _scalar(outputs: Outputs, chosen: str, reading: dict[str, Any], options: dict[str, Any]) -> str | bytes:
    from autograd_lab.backward.scalar import capture_scalar  # with the engine: only for this view

    return draw.draw(capture_scalar(outputs, **reading), chosen, view="scalar", **options)


def _torchviz(outputs: Outputs, chosen: str, reading: dict[str, Any], options: dict[str, Any]) -> str | bytes:
    """The picture that torchviz users know, made by torchviz itself."""
    if wrong := [name for name in options if name != "saved"]:
        raise RenderError(f"view 'torchviz' has no option {wrong[0]!r}; its one option is saved")
    if chosen not in ("dot", "svg", "png", "pdf"):
        raise RenderError(f"torchviz makes no {chosen}; use dot, svg, png or pdf, or ", _USUAL)
    source = _made_by_torchviz(outputs, **reading, **options)
    if chosen == "dot":
        return source
    from autograd_lab.draw.native import graphviz

    made = graphviz.run(source, cast(Literal["svg", "png", "pdf"], chosen))
    return made.decode("utf-8") if chosen == "svg" else made


LIVE: dict[str, Callable[[Outputs, str, dict[str, Any], dict[str, Any]], str | bytes]] = {
    "graph": _graph,
    "scalar": _scalar,
    "torchviz": _torchviz,
}
"""View's name → what draws live outputs in it."""


def _made_by_torchviz(
    outputs: Outputs,
    *,
    model: torch.nn.Module | None,
    names: Names | None,
    saved: bool = False,
) -> str:
    params = {**dict(Models.of(model).named()), **(names or {})}
    live = tuple(tensor for tensor in tensors(outputs) if tensor.requires_grad)
    roots(outputs)  # says it in one line if there is no graph
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "distutils Version classes", DeprecationWarning)
            import torchviz  # slow, and it imports distutils: only for whoever asks for its view

            return str(torchviz.make_dot(live, params=params, show_saved=saved).source)
    except RecursionError as error:
        raise RenderError("torchviz can't draw a graph this deep; use ", _USUAL) from error
    except (RuntimeError, AttributeError, AssertionError) as error:
        raise RenderError(f"torchviz can't draw this graph ({error}); use ", _USUAL) from error
