"""The table of libraries: made of the results that are kept, whole, and with a reason where a cell isn't clean."""

from __future__ import annotations

import json
import re

import pytest
import scripts

CLEAN = {"same bits", "same order, same bits", "drawn"}


@pytest.fixture(scope="module")
def tool():
    return scripts.load("works_with")


@pytest.fixture(scope="module")
def results(tool):
    return json.loads(tool.RESULTS.read_text("utf-8"))


def test_page_is_what_the_results_make(tool, results):
    assert tool.page(results) == tool.PAGE.read_text("utf-8")


def test_each_program_was_run(tool, results):
    assert results.keys() == {path.stem for path in tool.PROGRAMS.glob("*.py")}
    assert len({tool.described(name)["package"] for name in results}) >= 25
    assert [name for name, found in results.items() if "failed" in found] == []


def test_what_is_not_clean_has_a_reason(tool, results):
    for name, found in results.items():
        cells = {found[what] for what in ("watch", "trace", "engine", "picture")}
        if cells - CLEAN or not found["swap"].endswith(" calls"):
            assert tool.described(name).get("note"), name


def test_nothing_is_wrong(results):
    for name, found in results.items():
        cells = [found[what] for what in ("watch", "trace", "engine", "swap", "picture")]
        assert not re.search("[A-Z]{3}", " ".join(cells)), name  # what the probe calls wrong is in capitals


def test_a_cell_that_is_not_clean_and_its_note_are_on_the_page(tool):
    found = {
        "watch": "same bits",
        "trace": "OTHER BITS",
        "picture": "raises `OSError`",
        "engine": "runs only once",
        "swap": "1 calls",
    }
    found |= {"version": "1.0", "functions": ["ABackward"], "rare": [], "inside": 1}
    page = tool.page({"opacus": found, "ddp": {"version": "2.0+cpu", "failed": "ImportError: x"}})
    assert "| opacus 1.0 † |" in page
    assert "`ABackward`; 1 more backward inside" in page
    assert "| `watch`: same bits; `trace`: OTHER BITS; picture: raises `OSError` |" in page
    assert "- **opacus 1.0**: Its hooks" in page
    assert "ImportError: x" in page
