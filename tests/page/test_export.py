"""The SVG that a page saves: a file by itself, with what is seen."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import page_records
import pytest

pytestmark = pytest.mark.browser

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(params=["light", "dark"])
def settings(request):
    return {"color_scheme": request.param}


def saved(page):
    """What the button saves."""
    with page.expect_download() as download:
        page.click("text=SVG")
    return download.value.path().read_text("utf-8"), download.value.suggested_filename


def test_what_is_seen_is_saved_as_a_file_by_itself(opened, settings):
    page = opened(page_records.net(), title="My net: a/b")
    page.dispatch_event(".item.kind-repeats", "dblclick")
    text, name = saved(page)
    root = ElementTree.fromstring(text)
    assert name == "My_net_a_b.svg"
    titles = [title.text for title in root.iter(f"{SVG}text") if title.get("class") == "title"]
    assert titles == page.evaluate(
        "[...document.querySelectorAll('.drawing text.title')].map((each) => each.firstChild.textContent)"
    )
    style = next(root.iter(f"{SVG}style")).text
    assert not re.search(r"var\(|light-dark|url\(|@import", style)
    assert not re.search(r"href|<image|<script|\bon\w+=", text)
    assert ("#14181f" in style) == (settings["color_scheme"] == "dark")


def test_the_saved_file_looks_the_same(opened, page):
    """Each box of the file, opened by itself, has the colours and the size that it has in the page."""
    opened(page_records.net())
    look = """(root) => [...root.querySelectorAll('.item .body')].map((body) => {
      const {fill, stroke, strokeWidth} = getComputedStyle(body);
      return [fill, stroke, strokeWidth, body.getAttribute('width'), body.getAttribute('height')].join(' ');
    })"""
    in_page = page.evaluate(f"({look})(document.querySelector('.drawing'))")
    text, _ = saved(page)
    page.goto("about:blank")
    page.set_content(text.split("?>", 1)[1])
    assert page.evaluate(f"({look})(document)") == in_page


@pytest.mark.parametrize("is_folded", [False, True])
def test_the_legend_is_in_the_file(opened, is_folded):
    page = opened(page_records.net())
    said = page.locator(".legend h2, .legend .ends span, .legend li:not(.scale)").all_inner_texts()
    steps = page.locator(".legend .step, .legend .swatch").count()
    if is_folded:
        page.click(".legend button")
    text, _ = saved(page)
    root = ElementTree.fromstring(text)
    legend = next(group for group in root.iter(f"{SVG}g") if group.get("class") == "legend")
    assert [found.text for found in legend.iter(f"{SVG}text")] == said
    assert len(list(legend.iter(f"{SVG}rect"))) == steps
    assert page.is_visible(".legend-body") != is_folded
    assert "Arrows" not in root.get("aria-label")


def test_hostile_names_in_the_file_are_text(opened):
    page = opened(page_records.hostile())
    text, _ = saved(page)
    root = ElementTree.fromstring(text)
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= {
        "svg", "style", "rect", "g", "path", "text", "tspan",
    }  # fmt: skip
