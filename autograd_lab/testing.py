"""The check of gradients as an assertion and as a pytest fixture, for your own test suite.

Installing the lab registers this module with pytest, so that the fixture and the option are there by themselves;
``pytest -p no:autograd_lab`` leaves it out. Torch is imported by the first check, so a suite that needs none starts as
fast as without the lab.

    def test_my_function(gradients_match):
        gradients_match(MyFunction, inputs=(torch.randn(3, requires_grad=True, dtype=torch.float64),))

Relies on ``verify``, and on pytest for the fixture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytest

from autograd_lab.records import VerifyReport


def assert_gradients_match(
    target: Any,
    inputs: Any = None,
    *,
    native: Callable[..., Any] | None = None,
    swap: str | Sequence[str] | None = None,
    skip: str | Iterable[str] = (),
    seed: int = 0,
) -> VerifyReport:
    """Asserts that a Function, a rule, a callable or a model with rules swapped in has the right gradients.

    Args:
        target: As for ``lab.verify``: a ``torch.autograd.Function``, a rule's name or a callable; with ``swap``, a
            module or a callable that returns a loss.
        inputs: A tuple of arguments; in float64 all checks apply.
        native: What computes the same by PyTorch's own operations; of a surrogate gradient, what has the gradient that
            is meant.
        swap: Names of rules, or ``"all"``: compares a whole step with them swapped in with one without.
        skip: Names of checks to leave out: ``("finite differences",)``.
        seed: What made-up inputs are made from, and the random state that each call starts from.

    Returns:
        The report, of which every check holds.

    Raises:
        AssertionError: A check doesn't hold, or none could be made; the message has a line for each, with what is wrong
            called by its name.
        VerifyError: The target can't be called with these inputs.

    Example:
        >>> assert_gradients_match("mul").ok
        True
    """
    __tracebackhide__ = True
    from autograd_lab.draw.tables.verify import verify_faults
    from autograd_lab.verify import verify

    report = verify(target, inputs, native=native, swap=swap, skip=skip, seed=seed)
    if not report.ok:
        raise AssertionError(verify_faults(report))
    return report


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds ``--gradients-seed``."""
    parser.getgroup("autograd_lab").addoption(
        "--gradients-seed",
        type=int,
        default=0,
        help="what the gradients_match fixture makes random numbers from; a failing report names its seed",
    )


@pytest.fixture
def gradients_match(pytestconfig: pytest.Config) -> Callable[..., VerifyReport]:
    """Returns `assert_gradients_match`, with the seed of ``--gradients-seed`` where the test gives none."""
    seed = pytestconfig.getoption("--gradients-seed")

    def check(target: Any, inputs: Any = None, **options: Any) -> VerifyReport:
        __tracebackhide__ = True
        return assert_gradients_match(target, inputs, **{"seed": seed, **options})

    return check
