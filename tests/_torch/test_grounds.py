"""What the lab relies on in torch: it's there, all of it is listed, and what is gone is said in one line."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import autograd_lab as lab
from autograd_lab._torch import grounds

FOLDER = Path(grounds.__file__).parent
LISTS = {"grounds.py", "tries_graph.py", "tries_backward.py", "tries_swap.py"}
SOMEWHERE = {"_C", "_functions", "_autograd", "_functorch", "_profiler", "_guards", "_subclasses"}
"""Private modules and namespaces on the way to a name."""

UNTRIED = {
    "_orig_mod": "of a compiled module, and compiling takes seconds",
    "_op_dk": "an operation has it, not its type",
    "_forward_cls": "a Function's own node type has it",
    "_getframe": "CPython's",
    "_lengths": "a jagged tensor has it, not its type",
    "_modules": "a module has it, not its type",
    "_get_fsdp_state": "of a sharded module, and importing what shards takes seconds",
    "_fsdp_param_group": "of a sharded module, as before",
    "_module_info": "of a sharded module, as before",
    "_forward_hooks": "a module has it, not its type",
    "_forward_pre_hooks": "a module has it, not its type",
    "_backward_pre_hooks": "a module has it, not its type",
    "_forward_hooks_always_called": "a module has it, not its type",
}
"""Names that can't be looked up, or not quickly; the tries use all but the first."""


@pytest.fixture(autouse=True)
def looked_up_anew():
    grounds._gone.cache_clear()
    yield
    grounds._gone.cache_clear()


def private_names(path: Path) -> set[str]:
    """The private names that a module uses and doesn't define."""
    tree = ast.parse(path.read_text("utf-8"))
    own = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            of_self = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
            if not of_self and node.attr not in own:
                found.add(node.attr)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("torch"):
            found.update(alias.name for alias in node.names)
    return {name for name in found if name.startswith("_") and not name.startswith("__")}


def test_every_private_name_behind_the_door_is_a_ground():
    listed = {part for ground in grounds.GROUNDS for name in ground.names for part in name.split(".")}
    of_modules = {path.stem for path in FOLDER.glob("*.py")}
    defined_by_neighbours = set()
    for path in FOLDER.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Assign | ast.AnnAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                defined_by_neighbours.update(
                    target.attr
                    for target in targets
                    if isinstance(target, ast.Attribute)
                    and isinstance(target.value, ast.Name)
                    and target.value.id == "self"
                )
    for path in sorted(FOLDER.glob("*.py")):
        if path.name in LISTS:
            continue
        missing = private_names(path) - listed - SOMEWHERE - of_modules - defined_by_neighbours - set(UNTRIED)
        assert not missing, f"{path.name} relies on {sorted(missing)}: add a row to GROUNDS"


def test_all_is_there_and_nothing_is_left_behind():
    handles, namespaces = torch.utils.hooks.RemovableHandle.next_id, set(vars(torch.ops))
    assert dict(grounds.examine()) == dict.fromkeys(grounds.FEATURES, ())
    assert torch.utils.hooks.RemovableHandle.next_id == handles
    assert "twice" not in dir(getattr(torch.ops, "autograd_lab_tried", None))
    assert set(vars(torch.ops)) - namespaces <= {"autograd_lab_tried"}
    for feature in grounds.FEATURES:
        grounds.need(feature)


ROWS = [(ground, name) for ground in grounds.GROUNDS for name in ground.names]


@pytest.mark.parametrize(("ground", "name"), ROWS, ids=[name for _, name in ROWS])
def test_a_name_that_is_gone_is_said_of_the_features_that_rest_on_it(monkeypatch, ground, name):
    """Names of types written in C can't be taken away, so it's the look-up that doesn't find them."""
    there = grounds._there
    monkeypatch.setattr(grounds, "_there", lambda asked: asked != name and there(asked))
    monkeypatch.setattr(grounds, "GROUNDS", (ground, *(row for row in grounds.GROUNDS if row is not ground)))
    resting = {row.features for row in grounds.GROUNDS if name in row.names}
    features = {feature for each in resting for feature in each}
    for feature in grounds.FEATURES:
        if feature not in features:
            grounds.need(feature)
            continue
        with pytest.raises(lab.GroundError) as caught:
            grounds.need(feature)
        assert str(caught.value).startswith(
            f"{feature} doesn't work with torch {torch.__version__}, which has no {name}:"
        )
        assert "\n" not in str(caught.value)


def use_of(feature):
    x = torch.ones(2, requires_grad=True)
    loss = (x * 2).sum()
    match feature:
        case "capture":
            lab.capture(loss)
        case "trace":
            lab.trace(loss)
        case "kernels":
            lab.trace(loss, kernels=True)
        case "watch":
            with lab.watch():
                loss.backward()
        case "Engine":
            lab.Engine(loss)
        case "swap":
            with lab.swap("mul"):
                x * 2


BROKEN = {
    "torch._C._functorch.is_legacy_batchedtensor": {"trace", "kernels", "watch"},
    "torch._C._current_autograd_node": {"trace", "kernels", "watch", "Engine"},
    "torch._C._autograd._get_sequence_nr": {"watch"},
    "torch._C._profiler.gather_traceback": {"kernels"},
    "torch.autograd._is_checkpoint_valid": {"Engine"},
    "torch._C._dispatch_library": {"swap"},
    "torch._C._has_storage": {"capture", "trace", "kernels", "watch", "Engine"},
}


@pytest.fixture(scope="module")
def _imported():
    """The lab imports what it needs when that is first used, which says in other words what is missing."""
    for feature in grounds.FEATURES:
        use_of(feature)


@pytest.mark.usefixtures("_imported")
@pytest.mark.parametrize("name", BROKEN)
def test_a_feature_without_its_ground_says_so_when_it_is_used(monkeypatch, name):
    """The name is really taken away. Whatever doesn't rest on it works as ever."""
    owner, _, attribute = name.rpartition(".")
    found = torch
    for part in owner.split(".")[1:]:
        found = getattr(found, part)
    monkeypatch.delattr(found, attribute)
    said = dict(grounds.examine())
    assert {feature for feature in said if said[feature]} == BROKEN[name]
    for feature in grounds.FEATURES:
        if feature not in BROKEN[name]:
            assert said[feature] == ()
            use_of(feature)
            continue
        assert said[feature] == (f"torch has no {name}",)
        with pytest.raises(lab.GroundError, match=name.replace(".", r"\.")):
            use_of(feature)


@pytest.mark.parametrize("ground", grounds.GROUNDS, ids=lambda ground: ground.look.__name__)
def test_another_behaviour_is_said_of_exactly_the_features_that_rest_on_it(monkeypatch, ground):
    def another():
        """What was so."""
        raise AssertionError("now it is 7")

    changed = ground._replace(look=another)
    monkeypatch.setattr(
        grounds, "GROUNDS", tuple(changed if row is ground else row for row in grounds.GROUNDS)
    )
    monkeypatch.setattr(
        grounds, "_tried", lambda row, tried=grounds._tried: tried(row) if row is changed else None
    )
    said = dict(grounds.examine())
    assert {feature for feature in said if said[feature]} == set(ground.features)
    assert {line for lines in said.values() for line in lines} == {"no longer so: What was so (now it is 7)"}


WITHOUT = """
import torch
del torch._C._functions.AccumulateGrad
import autograd_lab as lab
lab.load
for name in ("capture", "watch"):
    try:
        getattr(lab, name)
    except lab.LabError as error:
        print(error)
"""


def test_a_torch_that_lacks_what_is_imported_at_once_is_said_when_something_is_used():
    ran = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert len(ran.stdout.splitlines()) == 2
    assert ran.stdout.startswith("capture doesn't work with the torch that is installed (AttributeError: ")
    assert "AccumulateGrad" in ran.stdout
