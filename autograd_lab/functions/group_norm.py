"""Group norm.

See Note [Standardizing] in ``standardize.py`` for the derivative.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch

from autograd_lab.functions import operands
from autograd_lab.functions.precision import wide
from autograd_lab.functions.rule import Rule, rule
from autograd_lab.functions.samples import SUBSETS, Sample, needing, tensor
from autograd_lab.functions.shapes import others, per_channel
from autograd_lab.functions.standardize import EPS, scaled, standardized, through
from autograd_lab.functions.unbroadcast import fit


def given(
    input: torch.Tensor,
    num_groups: int,
    weight: torch.Tensor | None = None,
    bias: torch.Tensor | None = None,
    eps: float = EPS,
    _cudnn_enabled: bool = True,
) -> tuple[Any, ...]:
    """The arguments of a group norm; on the CPU the last one means nothing."""
    return input, num_groups, weight, bias, eps


@rule
class GroupNorm(Rule):
    r"""Group norm: in each sample, each group of channels standardized, then each channel scaled and shifted.

    .. math:: z = \gamma \, \hat x + \beta, \qquad \hat x = \frac{x - \mu}{\sigma}, \qquad
        \sigma^2 = \frac{1}{n} \sum_i (x_i - \mu)^2 + \epsilon

    With :math:`g = \bar z \, \gamma`, and :math:`\langle \cdot \rangle` for the mean over a sample's group,

    .. math:: \bar x = \frac{1}{\sigma} \bigl(g - \langle g \rangle - \hat x \, \langle g \, \hat x \rangle\bigr),
        \qquad \bar \gamma = \sum \bar z \, \hat x, \qquad \bar \beta = \sum \bar z

    .. math:: \dot z = \frac{\gamma}{\sigma}
        \bigl(\dot x - \langle \dot x \rangle - \hat x \, \langle \dot x \, \hat x \rangle\bigr)
        + \dot \gamma \, \hat x + \dot \beta

    The sums are over all but the channels. The statistics are a group's, the weight is a channel's: the one is computed
    in the shape ``[N, G, n]``, where a group stands alone, the other in the input's.

    Source: ``GroupNormBackwardKernelImplInternal`` in ``aten/src/ATen/native/cpu/group_norm_kernel.cpp``;
    ``group_norm_jvp``, ``infinitely_differentiable_native_group_norm_backward`` in
    ``torch/csrc/autograd/FunctionsManual.cpp``.
    """

    name = "group_norm"
    replaces = {"group_norm": given}
    formula = {
        "input": "Groups(input, num_groups, eps).through(scaled(grad, per_channel(weight, input)))",
        "weight": "(grad * Groups(input, num_groups, eps).normal).sum(others(input))",
        "bias": "grad.sum(others(input))",
        "result": "Groups(input, num_groups, eps).through(input_t) * per_channel(weight, input)"
        " + Groups(input, num_groups, eps).normal * per_channel(weight_t, input) + per_channel(bias_t, input)",
    }
    generate_vmap_rule = True

    @staticmethod
    def forward(
        input: torch.Tensor,
        num_groups: int,
        weight: torch.Tensor | None = None,
        bias: torch.Tensor | None = None,
        eps: float = EPS,
    ) -> torch.Tensor:
        return torch.group_norm(input, num_groups, weight, bias, eps)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: torch.Tensor) -> None:
        operands.save(ctx, inputs, (True, False, True, False, False), output)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor | None) -> Any:
        if grad is None:
            return (None,) * 5
        grad = wide(grad)
        x, num_groups, weight, _, eps = operands.saved(ctx)
        needs_input, _, needs_weight, needs_bias, _ = ctx.needs_input_grad
        of_input = of_weight = of_bias = None
        if needs_input or needs_weight:
            groups = Groups(x, num_groups, eps)
        if needs_input:
            of_input = fit(groups.through(scaled(grad, per_channel(weight, grad))), ctx.likes[0])
        if needs_weight:
            of_weight = fit((grad * groups.normal).sum(others(grad)), ctx.likes[2])
        if needs_bias:
            of_bias = fit(grad.sum(others(grad)), ctx.likes[3])
        return of_input, None, of_weight, of_bias, None

    @staticmethod
    def jvp(
        ctx: Any,
        input_t: torch.Tensor | None,
        _groups: None,
        weight_t: torch.Tensor | None,
        bias_t: torch.Tensor | None,
        _eps: None,
    ) -> Any:
        x, num_groups, weight, _, eps = operands.saved(ctx)
        groups = Groups(x, num_groups, eps)
        return operands.tangent(
            ctx,
            None if input_t is None else scaled(groups.through(input_t), per_channel(weight, x)),
            None if weight_t is None else groups.normal * per_channel(weight_t, x),
            per_channel(bias_t, x),
        )

    @staticmethod
    def samples(dtype: torch.dtype) -> Iterator[Sample]:
        if dtype.is_complex:
            return

        def sample(shape: tuple[int, ...], groups: int) -> Sample:
            channels = shape[1:2]
            affine = (tensor(channels, dtype, seed=1), tensor(channels, dtype, seed=2))
            return Sample(f"{list(shape)} in {groups}", (tensor(shape, dtype), groups, *affine, EPS))

        for shape, groups in (
            ((2, 4, 3), 2),
            ((2, 4), 1),
            ((1, 2, 2, 3), 2),
            ((1, 4, 1, 2, 1), 2),
            ((0, 4, 2), 2),
        ):
            yield sample(shape, groups)
        x, groups, weight, bias, eps = sample((2, 4, 2), 2).args
        yield Sample("without weight and bias", (x, groups))
        yield Sample("without bias", (x, groups, weight))
        yield Sample("a large eps", (x, groups, weight, bias, 0.5))
        turned = tensor((3, 4, 2), dtype).detach().permute(2, 1, 0).requires_grad_()
        yield Sample("not contiguous", (turned, groups, weight, bias, eps))
        for needs in SUBSETS:
            first, *rest = needing((x, weight, bias), needs)
            yield Sample(f"needs {needs}", (first, groups, *rest, eps))


class Groups:
    """An input standardized group by group. See Note [Standardizing].

    Args:
        input: Shape ``[N, C, ...]``.
        count: How many groups the channels of a sample make.
        eps: Is added to each variance.

    Attributes:
        normal: The standardized input, in the input's shape.
    """

    def __init__(self, input: torch.Tensor, count: int, eps: float) -> None:
        self._shape = input.shape
        batch, *rest = input.shape
        self._grouped = (batch, count, math.prod(rest) // count)
        self._normal, self._scale = standardized(input.reshape(self._grouped), [2], eps)
        self.normal = self._normal.reshape(self._shape)

    def through(self, value: torch.Tensor) -> torch.Tensor:
        """Takes a gradient or a tangent through it, in the input's shape."""
        passed = through(value.reshape(self._grouped), self._normal, self._scale, [2])
        return passed.reshape(self._shape)
