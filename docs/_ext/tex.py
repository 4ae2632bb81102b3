r"""A rule's gradients and its tangent as TeX, made from the formulas that compute them.

Relies on ``Rule.formula``: Python expressions that were read off the code. Promises that a formula with something in it
that has no TeX here is an error, and so fails the build.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping

LETTERS = {
    "self": "x", "other": "y", "result": "z", "grad": r"\bar z", "alpha": r"\alpha", "condition": "c", "mask": "m",
    "value": "v", "rounding_mode": r"\text{rounded}", "approximate": r"\text{approximated}",
}  # fmt: skip
"""An argument of a rule → what a page calls it."""

FUNCTIONS = {
    "only": r"[{0}] \, {1}", "share": r"\Phi({0})", "density": r"\varphi({0})", "sigmoid": r"\sigma({0})",
    "sgn": r"\operatorname{{sgn}} {0}",
}  # fmt: skip
"""A function that a formula calls → how it's written. A method's first argument is its object."""


def as_tex(formula: Mapping[str, str]) -> str:
    r"""Writes what a rule's formulas compute.

    Args:
        formula: As ``Rule.formula``.

    Returns:
        Equations side by side.

    Raises:
        ValueError: There's no TeX for something in it.

    Example:
        >>> print(as_tex({"self": "grad * conj(other)", "result": "self_t * other"}))
        \bar x = \bar z \, y^*, \qquad \dot z = \dot x \, y
    """
    equations = [
        (r"\dot z" if name == "result" else rf"\bar {LETTERS[name]}", ast.parse(text, mode="eval").body)
        for name, text in formula.items()
    ]
    return r", \qquad ".join(f"{left} = {_tex(_Spelt().visit(right))}" for left, right in equations)


class _Spelt(ast.NodeTransformer):
    """Puts a name's value where the name stands, and adds two choices on one condition up to one."""

    def __init__(self) -> None:
        self._values: dict[str, ast.expr] = {}

    def visit_NamedExpr(self, node: ast.NamedExpr) -> ast.expr:
        self._values[node.target.id] = node.value
        return node.value

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self._values.get(node.id, node)

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        self.generic_visit(node)
        match node:
            case ast.BinOp(ast.IfExp() as one, ast.Add(), ast.IfExp() as other) if _same(
                one.test, other.test
            ):
                pairs = ((one.body, other.body), (one.orelse, other.orelse))
                return ast.IfExp(one.test, *(ast.BinOp(left, ast.Add(), right) for left, right in pairs))
        return node


def _same(one: ast.expr, other: ast.expr) -> bool:
    return ast.dump(one) == ast.dump(other)


def _tex(node: ast.expr) -> str:
    match node:
        case ast.BinOp(left, ast.Add() | ast.Sub() as sign, right):
            return _sum(left, right, minus=isinstance(sign, ast.Sub))
        case ast.BinOp(op=ast.Mult() | ast.Div() | ast.Pow()) | ast.UnaryOp(ast.USub()):
            return _product(node)
        case ast.IfExp(test, body, orelse) | ast.Call(ast.Attribute(attr="where"), [test, body, orelse]):
            chosen, other = rf"{_tex(body)} & {_tex(test)}", rf"{_tex(orelse)} & \text{{otherwise}}"
            return rf"\begin{{cases}} {chosen} \\ {other} \end{{cases}}"
        case ast.Call():
            return _call(node)
    return _symbol(node)


def _call(node: ast.Call) -> str:
    match node:
        case ast.Call(ast.Attribute(attr="zeros_like")):
            return "0"
        case ast.Call(ast.Name("conj"), [value]):
            return f"{_tex(value)}^*" if isinstance(value, ast.Name) else rf"\left({_tex(value)}\right)^*"
        case ast.Call(ast.Name(function), arguments):
            return FUNCTIONS[function].format(*map(_tex, arguments))
        case ast.Call(ast.Attribute(value, function), []):
            return FUNCTIONS[function].format(_tex(value))
    raise _unknown(node)


def _symbol(node: ast.expr) -> str:
    match node:
        case ast.Constant(value):
            return r"\tfrac{1}{2}" if value == 0.5 else f"{value}"
        case ast.Name(name):
            return rf"\dot {LETTERS[name[:-2]]}" if name.endswith("_t") else LETTERS[name]
        case ast.UnaryOp(ast.Invert(), operand):
            return rf"\lnot {_tex(operand)}"
        case ast.Compare(left, [ast.LtE()], [right]):
            return rf"{_tex(left)} \le {_tex(right)}"
    raise _unknown(node)


def _unknown(node: ast.expr) -> ValueError:
    return ValueError(f"there is no TeX for {ast.unparse(node)}")


def _sum(left: ast.expr, right: ast.expr, *, minus: bool) -> str:
    one, other = _tex(left), _tex(right)
    if one == "0" and not minus:
        return other
    if minus and _is_sum(right):
        other = f"({other})"
    sign = "-" if minus != other.startswith("-") else "+"
    return f"{one} {sign} {other.removeprefix('-')}"


def _product(node: ast.expr) -> str:
    minus, over, under = _factors(node)
    text = _row(over) or "1"
    if under:
        text = rf"\frac{{{text}}}{{{_row(under)}}}"
    return f"-{text}" if minus else text


def _factors(node: ast.expr) -> tuple[bool, list[ast.expr], list[ast.expr]]:
    """Returns whether there's a minus before a product, and what stands above and below its line."""
    match node:
        case ast.Constant(1):
            return False, [], []
        case ast.UnaryOp(ast.USub(), operand):
            minus, over, under = _factors(operand)
            return not minus, over, under
        case ast.BinOp(left, ast.Mult() | ast.Div() as sign, right):
            minus, over, under = _factors(left)
            again, more, less = _factors(right)
            more, less = (less, more) if isinstance(sign, ast.Div) else (more, less)
            return minus != again, over + more, under + less
    return False, [node], []


def _row(factors: list[ast.expr]) -> str:
    """Writes factors beside one another, equal ones as a power."""
    powers: dict[str, tuple[ast.expr, int]] = {}
    for factor in factors:
        base, exponent = factor, 1
        match factor:
            case ast.BinOp(left, ast.Pow(), ast.Constant(int(value))):
                base, exponent = left, value
        key = ast.dump(base)
        powers[key] = base, exponent + (powers[key][1] if key in powers else 0)
    return r" \, ".join(_power(*power) for power in powers.values())


def _power(base: ast.expr, exponent: int) -> str:
    text = _tex(base)
    if _is_sum(base) or (exponent > 1 and not isinstance(base, ast.Name)):
        text = f"({text})"
    return text if exponent == 1 else f"{text}^{exponent}"


def _is_sum(node: ast.expr) -> bool:
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub)
