"""Batch norm, and with it instance norm, which PyTorch computes as a batch norm of one sample with many channels.

See Note [Standardizing] in ``standardize.py`` for the derivative.

Note [Running statistics]
In training a batch norm does two things: it computes a result, and it moves the running statistics a step. A rule
changes nothing that it is given. So `and_update` lets PyTorch's own operation move them, once, with its bits and its
errors, when a call comes in place of PyTorch's; and the rule gets copies to work with. In evaluation the running
statistics are constants, and the norm is no more than a scale and a shift.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import torch

from autograd_lab.functions import operands
from autograd_lab.functions.precision import wide
from autograd_lab.functions.rule import Rule, rule
from autograd_lab.functions.samples import SUBSETS, Sample, needing, tensor
from autograd_lab.functions.shapes import others, per_channel
from autograd_lab.functions.standardize import scaled, standardized, through
from autograd_lab.functions.unbroadcast import fit
from autograd_lab.hold import Hold


def and_update(
    input: torch.Tensor,
    weight: torch.Tensor | None,
    bias: torch.Tensor | None,
    running_mean: torch.Tensor | None,
    running_var: torch.Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool,
) -> tuple[Any, ...] | None:
    """The arguments of a batch norm, once the running statistics are updated. See Note [Running statistics].

    Without a dimension for channels there is nothing to norm: PyTorch gives back an empty input, and refuses another.
    """
    if input.dim() < 2:
        return None
    given = (input, weight, bias, running_mean, running_var, training, momentum, eps)
    if training and (running_mean is not None or running_var is not None):
        with Hold() as held:  # torch.no_grad() would stay on if it were interrupted
            held.add(functools.partial(torch.set_grad_enabled, torch.is_grad_enabled()))
            torch.set_grad_enabled(False)
            torch.batch_norm(*given, cudnn_enabled)
    return given


@rule
class BatchNorm(Rule):
    r"""Batch norm: each channel standardized over the batch and all positions, then scaled and shifted.

    .. math:: z = \gamma \, \hat x + \beta, \qquad \hat x = \frac{x - \mu}{\sigma}, \qquad
        \sigma^2 = \frac{1}{n} \sum_i (x_i - \mu)^2 + \epsilon

    In training, with :math:`g = \bar z \, \gamma`, and :math:`\langle \cdot \rangle` for the mean over a channel,

    .. math:: \bar x = \frac{1}{\sigma} \bigl(g - \langle g \rangle - \hat x \, \langle g \, \hat x \rangle\bigr),
        \qquad \bar \gamma = \sum \bar z \, \hat x, \qquad \bar \beta = \sum \bar z

    .. math:: \dot z = \frac{\gamma}{\sigma}
        \bigl(\dot x - \langle \dot x \rangle - \hat x \, \langle \dot x \, \hat x \rangle\bigr)
        + \dot \gamma \, \hat x + \dot \beta

    In evaluation :math:`\mu` and :math:`\sigma` are the running ones. They don't depend on :math:`x`, so

    .. math:: \bar x = \frac{g}{\sigma}, \qquad
        \dot z = \frac{\gamma}{\sigma} \, \dot x + \dot \gamma \, \hat x + \dot \beta

    In training every sample's gradient depends on every other sample. See Note [Running statistics].

    Source: ``batch_norm_backward_cpu_template`` in ``aten/src/ATen/native/Normalization.cpp``; ``batch_norm_jvp``,
    ``batchnorm_double_backward`` in ``torch/csrc/autograd/FunctionsManual.cpp``.
    """

    name = "batch_norm"
    replaces = {"batch_norm": and_update}
    formula = {
        "input": "through_channels(grad * per_channel(weight, input), "
        "*normalized(input, running_mean, running_var, training, eps), training)",
        "weight": "(grad * normalized(input, running_mean, running_var, training, eps)[0]).sum(others(input))",
        "bias": "grad.sum(others(input))",
        "result": "through_channels(input_t, *normalized(input, running_mean, running_var, training, eps), training)"
        " * per_channel(weight, input)"
        " + normalized(input, running_mean, running_var, training, eps)[0] * per_channel(weight_t, input)"
        " + per_channel(bias_t, input)",
    }
    generate_vmap_rule = True

    @staticmethod
    def forward(
        input: torch.Tensor,
        weight: torch.Tensor | None,
        bias: torch.Tensor | None,
        running_mean: torch.Tensor | None,
        running_var: torch.Tensor | None,
        training: bool,
        momentum: float,
        eps: float,
    ) -> torch.Tensor:
        if training:  # PyTorch's operation writes to these
            running_mean = None if running_mean is None else running_mean.clone()
            running_var = None if running_var is None else running_var.clone()
        return torch.batch_norm(
            input, weight, bias, running_mean, running_var, training, momentum, eps, False
        )

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: torch.Tensor) -> None:
        operands.save(ctx, inputs, (True, True, False, True, True, False, False, False), output)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor | None) -> Any:
        if grad is None:
            return (None,) * 8
        grad = wide(grad)
        x, weight, _, running_mean, running_var, training, _, eps = operands.saved(ctx)
        needs_input, needs_weight, needs_bias, *_ = ctx.needs_input_grad
        of_input = of_weight = of_bias = None
        if needs_input or needs_weight:
            normal, scale = normalized(x, running_mean, running_var, training, eps)
        if needs_input:
            slope = scaled(grad, per_channel(weight, grad))
            of_input = fit(through_channels(slope, normal, scale, training), ctx.likes[0])
        if needs_weight:
            of_weight = fit((grad * normal).sum(others(grad)), ctx.likes[1])
        if needs_bias:
            of_bias = fit(grad.sum(others(grad)), ctx.likes[2])
        return of_input, of_weight, of_bias, *(None,) * 5

    @staticmethod
    def jvp(
        ctx: Any,
        input_t: torch.Tensor | None,
        weight_t: torch.Tensor | None,
        bias_t: torch.Tensor | None,
        *_: None,
    ) -> Any:
        x, weight, _, running_mean, running_var, training, _, eps = operands.saved(ctx)
        normal, scale = normalized(x, running_mean, running_var, training, eps)
        moved = None if input_t is None else through_channels(input_t, normal, scale, training)
        return operands.tangent(
            ctx,
            None if moved is None else scaled(moved, per_channel(weight, x)),
            None if weight_t is None else normal * per_channel(weight_t, x),
            per_channel(bias_t, x),
        )

    @staticmethod
    def samples(dtype: torch.dtype) -> Iterator[Sample]:
        if dtype.is_complex:
            return
        mean, var = tensor((3,), dtype, seed=3).detach(), tensor((3,), dtype, seed=4, low=0.5).detach()
        for training, running in ((True, (None, None)), (False, (mean, var))):
            rest = (*running, training, 0.1, 1e-5)
            mode = "training" if training else "evaluation"
            for shape in ((4, 3), (2, 3, 3), (2, 3, 1, 2), (2, 3, 1, 2, 1), (0, 3)):
                yield Sample(f"{mode} {list(shape)}", (tensor(shape, dtype), *_affine(dtype), *rest))
            x, (weight, bias) = tensor((3, 3, 2), dtype), _affine(dtype)
            yield Sample(f"{mode}, not affine", (x, None, None, *rest))
            yield Sample(f"{mode}, without bias", (x, weight, None, *rest))
            yield Sample(f"{mode}, a large eps", (x, weight, bias, *rest[:-1], 0.5))
            turned = tensor((2, 3, 3), dtype).detach().permute(1, 2, 0).requires_grad_()
            yield Sample(f"{mode}, not contiguous", (turned, weight, bias, *rest))
            for needs in SUBSETS:
                yield Sample(f"{mode}, needs {needs}", (*needing((x, weight, bias), needs), *rest))


def normalized(
    input: torch.Tensor,
    running_mean: torch.Tensor | None,
    running_var: torch.Tensor | None,
    training: bool,
    eps: float,
) -> tuple[torch.Tensor, torch.Tensor]:
    r"""The normal input :math:`\hat x`, and the scale :math:`1 / \sigma`."""
    if training:
        return standardized(input, others(input), eps)
    assert running_mean is not None
    assert running_var is not None  # PyTorch's forward has refused to go on without them
    scale = torch.rsqrt(wide(per_channel(running_var, input)) + eps)
    return (input - per_channel(running_mean, input)) * scale, scale


def through_channels(
    value: torch.Tensor, normal: torch.Tensor, scale: torch.Tensor, training: bool
) -> torch.Tensor:
    """Returns a gradient or a tangent behind the norm; in training the statistics move along."""
    return through(value, normal, scale, others(normal)) if training else value * scale


def _affine(dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    return tensor((3,), dtype, seed=1), tensor((3,), dtype, seed=2)
