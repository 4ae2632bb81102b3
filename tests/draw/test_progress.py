"""The progress bar is for people alone."""

import io
import sys

import pytest

from autograd_lab.draw.progress import progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(stream: io.StringIO, monkeypatch: pytest.MonkeyPatch, *, wanted: bool) -> str:
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    with progress(2, shown=wanted) as step:
        step("laying out")
        step("drawing 2,000 boxes")
    return stream.getvalue()


def test_a_terminal_sees_each_step_and_nothing_is_left_behind(monkeypatch):
    text = shown(Terminal(), monkeypatch, wanted=True)
    assert text.index("laying out") < text.index("drawing 2,000 boxes")
    assert text.endswith("\r\x1b[1A\x1b[2K")  # one line up, and that line cleared


def test_nothing_is_written_where_nobody_looks_or_the_work_is_short(monkeypatch):
    assert shown(io.StringIO(), monkeypatch, wanted=True) == ""
    assert shown(Terminal(), monkeypatch, wanted=False) == ""


def test_an_error_goes_through(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    with pytest.raises(KeyError), progress(1, shown=True):
        raise KeyError
