"""The meter: what is measured, and that nothing is measured twice that needn't be."""

from __future__ import annotations

import math

import pytest
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from autograd_lab.backward.stats import Meter


class Counts(TorchDispatchMode):
    """Counts norms, also those that others can't see."""

    norms = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.norms += "vector_norm" in func.name()
        return func(*args, **(kwargs or {}))


@pytest.fixture
def norms(monkeypatch):
    """The tensors whose norm was taken."""
    taken = []
    native = torch.linalg.vector_norm

    def counted(values, *args, **kwargs):
        taken.append(values.shape)
        return native(values, *args, **kwargs)

    monkeypatch.setattr(torch.linalg, "vector_norm", counted)
    return taken


@pytest.mark.parametrize(
    "look",
    [
        lambda grad: grad,
        lambda grad: grad.t(),
        lambda grad: grad.reshape(-1),
        lambda grad: grad.unsqueeze(0),
        lambda grad: grad.view(3, 2, 2).permute(2, 0, 1),
    ],
    ids=["itself", "transposed", "flat", "with a dimension more", "permuted"],
)
def test_what_holds_the_same_numbers_is_measured_once(norms, look):
    meter, grad = Meter("norm"), torch.arange(12.0).view(3, 4)
    first, second = meter.measure(grad), meter.measure(look(grad))
    assert len(norms) == 1
    assert second.finish().norm == first.finish().norm == pytest.approx(math.sqrt(506))
    assert second.finish().meta.shape == tuple(look(grad).shape)


@pytest.mark.parametrize(
    "look",
    [
        lambda grad: grad[:2],
        lambda grad: grad[1:],
        lambda grad: grad.as_strided((3, 4), (1, 1)),
        lambda grad: grad.view(torch.int32).float(),
        lambda grad: grad[:1].expand(3, 4),
        lambda grad: grad.mul_(2),
        lambda grad: grad.clone().mul_(2),
    ],
    ids=["a part", "another part", "overlapping", "other bits", "expanded", "changed in place", "another"],
)
def test_what_holds_other_numbers_is_measured_again(norms, look):
    meter, grad = Meter("norm"), torch.arange(12.0).view(3, 4)
    meter.measure(grad)
    seen = look(grad)
    found = meter.measure(seen).finish().norm
    assert len(norms) == 2
    assert found == pytest.approx(seen.reshape(-1).double().square().sum().sqrt().item())


@pytest.mark.parametrize(
    "shape", [(3_000_000,), (300_000, 10), (3, 1000, 1000), (1, 3_000_000), (3_000_000, 1)], ids=str
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.complex64], ids=str)
@pytest.mark.parametrize("turned", [False, True], ids=["", "turned"])
def test_norms_of_large_tensors_have_their_digits(shape, dtype, turned):
    grad = torch.randn(shape, dtype=dtype, generator=torch.Generator().manual_seed(0))
    grad = grad.permute(*reversed(range(grad.dim()))) if turned else grad
    wide = torch.complex128 if dtype.is_complex else torch.float64
    assert Meter("norm").measure(grad).finish().norm == pytest.approx(
        torch.linalg.vector_norm(grad.to(wide)).item(), rel=2e-6
    )


def test_the_sign_of_a_view_is_seen():
    meter, grad = Meter("full"), torch.tensor([2.0, 4.0])
    negative = torch._neg_view(grad)  # as grad.conj().imag is one, where it has no holes
    assert negative.data_ptr() == grad.data_ptr()
    meter.measure(grad)
    assert meter.measure(negative).finish().mean == -3.0


def test_memory_that_went_to_another_tensor_is_measured_again(norms):
    meter, grad = Meter("norm"), torch.ones(5)
    meter.measure(grad)
    address = grad.data_ptr()
    grad.data = torch.zeros(5)  # the tensor lives on, elsewhere
    made = []
    while not made or (made[-1].data_ptr() != address and len(made) < 1_000):
        made.append(torch.full((5,), 7.0))
    assert meter.measure(made[-1]).finish().norm == pytest.approx(7 * math.sqrt(5))


@pytest.mark.parametrize("wrong", [False, True], ids=["finite", "not finite"])
def test_only_a_norm_that_is_not_finite_has_anything_counted(wrong):
    grad = torch.tensor([1.0, math.nan, math.inf]) if wrong else torch.ones(3)
    meter = Meter("norm")
    with torch.profiler.profile() as seen:
        meter.measure(grad)
    names = [event.name.removeprefix("aten::") for event in seen.events()]
    assert names.count("linalg_vector_norm") == 1
    assert {"isnan", "isinf", "sum"} & set(names) == ({"isnan", "isinf", "sum"} if wrong else set())
    assert wrong or set(names) <= {"linalg_vector_norm", "as_strided", "item", "_local_scalar_dense"}


def test_under_create_graph_nothing_is_added_to_the_graph():
    w = torch.ones(3, requires_grad=True)
    grad = w * 2.0
    assert Meter("full").measure(grad).finish().norm == pytest.approx(2 * math.sqrt(3))
    assert all(not isinstance(number, torch.Tensor) or not number.requires_grad for number in _numbers(grad))


def _numbers(grad):
    return Meter("full").measure(grad).numbers.values()


def test_modes_of_the_users_see_nothing():
    class Functions(TorchFunctionMode):
        seen = 0

        def __torch_function__(self, func, types, args=(), kwargs=None):
            Functions.seen += 1
            return func(*args, **(kwargs or {}))

    with Functions(), Counts() as counts:
        before = Functions.seen
        Meter("full").measure(torch.ones(3)).finish()
        seen = Functions.seen - before
    assert (counts.norms, seen) == (0, 1)  # the user's own torch.ones
