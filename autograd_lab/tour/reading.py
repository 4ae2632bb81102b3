"""Where the chapters are, and what is in them: prose and code, cell by cell.

Relies on the standard library only. Promises that the chapters are found in an installed wheel, which carries them, and
in a checkout, where they stand in ``docs``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from autograd_lab.errors import OptionError

LANGUAGES = ("en", "zh")
"""English and 繁體中文."""

_HERE = Path(__file__).parent
_DOCS = _HERE.parent.parent / "docs"
_FOLDERS = {
    "en": (_HERE / "pages" / "en", _DOCS / "tour"),
    "zh": (_HERE / "pages" / "zh", _DOCS / "zh" / "tour"),
}


@dataclass(frozen=True, slots=True)
class Cell:
    """A piece of a chapter.

    Attributes:
        kind: ``"prose"`` (Markdown) or ``"code"``.
        text: What is in it, without the marks of the percent format.
        line: The line of the file on which the text begins, counted from 1.
    """

    kind: str
    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Chapter:
    """A chapter of the tour.

    Attributes:
        number: Counted from 0.
        title: As its first heading says.
        language: ``"en"`` or ``"zh"``.
        path: Its file.
        cells: What is in it, in order.
    """

    number: int
    title: str
    language: str
    path: Path
    cells: tuple[Cell, ...]


def chapters(language: str = "en") -> tuple[Chapter, ...]:
    """Reads every chapter.

    Args:
        language: ``"en"``, or ``"zh"`` for the Chinese chapters, with the English in place of those that there aren't.

    Returns:
        The chapters in order.

    Raises:
        OptionError: There's no such language, or the chapters aren't where they should be.

    Example:
        >>> chapters()[0].number
        0
    """
    if language not in LANGUAGES:
        raise OptionError(f"no tour in {language!r}: use one of {', '.join(LANGUAGES)}")
    found: dict[int, Chapter] = {}
    for each in dict.fromkeys(("en", language)):
        found |= {chapter.number: chapter for path in _paths(each) for chapter in [read(path, each)]}
    if not found:
        raise OptionError("the tour's chapters aren't here; install autograd-lab again")
    return tuple(found[number] for number in sorted(found))


def chapter(number: int, language: str = "en") -> Chapter:
    """Finds one chapter.

    Args:
        number: Counted from 0.
        language: As for `chapters`.

    Returns:
        The chapter.

    Raises:
        OptionError: There's no such chapter.

    Example:
        >>> chapter(99)
        Traceback (most recent call last):
        autograd_lab.errors.OptionError: there is no chapter 99; the tour's chapters are ...
    """
    known = {each.number: each for each in chapters(language)}
    if number not in known:
        numbers = ", ".join(map(str, known))
        raise OptionError(f"there is no chapter {number}; the tour's chapters are {numbers}")
    return known[number]


def read(path: Path, language: str = "en") -> Chapter:
    """Reads a chapter's file.

    Args:
        path: A file in jupytext's percent format, its name beginning with the chapter's number.
        language: What it's written in.

    Returns:
        The chapter.

    Raises:
        OptionError: It has no title, or text stands before its first cell.
    """
    cells = tuple(_cells(path.read_text("utf-8")))
    title = re.match(r"# \d+ · (.+)", cells[0].text) if cells else None
    if title is None:
        raise OptionError(f"{path.name} is no chapter: begin its first cell with a heading `# N · Title`")
    return Chapter(int(path.name.partition("_")[0]), title[1], language, path, cells)


def _paths(language: str) -> list[Path]:
    for folder in _FOLDERS[language]:
        if paths := sorted(folder.glob("[0-9][0-9]_*.py")):
            return paths
    return []


def _cells(text: str) -> Iterator[Cell]:
    """Splits at the lines that begin with ``# %%``; jupytext's heading, before the first, is passed over."""
    kind, begins, lines = None, 0, list[str]()
    for number, line in enumerate([*text.splitlines(), "# %%"], 1):
        if not line.startswith("# %%"):
            lines.append(line)
            continue
        if kind is not None and any(map(str.strip, lines)):
            yield _cell(kind, begins, lines)
        kind, begins, lines = "prose" if "[markdown]" in line else "code", number + 1, []


def _cell(kind: str, begins: int, lines: list[str]) -> Cell:
    if kind == "prose":
        lines = [line.removeprefix("#").removeprefix(" ") for line in lines]
    return Cell(kind, "\n".join(lines).strip("\n"), begins)
