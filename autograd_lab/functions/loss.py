r"""Losses: the negative log likelihood and the squared error.

Note [Reduction]
A loss is computed for each element, then reduced: kept (``"none"``), summed (``"sum"``) or averaged (``"mean"``).
:math:`R` below stands for it. A sum hands its gradient to each element, an average divides it among them: by their
number, or by the sum of their weights where these count.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch.nn import functional

from autograd_lab.functions.linear import total
from autograd_lab.functions.precision import wide
from autograd_lab.functions.rule import Rule, rule
from autograd_lab.functions.samples import Sample, each_alone, tensor
from autograd_lab.functions.unbroadcast import fit, like

REDUCTIONS = ("none", "mean", "sum")
"""By ATen's numbers for them."""


def likelihood(
    self: torch.Tensor,
    target: torch.Tensor,
    weight: torch.Tensor | None = None,
    reduction: int = 1,
    ignore_index: int = -100,
) -> tuple[Any, ...] | None:
    """The arguments of a negative log likelihood. A weight that requires a gradient is PyTorch's to refuse."""
    if (weight is not None and weight.requires_grad) or reduction not in range(3):
        return None
    return self, target, weight, REDUCTIONS[reduction], ignore_index


def error(self: torch.Tensor, target: torch.Tensor, reduction: int = 1) -> tuple[Any, ...] | None:
    """The arguments of a squared error."""
    return (self, target, REDUCTIONS[reduction]) if reduction in range(3) else None


@rule
class NllLoss(Rule):
    r"""Minus the log likelihood of the class that was right, times the class's weight.

    .. math:: z = R_i \bigl(-w_{y_i} x_{i, y_i}\bigr), \qquad
        \bar x_{ic} = -\frac{w_c \, \bar z_i}{n} \, [c = y_i], \qquad
        \dot z = R_i \bigl(-w_{y_i} \dot x_{i, y_i}\bigr)

    :math:`n = \sum_i w_{y_i}` for a mean, else 1. An element whose target is ``ignore_index`` has weight zero. The
    class is dimension 1 of :math:`x`, or its only one. After a ``log_softmax`` this is the cross entropy.

    Source: ``nll_loss_backward_out_frame`` in ``aten/src/ATen/native/LossNLL.cpp``.
    """

    name = "nll_loss"
    replaces = {"nll_loss": likelihood, "nll_loss_nd": likelihood, "nll_loss2d": likelihood}
    formula = {
        "self": "at_target(-grad * share(grad, target, weight, reduction, ignore_index), target, self.shape)",
        "result": "functional.nll_loss(self_t, target, weight, ignore_index=ignore_index, reduction=reduction)",
    }
    generate_vmap_rule = True

    @staticmethod
    def forward(
        self: torch.Tensor,
        target: torch.Tensor,
        weight: torch.Tensor | None = None,
        reduction: str = "mean",
        ignore_index: int = -100,
    ) -> torch.Tensor:
        return functional.nll_loss(self, target, weight, ignore_index=ignore_index, reduction=reduction)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: torch.Tensor) -> None:
        self, target, weight, ctx.reduction, ctx.ignore_index = inputs
        ctx.set_materialize_grads(False)
        ctx.save_for_forward(target, weight)
        ctx.save_for_backward(target, weight)
        ctx.like = like(self)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor | None) -> Any:
        if grad is None:
            return None, None, None, None, None
        target, weight = ctx.saved_tensors
        made = -grad * share(grad, target, weight, ctx.reduction, ctx.ignore_index)
        return at_target(made, target, ctx.like.shape).to(ctx.like.dtype), None, None, None, None

    @staticmethod
    def jvp(ctx: Any, self_t: torch.Tensor | None, *_: None) -> Any:
        target, weight = ctx.saved_tensors
        if self_t is None:
            return None
        return NllLoss.forward(self_t, target, weight, ctx.reduction, ctx.ignore_index)

    @staticmethod
    def samples(dtype: torch.dtype) -> Iterator[Sample]:
        if dtype.is_complex:
            return
        scores, target = tensor((4, 3), dtype), torch.tensor([2, 0, 2, 1])
        weight = tensor((3,), dtype, seed=1, low=0.5).detach()
        for reduction in ("mean", "sum", "none"):
            yield Sample(reduction, (scores, target, None, reduction, -100))
            yield Sample(f"weighted, {reduction}", (scores, target, weight, reduction, -100))
            yield Sample(f"ignoring, {reduction}", (scores, target, weight, reduction, 2))
            images = tensor((2, 3, 2, 1), dtype), target.reshape(2, 2, 1)
            yield Sample(f"an image, {reduction}", (*images, weight, reduction, 1))
        yield Sample(
            "one dimension more", (tensor((2, 3, 2), dtype), target.reshape(2, 2), weight, "mean", 1)
        )
        yield Sample("one element", (tensor((3,), dtype), torch.tensor(1), weight, "mean", -100))
        yield Sample("all ignored", (scores, torch.full((4,), -100), None, "sum", -100))
        yield Sample("empty", (tensor((0, 3), dtype), target[:0], None, "sum", -100))


def share(
    grad: torch.Tensor, target: torch.Tensor, weight: torch.Tensor | None, reduction: str, ignore_index: int
) -> torch.Tensor:
    r"""Returns each element's weight in the loss: :math:`w_{y_i} / n`, and nothing where it's ignored."""
    counted = target != ignore_index
    of_class = wide(grad.new_ones(1) if weight is None else weight)
    index = classes(target, len(of_class))
    weights = torch.where(counted, of_class.index_select(0, index.flatten()).reshape(index.shape), 0)
    return torch.where(counted, weights / weights.sum(), 0) if reduction == "mean" else weights


def at_target(values: torch.Tensor, target: torch.Tensor, shape: torch.Size) -> torch.Tensor:
    """Puts each element's value at the class that was right, and zeros at the others."""
    dim = min(1, len(shape) - 1)
    index = classes(target, shape[dim]).reshape(shape[:dim] + shape[dim + 1 :]).unsqueeze(dim)
    return values.new_zeros(shape).scatter(dim, index, values.reshape(index.shape))


def classes(target: torch.Tensor, number: int) -> torch.Tensor:
    """The targets as indices; an ignored one, which may be no class at all, as any that there is."""
    return target.long().clamp(0, number - 1)


@rule
class MseLoss(Rule):
    r"""The squared error.

    .. math:: z = R \, (x - y)^2, \qquad \bar x = \frac{2 \bar z}{n} (x - y), \qquad \bar y = -\bar x, \qquad
        \dot z = R \, 2 (x - y) (\dot x - \dot y)

    :math:`n` is the number of elements for a mean, else 1.

    Source: ``mse_loss_backward`` in ``aten/src/ATen/native/BinaryOps.cpp`` and ``mse_loss_double_backward`` in
    ``torch/csrc/autograd/FunctionsManual.cpp``.
    """

    name = "mse_loss"
    replaces = {"mse_loss": error}
    formula = {
        "self": "grad * slope(self, target, reduction)",
        "target": "-grad * slope(self, target, reduction)",
        "result": "reduce((self_t - target_t) * slope(self, target, 'sum'), reduction)",
    }
    generate_vmap_rule = True

    @staticmethod
    def forward(self: torch.Tensor, target: torch.Tensor, reduction: str = "mean") -> torch.Tensor:
        # Expanded here, since torch's function warns where shapes differ.
        x, y = torch.broadcast_tensors(self, target)  # type: ignore[no-untyped-call]
        return functional.mse_loss(x, y, reduction=reduction)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: torch.Tensor) -> None:
        self, target, ctx.reduction = inputs
        ctx.likes = like(self), like(target)
        ctx.set_materialize_grads(False)
        ctx.save_for_forward(self, target)
        ctx.save_for_backward(self, target)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor | None) -> Any:
        if grad is None:
            return None, None, None
        needs_self, needs_target, _ = ctx.needs_input_grad
        self, target = ctx.saved_tensors
        made = grad * slope(self, target, ctx.reduction)
        return (
            fit(made, ctx.likes[0]) if needs_self else None,
            fit(-made, ctx.likes[1]) if needs_target else None,
            None,
        )

    @staticmethod
    def jvp(ctx: Any, self_t: torch.Tensor | None, target_t: torch.Tensor | None, _: None) -> Any:
        moved = total(self_t, None if target_t is None else -target_t)
        if moved is None:
            return None
        self, target = ctx.saved_tensors
        return reduce(moved * slope(self, target, "sum"), ctx.reduction)

    @staticmethod
    def samples(dtype: torch.dtype) -> Iterator[Sample]:
        if dtype.is_complex:
            return
        pair = tensor((2, 3), dtype), tensor((2, 3), dtype, seed=1)
        for reduction in ("mean", "sum", "none"):
            yield Sample(reduction, (*pair, reduction))
            yield Sample(f"broadcast, {reduction}", (pair[0], tensor((3,), dtype, seed=2), reduction))
        yield from each_alone((*pair, "mean"))
        yield Sample("no dimensions", (tensor((), dtype), tensor((), dtype, seed=1), "mean"))
        yield Sample("empty", (tensor((0, 2), dtype), tensor((0, 2), dtype, seed=1), "sum"))
        yield Sample("no error", (pair[0], pair[0], "mean"))


def slope(self: torch.Tensor, target: torch.Tensor, reduction: str) -> torch.Tensor:
    r"""Returns the loss's slope at each element of the first: :math:`\frac{2}{n} (x - y)`."""
    difference = self - target
    return difference * (2 / max(difference.numel(), 1) if reduction == "mean" else 2)


def reduce(each: torch.Tensor, reduction: str) -> torch.Tensor:
    """Keeps, averages or sums. See Note [Reduction]."""
    if reduction == "none":
        return each
    return each.mean() if reduction == "mean" else each.sum()
