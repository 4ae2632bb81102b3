"""Pages of everything that a record can be: nothing, several traces, single numbers; and a page under two fingers."""

from __future__ import annotations

import models
import page_records
import pytest

import autograd_lab as lab
from autograd_lab.backward.scalar import capture_scalar
from autograd_lab.records import Graph, Trace

pytestmark = pytest.mark.browser


def seen(page):
    return page.evaluate(
        "[...document.querySelectorAll('.drawing [data-key]')].map((each) => each.ariaLabel).sort()"
    )


@pytest.mark.parametrize(
    "record", [Graph((), ()), Trace(Graph((), ()), (), unread="no reason")], ids=["graph", "trace"]
)
def test_an_empty_graph_has_a_page(opened, record):
    page = opened(record)
    assert page.locator(".item").count() == 0
    assert "0 nodes" in page.inner_text("#card")
    page.locator(".drawing").focus()
    for key in ("Tab", "Shift+ArrowDown", "0", "+", "Escape"):
        page.keyboard.press(key)


def test_traces_on_different_graphs_are_each_shown_whole(opened, tmp_path):
    built = models.CASES["mlp"].build()
    other = lab.trace(built.outputs, model=built.model)
    page = opened(other)
    alone = seen(page)
    page = opened([page_records.net(), other])
    while page.locator(".frame").count():
        page.dispatch_event(".frame >> nth=0", "dblclick")
    page.select_option(".traces-choice", "1")
    assert seen(page) == alone
    assert page.text_content("#card h2") != "Net"
    page.select_option(".traces-choice", "0")
    assert seen(page) != alone


def test_an_address_names_the_trace_too(opened):
    built = models.CASES["mlp"].build()
    page = opened(
        [page_records.net(), lab.trace(built.outputs, model=built.model)], address="#trace=1&node=2"
    )
    page.wait_for_selector(".item.selected[data-key=n2]")
    assert page.input_value(".traces-choice") == "1"
    page.keyboard.press("Escape")
    page.locator(".drawing").press("Escape")
    assert page.evaluate("location.hash") == "#trace=1"
    page.select_option(".traces-choice", "0")
    assert page.evaluate("location.hash") == ""


def test_single_numbers_are_shown_with_their_signs(opened):
    built = models.CASES["seed"].build()
    page = opened(capture_scalar(built.outputs, names=built.names))
    values = page.evaluate("[...document.querySelectorAll('.item .value')].map((each) => each.textContent)")
    assert values == ["gradient 1", "gradient −8", "gradient −8", "gradient −16"]
    lines = page.evaluate("[...document.querySelectorAll('.item .line')].map((each) => each.textContent)")
    assert lines[1:] == ["s = −4", "ŷ = 0", "w = 0"]


class TestTouch:
    @pytest.fixture
    def settings(self):
        return {"has_touch": True}

    def test_one_finger_moves_and_two_zoom(self, opened):
        page = opened(page_records.net())
        fingers = page.context.new_cdp_session(page)

        def touch(kind, *points):
            fingers.send(
                "Input.dispatchTouchEvent",
                {
                    "type": kind,
                    "touchPoints": [{"x": x, "y": y, "id": at} for at, (x, y) in enumerate(points)],
                },
            )

        def matrix():
            return page.evaluate(
                "(({a, e, f}) => [a, e, f])"
                "(new DOMMatrix(getComputedStyle(document.querySelector('.world')).transform))"
            )

        scale, x, y = matrix()
        touch("touchStart", (300, 300))
        touch("touchMove", (340, 330))
        touch("touchMove", (360, 340))
        touch("touchEnd")
        moved = matrix()
        assert moved == pytest.approx([scale, x + 60, y + 40], abs=1)
        touch("touchStart", (300, 300), (400, 300))
        touch("touchMove", (250, 300), (450, 300))
        touch("touchEnd")
        assert matrix()[0] == pytest.approx(2 * scale, rel=0.05)
