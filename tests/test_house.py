"""The house as ``docs/architecture.md`` shows it: who may import whom, and who may touch torch's private parts."""

from __future__ import annotations

import ast
import graphlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import autograd_lab as lab

PACKAGE = Path(__file__).parent.parent / "autograd_lab"
FILES = sorted(PACKAGE.rglob("*.py"))

OUTSIDE = {
    "torch",
    "torchviz",
    "numpy",
    "graphviz",
    "pygraphviz",
    "fast_sugiyama",
    "matplotlib",
    "rich",
    "click",
    "pytest",
    "tensorboard",
}

MAY_IMPORT = {
    "errors": set(),
    "exceptions": set(),
    "hold": set(),
    "chosen": set(),
    "_version": set(),
    "records": {"errors", "hold", "records"},
    "_torch": {"torch", "errors", "exceptions", "hold", "_torch"},
    "capture": {"torch", "errors", "hold", "records", "_torch", "capture"},
    "live": {"errors", "hold", "records", "live"},
    "backward": {
        "torch", "errors", "exceptions", "hold", "chosen", "records", "live", "_torch", "capture", "backward",
    },
    "functions": {"torch", "hold", "functions"},
    "swap_kernel": {"torch", "_torch", "functions"},
    "swap": {"torch", "errors", "hold", "_torch", "functions", "swap_kernel"},
    "draw": {"errors", "hold", "records", "draw", "rich", "graphviz", "pygraphviz", "fast_sugiyama", "matplotlib"},
    "summaries": {"errors", "records", "draw", "tensorboard"},
    "verify": {
        "torch", "errors", "hold", "records", "_torch", "capture", "backward", "functions", "swap", "verify",
    },
    "testing": {"pytest", "records", "draw", "verify"},
    "pictures": {"torch", "torchviz", "errors", "records", "capture", "backward", "draw"},
    "show": {"torch", "errors", "hold", "records", "capture", "pictures"},
    "tour": {"errors", "records", "draw", "pictures", "tour"},
    "byhand": {"numpy", "errors"},
    "bytorch": {"torch", "byhand", "errors", "numpy"},
    "cli": {
        "torch", "click", "rich", "errors", "exceptions", "hold", "chosen", "records", "_torch", "capture", "backward",
        "draw", "pictures", "show", "byhand", "bytorch",
        "verify", "tour", "cli", "_version", "",
    },
    "__main__": {"cli"},
}  # fmt: skip
"""For each part of the package, the parts and the outside packages that it may import; "" is the public face."""


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def modules_imported(path: Path) -> Iterator[str]:
    """Every name that a file imports, with its module before it, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imports(path: Path) -> set[str]:
    """Every part and outside package that a file imports."""
    found = set()
    for module in modules_imported(path):
        top, _, rest = module.partition(".")
        if top == "autograd_lab":
            name = rest.partition(".")[0]
            known = (PACKAGE / name).is_dir() or (PACKAGE / f"{name}.py").is_file()
            found.add(name if name and known else "")
        elif top in OUTSIDE:
            found.add(top)
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_in_one_direction(path):
    if path == PACKAGE / "__init__.py":
        return  # the public face: it imports whatever is public
    assert imports(path) <= MAY_IMPORT[part_of(path)]


RUNNING = {"engine", "glass", "python_function", "run_node", "which_backward"}


@pytest.mark.parametrize("path", sorted((PACKAGE / "capture").rglob("*.py")), ids=lambda path: path.stem)
def test_capture_runs_nothing(path):
    """It can't: what runs a node, or a backward, is behind these doors."""
    doors = {f"autograd_lab._torch.{name}" for name in RUNNING}
    assert not {name for name in modules_imported(path) if any(name.startswith(door) for door in doors)}


BOTH = {"bits", "histograms", "leaf", "numbers", "stats"}
NATIVE = {
    "forward", "kernels", "modules", "recorder", "root", "timeline", "trace", "turn", "watch"
}  # fmt: skip
LABS_OWN = {
    "accumulate", "buffers", "call", "engine", "exec_info", "graph_task", "receive", "scalar", "stops", "tensor_hooks"
}  # fmt: skip

IN_BACKWARD = (
    dict.fromkeys(BOTH, BOTH)
    | dict.fromkeys(NATIVE, BOTH | NATIVE)
    | dict.fromkeys(LABS_OWN, BOTH | LABS_OWN)
    | {"check": BOTH | NATIVE | LABS_OWN}
)
"""For each module of ``backward``, those that it may import: the native engine's half doesn't know the lab's own."""


@pytest.mark.parametrize("path", sorted((PACKAGE / "backward").rglob("*.py")), ids=lambda path: path.stem)
def test_the_two_halves_of_backward_know_nothing_of_each_other(path):
    if path.stem == "__init__":
        return  # the room's face
    for module in modules_imported(path):
        if module.startswith("autograd_lab.backward."):
            assert module.split(".")[2] in IN_BACKWARD[path.stem], module


GROUND = {"picture", "groups", "theme", "words", "digits", "progress", "scales", "dark", "svg"}

IN_DRAW = {
    "picture": set(),
    "groups": {"picture"},
    "theme": set(),
    "scales": {"theme"},
    "dark": {"theme"},
    "svg": {"dark", "picture", "scales"},
    "digits": set(),
    "words": {"digits", "picture"},
    "plan": GROUND | {"plan"},
    "progress": set(),
    "native": {"native"},
    "layout": GROUND | {"native", "layout"},
    "write": GROUND | {"layout", "plan", "write"},
    "views": GROUND | {"plan", "plots", "views"},  # plots: the registry's row for norms
    "plots": GROUND | {"plots"},
    "tables": GROUND | {"plan", "tables"},
    "images": GROUND | {"layout", "native", "write"},
    "page": GROUND | {"plan", "page"},
    "formats": GROUND | {"images", "page", "tables", "views", "write"},
    "notebook": GROUND | {"formats", "page"},
}
"""For each room of ``draw``, the rooms that it may import."""


@pytest.mark.parametrize("path", sorted((PACKAGE / "draw").rglob("*.py")), ids=lambda path: path.stem)
def test_the_stages_of_drawing_follow_one_another(path):
    room = path.relative_to(PACKAGE / "draw").parts[0].removesuffix(".py")
    if room == "__init__":
        return  # the room's face
    for module in modules_imported(path):
        if module.startswith("autograd_lab.draw."):
            assert module.split(".")[2] in IN_DRAW[room], module


def test_a_type_has_one_home():
    """No two modules give the same name to the same type."""
    homes: dict[tuple[str, str], list[str]] = {}
    for path in FILES:
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
                target = node.targets[0] if isinstance(node, ast.Assign) else node.target
                if isinstance(target, ast.Name) and len(target.id) > 1 and target.id.istitle():
                    homes.setdefault((target.id, ast.unparse(node.value)), []).append(str(path))
    assert not {name: where for (name, _), where in homes.items() if len(where) > 1}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_private_attributes_of_torch_are_named_only_behind_the_door(path):
    if part_of(path) == "_torch":
        return
    tree = ast.parse(path.read_text("utf-8"))
    own = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    allowed = {
        "_replace",
        "_fields",
        "_asdict",
        "_field_defaults",
        "_repr_mimebundle_",
    }  # named tuples', and IPython's
    for node in ast.walk(tree):
        if not isinstance(node, ast.Attribute) or not node.attr.startswith("_") or node.attr.startswith("__"):
            continue
        base = node.value
        of_self = isinstance(base, ast.Name) and base.id in ("self", "cls")
        assert of_self or node.attr in own or node.attr in allowed, (
            f"{path.name}:{node.lineno} uses .{node.attr}"
        )


WITHOUT_TORCH = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name == "torch" or name.startswith("torch."):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Refuse())
import importlib.util
real = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if name == "torch" else real(name, package)
import autograd_lab as lab
from autograd_lab import draw
graph = lab.load(sys.argv[1])
assert "PowBackward0" in str(graph)
assert draw.draw(graph, "svg").startswith("<?xml")
assert draw.draw(graph, "html").startswith("<!doctype html>")
assert not [name for name in sys.modules if name.split(".")[0] == "torch"]
print(len(graph))
"""


def test_a_saved_record_is_drawn_on_a_machine_without_torch(tmp_path):
    import torch

    path = lab.save(lab.capture((torch.ones(1, requires_grad=True) * 2) ** 2), tmp_path / "graph.json")
    ran = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, str(path)], capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stdout) == (0, "3\n"), ran.stderr


PUBLIC = sorted(lab.__all__)


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_is_there_and_documented(name):
    assert getattr(lab, name).__doc__
    assert name in dir(lab)


def test_type_checkers_are_told_the_same_names():
    tree = ast.parse((PACKAGE / "__init__.py").read_text("utf-8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    told = {
        (alias.asname, imported.module.removeprefix("autograd_lab").lstrip("."))
        for imported in block.body
        for alias in imported.names
    }
    homes = {name: home for name, home in lab._HOMES.items() if name != "functions"}
    assert told == set(homes.items()) | {("functions", "")}


FIRST = """
import itertools, os, sys, torch

def first(name, statement):
    import autograd_lab as lab
    exec(statement)
    exec(f"import autograd_lab.{name}")
    asked = getattr(lab, name)
    assert asked is not sys.modules[f"autograd_lab.{name}"], asked
    assert callable(asked)
    imported = {}
    exec(f"from autograd_lab import {name}", imported)
    assert imported[name] is asked

statements = ("lab.{}", "import autograd_lab.{}", "from autograd_lab.{} import *", "lab.render")
for name, statement in itertools.product(("capture", "verify", "swap"), statements):
    assert not any(module.startswith("autograd_lab") for module in sys.modules)
    if (child := os.fork()) == 0:
        first(name, statement.format(name))
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        print(name, statement)
"""


def test_a_function_is_not_hidden_by_its_package():
    """Whichever is asked for first: each in an interpreter that has imported torch, and nothing of the lab."""
    ran = subprocess.run([sys.executable, "-c", FIRST], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")


@pytest.mark.parametrize(
    "statement",
    [
        "import autograd_lab as lab; lab.LabError, lab.load, dir(lab)",
        "from autograd_lab.cli import main",
        "import autograd_lab.testing",
    ],
)
def test_torch_is_imported_when_it_is_needed(statement):
    """``--help`` and ``load`` don't wait for it; nor for rich, Graphviz, matplotlib or torchviz."""
    slow = "{'torch', 'numpy', 'rich', 'graphviz', 'pygraphviz', 'matplotlib', 'torchviz', 'fast_sugiyama'}"
    code = f"import sys; {statement}; print(sorted({slow} & set(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ran.stdout, ran.stderr) == ("[]\n", "")


def test_distutils_waits_for_the_view_of_torchviz():
    code = (
        "import sys, torch, autograd_lab as lab\n"
        "x = torch.ones(2, requires_grad=True)\n"
        "lab.render((x * 2).sum(), format='dot')\n"
        "assert not {'torchviz', 'distutils'} & set(sys.modules)\n"
        "lab.render((x * 2).sum(), format='dot', view='torchviz')\n"
        "assert 'torchviz' in sys.modules\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_the_architecture_page_names_every_module():
    page = (PACKAGE.parent / "docs" / "architecture.md").read_text("utf-8")
    for path in FILES:
        if path.name != "__init__.py":
            assert path.name in page, path


TESTS = PACKAGE.parent / "tests"


def module_of(test: Path) -> Path:
    """Returns the file that a test is about by its place; a room's own test is about what its face promises."""
    folder, name = test.parent, test.name.removeprefix("test_")
    return folder / "__init__.py" if folder.name == name.removesuffix(".py") else folder / name


def test_tests_lie_where_their_modules_lie():
    """What is about several modules, or the whole, lies in ``tests`` itself; what takes a browser, in ``page``."""
    ours = {path.relative_to(PACKAGE) for path in FILES}
    tests = [path.relative_to(TESTS) for path in TESTS.rglob("test_*.py")]
    in_rooms = {test for test in tests if test.parent.parts and test.parts[0] not in ("docs", "page")}
    assert not {str(test) for test in in_rooms if module_of(test) not in ours}
    in_itself = {test for test in tests if not test.parent.parts and module_of(test) not in ours}
    rooms = {path.name: path for path in ours if path.parent.parts and path.name != "__init__.py"}
    assert not {
        f"{test} is about {rooms[module_of(test).name]}"
        for test in in_itself
        if module_of(test).name in rooms
    }


TESTED_IN = {
    # Each rule by its own samples: values, gradients, tangents, batches, formulas.
    "functions/test_rule.py": """functions/activation functions/arithmetic functions/average_pooling
        functions/batch_norm functions/exponential functions/group_norm functions/max_pooling functions/operands
        functions/power functions/roots functions/samples functions/standardize functions/windows""",
    # What only shows where torch runs with it: its private parts, by what the lab does with them.
    "_torch/test_grounds.py": "_torch/tries_graph _torch/tries_backward _torch/tries_swap",
    "backward/test_check.py": "_torch/grad_access",
    "backward/test_engine.py": "_torch/glass _torch/which_backward",
    "backward/test_kernels.py": "_torch/kernels",
    "backward/test_modules.py": "_torch/modules _torch/module_hooks backward/root",
    "backward/test_numbers.py": "_torch/readable",
    "test_swap_blocks.py": "_torch/changes",
    "test_swap_checkpoint.py": "_torch/checkpoint",
    "test_swap_compiled.py": "_torch/applied",
    "test_warnings.py": "_torch/called_from _torch/warned_at",
    # Parts of one thing, which a test sees as a whole.
    "backward/test_watch.py": "backward/forward",
    "backward/test_trace.py": "backward/turn",
    "capture/test_names.py": "capture/models",
    "test_swap.py": "swap_kernel",
    "test_byhand.py": "bytorch",
    "draw/plan/test_collapse.py": "draw/plan/homes draw/plan/repeats",
    "draw/plan/test_heat.py": "draw/plan/sums",
    "draw/test_formats.py": "draw/images",
    "draw/test_theme.py": "draw/dark draw/scales",
    "draw/native/test_isolated.py": "draw/native/child",
    "draw/views/test_trace.py": "draw/views/module",
    "draw/views/test_graph.py": "draw/words",
    "draw/layout/test_furnishing.py": "draw/write/legend",
    "draw/write/test_modelexplorer.py": "draw/write/nodedata",
    "draw/tables/test_screen.py": "draw/tables/check",
    "verify/test_model.py": "draw/tables/verify verify/leaves verify/parting",
    "verify/test_checks.py": "verify/modes verify/results verify/subject",
    "verify/test_run.py": "verify/rows verify/samples",
    "verify/test_compare.py": "verify/terms",
    "draw/test_notebook.py": "records/display",
    # Plain data: read and written, and checked when they're read.
    "records/test_jsonio.py": "records/check records/graph records/scalar records/trace records/verify",
    # Commands, run as a shell runs them.
    "cli/test_step.py": "cli/debugger cli/breakpoints",
    "cli/test_render.py": "cli/options",
    "cli/test_run.py": "cli/script __main__",
    "cli/test_doctor.py": "_version",
}
"""The modules that have no test of their own path, by the test that is about them."""


def test_every_module_has_a_test():
    """Where its module lies, or else in a file that is named above."""
    modules = {str(path.relative_to(PACKAGE).with_suffix("")) for path in FILES if path.name != "__init__.py"}
    own = {name for name in modules if (TESTS / name).with_name(f"test_{Path(name).name}.py").is_file()}
    elsewhere = {name for names in TESTED_IN.values() for name in names.split()}
    without = modules - own - elsewhere
    assert not without
    unknown = (elsewhere - modules) | {test for test in TESTED_IN if not (TESTS / test).is_file()}
    assert not unknown
    have_their_own_by_now = elsewhere & own
    assert not have_their_own_by_now


def test_what_tests_share_lies_in_one_folder():
    loose = {
        path
        for path in TESTS.rglob("*.py")
        if not path.name.startswith("test_") and path.name != "conftest.py"
    }
    assert {path.parent for path in loose} == {TESTS / "support"}


def counted(tree: ast.AST) -> Iterator[str]:
    """The names of what counts from 0."""
    for node in ast.walk(tree):
        if isinstance(node, ast.For | ast.comprehension) and isinstance(node.iter, ast.Call):
            function, given = ast.unparse(node.iter.func), len(node.iter.args) + len(node.iter.keywords)
            if function == "range" and given == 1:
                yield ast.unparse(node.target)
            elif function == "enumerate" and given == 1 and isinstance(node.target, ast.Tuple):
                yield ast.unparse(node.target.elts[0])


def whole_numbers_passed(tree: ast.AST) -> Iterator[str]:
    """The names of arguments that are whole numbers."""
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.arg)
            and node.annotation is not None
            and ast.unparse(node.annotation) == "int"
        ):
            yield node.arg


def test_an_index_is_called_so():
    """Not a place, a number or ``at``, which mean other things; a backward and a chapter have a number."""
    trees = {path: ast.parse(path.read_text("utf-8")) for path in FILES}
    assert not {path for path, tree in trees.items() if {"at", "place", "number"} & set(counted(tree))}
    assert not {path for path, tree in trees.items() if {"at", "place"} & set(whole_numbers_passed(tree))}


def test_two_types_share_no_name():
    """A class that begins with "_" is a module's own; what is public is told apart by its name alone."""
    homes: dict[str, list[str]] = {}
    for path in FILES:
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.ClassDef):
                name = node.name
            elif isinstance(node, ast.AnnAssign) and ast.unparse(node.annotation) == "TypeAlias":
                name = ast.unparse(node.target)
            else:
                continue
            if not name.startswith("_"):
                homes.setdefault(name, []).append(str(path.relative_to(PACKAGE)))
    assert not {name: where for name, where in homes.items() if len(where) > 1}


MOST_FLOORS = 8


def below(room: Path) -> dict[str, set[str]]:
    """For each file and folder of a room, those beside it that it imports; the room's face is left out."""
    inside = ".".join(room.relative_to(PACKAGE.parent).parts) + "."
    names = {path.relative_to(room).parts[0].removesuffix(".py") for path in room.rglob("*.py")} - {
        "__init__"
    }
    imported: dict[str, set[str]] = {name: set() for name in names}
    for path in room.rglob("*.py"):
        name = path.relative_to(room).parts[0].removesuffix(".py")
        if name in names:
            targets = {
                each.removeprefix(inside).split(".")[0]
                for each in modules_imported(path)
                if each.startswith(inside)
            }
            imported[name] |= targets & names - {name}
    return imported


def floors(room: Path) -> list[set[str]]:
    """The room's files and folders, from the ground floor up: each stands as low as what it imports allows."""
    sorter = graphlib.TopologicalSorter(below(room))
    sorter.prepare()
    found = []
    while sorter.is_active():
        ready = sorter.get_ready()
        found.append(set(ready))
        sorter.done(*ready)
    return found


ROOMS = sorted({path.parent for path in FILES})


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: str(room.relative_to(PACKAGE.parent)))
def test_no_import_leads_in_a_circle_or_through_many_floors(room):
    assert len(floors(room)) <= MOST_FLOORS


@pytest.mark.parametrize("room", [PACKAGE, PACKAGE / "draw"], ids=lambda room: room.name)
def test_the_architecture_page_shows_the_floors(room):
    """If this fails: put a new part onto the lowest line at which it is above everything that it imports."""
    page = (PACKAGE.parent / "docs" / "architecture.md").read_text("utf-8")
    shown = re.search(rf"^{room.name}\n((?:  .+\n)+)", page.partition("**Floors.**")[2], re.MULTILINE)
    lines = [set(line.strip().split(", ")) for line in shown[1].splitlines()]
    assert lines[::-1] == floors(room)


def test_the_architecture_page_shows_the_halves_of_backward():
    page = (PACKAGE.parent / "docs" / "architecture.md").read_text("utf-8")
    paragraph = page.partition("In `backward` two houses")[2].partition("\n\n")[0]
    native, own, both = (
        set(re.findall(r"`(\w+)`", part)) for part in re.split(r"the lab's own|They share", paragraph)
    )
    assert (native, own, both) == (NATIVE, LABS_OWN, BOTH | {"check"})


def test_docstrings_say_what_is_returned_in_the_usual_word():
    """Not that a function gives or says something."""
    described = {
        f"{path.name}: {text.splitlines()[0]}"
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and (text := ast.get_docstring(node))
    }
    assert not {line for line in described if line.split(": ", 1)[1].startswith(("Gives", "Says whether"))}
