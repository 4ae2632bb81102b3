"""What arrives in a real browser of the page's data: the names as they are, never as markup, and no number made up."""

from __future__ import annotations

import json

import pytest

from autograd_lab.draw.notebook import Page
from autograd_lab.draw.page.html import as_json, page_data, to_html
from autograd_lab.records import Edge, Graph, Node, Operand, Operation, ScalarGraph, Source, Variable

pytestmark = pytest.mark.browser

HOSTILE = [
    "</script><img src=x onerror=alert(1)>", "<!--<script>", "]]>", "<svg onload=alert(1)>", "&lt;b&gt;",
    "\u2028\u2029",
    "\ud800", "\0", "\u202e\u2066", "'\"`${1}\\", "{policy}", "\r\n\f", "__proto__", "constructor", "",
]  # fmt: skip

CODES = "text => Array.from({length: text.length}, (_, at) => text.charCodeAt(at))"


def codes(text):
    """As a browser counts them, halves of pairs alone, too."""
    units = text.encode("utf-16-le", "surrogatepass")
    return [int.from_bytes(units[at : at + 2], "little") for at in range(0, len(units), 2)]


def named(names):
    """A chain of nodes, each of which has its name in every place."""
    last = len(names) - 1
    return Graph(
        tuple(
            Node(
                at, name, "op", last - at, next=(Edge(at + 1, 0, name),) if at < last else (), module=name,
                source=Source(name, 1, name), aliases=(name,), metadata=((name, name),),
            )
            for at, name in enumerate(names)
        ),
        (Edge(0, 0, names[0]),), unreached=tuple(names),
    )  # fmt: skip


def test_hostile_names_are_text_in_the_page(opened):
    page = opened(named(HOSTILE), title=HOSTILE[0])
    page.wait_for_selector("#stage svg")
    strings = page.evaluate(f"JSON.parse(document.getElementById('data').textContent).strings.map({CODES})")
    assert [codes(name) for name in HOSTILE if codes(name) not in strings] == []
    assert page.evaluate("document.querySelectorAll('script').length") == 3
    assert page.evaluate("document.querySelectorAll('img, b, [onload], [onerror]').length") == 0
    for at in range(len(HOSTILE)):
        page.evaluate(f"location.hash = '#node={at}'")
        page.wait_for_function(f"document.getElementById('card').textContent.includes('#{at}')")
    assert page.evaluate("document.querySelectorAll('script').length") == 3


def test_of_a_computation_on_single_numbers_no_counter_is_made_up(loaded):
    y, w = Variable(0, "output", "y", 6.0, 1.0), Variable(1, "leaf", "w", 3.0, 2.0)
    scalar = ScalarGraph((y, w), (Operation(0, "MulBackward0", "×", (Operand(1, 2.0, 2.0),), 0),))
    page = loaded(model="model.js")
    read = "data => [0, 1].map(model.createModel(data).graphs[0].node).map((node) => node.sequence)"
    chain = Graph((Node(0, "A", "op", 7, next=(Edge(1, 0),)), Node(1, "B", "op", 3)), (Edge(0, 0),))
    wanted = ((scalar, [None, None]), (chain, [7, 3]))
    for record, sequences in wanted:
        assert page.evaluate(read, json.loads(as_json(page_data(record)))) == sequences


def test_below_a_notebooks_cell_the_page_works_and_reaches_nothing_of_the_notebook(page, tmp_path):
    shown = Page(to_html(named(["first", "second"])))._repr_html_()
    file = tmp_path / "notebook.html"
    file.write_text(f"<!doctype html><title>notebook</title><body>{shown}</body>", "utf-8")
    page.goto(file.as_uri())
    inside = page.frame_locator("iframe")
    inside.locator("#stage svg").wait_for()
    inside.locator("#search").fill("#1")
    inside.locator("#search").press("Enter")
    inside.locator("#card").get_by_role("heading", name="second").wait_for()
    frame = page.frames[1]
    reached = "(() => { try { return parent.document.title } catch (error) { return error.name } })()"
    assert frame.evaluate(reached) == "SecurityError"
    assert page.title() == "notebook"
