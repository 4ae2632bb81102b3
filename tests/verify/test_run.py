"""``verify``: right Functions pass, and every planted fault is caught and called by its name."""

from __future__ import annotations

import re
import warnings

import pytest
import torch
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from autograd_lab.errors import VerifyError
from autograd_lab.records import dumps, loads
from autograd_lab.verify import verify
from autograd_lab.verify.samples import variations


class Product(Function):
    """A right one, in the modern form."""

    generate_vmap_rule = False

    @staticmethod
    def forward(x, y):
        return x * y

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def backward(ctx, grad):
        x, y = ctx.saved_tensors
        return sum_to(grad * y, x.shape), sum_to(grad * x, y.shape)

    @staticmethod
    def jvp(ctx, x_t, y_t):
        x, y = ctx.saved_tensors
        return x_t * y + x * y_t

    @staticmethod
    def vmap(info, in_dims, x, y):
        x, y = (
            value.movedim(dim, 0) if dim is not None else value
            for value, dim in zip((x, y), in_dims, strict=True)
        )
        if in_dims[0] is not None and in_dims[1] is not None:
            rank = max(x.dim(), y.dim())
            x, y = (
                value.reshape(value.shape[0], *(1,) * (rank - value.dim()), *value.shape[1:])
                for value in (x, y)
            )
        return Product.apply(x, y), 0


def sum_to(grad, shape):
    return torch.Tensor.sum_to_size(grad, shape)


class Exponential(Function):
    """A right one, in the older form."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x):
        return x.exp()

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(output)

    @staticmethod
    def backward(ctx, grad):
        return grad * ctx.saved_tensors[0]


class Cube(Function):
    """A right one with ``ctx`` in its forward."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x * x

    @staticmethod
    def backward(ctx, grad):
        return 3 * ctx.saved_tensors[0] ** 2 * grad


class Root(Function):
    """A right one that isn't a number for half of all numbers, nor is its gradient."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.sqrt()

    @staticmethod
    def backward(ctx, grad):
        return grad / (2 * ctx.saved_tensors[0].sqrt())


class Matmul(Function):
    @staticmethod
    def forward(ctx, a, b):
        ctx.save_for_backward(a, b)
        return a @ b

    @staticmethod
    def backward(ctx, grad):
        a, b = ctx.saved_tensors
        return grad @ b.t(), a.t() @ grad


def leaf(*shape):
    generator = torch.Generator().manual_seed(1)
    return (torch.rand(*shape, generator=generator, dtype=torch.float64) + 0.5).requires_grad_()


@pytest.mark.parametrize(
    ("target", "inputs"),
    [(Product, None), (Exponential, None), (Cube, None), (Root, None), (Matmul, (leaf(3, 3), leaf(3, 3)))],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_right_functions_pass(target, inputs):
    report = verify(target, inputs)
    assert report.ok, report.failed
    applied = {check.name for check in report.checks if check.ok}
    assert {"forward", "gradients", "finite differences", "second order", "which inputs need one"} <= applied
    assert ("forward mode" in applied) == (target is Product)
    assert ("vmap" in applied) == (target in (Product, Exponential))


def test_a_second_result_and_a_gradient_that_depends_on_no_input():
    report = verify(Largest, (leaf(2, 4, 4),))
    assert report.ok, report.failed
    assert {"second order", "shapes of gradients"} <= {check.name for check in report.checks if check.ok}


# --- planted faults ----------------------------------------------------------------------


class WrongSign(Product):
    @staticmethod
    def backward(ctx, grad):
        x, y = ctx.saved_tensors
        return -sum_to(grad * y, x.shape), sum_to(grad * x, y.shape)


class NoUnbroadcast(Product):
    @staticmethod
    def backward(ctx, grad):
        x, y = ctx.saved_tensors
        return grad * y, grad * x


class Transposed(Matmul):
    @staticmethod
    def backward(ctx, grad):
        a, b = ctx.saved_tensors
        return (grad @ b.t()).t(), a.t() @ grad


class WrongAtZero(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x.abs() + x

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return grad * (2 * x.abs() + x.sign().abs())


class NanAtZero(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x * x

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return grad * 3 * x * x * x / x


class OtherInput(Product):
    @staticmethod
    def backward(ctx, grad):
        x, y = ctx.saved_tensors
        return sum_to(grad * x, x.shape), sum_to(grad * y, y.shape)


class WrongTensor(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.tanh()

    @staticmethod
    def backward(ctx, grad):
        (result,) = ctx.saved_tensors  # it's the input
        return grad * (1 - result**2)


class Largest(Function):
    """A right one with a second result, whose gradients don't depend on its inputs: PyTorch's own says so by zeros."""

    @staticmethod
    def forward(ctx, x):
        values, places = torch.nn.functional.max_pool2d_with_indices(x, 2)
        ctx.save_for_backward(places)
        ctx.mark_non_differentiable(places)
        ctx.shape = x.shape
        return values, places

    @staticmethod
    def backward(ctx, grad, _):
        (places,) = ctx.saved_tensors
        return (
            grad.new_zeros(ctx.shape)
            .flatten(1)
            .scatter_add(1, places.flatten(1), grad.flatten(1))
            .view(ctx.shape)
        )


class LargestOnce(Largest):
    @staticmethod
    @once_differentiable
    def backward(ctx, grad, _):
        return Largest.backward(ctx, grad, _)


class Once(Cube):
    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        return 3 * ctx.saved_tensors[0] ** 2 * grad


class Detached(Cube):
    @staticmethod
    def backward(ctx, grad):
        return 3 * ctx.saved_tensors[0].detach() ** 2 * grad


class SlightlyOff(Cube):
    @staticmethod
    def backward(ctx, grad):
        return 3 * ctx.saved_tensors[0] ** 2 * grad * (1 + 1e-4)


class Doubled(Cube):
    @staticmethod
    def backward(ctx, grad):
        return 6 * ctx.saved_tensors[0] ** 2 * grad


class InPlaceOnInput(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x * x

    @staticmethod
    def backward(ctx, grad):
        saved = ctx.saved_tensors[0].detach()
        made = 3 * saved**2 * grad
        saved.mul_(2)
        return made


class InPlaceOnGradient(Cube):
    @staticmethod
    def backward(ctx, grad):
        return grad.mul_(3) * ctx.saved_tensors[0] ** 2


class OneDtype(Cube):
    @staticmethod
    def backward(ctx, grad):
        factor = 2 if grad.dtype == torch.float32 else 3
        return factor * ctx.saved_tensors[0] ** 2 * grad


class WrongVmap(Product):
    @staticmethod
    def vmap(info, in_dims, x, y):
        return Product.apply(x, y.flip(0)), 0


class WrongJvp(Product):
    @staticmethod
    def jvp(ctx, x_t, y_t):
        x, y = ctx.saved_tensors
        return x_t * y - x * y_t


class KeepsOnContext(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.x = x
        return x * x

    @staticmethod
    def backward(ctx, grad):
        return 2 * ctx.x * grad


class OnlyWhenBothNeedIt(Product):
    @staticmethod
    def backward(ctx, grad):
        x, y = ctx.saved_tensors
        if not all(ctx.needs_input_grad):
            return sum_to(grad, x.shape), sum_to(grad, y.shape)
        return sum_to(grad * y, x.shape), sum_to(grad * x, y.shape)


class Nothing(Cube):
    @staticmethod
    def backward(ctx, grad):
        return None


class Raises(Cube):
    @staticmethod
    def backward(ctx, grad):
        raise IndexError("mine")


@pytest.mark.parametrize(("target", "inputs"), [(LargestOnce, (leaf(2, 4, 4),)), (Once, None)])
def test_what_is_marked_once_differentiable_has_no_second_order(target, inputs):
    report = verify(target, inputs)
    assert report.ok, report.failed
    (check,) = (check for check in report.checks if check.name == "second order")
    assert (check.ok, check.message) == (None, "its backward is marked @once_differentiable")


SQUARE = (leaf(3, 3), leaf(3, 3))

PLANTED = [
    (WrongSign, None, "gradients", "the gradient of input 0 has the wrong sign"),
    (NoUnbroadcast, None, "shapes of gradients", "it forgets the unbroadcast"),
    (Transposed, SQUARE, "gradients", "the gradient of input 0 is transposed"),
    (WrongAtZero, None, "gradients", "is wrong where an input is zero"),
    (NanAtZero, None, "gradients", "is NaN where an input is zero"),
    (OtherInput, None, "gradients", "the gradient of input 0 is that of input 1"),
    (WrongTensor, None, "gradients", "a wrong saved tensor"),
    (Detached, None, "second order", "differentiated"),
    (SlightlyOff, None, "gradients", "is slightly off, by up to 1.0e-04"),
    (Doubled, None, "gradients", "is off by the factor 2"),
    (InPlaceOnInput, None, "inputs untouched", "it changes input 0 in place"),
    (InPlaceOnInput, None, "a second backward", "the first changed a saved tensor"),
    (InPlaceOnGradient, None, "inputs untouched", "changes in place the gradient it is given"),
    (OneDtype, None, "gradients", "only in float32"),
    (WrongVmap, None, "vmap", "under vmap"),
    (WrongJvp, None, "forward mode", "the tangent of output 0"),
    (KeepsOnContext, None, "nothing kept", "it keeps tensors on ctx (x)"),
    (OnlyWhenBothNeedIt, None, "which inputs need one", "where only 0 of the inputs need a gradient"),
    (Nothing, None, "gradients", "is None, where a gradient is due"),
    (Raises, None, "gradients", "it raises IndexError: mine"),
]


@pytest.mark.parametrize(
    ("target", "inputs", "name", "says"), PLANTED, ids=lambda value: getattr(value, "__name__", "")
)
def test_planted_faults_are_caught_and_named(target, inputs, name, says):
    report = verify(target, inputs)
    assert not report.ok
    (check,) = (check for check in report.checks if check.name == name)
    assert check.ok is False, report.checks
    assert says in check.message
    assert check.sample is not None


def test_where_the_numbers_part():
    x = torch.tensor([2.0, 4.0], dtype=torch.float64, requires_grad=True)
    report = verify(WrongSign, (x, torch.full((2,), 3.0, dtype=torch.float64)))
    part = report.failed[0].mismatch
    assert (part.what, float(part.expected)) == ("gradient of input 0", -float(part.found))
    assert part.element in ((0,), (1,))
    assert part.ulps > 1e15


def test_gradients_that_agree_say_how_many_ulps_they_are_apart():
    class Rounded(Cube):
        @staticmethod
        def backward(ctx, grad):
            return Cube.backward(ctx, grad) * (1 + 2**-50)

    rows = {check.name: check for check in verify(Rounded).checks}
    assert rows["gradients"].ok
    assert 1 <= rows["gradients"].ulps <= 8  # 2**-50 is four units in the last place of 1.0
    assert next(check for check in verify(Cube).checks if check.name == "gradients").ulps <= 2
    assert re.search(r"gradients +ok +\d+ +within", str(verify(Rounded)))


def test_what_finite_differences_found_is_said_in_one_sentence():
    (said,) = (check.message for check in verify(WrongSign).checks if check.name == "finite differences")
    assert re.fullmatch(
        r"finite differences find another slope \(of output 0 along input 0; numerical [-.\d]+, analytical [-.\d]+\)",
        said,
    )


def test_inputs_are_as_they_were():
    x = leaf(2, 2)
    before, version = x.detach().clone(), x._version
    verify(Cube, x)
    assert torch.equal(x, before)
    assert (x._version, x.grad) == (version, None)


def test_callables_with_and_without_a_reference():
    x = leaf(3)
    report = verify(lambda x: torch.sin(x), x)
    assert report.ok
    assert {check.name for check in report.checks if check.ok is None} >= {"gradients", "second order"}
    assert verify(torch.sin, x, native=lambda x: x.sin()).ok
    assert not verify(torch.cos, x, native=torch.sin).ok


def test_a_forward_outside_autograd_is_left_to_finite_differences():
    class Numpy(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return torch.from_numpy(x.detach().numpy() ** 2)

        @staticmethod
        def backward(ctx, grad):
            return grad * 3 * ctx.saved_tensors[0]

    checks = {check.name: check for check in verify(Numpy).checks}
    assert checks["gradients"].ok is None
    assert "pass native=" in checks["gradients"].message
    assert checks["finite differences"].ok is False
    assert not verify(Numpy, native=lambda x: x**2).ok


def test_the_report_goes_to_json_and_reads_well():
    report = verify(WrongSign)
    assert loads(dumps(report)) == report
    assert "the gradient of input 0 has the wrong sign" in " ".join(str(report).split())
    assert str(verify(Cube)).splitlines()[0].startswith("Cube: right")


def test_wrong_calls_get_one_line():
    for target, inputs, says in (
        (3, None, "can't verify an int"),
        (torch.sin, None, "pass inputs="),
        (Cube, torch.ones(2), "no input requires a gradient"),
        (Cube, (leaf(2), leaf(2)), "can't be called with these inputs"),
    ):
        with pytest.raises(VerifyError, match=says):
            verify(target, inputs)


def test_a_dtype_that_the_forward_refuses_is_told_and_no_fault():
    class OnlyDouble(Cube):
        @staticmethod
        def forward(ctx, x):
            if x.dtype != torch.float64:
                raise TypeError(f"no {x.dtype}")
            return Cube.forward(ctx, x)

    report = verify(OnlyDouble, native=Cube.apply)
    assert report.ok
    assert (
        report.checks[-1].message
        == "in float32: TypeError: no torch.float32; in bfloat16: TypeError: no torch.bfloat16"
    )
    assert "in float32" in [sample.name for sample in variations((leaf(3),), Cube.apply)]

    class Late(Cube):
        @staticmethod
        def backward(ctx, grad):
            if grad.dtype != torch.float64:
                raise TypeError(f"no {grad.dtype}")
            return Cube.backward(ctx, grad)

    (check,) = (check for check in verify(Late).failed if check.name == "gradients")
    assert (check.message, check.sample) == ("it raises TypeError: no torch.float32", "in float32")


def test_a_callable_without_a_reference_is_told_what_to_pass():
    report = verify(torch.sinh, (leaf(3),))
    assert report.ok
    assert report.target == "sinh"
    assert report.checks[1].message == "pass native= to compare with"


class Warns(torch.autograd.Function):
    """Right, but everything about it is going to be removed."""

    @staticmethod
    def forward(x):
        warnings.warn("forward is deprecated", FutureWarning, stacklevel=1)
        return x.sin()

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def backward(ctx, grad):
        warnings.warn("backward is deprecated", DeprecationWarning, stacklevel=1)
        return grad * ctx.saved_tensors[0].cos()

    @staticmethod
    def jvp(ctx, tangent):
        warnings.warn("jvp is deprecated", UserWarning, stacklevel=1)
        return tangent * ctx.saved_tensors[0].cos()


@pytest.mark.parametrize("swap", [None, "mul"])
def test_no_check_fails_of_a_warning(swap):
    """As under ``python -W error``; what is warned of is shown, and the filters are left as they were."""
    x = torch.randn(3, dtype=torch.float64, requires_grad=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        filters = list(warnings.filters)
        with pytest.raises(FutureWarning):
            Warns.apply(x)
        target, inputs = (Warns, (x,)) if swap is None else (lambda: (Warns.apply(x) * 2).sum(), None)
        report = verify(target, inputs, swap=swap)
        assert list(warnings.filters) == filters
    assert report.ok, str(report)
