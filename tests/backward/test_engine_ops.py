"""Every operation that torch itself tests: the glass engine against the native one, order and bits.

The samples come from torch's own table, ``op_db``. Without ``-m sweep`` the first sample of every operation is taken, with
it all of them. The counts are printed.
"""

from __future__ import annotations

import warnings

import pytest
import torch
from torch.testing._internal.common_methods_invocations import op_db

import autograd_lab as lab

EXCEPTIONS: dict[str, str] = {}
"""Operation → why its bits or order can't be compared."""


def tensors(result):
    if isinstance(result, torch.Tensor):
        return [result]
    if isinstance(result, (tuple, list)):
        return [tensor for part in result for tensor in tensors(part)]
    return []


def differentiable(op, sample):
    """The outputs with a graph; none where this sample has no backward."""
    arguments = sample.input if isinstance(sample.input, (tuple, list)) else [sample.input]
    result = op(sample.input, *sample.args, **sample.kwargs)
    del arguments
    return [tensor for tensor in tensors(result) if tensor.requires_grad]


def check(op, sample):
    """Gives the check of one sample; ``None`` where it has no backward, or the native engine has none."""
    torch.manual_seed(0)
    outputs = differentiable(op, sample)
    if not outputs:
        return None
    starts = [torch.randn_like(output) if output.layout is torch.strided else torch.ones_like(output) for output in outputs]
    try:
        torch.autograd.grad(
            outputs, _leaves(outputs), starts, retain_graph=True, allow_unused=True
        )
    except (RuntimeError, NotImplementedError):
        return None  # not differentiable, says torch
    return lab.check_engine(outputs, grad_tensors=starts)


def _leaves(outputs):
    from autograd_lab.capture.graph import live

    graph, nodes = live(outputs)
    return [nodes[node.id].variable for node in graph.leaves]


def run(most):
    passed, without, failed, loose = 0, 0, [], set()
    for op in op_db:
        if not op.supports_autograd or torch.float64 not in op.supported_backward_dtypes("cpu"):
            continue
        name = op.full_name
        if name in EXCEPTIONS:
            continue
        torch.manual_seed(0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for number, sample in enumerate(op.sample_inputs("cpu", torch.float64, requires_grad=True)):
                if number == most:
                    break
                try:
                    found = check(op, sample)
                except Exception as error:  # noqa: BLE001 - counted and shown, with the operation's name
                    failed.append(f"{name}[{number}]: {error!r}")
                    continue
                if found is None:
                    without += 1
                elif found.ok:
                    passed += 1
                    if not found.deterministic:
                        loose.add(name)
                else:
                    failed.append(f"{name}[{number}]: {found}")
    return passed, without, failed, loose


def report(most, capsys):
    passed, without, failed, loose = run(most)
    with capsys.disabled():
        print(f"\nop_db: {passed} samples the same, {without} without a backward, {len(EXCEPTIONS)} named exceptions; "
              f"within a tolerance: {sorted(loose) or 'none'}")  # fmt: skip
    assert not failed, "\n".join(failed)
    return passed


def test_the_first_sample_of_every_operation_is_the_same(capsys):
    assert report(1, capsys) > 450


@pytest.mark.sweep
def test_every_sample_of_every_operation_is_the_same(capsys):
    assert report(None, capsys) > 2_000
