"""The scalar view's numbers, against the worked example and against ``torch.autograd.grad``."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings, strategies as st

from autograd_lab.backward.scalar import capture_scalar
from autograd_lab.errors import GradientError, GraphError
from autograd_lab.records import dumps, loads


def seed():
    w, x, y = torch.tensor(0.0, requires_grad=True), torch.tensor(2.0), torch.tensor(4.0)
    y_hat = w * x
    s = y_hat - y
    return s**2, {"w": w, "x": x, "y": y, "ŷ": y_hat, "s": s}


def by_name(graph):
    return {variable.name: variable for variable in graph.variables}


def test_the_worked_example():
    loss, names = seed()
    graph = capture_scalar(loss, names={**names, "loss": loss})
    values = {name: variable.value for name, variable in by_name(graph).items()}
    assert values == {"w": 0.0, "x": 2.0, "y": 4.0, "ŷ": 0.0, "s": -4.0, "loss": 16.0}
    assert by_name(graph)["w"].grad == -16.0
    locals_ = {
        (graph.variables[operation.result].name, graph.variables[operand.variable].name): operand.local
        for operation in graph.operations
        for operand in operation.operands
    }
    assert locals_ == {
        ("loss", "s"): -8.0,
        ("s", "ŷ"): 1.0,
        ("s", "y"): None,
        ("ŷ", "w"): 2.0,
        ("ŷ", "x"): None,
    }
    assert [operation.symbol for operation in graph.operations] == ["^2", "−", "×"]
    kinds = {name: variable.kind for name, variable in by_name(graph).items()}
    assert kinds == {
        "loss": "output", "s": "intermediate", "ŷ": "intermediate", "w": "leaf", "x": "constant", "y": "constant"
    }  # fmt: skip


def test_it_goes_to_json_and_back():
    loss, names = seed()
    graph = capture_scalar(loss, names=names)
    assert loads(dumps(graph)) == graph


def test_nothing_is_freed_and_no_grad_is_touched():
    loss, names = seed()
    capture_scalar(loss, names=names)
    assert names["w"].grad is None
    loss.backward()
    assert names["w"].grad == -16.0


def test_no_hook_is_called():
    loss, names = seed()
    called = []
    names["s"].register_hook(lambda grad: called.append("tensor"))
    loss.grad_fn.register_hook(lambda *grads: called.append("node"))
    names["w"].register_post_accumulate_grad_hook(lambda leaf: called.append("leaf"))
    capture_scalar(loss, names=names)
    assert called == []


def test_a_variable_used_twice_sums_what_arrives():
    a, b = (torch.tensor(value, dtype=torch.float64, requires_grad=True) for value in (3.0, 5.0))
    loss = a * b + a
    graph = capture_scalar(loss, names={"a": a, "b": b})
    assert by_name(graph)["a"].grad == 6.0
    assert by_name(graph)["b"].grad == 3.0
    arrivals = [
        operand.arrives
        for operation in graph.operations
        for operand in operation.operands
        if graph.variables[operand.variable].name == "a"
    ]
    assert sorted(arrivals) == [1.0, 5.0]


def test_an_operand_that_nobody_kept_and_nobody_named_has_no_value():
    w = torch.tensor(1.0, requires_grad=True)
    graph = capture_scalar(w - 4.0, names={"w": w})
    (constant,) = (variable for variable in graph.variables if variable.kind == "constant")
    assert (constant.name, constant.value) == (None, None)


def test_a_named_tensor_that_fits_two_places_is_not_drawn():
    w, y = torch.tensor(1.0, requires_grad=True), torch.tensor(4.0)
    first = w - y
    second = first + y
    loss = second * 1.0
    assert by_name(capture_scalar(loss, names={"w": w, "y": y, "first": first}))["y"].value == 4.0
    assert "y" not in by_name(capture_scalar(loss, names={"w": w, "y": y, "first": first, "second": second}))


def test_a_named_tensor_that_was_no_part_of_it_is_not_drawn():
    loss, names = seed()
    other = torch.tensor(7.0)
    assert "other" not in by_name(capture_scalar(loss, names={**names, "other": other}))


def test_shapes_of_one_element_may_differ():
    a = torch.full((1, 1), 3.0, requires_grad=True)
    b = torch.tensor(2.0, requires_grad=True)
    graph = capture_scalar((a * b).sum(), names={"a": a, "b": b})
    assert (by_name(graph)["a"].grad, by_name(graph)["b"].grad) == (2.0, 3.0)


def test_a_python_function_is_run_through_apply():
    class Cube(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        def backward(ctx, grad):
            (x,) = ctx.saved_tensors
            return 3 * x**2 * grad

    w = torch.tensor(2.0, requires_grad=True)
    graph = capture_scalar(Cube.apply(w), names={"w": w})
    assert by_name(graph)["w"].grad == 12.0
    assert graph.operations[0].operands[0].local == 12.0


def test_complex_numbers():
    z = torch.tensor(1 + 2j, requires_grad=True)
    graph = capture_scalar((z * 3j).abs(), names={"z": z})
    (expected,) = torch.autograd.grad((z * 3j).abs(), z)
    assert by_name(graph)["z"].grad == expected.item()


Z = torch.tensor(1 + 2j)
C64 = torch.complex64

REAL = {
    "mul": lambda a: a * Z,
    "add": lambda a: a + Z,
    "div": lambda a: Z / a,
    "pow": lambda a: a**Z,
    "to": lambda a: a.to(C64) * Z,
    "complex": lambda a: torch.complex(a, a) * Z,
}
"""Operations whose formulas take the real part of a complex gradient for a real number."""

COMPLEX = {
    "where": lambda a: torch.where(torch.tensor(True), a, Z) * Z,
    "masked_fill": lambda a: torch.zeros((), dtype=C64).masked_fill(torch.tensor(True), a) * Z,
    "sum": lambda a: a.sum(dtype=C64) * Z,
    "prod": lambda a: a.prod(dtype=C64) * Z,
    "mean": lambda a: a.mean(dtype=C64) * Z,
}
"""Operations whose formulas forget it: the engine refuses what they return."""


@pytest.mark.parametrize("name", REAL)
def test_a_formula_makes_a_gradient_real(name):
    a = torch.tensor(3.0, requires_grad=True)
    loss = REAL[name](a).abs()
    (expected,) = torch.autograd.grad(loss, a, retain_graph=True)
    assert by_name(capture_scalar(loss, names={"a": a}))["a"].grad == expected.item()


@pytest.mark.parametrize("name", COMPLEX)
def test_a_complex_gradient_for_a_real_number_is_refused_as_by_the_engine(name):
    a = torch.tensor(3.0, requires_grad=True)
    loss = COMPLEX[name](a).abs()
    with pytest.raises(RuntimeError, match="input_is_complex == grad_is_complex"):
        torch.autograd.grad(loss, a, retain_graph=True)
    with pytest.raises(GradientError, match="expected dtype float32 but got complex64"):
        capture_scalar(loss, names={"a": a})


numbers = st.floats(0.25, 4.0)
UNARY = (torch.exp, torch.log, torch.tanh, torch.sigmoid, torch.sqrt, torch.neg, torch.sin)
BINARY = (torch.add, torch.sub, torch.mul, torch.div)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(numbers, min_size=2, max_size=4),
    st.lists(st.tuples(st.integers(0, 10), st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=12),
)
def test_gradients_are_the_engines(values, plan):
    leaves = [torch.tensor(value, dtype=torch.float64, requires_grad=True) for value in values]
    made = list(leaves)
    for choice, first, second in plan:
        a, b = made[first % len(made)], made[second % len(made)]
        made.append(
            UNARY[choice](a.abs() + 0.1)
            if choice < len(UNARY)
            else BINARY[choice - len(UNARY)](a, b.abs() + 0.5)
        )
    output = made[-1]
    names = {f"v{index}": leaf for index, leaf in enumerate(leaves)}
    graph = capture_scalar(output, names=names)
    expected = torch.autograd.grad(output, leaves, allow_unused=True)
    for name, gradient in zip(names, expected, strict=True):
        found = by_name(graph).get(name)
        if gradient is None:
            assert found is None
        else:
            assert found.grad == gradient.item() or math.isnan(gradient.item())
    assert graph.variables[0].value == output.item()


def test_refusals_are_one_line():
    loss, names = seed()
    wide = torch.ones(3, requires_grad=True)
    with pytest.raises(GraphError, match=r"wide is f32\[3\]; use view='graph'"):
        capture_scalar(wide.sum(), names={"wide": wide})
    with pytest.raises(GraphError, match="draws one output, and outputs holds 2"):
        capture_scalar([loss, loss * 2])
    loss.backward()
    with pytest.raises(GraphError, match=r"call backward\(retain_graph=True\)"):
        capture_scalar(loss, names=names)
