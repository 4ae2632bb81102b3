"""Training one weight by hand: forward, loss, gradient, update. No autograd.

The first chapter of the tour: everything that ``loss.backward()`` will later do for us, done with pencil and
paper first. Relies on NumPy alone. Promises that every number it shows was computed when it was asked for.

**The model.** One weight, no bias: ŷ = w·x. The data come from y = 2x, so training should find w = 2.

**One sample and the chain rule.** Take x = 2, y = 4 and start at w = 0. Call the residual s = ŷ − y, and
the loss s². Forward, ŷ = 0, s = −4, loss = 16. Each step has a local derivative that needs no knowledge of
the other steps, and the chain rule multiplies them (`chain_rule` does just this)::

    dloss/ds = 2s = −8      ds/dŷ = 1      dŷ/dw = x = 2
    dloss/dw = −8 · 1 · 2 = −16

**Many samples.** The loss shown is always the mean of the squares, mean((ŷ − y)²). Its gradient is the
mean of 2x(ŷ − y), `mean_gradient`. Leave out the division by the number of samples and it's the gradient of
the *sum* of the squares, Σ 2x(ŷ − y), `sum_gradient`: the same direction, n times as long.

**The update.** Gradient descent goes against the gradient: w ← w − lr·dw.

**Why one run explodes.** Put y = 2x into the sum's gradient: dw = 2·Σx²·(w − 2). So the error w − 2 is
multiplied by the same factor at every step (`error_factor`)::

    w − 2  ←  (1 − 2·lr·Σx²) · (w − 2)            with sum_gradient
    w − 2  ←  (1 − 2·lr·mean(x²)) · (w − 2)       with mean_gradient

Below 1 in size, the error dies out, and the loss shrinks by the factor's square; above 1, every step
overshoots the target by more than it was off before. With lr = 0.01 the named `RUNS` are:

==============  ==========  ========  ======================  =====================================
run             x           gradient  factor                  what happens
==============  ==========  ========  ======================  =====================================
one-sample      2           sum       1 − 0.02·4 = 0.92       converges, slowly
sum             1, 2, 3, 4  sum       1 − 0.02·30 = 0.4       converges from a loss of 30
sum-explodes    2, 4, 6, 8  sum       1 − 0.02·120 = −1.4     losses 120, 235.2, 460.99, …
mean            2, 4, 6, 8  mean      1 − 0.02·30 = 0.4       converges from a loss of 120
==============  ==========  ========  ======================  =====================================

Doubling x makes Σx² four times as big, and lr = 0.01 is then too long a step: it has to be below
1 / Σx² = 1/120. Taking the mean divides by four samples, which is why "mean" is safe again. (At
lr = 1 / (2·Σx²) the factor is 0, and one step arrives.)

**About the printed tables.** "one-sample" and "sum" reproduce, digit for digit, two tables that came with
the worked example this project grew from. What it takes, found by trying:

- The four-sample table's loss column is the mean of the squares, yet the steps follow the gradient of their
  sum, which is four times the gradient of that mean.
- The example's own listing gives x = 2, 4, 6, 8 and y = 4, 8, 12, 16, and says that a mean is taken. As the
  listing computes it, with a dot product, those data make "sum-explodes": a dot product has already added
  the samples up, and the mean of one number is that number. With a true mean they make "mean", whose w and
  dw columns are the table's own, bit for bit: doubling x and y makes each product exactly four times as
  big, and the mean takes the four away. Only its loss isn't the table's but four times that: 120, not 30.
  So it's the loss column that says that the table was made from x = 1, 2, 3, 4.
- The data are float32 but w must not be: see Note [A weight kept as a Python float].
- Each product 2x(ŷ − y) must be rounded to float32 before it's added: see Note [Products rounded before the
  sum].

Example:
    >>> print(table(RUNS["sum"].train(epochs=3)))
    epoch: loss, w, dw
    1: 30.00000000, 1.200, -120.000
    2: 4.79999924, 1.680, -48.000
    3: 0.76800019, 1.872, -19.200
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from autograd_lab.errors import LabError

# Note [A weight kept as a Python float]
# NumPy lets a Python float take the dtype of the array it meets, so w·x stays float32 while w itself keeps
# float64's precision from update to update. With `w -= lr * dw`, dw being a NumPy float32, NumPy 2 makes w a
# float32 at the first update, and the four-sample table parts at epoch 2 (4.80000067) and 6, the one-sample
# table at epoch 4. NumPy 1 made a float64 of the same line, and gave the four-sample table (1.26 was tried).
# `float(dw)` says it outright.

# Note [Products rounded before the sum]
# (2 * x * (y_hat - y)).sum() rounds each product to float32, then adds; the order of adding doesn't matter
# to the printed four-sample table. A dot product with fused multiply-add adds each product unrounded; from
# left to right, the losses of epochs 6 and 7 then end in another digit (0.00314574, 0.00050331). `np.dot`
# leaves the choice to the BLAS beneath it (OpenBLAS on x86-64 gave just those digits), so it isn't used here.

Array: TypeAlias = npt.NDArray[np.floating[Any]]
Gradient: TypeAlias = Callable[[Array, Array, Array], "np.floating[Any]"]
"""From x, y and ŷ, each of shape [n], to d something / dw."""


class TrainingError(LabError, ValueError):
    """The samples can't be trained on, or a run has no counterpart."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """One pass over the data: where it stood, and where the update left the weight.

    Attributes:
        number: Counted from 1.
        loss: The mean of the squared errors before the update.
        w: The weight after the update.
        dw: The gradient that the update used.

    Example:
        >>> print(Epoch(1, loss=16.0, w=0.16, dw=-16.0))
        1: 16.00000000, 0.160, -16.000
    """

    number: int
    loss: float
    w: float
    dw: float

    def __str__(self) -> str:
        return f"{self.number}: {self.loss:.8f}, {self.w:.3f}, {self.dw:.3f}"


def forward(w: float, x: Array) -> Array:
    """Predicts: ŷ = w·x.

    Args:
        w: The weight.
        x: The inputs, shape [n].

    Returns:
        ŷ, shape [n], in the dtype of ``x``.

    Example:
        >>> forward(3.0, np.array([1.0, 2.0]))
        array([3., 6.])
    """
    return w * x


def loss(y_hat: Array, y: Array) -> np.floating[Any]:
    """The mean squared error: mean((ŷ − y)²).

    Args:
        y_hat: The predictions, shape [n].
        y: The targets, shape [n].

    Returns:
        One number, in the dtype of the arguments.

    Example:
        >>> float(loss(np.array([0.0, 0.0]), np.array([2.0, 4.0])))
        10.0
    """
    return np.mean((y_hat - y) ** 2)


def sum_gradient(x: Array, y: Array, y_hat: Array) -> np.floating[Any]:
    """The gradient of the sum of squares: d Σ(ŷ − y)² / dw = Σ 2x(ŷ − y).

    Each sample contributes dloss/ds · ds/dŷ · dŷ/dw = 2(ŷ − y) · 1 · x.

    Args:
        x: The inputs, shape [n].
        y: The targets, shape [n].
        y_hat: The predictions, shape [n].

    Returns:
        One number, in the dtype of the arguments.

    Example:
        >>> x, y = np.array([1.0, 2.0]), np.array([2.0, 4.0])
        >>> float(sum_gradient(x, y, forward(0.0, x)))
        -20.0
    """
    return np.sum(2 * x * (y_hat - y))


def mean_gradient(x: Array, y: Array, y_hat: Array) -> np.floating[Any]:
    """The gradient of the mean of squares: d mean((ŷ − y)²) / dw = mean(2x(ŷ − y)).

    Args:
        x: The inputs, shape [n].
        y: The targets, shape [n].
        y_hat: The predictions, shape [n].

    Returns:
        One number, in the dtype of the arguments.

    Example:
        >>> x, y = np.array([1.0, 2.0]), np.array([2.0, 4.0])
        >>> float(mean_gradient(x, y, forward(0.0, x)))
        -10.0
    """
    return np.mean(2 * x * (y_hat - y))


def train(
    x: Sequence[float],
    y: Sequence[float],
    *,
    gradient: Gradient,
    lr: float = 0.01,
    epochs: int = 10,
    dtype: type[np.floating[Any]] = np.float32,
) -> tuple[Epoch, ...]:
    """Gradient descent from w = 0, the whole data at every step.

    A run that diverges for long enough outgrows its dtype, and NumPy then warns of the overflow.

    Args:
        x: The inputs, n numbers.
        y: The targets, n numbers.
        gradient: What the update follows: `sum_gradient`, `mean_gradient` or one of your own.
        lr: The learning rate: how far to go against the gradient.
        epochs: How many updates.
        dtype: What the data are held in. The weight is a Python float, whatever this is.

    Returns:
        One `Epoch` for each update, in order.

    Raises:
        TrainingError: There are no samples, or not one target for each input.

    Example:
        >>> [epoch.w for epoch in train([2], [4], gradient=sum_gradient, lr=0.125, epochs=1)]
        [2.0]
    """
    inputs, targets = np.asarray(x, dtype), np.asarray(y, dtype)
    check_samples(inputs.shape, targets.shape)
    w = 0.0
    history = []
    for number in range(1, epochs + 1):
        y_hat = forward(w, inputs)
        dw = float(gradient(inputs, targets, y_hat))
        w -= lr * dw  # Note [A weight kept as a Python float]
        history.append(Epoch(number, float(loss(y_hat, targets)), w, dw))
    return tuple(history)


def check_samples(x: tuple[int, ...], y: tuple[int, ...]) -> None:
    """Refuses shapes that broadcasting would quietly make sense of.

    Args:
        x: The inputs' shape.
        y: The targets' shape.

    Raises:
        TrainingError: They aren't both [n], for one n of at least 1.

    Example:
        >>> check_samples((4,), (4,))
    """
    if len(x) != 1 or x != y or x[0] == 0:
        raise TrainingError(f"x has shape {list(x)} and y {list(y)}: give two flat lists of the same length")


def error_factor(x: Sequence[float], *, gradient: Gradient, lr: float = 0.01) -> float:
    """What one update multiplies the error w − w* by, w* being the weight that training looks for.

    The gradient is linear in the error, so its size at an error of 1 (y = 0, w = 1) says it all:
    1 − 2·lr·Σx² with `sum_gradient`, 1 − 2·lr·mean(x²) with `mean_gradient`.

    Args:
        x: The inputs, n numbers.
        gradient: What the update follows; has to be linear in ŷ − y, as both of the above are.
        lr: The learning rate.

    Returns:
        The factor. Training converges where its size is below 1; where it's negative, w goes past the
        target at every step.

    Example:
        >>> round(error_factor([2, 4, 6, 8], gradient=sum_gradient), 12)
        -1.4
    """
    inputs = np.asarray(x, np.float64)
    return 1 - lr * float(gradient(inputs, np.zeros_like(inputs), forward(1.0, inputs)))


@dataclass(frozen=True, slots=True)
class ChainRule:
    """The worked example: one sample's forward values, local derivatives and their product.

    Attributes:
        w: The weight.
        x: The input.
        y: The target.
        y_hat: ŷ = w·x.
        s: The residual, ŷ − y.
        loss: s².
        dloss_ds: 2s.
        ds_dy_hat: 1.
        dy_hat_dw: x.
        dloss_dw: The product of the three.

    Example:
        >>> chain_rule().dloss_dw
        -16.0
    """

    w: float
    x: float
    y: float
    y_hat: float
    s: float
    loss: float
    dloss_ds: float
    ds_dy_hat: float
    dy_hat_dw: float
    dloss_dw: float

    def __str__(self) -> str:
        return "\n".join(
            (
                f"forward:     ŷ = w·x = {self.y_hat:g}   s = ŷ − y = {self.s:g}   loss = s² = {self.loss:g}",
                f"local:       dloss/ds = 2s = {self.dloss_ds:g}   ds/dŷ = {self.ds_dy_hat:g}"
                f"   dŷ/dw = x = {self.dy_hat_dw:g}",
                f"chain rule:  dloss/dw = {self.dloss_ds:g} · {self.ds_dy_hat:g} · {self.dy_hat_dw:g}"
                f" = {self.dloss_dw:g}",
            )
        )


def chain_rule(w: float = 0.0, x: float = 2.0, y: float = 4.0) -> ChainRule:
    """Works one sample forward and then backward, one local derivative at a time.

    Args:
        w: The weight.
        x: The input.
        y: The target.

    Returns:
        Every number on the way.

    Example:
        >>> print(chain_rule())
        forward:     ŷ = w·x = 0   s = ŷ − y = -4   loss = s² = 16
        local:       dloss/ds = 2s = -8   ds/dŷ = 1   dŷ/dw = x = 2
        chain rule:  dloss/dw = -8 · 1 · 2 = -16
    """
    y_hat = w * x
    s = y_hat - y
    dloss_ds, ds_dy_hat, dy_hat_dw = 2 * s, 1.0, x
    return ChainRule(
        w, x, y, y_hat, s, s * s, dloss_ds, ds_dy_hat, dy_hat_dw, dloss_ds * ds_dy_hat * dy_hat_dw
    )


@dataclass(frozen=True, slots=True)
class Run:
    """A training to look at, and what it teaches.

    Attributes:
        name: Its key in `RUNS`.
        x: The inputs, n numbers.
        y: The targets, n numbers.
        gradient: What the update follows.
        lesson: What there is to see, in a sentence or two.
        lr: The learning rate.
    """

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    gradient: Gradient
    lesson: str
    lr: float = 0.01

    @property
    def factor(self) -> float:
        """What one update multiplies the error by, as `error_factor` says.

        Example:
            >>> round(RUNS["sum"].factor, 12)
            0.4
        """
        return error_factor(self.x, gradient=self.gradient, lr=self.lr)

    def train(self, *, epochs: int = 10, dtype: type[np.floating[Any]] = np.float32) -> tuple[Epoch, ...]:
        """Runs it, as `train` does.

        Args:
            epochs: How many updates.
            dtype: What the data are held in.

        Returns:
            One `Epoch` for each update, in order.

        Example:
            >>> print(RUNS["sum-explodes"].train(epochs=2)[1])
            2: 235.20004272, -1.920, 672.000
        """
        return train(self.x, self.y, gradient=self.gradient, lr=self.lr, epochs=epochs, dtype=dtype)


ONE_SAMPLE = Run(
    "one-sample",
    (2.0,),
    (4.0,),
    sum_gradient,
    "The error shrinks by 1 − 2·lr·x² = 0.92 at every step: surely, but slowly.",
)
SUM = Run(
    "sum",
    (1.0, 2.0, 3.0, 4.0),
    (2.0, 4.0, 6.0, 8.0),
    sum_gradient,
    "Σx² = 30 makes the factor 0.4: three fifths of the error go at every step.",
)
SUM_EXPLODES = Run(
    "sum-explodes",
    (2.0, 4.0, 6.0, 8.0),
    (4.0, 8.0, 12.0, 16.0),
    sum_gradient,
    "The same line, sampled at twice the x: Σx² = 120 makes the factor −1.4. Every step goes past the "
    "target and lands further off; the loss grows by 1.96. Any lr below 1/120 would do.",
)
MEAN = Run(
    "mean",
    (2.0, 4.0, 6.0, 8.0),
    (4.0, 8.0, 12.0, 16.0),
    mean_gradient,
    "The data that exploded, with the mean's gradient: mean(x²) = 30, and the factor is 0.4 again. "
    "w and dw are those of the run called sum; the loss is four times as big.",
)

RUNS: Mapping[str, Run] = MappingProxyType({run.name: run for run in (ONE_SAMPLE, SUM, SUM_EXPLODES, MEAN)})
"""Every run by its name, in the order in which they're told."""


def table(epochs: Iterable[Epoch]) -> str:
    """Lays epochs out as text, one a line, under a heading.

    Args:
        epochs: What `train` returned.

    Returns:
        The lines, without a newline at the end.

    Example:
        >>> print(table([Epoch(1, 16.0, 0.16, -16.0)]))
        epoch: loss, w, dw
        1: 16.00000000, 0.160, -16.000
    """
    return "\n".join(("epoch: loss, w, dw", *map(str, epochs)))


def report(run: Run) -> str:
    """Tells one run: its data, its lesson and its table.

    Args:
        run: The run.

    Returns:
        The lines, without a newline at the end.

    Example:
        >>> print(report(RUNS["sum"]).splitlines()[0])
        sum: x = 1, 2, 3, 4; y = 2, 4, 6, 8; lr 0.01; error factor 0.4
    """
    x, y = (", ".join(f"{value:g}" for value in values) for values in (run.x, run.y))
    head = f"{run.name}: x = {x}; y = {y}; lr {run.lr:g}; error factor {run.factor:.3g}"
    return f"{head}\n{run.lesson}\n{table(run.train())}"


def main() -> None:
    """Prints the worked example and every run."""
    example = chain_rule()
    print(f"x = {example.x:g}, y = {example.y:g}, w = {example.w:g}\n{example}")
    for run in RUNS.values():
        print(f"\n{report(run)}")


if __name__ == "__main__":
    main()
