"""What a thread has set is what it was, wherever an interrupt comes."""

from __future__ import annotations

import warnings

import interrupts
import leftovers
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from autograd_lab._torch import settings, tensors
from autograd_lab.hold import Hold


class Counts(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.seen.append(func)
        return func(*args, **(kwargs or {}))


class Sub(torch.Tensor):
    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        raise AssertionError(func)


def without_gradients():
    with settings.grad_mode(False):
        assert not torch.is_grad_enabled()
        with settings.grad_mode(True):
            assert torch.is_grad_enabled()


def unseen():
    with tensors.unseen():
        assert torch._C._len_torch_dispatch_stack() == 0
        _ = torch.ones(2) + 1


def without_inference_mode():
    with torch.inference_mode(), settings.not_inference():
        assert not torch.is_inference_mode_enabled()


def warned():
    with Hold() as held:
        settings.keep_warnings(held)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)


def everything_of_torchs_tests():
    with Hold() as held:
        settings.keep_settings(held)
        with torch.autograd.forward_ad.dual_level(), torch.device("meta"), Counts(), torch.no_grad():
            pass


BLOCKS = [everything_of_torchs_tests, without_gradients, unseen, without_inference_mode, warned]


@pytest.mark.parametrize("every", [5, pytest.param(1, marks=pytest.mark.sweep)])
@pytest.mark.parametrize("block", BLOCKS)
def test_an_interrupt_leaves_what_was_set(block, every):
    with Counts() as counts, Counts():
        before = leftovers.everywhere()
        for moment in interrupts.each_moment(block, step=every, within=""):
            assert leftovers.everywhere() == before, moment
        counts.seen.clear()
        block()
        assert not counts.seen
        assert leftovers.everywhere() == before


def test_no_code_of_a_subclass_runs_unseen():
    sub = torch.ones(2).as_subclass(Sub)
    with Counts(), tensors.unseen():
        assert sub.shape == (2,)
