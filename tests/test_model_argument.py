"""The model beside the outputs, by its place or by its name, in every call that takes both."""

from __future__ import annotations

import pytest
import torch

import autograd_lab as lab


@pytest.mark.parametrize("call", [lab.capture, lab.trace, lab.check_engine, lab.Engine])
@pytest.mark.parametrize("by_name", [False, True])
def test_the_model_may_be_the_second_argument(call, by_name):
    model = torch.nn.Linear(2, 1)
    loss = model(torch.ones(1, 2)).sum()
    found = call(loss, model=model) if by_name else call(loss, model)
    if call is lab.check_engine:
        assert found.ok
        return
    graph = found if call is lab.capture else found.graph
    assert {leaf.variable for leaf in graph.leaves} == {"weight", "bias"}
