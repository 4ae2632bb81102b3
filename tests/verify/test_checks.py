"""The checks, checked: Functions that are right in unusual ways, and wrong ones that break one thing each."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from autograd_lab.verify import verify


def leaf(*shape, dtype=torch.float64):
    generator = torch.Generator().manual_seed(1)
    return (torch.rand(*shape, generator=generator, dtype=torch.float64) + 0.5).to(dtype).requires_grad_()


def complex_leaf(*shape):
    return torch.complex(leaf(*shape).detach(), leaf(*shape).detach() - 1).requires_grad_()


# --- right ones -----------------------------------------------------------------------------


class Dropout(Function):
    @staticmethod
    def forward(ctx, x):
        mask = (torch.rand_like(x) > 0.5).to(x) * 2
        ctx.save_for_backward(mask)
        return x * mask

    @staticmethod
    def backward(ctx, grad):
        return grad * ctx.saved_tensors[0]


class DropoutForVmap(Function):
    """Draws in a batch what its members don't draw."""

    @staticmethod
    def forward(x):
        mask = (torch.rand_like(x) > 0.5).to(x) * 2
        return x * mask, mask

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.mark_non_differentiable(output[1])
        ctx.save_for_backward(output[1])

    @staticmethod
    def backward(ctx, grad, _):
        return grad * ctx.saved_tensors[0]

    @staticmethod
    def vmap(info, in_dims, x):
        return DropoutForVmap.apply(x.movedim(in_dims[0], 0)), (0, 0)


class FromGenerator(Function):
    @staticmethod
    def forward(ctx, x, generator):
        mask = torch.rand(x.shape, generator=generator).to(x)
        ctx.save_for_backward(mask)
        return x * mask

    @staticmethod
    def backward(ctx, grad):
        return grad * ctx.saved_tensors[0], None


class AddOne(Function):
    """In place."""

    @staticmethod
    def forward(ctx, x):
        ctx.mark_dirty(x)
        return x.add_(1)

    @staticmethod
    def backward(ctx, grad):
        return grad


class MultiplyInto(Function):
    """The first input in place. What it saves is no input, so that there's no second order."""

    @staticmethod
    def forward(ctx, x, y):
        ctx.save_for_backward(x.clone(), y)
        ctx.mark_dirty(x)
        return x.mul_(y)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        x, y = ctx.saved_tensors
        return grad * y, (grad * x).sum_to_size(y.shape)


class Sorted(Function):
    """With places, which have no gradient."""

    @staticmethod
    def forward(ctx, x):
        values, places = x.reshape(-1).sort()
        ctx.save_for_backward(places)
        ctx.mark_non_differentiable(places)
        ctx.shape = x.shape
        return values, places

    @staticmethod
    def backward(ctx, grad, _):
        return torch.zeros_like(grad).scatter(0, ctx.saved_tensors[0], grad).view(ctx.shape)


class WithFloatingMask(Function):
    """A second result in floating numbers that is marked as not differentiable."""

    @staticmethod
    def forward(ctx, x):
        half = x / 2
        ctx.mark_non_differentiable(half)
        return x * 3, half

    @staticmethod
    def backward(ctx, grad, _):
        return grad * 3


class Conjugated(Function):
    @staticmethod
    def forward(ctx, x, y):
        ctx.save_for_backward(x, y)
        return x * y

    @staticmethod
    def backward(ctx, grad):
        x, y = ctx.saved_tensors
        return (grad * y.conj()).sum_to_size(x.shape), (grad * x.conj()).sum_to_size(y.shape)


class RowsAt(Function):
    """With an integer input."""

    @staticmethod
    def forward(ctx, x, rows):
        ctx.save_for_backward(rows)
        ctx.shape = x.shape
        return x[rows]

    @staticmethod
    def backward(ctx, grad):
        return grad.new_zeros(ctx.shape).index_add(0, ctx.saved_tensors[0], grad), None


class SumAndDifference(Function):
    """Two results; undefined gradients come as ``None``."""

    @staticmethod
    def forward(ctx, x, y):
        ctx.set_materialize_grads(False)
        return x + y, x - y

    @staticmethod
    def backward(ctx, total, difference):
        if total is None:
            return difference, None if difference is None else -difference
        return (total, total) if difference is None else (total + difference, total - difference)


class WithNone(Function):
    """A result that is ``None``, an argument that is a number, and a gradient that is ``None``."""

    @staticmethod
    def forward(ctx, x, factor, constant):
        ctx.factor = factor
        return x * factor + constant.sum(), None

    @staticmethod
    def backward(ctx, grad, _):
        return grad * ctx.factor, None, None


class Once(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.square()

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        return 2 * ctx.saved_tensors[0].detach() * grad


class Transpose(Function):
    """A view."""

    @staticmethod
    def forward(ctx, x):
        return x.transpose(-1, -2)

    @staticmethod
    def backward(ctx, grad):
        return grad.transpose(-1, -2)


class FirstRow(Function):
    """A view of a part."""

    @staticmethod
    def forward(ctx, x):
        ctx.shape = x.shape
        return x[0]

    @staticmethod
    def backward(ctx, grad):
        return torch.cat((grad[None], grad.new_zeros(ctx.shape[0] - 1, *ctx.shape[1:])))


class AsItIs(Function):
    @staticmethod
    def forward(ctx, x):
        return x

    @staticmethod
    def backward(ctx, grad):
        return grad


class Centred(Function):
    """Its gradient cancels where all that come in are alike: PyTorch's and its own are then other roundings of zero."""

    @staticmethod
    def forward(ctx, x):
        return x - x.mean()

    @staticmethod
    def backward(ctx, grad):
        return grad - grad.sum() / grad.numel()


class NotUsed(Function):
    """Nothing depends on the second input."""

    @staticmethod
    def forward(ctx, x, y):
        return x.exp()

    @staticmethod
    def setup_context(ctx, inputs, output):
        raise NotImplementedError


NotUsed.forward = staticmethod(lambda ctx, x, y: (ctx.save_for_backward(x), x.exp())[1])
NotUsed.backward = staticmethod(lambda ctx, grad: (grad * ctx.saved_tensors[0].exp(), None))
del NotUsed.setup_context


class Modern(Function):
    """With a default, and what vmap and forward mode need."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x, power=3):
        return x**power

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(inputs[0])
        ctx.save_for_forward(inputs[0])
        ctx.power = inputs[1]

    @staticmethod
    def backward(ctx, grad):
        return grad * ctx.power * ctx.saved_tensors[0] ** (ctx.power - 1), None

    @staticmethod
    def jvp(ctx, tangent, _):
        return tangent * ctx.power * ctx.saved_tensors[0] ** (ctx.power - 1)


class Round(Function):
    @staticmethod
    def forward(ctx, x):
        return x.round()

    @staticmethod
    def backward(ctx, grad):
        return grad


class Reverse(Function):
    @staticmethod
    def forward(ctx, x):
        return x.view_as(x)

    @staticmethod
    def backward(ctx, grad):
        return -grad


class Tiny(Function):
    @staticmethod
    def forward(ctx, x):
        return x * 1e-9

    @staticmethod
    def backward(ctx, grad):
        return grad * 1e-9


@torch.library.custom_op("autograd_lab_tests::squared", mutates_args=())
def squared(x: torch.Tensor) -> torch.Tensor:
    return x * x


squared.register_autograd(
    lambda ctx, grad: 2 * ctx.saved_tensors[0] * grad,
    setup_context=lambda ctx, inputs, output: ctx.save_for_backward(*inputs),
)

TWO = (leaf(3, 4), leaf(3, 4))
RIGHT = [
    (Dropout, None, None),
    (DropoutForVmap, None, None),
    (FromGenerator, (leaf(3, 4), torch.Generator().manual_seed(3)), None),
    (AddOne, None, None),
    (MultiplyInto, TWO, None),
    (Sorted, None, None),
    (WithFloatingMask, None, None),
    (Conjugated, (complex_leaf(2, 3), complex_leaf(3)), None),
    (RowsAt, (leaf(4, 2), torch.tensor([2, 0, 2])), None),
    (SumAndDifference, TWO, None),
    (WithNone, (leaf(2, 3), 4.0, torch.ones(2, 3, dtype=torch.float64)), None),
    (Once, None, None),
    (Transpose, None, None),
    (FirstRow, None, None),
    (AsItIs, None, None),
    (Centred, None, None),
    (NotUsed, None, None),
    (Modern, None, None),
    (Round, None, lambda x: x + (x.round() - x).detach()),
    (Reverse, None, lambda x: 2 * x.detach() - x),
    (Tiny, None, None),
    (torch.Tensor.exp_, (leaf(3),), None),
    (lambda x, y: x.mul_(y), (leaf(3), leaf(3)), torch.mul),
    (lambda x: torch.nn.functional.dropout(x, 0.5), (leaf(3, 4),), None),
    (lambda x: {"a": x.sin(), "b": [x.cos(), None]}, (leaf(3),), None),
    (torch.sin, (leaf(1, 4).detach().expand(3, 4).requires_grad_(),), None),
    (torch.sin, (leaf(0, 4),), None),
    (torch.linalg.svdvals, (leaf(3, 4),), None),
    (squared, (leaf(3, 4),), torch.square),
    (torch.sparse.mm, (torch.eye(3, dtype=torch.float64).to_sparse().requires_grad_(), leaf(3, 2)), None),
]


@pytest.mark.parametrize(
    ("target", "inputs", "native"), RIGHT, ids=[getattr(row[0], "__name__", "op") for row in RIGHT]
)
def test_right_ones_are_not_accused(target, inputs, native):
    report = verify(target, inputs, native=native)
    assert report.ok, report.failed
    made = {check.name for check in report.checks if check.ok}
    assert {"reproducible", "inputs untouched", "a second backward", "layouts of gradients"} <= made
    if native is not None or isinstance(target, type):
        assert {"forward", "gradients"} <= made


# --- wrong ones -----------------------------------------------------------------------------


class Square(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, grad):
        return 2 * ctx.saved_tensors[0] * grad


class SavedInPlace(Function):
    """What a second backward finds has changed; the gradient that the first returned is that very tensor."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x.clone())
        return x.sin()

    @staticmethod
    def backward(ctx, grad):
        return ctx.saved_tensors[0].data.cos_().mul_(grad)


class SavedLater(Square):
    """Returns the right gradient each time, and then changes it."""

    @staticmethod
    def forward(ctx, x):
        ctx.buffer = [x.detach() * 2]
        return x * x

    @staticmethod
    def backward(ctx, grad):
        (slope,) = ctx.buffer
        made = slope * grad
        ctx.buffer[0] = slope + 1
        return made


class OneBuffer(Square):
    """All backwards write into one buffer."""

    buffers: dict = {}  # noqa: RUF012

    @staticmethod
    def backward(ctx, grad):
        key = tuple(grad.shape), grad.dtype
        buffer = OneBuffer.buffers.setdefault(key, torch.empty_like(grad))
        return torch.mul(2 * ctx.saved_tensors[0].detach(), grad.detach(), out=buffer)


class OneResult(Square):
    """All forwards write into one buffer."""

    buffers: dict = {}  # noqa: RUF012

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x.clone())
        key = tuple(x.shape), x.dtype
        return torch.mul(x, x, out=OneResult.buffers.setdefault(key, torch.empty_like(x)))


class FirstCallOnly(Square):
    calls = 0

    @staticmethod
    def forward(ctx, x):
        FirstCallOnly.calls += 1
        ctx.save_for_backward(x)
        return x * x if FirstCallOnly.calls == 1 else x * x + 1


class FirstBackwardOnly(Square):
    calls = 0

    @staticmethod
    def backward(ctx, grad):
        FirstBackwardOnly.calls += 1
        return (2 if FirstBackwardOnly.calls == 1 else 3) * ctx.saved_tensors[0] * grad


class FromNumpy(Square):
    @staticmethod
    def forward(ctx, x):
        mask = torch.from_numpy(np.random.default_rng().random(tuple(x.shape))).to(x)
        ctx.save_for_backward(mask / 2)
        return x * mask


class ChangesInput(Square):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.detach().add_(1)


class ChangesGradient(Square):
    @staticmethod
    def backward(ctx, grad):
        return grad.mul_(2) * ctx.saved_tensors[0]


class ViewsGradient(Square):
    """Fails where the gradient that comes in is expanded."""

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return (2 * x.reshape(-1) * grad.view(-1)).view(x.shape)


class ReadsMemory(Square):
    """Reads the gradient's memory as if there were no strides."""

    @staticmethod
    def backward(ctx, grad):
        step = 0 if 0 in grad.stride() and grad.numel() > 1 else 1
        read = grad.as_strided((grad.numel(),), (step,)).reshape(grad.shape)
        return 2 * ctx.saved_tensors[0] * read


class ReadsInput(Square):
    """Reads its input's memory as if there were no strides."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        if 0 in x.stride() and x.numel() > 1:
            return x * grad
        return 2 * x * grad


class WrongForEmpty(Square):
    @staticmethod
    def backward(ctx, grad):
        if not grad.numel():
            return grad.new_zeros(1, *grad.shape[1:])
        return Square.backward(ctx, grad)


class ProductOfTwo(Function):
    @staticmethod
    def forward(ctx, x, y):
        ctx.save_for_backward(x, y)
        return x * y

    @staticmethod
    def backward(ctx, grad):
        x, y = ctx.saved_tensors
        return (grad * y).sum_to_size(x.shape), (grad * x).sum_to_size(y.shape)


class WrongForTwice(ProductOfTwo):
    @staticmethod
    def backward(ctx, grad):
        x, y = ctx.saved_tensors
        return (grad * y, None) if x.data_ptr() == y.data_ptr() else ProductOfTwo.backward(ctx, grad)


class NotConjugated(ProductOfTwo):
    pass


class GradientConjugated(Conjugated):
    @staticmethod
    def backward(ctx, grad):
        return Conjugated.backward(ctx, grad.conj())


class OneResultOnly(SumAndDifference):
    """Right as long as both results are used."""

    @staticmethod
    def backward(ctx, total, difference):
        if total is None or difference is None:
            return None, None
        return total + difference, total - difference


class NoneIsRefused(SumAndDifference):
    @staticmethod
    def backward(ctx, total, difference):
        return total + difference, total - difference


class WrongSecondOrder(Square):
    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return 2 * x.detach() * grad + (x - x.detach())


class WrongInPlace(MultiplyInto):
    """Saves what it has changed by then."""

    @staticmethod
    def forward(ctx, x, y):
        ctx.mark_dirty(x)
        made = x.mul_(y)
        ctx.save_for_backward(x.clone(), y)
        return made


class WrongRandom(Dropout):
    """Draws another mask for the backward."""

    @staticmethod
    def backward(ctx, grad):
        return grad * (torch.rand_like(grad) > 0.5).to(grad) * 2


class TinyWrong(Tiny):
    @staticmethod
    def backward(ctx, grad):
        return -grad * 1e-9


class WrongByAThousandth(Square):
    @staticmethod
    def backward(ctx, grad):
        return Square.backward(ctx, grad) * 1.001


class WrongSurrogate(Round):
    @staticmethod
    def backward(ctx, grad):
        return grad * 1.001


STRAIGHT = lambda x: x + (x.round() - x).detach()  # noqa: E731
SAVED = "a second backward gives another gradient: the first changed a saved tensor"
WRONG = [
    (SavedInPlace, None, None, "a second backward", SAVED),
    (SavedLater, None, None, "a second backward", SAVED),
    (OneBuffer, None, None, "a second backward", "changes what the first returned: they share memory"),
    (OneResult, None, None, "reproducible", "two calls share memory"),
    (FirstCallOnly, None, None, "reproducible", "two runs of the forward differ: it is random"),
    (FirstBackwardOnly, None, None, "gradients", "is off by the factor 1.5"),
    (FromNumpy, None, None, "reproducible", "two runs of the forward differ: it is random"),
    (ChangesInput, None, None, "inputs untouched", "it changes input 0 in place"),
    (ChangesGradient, None, None, "inputs untouched", "changes in place the gradient it is given"),
    (
        ViewsGradient,
        None,
        None,
        "layouts of gradients",
        "is not contiguous, it raises RuntimeError: view size",
    ),
    (ReadsMemory, None, None, "layouts of gradients", "is not contiguous, the gradient of input 0"),
    (ReadsInput, None, None, "gradients", "only expanded: the gradient of input 0 is off by the factor 0.5"),
    (WrongForEmpty, None, None, "gradients", "only empty: "),
    (WrongForTwice, TWO, None, "gradients", "only an input twice: "),
    (NotConjugated, (complex_leaf(2, 3), complex_leaf(3)), None, "gradients", ""),
    (GradientConjugated, (complex_leaf(2, 3), complex_leaf(3)), None, "gradients", ""),
    (
        OneResultOnly,
        TWO,
        None,
        "each result alone",
        "where only its result 0 is used, the gradient of input 0 is None",
    ),
    (NoneIsRefused, TWO, None, "each result alone", "it raises TypeError"),
    (WrongSecondOrder, None, None, "second order", ""),
    (WrongInPlace, TWO, None, "gradients", "the gradient of input 1"),
    (WrongRandom, None, None, "gradients", ""),
    (TinyWrong, None, None, "gradients", "has the wrong sign"),
    (TinyWrong, None, None, "finite differences", "find another slope"),
    (WrongByAThousandth, None, None, "gradients", "is slightly off, by up to 1.0e-03"),
    (WrongSurrogate, None, STRAIGHT, "gradients", "is slightly off, by up to 1.0e-03"),
]


@pytest.mark.parametrize(
    ("target", "inputs", "native", "name", "says"),
    WRONG,
    ids=[f"{row[0].__name__}-{row[3]}" for row in WRONG],
)
def test_wrong_ones_are_caught_and_told(target, inputs, native, name, says):
    report = verify(target, inputs, native=native)
    assert not report.ok
    if name is not None:
        (check,) = (check for check in report.checks if check.name == name)
        assert check.ok is False, report.checks
        assert says in check.message
    assert not any("slightly off, by up to 0.0" in check.message for check in report.checks)
    for check in report.failed:
        assert "slopes" not in check.message
        assert "NOTE" not in check.message


@pytest.mark.parametrize("target", [row[0] for row in WRONG if isinstance(row[0], type)][:10])
def test_wrong_ones_leave_inputs_and_random_state_as_they_were(target):
    x = leaf(3, 4)
    before, version, state = x.detach().clone(), x._version, torch.get_rng_state()
    verify(target, (x,))
    assert torch.equal(x, before)
    assert (x._version, x.grad) == (version, None)
    assert torch.equal(torch.get_rng_state(), state)
