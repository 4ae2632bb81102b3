"""``autograd-lab tour``: the guided tour in the terminal, a cell at a time, its output live."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import click

from autograd_lab.errors import OptionError

if TYPE_CHECKING:
    from rich.console import Console

    from autograd_lab.tour import Cell, Chapter


@click.command()
@click.argument("number", metavar="[N]", type=int, required=False)
@click.option(
    "--lang", "language", default="en", show_default=True, help="en, or zh for 繁體中文 where there is one."
)
@click.option("--no-pause", is_flag=True, help="Don't wait for Enter after each cell.")
@click.option(
    "--figures",
    "folder",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write the figures here too, as .svg and .png.",
)
def tour(number: int | None, language: str, no_pause: bool, folder: Path | None) -> None:
    """Take the guided tour: list its chapters, or run chapter N cell by cell."""
    from autograd_lab.tour import chapter, chapters

    if number is None:
        if folder is not None:
            raise OptionError(
                "--figures writes a chapter's figures: say which chapter, as in autograd-lab tour 3"
            )
        for each in chapters(language):
            click.echo(f"{each.number:>4}  {each.title}")
        click.echo("\nautograd-lab tour N runs chapter N.")
        return
    _run(chapter(number, language), folder, waits=not no_pause and sys.stdin.isatty() and sys.stdout.isatty())


def _run(chapter: Chapter, folder: Path | None, *, waits: bool) -> None:
    from rich.console import Console

    console = Console(highlight=False)
    with _as_main(chapter.path) as main, _figures_in(folder):
        for number, cell in enumerate(chapter.cells, 1):
            _show(cell, console)
            if cell.kind == "code":
                _execute(cell, chapter.path, main)
            where = f"{number}/{len(chapter.cells)}"
            if waits and number < len(chapter.cells) and not _goes_on(where, chapter.language):
                return
    if folder is not None:
        click.echo(f"\nThe figures are in {folder.resolve()}.")


def _show(cell: Cell, console: Console) -> None:
    from rich.markdown import Markdown
    from rich.padding import Padding
    from rich.syntax import Syntax

    from autograd_lab.tour.breaks import MARK, breakable
    from autograd_lab.tour.mathematics import plain

    console.print()
    if cell.kind == "prose":
        with console.capture() as written:
            console.print(Markdown(breakable(plain(cell.text))))
        console.file.write(written.get().replace(MARK, ""))
    else:
        code = Syntax(cell.text, "python", theme="ansi_dark", background_color="default", word_wrap=True)
        console.print(Padding(code, (0, 0, 1, 4)))
    console.file.flush()


def _execute(cell: Cell, path: Path, main: ModuleType) -> None:
    """Runs a cell as the lines of its file that it is, so that errors and the lab name the right line."""
    code = compile("\n" * (cell.line - 1) + cell.text, str(path), "exec", dont_inherit=True)
    exec(code, main.__dict__)
    sys.stdout.flush()


_PROMPTS = {"en": "Enter goes on, q leaves", "zh": "按 Enter 繼續，q 離開"}


def _goes_on(where: str, language: str) -> bool:
    """Waits for Enter; ``q`` leaves."""
    click.echo()
    answer: str = click.prompt(
        click.style(f"{where}: {_PROMPTS[language]}", dim=True),
        default="",
        show_default=False,
        prompt_suffix=" ",
    )
    return not answer.strip().casefold().startswith("q")


@contextlib.contextmanager
def _as_main(path: Path) -> Iterator[ModuleType]:
    """The chapter is ``__main__`` while it runs, as under ``python``."""
    before, main = sys.modules["__main__"], ModuleType("__main__")
    main.__dict__.update(__file__=str(path), __builtins__=__builtins__)
    sys.modules["__main__"] = main
    try:
        yield main
    finally:
        sys.modules["__main__"] = before


@contextlib.contextmanager
def _figures_in(folder: Path | None) -> Iterator[None]:
    from autograd_lab.tour.figures import FOLDER

    before = os.environ.get(FOLDER)
    if folder is not None:
        os.environ[FOLDER] = str(folder)
    try:
        yield
    finally:
        if folder is not None:
            os.environ.pop(FOLDER)
            if before is not None:
                os.environ[FOLDER] = before
