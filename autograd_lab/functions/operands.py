"""What every elementwise rule with tensors and numbers as operands needs: saving, tangents, batches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import torch

from autograd_lab.functions.unbroadcast import like

Number: TypeAlias = bool | int | float | complex
Operand: TypeAlias = torch.Tensor | Number
OptionalTensor: TypeAlias = torch.Tensor | None


def save(ctx: Any, operands: Sequence[Any], keep: Sequence[bool], result: torch.Tensor) -> None:
    """Saves operands: for a backward those that it needs, for a forward-mode pass all, and how each looks.

    What forward mode saves goes when ``apply`` ends. ``ctx.operands`` says which were numbers, which need no saving.

    Args:
        ctx: Torch's context.
        operands: Tensors, numbers or ``None``.
        keep: For each operand whether a backward needs it.
        result: What ``forward`` returned.
    """
    tensors = [value if isinstance(value, torch.Tensor) else None for value in operands]
    ctx.numbers = [None if isinstance(value, torch.Tensor) else value for value in operands]
    ctx.likes = [like(value) for value in operands]
    ctx.result_like = like(result)
    ctx.set_materialize_grads(False)  # a tangent that isn't there adds nothing: not even 0 times infinity
    ctx.save_for_forward(*tensors)
    ctx.save_for_backward(*(value if kept else None for value, kept in zip(tensors, keep, strict=True)))


def saved(ctx: Any) -> list[Any]:
    """Gives back what `save` kept, in the operands' order; ``None`` where nothing was needed."""
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
        value if dim is None else value.new_empty([size for at, size in enumerate(value.shape) if at != dim])
        for value, dim in zip(args, in_dims, strict=True)
    ]
    operands: list[Any] = [value for value in one[:2] if isinstance(value, torch.Tensor | Number)]
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
