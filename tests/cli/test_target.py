"""What a TARGET names, and every way in which it can be wrong."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

import autograd_lab as lab
from autograd_lab.cli.target import load, watched
from autograd_lab.errors import TargetError

FILE = """
import torch
from helper import WIDTH

model = torch.nn.Linear(WIDTH, 2)
number = 3

def loss():
    return model(torch.ones(1, WIDTH)).sum()

def loss_and_model():
    return loss(), model

def build():
    return torch.nn.Embedding(4, 3)

def nothing():
    return None

def explodes():
    raise KeyError("no such column")

class Nested:
    @staticmethod
    def loss():
        return loss()
"""


@pytest.fixture
def file(tmp_path):
    (tmp_path / "helper.py").write_text("WIDTH = 3\n")
    path = tmp_path / "random.py"  # the name of a module of the standard library's
    path.write_text(FILE)
    return path


def test_a_callable_that_returns_a_loss(file):
    found = load(f"{file}:loss")
    assert found.loss.requires_grad
    assert found.model is None


def test_a_callable_that_returns_loss_and_model(file):
    found = load(f"{file}:loss_and_model")
    assert isinstance(found.model, torch.nn.Linear)


def test_a_module_with_an_input(file):
    found = load(f"{file}:model", ["4x3"])
    assert found.others["input0"].shape == (4, 3)
    assert torch.equal(found.loss, found.model(found.others["input0"]).sum())


def test_what_builds_a_module_with_an_integer_input(file):
    found = load(f"{file}:build", ["2x5:int64"])
    assert found.others["input0"].dtype == torch.int64
    assert isinstance(found.model, torch.nn.Embedding)


def test_a_dotted_name_inside_a_file(file):
    assert load(f"{file}:Nested.loss").loss.requires_grad


def test_a_file_may_be_called_like_a_module_that_is_loaded(file):
    import random

    load(f"{file}:loss")
    assert sys.modules["random"] is random


def test_an_installed_module():
    with pytest.raises(TargetError, match="no floating output that requires a gradient"):
        load("torch.nn:ReLU", ["2x3"])


def test_an_input_is_the_same_every_time(file):
    first, second = (load(f"{file}:model", ["4x3"]).others["input0"] for _ in range(2))
    assert torch.equal(first, second)


@pytest.mark.parametrize(
    ("target", "inputs", "says"),
    [
        ("loss", [], "write path/to/file.py:name or package.module:name"),
        (":loss", [], "write path/to/file.py:name"),
        ("nowhere.py:loss", [], "there is no file nowhere.py"),
        ("nowhere.json", [], "there is no file nowhere.json; write path/to/file.py:name, or the path"),
        ("no_such_package_at_all:loss", [], "raised ModuleNotFoundError"),
        ("{file}:los", [], "did you mean 'loss'?"),
        ("{file}:qqqqqqqq", [], "has no 'qqqqqqqq'; look at what it defines"),
        ("{file}:number", [], "is of type int; name a callable"),
        ("{file}:nothing", [], "returned None; have it return a loss"),
        ("{file}:explodes", [], "raised KeyError: 'no such column'"),
        ("{file}:model", [], "say what goes in, such as --input 1x3x224x224"),
        ("{file}:model", ["4x4"], "raised RuntimeError"),
        ("{file}:loss", ["4x4"], "--input is for modules"),
        ("{file}:model", ["4by3"], "is no shape; write 1x3x224x224"),
        ("{file}:model", ["4x3:floaty"], "torch has no dtype 'floaty'"),
        ("{file}:model", ["4x3:nn"], "torch has no dtype 'nn'"),
        ("torch.nn:Linear", ["1x3"], "torch.nn:Linear needs arguments (in_features, out_features)"),
    ],
)
def test_wrong_targets_get_one_line(file, target, inputs, says):
    with pytest.raises(TargetError) as caught:
        load(target.format(file=file), inputs)
    assert says in str(caught.value)


def test_an_error_in_the_users_file_names_the_line(file):
    with pytest.raises(TargetError, match=r"random\.py:21\)"):
        load(f"{file}:explodes")


def test_a_file_that_does_not_import_names_the_line(tmp_path):
    path = Path(tmp_path / "broken.py")
    path.write_text("x = 1\ndef (\n")
    with pytest.raises(TargetError, match=r"raised SyntaxError: .*broken\.py:2\)"):
        load(f"{path}:x")


GLOBALS = """
import torch

w = torch.ones(3, requires_grad=True)
same = w
weight = torch.ones(3, requires_grad=True)  # a name of the model's, too
model = torch.nn.Linear(3, 1)
its = model.bias

def loss():
    return (w * weight).sum()

def with_model():
    return model(w * weight).sum(), model

def without_model():
    return model(w * weight).sum()
"""


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("loss", {"w": ("same",), "weight": ()}),
        ("with_model", {"w": ("same",), "leaf0": (), "weight": (), "bias": ()}),
        ("without_model", {"w": ("same",), "leaf0": (), "weight": (), "bias": ()}),
    ],
)
def test_tensors_are_called_as_their_file_calls_them(tmp_path, name, expected):
    """The model's own names come first, and its tensors get no others."""
    (tmp_path / "named.py").write_text(GLOBALS)
    with watched(f"{tmp_path / 'named.py'}:{name}") as (found, _):
        graph = lab.capture(found.loss, model=found.model, names=found.names)
    assert {leaf.variable: leaf.aliases for leaf in graph.leaves} == expected


MODELS = """
import torch
from torch import nn

g, d = nn.Sequential(nn.Linear(2, 3), nn.ReLU()), nn.Linear(3, 1)

def loss():
    return d(g(torch.ones(4, 2))).sum()

def a_list():
    return loss(), [g, d]

def a_tuple():
    return loss(), (g, d)

def a_dictionary():
    return loss(), {"gen": g, "dis": d}

def nested():
    return loss(), {"both": [g, d]}

def odd_keys():
    return loss(), {"forward": g, "a.b": d}

def another_model_beside():
    return loss(), {"gen": g, "all": nn.ModuleList([g, d])}
"""


@pytest.mark.parametrize(
    ("name", "gen", "dis"),
    [
        ("a_list", "0.", "1."),
        ("a_tuple", "0.", "1."),
        ("a_dictionary", "gen.", "dis."),
        ("nested", "both.0.", "both.1."),
        ("odd_keys", "forward.", "a.b."),
        ("another_model_beside", "gen.", "all.1."),
    ],
)
def test_models_in_a_list_or_dictionary_are_called_by_their_index_or_key(tmp_path, name, gen, dis):
    (tmp_path / "models.py").write_text(MODELS)
    with watched(f"{tmp_path / 'models.py'}:{name}") as (found, annotated):
        graph = annotated(lab.capture(found.loss, model=found.model, names=found.names))
    assert {leaf.variable for leaf in graph.leaves} == {
        f"{start}{end}" for start in (f"{gen}0.", dis) for end in ("weight", "bias")
    }
    modules = {node.module for node in graph.nodes if node.name == "AddmmBackward0"}
    assert modules == {f"{gen}0", dis.rstrip(".")}


@pytest.mark.parametrize("beside", ["[]", "{}", "None", "loss() * 2", "[loss(), 3]"])
def test_what_holds_losses_or_nothing_is_no_model(tmp_path, beside):
    (tmp_path / "models.py").write_text(f"{MODELS}\ndef made():\n    return loss(), {beside}\n")
    assert load(f"{tmp_path / 'models.py'}:made").model is None


@pytest.mark.parametrize(
    ("returned", "item"),
    [
        ("(loss(), 5)", "item 1 of what"),
        ("[loss(), 5]", "item 1 of what"),
        ("(loss(), [g, 3])", "item 1 of what"),
        ("(loss(), {'gen': g, 'lr': 0.1})", "item 1 of what"),
        ("(loss(), {0: g, '0': d})", "item 1 of what"),  # one name for two
        ("(g, loss())", "item 0 of what"),
        ("(loss(), loss(), 'adam')", "item 2 of what"),
        ("(loss(), g, {}, 'adam')", "item 1 of what"),
        ("{'loss': loss(), 'model': 5}", "'model' of what"),
    ],
)
def test_an_item_that_would_be_lost_is_named_in_one_line(tmp_path, returned, item):
    (tmp_path / "models.py").write_text(f"{MODELS}\ndef made():\n    return {returned}\n")
    with pytest.raises(TargetError) as found:
        load(f"{tmp_path / 'models.py'}:made")
    assert str(found.value).startswith(item)
    assert 'have it return losses alone, (loss, model) or (loss, model, {"name": tensor})' in str(found.value)
    assert "\n" not in str(found.value)


NAMES = """
import torch
from torch import nn

taken = torch.ones(3, requires_grad=True)  # what the function calls it comes first
model = nn.Linear(3, 1)

def made():
    x = taken
    h = model(x).tanh()
    return h.sum(), h, x

def a_third_item():
    loss, h, x = made()
    return loss, model, {"x": x, "h": h}

def without_a_model():
    loss, h, x = made()
    return loss, None, {"x": x, "h": h}

def a_dictionary():
    loss, h, x = made()
    return {"loss": loss, "model": model, "names": {"x": x, "h": h}}

def a_dictionary_without_a_model():
    loss, h, x = made()
    return {"loss": loss, "names": {"x": x, "h": h}}

def outputs():
    loss, h, x = made()
    return {"loss": loss, "h": h}

def three_outputs():
    loss, h, x = made()
    return loss, h.exp(), h * 2

def wrong():
    loss, h, x = made()
    return loss, model, {"x": 3}

def the_models_own():
    loss, h, x = made()
    return loss, model, {"weight": x}
"""


@pytest.mark.parametrize(
    "name", ["a_third_item", "without_a_model", "a_dictionary", "a_dictionary_without_a_model"]
)
def test_tensors_are_called_as_the_function_says(tmp_path, name):
    (tmp_path / "named.py").write_text(NAMES)
    with watched(f"{tmp_path / 'named.py'}:{name}") as (found, _):
        graph = lab.capture(found.loss, model=found.model, names=found.names)
    assert {leaf.variable: leaf.aliases for leaf in graph.leaves} == {"x": (), "weight": (), "bias": ()}
    assert {edge.name for _, _, edge in graph.edges} >= {"h"}
    assert len(graph.roots) == 1


@pytest.mark.parametrize(("name", "count"), [("outputs", 2), ("three_outputs", 3)])
def test_what_has_another_form_is_outputs(tmp_path, name, count):
    (tmp_path / "named.py").write_text(NAMES)
    assert len(lab.capture(load(f"{tmp_path / 'named.py'}:{name}").loss).roots) == count


@pytest.mark.parametrize(
    ("name", "says"),
    [("wrong", "names['x'] is an int"), ("the_models_own", "another tensor than the model's 'weight'")],
)
def test_a_wrong_name_gets_one_line(lab, name, says):
    Path("named.py").write_text(NAMES)
    ran = lab("render", f"named.py:{name}")
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert says in ran.err
