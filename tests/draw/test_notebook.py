"""What a notebook shows."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from types import SimpleNamespace

import pytest
import torch

import autograd_lab as lab
from autograd_lab.draw.native import graphviz
from autograd_lab.draw.notebook import MOST, Markdown, Page, Png, Svg, Table
from autograd_lab.draw.svg import DARK
from autograd_lab.errors import RenderError
from autograd_lab.records import Graph, Node, Trace, Traces

TYPES = ["text/html", "image/svg+xml", "text/plain"]


def test_a_small_record_is_a_picture_and_a_table(residual, seed):
    for record, word in ((residual, "MulBackward0"), (seed, "∂ŷ/∂w = 2")):
        bundle = record._repr_mimebundle_()
        assert list(bundle) == TYPES
        assert word in bundle["image/svg+xml"]
        assert word in bundle["text/html"]
        assert bundle["text/plain"] == str(record)


def test_a_large_record_is_a_table_alone():
    for size, kinds in ((MOST, set(TYPES)), (MOST + 1, {"text/html", "text/plain"})):
        graph = Graph(tuple(Node(i, "X", "op", 0) for i in range(size)), ())
        assert set(graph._repr_mimebundle_()) == kinds


def test_without_graphviz_the_table_says_why(residual, monkeypatch):
    def none(*_: object, **__: object) -> bytes:
        raise RenderError("no Graphviz: install it")

    monkeypatch.setattr(graphviz, "run", none)
    bundle = residual._repr_mimebundle_()
    assert bundle["text/plain"] == f"{residual}\n(no picture: no Graphviz: install it)"
    assert "(no picture: no Graphviz: install it)" in bundle["text/html"]


def test_a_watch_its_traces_and_a_saved_list_show_a_row_for_each(tmp_path):
    w = torch.ones(2, requires_grad=True)
    with lab.watch() as watcher:
        assert watcher._repr_mimebundle_() == {"text/plain": "<Watcher: on, 0 of 0 backwards traced>"}
        for _ in range(2):
            (w * 2).sum().backward()
    loaded = lab.load(lab.save(watcher.traces, tmp_path / "traces.json"))
    for each in (watcher, watcher.traces, loaded):
        bundle = each._repr_mimebundle_()
        assert bundle["text/plain"] == str(watcher.traces)
        assert len(bundle["text/plain"].splitlines()) == 4
        assert bundle["text/plain"].splitlines()[3] in bundle["text/html"]
    assert repr(watcher.traces) == "<Traces: 2 backwards>"
    assert isinstance(watcher.traces, list)
    assert watcher.traces == list(watcher.traces) == loaded


def test_no_backward_is_no_row():
    assert Traces()._repr_mimebundle_()["text/plain"] == str(Traces())


@pytest.mark.parametrize(
    ("kind_of", "kind"), [("svg", Svg), ("png", Png), ("md", Markdown), ("txt", Table), ("html", Page)]
)
def test_what_render_returns_shows_itself(residual, kind_of, kind):
    picture = lab.render(residual, format=kind_of)
    assert type(picture) is kind
    assert isinstance(picture, bytes if kind_of == "png" else str)
    methods = {
        "svg": ["_repr_html_", "_repr_svg_"],
        "png": ["_repr_png_"],
        "md": ["_repr_markdown_"],
        "txt": ["_repr_html_"],
        "html": ["_repr_html_"],
    }
    assert all(getattr(picture, method)() for method in methods[kind_of])


def test_a_page_is_shown_in_a_frame_of_its_own(residual):
    page = lab.render(residual, format="html")
    frame = ElementTree.fromstring(page._repr_html_())
    assert frame.get("srcdoc") == page.replace("\n", " ")  # as an XML reader has it
    assert frame.get("sandbox") == "allow-scripts allow-downloads"  # not allow-same-origin
    said: list[str] = []
    page._repr_pretty_(SimpleNamespace(text=said.append), False)
    assert re.fullmatch(r"<a page of .* KiB>", said[0])


def test_what_shows_nothing_by_itself_stays_what_it_was(residual):
    assert {type(lab.render(residual, format=kind)) for kind in ("dot", "json")} == {str}


def test_nothing_is_cut_at_the_cells_edge(residual):
    shown = lab.render(residual, format="svg")._repr_html_()
    inner = ElementTree.fromstring(re.sub(r"<style>.*?</style>", "", shown, flags=re.DOTALL))
    assert inner.get("style") == "max-width:100%;overflow:auto"
    (svg,) = inner
    natural = re.search(r'<svg[^>]* width="([\d.]+)pt"', lab.render(residual, format="svg"))
    assert svg.get("style") == (f"max-width:100%;min-width:{0.6 * float(natural[1]):.0f}pt;height:auto")
    assert svg.get("width") == f"{natural[1]}pt"
    text = lab.render(residual, format="txt")._repr_html_()
    assert ElementTree.fromstring(text)[0].text == lab.render(residual, format="txt")
    assert "white-space:pre;overflow:auto" in text


def test_a_page_that_is_dark_by_itself_gives_the_dark_colours(residual):
    shown = lab.render(residual, format="svg")._repr_html_()
    (dark,) = re.findall(r'\[data-jp-theme-light="false"\] svg\.autograd-lab,[^{]*\{([^}]*)\}', shown)
    (light,) = re.findall(r'\[data-jp-theme-light="true"\] svg\.autograd-lab,[^{]*\{([^}]*)\}', shown)
    used = {f"#{colour}" for colour in re.findall(r"var\(--lab-(\w+)\)", shown)}
    assert used
    assert all(f"--lab-{colour[1:]}:{DARK[colour]};" in dark for colour in used)
    assert all(f"--lab-{colour[1:]}:{colour};" in light for colour in used)


def test_a_trace_without_steps_shows_itself():
    assert "0 steps" in Trace(Graph((), ()), ())._repr_mimebundle_()["text/plain"]
