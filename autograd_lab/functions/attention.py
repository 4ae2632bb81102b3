r"""Scaled dot-product attention, by its mathematics.

PyTorch computes it by one of several kernels; this is what they have in common. Results agree within rounding.

Note [Heads that share]
There may be fewer heads of keys than of queries: then as many query heads as it takes share one (grouped-query
attention). It is used by all of them, so it gets the sum of what they send back, as in Note [Unbroadcast].
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch

from autograd_lab.functions.dropout import draw
from autograd_lab.functions.linear import total
from autograd_lab.functions.operands import OptionalTensor
from autograd_lab.functions.precision import wide
from autograd_lab.functions.rule import Rule, rule
from autograd_lab.functions.samples import Sample, each_alone, tensor
from autograd_lab.functions.softmax import centered
from autograd_lab.functions.unbroadcast import Like, fit, like


def attended(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attn_mask: OptionalTensor = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> tuple[Any, ...] | None:
    """The arguments of an attention: causality as a mask, a dropout as its noise. What PyTorch refuses is PyTorch's."""
    scores = _scores(query, key, value, enable_gqa)
    masks = (torch.bool, torch.float32, query.dtype)
    if scores is None or not 0 <= dropout_p <= 1 or (is_causal and attn_mask is not None):
        return None
    if attn_mask is not None and (attn_mask.dtype not in masks or _common(attn_mask.shape, scores) != scores):
        return None
    mask = query.new_ones(scores[-2:], dtype=torch.bool).tril() if is_causal else attn_mask
    noise = draw(wide(query).new_empty(scores), dropout_p) if dropout_p else None
    return query, key, value, mask, noise, 1 / math.sqrt(max(query.shape[-1], 1)) if scale is None else scale


def _scores(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, grouped: bool
) -> tuple[int, ...] | None:
    """The shape of the scores: for each query, one for each key. ``None`` if these tensors make no attention."""
    alike = query.dtype == key.dtype == value.dtype and query.is_floating_point()
    if not alike or min(query.dim(), key.dim(), value.dim()) < (3 if grouped else 2):
        return None
    if query.shape[-1] != key.shape[-1] or key.shape[-2] != value.shape[-2]:
        return None
    batches = [tuple(each.shape[:-2]) for each in (query, key, value)]
    if grouped:
        if any(not each[-1] or batches[0][-1] % each[-1] for each in batches):
            return None
        batches = [(*each[:-1], batches[0][-1]) for each in batches]
    batch = _common(batches[0], batches[1])
    if batch is None or _common(batch, batches[2]) is None:
        return None
    return *batch, query.shape[-2], key.shape[-2]


def _common(one: Sequence[int], other: Sequence[int]) -> tuple[int, ...] | None:
    """The shape to which two are broadcast, if they can be."""
    rank = max(len(one), len(other))
    pairs = list(zip(_of_rank(one, rank), _of_rank(other, rank), strict=True))
    if any(a != b and 1 not in (a, b) for a, b in pairs):
        return None
    return tuple(b if a == 1 else a for a, b in pairs)


def _of_rank(shape: Sequence[int], rank: int) -> tuple[int, ...]:
    return (1,) * (rank - len(shape)) + tuple(shape)


@rule
class Attention(Rule):
    r"""For each query the mean of the values, weighted by how well their keys match it.

    .. math:: S = s \, Q K^T + M, \qquad P = \operatorname{softmax} S, \qquad Z = (P \circ N) \, V

    with a scale :math:`s`, a mask :math:`M` (a boolean one stands for 0 and :math:`-\infty`) and a dropout's noise
    :math:`N`, where there are any. Backwards, a step at a time:

    .. math:: \bar V = (P \circ N)^T \bar Z, \qquad \bar P = (\bar Z V^T) \circ N, \qquad
        \bar S = P \circ \Bigl(\bar P - \sum \bar P \circ P\Bigr), \qquad \bar M = \bar S, \qquad
        \bar Q = s \, \bar S K, \qquad \bar K = s \, \bar S^T Q

    and forwards:

    .. math:: \dot S = s \, (\dot Q K^T + Q \dot K^T) + \dot M, \qquad
        \dot P = P \circ \Bigl(\dot S - \sum \dot S \circ P\Bigr), \qquad
        \dot Z = (\dot P \circ N) \, V + (P \circ N) \, \dot V

    :math:`P` is as large as the number of queries times that of keys, so it isn't saved but computed again. A query
    that may see no key gets zero, where the formula would say NaN. See Note [Heads that share].

    Source: ``_scaled_dot_product_attention_math`` in ``aten/src/ATen/native/transformers/attention.cpp``.
    """

    name = "scaled_dot_product_attention"
    replaces = {"scaled_dot_product_attention": attended}
    formula = {
        "query": "scale * to_scores(grad, weights(query, key, mask, scale), value, noise) @ key",
        "key": "scale * to_scores(grad, weights(query, key, mask, scale), value, noise).mT @ query",
        "value": "noisy(weights(query, key, mask, scale), noise).mT @ grad",
        "mask": "to_scores(grad, weights(query, key, mask, scale), value, noise)",
        "result": (
            "noisy(centered(scale * (query_t @ key.mT + query @ key_t.mT) + mask_t, "
            "weights(query, key, mask, scale), -1), noise) @ value "
            "+ noisy(weights(query, key, mask, scale), noise) @ value_t"
        ),
    }
    generate_vmap_rule = True

    @staticmethod
    def forward(
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        mask: OptionalTensor,
        noise: OptionalTensor,
        scale: float,
    ) -> torch.Tensor:
        q, k, v = (shared(each, query) for each in (query, key, value))
        return (noisy(weights(q, k, mask, scale), noise) @ v).to(query.dtype)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: torch.Tensor) -> None:
        query, key, value, mask, noise, ctx.scale = inputs
        ctx.likes = [like(each) for each in (query, key, value, mask)]
        needs_query, needs_key, _, needs_mask, *_ = ctx.needs_input_grad
        needs_scores = needs_query or needs_key or needs_mask
        ctx.set_materialize_grads(False)
        ctx.save_for_forward(query, key, value, mask, noise)
        ctx.save_for_backward(query, key, value if needs_scores else None, mask, noise)

    @staticmethod
    def backward(ctx: Any, grad: OptionalTensor) -> Any:
        if grad is None:
            return None, None, None, None, None, None
        query, key, value, mask, noise = ctx.saved_tensors
        needs_query, needs_key, needs_value, needs_mask, *_ = ctx.needs_input_grad
        like_query, like_key, like_value, like_mask = ctx.likes
        q, k, z = shared(query, query), shared(key, query), wide(grad)
        p = weights(q, k, mask, ctx.scale)
        s: Any = None if value is None else to_scores(z, p, shared(value, query), noise)
        return (
            fit(ctx.scale * s @ k, like_query) if needs_query else None,
            together(ctx.scale * s.mT @ q, like_key) if needs_key else None,
            together(noisy(p, noise).mT @ z, like_value) if needs_value else None,
            fit(s, like_mask) if needs_mask else None,
            None,
            None,
        )

    @staticmethod
    def jvp(
        ctx: Any,
        query_t: OptionalTensor,
        key_t: OptionalTensor,
        value_t: OptionalTensor,
        mask_t: OptionalTensor,
        *_: None,
    ) -> Any:
        query, key, value, mask, noise = ctx.saved_tensors
        q, k, v = (shared(each, query) for each in (query, key, value))
        p = weights(q, k, mask, ctx.scale)
        s_t = total(
            None if query_t is None else ctx.scale * shared(query_t, query) @ k.mT,
            None if key_t is None else ctx.scale * q @ shared(key_t, query).mT,
            None if mask_t is None else wide(mask_t),
        )
        made = total(
            None if s_t is None else noisy(centered(s_t, p, -1), noise) @ v,
            None if value_t is None else noisy(p, noise) @ shared(value_t, query),
        )
        return None if made is None else made.to(query.dtype)

    @staticmethod
    def samples(dtype: torch.dtype) -> Iterator[Sample]:
        if dtype.is_complex:
            return
        q, k, v = (
            tensor(shape, dtype, seed=index) for index, shape in enumerate(((2, 3, 2), (2, 4, 2), (2, 4, 3)))
        )
        bias, seen = tensor((2, 3, 4), dtype, seed=3), torch.ones(3, 4, dtype=torch.bool).tril()
        noise = 1.25 * (tensor((2, 3, 4), wide(q).dtype, seed=4).detach() > -1)
        yield Sample("all of it", (q, k, v, bias, noise.to(wide(q).dtype), 0.5))
        yield Sample("no mask", (q, k, v, None, None, 0.5))
        yield Sample("causal", (q, k, v, seen, None, -0.5))
        yield Sample("a query that sees no key", (q, k, v, seen.clone().fill_diagonal_(False), None, 0.5))
        yield from each_alone((q, k, v, tensor((3, 4), dtype, seed=3), None, 0.5))
        yield Sample("one batch of keys", (q, k[:1], v[:1], bias[:1], None, 0.5))
        heads = tensor((4, 3, 2), dtype)
        yield Sample("heads that share", (heads, k, v, None, None, 0.5))
        yield Sample("no batch", (q[0], k[0], v[0], None, None, 1.0))
        yield Sample("no keys", (q, k[:, :0], v[:, :0], None, None, 0.5))
        turned = q.detach().mT.contiguous().mT.requires_grad_()
        yield Sample("not contiguous", (turned, k, v, None, None, 0.5))


def shared(x: torch.Tensor, query: torch.Tensor) -> torch.Tensor:
    """Returns keys or values with a head for each query head, in single precision at least.

    See Note [Heads that share].

    Args:
        x: Queries, keys or values, ``[..., heads, length, size]``.
        query: The queries.

    Returns:
        The same, with as many heads as there are of queries if these share them.
    """
    if min(x.dim(), query.dim()) < 3:
        return wide(x)
    *batch, heads, length, size = x.shape
    users = query.shape[-3] // heads if heads > 1 else 1
    if users <= 1:
        return wide(x)  # a single head is broadcast
    each = wide(x).unsqueeze(-3).expand(*batch, heads, users, length, size)
    return each.reshape(*batch, heads * users, length, size)


def together(grad: torch.Tensor, wanted: Like) -> torch.Tensor:
    """Adds up what all users of a head or of a batch sent back. See Note [Heads that share]."""
    heads = wanted.shape[-3] if len(wanted.shape) > 2 else 1
    if heads > 1 and grad.shape[-3] > heads:
        *batch, users, length, size = grad.shape
        grad = grad.reshape(*batch, heads, users // heads, length, size).sum(-3)
    return fit(grad, wanted)


def weights(query: torch.Tensor, key: torch.Tensor, mask: OptionalTensor, scale: float) -> torch.Tensor:
    """Returns each query's share of each value: the softmax of the scores; zeros where a query may see no key."""
    scores = scale * query @ key.mT
    if mask is None:
        return torch.softmax(scores, -1)
    scores = scores.masked_fill(~mask, -math.inf) if mask.dtype == torch.bool else scores + mask
    blind = (scores == -math.inf).all(-1, keepdim=True)
    return torch.softmax(scores.masked_fill(blind, 0), -1).masked_fill(blind, 0)


def noisy(x: torch.Tensor, noise: OptionalTensor) -> torch.Tensor:
    """Multiplies by a dropout's noise, if there is any."""
    return x if noise is None else x * noise


def to_scores(
    grad: torch.Tensor, p: torch.Tensor, value: torch.Tensor, noise: OptionalTensor
) -> torch.Tensor:
    """The gradient of the scores: back through the mean, the dropout and the softmax."""
    return centered(noisy(grad @ value.mT, noise), p, -1)
