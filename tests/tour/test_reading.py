"""Finding chapters and reading them cell by cell."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from autograd_lab.errors import OptionError
from autograd_lab.tour import Cell, chapter, chapters, reading

ROOT = Path(__file__).parent.parent.parent

TEXT = """\
# ---
# jupyter: {}
# ---

# %% [markdown]
# # 3 · A title
#
# Prose,   $x$.

# %%
x = 1  # %% isn't a mark here


# %%
y = [
    x,
]
"""


@pytest.fixture
def folders(tmp_path, monkeypatch):
    found = {language: tmp_path / language for language in ("en", "zh")}
    for folder in found.values():
        folder.mkdir()
    monkeypatch.setattr(reading, "_FOLDERS", {key: (folder,) for key, folder in found.items()})
    return found


def test_cells_are_read_with_their_lines(tmp_path):
    path = tmp_path / "03_a_title.py"
    path.write_text(TEXT)
    found = reading.read(path)
    assert (found.number, found.title, found.language) == (3, "A title", "en")
    assert found.cells == (
        Cell("prose", "# 3 · A title\n\nProse,   $x$.", 6),
        Cell("code", "x = 1  # %% isn't a mark here", 11),
        Cell("code", "y = [\n    x,\n]", 15),
    )
    lines = TEXT.splitlines()
    assert [lines[cell.line - 1] for cell in found.cells[1:]] == [
        cell.text.splitlines()[0] for cell in found.cells[1:]
    ]


@pytest.mark.parametrize("text", ["", "x = 1\n", "# %%\nx = 1\n", "# %% [markdown]\n# # A title\n"])
def test_a_file_without_a_title_is_no_chapter(tmp_path, text):
    path = tmp_path / "01_x.py"
    path.write_text(text)
    with pytest.raises(OptionError, match=r"^01_x.py is no chapter: begin its first cell"):
        reading.read(path)


def test_chinese_chapters_take_the_place_of_the_english(folders):
    for number, title in ((0, "One"), (1, "Two")):
        (folders["en"] / f"0{number}_x.py").write_text(f"# %% [markdown]\n# # {number} · {title}\n")
    (folders["zh"] / "01_x.py").write_text("# %% [markdown]\n# # 1 · 二\n", "utf-8")
    (folders["zh"] / "notes.py").write_text("")
    assert [each.title for each in chapters()] == ["One", "Two"]
    assert [(each.title, each.language) for each in chapters("zh")] == [("One", "en"), ("二", "zh")]
    assert chapter(1, "zh").title == "二"


def test_wrong_numbers_and_languages_are_told_the_right_ones(folders):
    with pytest.raises(OptionError, match=r"^the tour's chapters aren't here"):
        chapters()
    (folders["en"] / "04_x.py").write_text("# %% [markdown]\n# # 4 · Four\n")
    with pytest.raises(OptionError, match=r"^there is no chapter 3; the tour's chapters are 4$"):
        chapter(3)
    with pytest.raises(OptionError, match=r"^no tour in 'de': use one of en, zh$"):
        chapters("de")


@pytest.mark.sweep
def test_an_installed_wheel_has_the_chapters(tmp_path):
    """Builds the wheel, unpacks it far from the checkout, and takes the tour there."""
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", str(tmp_path), str(ROOT)]
    ran = subprocess.run(build, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    (wheel,) = tmp_path.glob("*.whl")
    installed = tmp_path / "installed"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)
    environment = {**os.environ, "PYTHONPATH": str(installed)}

    def lab(*arguments):
        command = [sys.executable, "-m", "autograd_lab", *arguments]
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, encoding="utf-8", check=False
        )

    where = "import autograd_lab.tour as t; print(*(c.path for c in (*t.chapters(), *t.chapters('zh'))), sep='\\n')"
    found = subprocess.run(
        [sys.executable, "-c", where],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    paths = {Path(line) for line in found.stdout.splitlines()}
    assert all(path.is_relative_to(installed) for path in paths)
    assert {path.name for path in paths} == {path.name for path in (ROOT / "docs" / "tour").glob("*.py")}
    assert lab("tour").stdout.splitlines()[0].strip() == f"0  {chapter(0).title}"
    assert lab("tour", "--lang", "zh").stdout.splitlines()[0].strip() == f"0  {chapter(0, 'zh').title}"
    ran = lab("tour", "2")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "PowBackward0" in ran.stdout
