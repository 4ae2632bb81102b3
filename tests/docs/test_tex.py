"""The equations that the page of rules makes of formulas."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from autograd_lab.functions import rules

EXTENSIONS = Path(__file__).parent.parent.parent / "docs" / "_ext"

EQUATIONS = {
    "mul": [r"\bar x = \bar z \, y^*", r"\bar y = \bar z \, x^*", r"\dot z = \dot x \, y + \dot y \, x"],
    "add": [r"\bar x = \bar z", r"\bar y = \bar z \, \alpha^*", r"\dot z = \dot x + \dot y \, \alpha"],
    "sub": [r"\bar x = \bar z", r"\bar y = -\bar z \, \alpha^*", r"\dot z = \dot x - \dot y \, \alpha"],
    "div": [
        r"\bar x = \begin{cases} 0 & \text{rounded} \\ \frac{\bar z}{y^*} & \text{otherwise} \end{cases}",
        r"\bar y = \begin{cases} 0 & \text{rounded} \\ -\bar z \, \left(\frac{x}{y^2}\right)^* & \text{otherwise} "
        r"\end{cases}",
        r"\dot z = \begin{cases} 0 & \text{rounded} \\ \frac{\dot x}{y} - \frac{\dot y \, x}{y^2} & \text{otherwise} "
        r"\end{cases}",
    ],
    "neg": [r"\bar x = -\bar z", r"\dot z = -\dot x"],
    "exp": [r"\bar x = \bar z \, z^*", r"\dot z = \dot x \, z"],
    "log": [r"\bar x = \frac{\bar z}{x^*}", r"\dot z = \frac{\dot x}{x}"],
    "tanh": [r"\bar x = \bar z \, (1 - (z^*)^2)", r"\dot z = \dot x \, (1 - z^2)"],
    "sigmoid": [r"\bar x = \bar z \, z^* \, (1 - z^*)", r"\dot z = \dot x \, z \, (1 - z)"],
    "sqrt": [r"\bar x = \frac{\bar z}{2 \, z^*}", r"\dot z = \frac{\dot x}{2 \, z}"],
    "rsqrt": [
        r"\bar x = -\tfrac{1}{2} \, \bar z \, (z^*)^3",
        r"\dot z = -\tfrac{1}{2} \, \dot x \, z^3",
    ],
    "relu": [
        r"\bar x = \begin{cases} \operatorname{sgn} z & z \le 0 \\ \bar z & \text{otherwise} \end{cases}",
        r"\dot z = \begin{cases} \operatorname{sgn} z & z \le 0 \\ \dot x & \text{otherwise} \end{cases}",
    ],
    "gelu": [
        r"\bar x = \bar z \, (\Phi(x) + x \, \varphi(x))",
        r"\dot z = \dot x \, (\Phi(x) + x \, \varphi(x))",
    ],
    "silu": [
        r"\bar x = \bar z \, \sigma(x) \, (1 + x \, (1 - \sigma(x)))",
        r"\dot z = \dot x \, \sigma(x) \, (1 + x \, (1 - \sigma(x)))",
    ],
    "where": [
        r"\bar x = [c] \, \bar z",
        r"\bar y = [\lnot c] \, \bar z",
        r"\dot z = [c] \, \dot x + [\lnot c] \, \dot y",
    ],
    "masked_fill": [
        r"\bar x = [\lnot m] \, \bar z",
        r"\bar v = [m] \, \bar z",
        r"\dot z = [\lnot m] \, \dot x + [m] \, \dot v",
    ],
}


@pytest.fixture
def tex(monkeypatch):
    monkeypatch.syspath_prepend(str(EXTENSIONS))
    import tex

    yield tex
    del sys.modules["tex"]


@pytest.mark.parametrize("name", EQUATIONS)
def test_equations_are_made_of_the_formulas_that_compute(tex, name):
    assert tex.as_tex(rules[name].formula).split(r", \qquad ") == EQUATIONS[name]


def test_they_are_made_for_every_rule_whose_docstring_writes_none():
    assert {name for name, rule in rules.items() if r"\bar" not in rule.__doc__} == set(EQUATIONS)


@pytest.mark.parametrize(
    ("formula", "equation"),
    [
        ("1 - (grad - other)", r"\bar x = 1 - (\bar z - y)"),
        ("1 - -grad", r"\bar x = 1 + \bar z"),
        ("-(-grad / other) / other", r"\bar x = \frac{\bar z}{y^2}"),
        ("1 / (grad / other)", r"\bar x = \frac{y}{\bar z}"),
        ("(1 + grad) ** 2 * (1 + grad)", r"\bar x = (1 + \bar z)^3"),
    ],
)
def test_products_and_signs(tex, formula, equation):
    assert tex.as_tex({"self": formula}) == equation


def test_what_has_no_tex_is_an_error(tex):
    with pytest.raises(ValueError, match=r"there is no TeX for grad @ other"):
        tex.as_tex({"self": "grad @ other"})
