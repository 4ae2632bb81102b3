"""The one file: what its parts are, and that no name in a record can be anything but data."""

from __future__ import annotations

import base64
import hashlib
import json
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings, strategies as st

from autograd_lab.draw import draw
from autograd_lab.draw.page.html import as_json, page_data, to_html
from autograd_lab.errors import RenderError
from autograd_lab.records import Graph, Node, Source, Trace, VerifyReport


class Page(HTMLParser):
    """The elements of a page, in their order, and the text of each script and style."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.inside: dict[str, str] = {}
        self.policy = ""
        self.current = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.current = f"{tag}#{given.get('id', '')}"
        self.tags.append(self.current)
        assert not [name for name in given if name.startswith("on") or name == "style"]
        if given.get("http-equiv") == "Content-Security-Policy":
            self.policy = given["content"]

    def handle_comment(self, data):
        self.tags.append("comment")

    def handle_endtag(self, tag):
        self.current = ""

    def handle_data(self, data):
        self.inside[self.current] = self.inside.get(self.current, "") + data


def of(name: str, title: str | None = None) -> str:
    """The page of a graph in which everything has this name."""
    node = Node(
        0, name, "op", 1, module=name, source=Source(name, 1, name), aliases=(name,), metadata=((name, name),)
    )
    return to_html(Graph((node,), (), unreached=(name,)), title=title)


HARMLESS = Page(of("harmless", "harmless"))

HOSTILE = [
    "</script>", "</SCRIPT >", "<!--", "<!--<script>", "]]>", "-->", "<img src=x onerror=alert(1)>", "&lt;/script&gt;",
    "\u2028\u2029", "\ud800", "\udfff\ud800", "\0", "\u202e\u2066", "'\"`${}\\", "\ufffe", "{policy}", "\r\n\f", "&#0;",
]  # fmt: skip


@given(st.one_of(st.sampled_from(HOSTILE), st.text(st.characters(), max_size=8)))
@settings(max_examples=80, deadline=None)
def test_a_name_is_never_markup(name):
    text = of(name, name)
    page = Page(text)
    assert page.tags == HARMLESS.tags
    assert page.policy == HARMLESS.policy
    assert page.inside["script#data"].isascii()
    assert page.inside["title#"].isprintable()
    assert text.encode("utf-8")
    data = json.loads(page.inside["script#data"])
    assert data["strings"][data["graphs"][0]["nodes"]["name"][0]] == name
    assert data["title"] == name
    assert not {"<", ">", "&"} & set(page.inside["script#data"])


def test_the_page_runs_its_own_script_and_style_alone():
    for tag, rule in (("script#", "script-src"), ("style#", "style-src")):
        digest = base64.b64encode(hashlib.sha256(HARMLESS.inside[tag].encode()).digest()).decode()
        assert f"{rule} 'sha256-{digest}'" in HARMLESS.policy
    assert HARMLESS.tags.count("script#") == HARMLESS.tags.count("style#") == 1
    assert "connect-src 'none'" in HARMLESS.policy


def test_a_page_that_is_brought_up_to_date_may_ask_its_server():
    assert "connect-src 'self'" in Page(to_html(Graph((), ()), connect="'self'")).policy


def test_the_page_opens_in_the_language_asked_for():
    page = to_html(Graph((), ()), language="zh")
    assert '<html lang="zh-Hant-TW">' in page
    assert json.loads(Page(page).inside["script#data"])["language"] == "zh"
    assert json.loads(Page(page).inside["script#words"]).keys() == {"en", "zh"}
    with pytest.raises(RenderError, match="no language 'fr': use one of en, zh"):
        to_html(Graph((), ()), language="fr")
    with pytest.raises(RenderError, match=r"no language \[\]"):
        to_html(Graph((), ()), language=[])


@pytest.mark.parametrize("kind", ["html", "svg", "md", "dot"])
def test_a_title_is_a_text_and_a_language_one_that_is_there(kind):
    with pytest.raises(RenderError, match="title is a text, not an int"):
        draw(Graph((), ()), kind, title=3)
    with pytest.raises(RenderError, match="takes no language" if kind != "html" else r"no language \[\]"):
        draw(Graph((), ()), kind, language=[])


def test_a_record_of_another_kind_has_no_page():
    with pytest.raises(
        RenderError, match=r"a page is of a Graph, a Trace or a ScalarGraph, not of a VerifyReport"
    ):
        to_html(VerifyReport("Mul", ()))


def test_the_histograms_go_with_their_traces():
    trace = Trace(Graph((), ()), ())
    found = page_data([trace, trace], histograms=[{}, {"in:0:0": {"low": 0.0}}])
    assert [each["histograms"] for each in found["traces"]] == [{}, {"in:0:0": {"low": 0.0}}]
    assert page_data(trace)["traces"][0]["histograms"] == {}


def test_no_number_is_one_that_json_lacks():
    with pytest.raises(ValueError, match="Out of range float"):
        as_json(float("nan"))
