"""Every chapter of the tour: it runs by itself, has the shape of a chapter, and opens as a notebook."""

from __future__ import annotations

import ast
import os
import re
import resource
import subprocess
import sys
from pathlib import Path

import jupytext
import nbformat
import pytest

from autograd_lab.tour import reading

DOCS = Path(__file__).parent.parent.parent / "docs"
ENGLISH = sorted((DOCS / "tour").glob("*.py"))
CHINESE = sorted((DOCS / "zh" / "tour").glob("*.py"))
LONG = {"05_where_gradients_add", "09_is_it_right", "13_checkpointing", "15_a_real_model", "16_forward_mode"}
"""Chapters that take several seconds: run in the sweep, and whenever the site is built."""
MOST_LINES = 25
MOST_SECONDS = 20
HEADINGS = {
    "en": ["Question", "Prediction", "Run", "Figure", "What to notice", "Try changing"],
    "zh": ["問題", "預測", "執行", "圖", "重點回顧", "試著改改看"],
}

english_chapters = pytest.mark.parametrize("path", ENGLISH, ids=lambda path: path.stem)
chinese_chapters = pytest.mark.parametrize("path", CHINESE, ids=lambda path: path.stem)
all_chapters = pytest.mark.parametrize(
    "path", ENGLISH + CHINESE, ids=lambda path: str(path.relative_to(DOCS))
)


def code_cells(path):
    return [cell.text for cell in reading.read(path).cells if cell.kind == "code"]


def headings(path):
    """Those of the first two levels; what stands in fenced code isn't one."""
    prose = "\n".join(cell.text for cell in reading.read(path).cells if cell.kind == "prose")
    prose = re.sub(r"^```.*?^```", "", prose, flags=re.DOTALL | re.MULTILINE)
    return re.findall(r"^##? .+$", prose, re.MULTILINE)


@all_chapters
def test_colours_are_the_themes(path):
    assert re.findall(r"(?:color|colors|cmap)=(?!theme\.)\S+", path.read_text(encoding="utf-8")) == []


# --- running -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, id=path.stem, marks=pytest.mark.sweep if path.stem in LONG else ())
        for path in ENGLISH
    ],
)
def test_runs_by_itself_quickly_and_leaves_no_file(path, tmp_path):
    # The Chinese chapters have the same code, byte for byte, as is tested below.
    command = [sys.executable, "-X", "utf8", "-W", "error", *TORCHS_OWN, str(path)]
    environment = {name: value for name, value in os.environ.items() if name != "AUTOGRAD_LAB_FIGURES"}
    # Where a second thread has to wait for its core, the first one spins, and that counts as processor time.
    environment["OMP_NUM_THREADS"] = "1"
    before = _seconds()
    ran = subprocess.run(
        command,
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=300,
    )
    assert (ran.returncode, ran.stderr) == (0, ""), ran.stderr
    assert list(tmp_path.iterdir()) == []
    assert ran.stdout
    # Processor time, so that a busy machine is no failure; one core's, so that two would be quicker.
    assert _seconds() - before < MOST_SECONDS


TORCHS_OWN = ("-W", "ignore:`torch.jit.script` is deprecated")
"""What torch's own forward mode warns of."""


def _seconds() -> float:
    """Of processor time that this process's children have taken."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


# --- shape ---------------------------------------------------------------------------


def test_chapters_are_numbered_from_0_without_a_gap():
    assert [chapter.number for chapter in reading.chapters()] == list(range(len(ENGLISH)))
    assert len(ENGLISH) >= 6


@all_chapters
def test_headings_are_those_of_a_chapter_in_order(path):
    title, *others = headings(path)
    language = "zh" if path in CHINESE else "en"
    assert others == [f"## {heading}" for heading in HEADINGS[language]]
    chapter = reading.read(path)
    assert title == f"# {chapter.number} · {chapter.title}"
    assert path.name.startswith(f"{chapter.number:02}_")


@all_chapters
def test_a_chapter_begins_and_ends_with_prose(path):
    cells = reading.read(path).cells
    assert (cells[0].kind, cells[-1].kind) == ("prose", "prose")


@english_chapters
def test_code_cells_are_short_and_parse(path):
    cells = code_cells(path)
    assert cells
    for text in cells:
        ast.parse(text)
        assert len(text.splitlines()) <= MOST_LINES, text


@english_chapters
def test_a_chapter_asserts_what_it_says(path):
    trees = [ast.parse(text) for text in code_cells(path)]
    asserts = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Assert)]
    assert asserts
    for each in asserts:
        assert any(isinstance(node, ast.Name) for node in ast.walk(each.test)), ast.unparse(each)


@english_chapters
def test_a_chapter_shows_a_figure(path):
    (figures,) = re.findall(r"## Figure\n(.*?)## What to notice", path.read_text("utf-8"), re.DOTALL)
    assert re.search(r"^ *show\(", figures, re.MULTILINE)


@english_chapters
def test_figures_of_a_chapter_have_names_of_their_own(path):
    shown = [
        node
        for text in code_cells(path)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "show"
    ]
    names = [ast.unparse(call.args[1]) if len(call.args) > 1 else None for call in shown]
    assert len(set(names)) == len(names)


# --- notebooks -----------------------------------------------------------------------


@all_chapters
def test_jupytext_reads_the_same_cells_and_writes_them_back(path):
    notebook = jupytext.reads(path.read_text("utf-8"), fmt="py:percent")
    kinds = {"prose": "markdown", "code": "code"}
    ours = [(kinds[cell.kind], cell.text) for cell in reading.read(path).cells]
    assert _cells(notebook) == ours

    as_notebook = jupytext.writes(notebook, fmt="ipynb")
    again = nbformat.reads(as_notebook, as_version=4)
    nbformat.validate(again)
    assert _cells(again) == ours
    assert _cells(jupytext.reads(jupytext.writes(again, fmt="py:percent"), fmt="py:percent")) == ours


def _cells(notebook):
    return [(cell.cell_type, cell.source) for cell in notebook.cells]


# --- in Chinese ----------------------------------------------------------------------


def test_these_chapters_are_there_in_chinese():
    assert [path.name[:2] for path in CHINESE] == ["00", "01", "05", "07"]


@chinese_chapters
def test_chinese_chapters_have_the_same_code_byte_for_byte(path):
    assert code_cells(path) == code_cells(DOCS / "tour" / path.name)


@chinese_chapters
def test_chinese_chapters_follow_the_english_cell_by_cell(path):
    ours, theirs = reading.read(path), reading.read(DOCS / "tour" / path.name)
    assert [cell.kind for cell in ours.cells] == [cell.kind for cell in theirs.cells]
    for cell in ours.cells:
        if cell.kind == "prose":
            assert re.search("[\u4e00-\u9fff]", cell.text), cell.text
