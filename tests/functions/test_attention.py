"""Attention in PyTorch's place, on PyTorch's own samples and in its own layers."""

from __future__ import annotations

import agreement
import pytest
import swapped
import torch
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

import autograd_lab as lab

RULES = ("scaled_dot_product_attention",)
ENTRIES = ("nn.functional.scaled_dot_product_attention",)
ROOM, SECOND = 256, 2048
"""In ulps, for gradients and for the second order. Scores are of up to 200, and an ulp in a score of 200 makes 200 in
its exponential; PyTorch scales both factors of a score by the root of the scale, or takes a kernel that sums in blocks.
What such terms add up to may be small."""


@pytest.mark.parametrize(("entry", "dtype"), swapped.cases(ENTRIES, swapped.DOUBLE))
def test_every_sample_equals_native(entry, dtype):
    counts = swapped.agree(entry, dtype, RULES, [agreement.gradients], ROOM)
    assert counts
    assert min(counts.values()) > 0


@pytest.mark.parametrize(("entry", "dtype"), swapped.cases(ENTRIES, swapped.DOUBLE))
def test_every_sample_in_second_order_equals_pytorchs_mathematics(entry, dtype):
    """The kernel that PyTorch takes by default has no second order; its composite has."""
    with sdpa_kernel(SDPBackend.MATH):
        counts = swapped.agree(entry, dtype, RULES, [agreement.reverse], SECOND)
    assert counts


@pytest.mark.sweep
@pytest.mark.parametrize(
    ("entry", "dtype"), swapped.cases(ENTRIES, (*swapped.DOUBLE_AND_SINGLE, *swapped.OTHERS))
)
def test_every_sample_equals_native_in_forward_mode_too(entry, dtype):
    with sdpa_kernel(SDPBackend.MATH):
        swapped.agree(entry, dtype, RULES, [agreement.reverse, agreement.forward], SECOND)


def leaves(*shapes):
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(shape, generator=generator, dtype=torch.float64).requires_grad_() for shape in shapes]


MASK = torch.tensor([[True, False, True, True], [True, True, False, True], [False] * 4])
QUERIES, KEYS = (2, 4, 3, 8), (2, 4, 4, 8)
CALLS = {
    "plain": ((QUERIES, KEYS, KEYS), {}),
    "causal": ((QUERIES, KEYS, KEYS), {"is_causal": True}),
    "boolean mask, a row of it empty": ((QUERIES, KEYS, KEYS), {"attn_mask": MASK}),
    "additive mask": ((QUERIES, KEYS, KEYS, (4, 3, 4)), {}),
    "scale": ((QUERIES, KEYS, KEYS), {"scale": 2.0}),
    "negative scale": ((QUERIES, KEYS, KEYS), {"scale": -0.3}),
    "dropout": ((QUERIES, KEYS, KEYS), {"dropout_p": 0.4}),
    "dropout of all": ((QUERIES, KEYS, KEYS), {"dropout_p": 1.0}),
    "heads that share": ((QUERIES, (2, 2, 4, 8), (2, 1, 4, 8)), {"enable_gqa": True, "dropout_p": 0.4}),
    "a broadcast batch": (((1, 4, 3, 8), (2, 1, 4, 8), (2, 1, 4, 5)), {"dropout_p": 0.4}),
    "no heads": (((3, 8), (4, 8), (4, 5)), {"is_causal": True}),
    "no keys": (((2, 3, 8), (2, 0, 8), (2, 0, 5)), {}),
}


@pytest.mark.parametrize("name", CALLS)
def test_each_option_equals_native_with_the_same_noise(name):
    shapes, options = CALLS[name]
    values = leaves(*shapes)

    def native(query, key, value, mask=None):
        torch.manual_seed(3)
        given = {"attn_mask": mask} if mask is not None else {}
        return functional.scaled_dot_product_attention(query, key, value, **given, **options)

    def ours(*given):
        with lab.swap(*RULES) as swap:
            made = native(*given)
        assert dict(swap.calls) == {"scaled_dot_product_attention": 1}
        assert made.grad_fn.name() == "AttentionBackward"
        return made

    agreement.agree(ours, native, values, name, [agreement.gradients], ROOM)
    with sdpa_kernel(SDPBackend.MATH):
        agreement.agree(ours, native, values, name, [agreement.reverse], SECOND)


@pytest.mark.parametrize(
    ("shapes", "options"),
    [
        (((3,), (4, 8), (4, 8)), {}),
        (((3, 8), (4, 7), (4, 8)), {}),
        (((3, 8), (4, 8), (5, 8)), {}),
        (((2, 3, 8), (5, 4, 8), (5, 4, 8)), {}),
        (((2, 3, 8), (2, 4, 8), (2, 4, 8)), {"dropout_p": 1.5}),
        (((2, 3, 8), (2, 4, 8), (2, 4, 8)), {"is_causal": True, "attn_mask": torch.ones(3, 4)}),
        (((2, 3, 8), (2, 4, 8), (2, 4, 8)), {"attn_mask": torch.ones(3, 4, dtype=torch.long)}),
        (((2, 3, 8), (2, 4, 8), (2, 4, 8)), {"attn_mask": torch.ones(5, 3, 4)}),
        (((1, 5, 3, 8), (1, 2, 4, 8), (1, 2, 4, 8)), {"enable_gqa": True}),
        (((5, 3, 8), (2, 4, 8), (2, 4, 8)), {}),
    ],
)
def test_what_pytorch_refuses_is_refused_in_its_words(shapes, options):
    query, key, value = leaves(*shapes)
    with pytest.raises((RuntimeError, IndexError)) as native:
        functional.scaled_dot_product_attention(query, key, value, **options)
    with lab.swap(*RULES), pytest.raises(native.type) as ours:
        functional.scaled_dot_product_attention(query, key, value, **options)
    assert str(ours.value) == str(native.value)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_no_worse_than_pytorchs_own(dtype):
    halves = [value.detach().to(dtype).requires_grad_() for value in leaves(QUERIES, KEYS, KEYS)]
    doubles = [value.detach().double().requires_grad_() for value in halves]

    def step(given):
        made = functional.scaled_dot_product_attention(*given)
        return [made.detach(), *torch.autograd.grad(made, given, torch.ones_like(made))]

    def errors(found):
        return [(one.double() - other).abs().max() for one, other in zip(found, step(doubles), strict=True)]

    with lab.swap(*RULES):
        found = step(halves)
    for ours, native in zip(errors(found), errors(step(halves)), strict=True):
        assert ours <= native + torch.finfo(dtype).eps


def test_a_transformer_layer_comes_through():
    layer = torch.nn.TransformerEncoderLayer(8, 2, 16, dropout=0.3, batch_first=True, dtype=torch.float64)
    (x,) = leaves((2, 5, 8))

    def step():
        torch.manual_seed(5)
        return torch.autograd.grad(layer(x).square().sum(), [x, *layer.parameters()])

    wanted = step()
    with lab.swap() as swap:
        found = step()
    assert swap.calls["scaled_dot_product_attention"] == 1
    for one, other in zip(found, wanted, strict=True):
        agreement.assert_same(one, other, "a parameter", 64)
