"""Dropout."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from autograd_lab.functions.rule import Rule, rule
from autograd_lab.functions.samples import Sample, tensor


def draw(like: torch.Tensor, p: float) -> torch.Tensor:
    """Draws what a dropout multiplies by: zeros with probability ``p``, else ``1 / (1 - p)``.

    PyTorch's own dropout on a CPU draws the same, in the same way: the same seed gives the same numbers.

    Args:
        like: The tensor to be multiplied.
        p: The probability, above zero.

    Returns:
        The noise, of the same shape; without dimensions if all is dropped.
    """
    if p == 1:
        return like.new_zeros(())
    return torch.empty_like(like, requires_grad=False).bernoulli_(1 - p).div_(1 - p)


def noisy(self: torch.Tensor, p: float, train: bool) -> tuple[Any, ...] | None:
    """Returns the arguments of a dropout; ``None`` where nothing is dropped: there PyTorch returns the input itself."""
    if not train or not 0 < p <= 1 or not self.numel():
        return None
    return self, draw(self, p)


@rule
class Dropout(Rule):
    r"""Each element dropped with a probability, the others scaled up.

    .. math:: z = m \, x, \qquad \bar x = m \, \bar z, \qquad \dot z = m \, \dot x, \qquad
        m \in \Bigl\{0, \frac{1}{1 - p}\Bigr\}

    The noise :math:`m` is drawn before the rule runs, so that the rule is a function like any other. What is dropped
    going forward gets no gradient coming back.

    Source: ``_dropout`` in ``aten/src/ATen/native/Dropout.cpp``, a composite of ``bernoulli_``, ``div_`` and ``mul``.
    """

    name = "dropout"
    replaces = {"dropout": noisy}
    in_place = {"dropout_": noisy}
    formula = {"self": "grad * noise", "result": "self_t * noise"}
    generate_vmap_rule = True

    @staticmethod
    def forward(self: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        return self * noise

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: torch.Tensor) -> None:
        _, noise = inputs
        ctx.set_materialize_grads(False)
        ctx.save_for_forward(noise)
        ctx.save_for_backward(noise)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor | None) -> Any:
        (noise,) = ctx.saved_tensors
        return None if grad is None else grad * noise, None

    @staticmethod
    def jvp(ctx: Any, self_t: torch.Tensor | None, _: None) -> Any:
        (noise,) = ctx.saved_tensors
        return None if self_t is None else self_t * noise

    @staticmethod
    def samples(dtype: torch.dtype) -> Iterator[Sample]:
        for shape in ((2, 3), (), (0, 2)):
            values = tensor(shape, dtype)
            yield Sample(f"{list(shape)}", (values, (values.detach().real > 0) * values.new_tensor(1.25)))
        yield Sample("all dropped", (tensor((3,), dtype), torch.zeros((), dtype=dtype)))
