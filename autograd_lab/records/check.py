"""What ``check_engine`` found: whether two engines did the same, as plain data.

Relies on the standard library only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from autograd_lab.records.display import DisplayMixin


class Difference(NamedTuple):
    """The first thing in which two runs differ.

    Attributes:
        what: ``"order"``, ``"grad_outputs"``, ``"grad_inputs"``, ``"grad"`` (a leaf's), ``"random_state"``,
            ``"length"``, ``"error"``, or ``"runs_once"`` where two runs of the native engine differ or the second one
            raises, so that nothing can be compared.
        step: The index of the step; ``None`` for what isn't a step's.
        node: The id of the node.
        name: The node's name, or the leaf's.
        slot: Which of the gradients it is.
        expected: What the native engine did.
        found: What the glass engine did; what a second run of the native engine did, for ``"runs_once"``.

    Example:
        >>> Difference("order", 3, 4, "MulBackward0", None, "node 4", "node 5").what
        'order'
    """

    what: str
    step: int | None = None
    node: int | None = None
    name: str | None = None
    slot: int | None = None
    expected: str = ""
    found: str = ""


@dataclass(frozen=True, slots=True)
class EngineCheck(DisplayMixin):
    """Whether the glass engine did what the native one did.

    Attributes:
        steps: How many steps the native engine took.
        gradients: How many gradients were compared, undefined ones included.
        difference: The first difference; ``None`` where there is none.
        deterministic: Whether the native engine gave the same bits twice. Is found out only where bits differ; where it
            didn't, gradients are compared within a tolerance.

    Example:
        >>> EngineCheck(3, 8).ok
        True
    """

    steps: int
    gradients: int
    difference: Difference | None = None
    deterministic: bool = True

    @property
    def ok(self) -> bool:
        """Whether there is no difference."""
        return self.difference is None

    def validate(self) -> None:
        """Checks that counts are no less than zero.

        Raises:
            ValueError: Names the field that is wrong.
        """
        for name in ("steps", "gradients"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name}: expected 0 or more, found {getattr(self, name)}")
