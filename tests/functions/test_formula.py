"""Gradients as formulas: what is printed is what is computed, in both modes."""

from __future__ import annotations

import pytest
import torch

from autograd_lab.functions import rules
from autograd_lab.functions.formula import names

PRINTED = {
    "mul": ("grad * conj(other)", "grad * conj(self)", "self_t * other + other_t * self"),
    "sub": ("grad", "-grad * conj(alpha)", "self_t + -other_t * alpha"),
    "neg": ("-grad", "-self_t"),
    "tanh": ("grad * (1 - conj(result) * conj(result))", "self_t * (1 - result * result)"),
    "where": ("only(condition, grad)", "only(~condition, grad)", "only(condition, self_t) + only(~condition, other_t)"),
    "clamp": (
        "to_self(grad, self, min, max)", "to_min(grad, self, min, max)", "to_max(grad, self, min, max)",
        "to_self(self_t, self, min, max) + to_min(min_t, self, min, max) + to_max(max_t, self, min, max)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PRINTED)
def test_formulas_are_read_off_the_functions_that_compute_them(name):
    assert tuple(rules[name].formula.values()) == PRINTED[name]


def test_a_choice_is_put_in_brackets():
    assert (
        rules["div"]
        .formula["result"]
        .startswith("(torch.zeros_like(self_t) if rounding_mode else self_t / other) + (")
    )


@pytest.mark.parametrize("name", [name for name, rule in rules.items() if hasattr(rule, "gradients")])
def test_a_formula_names_arguments_of_the_forward_and_the_result(name):
    known = {*rules[name].forward.__wrapped__.__code__.co_varnames, "result"}
    for operand, gradient in rules[name].gradients.items():
        assert operand in known
        assert set(names(gradient)) <= known


@pytest.mark.parametrize("name", ["mul", "div", "exp", "log", "tanh", "sigmoid", "sqrt", "rsqrt"])
def test_a_tangent_multiplies_by_the_slope_itself_and_not_by_its_conjugate(name):
    """For a real step it's the change of the result along it, of complex numbers too."""
    args = [
        torch.tensor([0.3 + 0.7j], dtype=torch.complex128),
        torch.tensor([0.9 - 0.2j], dtype=torch.complex128),
    ]
    args = args if name in ("mul", "div") else args[:1]
    more = (None,) if name == "div" else ()
    rule = rules[name]
    with torch.autograd.forward_ad.dual_level():
        duals = [torch.autograd.forward_ad.make_dual(arg, torch.ones_like(arg)) for arg in args]
        tangent = torch.autograd.forward_ad.unpack_dual(rule.apply(*duals, *more)).tangent
        apart = rule.forward(*[arg + 1e-6 for arg in args], *more) - rule.forward(
            *[arg - 1e-6 for arg in args], *more
        )
    assert torch.allclose(tangent, apart / 2e-6)


@pytest.mark.parametrize("name", [name for name, rule in rules.items() if hasattr(rule, "gradients")])
def test_the_mathematics_of_a_gradient_is_written_once(name):
    """In the function that computes it: not in the docstring, but for two rules whose functions go by cases."""
    written = [sign for sign in (r"\bar", r"\dot") if sign in rules[name].__doc__]
    assert bool(written) == (name in ("clamp", "pow"))
