"""Max pooling in two and three dimensions; PyTorch computes it in one dimension as in two."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.nn import functional

from autograd_lab.functions.rule import Rule, rule
from autograd_lab.functions.samples import Sample, tensor
from autograd_lab.functions.shapes import Sizes, spread


def of(dims: int) -> Callable[..., tuple[Any, ...]]:
    """Returns the adapter of a max pooling in this many dimensions."""

    def adapt(
        self: torch.Tensor,
        kernel_size: Sizes,
        stride: Sizes = (),
        padding: Sizes = (0,),
        dilation: Sizes = (1,),
        ceil_mode: bool = False,
    ) -> tuple[Any, ...]:
        given = (kernel_size, stride or kernel_size, padding, dilation)
        return self, *(spread(sizes, dims) for sizes in given), ceil_mode

    return adapt


@rule
class MaxPool(Rule):
    r"""The largest element in each window, and where it stands.

    .. math:: z_i = x_{a(i)}, \quad a(i) = \operatorname{argmax}_{j \in W_i} x_j, \qquad
        \bar x_j = \sum_{i:\, a(i) = j} \bar z_i, \qquad \dot z_i = \dot x_{a(i)}

    Only the place of the largest element is saved, not the input. All of a window's gradient goes to that element;
    where windows overlap, one element may win several of them, and gets the sum. Among equals the first one wins,
    which is PyTorch's choice too; NaN wins over everything. The indices have no gradient.

    Source: ``max_pool2d_with_indices_backward`` in ``aten/src/ATen/native/DilatedMaxPool2d.cpp``;
    ``max_pool2d_with_indices`` in ``tools/autograd/derivatives.yaml``.
    """

    name = "max_pool"
    replaces = {"max_pool2d_with_indices": of(2), "max_pool3d_with_indices": of(3)}
    formula = {
        "self": "put_back(grad, result1, self.shape, len(kernel_size))",
        "result": "taken(self_t, result1, len(kernel_size))",
    }
    generate_vmap_rule = True

    @staticmethod
    def forward(
        self: torch.Tensor,
        kernel_size: Sizes,
        stride: Sizes,
        padding: Sizes,
        dilation: Sizes,
        ceil_mode: bool = False,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        pool: Any = functional.max_pool2d if len(kernel_size) == 2 else functional.max_pool3d
        made: tuple[torch.Tensor, torch.Tensor] = pool(
            self, kernel_size, stride, padding, dilation, ceil_mode, return_indices=True
        )
        return made

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[torch.Tensor, torch.Tensor]) -> None:
        _, indices = output
        ctx.mark_non_differentiable(indices)
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(indices)
        ctx.save_for_forward(indices)
        ctx.shape = inputs[0].shape
        ctx.dims = len(inputs[1])

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor | None, _places: None) -> Any:
        if grad is None:
            return (None,) * 6
        (indices,) = ctx.saved_tensors
        return put_back(grad, indices, ctx.shape, ctx.dims), *(None,) * 5

    @staticmethod
    def jvp(ctx: Any, self_t: torch.Tensor | None, *_: None) -> Any:
        (indices,) = ctx.saved_tensors
        return None if self_t is None else taken(self_t, indices, ctx.dims), None

    @staticmethod
    def samples(dtype: torch.dtype) -> Iterator[Sample]:
        if dtype.is_complex:  # complex numbers have no order
            return

        def sample(name: str, shape: tuple[int, ...], *how: Any) -> Sample:
            return Sample(name, (tensor(shape, dtype), *how))

        yield sample("windows side by side", (1, 2, 4, 4), [2, 2], [2, 2], [0, 0], [1, 1])
        yield sample("windows that overlap", (1, 1, 4, 4), [3, 2], [1, 1], [0, 0], [1, 1])
        yield sample("padding", (1, 1, 3, 4), [3, 2], [2, 2], [1, 1], [1, 1])
        yield sample("dilation", (2, 1, 3, 5), [2, 2], [1, 2], [0, 0], [2, 3])
        yield sample("a window over the edge", (1, 1, 3, 5), [2, 2], [2, 2], [0, 0], [1, 1], True)
        yield sample("one sample", (2, 3, 4), [2, 2], [1, 2], [0, 0], [1, 1])
        yield sample("3d", (1, 2, 2, 3, 2), [2, 2, 1], [1, 1, 1], [0, 0, 0], [1, 1, 1])
        yield sample("3d, over the edge", (1, 3, 3, 2), [2, 2, 2], [2, 2, 2], [0, 1, 0], [1, 1, 1], True)
        yield sample("an empty batch", (0, 1, 4, 4), [2, 2], [2, 2], [0, 0], [1, 1])
        turned = tensor((4, 4, 2, 1), dtype).detach().permute(3, 2, 1, 0).requires_grad_()
        yield Sample("not contiguous", (turned, [2, 2], [2, 2], [0, 0], [1, 1]))
        equals = torch.tensor([[[1.0, 1, 0, 2], [1, 1, 2, 2]]], dtype=dtype, requires_grad=True)
        yield Sample("equals", (equals, [2, 2], [1, 1], [0, 0], [1, 1]), smooth=False)


def put_back(grad: torch.Tensor, indices: torch.Tensor, shape: Sizes, dims: int) -> torch.Tensor:
    """Adds each window's gradient to what its largest element gets.

    Args:
        grad: The gradient of the largest elements.
        indices: Where they stand, counted over the last dimensions of the input.
        shape: The input's.
        dims: How many dimensions that count goes over.

    Returns:
        A gradient of the input's shape.
    """
    nothing = rows(grad.new_zeros(shape), dims)
    return nothing.scatter_add(-1, rows(indices, dims), rows(grad, dims)).reshape(shape)


def taken(value: torch.Tensor, indices: torch.Tensor, dims: int) -> torch.Tensor:
    """Returns the elements at these indices, counted over the last dimensions."""
    return rows(value, dims).gather(-1, rows(indices, dims)).reshape(indices.shape)


def rows(value: torch.Tensor, dims: int) -> torch.Tensor:
    """The last dimensions made one."""
    return value.reshape(*value.shape[:-dims], math.prod(value.shape[-dims:]))
