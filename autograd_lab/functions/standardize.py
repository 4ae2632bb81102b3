r"""Mean zero and variance one: what all norms are made of, and its derivative, explained once.

Note [Standardizing]
Of :math:`n` numbers :math:`x`, with mean :math:`\mu` and variance :math:`\sigma^2` (over :math:`n`, not :math:`n-1`),

.. math:: \hat x = \frac{x - \mu}{\sigma}, \qquad
    \frac{\partial \hat x_i}{\partial x_j} =
    \frac{1}{\sigma} \Bigl(\delta_{ij} - \frac{1}{n} - \frac{\hat x_i \hat x_j}{n}\Bigr)

Read it as two projections: what adds the same to all numbers moves only the mean, and what stretches them moves only
the variance; neither changes :math:`\hat x`. So a derivative takes both parts out of whatever goes through it. The
matrix is symmetric, so what a backward does to a gradient and what forward mode does to a tangent is one and the same,
`through`.

The norms differ in which numbers stand together (a row, a group of channels, a channel over the batch) and in what
scales and shifts them afterwards. A backward computes :math:`\hat x` again from the saved input, by differentiable
operations, and doesn't save the statistics: they depend on the input, and a second order must see that.

Half precision is widened first, gradients too: a weight may be kept in single precision and wants its digits.
"""

from __future__ import annotations

import torch

from autograd_lab.functions.precision import wide

EPS = 1e-5
"""What is added to a variance, if nobody says otherwise."""


def standardized(input: torch.Tensor, dims: list[int], eps: float) -> tuple[torch.Tensor, torch.Tensor]:
    r"""Brings numbers to mean zero and variance one. See Note [Standardizing].

    Args:
        input: Any shape.
        dims: The dimensions over which numbers stand together.
        eps: Is added to the variance.

    Returns:
        The numbers, and what they were multiplied with, :math:`1 / \sqrt{\sigma^2 + \epsilon}`, with size 1 in
        ``dims``.

    Example:
        >>> standardized(torch.tensor([1.0, 3.0, 5.0, 7.0]), [0], 0.0)[0]
        tensor([-1.3416, -0.4472,  0.4472,  1.3416])
    """
    x = wide(input)
    away = x - x.mean(dims, keepdim=True)
    scale = torch.rsqrt((away * away).mean(dims, keepdim=True) + eps)
    return away * scale, scale


def through(value: torch.Tensor, normal: torch.Tensor, scale: torch.Tensor, dims: list[int]) -> torch.Tensor:
    """Takes a gradient or a tangent through `standardized`. See Note [Standardizing].

    Args:
        value: The gradient or the tangent, in the input's shape.
        normal: The standardized input.
        scale: What it was multiplied with.
        dims: As for `standardized`.

    Returns:
        The gradient or the tangent on the other side.
    """
    moves_mean = value.mean(dims, keepdim=True)
    moves_variance = normal * (value * normal).mean(dims, keepdim=True)
    passed: torch.Tensor = scale * (value - moves_mean - moves_variance)
    return passed


def scaled(value: torch.Tensor, weight: torch.Tensor | None) -> torch.Tensor:
    """``value * weight``; without a weight, the value."""
    return value if weight is None else value * weight
