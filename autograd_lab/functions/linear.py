r"""Matrix products.

:math:`A^H` is the conjugate transpose, ``A.mH`` in torch.

Note [Laid out alike]
A matrix may lie in memory row by row or column by column (``weight.t()`` does the latter). Its gradient is made to lie
as it does, by computing :math:`(B^T A^T)^T` instead of :math:`A B` where it lies by columns. It's the same matrix; but
that way it can be kept as ``.grad`` without a copy, and since PyTorch does it too, the sums are in the same order.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch.nn import functional

from autograd_lab.functions.arithmetic import two
from autograd_lab.functions.formula import conj, times
from autograd_lab.functions.operands import OptionalTensor, PythonNumber
from autograd_lab.functions.rule import Rule, rule
from autograd_lab.functions.samples import Sample, each_alone, tensor
from autograd_lab.functions.unbroadcast import fit, like


def by_columns(matrix: torch.Tensor) -> bool:
    """Returns whether a matrix lies in memory column by column."""
    return matrix.stride() == (1, matrix.shape[0])


def product(left: torch.Tensor, right: torch.Tensor, as_columns: bool) -> torch.Tensor:
    """Returns ``left @ right``, row by row or column by column. See Note [Laid out alike]."""
    return (right.mT @ left.mT).mT if as_columns else left @ right


class Product(Rule):
    """What a product of two matrices and one of two batches have in common: all but the forward."""

    formula = {
        "self": "grad @ mat2.mH",
        "mat2": "self.mH @ grad",
        "result": "self_t @ mat2 + self @ mat2_t",
    }
    generate_vmap_rule = True

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: torch.Tensor) -> None:
        _save_matrices(ctx, *inputs, *ctx.needs_input_grad)

    @staticmethod
    def backward(ctx: Any, grad: OptionalTensor) -> Any:
        return (None, None) if grad is None else _gradients(ctx, grad, *ctx.needs_input_grad)

    @staticmethod
    def jvp(ctx: Any, self_t: OptionalTensor, mat2_t: OptionalTensor) -> Any:
        return total(*_tangents(ctx, self_t, mat2_t))


@rule
class Mm(Product):
    r"""The product of two matrices.

    .. math:: Z = A B, \qquad \bar A = \bar Z B^H, \qquad \bar B = A^H \bar Z, \qquad \dot Z = \dot A B + A \dot B

    Each gradient needs the other matrix, so that is what is saved, and only if the gradient is wanted.

    Source: ``mm_mat1_grad``, ``mm_mat2_grad`` in ``torch/csrc/autograd/FunctionsManual.cpp``.
    """

    name = "mm"
    replaces = {"mm": lambda self, mat2: (self, mat2)}

    @staticmethod
    def forward(self: torch.Tensor, mat2: torch.Tensor) -> torch.Tensor:
        return torch.mm(self, mat2)

    @staticmethod
    def samples(dtype: torch.dtype) -> Iterator[Sample]:
        yield from _matrices(dtype)


@rule
class Addmm(Rule):
    r"""A matrix plus the product of two, each with a factor.

    .. math:: Z = \beta C + \alpha A B, \qquad \bar C = \beta^* \bar Z, \qquad \bar A = \alpha^* \bar Z B^H, \qquad
        \bar B = \alpha^* A^H \bar Z, \qquad \dot Z = \beta \dot C + \alpha (\dot A B + A \dot B)

    :math:`C` is often a bias, one row for all: its gradient is summed over them. See Note [Unbroadcast].

    Source: ``addmm`` in ``tools/autograd/derivatives.yaml``.
    """

    name = "addmm"
    replaces = {
        "addmm": lambda self, mat1, mat2, beta=1, alpha=1: (self, mat1, mat2, beta, alpha),
    }
    in_place = {
        "addmm_": lambda self, mat1, mat2, beta=1, alpha=1: (self, mat1, mat2, beta, alpha),
    }
    formula = {
        "self": "grad * conj(beta)",
        "mat1": "grad @ mat2.mH * conj(alpha)",
        "mat2": "mat1.mH @ grad * conj(alpha)",
        "result": "self_t * beta + (mat1_t @ mat2 + mat1 @ mat2_t) * alpha",
    }
    generate_vmap_rule = True

    @staticmethod
    def forward(
        self: torch.Tensor,
        mat1: torch.Tensor,
        mat2: torch.Tensor,
        beta: PythonNumber = 1,
        alpha: PythonNumber = 1,
    ) -> torch.Tensor:
        return torch.addmm(self, mat1, mat2, beta=beta, alpha=alpha)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: torch.Tensor) -> None:
        self, mat1, mat2, ctx.beta, ctx.alpha = inputs
        ctx.like, ctx.result_like = like(self), like(output)
        _save_matrices(ctx, mat1, mat2, *ctx.needs_input_grad[1:3])

    @staticmethod
    def backward(ctx: Any, grad: OptionalTensor) -> Any:
        if grad is None:
            return None, None, None, None, None
        needs_self, *needs_matrices, _, _ = ctx.needs_input_grad
        one, other = _gradients(ctx, grad, *needs_matrices)
        return (
            fit(times(grad, conj(ctx.beta)), ctx.like) if needs_self else None,
            None if one is None else times(one, conj(ctx.alpha)),
            None if other is None else times(other, conj(ctx.alpha)),
            None,
            None,
        )

    @staticmethod
    def jvp(
        ctx: Any, self_t: OptionalTensor, mat1_t: OptionalTensor, mat2_t: OptionalTensor, *_: None
    ) -> Any:
        moved = None if self_t is None else times(self_t, ctx.beta).expand(ctx.result_like.shape).clone()
        of_product = total(*_tangents(ctx, mat1_t, mat2_t))
        return total(moved, None if of_product is None else times(of_product, ctx.alpha))

    @staticmethod
    def samples(dtype: torch.dtype) -> Iterator[Sample]:
        for each in _matrices(dtype):
            rows, columns = each.args[0].shape[0], each.args[1].shape[1]
            yield Sample(each.name, (tensor((rows, columns), dtype, seed=2), *each.args))
        matrices = tensor((2, 3), dtype), tensor((3, 4), dtype, seed=1)
        for shape in ((4,), (2, 1), ()):
            yield Sample(f"plus {list(shape)}", (tensor(shape, dtype, seed=2), *matrices, 1, 1))
        bias = tensor((4,), dtype, seed=2)
        for beta, alpha in ((2, -0.5), (0, 1), (1, 0), *(((1 + 2j), 1j),) * dtype.is_complex):
            yield Sample(f"beta={beta}, alpha={alpha}", (bias, *matrices, beta, alpha))
        yield from each_alone((bias, *matrices, 2, 3))


@rule
class Bmm(Product):
    r"""The products of two batches of matrices, pair by pair.

    .. math:: Z_b = A_b B_b, \qquad \bar A_b = \bar Z_b B_b^H, \qquad \bar B_b = A_b^H \bar Z_b, \qquad
        \dot Z_b = \dot A_b B_b + A_b \dot B_b

    Source: ``bmm`` in ``tools/autograd/derivatives.yaml``.
    """

    name = "bmm"
    replaces = {"bmm": two}

    @staticmethod
    def forward(self: torch.Tensor, mat2: torch.Tensor) -> torch.Tensor:
        return torch.bmm(self, mat2)

    @staticmethod
    def samples(dtype: torch.dtype) -> Iterator[Sample]:
        for sizes in ((2, 3, 4, 2), (1, 1, 1, 1), (2, 2, 0, 2), (0, 2, 3, 2)):
            batch, rows, inner, columns = sizes
            args = tensor((batch, rows, inner), dtype), tensor((batch, inner, columns), dtype, seed=1)
            yield Sample(f"{sizes}", args)
        args = tensor((2, 3, 4), dtype), tensor((2, 4, 2), dtype, seed=1)
        yield from each_alone(args)
        yield Sample("transposed", (turned(args[0]), tensor((2, 3, 2), dtype)))


@rule
class Linear(Rule):
    r"""What a linear layer does to each row.

    .. math:: Z = X W^T + b, \qquad \bar X = \bar Z W^*, \qquad \bar W = \bar Z^T X^*, \qquad
        \bar b = \sum_{rows} \bar Z, \qquad \dot Z = \dot X W^T + X \dot W^T + \dot b

    All dimensions of :math:`X` but the last are rows: for the weight's gradient they are flattened into one, so that
    the sum over them is one matrix product.

    Source: ``linear`` in ``aten/src/ATen/native/Linear.cpp``, a composite of ``t``, ``addmm``, ``matmul`` and ``add``.
    """

    name = "linear"
    replaces = {"linear": lambda x, weight, bias=None: (x, weight, bias)}
    formula = {
        "x": "grad @ weight.conj()",
        "weight": "rows(grad).mT @ rows(x).conj()",
        "bias": "rows(grad).sum(0)",
        "result": "x_t @ weight.mT + x @ weight_t.mT + bias_t",
    }
    generate_vmap_rule = True

    @staticmethod
    def forward(x: torch.Tensor, weight: torch.Tensor, bias: OptionalTensor = None) -> torch.Tensor:
        made = functional.linear(x, weight, bias)
        # It may be a view of a matrix, and a view made in a Function can't be changed in place. Detached, it's none.
        return made if torch.is_grad_enabled() else made.detach()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: torch.Tensor) -> None:
        x, weight, bias = inputs
        ctx.likes = like(weight), like(bias), like(output)
        needs_x, needs_weight, _ = ctx.needs_input_grad
        ctx.set_materialize_grads(False)
        ctx.save_for_forward(x, weight)
        ctx.save_for_backward(x if needs_weight else None, weight if needs_x else None)

    @staticmethod
    def backward(ctx: Any, grad: OptionalTensor) -> Any:
        if grad is None:
            return None, None, None
        x, weight = ctx.saved_tensors
        like_weight, like_bias, _ = ctx.likes
        needs_x, needs_weight, needs_bias = ctx.needs_input_grad
        wide = (
            grad.unsqueeze(-1) if len(like_weight.shape) == 1 else grad
        )  # a vector is a weight for one output
        return (
            wide @ rows(weight).conj() if needs_x else None,
            (rows(wide).mT @ rows(x).conj()).reshape(like_weight.shape) if needs_weight else None,
            fit(grad, like_bias) if needs_bias else None,
        )

    @staticmethod
    def jvp(ctx: Any, x_t: OptionalTensor, weight_t: OptionalTensor, bias_t: OptionalTensor) -> Any:
        x, weight = ctx.saved_tensors
        *_, result_like = ctx.likes
        return total(
            None if x_t is None else functional.linear(x_t, weight),
            None if weight_t is None else functional.linear(x, weight_t),
            None if bias_t is None else bias_t.expand(result_like.shape).clone(),
        )

    @staticmethod
    def samples(dtype: torch.dtype) -> Iterator[Sample]:
        weight, bias = tensor((4, 3), dtype, seed=1), tensor((4,), dtype, seed=2)
        for shape in ((2, 3), (2, 2, 3), (3,), (0, 3)):
            yield Sample(f"{list(shape)}", (tensor(shape, dtype), weight, bias))
            yield Sample(f"{list(shape)}, no bias", (tensor(shape, dtype), weight, None))
        yield Sample("one output", (tensor((2, 3), dtype), tensor((3,), dtype, seed=1), None))
        yield Sample("nothing in", (tensor((2, 0), dtype), tensor((4, 0), dtype), bias))
        yield Sample("one bias for all", (tensor((2, 3), dtype), weight, tensor((1,), dtype)))
        yield from each_alone((tensor((2, 3), dtype), weight, bias))
        yield Sample("transposed", (turned(tensor((3, 2), dtype)), turned(tensor((3, 4), dtype)), bias))


def rows(x: torch.Tensor) -> torch.Tensor:
    """Flattens all dimensions but the last into one."""
    *before, last = x.shape
    return x.reshape(math.prod(before), last)


def total(*terms: OptionalTensor) -> OptionalTensor:
    """Adds the terms that are there; ``None`` if none is."""
    there = [term for term in terms if term is not None]
    return sum(there[1:], start=there[0]) if there else None


def turned(matrix: torch.Tensor) -> torch.Tensor:
    """A leaf that lies in memory the other way round."""
    return matrix.detach().mT.requires_grad_()


def _save_matrices(
    ctx: Any, left: torch.Tensor, right: torch.Tensor, needs_left: bool, needs_right: bool
) -> None:
    ctx.by_columns = [matrix.dim() == 2 and by_columns(matrix) for matrix in (left, right)]
    ctx.set_materialize_grads(False)
    ctx.save_for_forward(left, right)
    ctx.save_for_backward(left if needs_right else None, right if needs_left else None)


def _gradients(
    ctx: Any, grad: torch.Tensor, needs_left: bool, needs_right: bool
) -> tuple[OptionalTensor, OptionalTensor]:
    left, right = ctx.saved_tensors
    return (
        product(grad, right.mH, ctx.by_columns[0]) if needs_left else None,
        product(left.mH, grad, ctx.by_columns[1]) if needs_right else None,
    )


def _tangents(
    ctx: Any, left_t: OptionalTensor, right_t: OptionalTensor
) -> tuple[OptionalTensor, OptionalTensor]:
    left, right = ctx.saved_tensors
    return None if left_t is None else left_t @ right, None if right_t is None else left @ right_t


def _matrices(dtype: torch.dtype) -> Iterator[Sample]:
    for sizes in ((2, 3, 4), (1, 1, 1), (2, 0, 2), (0, 2, 3)):
        row, inner, column = sizes
        yield Sample(f"{sizes}", (tensor((row, inner), dtype), tensor((inner, column), dtype, seed=1)))
    args = tensor((2, 3), dtype), tensor((3, 4), dtype, seed=1)
    yield from each_alone(args)
    yield Sample("transposed", (turned(tensor((3, 2), dtype)), turned(tensor((4, 3), dtype, seed=1))))
    square = tensor((3, 3), dtype)
    yield Sample("a matrix twice", (square, square))
