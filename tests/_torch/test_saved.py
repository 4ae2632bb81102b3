"""Reading what nodes saved, at the door."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, strategies as st
from models import leaves

from autograd_lab._torch import saved


def read(node):
    return dict(saved.read(node, saved.saved_fields(type(node))))


def test_a_result_is_read_as_itself_without_a_graph():
    y = leaves(1, 3)[0].exp()
    assert read(y.grad_fn)["result"].data_ptr() == y.data_ptr()
    assert read(y.grad_fn)["result"].grad_fn is None


def test_errors_that_mean_something_else_are_not_taken_for_released():
    class Node:
        saved_tensors = property(lambda self: self.fails())
        _raw_saved_tensors = property(lambda self: self.fails())

        def fails(self):
            raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        saved.read(Node(), saved.saved_fields(Node))


@given(st.integers(-(2**63), 2**63 - 1))
def test_a_lost_sign_is_found_again(number):
    assert saved.signed(number % 2**64) == number
    assert saved.signed((number % 2**64, "a", None)) == (number, "a", None)


def test_inference_tensors_have_no_version():
    with torch.inference_mode():
        assert saved.version(torch.ones(1)) is None
    assert saved.version(torch.ones(1).add_(1)) == 1


def test_where_a_tensors_elements_are():
    whole = torch.arange(6.0)
    part = whole[:2]
    assert saved.memory(whole)[1:] == (24, 24)
    assert saved.memory(part)[1:] == (24, 8)
    assert saved.memory(part)[0] == saved.memory(whole)[0] != saved.memory(whole.clone())[0]
    assert saved.memory(torch.eye(2).to_sparse()) is None
    assert saved.memory(torch.nn.Parameter(whole)) == saved.memory(whole)
