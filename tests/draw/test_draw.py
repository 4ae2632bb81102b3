"""``draw`` works on a machine without torch, and a table needs nothing that draws."""

import ast
import os
import subprocess
import sys

import pytest

from autograd_lab import records

SCRIPT = """
import sys
for name in {blocked}:
    sys.modules[name] = None  # importing it now raises ImportError
from autograd_lab import records
from autograd_lab.draw import draw
graph = records.loads(sys.stdin.buffer.read().decode())
for format in {formats}:
    assert draw(graph, format)
str(graph)
print(sorted(name for name, module in sys.modules.items() if module and name.split(".")[0] in {watched}))
"""
TORCH = ["torch", "torchviz", "numpy"]
HEAVY = ["pygraphviz", "graphviz", "matplotlib", "fast_sugiyama"]


def run(graph, repository, **words: object) -> str:
    script = SCRIPT.format(**{name: repr(word) for name, word in words.items()})
    done = subprocess.run(
        [sys.executable, "-c", script],
        input=records.dumps(graph).encode(),
        capture_output=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(repository)},
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode().strip()


def test_every_format_works_without_torch(residual, repository):
    formats = ["dot", "svg", "png", "pdf", "txt", "md", "json"]
    assert run(residual, repository, blocked=TORCH, formats=formats, watched=TORCH) == "[]"


def test_text_needs_nothing_that_draws(residual, repository):
    found = run(
        residual, repository, blocked=TORCH + HEAVY, formats=["txt", "dot", "md", "json"], watched=HEAVY
    )
    assert found == "[]"


def test_the_package_imports_the_ground_floor_records_and_itself_alone(repository):
    allowed = ("autograd_lab.records", "autograd_lab.errors", "autograd_lab.hold", "autograd_lab.draw")
    elsewhere = {}
    for path in sorted((repository / "autograd_lab" / "draw").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            modules = (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [f"{node.module}.{alias.name}" for alias in node.names]
                if isinstance(node, ast.ImportFrom)
                else []
            )
            for module in modules:
                inside = module.startswith("autograd_lab")
                if (inside and not module.startswith(allowed)) or module.split(".")[0] in TORCH:
                    elsewhere.setdefault(path.name, []).append(module)
    assert elsewhere == {}


def test_blocking_a_module_blocks_it(residual, repository):
    with pytest.raises(AssertionError, match=r"ModuleNotFoundError: No module named 'rich"):
        run(residual, repository, blocked=["rich"], formats=["txt"], watched=["rich"])
