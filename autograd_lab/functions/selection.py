r"""Operations that choose: each element of the result is an element of one of the operands, and masks say of which.

Imports torch only. Choosing is linear. Where :math:`m_k` is one where operand :math:`k` was chosen, else zero,

.. math:: z = \sum_k m_k \, x_k, \qquad \bar x_k = m_k \, \bar z, \qquad \dot z = \sum_k m_k \, \dot x_k

The zeros are put in by selecting, not by multiplying, because infinity times zero is NaN. See Note [Unbroadcast] for
what brings a gradient to its input's shape.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

import torch

from autograd_lab.functions import operands
from autograd_lab.functions.operands import Operand
from autograd_lab.functions.rule import Rule, rule
from autograd_lab.functions.samples import Sample, tensor
from autograd_lab.functions.unbroadcast import fit

Bound = Operand | None


def only(mask: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """Gives the value where the mask is true, and zero elsewhere."""
    return torch.where(mask, value, value.new_zeros(()))


class Selection(Rule):
    r"""Chooses between operands; a subclass says where each is chosen.

    .. math:: z = \sum_k m_k \, x_k, \qquad \bar x_k = m_k \, \bar z, \qquad \dot z = \sum_k m_k \, \dot x_k

    Attributes:
        chosen: For each argument that can be chosen, by its place, what makes its mask of all arguments.
        reads: Which arguments the masks are made of: these are saved.
    """

    generate_vmap_rule = True
    chosen: ClassVar[Mapping[int, Callable[..., torch.Tensor]]]
    reads: ClassVar[tuple[bool, ...]]

    @classmethod
    def setup_context(cls, ctx: Any, inputs: tuple[Any, ...], output: torch.Tensor) -> None:
        operands.save(ctx, inputs, cls.reads, output)

    @classmethod
    def backward(cls, ctx: Any, grad: torch.Tensor | None) -> Any:
        args = operands.saved(ctx)
        grads: list[torch.Tensor | None] = [None for _ in args]
        for place, mask in cls.chosen.items():
            if grad is not None and ctx.needs_input_grad[place]:
                grads[place] = fit(only(mask(*args), grad), ctx.likes[place])
        return tuple(grads)

    @classmethod
    def jvp(cls, ctx: Any, *tangents: torch.Tensor | None) -> Any:
        args = operands.saved(ctx)
        terms = [
            only(mask(*args), step)
            for place, mask in cls.chosen.items()
            if (step := tangents[place]) is not None
        ]
        return operands.tangent(ctx, *terms)


@rule
class Where(Selection):
    r"""The first operand where a condition holds, the second elsewhere.

    .. math:: z = \begin{cases} x & c \\ y & \text{otherwise} \end{cases}, \qquad
        \bar x = [c] \, \bar z, \qquad \bar y = [\lnot c] \, \bar z, \qquad \dot z = [c] \, \dot x + [\lnot c] \, \dot y

    The operand that wasn't chosen gets a gradient of zero, even where it is NaN or infinite. If it is the result of a
    function whose slope is infinite there, that function's own rule still makes NaN of the zero.

    Source: ``where.self`` in ``tools/autograd/derivatives.yaml``.
    """

    name = "where"
    replaces = {"where.self": lambda condition, self, other: (condition, self, other)}
    formula = {
        "self": "only(condition, grad)",
        "other": "only(~condition, grad)",
        "result": "torch.where(condition, self_t, other_t)",
    }
    chosen = {1: lambda condition, *_: condition, 2: lambda condition, *_: ~condition}
    reads = (True, False, False)

    @staticmethod
    def forward(condition: torch.Tensor, self: Operand, other: Operand) -> torch.Tensor:
        return torch.where(condition, self, other)

    @staticmethod
    def samples(dtype: torch.dtype) -> Iterator[Sample]:
        shapes = [
            ((2, 3),) * 3,
            ((3,), (2, 3), ()),
            ((2, 1), (3,), (2, 3)),
            ((), (), ()),
            ((0, 3), (3,), (0, 3)),
        ]
        for condition, self, other in shapes:
            sizes = f"{list(condition)} {list(self)} {list(other)}"
            yield Sample(sizes, (_mask(condition), tensor(self, dtype), tensor(other, dtype, seed=1)))
        for needs in ((True, False), (False, True)):
            one, two = tensor((2, 3), dtype), tensor((2, 3), dtype, seed=1)
            args = (_mask((3,)), one.requires_grad_(needs[0]), two.requires_grad_(needs[1]))
            yield Sample(f"needs {needs}", args)
        transposed = tensor((3, 2), dtype).detach().t().requires_grad_()
        yield Sample("not contiguous", (_mask((3, 2)).t(), transposed, tensor((2, 3), dtype, seed=1)))
        wider = torch.complex128 if dtype.is_complex else torch.float64
        yield Sample(f"with {wider}", (_mask((2,)), tensor((2,), dtype), tensor((2,), wider, seed=1)))
        yield Sample("a number", (_mask((2, 3)), tensor((3,), dtype), 0.5))
        bad = torch.tensor([math.nan, math.inf, 1], dtype=dtype, requires_grad=True)
        yield Sample(
            "an operand that isn't finite", (bad.detach().real == 1, bad, tensor((3,), dtype)), smooth=False
        )
        both = tensor((3,), dtype)
        yield Sample("an operand twice", (_mask((3,)), both, both))


def whole(self: torch.Tensor, mask: torch.Tensor, value: Operand) -> tuple[Any, ...] | None:
    """The arguments of ``masked_fill_``; of an expanded tensor only PyTorch's own form fills the memory, and warns."""
    expanded = any(size > 1 and stride == 0 for size, stride in zip(self.shape, self.stride(), strict=True))
    return None if expanded else (self, mask, value)


@rule
class MaskedFill(Selection):
    r"""A tensor with one value put in wherever a mask is true.

    .. math:: z = \begin{cases} v & m \\ x & \text{otherwise} \end{cases}, \qquad
        \bar x = [\lnot m] \, \bar z, \qquad \bar v = \sum_i [m_i] \, \bar z_i, \qquad
        \dot z = [\lnot m] \, \dot x + [m] \, \dot v

    The value is one number that is put in many times: its gradient is the sum over all of them.

    Source: ``masked_fill_backward`` in ``torch/csrc/autograd/FunctionsManual.cpp``; ``masked_fill.Scalar``,
    ``masked_fill.Tensor`` in ``tools/autograd/derivatives.yaml``.
    """

    name = "masked_fill"
    replaces = {
        "masked_fill.Scalar": lambda self, mask, value: (self, mask, value),
        "masked_fill.Tensor": lambda self, mask, value: (self, mask, value),
    }
    in_place = {"masked_fill_.Scalar": whole, "masked_fill_.Tensor": whole}
    formula = {
        "self": "only(~mask, grad)",
        "value": "only(mask, grad).sum()",
        "result": "torch.where(mask, value_t, self_t)",
    }
    chosen = {0: lambda _, mask, *__: ~mask, 2: lambda _, mask, *__: mask}
    reads = (False, True, False)

    @staticmethod
    def forward(self: torch.Tensor, mask: torch.Tensor, value: Operand) -> torch.Tensor:
        return self.masked_fill(mask, value)

    @staticmethod
    def samples(dtype: torch.dtype) -> Iterator[Sample]:
        for self, mask in (((2, 3), (2, 3)), ((2, 3), (3,)), ((3,), (2, 3)), ((), ()), ((0, 3), (3,))):
            sizes = f"{list(self)} {list(mask)}"
            yield Sample(f"{sizes} tensor", (tensor(self, dtype), _mask(mask), tensor((), dtype, seed=1)))
            yield Sample(f"{sizes} number", (tensor(self, dtype), _mask(mask), -1.5))
        for needs in ((True, False), (False, True)):
            one, two = tensor((2, 3), dtype), tensor((), dtype, seed=1)
            args = (one.requires_grad_(needs[0]), _mask((3,)), two.requires_grad_(needs[1]))
            yield Sample(f"needs {needs}", args)
        transposed = tensor((3, 2), dtype).detach().t().requires_grad_()
        yield Sample("not contiguous, infinity", (transposed, _mask((2, 3)), -math.inf), smooth=False)
        wider = torch.complex128 if dtype.is_complex else torch.float64
        yield Sample(f"with {wider}", (tensor((2,), dtype), _mask((2,)), tensor((), wider)))


def within(self: torch.Tensor, min: Bound = None, max: Bound = None) -> tuple[Any, ...]:
    """The arguments of ``clamp``."""
    return self, min, max


def from_below(self: torch.Tensor, min: Operand) -> tuple[Any, ...]:
    """The arguments of ``clamp_min``."""
    return self, min, None


def from_above(self: torch.Tensor, max: Operand) -> tuple[Any, ...]:
    """The arguments of ``clamp_max``."""
    return self, None, max


def inside(self: torch.Tensor, min: Bound, max: Bound) -> torch.Tensor:
    """Where an element is within its bounds, or on one."""
    if min is None or max is None:
        return self <= max if min is None else self >= min  # type: ignore[operator]
    return (self >= min) & (self <= max)


def below(self: torch.Tensor, min: Bound, max: Bound) -> torch.Tensor:
    """Where an element is raised to ``min``."""
    raised: torch.Tensor = self < min  # type: ignore[operator]
    return raised if max is None else raised & (min < max)  # type: ignore[operator]


def above(self: torch.Tensor, min: Bound, max: Bound) -> torch.Tensor:
    """Where an element is lowered to ``max``, which also wins where the bounds contradict each other."""
    lowered: torch.Tensor = self > max  # type: ignore[operator]
    return lowered if min is None else lowered | (max < min)  # type: ignore[operator]


@rule
class Clamp(Selection):
    r"""A tensor, with what is outside its bounds put onto them; bounds are numbers or tensors, or missing.

    .. math:: z = \min(\max(x, a), b), \qquad \bar x = [a \le x \le b] \, \bar z, \qquad
        \bar a = [x < a < b] \, \bar z, \qquad \bar b = [x > b \text{ or } b < a] \, \bar z

    .. math:: \dot z = [a \le x \le b] \, \dot x + [x < a < b] \, \dot a + [x > b \text{ or } b < a] \, \dot b

    On a bound, where there is a kink, we take the slope of the inside, one. Where the bounds are equal and :math:`x`
    lies below both, all gradients are zero: that is PyTorch's choice too, and so is zero where anything is NaN.

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
    formula = {
        "self": "only(inside(self, min, max), grad)",
        "min": "only(below(self, min, max), grad)",
        "max": "only(above(self, min, max), grad)",
        "result": "only(inside(self, min, max), self_t) + only(below(self, min, max), min_t)"
        " + only(above(self, min, max), max_t)",
    }
    chosen = {0: inside, 1: below, 2: above}
    reads = (True, True, True)

    @staticmethod
    def forward(self: torch.Tensor, min: Bound = None, max: Bound = None) -> torch.Tensor:
        return torch.clamp(self, min, max)  # type: ignore[arg-type, misc]

    @staticmethod
    def samples(dtype: torch.dtype) -> Iterator[Sample]:
        if not dtype.is_complex:
            yield from _clamp_samples(dtype)


def _clamp_samples(dtype: torch.dtype) -> Iterator[Sample]:
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


def _mask(shape: tuple[int, ...]) -> torch.Tensor:
    """Makes a mask that is false at every third element, from the first on."""
    return (torch.arange(math.prod(shape)) % 3 > 0).reshape(shape)
