"""The code around a line: what is there to read, bounded, and nothing else."""

from __future__ import annotations

import linecache
import os
from pathlib import Path

import pytest

from autograd_lab.draw.page import excerpts as page
from autograd_lab.draw.page.excerpts import Excerpt, excerpts


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "train.py"
    path.write_text("".join(f"line {at}\n" for at in range(1, 41)), "utf-8")
    return str(path)


def test_three_lines_around_each_and_one_excerpt_for_those_that_touch(file):
    found = excerpts([(file, 20), (file, 2), (file, 27), (file, 40)])
    assert [(each.first, each.first + len(each.lines) - 1) for each in found] == [(1, 5), (17, 30), (37, 40)]
    assert found[0].lines[1] == "line 2"


CELL = "<ipython-input-3-ab>"


def test_the_cells_of_a_notebook(monkeypatch):
    monkeypatch.setitem(linecache.cache, CELL, (9, None, ["x = 1\n", "y = 2\n"], CELL))
    assert excerpts([(CELL, 2)]) == [Excerpt(CELL, 1, ("x = 1", "y = 2"))]


def test_a_record_names_a_file_that_is_no_source(tmp_path, file):
    secret = tmp_path / "secret.key"
    secret.write_text("secret\n", "utf-8")
    binary = tmp_path / "binary.py"
    binary.write_bytes(b"\xff\xfe\x00\x81\n" * 4)
    folder = tmp_path / "folder.py"
    folder.mkdir()
    pipe = tmp_path / "pipe.py"
    os.mkfifo(pipe)
    named = [str(path) for path in (secret, binary, folder, pipe)]
    named += ["", "a\0.py", "\ud800.py", "<string>", "/dev/zero", "/no/such.py", "x" * 5_000 + ".py"]
    assert excerpts([(name, 1) for name in named]) == []
    assert excerpts([(file, line) for line in (0, -3, 41, 10**12)]) == []


def test_a_file_that_changed_is_read_again(file):
    assert excerpts([(file, 1)])[0].lines[0] == "line 1"
    Path(file).write_text("another line\n", "utf-8")
    assert excerpts([(file, 1)]) == [Excerpt(file, 1, ("another line",))]
    Path(file).unlink()
    assert excerpts([(file, 1)]) == []


def test_no_more_than_is_allowed(file, monkeypatch):
    monkeypatch.setattr(page, "MOST_LINES", 12)
    monkeypatch.setattr(page, "LONGEST_LINE", 5)
    found = excerpts([(file, 5), (file, 20)])
    assert [each.first for each in found] == [2]
    assert found[0].lines[0] == "line "
    monkeypatch.setattr(page, "LARGEST_FILE", 10)
    linecache.clearcache()
    assert excerpts([(file, 5)]) == []
