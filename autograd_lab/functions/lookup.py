"""Looking up: embeddings, and elements by their index.

Note [Looking up]
A lookup copies elements to where they are asked for; one may be asked for many times, or never. So its gradient is
what all its copies got, added up, or zero: the scattering adds. Indices have no gradient. The tangents are looked up
like the elements.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from autograd_lab.functions.rule import Rule, rule
from autograd_lab.functions.samples import Sample, tensor


def dense(
    weight: torch.Tensor,
    indices: torch.Tensor,
    padding_idx: int = -1,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> tuple[Any, ...] | None:
    """The arguments of an embedding; one with a sparse gradient is PyTorch's, and a complex one PyTorch's to refuse."""
    return None if sparse or weight.is_complex() else (weight, indices, padding_idx, scale_grad_by_freq)


@rule
class Embedding(Rule):
    r"""Rows of a table, by their numbers.

    .. math:: Z_i = W_{n_i}, \qquad \bar W_r = \frac{1}{f_r} \sum_{i:\, n_i = r} \bar Z_i, \qquad
        \dot Z_i = \dot W_{n_i}

    Two options make of :math:`\bar W` what it isn't, a wanted step rather than a derivative. The row ``padding_idx``
    gets none, so that it stays as it is. With ``scale_grad_by_freq`` a row's gradient is divided by how often it was
    looked up, :math:`f_r`; else :math:`f_r = 1`. See Note [Looking up].

    Source: ``embedding_dense_backward_cpu`` in ``aten/src/ATen/native/Embedding.cpp``.
    """

    name = "embedding"
    replaces = {"embedding": dense}
    formula = {
        "weight": (
            "added_up(without(grad, indices, padding_idx) / "
            "(frequency(grad, indices, len(weight)) if scale_grad_by_freq else 1), indices, weight.shape)"
        ),
        "result": "weight_t[indices]",
    }
    generate_vmap_rule = True

    @staticmethod
    def forward(
        weight: torch.Tensor, indices: torch.Tensor, padding_idx: int = -1, scale_grad_by_freq: bool = False
    ) -> torch.Tensor:
        return torch.embedding(weight, indices, padding_idx, scale_grad_by_freq)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: torch.Tensor) -> None:
        weight, indices, *ctx.how = inputs
        ctx.shape = weight.shape
        ctx.set_materialize_grads(False)
        ctx.save_for_forward(indices)
        ctx.save_for_backward(indices)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor | None) -> Any:
        if grad is None:
            return None, None, None, None
        (indices,) = ctx.saved_tensors
        padding_idx, scale_grad_by_freq = ctx.how
        if padding_idx >= 0:
            grad = without(grad, indices, padding_idx)
        if scale_grad_by_freq:
            grad = grad / frequency(grad, indices, ctx.shape[0])
        return added_up(grad, indices, ctx.shape), None, None, None

    @staticmethod
    def jvp(ctx: Any, weight_t: torch.Tensor | None, *_: None) -> Any:
        (indices,) = ctx.saved_tensors
        return None if weight_t is None else torch.embedding(weight_t, indices)

    @staticmethod
    def samples(dtype: torch.dtype) -> Iterator[Sample]:
        if dtype.is_complex:
            return
        table, indices = tensor((4, 3), dtype), torch.tensor([[1, 0, 1], [3, 1, 0]])
        yield Sample("some twice, some never", (table, indices, -1, False))
        yield Sample("a padding row", (table, indices, 1, False), smooth=False)
        yield Sample("by frequency", (table, indices, -1, True), smooth=False)
        yield Sample("a number without dimensions", (table, torch.tensor(2), -1, False))
        yield Sample("none", (table, indices[:0], -1, False))
        yield Sample("indices of 32 bits", (table, indices.int(), 0, False), smooth=False)
        yield Sample(
            "not contiguous", (tensor((3, 4), dtype).detach().t().requires_grad_(), indices.t(), -1, False)
        )


def without(grad: torch.Tensor, indices: torch.Tensor, padding_idx: int) -> torch.Tensor:
    """Leaves out what the padding row would get."""
    return grad.masked_fill((indices == padding_idx).unsqueeze(-1), 0)


def frequency(grad: torch.Tensor, indices: torch.Tensor, number: int) -> torch.Tensor:
    """Returns how often each index occurs, as its row's divisor."""
    every = indices.flatten()
    found = grad.new_zeros(number).index_add(0, every, grad.new_ones(every.shape))
    return found.index_select(0, every).reshape(indices.shape).unsqueeze(-1)


def added_up(grad: torch.Tensor, indices: torch.Tensor, shape: torch.Size) -> torch.Tensor:
    """Adds up for each row what those elements got that it was copied to. See Note [Looking up]."""
    every = indices.flatten()
    return grad.new_zeros(shape).index_add(0, every, grad.reshape(every.shape[0], *shape[1:]))


class AlongDimension(Rule):
    """Elements that are taken along a dimension, by their indices; a subclass says how they are put back."""

    generate_vmap_rule = True

    @staticmethod
    def put_back(zeros: torch.Tensor, dim: int, index: torch.Tensor, grad: torch.Tensor) -> torch.Tensor:
        """Adds each gradient where its element was taken, to zeros of the input's shape."""
        raise NotImplementedError

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: torch.Tensor) -> None:
        self, ctx.dim, index = inputs
        ctx.shape = self.shape
        ctx.set_materialize_grads(False)
        ctx.save_for_forward(index)
        ctx.save_for_backward(index)

    @classmethod
    def backward(cls, ctx: Any, grad: torch.Tensor | None) -> Any:
        if grad is None:
            return None, None, None
        (index,) = ctx.saved_tensors
        return cls.put_back(grad.new_zeros(ctx.shape), ctx.dim, index, grad), None, None

    @classmethod
    def jvp(cls, ctx: Any, self_t: torch.Tensor | None, *_: None) -> Any:
        (index,) = ctx.saved_tensors
        return None if self_t is None else cls.forward(self_t, ctx.dim, index)


@rule
class IndexSelect(AlongDimension):
    r"""Slices along a dimension, by their numbers.

    .. math:: z_i = x_{n_i}, \qquad \bar x_r = \sum_{i:\, n_i = r} \bar z_i, \qquad \dot z_i = \dot x_{n_i}

    See Note [Looking up].

    Source: ``index_select_backward_symint`` in ``aten/src/ATen/native/TensorAdvancedIndexing.cpp``.
    """

    name = "index_select"
    replaces = {"index_select": lambda self, dim, index: (self, dim, index)}
    formula = {
        "self": "torch.zeros_like(self).index_add(dim, index, grad)",
        "result": "self_t.index_select(dim, index)",
    }

    @staticmethod
    def forward(self: torch.Tensor, dim: int, index: torch.Tensor) -> torch.Tensor:
        return torch.index_select(self, dim, index)

    @staticmethod
    def put_back(zeros: torch.Tensor, dim: int, index: torch.Tensor, grad: torch.Tensor) -> torch.Tensor:
        return zeros.index_add(dim, index, grad)

    @staticmethod
    def samples(dtype: torch.dtype) -> Iterator[Sample]:
        index = torch.tensor([2, 0, 2])
        yield Sample("dim=1", (tensor((2, 3), dtype), 1, index))
        yield Sample("dim=-2", (tensor((3, 2), dtype), -2, index))
        yield Sample("indices of 32 bits", (tensor((3,), dtype), 0, index.int()))
        yield Sample("none", (tensor((3, 2), dtype), 0, index[:0]))
        yield Sample("no dimensions", (tensor((), dtype), 0, torch.tensor([0])))
        yield Sample("not contiguous", (tensor((3, 2), dtype).detach().t().requires_grad_(), 1, index))


@rule
class Gather(AlongDimension):
    r"""Elements along a dimension, by their numbers, for each place a number.

    .. math:: z_{ij} = x_{n_{ij} j}, \qquad \bar x_{rj} = \sum_{i:\, n_{ij} = r} \bar z_{ij}, \qquad
        \dot z_{ij} = \dot x_{n_{ij} j}

    See Note [Looking up].

    Source: ``gather_backward`` in ``aten/src/ATen/native/TensorAdvancedIndexing.cpp``.
    """

    name = "gather"
    replaces = {
        "gather": lambda self, dim, index, sparse_grad=False: None if sparse_grad else (self, dim, index),
    }
    formula = {
        "self": "torch.zeros_like(self).scatter_add(dim, index, grad)",
        "result": "self_t.gather(dim, index)",
    }

    @staticmethod
    def forward(self: torch.Tensor, dim: int, index: torch.Tensor) -> torch.Tensor:
        return torch.gather(self, dim, index)

    @staticmethod
    def put_back(zeros: torch.Tensor, dim: int, index: torch.Tensor, grad: torch.Tensor) -> torch.Tensor:
        return zeros.scatter_add(dim, index, grad)

    @staticmethod
    def samples(dtype: torch.dtype) -> Iterator[Sample]:
        index = torch.tensor([[1, 0, 1], [1, 1, 0]])
        yield Sample("dim=0", (tensor((2, 3), dtype), 0, index))
        yield Sample("dim=-1", (tensor((2, 3), dtype), -1, index))
        yield Sample("fewer than there are", (tensor((2, 3), dtype), 1, index[:1, :2]))
        yield Sample("none", (tensor((2, 3), dtype), 1, index[:0]))
        yield Sample("no dimensions", (tensor((), dtype), 0, torch.tensor(0)))
        yield Sample("not contiguous", (tensor((3, 2), dtype).detach().t().requires_grad_(), 1, index))
