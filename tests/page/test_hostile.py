"""Names in a page are hostile input: each is shown as it is, and does nothing."""

from __future__ import annotations

import dataclasses

import page_records
import pytest

pytestmark = pytest.mark.browser

PANELS = ("norms", "memory", "time", "nodes")


def inert(page):
    """Nothing that a name says has become an element or has run."""
    return page.evaluate(
        "globalThis.hacked === undefined && !document.querySelector('img, iframe, object, embed')"
        " && document.querySelectorAll('script').length === 3"
    )


def test_hostile_names_are_shown_and_do_nothing(opened):
    graph = page_records.hostile()
    page = opened(graph, title=page_records.HOSTILE)
    assert page.text_content("h1") == page_records.HOSTILE
    assert page_records.HOSTILE in page.inner_text(".notices").replace("\u2028", "\u2028")
    for node in graph.nodes[::5]:
        page.evaluate("(node) => { location.hash = `#node=${node}`; }", node.id)
        page.wait_for_selector(f".item.selected[data-key=n{node.id}]")
        assert (node.variable or node.name) in page.text_content("#card h2")
        assert inert(page)
    page.fill("#search", "</script>")
    assert page.locator("#found li").count() > 3


def test_hostile_names_in_panels_and_while_playing_are_shown_and_do_nothing(opened):
    trace = dataclasses.replace(page_records.net(), graph=page_records.hostile(), error=page_records.HOSTILE)
    page = opened([trace, dataclasses.replace(trace, number=1)])
    for tab in (*PANELS, "steps"):
        page.click(f"#tab-{tab}")
        assert inert(page)
        if tab != "steps":  # a canvas
            assert page_records.HOSTILE in page.text_content(f"#panel-{tab}")
    page.click(".play-button.end")
    assert page_records.HOSTILE in page.text_content(".play-position")
    assert page_records.HOSTILE in page.text_content(".now")
    assert inert(page)


def test_the_policy_lets_nothing_else_run_or_load(opened):
    page = opened(page_records.hostile())
    policy = page.get_attribute("meta[http-equiv=Content-Security-Policy]", "content")
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert page.locator("[style*='expression'], [onclick], [onload], [onerror]").count() == 0
