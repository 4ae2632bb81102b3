"""What is verified, and what it is held against.

Note [The reference]
A Function's forward is itself made of torch operations. Run as it stands, without ``apply``, PyTorch differentiates it
by its own rules: that's the native gradient which the Function's backward must agree with, in every order and every
dtype, with nothing for the user to write. What the forward says to its ``ctx`` holds for the reference too: an output
that is marked as not differentiable is detached, and an input that is marked as dirty is handed in as a copy, since
in-place operations aren't for leaves. Where the forward leaves autograd (NumPy, ``detach``, an extension), pass
``native``; without it, finite differences alone are left.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import torch

from autograd_lab._torch.settings import grad_mode
from autograd_lab.functions.samples import Sample
from autograd_lab.verify.randomness import seed_all
from autograd_lab.verify.results import Args, Callee, Taken, copies, wants


class Subject(NamedTuple):
    """What is verified.

    Attributes:
        name: What a report calls it.
        raw: Computes it, with the gradients in question.
        call: The same, each time from the same random state.
        native: Computes the same with PyTorch's own gradients; ``None`` where there is no way.
        function: The Function, if it is one.
        samples: Inputs.
        given: Whether ``native`` is the user's own.
        seed: The random state that each call starts from.
        dirty: The arguments that it changes in place and says so.
        repeats: Whether two runs of it give the same. See Note [The same random numbers].
        draws: Whether it draws from torch's random generators.
        early: The results of the very first call.
    """

    name: str
    raw: Callee
    call: Callee
    native: Callee | None
    function: type[torch.autograd.Function] | None
    samples: tuple[Sample, ...]
    given: bool = False
    seed: int = 0
    dirty: frozenset[int] = frozenset()
    repeats: bool = True
    draws: bool = False
    early: Sequence[Taken | None] | None = None


class ToldContext:
    """Stands in for ``ctx`` where a forward runs by itself: accepts any attribute, and notes what is marked."""

    def __init__(self, args: Args) -> None:
        self.needs_input_grad = tuple(wants(arg) for arg in args)
        self.dirty: set[int] = set()
        self.not_differentiable: set[int] = set()

    def save_for_backward(self, *tensors: Any) -> None:
        """Takes them and forgets them."""

    save_for_forward = save_for_backward

    def mark_dirty(self, *tensors: Any) -> None:
        """Notes the tensors that the forward changes in place."""
        self.dirty |= {id(each) for each in tensors}

    def mark_non_differentiable(self, *tensors: Any) -> None:
        """Notes the outputs that have no gradient."""
        self.not_differentiable |= {id(each) for each in tensors}

    def set_materialize_grads(self, value: bool) -> None:
        """Takes it and forgets it."""


def modern(function: type[torch.autograd.Function]) -> bool:
    """Returns whether a Function's forward takes no ``ctx``."""
    return function.setup_context is not torch.autograd.Function.setup_context


def told(function: type[torch.autograd.Function], args: Args) -> tuple[Any, ToldContext]:
    """Runs a Function's forward by itself.

    Args:
        function: The Function.
        args: The arguments of ``apply``.

    Returns:
        What the forward returned, and what it said to its ``ctx``.
    """
    if not modern(function):
        ctx: Any = ToldContext(args)
        return function.forward(ctx, *args), ctx
    bound = inspect.signature(function.forward).bind(*args)
    bound.apply_defaults()  # as apply does
    ctx = ToldContext(bound.args)
    made = function.forward(*bound.args)
    function.setup_context(ctx, bound.args, made)
    return made, ctx


def reference(function: type[torch.autograd.Function]) -> Callee:
    """Returns a Function's forward as a plain computation. See Note [The reference]."""

    def native(*args: Any) -> Any:
        made, ctx = told(function, args)
        if not ctx.not_differentiable:
            return made
        outputs = made if isinstance(made, tuple) else (made,)
        return tuple(each.detach() if id(each) in ctx.not_differentiable else each for each in outputs)

    return native


def dirty(function: type[torch.autograd.Function], args: Args) -> frozenset[int]:
    """Returns the indices of the arguments that a Function marks as changed in place."""
    held = copies(args)
    with grad_mode(False):
        _, ctx = told(function, held)
    return frozenset(index for index, arg in enumerate(held) if id(arg) in ctx.dirty)


def changes_leaves(call: Callee, args: Args) -> bool:
    """Returns whether a call is refused because it changes its arguments in place, which leaves don't allow."""
    try:
        call(*copies(args))
    except RuntimeError as error:
        return "a leaf Variable that requires grad" in str(error)
    except Exception:  # whatever else it is, it's said when the call is made in earnest
        return False
    return False


def steady(call: Callee, seed: int, clones: Collection[int] = ()) -> Callee:
    """Returns a call that starts from the same random state each time, some arguments as copies that aren't leaves."""

    @functools.wraps(call)
    def run(*args: Any) -> Any:
        seed_all(seed, args)
        return call(*(arg.clone() if index in clones else arg for index, arg in enumerate(args)))

    return run


def parameters(function: type[torch.autograd.Function]) -> int:
    """Counts the arguments that a Function's forward must have, ``ctx`` aside."""
    found = [
        parameter
        for parameter in inspect.signature(function.forward).parameters.values()
        if parameter.default is parameter.empty and parameter.kind is parameter.POSITIONAL_OR_KEYWORD
    ]
    return len(found) - (not modern(function))
