"""``autograd-lab show``: a page of a TARGET or of a saved record, opened or written."""

from __future__ import annotations

import json
import re
import tempfile
import webbrowser
from pathlib import Path

import pytest

from autograd_lab.draw.page.bundle import LANGUAGES


def data_of(page: str) -> dict:
    return json.loads(
        re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)[1]
    )


@pytest.fixture
def opened(monkeypatch, tmp_path):
    found: list[str] = []
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(webbrowser, "open", lambda address: found.append(address) or True)
    return found


def test_a_target_is_traced_and_opened(lab, opened):
    ran = lab("show", "models.py:loss_and_model", "--histograms", "--language", "zh")
    assert ran.code == 0, ran.err
    (path,) = re.findall(r"^opened (.*)$", ran.out, re.MULTILINE)
    assert opened == [Path(path).as_uri()]
    data = data_of(Path(path).read_text("utf-8"))
    (trace,) = data["traces"]
    assert data["language"] == "zh"
    assert len(trace["steps"]["node"]) == len(data["graphs"][0]["nodes"]["name"])
    assert "in:0:0" in trace["histograms"]
    assert "0.weight" in data["strings"]


def test_a_page_that_is_written_opens_nothing(lab, opened):
    assert lab("show", "models.py:loss", "--out", "a.html").out == "wrote a.html\n"
    assert lab("trace", "models.py:loss", "--out", "loss.json").code == 0
    assert lab("show", "loss.json", "-o", "b.html").out == "wrote b.html\n"
    assert not opened
    assert data_of(Path("b.html").read_text("utf-8"))["traces"]


@pytest.mark.parametrize(
    ("arguments", "written", "traces"),
    [
        (["render", "models.py:loss", "--out", "a.html"], "a.html", 0),
        (["render", "models.py:scalar", "--view", "scalar", "--out", "a.html"], "a.html", 1),
        (["show", "models.py:scalar", "--view", "scalar", "--out", "a.html"], "a.html", 1),
        (["trace", "models.py:loss", "--out", "a.html"], "a.html", 1),
        (["run", "--backward", "::1", "--out", "a.html", "train.py"], "a.html", 3),
    ],
)
def test_every_command_that_draws_writes_a_page(lab, arguments, written, traces):
    Path("train.py").write_text(
        "import torch\nw = torch.ones(2, requires_grad=True)\nfor _ in range(3):\n    (w * 2).sum().backward()\n"
    )
    assert lab(*arguments).code == 0
    data = data_of(Path(written).read_text("utf-8"))
    assert (len(data["graphs"]), len(data["traces"])) == (1, traces)
    if "scalar" in arguments:
        assert data["graphs"][0]["scalar"]["value"] == [16.0, -4.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (
            ["models.py:loss", "--out", "a.svg"],
            "show writes a page: end 'a.svg' in .html, or use render or trace",
        ),
        (["models.py:loss", "--language", "fr"], "no language 'fr': use one of en, zh"),
        (["models.py:loss", "--view", "scalar"], "draws graphs of one-element tensors"),
        (["models.py:scalar", "--view", "scalar", "--kernels"], "runs no backward: leave --kernels"),
        (["nothing.json"], "there is no file nothing.json"),
        (["models.py:no_graph"], "has no graph"),
        (["models.py:loss", "--out", "nowhere/a.html"], "there is no folder nowhere"),
    ],
)
def test_a_wrong_call_gets_one_line(lab, arguments, says):
    ran = lab("show", *arguments)
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert says in ran.err


def test_what_a_page_does_not_take(lab):
    ran = lab("render", "models.py:loss", "--out", "a.html", "--depth", "1")
    assert ran.err == "autograd-lab: format 'html' takes no --depth: one chooses that in the page\n"
    assert not Path("a.html").exists()


def test_the_languages_are_those_of_the_page(lab):
    assert f"[{'|'.join(LANGUAGES)}]" in lab("show", "--help").out
