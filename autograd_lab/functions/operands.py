"""Rules of several operands, tensors and numbers, that are broadcast: each operand's gradient is a formula.

Note [What a rule saves]
Torch refuses a backward when a saved tensor was changed since. A rule saves what PyTorch's node saves, so that a
program that is refused without a swap is refused under it too. That is mostly what the formulas of the gradients name
that are wanted. Where PyTorch's node saves more, a rule does too.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, TypeAlias

import torch

from autograd_lab.functions.formula import GradientFormula, Texts, names
from autograd_lab.functions.rule import Rule
from autograd_lab.functions.unbroadcast import fit, like

PythonNumber: TypeAlias = bool | int | float | complex
TensorOrNumber: TypeAlias = torch.Tensor | PythonNumber
OptionalTensor: TypeAlias = torch.Tensor | None


class ByFormula(Rule):
    """A rule of operands that are broadcast; a subclass says each one's gradient, as a function of what flows.

    What a formula names is what is saved for it, and only where its gradient is wanted. See Note [One formula, both
    modes] for the tangent, and Note [Unbroadcast] for what brings a gradient to its input's shape.

    Attributes:
        gradients: For each differentiable argument of ``forward`` the formula of its gradient: a function of ``grad``
            and of the values that it needs, under the names of ``forward``'s arguments, or ``result``.
    """

    gradients: ClassVar[Mapping[str, GradientFormula]]
    formula = Texts()
    _terms: ClassVar[Sequence[tuple[int, GradientFormula, Sequence[int]]]]
    """The index of an argument, its formula, and the indices of the values that this names; the result's is last."""
    _keeps: ClassVar[dict[tuple[bool, ...], list[bool]]]
    """By which arguments need a gradient, which values are saved for it."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if hasattr(cls, "gradients"):
            values = [*inspect.signature(cls.forward).parameters, "result"]
            cls._terms = [
                (values.index(name), gradient, [values.index(each) for each in names(gradient)])
                for name, gradient in cls.gradients.items()
            ]
            cls._keeps = {}

    @classmethod
    def setup_context(cls, ctx: Any, inputs: tuple[Any, ...], output: torch.Tensor) -> None:
        wanted = ctx.needs_input_grad
        keep = cls._keeps.get(wanted) or cls._keeps.setdefault(wanted, cls._kept(wanted))
        save(ctx, inputs if len(keep) == len(inputs) else (*inputs, output), keep, output)

    @classmethod
    def _kept(cls, wanted: Sequence[bool]) -> list[bool]:
        """Returns for each value whether a backward needs it; the result is left out if no formula names it."""
        needed = {index for operand, _, named in cls._terms if wanted[operand] for index in named}
        size = len(wanted) + any(len(wanted) in named for _, _, named in cls._terms)
        return [index in needed for index in range(size)]

    @classmethod
    def backward(cls, ctx: Any, grad: torch.Tensor | None) -> Any:
        wanted = ctx.needs_input_grad
        grads: list[torch.Tensor | None] = [None] * len(wanted)
        if grad is not None:
            values, likes = saved(ctx) if ctx.keeps else ctx.numbers, ctx.likes
            for operand, gradient, named in cls._terms:
                if wanted[operand]:
                    grads[operand] = fit(gradient(grad, *[values[index] for index in named]), likes[operand])
        return tuple(grads)

    @classmethod
    def jvp(cls, ctx: Any, *tangents: torch.Tensor | None) -> Any:
        values = saved(ctx)
        terms = [
            gradient(step.conj(), *[values[index] for index in named]).conj()
            for operand, gradient, named in cls._terms
            if (step := tangents[operand]) is not None
        ]
        return tangent(ctx, *terms)


class Broadcast(ByFormula):
    """A function of operands that are broadcast, element by element: a batch of them is one larger call."""

    @classmethod
    def vmap(cls, info: Any, in_dims: tuple[int | None, ...], *args: Any) -> tuple[torch.Tensor, int]:
        return batched(cls.apply, in_dims, args)


def save(ctx: Any, operands: Sequence[Any], keep: Sequence[bool], result: torch.Tensor) -> None:
    """Saves operands: for a backward those that PyTorch's node saves, for a forward-mode pass all, and how each looks.

    What forward mode saves goes when ``apply`` ends. ``ctx.operands`` says which were numbers, which need no saving.

    Args:
        ctx: Torch's context.
        operands: Tensors, numbers or ``None``.
        keep: For each operand whether it's saved for a backward. See Note [What a rule saves].
        result: What ``forward`` returned.
    """
    tensors = [value if isinstance(value, torch.Tensor) else None for value in operands]
    ctx.numbers = [None if isinstance(value, torch.Tensor) else value for value in operands]
    ctx.keeps = any(keep)
    ctx.likes = [like(value) for value in operands]
    ctx.result_like = like(result)
    ctx.set_materialize_grads(False)  # a tangent that isn't there adds nothing: not even 0 times infinity
    ctx.save_for_forward(*tensors)
    ctx.save_for_backward(*(value if kept else None for value, kept in zip(tensors, keep, strict=True)))


def saved(ctx: Any) -> list[Any]:
    """Returns what `save` kept, in the operands' order; ``None`` where nothing was needed."""
    tensors = ctx.saved_tensors
    return [number if tensor is None else tensor for tensor, number in zip(tensors, ctx.numbers, strict=True)]


def tangent(ctx: Any, *terms: torch.Tensor | None) -> torch.Tensor | None:
    """Adds the terms of a tangent, in the result's shape and dtype.

    Args:
        ctx: Torch's context, after `save`.
        terms: One for each operand; ``None`` where the operand has no tangent.

    Returns:
        The result's tangent, in memory of its own.
    """
    there = [term for term in terms if term is not None]
    if not there:
        return None
    total = sum(there[1:], start=there[0])
    shape, dtype = ctx.result_like
    return total.expand(shape).to(dtype, copy=True)


def batched(
    apply: Callable[..., torch.Tensor], in_dims: Sequence[int | None], args: Sequence[Any]
) -> tuple[torch.Tensor, int]:
    """Runs an elementwise rule on a whole batch: broadcasting does it, once the batch stands in front everywhere.

    An operand of ``[B, 3]`` that meets one of ``[B, 2, 3]`` becomes ``[B, 1, 3]``. One that had no dimensions but its
    batch is promoted first, as an operand without dimensions doesn't decide the result's dtype within its kind.

    Args:
        apply: The rule's.
        in_dims: Where each argument has its batch; ``None`` where it has none.
        args: The arguments of ``apply``.

    Returns:
        The result and where its batch is.
    """
    one = [
        value
        if dim is None
        else value.new_empty([size for index, size in enumerate(value.shape) if index != dim])
        for value, dim in zip(args, in_dims, strict=True)
    ]
    operands: list[Any] = [value for value in one[:2] if isinstance(value, torch.Tensor | PythonNumber)]
    rank = max(value.dim() for value in operands if isinstance(value, torch.Tensor))
    dtype = torch.result_type(*operands) if len(operands) == 2 else operands[0].dtype
    moved = []
    for value, dim in zip(args, in_dims, strict=True):
        if dim is None:
            moved.append(value)
            continue
        front = value.movedim(dim, 0)
        own = front.shape[1:]
        front = front.reshape(front.shape[0], *(1 for _ in range(rank - len(own))), *own)
        moved.append(front.to(dtype) if not own and front.dtype != dtype else front)
    return apply(*moved), 0
