"""The chain rule written out for one leaf: the local gradients along each path, multiplied, and the paths added.

Relies on the records and ``digits``. Promises that what stands left and right of an ``=`` is the same number as
far as it's printed: where the products don't come to the gradient in the record (a hook changed it on the way), they
aren't written, and where there are too many paths, what arrives at the leaf is.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Sequence
from typing import NamedTuple

from autograd_lab.draw.digits import number
from autograd_lab.records import Number, ScalarGraph, Variable

_MOST_PATHS = 3
_LONGEST_PATH = 8
_MOST_TERMS = 6
_LONGEST_LINE = 40
_CLOSE = 1e-3
"""Relative: four digits are printed, and float16 carries no more than three."""


class _Factor(NamedTuple):
    """A local gradient on a path, and the names of what it goes from and to."""

    local: Number
    result: str | None
    variable: str | None


_Paths = list[tuple[_Factor, ...]]


class WrittenChain:
    """Knows the paths from the output to every variable of one computation, where they're few and short.

    Args:
        graph: The computation; its operations stand in the engine's order, so that an operation comes after all that
            use its result.

    Example:
        >>> from autograd_lab.records import Operand, Operation
        >>> y, w = Variable(0, "output", "y", 6.0, 1.0), Variable(1, "leaf", "w", 3.0, 2.0)
        >>> graph = ScalarGraph((y, w), (Operation(0, "MulBackward0", "×", (Operand(1, 2.0, 2.0),), 0),))
        >>> WrittenChain(graph).lines(w)
        ['∂y/∂w = 2']
    """

    def __init__(self, graph: ScalarGraph) -> None:
        self._output = graph.variables[0].name or "output"
        self._paths: list[_Paths | None] = [[] for _ in graph.variables]
        self._arrivals: list[list[Number | None]] = [[] for _ in graph.variables]
        self._paths[0] = [()]
        for operation in graph.operations:
            so_far = self._paths[operation.result]
            result = graph.variables[operation.result].name
            for operand in operation.operands:
                if graph.variables[operand.variable].kind == "constant":
                    continue
                self._arrivals[operand.variable].append(operand.arrives)
                factor = None
                if operand.local is not None:
                    factor = _Factor(operand.local, result, graph.variables[operand.variable].name)
                self._extend(operand.variable, so_far, factor)

    def _extend(self, variable: int, so_far: _Paths | None, factor: _Factor | None) -> None:
        """Adds paths to a variable; ``None`` once they're too many or too long to write, or a factor isn't known."""
        known = self._paths[variable]
        if known is None or so_far is None or factor is None:
            self._paths[variable] = None
            return
        more = [(*path, factor) for path in so_far]
        if len(known) + len(more) > _MOST_PATHS or any(len(path) > _LONGEST_PATH for path in more):
            self._paths[variable] = None
            return
        known.extend(more)

    def lines(self, variable: Variable) -> list[str]:
        """Writes the chain rule for a variable.

        Args:
            variable: One of the graph's, with a ``grad``.

        Returns:
            One line; two where every factor of one path has a name: ``∂loss/∂w = ∂loss/∂s · …`` and the numbers; a
            line for each path where they're long.
        """
        if variable.grad is None:
            return []
        grad = number(variable.grad)
        left = f"∂{self._output}/∂{variable.name or f'v{variable.id}'}"
        paths = self._paths[variable.id]
        if paths and _close(sum(_product(path) for path in paths), variable.grad):
            return self._products(left, paths, grad)
        arrivals = self._arrivals[variable.id]
        terms = [term for term in arrivals if term is not None]
        if len(terms) == len(arrivals) > 1 and _close(sum(terms), variable.grad):
            if len(terms) <= _MOST_TERMS:
                return [f"{left} = {_sum([number(term) for term in terms])} = {grad}"]
            return [f"{left} = the sum of {len(terms)} gradients = {grad}"]
        return [f"{left} = {grad}"]

    def _products(self, left: str, paths: _Paths, grad: str) -> list[str]:
        factors = [[number(factor.local) for factor in path] for path in paths]
        if len(paths) == 1 and len(factors[0]) == 1:
            return [f"{left} = {grad}"]
        products = [" · ".join([each[0], *map(_bracketed, each[1:])]) for each in factors]
        right = _sum(products)
        if len(paths) == 1 and all(factor.result and factor.variable for factor in paths[0]):
            names = " · ".join(f"∂{factor.result}/∂{factor.variable}" for factor in paths[0])
            return [f"{left} = {names}", f"= {right} = {grad}"]
        if len(left) + len(right) <= _LONGEST_LINE:
            return [f"{left} = {right} = {grad}"]
        more = (f"+ {_added(product)}" for product in products[1:])
        return [f"{left} = {products[0]}", *more, f"= {grad}"]


def _product(path: Sequence[_Factor]) -> Number:
    product: Number = 1
    for factor in path:
        product = product * factor.local
    return product


def _close(one: Number, other: Number) -> bool:
    if isinstance(one, complex) or isinstance(other, complex):
        return cmath.isclose(one, other, rel_tol=_CLOSE)
    return math.isclose(one, other, rel_tol=_CLOSE)


def _sum(terms: list[str]) -> str:
    return " + ".join([terms[0], *map(_added, terms[1:])])


def _added(term: str) -> str:
    return f"({term})" if term.startswith("−") else term


def _bracketed(factor: str) -> str:
    """A factor that isn't the first needs brackets where it begins with a sign or is itself a sum."""
    return f"({factor})" if factor.startswith("−") or " " in factor else factor
