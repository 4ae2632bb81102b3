"""The pages as they are written: cells that can be read, in step between languages, and every public name on them."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest

import autograd_lab as lab

DOCS = Path(__file__).parent.parent.parent / "docs"
PAGES = sorted(path for path in DOCS.rglob("*.md") if "_build" not in path.parts)
EXECUTED = [path for path in PAGES if "```{code-cell}" in path.read_text("utf-8")]
MOST_LINES = 25
MOST_COLUMNS = 100
"""What a page of the site shows without scrolling."""


def cells(path):
    """The code of each cell, without its options."""
    found = re.findall(
        r"^```\{code-cell\} python\n(.*?)^```", path.read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    return [re.sub(r"\A(:\w+: .*\n)+\n", "", cell) for cell in found]


def test_what_the_cells_need_comes_with_the_docs_extra():
    project = tomllib.loads((DOCS.parent / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["docs"]]
    installed = {re.match(r"[\w-]+", each)[0] for each in wanted} | {"autograd_lab"}
    code = [cell for path in EXECUTED for cell in cells(path)]
    code += [path.read_text("utf-8") for path in DOCS.rglob("tour/*.py") if "_build" not in path.parts]
    needed = {
        name
        for text in code
        for name in re.findall(r"^(?:import|from|!python -m) +(\w+)", text, re.MULTILINE)
    } - sys.stdlib_module_names
    assert {"torch", "pytest", "IPython"} <= needed
    assert {PACKAGES.get(name, name) for name in needed} <= installed


PACKAGES = {"IPython": "myst-nb"}
"""Which package brings a module of another name."""


def prose(path):
    return re.sub(r"^```.*?^```\n", "", path.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)


def name_of(path):
    return str(path.relative_to(DOCS))


@pytest.mark.parametrize("path", EXECUTED, ids=name_of)
def test_cells_are_short_and_parse(path):
    assert cells(path)
    assert len(cells(path)) == path.read_text("utf-8").count("{code-cell}")
    for cell in cells(path):
        lines = cell.splitlines()
        assert len(lines) <= MOST_LINES, cell
        assert all(len(line) <= MOST_COLUMNS for line in lines), cell
        ast.parse("\n".join(line for line in lines if not line.startswith(("!", "%%"))))


def test_the_two_landing_pages_have_the_same_cells():
    english, chinese = DOCS / "index.md", DOCS / "zh" / "index.md"
    assert cells(english)
    # but for the language in which the page opens
    assert [cell.replace(', language="zh"', "") for cell in cells(chinese)] == cells(english)
    heads = [re.findall(r"^(#+) ", prose(page), re.MULTILINE) for page in (english, chinese)]
    assert heads[0] == heads[1]


def test_chinese_pages_are_in_chinese():
    for path in (DOCS / "zh").rglob("*.md"):
        paragraphs = [part for part in prose(path).split("\n\n") if part.strip()]
        plain = [
            part
            for part in paragraphs
            if not part.startswith("---") and not re.search("[\u4e00-\u9fff]", part)
        ]
        assert plain in ([], ["# autograd_lab"]), plain


def test_every_public_name_is_in_the_reference():
    face = ast.parse(Path(lab.__file__).read_text("utf-8"))
    public = {
        alias.asname
        for node in ast.walk(face)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.asname and not alias.asname.startswith("_")
    }
    pages = "\n".join(path.read_text("utf-8") for path in (DOCS / "reference").glob("*.md"))
    documented = set(re.findall(DIRECTIVE, pages, re.MULTILINE))
    assert "capture" in public
    assert public - documented == {"functions"}  # which has a page of its own
    assert documented - public == set()


DIRECTIVE = r"^\.\. auto(?:class|function|exception):: (?:autograd_lab\.)?(\w+)(?:\(\))?$"
"""What documents a name that is public in ``autograd_lab`` itself."""
