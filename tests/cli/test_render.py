"""``autograd-lab render``."""

from __future__ import annotations

from pathlib import Path

import pytest

from autograd_lab.records import EngineCheck, load, save


@pytest.mark.parametrize("ending", ["dot", "svg", "png", "pdf", "txt", "md", "json"])
def test_every_format(lab, ending):
    ran = lab("render", "models.py:loss_and_model", "--out", f"graph.{ending}")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == f"wrote graph.{ending}\n"
    begins = {
        "svg": b"<?xml",
        "png": b"\x89PNG",
        "pdf": b"%PDF",
        "md": b"# Backward graph of ",
        "dot": b"digraph",
        "json": b"{",
    }
    assert Path(f"graph.{ending}").read_bytes().startswith(begins.get(ending, b""))


def test_the_json_is_a_record_with_the_models_names(lab):
    lab("render", "models.py:loss_and_model", "--out", "graph.json")
    assert {leaf.variable for leaf in load("graph.json").leaves} == {
        "0.weight",
        "0.bias",
        "2.weight",
        "2.bias",
    }


def test_without_out_a_table_goes_to_the_terminal(lab):
    ran = lab("render", "models.py:loss")
    assert ran.code == 0
    assert "MeanBackward0" in ran.out


def test_a_module_with_an_input(lab):
    ran = lab("render", "models.py:model", "--input", "5x3")
    assert ran.code == 0
    assert "f32[5,1]" in ran.out


def test_the_scalar_view(lab):
    ran = lab("render", "models.py:scalar", "--view", "scalar", "--format", "md", "--detail", "gradients")
    assert ran.code == 0
    assert "−16" in ran.out


def test_the_torchviz_view(lab):
    ran = lab("render", "models.py:loss_and_model", "--view", "torchviz", "--format", "dot")
    assert ran.code == 0
    assert "0.weight" in ran.out


def test_saved_tensors_on_request(lab):
    plain, saved = (
        lab("render", "models.py:loss", "--format", "dot", *more).out for more in ([], ["--saved"])
    )
    assert "mat1" not in plain
    assert "mat1" in saved


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["render"], "Missing argument 'TARGET'"),
        (["rendre"], "tour, trace, verify (did you mean 'render'?)"),
        (["render", "models.py:loss", "--dpeth", "1"], "no option --dpeth: did you mean '--depth'?"),
        (["render", "models.py:loss", "--depth", "x"], "--depth: 'x' is not a valid integer"),
        (["render", "models.py:loss", "--module", ""], "--module must be a module's name, not ''"),
        (["render", "models.py:loss", "--repeats", "--depth", "1", "-o", "x.json"], "takes no --depth"),
        (
            ["render", "models.py:loss", "--heat", "norm", "-o", "x.svg"],
            "--heat norm is of a Trace, for a graph didn't",
        ),
        (["render", "models.py:loss", "--heat", "norm", "-o", "x.svg"], "or use --heat saved"),
        (
            ["trace", "models.py:loss", "--stats", "fulll"],
            "no stats 'fulll': use one of none, norm, full (did you",
        ),
        (
            ["trace", "models.py:loss", "--module", "0", "--repeats", "-o", "x.svg"],
            "--module draws one block and --rep",
        ),
        (["run", "--backward", "2:1", "models.py"], "--backward: '2:1' holds no backward"),
        (
            ["verify", "models.py:loss", "--swap", "mul", "--native", "models.py:loss"],
            "with --swap a step is",
        ),
        (["verify", "mul", "--native", "models.py:loss"], "so --native would say nothing"),
        (["render", "models.py:los"], "did you mean 'loss'?"),
        (["render", "models.py:no_graph"], "has no graph: it requires no gradient"),
        (["render", "models.py:loss", "--out", "graph.gif"], "unknown format 'gif'"),
        (["render", "models.py:loss", "--view", "tree"], "no view 'tree'"),
        (
            ["render", "models.py:loss", "--view", "scalar"],
            "--view scalar draws graphs of one-element tensors",
        ),
        (["render", "models.py:loss", "--view", "scalar"], "use --view graph"),
        (["render", "models.py:scalar", "--view", "scalar", "--detail", "all"], "no detail 'all'"),
        (["render", "models.py:loss", "--direction", "sideways"], "no direction 'sideways'"),
        (
            ["render", "models.py:loss", "--view", "torchviz"],
            "torchviz makes no txt; use dot, svg, png or pdf, or --view graph",
        ),
        (["render", "models.py:loss", "--view", "torchviz", "--detail", "values"], "has no option 'detail'"),
        (["render", "models.py:loss", "--format", "png"], "say where to write it with --out"),
        (
            ["render", "models.py:loss", "--out", "nowhere/graph.svg"],
            "there is no folder nowhere; make it first",
        ),
        (["render", "models.py:loss", "--out", "models.py/graph.svg"], "there is no folder models.py"),
        (["render", "models.py:model", "--input", "3by4"], "is no shape; write 1x3x224x224"),
    ],
)
def test_a_wrong_call_gets_one_line_and_exit_code_2(lab, arguments, says):
    before = set(Path().iterdir())
    ran = lab(*arguments)
    assert ran.code == 2
    assert ran.out == ""
    assert ran.err.startswith("autograd-lab: ")
    assert says in ran.err
    assert ran.err.count("\n") == 1
    assert {path for path in Path().iterdir() if path.name != "__pycache__"} == before


def test_a_failed_drawing_leaves_the_old_file(lab):
    Path("graph.svg").write_text("old")
    assert lab("render", "models.py:no_graph", "--out", "graph.svg").code == 2
    assert Path("graph.svg").read_text() == "old"


def test_depth_and_repeats_reach_the_picture(lab):
    Path("deep.py").write_text(DEEP)
    ran = lab("render", "deep.py:loss", "--format", "dot", "--depth", "0")
    assert (ran.code, "whole model" in ran.out) == (0, True)
    ran = lab("render", "deep.py:loss", "--format", "dot", "--repeats")
    assert (ran.code, "0 … 2 × 3" in ran.out) == (0, True)
    ran = lab("render", "models.py:loss", "--view", "torchviz", "--format", "dot", "--depth", "1")
    assert (ran.code, "view 'torchviz' has no option 'depth'" in ran.err) == (2, True)


DEEP = """
import torch
from torch import nn

model = nn.Sequential(*(nn.Sequential(nn.Linear(3, 3), nn.Tanh()) for _ in range(3)))

def loss():
    return model(torch.ones(2, 3, requires_grad=True)).sum()
"""


def test_a_saved_record_is_drawn_and_needs_no_model(lab):
    assert lab("trace", "models.py:loss", "--out", "trace.json").code == 0
    ran = lab("render", "trace.json", "--out", "again.svg")
    assert (ran.code, ran.err) == (0, "")
    assert Path("again.svg").read_text("utf-8").startswith("<?xml")
    table = lab("render", "trace.json")
    assert table.out.splitlines()[0].split()[1:3] == ["steps", "in"]
    assert lab("render", "trace.json", "--view", "norms", "--out", "norms.svg").code == 0
    ran = lab("render", "trace.json", "--input", "2x3")
    assert (ran.code, "--input is for modules: leave it out" in ran.err) == (2, True)
    ran = lab("render", "trace.json", "--view", "graph")
    assert (ran.code, "view 'graph' is of a Graph, not of a Trace" in ran.err) == (2, True)


def test_what_a_live_target_has_not_is_said_with_the_command_that_has_it(lab):
    ran = lab("render", "models.py:loss", "--view", "norms", "--out", "norms.svg")
    assert (ran.code, ran.out) == (2, "")
    assert "autograd-lab trace models.py:loss --view norms --out PATH draws it" in ran.err
    lab("trace", "models.py:loss", "--out", "trace.json")
    ran = lab("render", "trace.json:loss")
    assert (ran.code, "give it alone: trace.json" in ran.err) == (2, True)


def test_a_saved_list_of_traces_opens(lab):
    Path("twice.py").write_text(
        "import torch\nmodel = torch.nn.Linear(3, 1)\n"
        "for _ in range(2):\n    model(torch.ones(2, 3)).square().mean().backward()\n"
    )
    lab("run", "--backward", ":", "--out", "both.json", "twice.py")
    assert len(load("both.json")) == 2
    assert lab("render", "both.json").out.splitlines()[0].split() == [
        "backward",
        "line",
        "steps",
        "ms",
        "gradient",
        "raised",
    ]
    assert lab("render", "both.json", "--depth", "0").out.count("whole model") == 2
    assert lab("render", "both.json", "--out", "both.txt").code == 0
    assert Path("both.txt").read_text("utf-8").count("AddmmBackward0") == 2
    assert lab("render", "both.json", "--view", "norms", "--out", "norms.svg").code == 0
    ran = lab("render", "both.json", "--out", "both.svg")
    assert (ran.code, "take --view norms or a format that holds several: " in ran.err) == (
        2,
        True,
    )
    ran = lab("step", "both.json")
    assert (ran.code, "this needs a live loss" in ran.err) == (2, True)


def test_what_a_check_found_is_printed_again(lab):
    found = EngineCheck(3, 8)
    save(found, "check.json")
    assert lab("render", "check.json").out == f"{found}\n"
    ran = lab("render", "check.json", "--out", "check.svg")
    assert (ran.code, "cannot draw an EngineCheck" in ran.err) == (2, True)


@pytest.mark.parametrize("command", ["render", "trace"])
def test_no_option_of_a_table_is_ignored(lab, command):
    for option in (["--depth", "1"], ["--repeats"]):
        ran = lab(command, "models.py:scalar", *option)
        assert (ran.code, ran.out) == (2, "")
        assert f"{option[0][2:]} shows modules, and only a watched forward knows them" in ran.err
        ran = lab(command, "models.py:loss", "--nodes", *option)
        assert (ran.code, ran.out) == (2, "")
        assert "--nodes lists every node, --depth and --repeats show modules" in ran.err


@pytest.mark.parametrize("command", ["trace", "step", "verify"])
def test_what_needs_a_live_loss_says_so_of_a_saved_record(lab, command):
    lab("trace", "models.py:loss", "--out", "trace.json")
    ran = lab(command, "trace.json")
    assert ran.code == 2
    assert "trace.json is a saved record, and this needs a live loss; autograd-lab render draws it" in ran.err


def test_heat_colours_a_picture(lab):
    assert lab("render", "models.py:loss", "--out", "hot.dot", "--heat", "saved").code == 0
    assert "memory kept for the backward" in Path("hot.dot").read_text("utf-8")
    ran = lab("trace", "models.py:loss", "--out", "hot.dot", "--heat", "norm")
    assert ran.code == 0, ran.err
    assert "norm of the gradient that came in" in Path("hot.dot").read_text("utf-8")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["render", "models.py:loss", "--heat", "saved"], "format 'txt' takes no --heat"),
        (["render", "models.py:loss", "--heat", "norm", "--out", "x.svg"], "--heat norm is of a Trace"),
        (
            ["trace", "models.py:loss", "--heat", "norm"],
            "--heat colours a picture; say where to write it with --out",
        ),
        (
            ["trace", "models.py:loss", "--heat", "norm", "--stats", "none", "--out", "x.svg"],
            "--heat norm shows what",
        ),
        (["run", "--heat", "tim", "--out", "x.svg", "models.py"], "no heat 'tim' in view 'trace'"),
    ],
)
def test_heat_that_cannot_be_shown_is_refused_in_one_line(lab, words, said):
    ran = lab(*words)
    assert (ran.code, said in ran.err, len(ran.err.strip().splitlines())) == (2, True, 1), ran.err


def test_module_draws_one_and_an_unknown_one_is_answered_with_the_nearest(lab):
    Path("deep.py").write_text(DEEP)
    ran = lab("render", "deep.py:loss", "--format", "dot", "--module", "1")
    assert (ran.code, "around the module that is drawn" in ran.out) == (0, True), ran.err
    ran = lab("trace", "deep.py:loss", "--out", "one.dot", "--module", "9")
    assert (ran.code, "no module '9' made a node of this graph: the nearest are" in ran.err) == (2, True)
    ran = lab("trace", "deep.py:loss", "--module", "1")
    assert (ran.code, ran.err.count("\n")) == (2, 1)
