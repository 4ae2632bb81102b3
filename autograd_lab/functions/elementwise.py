r"""What functions of one tensor, element by element, have in common.

Such a function's Jacobian is diagonal: element ``i`` of the result depends on element ``i`` of the input alone. So
one number an element, the slope, is all that there is to know:

.. math:: z_i = f(x_i), \qquad \bar x_i = \bar z_i \, f'(x_i)^*, \qquad \dot z_i = f'(x_i) \, \dot x_i
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import torch

from autograd_lab.functions.formula import GradientFormula, Texts, names
from autograd_lab.functions.precision import wide
from autograd_lab.functions.rule import Rule
from autograd_lab.functions.samples import Sample, tensor


def same(self: torch.Tensor) -> tuple[Any, ...]:
    """The argument of an operation on one tensor, as it is."""
    return (self,)


class Elementwise(Rule):
    r"""A smooth function of one tensor, element by element; a subclass says what its slope does to what flows.

    .. math:: z = f(x), \qquad \bar x = \bar z \, f'(x)^*, \qquad \dot z = f'(x) \, \dot x

    Attributes:
        gradients: Under ``"self"`` the formula of the gradient: a function of ``grad``, of ``self`` or ``result``,
            whichever makes it shorter, and of the rule's other arguments. What it names is what is saved; it gets it in
            single precision at least. See Note [One formula, both modes].
    """

    generate_vmap_rule = True
    gradients: ClassVar[Mapping[str, GradientFormula]]
    formula = Texts()
    _saves: ClassVar[str]

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls._saves = next(iter(names(cls.gradients["self"])), "")

    @classmethod
    def setup_context(cls, ctx: Any, inputs: tuple[Any, ...], output: torch.Tensor) -> None:
        self, *ctx.options = inputs
        values = [output] if cls._saves == "result" else [self] if cls._saves == "self" else []
        ctx.set_materialize_grads(False)
        ctx.save_for_forward(*values)
        ctx.save_for_backward(*values)

    @classmethod
    def backward(cls, ctx: Any, grad: torch.Tensor | None) -> Any:
        values = [wide(value) for value in ctx.saved_tensors]
        no_gradients = (None for _ in ctx.options)
        if grad is None:
            return (None, *no_gradients)
        return (cls.gradients["self"](grad, *values, *ctx.options).to(grad.dtype), *no_gradients)

    @classmethod
    def jvp(cls, ctx: Any, self_t: torch.Tensor | None, *_: None) -> Any:
        if self_t is None:
            return None
        values = [wide(value) for value in ctx.saved_tensors]
        return cls.gradients["self"](self_t.conj(), *values, *ctx.options).conj().to(self_t.dtype)


def one_tensor(
    dtype: torch.dtype, *options: Any, low: float = -3, high: float = 3, edges: tuple[float, ...] = ()
) -> Iterator[Sample]:
    """Yields one tensor of several shapes, and one of the numbers at which the function is special.

    Args:
        dtype: The tensor's.
        *options: The rule's further arguments.
        low: Its smallest number.
        high: Its largest.
        edges: Numbers where the function isn't smooth, overflows or is flat.
    """
    for shape in ((2, 3), (), (0, 2), (2, 1, 4)):
        yield Sample(f"{list(shape)}", (tensor(shape, dtype, low=low, high=high), *options))
    transposed = tensor((3, 2), dtype, low=low, high=high).detach().t().requires_grad_()
    yield Sample("not contiguous", (transposed, *options))
    if edges:
        yield Sample("edges", (torch.tensor(edges, dtype=dtype, requires_grad=True), *options), smooth=False)
