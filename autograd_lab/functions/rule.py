"""What a rule is, and the registry of rules.

Imports torch only. A rule promises that ``backward`` and ``jvp`` are made of differentiable operations, that it
computes a gradient for exactly the inputs that need one, and that it changes nothing that it is given.

Note [A rule's own operations are PyTorch's]
``Mul.forward`` multiplies, and its ``backward`` multiplies again. While a swap is on, these multiplications would
come back to ``Mul``, without end. So the decorator marks, for the thread that runs it, when a rule's own code runs,
and ``lab.swap`` hands every operation of such code to PyTorch. The mark is with the code, not with the ``with``
block, so that it also holds for a backward that runs after the block has ended or inside another one, and for one
that the engine runs on a thread of its own.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, TypeVar

import torch

from autograd_lab.functions.samples import Sample

Adapter = Callable[..., tuple[Any, ...]]
"""Turns the arguments of an ATen operation into those of a rule's ``apply``."""


class Rule(torch.autograd.Function):
    """The base of every rule: the modern form of ``torch.autograd.Function``, and what is said about it.

    A subclass writes ``forward``, ``setup_context``, ``backward``, ``jvp`` and ``vmap``.

    Attributes:
        name: What ``lab.swap`` calls it: ``"mul"``.
        replaces: The ATen operations it stands for, by overload name (``"mul.Tensor"``), each with what turns the
            operation's arguments into those of ``apply``.
        leaves: Forms of the same operation that a swap leaves to PyTorch and reports: those that work in place.
        formula: For each differentiable argument of ``forward`` the gradient, and as ``"result"`` the tangent, as a
            Python expression of ``grad``, ``result``, the arguments' names, these with ``_t`` for tangents, and the
            names in its module.
    """

    name: ClassVar[str]
    replaces: ClassVar[Mapping[str, Adapter]]
    leaves: ClassVar[tuple[str, ...]] = ()
    formula: ClassVar[Mapping[str, str]]

    @staticmethod
    def samples(dtype: torch.dtype) -> Iterator[Sample]:
        """Gives inputs on which the rule must agree with PyTorch.

        Args:
            dtype: A floating or complex dtype.

        Returns:
            Arguments of ``apply``, each set with a name; tensors that may require a gradient do.
        """
        raise NotImplementedError


rules: dict[str, type[Rule]] = {}
"""Every rule by its name."""

R = TypeVar("R", bound=type[Rule])

_OWN_CODE = threading.local()
_MARKED = ("forward", "setup_context", "backward", "jvp", "vmap")


def rule(cls: R) -> R:
    """Enters a rule into the registry; a class decorator.

    Args:
        cls: A subclass of `Rule`.

    Returns:
        The same class.

    Raises:
        ValueError: Something that a rule must have is missing, or another rule has its name or one of its operations.

    Example:
        >>> from autograd_lab.functions import rules
        >>> sorted(rules["mul"].replaces)
        ['mul.Scalar', 'mul.Tensor']
    """
    missing = [part for part in ("name", "replaces", "formula") if not hasattr(cls, part)]
    missing += [part for part in ("samples", *_MARKED) if part not in vars(cls)]
    if missing:
        raise ValueError(f"rule {cls.__name__} has no {', '.join(missing)}; every rule says these")
    if cls.name in rules:
        raise ValueError(f"there is a rule {cls.name!r} already; give {cls.__name__} another name")
    for other in rules.values():
        for operation in cls.replaces:
            if operation in other.replaces:
                raise ValueError(
                    f"rule {other.name!r} stands for {operation!r} already; give it up in one of them"
                )
    for part in _MARKED:
        setattr(cls, part, staticmethod(_marked(getattr(cls, part))))
    rules[cls.name] = cls
    return cls


def in_own_code() -> bool:
    """Says whether this thread runs a rule's own code. See Note [A rule's own operations are PyTorch's]."""
    return getattr(_OWN_CODE, "depth", 0) > 0


def _marked(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def run(*args: Any) -> Any:
        _OWN_CODE.depth = getattr(_OWN_CODE, "depth", 0) + 1
        try:
            return function(*args)
        finally:
            _OWN_CODE.depth -= 1

    return run
