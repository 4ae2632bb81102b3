r"""Sums, means, variances and largest elements, over some dimensions or over all.

:math:`\sum_x` is the sum over the dimensions that are reduced, :math:`N` how many elements each result is made of.

Note [Spread]
Each result is made of :math:`N` elements, so its gradient goes to each of these: it is *spread*, put back where the
dimensions were and stretched over them. Summing and spreading are each other's transpose, as are the sum and the
expansion of Note [Unbroadcast].
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import torch

from autograd_lab.functions.rule import Rule, rule
from autograd_lab.functions.samples import Sample, tensor
from autograd_lab.functions.unbroadcast import fit, like

Dim: TypeAlias = int | tuple[int, ...] | list[int] | None


def reduced(shape: Sequence[int], dim: Dim) -> tuple[int, ...]:
    """Returns the dimensions that a reduction goes over, counted from the front: all of them, if it names none.

    Args:
        shape: The input's.
        dim: As torch's reductions take it.

    Returns:
        The dimensions.

    Example:
        >>> reduced((2, 3, 4), -1), reduced((2, 3, 4), None)
        ((2,), (0, 1, 2))
    """
    named = (dim,) if isinstance(dim, int) else tuple(dim or ())
    rank = len(shape)
    return tuple(i % rank for i in named) if named and rank else tuple(range(rank))


def count(shape: Sequence[int], dim: Dim) -> int:
    """Returns how many elements each result is made of: ``N``."""
    return math.prod(shape[i] for i in reduced(shape, dim))


def put_back(result: torch.Tensor, shape: Sequence[int], dim: Dim) -> torch.Tensor:
    """Returns a reduction's result with the dimensions that ``keepdim`` keeps, of size 1, if it lacks them."""
    over = reduced(shape, dim)
    return result.reshape([1 if index in over else size for index, size in enumerate(shape)])


def spread(result: torch.Tensor, shape: Sequence[int], dim: Dim) -> torch.Tensor:
    """Returns for each element what its result has. See Note [Spread].

    Args:
        result: Of a reduction's shape, with the reduced dimensions kept or not.
        shape: The input's.
        dim: What was reduced.

    Returns:
        A tensor of the input's shape.

    Example:
        >>> spread(torch.tensor([1, 2]), (2, 3), 1)
        tensor([[1, 1, 1],
                [2, 2, 2]])
    """
    return put_back(result, shape, dim).expand(shape)


def over_all(self: torch.Tensor, dtype: torch.dtype | None = None) -> tuple[Any, ...]:
    """The arguments of a sum or a mean of everything."""
    return self, None, False, dtype


def over_some(
    self: torch.Tensor, dim: Dim, keepdim: bool = False, dtype: torch.dtype | None = None
) -> tuple[Any, ...]:
    """The arguments of a sum or a mean over dimensions."""
    return self, dim, keepdim, dtype


class Adding(Rule):
    """A sum or a mean over dimensions; a subclass says what each element gets of its result's gradient."""

    generate_vmap_rule = True

    @staticmethod
    def of_each(grad: torch.Tensor, shape: Sequence[int], dim: Dim) -> torch.Tensor:
        """Returns the gradient of each element. See Note [Spread]."""
        raise NotImplementedError

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: torch.Tensor) -> None:
        self, *ctx.how = inputs
        ctx.like = like(self)
        ctx.set_materialize_grads(False)

    @classmethod
    def backward(cls, ctx: Any, grad: torch.Tensor | None) -> Any:
        if grad is None:
            return None, None, None, None
        dim, _, _ = ctx.how
        return fit(cls.of_each(grad, ctx.like.shape, dim), ctx.like), None, None, None

    @classmethod
    def jvp(cls, ctx: Any, self_t: torch.Tensor | None, *_: None) -> Any:
        return None if self_t is None else cls.forward(self_t, *ctx.how)


@rule
class Sum(Adding):
    r"""The sum over dimensions.

    .. math:: z = \sum_x x, \qquad \bar x = \bar z, \qquad \dot z = \sum_x \dot x

    Each element counts once, so each gets the whole gradient. See Note [Spread]. Nothing is saved.

    Source: ``sum_backward`` in ``torch/csrc/autograd/FunctionsManual.cpp``.
    """

    name = "sum"
    replaces = {"sum": over_all, "sum.dim_IntList": over_some}
    formula = {"self": "spread(grad, self.shape, dim)", "result": "self_t.sum(dim, keepdim)"}

    @staticmethod
    def forward(
        self: torch.Tensor, dim: Dim = None, keepdim: bool = False, dtype: torch.dtype | None = None
    ) -> torch.Tensor:
        return torch.sum(self, dim, keepdim, dtype=dtype)

    @staticmethod
    def of_each(grad: torch.Tensor, shape: Sequence[int], dim: Dim) -> torch.Tensor:
        return spread(grad, shape, dim)

    @staticmethod
    def samples(dtype: torch.dtype) -> Iterator[Sample]:
        yield from _reductions(dtype)
        yield from _in_another_dtype(dtype)


@rule
class Mean(Adding):
    r"""The mean over dimensions.

    .. math:: z = \frac{1}{N} \sum_x x, \qquad \bar x = \frac{\bar z}{N}, \qquad \dot z = \frac{1}{N} \sum_x \dot x

    Nothing is saved. See Note [Spread].

    Source: ``mean_backward`` in ``torch/csrc/autograd/FunctionsManual.cpp``.
    """

    name = "mean"
    replaces = {"mean": over_all, "mean.dim": over_some}
    formula = {
        "self": "spread(grad, self.shape, dim) / count(self.shape, dim)",
        "result": "self_t.mean(dim, keepdim)",
    }

    @staticmethod
    def forward(
        self: torch.Tensor, dim: Dim = None, keepdim: bool = False, dtype: torch.dtype | None = None
    ) -> torch.Tensor:
        return torch.mean(self, dim, keepdim, dtype=dtype)

    @staticmethod
    def of_each(grad: torch.Tensor, shape: Sequence[int], dim: Dim) -> torch.Tensor:
        return spread(grad, shape, dim) / count(shape, dim)

    @staticmethod
    def samples(dtype: torch.dtype) -> Iterator[Sample]:
        yield from _reductions(dtype)
        yield from _in_another_dtype(dtype)


@rule
class Var(Rule):
    r"""The variance over dimensions, with a correction :math:`c` (1: the unbiased estimate).

    .. math:: z = \frac{1}{N - c} \sum_x |x - \mu|^2, \qquad \mu = \frac{1}{N} \sum_x x, \qquad
        \bar x = \frac{2 \bar z}{N - c} (x - \mu), \qquad
        \dot z = \frac{2}{N - c} \sum_x \operatorname{Re} \, \dot x \, (x - \mu)^*

    That :math:`\mu` moves with :math:`x` changes nothing: the deviations sum to zero. It is computed again from the
    saved input, so that a second derivative sees it move. With no more than :math:`c` elements there is no estimate,
    and the gradient is infinite, or NaN where :math:`x = \mu`.

    Source: ``var_backward`` in ``torch/csrc/autograd/FunctionsManual.cpp``.
    """

    name = "var"
    replaces = {
        "var.correction": lambda self, dim=None, correction=None, keepdim=False: (
            self, dim, 1 if correction is None else correction, keepdim,
        )
    }  # fmt: skip
    formula = {
        "self": "spread(grad, self.shape, dim) * deviation(self, dim, correction)",
        "result": "(self_t * deviation(self, dim, correction).conj()).real.sum(dim, keepdim)",
    }
    generate_vmap_rule = True

    @staticmethod
    def forward(
        self: torch.Tensor, dim: Dim = None, correction: float = 1, keepdim: bool = False
    ) -> torch.Tensor:
        return torch.var(self, dim, correction=correction, keepdim=keepdim)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: torch.Tensor) -> None:
        self, *ctx.how = inputs
        ctx.set_materialize_grads(False)
        ctx.save_for_forward(self)
        ctx.save_for_backward(self)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor | None) -> Any:
        if grad is None:
            return None, None, None, None
        (self,) = ctx.saved_tensors
        dim, correction, _ = ctx.how
        return spread(grad, self.shape, dim) * deviation(self, dim, correction), None, None, None

    @staticmethod
    def jvp(ctx: Any, self_t: torch.Tensor | None, *_: None) -> Any:
        if self_t is None:
            return None
        (self,) = ctx.saved_tensors
        dim, correction, keepdim = ctx.how
        return (self_t * deviation(self, dim, correction).conj()).real.sum(dim, keepdim)

    @staticmethod
    def samples(dtype: torch.dtype) -> Iterator[Sample]:
        for each in _reductions(dtype):
            self, dim, keepdim, _ = each.args
            if self.dim() and self.numel():
                yield Sample(each.name, (self, dim, 1, keepdim))
        for correction in (0, 0.5):
            yield Sample(f"correction={correction}", (tensor((2, 4), dtype), 1, correction, False))
        yield Sample("no dimensions", (tensor((), dtype), None, 0, False), smooth=False)


def deviation(self: torch.Tensor, dim: Dim, correction: float) -> torch.Tensor:
    r"""Returns a variance's slope at each element: :math:`\frac{2}{N - c} (x - \mu)`."""
    freedom = max(count(self.shape, dim) - correction, 0)
    return (2 / freedom if freedom else math.inf) * (self - self.mean(reduced(self.shape, dim), True))


@rule
class Amax(Rule):
    r"""The largest element over dimensions.

    .. math:: z = \max_x x, \qquad \bar x = \bar z \, \frac{[x = z]}{n}, \qquad
        \dot z = \frac{1}{n} \sum_{x = z} \dot x, \qquad n = \sum_x \, [x = z]

    Where several elements are the largest, there is no derivative; they share the gradient equally.

    Source: ``scale_grad_by_count`` and ``amaxamin_jvp`` in ``torch/csrc/autograd/FunctionsManual.cpp``.
    """

    name = "amax"
    replaces = {"amax": lambda self, dim=(), keepdim=False: (self, dim, keepdim)}
    formula = {
        "self": "spread(grad, self.shape, dim) * share(self, result, dim)",
        "result": "(self_t * share(self, result, dim)).sum(dim, keepdim)",
    }
    generate_vmap_rule = True

    @staticmethod
    def forward(self: torch.Tensor, dim: Dim = (), keepdim: bool = False) -> torch.Tensor:
        return torch.amax(self, dim, keepdim)  # type: ignore[arg-type]

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: torch.Tensor) -> None:
        self, ctx.dim, ctx.keepdim = inputs
        ctx.set_materialize_grads(False)
        ctx.save_for_forward(self, output)
        ctx.save_for_backward(self, output)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor | None) -> Any:
        if grad is None:
            return None, None, None
        self, result = ctx.saved_tensors
        return spread(grad, self.shape, ctx.dim) * share(self, result, ctx.dim), None, None

    @staticmethod
    def jvp(ctx: Any, self_t: torch.Tensor | None, *_: None) -> Any:
        if self_t is None:
            return None
        self, result = ctx.saved_tensors
        return (self_t * share(self, result, ctx.dim)).sum(ctx.dim, ctx.keepdim)

    @staticmethod
    def samples(dtype: torch.dtype) -> Iterator[Sample]:
        if dtype.is_complex:
            return
        for each in _reductions(dtype):
            self, dim, keepdim, _ = each.args
            if self.numel():
                yield Sample(each.name, (self, () if dim is None else dim, keepdim))
        ties = torch.tensor([[1, 2, 2], [3, 3, 3]], dtype=dtype, requires_grad=True)
        yield Sample("ties", (ties, 1, False), smooth=False)
        yield Sample("ties over all", (ties, (), True), smooth=False)


def share(self: torch.Tensor, result: torch.Tensor, dim: Dim) -> torch.Tensor:
    r"""Returns each element's share of its maximum: :math:`[x = z] / n`."""
    largest = self == put_back(result, self.shape, dim)
    return largest / largest.sum(reduced(self.shape, dim), True).to(self.dtype)


def _reductions(dtype: torch.dtype) -> Iterator[Sample]:
    for dim, keepdim in ((None, False), (0, False), (-1, True), ((0, 2), False), ((-1, -2), True)):
        yield Sample(f"dim={dim}, keepdim={keepdim}", (tensor((2, 3, 2), dtype), dim, keepdim, None))
    transposed = tensor((3, 2), dtype).detach().t().requires_grad_()
    yield Sample("not contiguous", (transposed, 0, False, None))
    yield Sample("no dimensions", (tensor((), dtype), None, False, None))
    yield Sample("no dimensions, dim=0", (tensor((), dtype), 0, False, None))
    yield Sample("empty", (tensor((0, 3), dtype), 1, False, None))


def _in_another_dtype(dtype: torch.dtype) -> Iterator[Sample]:
    wider = torch.complex128 if dtype.is_complex else torch.float64
    yield Sample(f"dtype={wider}", (tensor((2, 3), dtype), 0, False, wider))
