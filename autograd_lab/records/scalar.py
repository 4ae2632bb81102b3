"""The graph of a computation in which every tensor has one element, with its numbers.

It's the picture that people draw by hand when they learn the chain rule: variables with their values,
operations between them, and on each connection the local gradient and the gradient that arrives by it.
Relies on the standard library only. Promises that every number was read from a live tensor or came out of a
real node that was run; a value that nothing kept is ``None``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, NamedTuple, TypeAlias

from autograd_lab.records.display import DisplayMixin

Number: TypeAlias = Annotated[bool | int | float | complex, "number"]
"""What a tensor of one element holds."""


class Variable(NamedTuple):
    """One number of the computation: an input, an intermediate result or the output.

    Attributes:
        id: Its index in ``ScalarGraph.variables``.
        kind: ``"output"``, ``"intermediate"``, ``"leaf"`` (it gets a ``.grad``) or ``"constant"`` (no
            gradient is wanted).
        name: What the user calls it.
        value: Its forward value; ``None`` where nothing kept it.
        grad: d output / d variable: the sum of what arrives by the connections in which it's the input.

    Example:
        >>> Variable(0, "leaf", "w", 0.0, -16.0).grad
        -16.0
    """

    id: int
    kind: str
    name: str | None = None
    value: Number | None = None
    grad: Number | None = None


class Operand(NamedTuple):
    """An input of an operation, with the chain rule's two numbers.

    Attributes:
        variable: The id of the ``Variable`` that goes in.
        local: d operation's result / d this input, from running the real node on 1.
        arrives: The gradient that comes back by this connection: ``local`` times the result's gradient, as
            the real node returned it.

    Example:
        >>> Operand(0, local=2.0, arrives=-16.0).local
        2.0
    """

    variable: int
    local: Number | None = None
    arrives: Number | None = None


class Operation(NamedTuple):
    """One operation: what went in, and which variable came out.

    Attributes:
        id: Its index in ``ScalarGraph.operations``.
        node: Torch's name of the backward node: ``"MulBackward0"``.
        symbol: How people write it: ``"×"``, ``"−"``, ``"^2"``; the operation's name where there is no sign.
        operands: The inputs, in the operation's order.
        result: The id of the ``Variable`` that comes out.

    Example:
        >>> Operation(0, "MulBackward0", "×", (Operand(1), Operand(2)), 0).symbol
        '×'
    """

    id: int
    node: str
    symbol: str
    operands: tuple[Operand, ...]
    result: int


@dataclass(frozen=True, slots=True)
class ScalarGraph(DisplayMixin):
    """A computation on single numbers, from its output back to its leaves.

    Attributes:
        variables: Every variable, the output first.
        operations: Every operation, in the order in which the engine would run their nodes.

    Example:
        >>> w, y = Variable(1, "leaf", "w", 3.0, 2.0), Variable(0, "output", "y", 6.0, 1.0)
        >>> double = Operation(0, "MulBackward0", "×", (Operand(1, 2.0, 2.0),), 0)
        >>> ScalarGraph((y, w), (double,)).variables[1].grad
        2.0
    """

    variables: tuple[Variable, ...]
    operations: tuple[Operation, ...]

    def validate(self) -> None:
        """Checks that ids are indices and that operations name variables that are there.

        Raises:
            ValueError: Names the field that is wrong.
        """
        for kind in ("variables", "operations"):
            for index, item in enumerate(getattr(self, kind)):
                if item.id != index:
                    raise ValueError(f"{kind}[{index}].id: expected {index}, found {item.id}")
        for index, operation in enumerate(self.operations):
            self._check(operation.result, f"operations[{index}].result")
            for slot, operand in enumerate(operation.operands):
                self._check(operand.variable, f"operations[{index}].operands[{slot}].variable")

    def _check(self, variable: int, field: str) -> None:
        if not 0 <= variable < len(self.variables):
            raise ValueError(f"{field}: there is no variable {variable}")
