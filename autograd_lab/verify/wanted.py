"""Whether what ``verify`` is asked for can be asked for: rules, checks, a native computation, a seed.

Relies on no tensors. Promises one line that says what to give, before anything is run.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from autograd_lab.errors import Option, VerifyError, article, nearest
from autograd_lab.swap import ALL

_RULES = f'give the name of a rule, a list of names, or "{ALL}"'
_CHECKS = 'give the name of a check or a list of names: skip=("finite differences",)'


def rule_names(swap: Any) -> tuple[str, ...]:
    """Returns the rules that ``swap=`` names; none for every rule.

    Raises:
        VerifyError: It is no name and no names.

    Example:
        >>> rule_names("mul"), rule_names(["mul", "pow"]), rule_names("all")
        (('mul',), ('mul', 'pow'), ())
    """
    if isinstance(swap, str) and swap == ALL:
        return ()
    names = _names("swap", swap, _RULES)
    if not names:
        raise VerifyError(Option("swap"), f" holds nothing; {_RULES}")
    return names


def check_names(skip: Any) -> tuple[str, ...]:
    """Returns the checks that ``skip=`` names.

    Raises:
        VerifyError: It is no name and no names.
    """
    return _names("skip", skip, _CHECKS)


def must_be_callable(native: Any) -> None:
    """Refuses a ``native=`` that can't be called.

    Raises:
        VerifyError: It can't.
    """
    if native is not None and not callable(native):
        kind = article(type(native).__name__)
        raise VerifyError(
            Option("native"), f" is {kind}; give what computes the same by PyTorch's own operations"
        )


def must_count(target: Any, inputs: Any, native: Any, swap: Any) -> None:
    """Refuses options that would say nothing beside one another.

    Raises:
        VerifyError: With ``swap=`` there is a ``native=``, or inputs or a ``native=`` for a rule's name.
    """
    if swap is not None:
        if native is not None:
            raise VerifyError(
                "with ",
                Option("swap"),
                " a step is compared with the same step without the rules, so ",
                Option("native"),
                " would say nothing; leave one of the two out",
            )
    elif isinstance(target, str) and (inputs is not None or native is not None):
        raise VerifyError(
            "a rule's name stands for the rule on its own samples, so ",
            Option("inputs" if inputs is not None else "native"),
            " would say nothing; leave it out, or give the rule itself, such as autograd_lab.functions.Mul",
        )


def must_be_seed(seed: Any) -> None:
    """Refuses a ``seed=`` that random numbers can't be made from.

    Raises:
        VerifyError: It is no whole number.
    """
    if not isinstance(seed, int):
        raise VerifyError(Option("seed"), f" is {article(type(seed).__name__)}; give a whole number")


def must_be_checks(names: Iterable[str], known: Sequence[str]) -> None:
    """Refuses names that no check has.

    Raises:
        VerifyError: There is no such check.
    """
    for name in names:
        if name not in known:
            raise VerifyError(f"there is no check {name!r} to skip; {nearest(name, known)}")


def _names(option: str, given: Any, wanted: str) -> tuple[str, ...]:
    if isinstance(given, str):
        return (given,)
    if not isinstance(given, Iterable) or isinstance(given, bytes):
        raise VerifyError(Option(option), f" is {article(type(given).__name__)}; {wanted}")
    names = tuple(given)
    for name in names:
        if not isinstance(name, str):
            raise VerifyError(Option(option), f" holds {article(type(name).__name__)}; {wanted}")
    return names
