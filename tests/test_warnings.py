"""Warnings under a watch: the same lines, as often, in the same order, as without it."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
import warnings

import pytest
import torch
import warns

import autograd_lab as lab
from autograd_lab.chosen import Chosen
from autograd_lab.cli import main

ACTIONS = ["default", "always", "module"]


@pytest.fixture(autouse=True)
def _as_it_was(monkeypatch):
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    monkeypatch.setattr(sys, "path", [*sys.path])
    with warnings.catch_warnings():
        yield
    torch.set_warn_always(False)


@pytest.fixture(scope="module")
def natively():
    """What the script prints under ``python``."""
    ran = subprocess.run(
        [sys.executable, warns.__file__, *ACTIONS],
        env={**os.environ, "PYTHONPATH": "", "PYTHONWARNINGS": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "in a script, level 13" in ran.stdout
    return ran.stdout.splitlines()


@pytest.mark.parametrize("chosen", ["-1", "-2:", "1", "::2"])
def test_under_run_each_warning_names_the_line_that_it_names_under_python(natively, chosen, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["autograd-lab", "run", "--backward", chosen, warns.__file__, *ACTIONS])
    out = io.StringIO()
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(io.StringIO()),
        pytest.raises(SystemExit) as left,
    ):
        main()
    assert left.value.code == 0
    assert out.getvalue().splitlines() == natively


def warned(action):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        warns.main(action)
    return out.getvalue().splitlines()


@pytest.mark.parametrize("action", ACTIONS)
def test_under_watch_each_warning_names_the_line_that_it_names_without(action):
    found = []
    for choice in (None, slice(-1, None), slice(0, None, 2)):
        with contextlib.ExitStack() as stack:
            if choice is not None:
                stack.enter_context(lab.watch(limit=1))
                watcher = stack.enter_context(lab.watch(forward="stats", kernels=True))
                watcher.which = Chosen((choice,))
            found.append(warned(action))
    assert watcher.traces
    assert found == [found[0]] * 3


def test_no_filter_is_changed_so_that_what_was_shown_once_is_not_shown_again():
    registry = {}

    def shown():
        with_registry = {"category": UserWarning, "filename": "mine.py", "lineno": 1, "registry": registry}
        warnings.warn_explicit("once", **with_registry)
        return registry["version"]

    warnings.simplefilter("ignore")
    before = shown()
    with lab.watch(torch.nn.Linear(2, 1), kernels=True) as watcher:
        for _ in range(2):
            torch.relu(torch.nn.Linear(2, 1)(torch.ones(1, 2))).sum().backward()
        watcher.capture(torch.ones(2, requires_grad=True).exp())
    assert shown() == before


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [
        ((), {}),
        (("text", 1), {}),
        (("text", int), {}),
        (("text", None, "level"), {}),
        (("text", None, 1, None, 1), {}),
        (("text",), {"message": "text"}),
        (("text",), {"level": 1}),
    ],
)
def test_what_warn_refuses_it_refuses_in_the_same_words(args, kwargs):
    with pytest.raises(TypeError) as native:
        warnings.warn(*args, **kwargs)
    with lab.watch(), pytest.raises(TypeError) as ours:
        warnings.warn(*args, **kwargs)
    assert str(ours.value) == str(native.value)


def test_who_replaces_warn_inside_keeps_theirs_and_it_works():
    with lab.watch():
        inner = warnings.warn
        warnings.warn = lambda *args, **kwargs: inner(*args, **kwargs)
        theirs = warnings.warn
    try:
        assert warnings.warn is theirs
        with lab.watch(), pytest.warns(UserWarning, match="still"):
            warnings.warn("still", stacklevel=2)
        assert warnings.warn is theirs
    finally:
        warnings.warn = inner.__wrapped__
