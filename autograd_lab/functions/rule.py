"""What a rule is, and the registry of rules.

A rule promises that ``backward`` and ``jvp`` are made of differentiable operations, that it computes a gradient for
exactly the inputs that need one, and that it changes nothing that it is given.

Note [A rule's own operations are PyTorch's]
``Mul.forward`` multiplies, and its ``backward`` multiplies again. While a swap is on, these multiplications would
come back to ``Mul``, without end. So the decorator marks when a rule's own code runs, and ``lab.swap`` hands every
operation of such code to PyTorch. The mark is with the code, not with the ``with`` block, so that it also holds for a
backward that runs after the block has ended or inside another one, and for one that the engine runs on a thread of its
own. A method that stands in a family's base is bound to the rule that is entered, and marked there; a base is never
marked itself.

The mark is a context variable, set in a copy of the context that the code runs in. The copy goes when the code ends, so
an interrupt can't leave the mark behind.

Note [Saved tensors are read outside]
To read ``ctx.saved_tensors`` may run other people's code: a checkpoint computes its part of the model again, offloading
copies, any saved-tensor hook does what it likes. That isn't the rule's own code, and what it computes has to be swapped
as it was in the forward. So what a rule's ``backward`` gets as ``ctx`` takes the mark off for as long as the saved
tensors are read.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar, copy_context
from typing import Any, ClassVar, TypeAlias, TypeVar

import torch

from autograd_lab.functions.formula import names
from autograd_lab.functions.samples import Sample

Adapter: TypeAlias = Callable[..., tuple[Any, ...] | None]
"""Turns the arguments of an ATen operation into those of a rule's ``apply``; ``None``: this call isn't the rule's."""


class Rule(torch.autograd.Function):
    """The base of every rule: the modern form of ``torch.autograd.Function``, and what is said about it.

    A subclass writes ``forward``, ``setup_context``, ``backward``, ``jvp``, and ``vmap`` or
    ``generate_vmap_rule = True``. What a family of rules has in common may stand in a base of theirs, undecorated.

    Attributes:
        name: What ``lab.swap`` calls it: ``"mul"``.
        replaces: The ATen operations it stands for, by overload name (``"mul.Tensor"``), each with what turns the
            operation's arguments into those of ``apply``. It may say ``None``: that call is left to PyTorch.
        in_place: The forms of these that work in place (``"mul_.Tensor"``), likewise.
        formula: For each differentiable argument of ``forward`` the gradient, and as ``"result"`` the tangent, as a
            Python expression of ``grad``, ``result`` (``result1`` for a second one), the arguments' names, these with
            ``_t`` for tangents, and the names in its module. A ``ByFormula`` or ``Elementwise`` rule's is read off the
            functions that compute it.
        needs_operand: Whether a gradient's formula names the first argument; read off the formulas.
        lab_rule: The name again, on registered rules alone: what tells them from a user's own Function.
    """

    name: ClassVar[str]
    replaces: ClassVar[Mapping[str, Adapter]]
    in_place: ClassVar[Mapping[str, Adapter]] = {}
    formula: ClassVar[Mapping[str, str]]
    needs_operand: ClassVar[bool]
    lab_rule: ClassVar[str]

    @staticmethod
    def samples(dtype: torch.dtype) -> Iterator[Sample]:
        """Returns inputs on which the rule must agree with PyTorch.

        Args:
            dtype: A floating or complex dtype.

        Returns:
            Arguments of ``apply``, each set with a name; tensors that may require a gradient do.
        """
        raise NotImplementedError


rules: dict[str, type[Rule]] = {}
"""Every rule by its name."""

R = TypeVar("R", bound=type[Rule])

_OWN_CODE = ContextVar("own_code", default=False)
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
    missing = [part for part in ("name", "replaces", "formula") if not _writes(cls, part)]
    written = (part for part in _MARKED if part != "vmap" or not cls.generate_vmap_rule)
    missing += [part for part in ("samples", *written) if not _writes(cls, part)]
    if missing:
        raise ValueError(f"rule {cls.__name__} has no {', '.join(missing)}; every rule says these")
    if cls.name in rules:
        raise ValueError(f"there is a rule {cls.name!r} already; give {cls.__name__} another name")
    for other in rules.values():
        for operation in (*cls.replaces, *cls.in_place):
            if operation in other.replaces or operation in other.in_place:
                raise ValueError(
                    f"rule {other.name!r} stands for {operation!r} already; give it up in one of them"
                )
    for part in _MARKED:
        if _writes(cls, part):
            method = getattr(cls, part)
            setattr(
                cls, part, staticmethod(own_code(_reads_outside(method) if part == "backward" else method))
            )
    cls.needs_operand = _names_the_first_argument(cls)
    cls.lab_rule = cls.name
    rules[cls.name] = cls
    return cls


def _writes(cls: type[Rule], part: str) -> bool:
    """Returns whether a rule, or its family's base, writes something."""
    family = cls.__mro__[: cls.__mro__.index(Rule)]
    return any(part in vars(base) for base in family)


def _names_the_first_argument(cls: type[Rule]) -> bool:
    first = next(iter(inspect.signature(cls.forward).parameters), "")
    if hasattr(cls, "gradients"):
        return any(first in names(gradient) for gradient in cls.gradients.values())
    gradients = (text for name, text in cls.formula.items() if name != "result")
    return any(first in compile(text, cls.name, "eval").co_names for text in gradients)


def in_own_code() -> bool:
    """Returns whether a rule's own code runs here. See Note [A rule's own operations are PyTorch's]."""
    return _OWN_CODE.get()


def own_code(function: Callable[..., Any]) -> Callable[..., Any]:
    """Marks a function as a rule's own code. See Note [A rule's own operations are PyTorch's].

    Args:
        function: Any function.

    Returns:
        One that does the same and says so to `in_own_code` meanwhile.
    """

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        return as_own_code(function, *args, **kwargs)

    return run


def as_own_code(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Calls a function, marked as a rule's own code meanwhile, and returns what it returns."""
    if _OWN_CODE.get():
        return function(*args, **kwargs)
    return copy_context().run(_marked, True, function, *args, **kwargs)


def _marked(own: bool, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Calls a function, in a context that goes afterwards, with the mark on or off."""
    _OWN_CODE.set(own)
    return function(*args, **kwargs)


class _Context:
    """Torch's context as a rule's ``backward`` sees it. See Note [Saved tensors are read outside]."""

    __slots__ = ("_ctx",)

    def __init__(self, ctx: Any) -> None:
        object.__setattr__(self, "_ctx", ctx)

    def __getattr__(self, name: str) -> Any:
        if name == "saved_tensors":
            return copy_context().run(_marked, False, getattr, self._ctx, name)
        return getattr(self._ctx, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._ctx, name, value)


def _reads_outside(backward: Callable[..., Any]) -> Callable[..., Any]:
    """Has a ``backward`` read its saved tensors outside of the rule's own code."""

    @functools.wraps(backward)
    def run(ctx: Any, *grads: Any) -> Any:
        return backward(_Context(ctx), *grads)

    return run
