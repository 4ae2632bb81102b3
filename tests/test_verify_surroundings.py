"""Where ``verify`` is called: default devices and dtypes, gradient modes; what it leaves as it was; what is skipped."""

from __future__ import annotations

import contextlib

import pytest
import torch
from torch.autograd import Function

from autograd_lab.errors import VerifyError
from autograd_lab.records import Check, VerifyReport, dumps, loads
from autograd_lab.testing import assert_gradients_match
from autograd_lab.verify import verify


class Cube(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x * x

    @staticmethod
    def backward(ctx, grad):
        return 3 * ctx.saved_tensors[0] ** 2 * grad


class Wrong(Cube):
    @staticmethod
    def backward(ctx, grad):
        return -Cube.backward(ctx, grad)


@contextlib.contextmanager
def default_dtype(dtype):
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


SETTINGS = {
    "meta": lambda: torch.device("meta"),
    "float64": lambda: default_dtype(torch.float64),
    "bfloat16": lambda: default_dtype(torch.bfloat16),
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
    "one thread": lambda: torch.autograd.set_multithreading_enabled(False),
}


@pytest.mark.parametrize("setting", SETTINGS)
def test_the_verdict_is_the_same_wherever_it_is_asked_for(setting):
    x = torch.tensor([0.5, 2.0], dtype=torch.float64, requires_grad=True)
    with SETTINGS[setting]():
        reports = verify(Cube), verify(Cube, (x,)), verify(Wrong), verify("mean")
    assert [report.ok for report in reports] == [True, True, False, True], reports
    assert reports[0] == verify(Cube)
    assert reports[2].failed[0].message == "the gradient of input 0 has the wrong sign"


def test_inputs_without_numbers_are_refused_in_one_line():
    with pytest.raises(VerifyError, match="meta device and has no numbers"):
        verify(Cube, (torch.ones(2, device="meta", requires_grad=True),))


class Drawing(Cube):
    @staticmethod
    def forward(ctx, x, generator=None):
        mask = torch.rand(x.shape, generator=generator).to(x)
        ctx.save_for_backward(mask)
        return x * mask

    @staticmethod
    def backward(ctx, grad):
        return grad * ctx.saved_tensors[0], None


def test_random_states_are_left_as_they_were():
    generator = torch.Generator().manual_seed(5)
    states = torch.get_rng_state(), generator.get_state()
    x = torch.ones(3, dtype=torch.float64, requires_grad=True)
    assert verify(Drawing, (x, generator)).ok
    assert verify(Drawing, (x, None)).ok
    assert torch.equal(torch.get_rng_state(), states[0])
    assert torch.equal(generator.get_state(), states[1])
    with pytest.raises(ZeroDivisionError):
        raise_after_drawing(x)
    assert torch.equal(torch.get_rng_state(), states[0])


def raise_after_drawing(x):
    def step():
        loss = (x * torch.rand(3)).sum()
        loss.register_hook(lambda _: 1 / 0)
        return loss

    verify(step, swap="mul")


def test_the_seed_is_the_state_that_each_call_starts_from():
    seen = []

    def draws(x):
        seen.append(torch.rand(()).item())
        return x * 2

    x = torch.ones(2, dtype=torch.float64, requires_grad=True)
    assert verify(draws, (x,), native=lambda x: x + x, seed=3).ok
    torch.manual_seed(3)
    first = torch.rand(()).item()
    torch.manual_seed(4)
    assert set(seen) == {first, torch.rand(()).item()}  # one call with another seed tells whether it matters


def test_a_native_that_draws_others_is_told_so():
    x = torch.ones(8, dtype=torch.float64, requires_grad=True)
    report = verify(lambda x: x * torch.rand(8), (x,), native=lambda x: x * torch.randn(8))
    assert "it draws random numbers: have native draw the same ones" in report.failed[0].message


# --- skipping -------------------------------------------------------------------------------


def test_skipped_checks_are_told_apart_from_passed_ones():
    skipped = ("gradients", "finite differences", "second order")
    report = verify(Wrong, skip=skipped)
    assert report.ok
    assert tuple(check.name for check in report.skipped) == skipped
    assert {check.ok for check in report.skipped} == {None}
    assert loads(dumps(report)) == report
    assert str(report).splitlines()[0] == "Wrong: right in 8 checks, 3 skipped"
    assert sum(" skipped " in f"{line} " for line in str(report).splitlines()[1:]) == 3
    assert not any(check.skipped for check in verify(Cube).checks)
    with pytest.raises(AssertionError):
        assert_gradients_match(Wrong)
    assert assert_gradients_match(Wrong, skip=skipped).ok


def test_one_name_may_stand_alone_and_unknown_ones_get_a_hint():
    assert [check.name for check in verify(Cube, skip="vmap").skipped] == ["vmap"]
    with pytest.raises(
        VerifyError, match=r"there is no check 'finite diferences' to skip; did you mean 'finite diff"
    ):
        verify(Cube, skip=("finite diferences",))
    with pytest.raises(VerifyError, match=r"no check 'xyz' to skip; use one of reproducible, forward, "):
        verify(Cube, skip="xyz")


def test_a_steps_checks_can_be_skipped_too():
    model = torch.nn.Linear(2, 1)
    report = verify(model, (torch.ones(3, 2),), swap="all", skip=("gradient of bias",))
    assert [check.name for check in report.skipped] == ["gradient of bias"]
    with pytest.raises(VerifyError, match="did you mean 'gradient of bias'"):
        verify(model, (torch.ones(3, 2),), swap="all", skip=("gradient of bia",))


def test_a_report_in_which_nothing_was_checked_is_not_ok():
    left = VerifyReport(
        "F", (Check("vmap", None, 0, "it has no vmap"), Check("gradients", None, skipped=True))
    )
    assert not left.ok
    assert str(left).splitlines()[0] == "F: nothing was checked, 1 skipped"
    assert not VerifyReport("F", ()).ok


def test_a_report_that_an_older_build_wrote_loads():
    text = dumps(VerifyReport("F", (Check("vmap", True, 3, ulps=1.0),)))
    assert "scale" not in text
    assert "skipped" not in text
    assert loads(text).ok
