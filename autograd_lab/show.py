"""``show``: the page, in a browser or in a notebook.

Relies on ``pictures``, and on the browser or the notebook that is there. Promises that a page in a browser is a file in
a folder of its own which nobody else may read, and that none is kept for long: see Note [Pages that were shown].

Note [Pages that were shown]
A browser reads the file after it was asked to, maybe when the program is over, and once more at each reload. So the
file can't be taken away when the program ends. It lies in the folder for temporary files, and whatever was shown more
than a day ago is taken away when the next page is.
"""

from __future__ import annotations

import os
import secrets
import shutil
import stat
import sys
import tempfile
import time
import webbrowser
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from autograd_lab.capture.names import Names
from autograd_lab.capture.outputs import Outputs
from autograd_lab.errors import RenderError
from autograd_lab.hold import Hold
from autograd_lab.pictures import render
from autograd_lab.records import Record, Trace, files

_PREFIX = "autograd_lab_show_"
_KEPT = 24 * 60 * 60
"""Seconds for which a page can be reloaded."""


def show(
    record: Record | Sequence[Trace] | Outputs,
    *,
    view: str | None = None,
    model: torch.nn.Module | None = None,
    names: Names | None = None,
    title: str | None = None,
    language: str | None = None,
) -> Path | None:
    """Shows a graph, or what a backward did, as a page to look around in.

    In a notebook the page is shown below the cell. Elsewhere it's written into the folder for temporary files and
    opened in the browser; pages older than a day are taken away from there. ``render(record, "backward.html")`` writes
    the same page where you want it.

    Args:
        record: As for ``render``: a ``Graph``, a ``Trace``, a list of traces, a ``ScalarGraph``, or live outputs.
        view: As for ``render``: ``"scalar"`` plays the chain rule of live outputs of one element.
        model: For live outputs, as for ``capture``.
        names: For live outputs, as for ``capture``.
        title: The page's title.
        language: The language in which it opens, ``"en"`` or ``"zh"``.

    Returns:
        The file that the browser was asked to open; ``None`` in a notebook.

    Raises:
        RenderError: As for ``render``; or there's no browser here.
        GraphError: The outputs have no graph.
    """
    asked = {"title": title, "language": language}
    options = {name: value for name, value in asked.items() if value is not None}
    page = render(record, format="html", view=view, model=model, names=names, **options)
    if (display := _of_a_notebook()) is not None:
        display(page)
        return None
    assert isinstance(page, str)  # as every text format
    return _opened(page)


def _of_a_notebook() -> Callable[[object], Any] | None:
    """Returns what shows something below a cell, if this is one."""
    ipython: Any = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    if shell is None or getattr(shell, "kernel", None) is None:
        return None
    display: Callable[[object], Any] = ipython.display.display
    return display


def _opened(page: str) -> Path:
    """See Note [Pages that were shown]."""
    _take_away_old(Path(tempfile.gettempdir()))
    folder = Path(tempfile.gettempdir()) / f"{_PREFIX}{secrets.token_hex(8)}"
    seen = False

    def take_away_unseen() -> None:
        if not seen:
            shutil.rmtree(folder, ignore_errors=True)

    with Hold() as held:
        held.add(take_away_unseen)
        folder.mkdir(mode=0o700)
        path = files.write(folder / "backward.html", page)
        seen = webbrowser.open(path.as_uri())
    if not seen:
        raise RenderError(
            "no browser could be opened here: write the page with lab.render(…, 'page.html'), or --out page.html in "
            "a terminal, and open that file where there is one"
        )
    return path


def _take_away_old(folder: Path) -> None:
    """Takes away pages of this user that were shown more than a day ago."""
    now = time.time()
    for each in folder.glob(f"{_PREFIX}*"):
        try:
            found = os.lstat(each)
        except OSError:  # somebody else's, or gone
            continue
        own = not hasattr(os, "getuid") or found.st_uid == os.getuid()
        if stat.S_ISDIR(found.st_mode) and own and now - found.st_mtime > _KEPT:
            shutil.rmtree(each, ignore_errors=True)
