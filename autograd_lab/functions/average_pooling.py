"""Average pooling over windows of one size, and over as many windows as are asked for.

PyTorch computes one dimension as two. See Note [Windows] in ``windows.py`` for the gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.nn import functional

from autograd_lab.functions.rule import Rule, rule
from autograd_lab.functions.samples import Sample, tensor
from autograd_lab.functions.shapes import Sizes, spread
from autograd_lab.functions.unbroadcast import fit, like
from autograd_lab.functions.windows import adapted, regular, to_elements


def of(dims: int) -> Callable[..., tuple[Any, ...]]:
    """Returns the adapter of an average pooling in this many dimensions."""

    def adapt(
        self: torch.Tensor,
        kernel_size: Sizes,
        stride: Sizes = (),
        padding: Sizes = (0,),
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> tuple[Any, ...]:
        sizes = (spread(each, dims) for each in (kernel_size, stride or kernel_size, padding))
        return self, *sizes, ceil_mode, count_include_pad, divisor_override

    return adapt


@rule
class AvgPool(Rule):
    r"""The mean of each window.

    .. math:: z_i = \frac{1}{n_i} \sum_{j \in W_i} x_j, \qquad
        \bar x_j = \sum_{i:\, j \in W_i} \frac{\bar z_i}{n_i}, \qquad
        \dot z_i = \frac{1}{n_i} \sum_{j \in W_i} \dot x_j

    It's linear: nothing is saved but sizes, and a tangent is pooled like the input. :math:`n_i` is the size of the
    window, with its part of the padding or without, but never with what lies beyond the padding; or it's the divisor
    that was given. See Note [Windows].

    Source: ``avg_pool2d_backward_out_cpu`` in ``aten/src/ATen/native/AveragePool2d.cpp``; ``avg_pool2d`` in
    ``tools/autograd/derivatives.yaml``.
    """

    name = "avg_pool"
    replaces = {"avg_pool2d": of(2), "avg_pool3d": of(3)}
    formula = {
        "self": "to_elements(grad, self.shape, "
        "regular(self.shape, grad, kernel_size, stride, padding, count_include_pad), divisor_override)",
        "result": "AvgPool.forward(self_t, kernel_size, stride, padding, ceil_mode, count_include_pad, "
        "divisor_override)",
    }
    generate_vmap_rule = True

    @staticmethod
    def forward(
        self: torch.Tensor,
        kernel_size: Sizes,
        stride: Sizes,
        padding: Sizes,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> torch.Tensor:
        pool: Any = functional.avg_pool2d if len(kernel_size) == 2 else functional.avg_pool3d
        made: torch.Tensor = pool(
            self, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
        )
        return made

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: torch.Tensor) -> None:
        self, *ctx.how = inputs
        ctx.like = like(self)
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor | None) -> Any:
        if grad is None:
            return (None,) * 7
        kernel_size, stride, padding, _, count_include_pad, divisor_override = ctx.how
        shape = ctx.like.shape
        sides = regular(shape, grad, kernel_size, stride, padding, count_include_pad)
        return fit(to_elements(grad, shape, sides, divisor_override), ctx.like), *(None,) * 6

    @staticmethod
    def jvp(ctx: Any, self_t: torch.Tensor | None, *_: None) -> Any:
        return None if self_t is None else AvgPool.forward(self_t, *ctx.how)

    @staticmethod
    def samples(dtype: torch.dtype) -> Iterator[Sample]:
        if dtype.is_complex:
            return

        def sample(name: str, shape: tuple[int, ...], *how: Any) -> Sample:
            return Sample(name, (tensor(shape, dtype), *how))

        yield sample("windows side by side", (1, 2, 4, 4), [2, 2], [2, 2], [0, 0])
        yield sample("windows that overlap", (1, 1, 4, 4), [3, 2], [1, 1], [0, 0])
        yield sample("padding", (1, 1, 3, 4), [3, 2], [2, 2], [1, 1])
        yield sample("padding that doesn't count", (1, 1, 3, 4), [3, 2], [2, 2], [1, 1], False, False)
        yield sample("a window over the edge", (1, 1, 4, 5), [3, 2], [2, 2], [1, 0], True)
        yield sample("a window over the edge, no padding", (1, 1, 4, 5), [3, 2], [2, 2], [1, 1], True, False)
        yield sample("a divisor", (1, 1, 3, 4), [2, 2], [1, 2], [1, 0], False, True, 3)
        yield sample("one sample", (2, 3, 4), [2, 2], [1, 2], [0, 0])
        if dtype in (torch.float32, torch.float64):  # the others PyTorch doesn't have in three dimensions
            yield sample("3d", (1, 2, 2, 3, 2), [2, 2, 1], [1, 1, 1], [0, 0, 0])
            yield sample("3d, padding", (1, 3, 2, 2), [2, 2, 2], [2, 2, 1], [1, 1, 0], True, False)
        yield sample("an empty batch", (0, 1, 4, 4), [2, 2], [2, 2], [0, 0])
        turned = tensor((4, 4, 2, 1), dtype).detach().permute(3, 2, 1, 0).requires_grad_()
        yield Sample("not contiguous", (turned, [2, 2], [2, 2], [0, 0]))


@rule
class AdaptiveAvgPool(Rule):
    r"""The mean of each window, of which there are as many as asked for.

    Of :math:`m` windows over :math:`s` elements, window :math:`i` reaches from :math:`\lfloor i s / m \rfloor` to
    :math:`\lceil (i + 1) s / m \rceil`.

    .. math:: z_i = \frac{1}{n_i} \sum_{j \in W_i} x_j, \qquad
        \bar x_j = \sum_{i:\, j \in W_i} \frac{\bar z_i}{n_i}, \qquad
        \dot z_i = \frac{1}{n_i} \sum_{j \in W_i} \dot x_j

    It's linear: nothing is saved but sizes, and a tangent is pooled like the input. Where :math:`s` isn't a multiple of
    :math:`m`, windows overlap by an element and aren't of one size. See Note [Windows].

    Source: ``cpu_adaptive_avg_pool2d_backward`` in ``aten/src/ATen/native/cpu/AdaptiveAvgPoolKernel.cpp``;
    ``_adaptive_avg_pool2d`` in ``tools/autograd/derivatives.yaml``.
    """

    name = "adaptive_avg_pool"
    replaces = {
        "adaptive_avg_pool2d": lambda self, output_size: (self, spread(output_size, 2)),
        "adaptive_avg_pool3d": lambda self, output_size: (self, spread(output_size, 3)),
        "_adaptive_avg_pool2d": lambda self, output_size: (self, spread(output_size, 2)),
        "_adaptive_avg_pool3d": lambda self, output_size: (self, spread(output_size, 3)),
    }
    formula = {
        "self": "to_elements(grad, self.shape, adapted(self.shape, grad, output_size), None)",
        "result": "AdaptiveAvgPool.forward(self_t, output_size)",
    }
    generate_vmap_rule = True

    @staticmethod
    def forward(self: torch.Tensor, output_size: Sizes) -> torch.Tensor:
        pool: Any = (
            functional.adaptive_avg_pool2d if len(output_size) == 2 else functional.adaptive_avg_pool3d
        )
        made: torch.Tensor = pool(self, output_size)
        return made

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: torch.Tensor) -> None:
        self, ctx.output_size = inputs
        ctx.like = like(self)
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor | None) -> Any:
        if grad is None:
            return None, None
        shape = ctx.like.shape
        sides = adapted(shape, grad, ctx.output_size)
        return fit(to_elements(grad, shape, sides, None), ctx.like), None

    @staticmethod
    def jvp(ctx: Any, self_t: torch.Tensor | None, _: None) -> Any:
        return None if self_t is None else AdaptiveAvgPool.forward(self_t, ctx.output_size)

    @staticmethod
    def samples(dtype: torch.dtype) -> Iterator[Sample]:
        if dtype.is_complex:
            return
        for name, shape, output_size in (
            ("windows side by side", (1, 2, 4, 4), [2, 2]),
            ("one window", (2, 2, 3, 2), [1, 1]),
            ("windows that overlap", (1, 1, 5, 3), [3, 2]),
            ("more windows than elements", (1, 1, 2, 3), [3, 4]),
            ("one sample", (2, 3, 4), [2, 3]),
            ("3d", (1, 1, 3, 2, 3), [2, 2, 2]),
            ("one window, 3d", (2, 2, 2, 3), [1, 1, 1]),
            ("an empty batch", (0, 1, 4, 4), [2, 2]),
        ):
            yield Sample(name, (tensor(shape, dtype), output_size))
        turned = tensor((4, 4, 2, 1), dtype).detach().permute(3, 2, 1, 0).requires_grad_()
        yield Sample("not contiguous", (turned, [2, 3]))
