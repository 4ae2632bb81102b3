"""The page in a browser, of which the tests see only what it was asked for, and below a notebook's cell."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
import types
import webbrowser
from pathlib import Path
from urllib.parse import unquote, urlparse

import interrupts
import pytest
import torch

import autograd_lab as lab
from autograd_lab.errors import GraphError, RenderError

show_module = sys.modules[lab.show.__module__]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture
def opened(monkeypatch):
    """What the browser was asked to open."""
    found: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda address: found.append(address) or True)
    return found


def loss() -> torch.Tensor:
    return (torch.ones(2, requires_grad=True) * 3).sum()


def test_the_browser_is_asked_to_open_a_file_that_nobody_else_may_read(opened, folder):
    path = lab.show(loss(), title="a title")
    (address,) = opened
    assert Path(unquote(urlparse(address).path)) == path
    assert "<title>a title</title>" in path.read_text("utf-8")
    assert path.parent.parent == folder
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_old_pages_are_taken_away_and_nothing_else(opened, folder):
    old, new = lab.show(loss()).parent, lab.show(loss()).parent
    other = folder / "autograd_lab"
    other.mkdir()
    link = folder / "autograd_lab_show_link"
    link.symlink_to(other)
    long_ago = time.time() - 25 * 60 * 60
    for each in (old, other):
        os.utime(each, (long_ago, long_ago))
    os.utime(link, (long_ago, long_ago), follow_symlinks=False)
    lab.show(loss())
    assert not old.exists()
    assert new.exists()
    assert other.exists()
    assert link.is_symlink()


def test_where_there_is_no_browser_nothing_is_left(monkeypatch, folder):
    monkeypatch.setattr(webbrowser, "open", lambda address: False)
    with pytest.raises(
        RenderError,
        match=r"no browser could be opened here: write the page with lab\.render\(…, 'page\.html'\), or --out",
    ):
        lab.show(loss())
    assert not list(folder.iterdir())


def test_an_interrupt_leaves_no_page_that_nobody_saw(opened, folder):
    page = lab.render(loss(), format="html")
    for _ in interrupts.each_moment(lambda: show_module._opened(page), within=show_module.__file__):
        seen = {Path(urlparse(address).path).parent for address in opened}
        assert set(folder.iterdir()) <= seen
        for each in folder.iterdir():  # the next call looks at each
            shutil.rmtree(each)
    assert list(folder.iterdir())


def test_a_notebook_shows_it_below_the_cell(monkeypatch, opened):
    shown: list[object] = []
    display = types.SimpleNamespace(display=shown.append)
    shell = types.SimpleNamespace(kernel=object())
    monkeypatch.setitem(
        sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell, display=display)
    )
    assert lab.show(loss()) is None
    assert opened == []
    assert shown[0]._repr_html_().startswith("<iframe srcdoc=")
    shell.kernel = None  # IPython in a terminal
    assert lab.show(loss()) is not None
    assert len(opened) == 1


def test_what_has_no_page_is_refused_before_anything_is_written(opened, folder):
    with pytest.raises(GraphError):
        lab.show(torch.ones(2))
    with pytest.raises(RenderError, match="no language 'fr'"):
        lab.show(loss(), language="fr")
    with pytest.raises(RenderError, match="torchviz makes no html"):
        lab.show(loss(), view="torchviz")
    assert not opened
    assert not list(folder.iterdir())
