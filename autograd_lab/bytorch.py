"""The training of `autograd_lab.byhand` again, with autograd doing the gradient.

Side by side with `byhand.train`, this is what ``zero_grad``, ``backward`` and ``step`` stand for. Relies on
torch, and on ``byhand`` for the record and the runs. Promises that each gradient it reports is what
``backward`` left in ``w.grad``: it computes none itself.

The weight is a float64 tensor without dimensions. Torch lets such a tensor take the dtype of the float32
data it meets, exactly as NumPy does with a Python float (``byhand``'s Note [A weight kept as a Python
float]), and the engine casts the gradient back on its way to the leaf. So in all four runs every loss and
every gradient has the same bits here and there. The weights may part in float64's last place, because
torch's vectorised kernels do the update with one rounding (a fused multiply-add) where Python does it with
two. With ``weight_dtype=torch.float32``, as one would usually have it, the four-sample table isn't the
printed one any more: within ten epochs the gradients differ by up to 7 parts in a million.

Example:
    >>> from autograd_lab.byhand import RUNS
    >>> by_hand, by_torch = RUNS["sum"].train(), twin(RUNS["sum"])
    >>> [epoch.dw for epoch in by_hand] == [epoch.dw for epoch in by_torch]
    True
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TypeAlias

import torch

from autograd_lab.byhand import (
    Epoch,
    Gradient,
    Run,
    TrainingError,
    check_samples,
    mean_gradient,
    sum_gradient,
)

Objective: TypeAlias = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""From ŷ and y, each of shape [n], to the one number that ``backward`` starts from."""


def sum_of_squares(y_hat: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Σ(ŷ − y)².

    Args:
        y_hat: The predictions, shape [n].
        y: The targets, shape [n].

    Returns:
        A tensor without dimensions.

    Example:
        >>> sum_of_squares(torch.zeros(2), torch.tensor([2.0, 4.0])).item()
        20.0
    """
    return ((y_hat - y) ** 2).sum()


def mean_of_squares(y_hat: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """mean((ŷ − y)²).

    Args:
        y_hat: The predictions, shape [n].
        y: The targets, shape [n].

    Returns:
        A tensor without dimensions.

    Example:
        >>> mean_of_squares(torch.zeros(2), torch.tensor([2.0, 4.0])).item()
        10.0
    """
    return ((y_hat - y) ** 2).mean()


OBJECTIVES: Mapping[Gradient, Objective] = MappingProxyType(
    {sum_gradient: sum_of_squares, mean_gradient: mean_of_squares}
)
"""For each gradient written by hand, what it's the gradient of."""


def train(
    x: Sequence[float],
    y: Sequence[float],
    *,
    objective: Objective,
    lr: float = 0.01,
    epochs: int = 10,
    dtype: torch.dtype = torch.float32,
    weight_dtype: torch.dtype = torch.float64,
) -> tuple[Epoch, ...]:
    """Gradient descent from w = 0 with ``zero_grad``, ``backward`` and ``torch.optim.SGD``.

    Args:
        x: The inputs, n numbers.
        y: The targets, n numbers.
        objective: What to go down: `sum_of_squares`, `mean_of_squares` or one of your own.
        lr: The learning rate.
        epochs: How many updates.
        dtype: What the data are held in.
        weight_dtype: What the weight is held in.

    Returns:
        One `Epoch` for each update, in order. As by hand, its loss is the mean of the squares, whichever
        objective was followed.

    Raises:
        TrainingError: There are no samples, or not one target for each input.

    Example:
        >>> print(train([2], [4], objective=sum_of_squares, epochs=1)[0])
        1: 16.00000000, 0.160, -16.000
    """
    inputs, targets = torch.tensor(x, dtype=dtype), torch.tensor(y, dtype=dtype)
    check_samples(tuple(inputs.shape), tuple(targets.shape))
    w = torch.zeros((), dtype=weight_dtype, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=lr)
    history = []
    for number in range(1, epochs + 1):
        optimizer.zero_grad()
        y_hat = w * inputs
        objective(y_hat, targets).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        history.append(_epoch(number, mean_of_squares(y_hat.detach(), targets), w))
    return tuple(history)


def _epoch(number: int, loss: torch.Tensor, w: torch.Tensor) -> Epoch:
    if w.grad is None:
        raise TrainingError("backward left w without a gradient: let the objective depend on ŷ")
    return Epoch(number, loss.item(), w.item(), w.grad.item())


def twin(
    run: Run,
    *,
    epochs: int = 10,
    dtype: torch.dtype = torch.float32,
    weight_dtype: torch.dtype = torch.float64,
) -> tuple[Epoch, ...]:
    """Trains one of ``byhand``'s runs in torch, on the objective that its gradient is the gradient of.

    Args:
        run: The run.
        epochs: How many updates.
        dtype: What the data are held in.
        weight_dtype: What the weight is held in.

    Returns:
        One `Epoch` for each update, to lay beside ``run.train()``.

    Raises:
        TrainingError: The run follows a gradient of one's own, whose objective isn't known.

    Example:
        >>> from autograd_lab.byhand import RUNS
        >>> print(twin(RUNS["one-sample"])[9])
        10: 3.56698155, 1.131, -7.555
    """
    if run.gradient not in OBJECTIVES:
        raise TrainingError(f"{run.name}: its gradient's objective isn't known: call train(objective=...)")
    return train(
        run.x,
        run.y,
        objective=OBJECTIVES[run.gradient],
        lr=run.lr,
        epochs=epochs,
        dtype=dtype,
        weight_dtype=weight_dtype,
    )
