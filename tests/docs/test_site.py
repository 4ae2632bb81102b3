"""The built site: it builds without a warning, its links lead somewhere, nothing is fetched, chapters are notebooks."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from formulas import misread
from links import problems

from autograd_lab.functions import rules

ROOT = Path(__file__).parent.parent.parent
SITE = ROOT / "docs" / "_build" / "html"

pytestmark = [pytest.mark.sweep, pytest.mark.xdist_group("site")]


@pytest.fixture(scope="module")
def site():
    """The site, built anew where anything has changed since it was built last."""
    command = [sys.executable, "-m", "sphinx", "-j", "2", "-W", "--keep-going", "docs", str(SITE)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout[-5000:] + built.stderr[-5000:]
    return SITE


def test_links_lead_somewhere_and_nothing_is_fetched(site):
    assert len(list(site.rglob("*.html"))) > 50
    assert problems(site) == []


def test_each_chapter_can_be_downloaded_as_the_notebook_that_was_run(site):
    chapters = [*ROOT.glob("docs/tour/*.py"), *ROOT.glob("docs/zh/tour/*.py")]
    assert len(chapters) > 20
    for page in (site / chapter.relative_to(ROOT / "docs").with_suffix(".html") for chapter in chapters):
        (address,) = set(re.findall(r'href="([^"]+\.ipynb)"', page.read_text("utf-8")))
        notebook = nbformat.read((page.parent / address).resolve(), as_version=4)
        nbformat.validate(notebook)
        code = [cell for cell in notebook.cells if cell.cell_type == "code"]
        assert all(cell.execution_count for cell in code), page
        assert any("image/svg+xml" in output.get("data", {}) for cell in code for output in cell.outputs), (
            page
        )


def test_pages_show_no_error_and_no_path_of_the_machine_that_built_them(site):
    for page in site.rglob("*.html"):
        text = page.read_text("utf-8")
        if "_modules" not in page.parts:  # the package's own source, whose docstrings show what is raised
            assert "Traceback (most recent call last)" not in text, page
        assert str(ROOT) not in text, page
        assert sys.prefix not in text, page


def test_mathematics_is_mathml(site):
    page = (site / "reference" / "functions.html").read_text("utf-8")
    assert page.count("<math ") > 5
    assert r"\bar" not in page


def test_mathematics_says_what_was_written(site):
    assert misread(site) == []
    halves = r"<mfrac[^>]*>\s*<mn>1</mn>\s*<mn>2</mn>\s*</mfrac>"
    page = (site / "reference" / "functions.html").read_text("utf-8")
    assert (
        len(re.findall(halves, page)) >= 5
    )  # GELU's Φ and φ, and the reciprocal root's gradient and tangent


def test_no_line_ends_between_a_formula_and_its_punctuation(site):
    for page in site.rglob("*.html"):
        assert not re.search(r"</math>[,.;:!?)、。，；：！？）」]", _outside_unbroken(page)), page


def _outside_unbroken(page: Path) -> str:
    text = page.read_text("utf-8")
    return re.sub(r'<span class="unbroken">.*?</math>[^<]*</span>', "", text, flags=re.DOTALL)


def test_chinese_pages_say_so(site):
    assert 'lang="zh-Hant-TW"' in (site / "zh" / "index.html").read_text("utf-8")
    assert 'lang="en"' in (site / "index.html").read_text("utf-8")


def test_chapters_of_two_languages_lead_to_each_other(site):
    for path in (site / "zh" / "tour").glob("[0-9]*.html"):
        ours = re.search(r'<p class="chapter-links">.*?</p>', path.read_text("utf-8"), re.DOTALL)[0]
        twin = site / "tour" / path.name
        theirs = re.search(r'<p class="chapter-links">.*?</p>', twin.read_text("utf-8"), re.DOTALL)[0]
        assert f'href="../../tour/{path.name}"' in ours
        assert f'href="../zh/tour/{path.name}"' in theirs


def test_every_picture_says_what_it_shows(site):
    pictures = [
        (page.name, alternative)
        for page in site.rglob("*.html")
        for alternative in re.findall(r'<img alt="([^"]*)" src="[^"]*_images/', page.read_text("utf-8"))
    ]
    assert len(pictures) > 40
    for page, alternative in pictures:
        begins = r"(Graph|Plot|Screenshot): \S|(The|A) (backward|computation) "
        assert re.match(begins, alternative), (page, alternative)


def test_chinese_words_are_found(site):
    index = json.loads((site / "searchindex.js").read_text("utf-8").partition("(")[2].rpartition(")")[0])
    for word in ("梯度", "權重", "損失"):
        found = [index[kind].get(word, []) for kind in ("terms", "titleterms")]
        assert len({place for places in found for place in _listed(places)}) >= 4, word


def _listed(places: int | list[int]) -> list[int]:
    return [places] if isinstance(places, int) else places


def test_rules_have_a_table_and_headings_without_a_full_stop(site):
    page = (site / "reference" / "functions.html").read_text("utf-8")
    (table,) = re.findall(r'<table class="[^"]*rules.*?</table>', page, re.DOTALL)
    assert table.count("<tr") == len(rules) + 1
    headings = re.findall(r"<h2>(.*?)<a", page)
    assert len(headings) > 10
    assert not any(heading.endswith(".") for heading in headings)
