"""Embedding, IndexSelect and Gather in PyTorch's place, on PyTorch's own samples."""

from __future__ import annotations

import agreement
import pytest
import swapped
import torch
from torch.nn import functional

import autograd_lab as lab
from autograd_lab.functions import Embedding

RULES = ("embedding", "index_select", "gather")
ENTRIES = ("nn.functional.embedding", "index_select", "gather", "take_along_dim")


@pytest.mark.parametrize(("entry", "dtype"), swapped.cases(ENTRIES, swapped.DOUBLE))
def test_every_sample_equals_native(entry, dtype):
    counts = swapped.agree(entry, dtype, RULES, [agreement.reverse])
    assert counts
    assert min(counts.values()) > 0


@pytest.mark.sweep
@pytest.mark.parametrize(
    ("entry", "dtype"), swapped.cases(ENTRIES, (*swapped.DOUBLE_AND_SINGLE, *swapped.OTHERS))
)
def test_every_sample_equals_native_in_every_way(entry, dtype):
    swapped.agree(entry, dtype, RULES, [agreement.reverse, agreement.forward, agreement.mapped])


TABLE = torch.linspace(-1, 1, 8, dtype=torch.float64).reshape(4, 2).requires_grad_()
INDICES = torch.tensor([1, 1, 3])


def test_a_sparse_gradient_is_left_to_pytorch():
    with lab.swap("embedding", "gather") as swap:
        made = functional.embedding(INDICES, TABLE, sparse=True)
        picked = TABLE.gather(0, torch.tensor([[1, 0]]), sparse_grad=True)
    assert [made.grad_fn.name(), picked.grad_fn.name()] == ["EmbeddingBackward0", "GatherBackward0"]
    assert torch.autograd.grad(made.sum(), TABLE)[0].is_sparse
    assert (dict(swap.calls), dict(swap.left)) == ({}, {"embedding": 1, "gather": 1})


def test_an_embedding_that_renormalizes_is_swapped_after_it():
    table = torch.tensor([[3.0, 4.0], [0.3, 0.4]], requires_grad=True)
    with lab.swap("embedding") as swap:
        made = functional.embedding(torch.tensor([0]), table, max_norm=1.0)
    assert torch.allclose(made, torch.tensor([[0.6, 0.8]]))
    assert swap.calls == {"embedding": 1}


def test_the_second_order_by_frequency_is_the_transpose_of_the_first():
    """The gradient is linear in what comes in; PyTorch's second order forgets the frequencies."""

    def second(function):
        incoming = torch.zeros(3, 2, dtype=torch.float64, requires_grad=True)
        (grad,) = torch.autograd.grad(function(), TABLE, incoming, create_graph=True)
        return torch.autograd.grad(grad.sum(), incoming)[0][:, 0]

    def native():
        return functional.embedding(INDICES, TABLE, scale_grad_by_freq=True)

    def ours():
        with lab.swap("embedding"):
            return native()

    assert second(ours).tolist() == [0.5, 0.5, 1.0]
    assert second(native).tolist() == [
        1.0,
        1.0,
        1.0,
    ]  # if this fails, torch is mended: compare it in test_rule.py


def test_under_vmap_each_member_has_its_own_padding_and_frequencies():
    """PyTorch's embedding makes one table of the batch's: the padding is then the first member's alone."""
    tables = torch.stack([TABLE.detach()] * 2).requires_grad_()
    indices = torch.tensor([[1, 0], [1, 3]])

    def gradient(function, in_dims, table):
        made = torch.vmap(function, in_dims)(table, indices)
        return torch.autograd.grad(made.sum(), table)[0][..., 0]

    def padded(embed):
        return gradient(lambda table, at: embed(table, at, 1, False), (0, 0), tables).tolist()

    def counted(embed):
        return gradient(lambda table, at: embed(table, at, -1, True), (None, 0), TABLE).tolist()

    assert padded(Embedding.apply) == [[1, 0, 0, 0], [0, 0, 0, 1]]
    assert padded(torch.embedding) == [[1, 0, 0, 0], [0, 1, 0, 1]]  # if this fails, torch is mended
    assert counted(Embedding.apply) == [1, 2, 0, 1]
    assert counted(torch.embedding) == [1, 1, 0, 1]  # likewise
