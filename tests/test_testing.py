"""The assertion and the fixture, in a suite as a user would write it."""

from __future__ import annotations

import re
from importlib.metadata import entry_points

import pytest
import torch

from autograd_lab.testing import assert_gradients_match

pytest_plugins = "pytester"

SUITE = """
import torch
from autograd_lab.testing import assert_gradients_match

class Square(torch.autograd.Function):
    sign = 1
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x
    @staticmethod
    def backward(ctx, grad):
        return Square.sign * 2 * ctx.saved_tensors[0] * grad

class Wrong(Square):
    @staticmethod
    def backward(ctx, grad):
        return -2 * ctx.saved_tensors[0] * grad

def test_right(gradients_match):
    assert gradients_match(Square).seed == 7

def test_wrong(gradients_match):
    gradients_match(Wrong)

def test_its_own_seed(gradients_match):
    assert gradients_match(Square, seed=3).seed == 3

def test_a_model():
    report = assert_gradients_match(torch.nn.Linear(2, 3), (torch.ones(4, 2),), swap="all")
    assert report.checks
"""


@pytest.fixture
def ran(pytester):
    pytester.makepyfile(SUITE)
    return pytester.runpytest_subprocess("-p", "no:xdist", "--gradients-seed", "7")


def test_a_suite_passes_and_fails_as_it_should(ran):
    ran.assert_outcomes(passed=3, failed=1)


def test_a_failure_says_what_is_wrong_and_shows_none_of_the_labs_code(ran):
    text = ran.stdout.str()
    assert "the gradient of input 0 has the wrong sign" in text
    assert "(seed 7)" in text
    assert not re.search(r"autograd_lab/(testing|verify)\S*\.py:\d+", text)


def test_pytest_finds_it_by_itself():
    (found,) = entry_points(group="pytest11", name="autograd_lab")
    assert found.value == "autograd_lab.testing"


def test_the_assertion_gives_the_report():
    with pytest.raises(AssertionError, match="the gradient of input 0 is zero everywhere"):
        assert_gradients_match(Zero, (torch.ones(2, dtype=torch.float64, requires_grad=True),))


class Zero(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 3

    @staticmethod
    def backward(ctx, grad):
        return torch.zeros_like(grad)
