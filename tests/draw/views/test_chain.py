"""The chain rule written out: true, and short enough to read."""

import re

import pytest
from hypothesis import given, strategies as st

from autograd_lab.draw.views.chain import WrittenChain
from autograd_lab.records import Operand, Operation, ScalarGraph, Variable


def line(
    *locals_: float | complex | None, grad: float | complex, names: bool = True, arrives: float | None = None
) -> str:
    """The text for the leaf at the end of one path with these local gradients, from the output."""
    count = len(locals_)
    kinds = ["output"] + ["intermediate"] * (count - 1) + ["leaf"]
    variables = tuple(
        Variable(i, kind, f"v{i}" if names else None, 0.0, grad) for i, kind in enumerate(kinds)
    )
    operations = tuple(
        Operation(i, "X", "x", (Operand(i + 1, local, arrives),), i) for i, local in enumerate(locals_)
    )
    return " ".join(WrittenChain(ScalarGraph(variables, operations)).lines(variables[-1]))


def fan(*locals_: float, grad: float, arrives: tuple[float | None, ...] | None = None) -> str:
    """The text for a leaf that goes straight into the output, this often."""
    operands = tuple(Operand(1, local, arrives[i] if arrives else local) for i, local in enumerate(locals_))
    y, w = Variable(0, "output", "y", 0.0, 1.0), Variable(1, "leaf", "w", 0.0, grad)
    return " ".join(WrittenChain(ScalarGraph((y, w), (Operation(0, "X", "x", operands, 0),))).lines(w))


def test_a_path_is_a_product():
    assert line(-8.0, 1.0, 2.0, grad=-16.0) == "∂v0/∂v3 = ∂v0/∂v1 · ∂v1/∂v2 · ∂v2/∂v3 = −8 · 1 · 2 = −16"


def test_without_names_there_are_only_numbers():
    assert line(2.0, -3.0, grad=-6.0, names=False) == "∂output/∂v2 = 2 · (−3) = −6"


def test_one_step_is_its_own_answer():
    assert line(2.0, grad=2.0) == "∂v0/∂v1 = 2"


def test_several_paths_are_a_sum():
    assert fan(3.0, -1.5, grad=1.5) == "∂y/∂w = 3 + (−1.5) = 1.5"
    assert fan(-3.0, 3.0, grad=0.0) == "∂y/∂w = −3 + 3 = 0"


def test_a_product_that_is_not_the_gradient_is_not_written():
    # A hook doubled the gradient on its way: the locals' product isn't what arrived.
    assert line(-8.0, 2.0, grad=-32.0, arrives=-32.0) == "∂v0/∂v2 = −32"
    assert fan(1.0, 2.0, grad=30.0, arrives=(10.0, 20.0)) == "∂y/∂w = 10 + 20 = 30"
    assert fan(1.0, 2.0, grad=30.0, arrives=(None, 20.0)) == "∂y/∂w = 30"


def test_a_local_gradient_that_is_not_known_leaves_what_arrives():
    assert line(None, 2.0, grad=6.0, arrives=6.0) == "∂v0/∂v2 = 6"


def test_many_paths_are_counted_by_what_arrives():
    assert fan(*[1.0] * 5, grad=5.0) == "∂y/∂w = 1 + 1 + 1 + 1 + 1 = 5"
    assert fan(*[1.0] * 57, grad=57.0) == "∂y/∂w = the sum of 57 gradients = 57"


def test_a_path_too_long_to_read_is_only_its_answer():
    assert line(*[2.0] * 9, grad=512.0) == "∂v0/∂v9 = 512"


def test_complex_factors_are_bracketed():
    assert line(2.0, 1 + 1j, grad=2 + 2j).endswith("2 · (1 + 1i) = 2 + 2i")


def test_nan_equals_nothing():
    assert line(float("nan"), 1.0, grad=float("nan")) == "∂v0/∂v2 = nan"


def test_paths_that_double_at_each_step_cost_nothing():
    depth = 2_000
    variables = tuple(
        Variable(i, "output" if i == 0 else "leaf" if i == depth else "intermediate", f"v{i}", 0.0, 1.0)
        for i in range(depth + 1)
    )
    operations = tuple(Operation(i, "X", "+", (Operand(i + 1, 0.5, 0.5),) * 2, i) for i in range(depth))
    chain = WrittenChain(ScalarGraph(variables, operations))
    assert chain.lines(variables[-1]) == [f"∂v0/∂v{depth} = 0.5 + 0.5 = 1"]


@given(st.lists(st.integers(-9, 9), min_size=2, max_size=6))
def test_what_is_written_is_true(factors):
    grad = 1
    for factor in factors:
        grad *= factor
    text = line(*map(float, factors), grad=float(grad))
    numbers = text.rsplit("= ", 2)[-2].replace("−", "-").replace("·", "*")
    assert re.fullmatch(r"[-\d*() ]+", numbers)
    assert eval(numbers) == grad == int(text.rsplit("= ", 1)[1].replace("−", "-"))


def test_paths_of_several_steps_are_products_that_are_added():
    variables = (
        Variable(0, "output", "y", 0.0, 1.0),
        Variable(1, "intermediate", "a", 0.0, -2.0),
        Variable(2, "intermediate", "b", 0.0, 5.0),
        Variable(3, "leaf", "w", 0.0, 9.0),
    )
    operations = (
        Operation(0, "X", "x", (Operand(1, -2.0), Operand(2, 5.0)), 0),
        Operation(1, "X", "x", (Operand(3, 3.0),), 1),
        Operation(2, "X", "x", (Operand(3, 3.0),), 2),
    )
    chain = WrittenChain(ScalarGraph(variables, operations))
    assert chain.lines(variables[3]) == ["∂y/∂w = −2 · 3 + 5 · 3 = 9"]


@pytest.mark.parametrize(
    ("first", "second", "written"),
    [
        (0.1234, 0.1234, ["∂y/∂w = 0.1234 · (−0.5678)", "+ 0.1234 · (−0.5678)", "= −0.1401"]),
        (-0.1234, -1e-9, ["∂y/∂w = −0.1234 · (−0.5678)", "+ (−1×10⁻⁹ · (−0.5678))", "= 0.07007"]),
    ],
)
def test_long_sums_have_a_line_for_each_path(first, second, written):
    variables = (
        Variable(0, "output", "y", 0.0, 1.0),
        *(Variable(i, "intermediate", None, 0.0, 0.0) for i in (1, 2)),
        Variable(3, "leaf", "w", 0.0, (first + second) * -0.5678),
    )
    operations = (
        Operation(0, "X", "x", (Operand(1, first), Operand(2, second)), 0),
        Operation(1, "X", "x", (Operand(3, -0.5678),), 1),
        Operation(2, "X", "x", (Operand(3, -0.5678),), 2),
    )
    assert WrittenChain(ScalarGraph(variables, operations)).lines(variables[3]) == written
