"""What chapters show figures with: a picture where pictures can be shown, text where they can't.

Relies on ``pictures`` and ``draw``. Promises that a chapter run as a plain program leaves no file, unless the
environment variable ``AUTOGRAD_LAB_FIGURES`` names a folder for figures.
"""

from __future__ import annotations

import inspect
import os
import sys
from pathlib import Path
from typing import Any

from autograd_lab.draw import traces_table
from autograd_lab.draw.plots import frame
from autograd_lab.draw.tables.grid import terminal_width
from autograd_lab.records import Graph, ScalarGraph, Trace, are_traces, files

FOLDER = "AUTOGRAD_LAB_FIGURES"
"""The environment variable that names the folder for figures."""


def show(thing: Any, name: str | None = None, **options: Any) -> None:
    """Shows a figure: inline in a notebook, as text in a plain run.

    Args:
        thing: A record, live outputs, a list of traces (with ``view="norms"``), or a plot made by `plot`.
        name: What the figure is called: the end of its file's name.
        **options: What ``lab.render`` takes: ``view``, ``names``, ``model``, ``detail``, ``saved``, ``title`` ….

    Raises:
        RenderError: It can't be drawn like that.
        GraphError: The live outputs have no graph.

    Example:
        >>> import torch
        >>> w = torch.tensor(3.0, requires_grad=True)
        >>> show(w.neg(), names={"w": w})
        2 nodes, 1 leaf, 1 output: → 0
         id  node            grad_outputs  next  leaf
         ────────────────────────────────────────────
          0  NegBackward0    f32[]         → 1
          1  AccumulateGrad  f32[]               w
    """
    text = _text(thing, options)
    if folder := os.environ.get(FOLDER):
        stem = "-".join(filter(None, (_caller(), name)))
        for kind in ("svg", "png"):
            files.write(files.make_folder(folder) / f"{stem}.{kind}", _picture(thing, kind, options))
    notebook = _notebook()
    if notebook is None:
        print(text)
    else:
        bundle = {"image/svg+xml": _picture(thing, "svg", options), "text/plain": text}
        notebook(bundle, raw=True)


def plot(
    title: str = "",
    *,
    x: str = "",
    y: str = "",
    size: tuple[float, float] = (6.0, 3.6),
    projection: str | None = None,
) -> tuple[Any, Any]:
    """Makes an empty plot in the tour's colours and fonts.

    Args:
        title: Says what the plot shows; in a plain run `show` prints it in the plot's place.
        x: What stands along the horizontal axis.
        y: What stands along the vertical axis.
        size: Width and height in inches.
        projection: ``"3d"`` for a surface.

    Returns:
        matplotlib's ``Figure``, to be passed to `show`, and its ``Axes``, to be drawn on.

    Example:
        >>> figure, axes = plot("The loss over the weight", x="w", y="loss")
        >>> line = axes.plot([0, 1, 2], [16, 4, 0])
        >>> show(figure)
        [plot: The loss over the weight]
    """
    figure, axes = frame.new(*size, projection=projection)
    frame.dress(axes, title)
    axes.set_xlabel(x, fontsize=9)
    axes.set_ylabel(y, fontsize=9)
    return figure, axes


_OF_PICTURES = ("title", "direction", "detail")
"""Options that a table has no use for."""


def _text(thing: Any, options: dict[str, Any]) -> str:
    heeded = {name: value for name, value in options.items() if name not in _OF_PICTURES}
    if frame.is_plot(thing):
        return f"[plot: {_title(thing)}]"
    if are_traces(thing):
        return traces_table(thing).rstrip("\n")
    if isinstance(thing, Graph | ScalarGraph | Trace) and not heeded.keys() & {"depth", "repeats"}:
        return str(thing)
    if options.get("view") == "torchviz":
        return "[picture: the graph as torchviz draws it]"
    text = _render(thing, format="txt", width=terminal_width(), **heeded)
    assert isinstance(text, str)
    return text.rstrip("\n")


def _title(figure: Any) -> str:
    titles = [figure.get_suptitle(), *(axes.get_title(side) for axes in figure.axes for side in _SIDES)]
    return "; ".join(filter(None, titles)) or "untitled"


_SIDES = ("left", "center", "right")


def _picture(thing: Any, kind: str, options: dict[str, Any]) -> str | bytes:
    if frame.is_plot(thing):
        made = frame.write(thing, kind)
        return made.decode("utf-8") if kind == "svg" else made
    picture = _render(thing, format=kind, **options)
    assert isinstance(picture, str | bytes)
    return picture


def _render(thing: Any, **options: Any) -> Any:
    from autograd_lab.pictures import render  # torch is there by now: the chapter made ``thing`` with it

    return render(thing, **options)


def _notebook() -> Any:
    """IPython's ``display``, where a notebook or IPython runs this."""
    ipython = sys.modules.get("IPython")
    if ipython is None or ipython.get_ipython() is None:
        return None
    return ipython.display.display


def _caller() -> str:
    """The name of the chapter that called ``show``: of the file, without its ending."""
    frame = inspect.currentframe()
    while frame is not None and frame.f_globals.get("__name__") == __name__:
        frame = frame.f_back
    file = frame.f_globals.get("__file__") if frame is not None else None
    return Path(file).stem if file else "notebook"
