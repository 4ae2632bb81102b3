"""Calls of the operations that rules stand for, as a user writes them: at least one for each rule."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch.nn import functional


class Call(NamedTuple):
    """A function of tensors, and the shapes of these."""

    rule: str
    function: Callable[..., torch.Tensor]
    shapes: tuple[tuple[int, ...], ...]

    @property
    def inputs(self) -> list[torch.Tensor]:
        """Leaves, positive and all different."""
        generator = torch.Generator().manual_seed(0)
        return [
            (torch.rand(shape, dtype=torch.float64, generator=generator) + 0.5).requires_grad_()
            for shape in self.shapes
        ]


MASK = torch.tensor([True, False, True])
PLACES = torch.tensor([1, 0])
CHOSEN = torch.tensor([2, 0])


def _dropped(x: torch.Tensor) -> torch.Tensor:
    torch.manual_seed(3)
    return functional.dropout(x, 0.5)


CALLS = [
    Call("relu", lambda x: functional.relu(x - 1), ((2, 3),)),
    Call("gelu", functional.gelu, ((2, 3),)),
    Call("silu", functional.silu, ((2, 3),)),
    Call("mul", torch.mul, ((2, 3), (3,))),
    Call("add", lambda x, y: torch.add(x, y, alpha=2), ((2, 3), (3,))),
    Call("sub", lambda x, y: torch.sub(x, y, alpha=2), ((2, 3), (3,))),
    Call("div", torch.div, ((2, 3), (3,))),
    Call("neg", torch.neg, ((2, 3),)),
    Call("dropout", _dropped, ((2, 3),)),
    Call("mm", torch.mm, ((2, 4), (4, 3))),
    Call("addmm", torch.addmm, ((3,), (2, 4), (4, 3))),
    Call("bmm", torch.bmm, ((2, 3, 4), (2, 4, 3))),
    Call("linear", functional.linear, ((2, 4), (3, 4), (3,))),
    Call("linear", functional.linear, ((2, 2, 4), (3, 4), (3,))),
    Call("linear", functional.linear, ((2, 2, 4), (3, 4))),
    Call("linear", functional.linear, ((4,), (3, 4))),
    Call("softmax", lambda x: torch.softmax(x, -1), ((2, 3),)),
    Call("log_softmax", lambda x: torch.log_softmax(x, 0), ((2, 3),)),
    Call("scaled_dot_product_attention", functional.scaled_dot_product_attention, ((1, 2, 2, 3),) * 3),
    Call("scaled_dot_product_attention", functional.scaled_dot_product_attention, ((2, 2, 3),) * 3),
    Call("avg_pool", lambda x: functional.avg_pool2d(x, 2, 1), ((1, 2, 3, 4),)),
    Call("adaptive_avg_pool", lambda x: functional.adaptive_avg_pool2d(x, (1, 3)), ((1, 2, 3, 4),)),
    Call("adaptive_avg_pool", lambda x: functional.adaptive_avg_pool2d(x, 1), ((1, 2, 3, 4),)),
    Call(
        "batch_norm", lambda x, w, b: functional.batch_norm(x, None, None, w, b, True), ((3, 3), (3,), (3,))
    ),
    Call("convolution", functional.conv2d, ((1, 2, 3, 3), (3, 2, 2, 2), (3,))),
    Call("convolution", functional.conv1d, ((2, 3), (3, 2, 1))),
    Call("exp", torch.exp, ((2, 3),)),
    Call("log", torch.log, ((2, 3),)),
    Call("tanh", torch.tanh, ((2, 3),)),
    Call("sigmoid", torch.sigmoid, ((2, 3),)),
    Call("group_norm", lambda x, w, b: functional.group_norm(x, 2, w, b), ((2, 4, 3), (4,), (4,))),
    Call("embedding", lambda w: functional.embedding(CHOSEN, w), ((4, 3),)),
    Call("index_select", lambda x: x.index_select(1, CHOSEN), ((2, 3),)),
    Call("gather", lambda x: x.gather(1, CHOSEN.expand(2, 2)), ((2, 3),)),
    Call("nll_loss", lambda x: functional.nll_loss(x, PLACES, reduction="none"), ((2, 3),)),
    Call("mse_loss", functional.mse_loss, ((2, 3), (2, 3))),
    Call("mse_loss", lambda x, y: functional.mse_loss(x, y, reduction="none"), ((2, 3), (2, 3))),
    Call("max_pool", lambda x: functional.max_pool2d(x, 2, 1), ((1, 2, 3, 4),)),
    Call("layer_norm", lambda x, w, b: functional.layer_norm(x, (3,), w, b), ((2, 3), (3,), (3,))),
    Call("rms_norm", lambda x, w: functional.rms_norm(x, (3,), w), ((2, 3), (3,))),
    Call("pow", torch.pow, ((2, 3), (3,))),
    Call("pow", lambda x: x**3, ((2, 3),)),
    Call("sum", lambda x: x.sum(0), ((2, 3),)),
    Call("mean", lambda x: x.mean(0), ((2, 3),)),
    Call("var", lambda x: x.var(0), ((2, 3),)),
    Call("amax", lambda x: x.amax(0), ((2, 3),)),
    Call("sqrt", torch.sqrt, ((2, 3),)),
    Call("rsqrt", torch.rsqrt, ((2, 3),)),
    Call("abs", lambda x: (x - 1).abs(), ((2, 3),)),
    Call("where", lambda x, y: torch.where(MASK, x, y), ((2, 3), (3,))),
    Call("masked_fill", lambda x: x.masked_fill(MASK, 2.0), ((2, 3),)),
    Call("clamp", lambda x: x.clamp(0.7, 1.2), ((2, 3),)),
]
IDS = [f"{call.rule}-{i}" for i, call in enumerate(CALLS)]
