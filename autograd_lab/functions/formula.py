"""A rule's gradients as formulas: functions that ``backward`` and ``jvp`` call, and that documents print.

The mathematics of such a rule stands here once. Its docstring says what it computes; the site's page of rules makes the
equations of its gradients from these functions. Two rules write them in words of their own, since their functions go by
cases that are longer than the mathematics: ``Clamp`` and ``Pow``.

Note [One formula, both modes]
A gradient is linear in what flows: in ``grad * conj(other)``, ``other`` is the slope, conjugated as PyTorch does it.
The tangent multiplies by the slope itself. So it is the same formula, conjugated before and after:
``conj(conj(self_t) * conj(other))``. PyTorch derives its tangents in that way where ``tools/autograd/derivatives.yaml``
says ``auto_element_wise``. For real numbers a conjugate is the number itself, and costs nothing.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import torch

GradientFormula: TypeAlias = Callable[..., torch.Tensor]
"""From what flows, and the values that it names (arguments of ``forward``, ``result``), to an operand's gradient."""


def conj(value: Any) -> Any:
    """Returns the conjugate of a tensor or a number."""
    return value.conj() if isinstance(value, torch.Tensor) else value.conjugate()


def times(value: torch.Tensor, number: Any) -> torch.Tensor:
    """``value * number``, without a multiplication by one."""
    return value if number == 1 else value * number


def names(gradient: GradientFormula) -> tuple[str, ...]:
    """Returns which values a formula names, besides what flows.

    Example:
        >>> names(lambda grad, other: grad * conj(other))
        ('other',)
    """
    code = gradient.__code__
    return code.co_varnames[1 : code.co_argcount]


class Texts:
    """The formulas of a rule as Python expressions, read off its source when they are asked for."""

    def __get__(self, rule: object, of: type[Any]) -> Mapping[str, str]:
        """Returns each operand's gradient, and as ``"result"`` the tangent."""
        written = _written(of)
        bodies = {
            name: _Products().visit(_body(written[name], gradient)) for name, gradient in of.gradients.items()
        }
        gradients = {name: ast.unparse(body) for name, body in bodies.items()}
        tangents = [ast.unparse(_Tangent(name).visit(body)) for name, body in bodies.items()]
        return gradients | {
            "result": " + ".join(f"({each})" if " if " in each else each for each in tangents)
        }


def _written(rule: type[Any]) -> dict[str, ast.expr]:
    """Returns what stands in a rule's source as its ``gradients``."""
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(rule))).body
    assert isinstance(definition, ast.ClassDef)
    for statement in definition.body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "gradients":
            assert isinstance(statement.value, ast.Dict)
            operands = map(ast.literal_eval, filter(None, statement.value.keys))
            return dict(zip(operands, statement.value.values, strict=True))
    raise AssertionError(rule)


def _body(written: ast.expr, gradient: GradientFormula) -> ast.expr:
    """Returns what a gradient computes: a lambda's body, or the call of a function that is named."""
    if isinstance(written, ast.Lambda):
        return written.body
    return ast.Call(written, [ast.Name("grad"), *map(ast.Name, names(gradient))], [])


class _Products(ast.NodeTransformer):
    """Writes ``times(a, b)`` as a product."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        times = isinstance(node.func, ast.Name) and node.func.id == "times"
        return ast.BinOp(node.args[0], ast.Mult(), node.args[1]) if times else node


class _Tangent(ast.NodeTransformer):
    """Writes a gradient's formula as a tangent's. See Note [One formula, both modes]."""

    def __init__(self, operand: str) -> None:
        self.operand = operand

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        return node.args[0] if isinstance(node.func, ast.Name) and node.func.id == "conj" else node

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.Name(f"{self.operand}_t") if node.id == "grad" else node
