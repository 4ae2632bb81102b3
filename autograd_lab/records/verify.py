"""What ``verify`` found, as plain data. Relies on the standard library only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from autograd_lab.records.display import DisplayMixin


class Mismatch(NamedTuple):
    """Where two tensors differ most.

    Attributes:
        what: Which tensor it is: ``"gradient of input 1"``.
        element: Which one; empty for a tensor without dimensions, and where shapes differ.
        expected: What should have come.
        found: What came.
        ulps: How far they are apart, in units in the last place of what was expected; ``None`` where one isn't a
            number, or shapes differ.

    Example:
        >>> Mismatch("gradient of input 0", (1,), "2.0", "-2.0", 9e15).element
        (1,)
    """

    what: str
    element: tuple[int, ...]
    expected: str
    found: str
    ulps: float | None = None


class Check(NamedTuple):
    """One thing that was checked, on every sample that it applies to.

    Attributes:
        name: What: ``"gradients"``, ``"second order"``, ``"vmap"``, ….
        ok: Whether it holds; ``None`` where it doesn't apply, and ``message`` says why.
        samples: On how many samples it was tried.
        message: What is wrong, or ``""``.
        sample: The first sample on which it failed.
        mismatch: Where the numbers part.
        ulps: How far from PyTorch's the numbers were at most, in units in the last place of the number that they were
            judged by: the largest of their tensor, or ``scale``. ``None`` where no numbers were compared.
        relative: The same as a share of that number.
        scale: The size of the terms that a tensor was judged by because they cancel in it, where rounding is all that
            is left of them; ``None`` where it was judged by its own largest number.
        skipped: Whether the check was left out because the caller said so. ``ok`` is then ``None``.

    Example:
        >>> Check("vmap", None, 0, "it has no vmap").ok is None
        True
    """

    name: str
    ok: bool | None
    samples: int = 0
    message: str = ""
    sample: str | None = None
    mismatch: Mismatch | None = None
    ulps: float | None = None
    relative: float | None = None
    scale: float | None = None
    skipped: bool = False


@dataclass(frozen=True, slots=True)
class VerifyReport(DisplayMixin):
    """Whether a Function, a rule or a callable computes its gradients right, and if not, what is wrong with it.

    Attributes:
        target: What was verified.
        checks: Each check, in the order in which they were made.
        seed: What the random numbers were made from; the same seed gives the same report.
        swapped: For a step with rules swapped in: each operation that was swapped, and how often.
        native: The nodes that stayed PyTorch's there, and how often.

    Example:
        >>> VerifyReport("Square", (Check("gradients", True, 8),)).ok
        True
    """

    target: str
    checks: tuple[Check, ...]
    seed: int = 0
    swapped: tuple[tuple[str, int], ...] = ()
    native: tuple[tuple[str, int], ...] = ()

    @property
    def ok(self) -> bool:
        """Whether no check failed, and at least one was made."""
        made = [check.ok for check in self.checks if check.ok is not None]
        return bool(made) and all(made)

    def validate(self) -> None:
        """Checks that a check that failed says what is wrong.

        Raises:
            ValueError: Names the field that is wrong.
        """
        for index, check in enumerate(self.checks):
            if check.ok is False and not check.message:
                raise ValueError(f"checks[{index}].message: expected what is wrong, found nothing")

    @property
    def failed(self) -> tuple[Check, ...]:
        """The checks that failed."""
        return tuple(check for check in self.checks if check.ok is False)

    @property
    def skipped(self) -> tuple[Check, ...]:
        """The checks that the caller had left out."""
        return tuple(check for check in self.checks if check.skipped)
