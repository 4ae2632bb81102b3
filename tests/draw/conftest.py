"""Records to draw, and golden text.

After a wanted change of a picture: ``UPDATE_GOLDEN=1 pytest tests/draw``, then read the difference in ``git diff``.
"""

from __future__ import annotations

import math
import os
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path

import pygraphviz
import pytest

import autograd_lab
from autograd_lab.records import (
    Accumulation,
    Contribution,
    Edge,
    GradStats,
    Graph,
    Hook,
    Kernel,
    Node,
    Operand,
    Operation,
    Saved,
    ScalarGraph,
    Source,
    Step,
    TensorMeta,
    Trace,
    Variable,
)

GOLDEN = Path(__file__).parent / "golden"
LEAF = 2**64 - 1


def _meta(*shape: int, dtype: str = "float32") -> TensorMeta:
    return TensorMeta(shape, dtype, "cpu")


def _leaf(node_id: int, name: str, *shape: int, **more: object) -> Node:
    return Node(node_id, "AccumulateGrad", "accumulate", LEAF, (_meta(*shape),), variable=name, **more)


@pytest.fixture
def seed() -> ScalarGraph:
    """loss = (w·x − y)² at x = 2, y = 4, w = 0."""
    return ScalarGraph(
        variables=(
            Variable(0, "output", "loss", 16.0, 1.0),
            Variable(1, "intermediate", "s", -4.0, -8.0),
            Variable(2, "intermediate", "ŷ", 0.0, -8.0),
            Variable(3, "constant", "y", 4.0),
            Variable(4, "leaf", "w", 0.0, -16.0),
            Variable(5, "constant", "x", 2.0),
        ),
        operations=(
            Operation(0, "PowBackward0", "^2", (Operand(1, -8.0, -8.0),), 0),
            Operation(1, "SubBackward0", "−", (Operand(2, 1.0, -8.0), Operand(3)), 1),
            Operation(2, "MulBackward0", "×", (Operand(4, 2.0, -16.0), Operand(5)), 2),
        ),
    )


@pytest.fixture
def product() -> ScalarGraph:
    """The expression w·x alone: the first of the four pictures."""
    return ScalarGraph(
        variables=(
            Variable(0, "output", "ŷ", 0.0, 1.0),
            Variable(1, "leaf", "w", 0.0, 2.0),
            Variable(2, "constant", "x", 2.0),
        ),
        operations=(Operation(0, "MulBackward0", "×", (Operand(1, 2.0, 2.0), Operand(2)), 0),),
    )


@pytest.fixture
def residual() -> Graph:
    """mean(h·h) of h = x + linear(x): parallel edges, a residual edge, slots, names, saved tensors."""
    h = Saved("self", _meta(5, 4), nbytes=80, storage=0, version=0, variable="ĥ", storage_nbytes=80)
    return Graph(
        nodes=(
            Node(0, "MeanBackward0", "op", 5, (_meta(),), (Edge(1, 0),), (Saved("self_sym_numel", value=20),)),
            Node(
                1, "MulBackward0", "op", 4, (_meta(5, 4),), (Edge(2, 0, "ĥ"), Edge(2, 0, "ĥ")),
                (h._replace(name="other"), h),
            ),
            Node(
                2, "AddBackward0", "op", 3, (_meta(5, 4),), (Edge(6, 0), Edge(3, 0)),
                (Saved("alpha", value=1),),
            ),
            Node(
                3, "AddmmBackward0", "op", 2, (_meta(5, 4),), (Edge(4, 0), Edge(6, 0), Edge(5, 0)),
                (
                    Saved("mat1", _meta(5, 4), nbytes=80, storage=1, version=0, variable="x", storage_nbytes=80),
                    Saved(
                        "mat2", _meta(4, 4), nbytes=64, storage=2, version=0, storage_nbytes=64,
                        variable="fc.weight", view="transposed", owner="parameter",
                    ),
                ),
            ),
            _leaf(4, "fc.bias", 4),
            Node(5, "TBackward0", "op", 0, (_meta(4, 4),), (Edge(7, 0),)),
            _leaf(6, "x", 5, 4),
            _leaf(7, "fc.weight", 4, 4, aliases=("head.weight",)),
        ),
        roots=(Edge(0, 0, "loss"),),
    )  # fmt: skip


@pytest.fixture
def every_kind() -> Graph:
    """Each kind of node, several input slots, a slot without gradient, hooks, two outputs, all states of saving."""
    source = Source("C:\\work\\my_ops.py", 12, "forward")
    return Graph(
        nodes=(
            Node(
                0, "UnbindBackward0", "op", 9, (_meta(3), _meta(3)), (Edge(1, 0),),
                (Saved("dim", value=0), Saved("self", released=True)),
            ),
            Node(
                1, "ScaleBackward", "function", 8, (_meta(2, 3),), (Edge(2, 1), None),
                (Saved("saved_tensors[0]", packed="CpuOffload.unpack"), Saved("mode", value='a "quoted" <tag> & \\N')),
                source=source, hooks=(Hook("post_hook", "clip", source=source),),
            ),
            Node(
                2, "CompiledFunctionBackward", "compiled", 7, (_meta(2), _meta(2, 3)), (None, Edge(3, 0)),
                module="head",
            ),
            _leaf(3, "head.w <&>", 2, 3, hooks=(Hook("tensor_pre_hook", "log", 0),)),
        ),
        roots=(Edge(0, 0), Edge(0, 1, "second")),
    )  # fmt: skip


@pytest.fixture
def in_modules() -> Graph:
    """Modules inside modules."""
    names = ["SumBackward0", "ReluBackward0", "AddmmBackward0", "AddmmBackward0"]
    modules = [None, "net.blocks.1", "net.blocks.1.fc", "net.blocks.0.fc"]
    nodes = [
        Node(i, name, "op", 10 - i, (_meta(2),), (Edge(i + 1, 0),), module=module)
        for i, (name, module) in enumerate(zip(names, modules, strict=True))
    ]
    return Graph((*nodes, _leaf(4, "net.blocks.0.fc.bias", 2)), (Edge(0, 0),))


@pytest.fixture
def golden() -> Callable[[str, str], None]:
    """Compares a text with the golden one of that name."""

    def compare(name: str, text: str) -> None:
        path = GOLDEN / name
        if os.environ.get("UPDATE_GOLDEN"):
            path.write_text(text, "utf-8")
        assert text == path.read_text("utf-8"), f"{name} differs; if that's wanted, UPDATE_GOLDEN=1"

    return compare


@pytest.fixture(scope="session")
def repository() -> Path:
    """The folder that holds the package."""
    return Path(autograd_lab.__file__).parent.parent


@pytest.fixture(scope="session")
def svg_of() -> Callable[[str], ElementTree.Element]:
    """Draws dot text with Graphviz, laid out by ``dot``, and reads the SVG."""

    def draw(text: str) -> ElementTree.Element:
        svg = pygraphviz.AGraph(string=text).draw(format="svg", prog="dot")
        return ElementTree.fromstring(svg)

    return draw


@pytest.fixture(scope="session")
def node_texts(svg_of: Callable[[str], ElementTree.Element]) -> Callable[[str], dict[str, list[str]]]:
    """Draws dot text, and gives the lines of text that stand in each node."""
    space = "{http://www.w3.org/2000/svg}"

    def texts(text: str) -> dict[str, list[str]]:
        return {
            group.findtext(f"{space}title", ""): [line.text or "" for line in group.iter(f"{space}text")]
            for group in svg_of(text).iter(f"{space}g")
            if group.get("class") == "node"
        }

    return texts


def _stats(norm: float, **others: int) -> GradStats:
    return GradStats(_meta(), norm=norm, **others)


@pytest.fixture
def trace() -> Trace:
    """The backward of a sum of one leaf with itself, with a gradient that isn't finite."""
    graph = Graph(
        (
            Node(0, "AddBackward0", "op", 1, (_meta(),), (Edge(1, 0), Edge(1, 0))),
            Node(1, "AccumulateGrad", "accumulate", 2**64 - 1, (_meta(),), variable="w"),
        ),
        (Edge(0, 0, "loss"),),
    )
    steps = (
        Step(
            0, 0, (_stats(1.0),), (_stats(1.0), _stats(math.inf, nans=0, infs=1)), 0, 2_000_000,
            kernels=(Kernel("aten::add.Tensor", "input_buffer"),), contributions=(Contribution(0, None),),
        ),
        Step(
            1, 1, (_stats(2.0),), (), 3_000_000, 500_000,
            contributions=(Contribution(0, 0, 0, _stats(1.0)), Contribution(0, 0, 1, _stats(1.0))),
            accumulation=Accumulation("added", _stats(1.0), _stats(3.0)),
        ),
    )  # fmt: skip
    return Trace(graph, steps, 4_000_000)
