"""The terminal session of the docs is what the commands print."""

from __future__ import annotations

import pytest
import scripts
from rich.cells import cell_len


@pytest.fixture(scope="module")
def tool():
    return scripts.load("terminal_session")


def test_the_session_is_what_the_commands_print(tool):
    """After a wanted change: ``python tools/terminal_session.py``."""
    assert tool.timeless(tool.SESSION.read_text("utf-8")) == tool.timeless(tool.session())


def test_it_fits_eighty_columns(tool):
    lines = tool.SESSION.read_text("utf-8").splitlines()
    assert len(lines) > 100
    assert max(map(cell_len, lines)) <= tool.COLUMNS


def test_only_times_differ_from_run_to_run(tool):
    text = "15 steps in 6.758 ms; backward 0\n module  nodes     ms  out\n ─────\n 2  4  0.215   0.5175"
    other = "15 steps in 17.7 ms; backward 0\n module  nodes      ms  out\n ──────\n 2  4  11.215   0.5175"
    assert tool.timeless(text) == tool.timeless(other)
    assert tool.timeless(text) != tool.timeless(other.replace("0.5175", "0.5176"))
    assert tool.timeless(text) != tool.timeless(other.replace("15 steps", "16 steps"))
