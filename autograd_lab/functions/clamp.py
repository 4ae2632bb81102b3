r"""Bounds: what is outside of them is put onto them.

Note [Kinks]
On a bound the function has no slope, and what a gradient does there is a choice. PyTorch changed its choice in 2.14:

- *Closed* (2.13): :math:`x` gets all of the gradient on a bound, the bound nothing. Where anything is NaN, neither
  gets any.
- *Open* (2.14, a number as bound): :math:`x` gets nothing on a bound.
- *Shared* (2.14, a tensor as bound): :math:`x` and the bound get half each; where both bounds are where :math:`x` is,
  :math:`x` gets all; where they contradict each other, the upper one does. Where they are equal and :math:`x` lies
  below both, the lower one gets it.
  Comparing with NaN is false, so where anything is NaN, :math:`x` gets all unless it's outside of the other bound.

The rule makes the choice that the installed PyTorch makes. Which one that is is found out by asking PyTorch's own nodes
for the gradient on a bound, once, when this is imported.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from typing import Any, NamedTuple, TypeAlias

import torch

from autograd_lab.functions.operands import TensorOrNumber
from autograd_lab.functions.rule import rule
from autograd_lab.functions.samples import Sample, tensor
from autograd_lab.functions.selection import Selection, only

Bound: TypeAlias = TensorOrNumber | None


class Kinks(NamedTuple):
    """What PyTorch gives ``x`` on a bound. See Note [Kinks].

    Attributes:
        open: Nothing, where the bound is a number; all of the gradient otherwise.
        shared: Half of it, where the bound is a tensor; all of it otherwise.
    """

    open: bool
    shared: bool


def asked() -> Kinks:
    """Returns what the installed PyTorch chooses.

    The nodes are made in a thread of their own, where no mode, hook or transform of the user's is about; and they are
    called directly, since the engine starts threads that don't survive a fork.
    """
    found: list[float] = []

    def ask() -> None:
        x = torch.zeros((), requires_grad=True, device="cpu")
        one, zero = torch.ones((), device="cpu"), torch.zeros((), device="cpu")
        for bound in (0.0, zero):
            node: Any = torch.clamp(x, min=bound).grad_fn
            result = node(one)
            found.append((result[0] if isinstance(result, tuple) else result).item())

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    on_number, on_tensor = found
    return Kinks(open=on_number == 0, shared=on_tensor == 0.5)


KINKS = asked()


def within(self: torch.Tensor, min: Bound = None, max: Bound = None) -> tuple[torch.Tensor, Bound, Bound]:
    """The arguments of ``clamp``."""
    return self, min, max


def from_below(self: torch.Tensor, min: TensorOrNumber) -> tuple[torch.Tensor, Bound, Bound]:
    """The arguments of ``clamp_min``."""
    return self, min, None


def from_above(self: torch.Tensor, max: TensorOrNumber) -> tuple[torch.Tensor, Bound, Bound]:
    """The arguments of ``clamp_max``."""
    return self, None, max


def to_self(grad: torch.Tensor, self: torch.Tensor, min: Bound, max: Bound) -> torch.Tensor:
    """Returns what ``self`` gets: the gradient where it is within its bounds."""
    if not isinstance(min, torch.Tensor) and not isinstance(max, torch.Tensor):
        return only(inside(self, min, max, closed=not KINKS.open), grad)
    if not KINKS.shared:
        return only(inside(self, min, max, closed=True), grad)
    ordered = _ordered(min, max)
    outside = _any(None if min is None else self < min, None if max is None else self > max)
    tie = _any(
        None if min is None else on(self, min, ordered), None if max is None else on(self, max, ordered)
    )
    return only(~outside, torch.where(tie, grad / 2, grad))


def to_min(grad: torch.Tensor, self: torch.Tensor, min: torch.Tensor, max: Bound) -> torch.Tensor:
    """Returns what ``min`` gets: the gradient where ``self`` is raised to it."""
    if not KINKS.shared:
        raised: torch.Tensor = self < min
        return only(raised if max is None else raised & (min < max), grad)
    tie = on(self, min, _ordered(min, max))
    raised = ~(self > min) if max is None else (self < min) & (min <= max) | tie
    return only(raised, torch.where(tie, grad / 2, grad))


def to_max(grad: torch.Tensor, self: torch.Tensor, min: Bound, max: torch.Tensor) -> torch.Tensor:
    """Returns what ``max`` gets: the gradient where ``self`` is lowered to it, or where the bounds contradict."""
    if not KINKS.shared:
        lowered: torch.Tensor = self > max
        return only(lowered if min is None else lowered | (max < min), grad)
    tie = on(self, max, _ordered(min, max))
    lowered = ~(self < max) if min is None else (self > max) & (min <= max) | (max < min) | tie
    return only(lowered, torch.where(tie, grad / 2, grad))


def inside(self: torch.Tensor, min: Bound, max: Bound, *, closed: bool) -> torch.Tensor:
    """Returns where an element is within its bounds, and, if that is ``closed``, on one."""
    over: Any = None if min is None else self >= min if closed else self > min
    under: Any = None if max is None else self <= max if closed else self < max
    return _all(over, under)


def on(self: torch.Tensor, bound: TensorOrNumber, ordered: torch.Tensor | None) -> torch.Tensor:
    """Returns where an element is on a bound, and the bounds are in order, if there are two."""
    return _all(self == bound, ordered)


def _ordered(min: Any, max: Any) -> torch.Tensor | None:
    return None if min is None or max is None else min < max


def _any(one: Any, other: Any) -> torch.Tensor:
    """Returns where one of two masks holds, of which one may be missing."""
    return other if one is None else one if other is None else one | other  # type: ignore[no-any-return]


def _all(one: Any, other: Any) -> torch.Tensor:
    """Returns where both masks hold, of which one may be missing."""
    return other if one is None else one if other is None else one & other  # type: ignore[no-any-return]


@rule
class Clamp(Selection):
    r"""A tensor, with what is outside its bounds put onto them; bounds are numbers or tensors, or missing.

    .. math:: z = \min(\max(x, a), b), \qquad \bar x = [a < x < b] \, \bar z, \qquad
        \bar a = [x < a < b] \, \bar z, \qquad \bar b = [x > b \text{ or } b < a] \, \bar z

    .. math:: \dot z = [a < x < b] \, \dot x + [x < a < b] \, \dot a + [x > b \text{ or } b < a] \, \dot b

    On a bound, where there is a kink, we make the choice that the installed PyTorch makes: up to 2.13 the slope of the
    inside, one; from 2.14 on zero, or half each where the bound is a tensor. See Note [Kinks] in ``clamp.py``.

    Source: ``clamp_backward``, ``clamp_backward_min_max`` in ``torch/csrc/autograd/FunctionsManual.cpp``;
    ``clamp_min.Tensor``, ``clamp_max.Tensor`` in ``tools/autograd/derivatives.yaml``.
    """

    name = "clamp"
    replaces = {
        "clamp": within,
        "clamp.Tensor": within,
        "clamp_min": from_below,
        "clamp_min.Tensor": from_below,
        "clamp_max": from_above,
        "clamp_max.Tensor": from_above,
    }
    in_place = {
        "clamp_": within,
        "clamp_.Tensor": within,
        "clamp_min_": from_below,
        "clamp_min_.Tensor": from_below,
        "clamp_max_": from_above,
        "clamp_max_.Tensor": from_above,
    }
    gradients = {
        "self": to_self,
        "min": to_min,
        "max": to_max,
    }

    @staticmethod
    def forward(self: torch.Tensor, min: Bound = None, max: Bound = None) -> torch.Tensor:
        return torch.clamp(self, min, max)  # type: ignore[arg-type, misc]

    @staticmethod
    def samples(dtype: torch.dtype) -> Iterator[Sample]:
        if not dtype.is_complex:
            yield from _samples(dtype)


def _samples(dtype: torch.dtype) -> Iterator[Sample]:
    def leaf(*numbers: float) -> torch.Tensor:
        return torch.tensor(numbers, dtype=dtype, requires_grad=True)

    def bounds(shape: tuple[int, ...]) -> tuple[torch.Tensor, torch.Tensor]:
        return tensor(shape, dtype, seed=1, low=-1, high=-0.2), tensor(shape, dtype, seed=2, low=0.2, high=1)

    for shape in ((2, 3), (3,), (2, 1), ()):
        yield Sample(f"tensors {list(shape)}", (tensor((2, 3), dtype), *bounds(shape)))
    yield Sample("spread", (tensor((3,), dtype), *bounds((2, 1))))
    yield Sample("empty", (tensor((0, 3), dtype), *bounds((3,))))
    low, high = bounds((2, 3))
    yield Sample("tensors that contradict", (tensor((2, 3), dtype, high=0), high, low))
    for name, pair in (("min", (low, None)), ("max", (None, high)), ("detached", (low.detach(), high))):
        yield Sample(f"{name} tensor", (tensor((2, 3), dtype), *pair))
    yield Sample("bounds alone need one", (tensor((2, 3), dtype).detach(), *bounds((2, 3))))
    for numbers in ((-0.5, 0.5), (-1, None), (None, 1), (1, -1)):
        yield Sample(f"numbers {numbers}", (tensor((2, 3), dtype), *numbers))
    yield Sample("without dimensions", (tensor((), dtype), -0.5, 0.5))
    transposed = tensor((3, 2), dtype).detach().t().requires_grad_()
    yield Sample("not contiguous", (transposed, *bounds((3,))))
    edges = (-math.inf, -1, 0, 1, math.inf, math.nan)
    for numbers in ((-1, 1), (-1, None), (None, 1), (0, 0), (math.nan, 1)):
        yield Sample(f"on the bounds {numbers}", (leaf(*edges), *numbers), smooth=False)
    for one, two in ((-1, 1), (-1, None), (None, 1), (0, 0), (1, -1)):
        some: Any = tuple(None if each is None else leaf(each) for each in (one, two))
        yield Sample(f"on tensors {(one, two)}", (leaf(*edges[:-1]), *some), smooth=False)
    nans = (
        (math.nan, math.nan, -1, 0, 1, 2),
        (0, 1, math.nan, math.nan, 0, math.nan),
        (1, 0, 1, math.nan, math.nan, 1),
    )
    yield Sample("tensors and NaN", tuple(leaf(*each) for each in nans), smooth=False)
