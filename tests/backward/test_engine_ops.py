"""Every operation that torch itself tests: the glass engine against the native one, order and bits.

The samples come from torch's own table, ``op_db``. Without ``-m sweep`` the first sample of every operation is taken,
with it all of them. The counts are printed.
"""

from __future__ import annotations

import gc
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
    result = sample.output_process_fn_grad(op(sample.input, *sample.args, **sample.kwargs))
    return [tensor for tensor in tensors(result) if tensor.requires_grad]


def check(op, sample):
    """Gives the check of one sample; ``None`` where no output of it requires a gradient."""
    torch.manual_seed(0)
    outputs = differentiable(op, sample)
    if not outputs:
        return None
    starts = [start(output) for output in outputs]
    return lab.check_engine(outputs, grad_tensors=starts)


def start(output):
    """Random numbers; for a sparse output, its own."""
    return torch.randn_like(output) if output.layout is torch.strided else output.detach().clone()


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
                except Exception as error:
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
    gc.collect()
    gc.freeze()  # a check looks through all objects that aren't frozen
    try:
        passed, without, failed, loose = run(most)
    finally:
        gc.unfreeze()
    with capsys.disabled():
        print(f"\nop_db: {passed} samples the same, {without} without a backward, {len(EXCEPTIONS)} named exceptions; "
              f"not deterministic: {sorted(loose) or 'none'}")  # fmt: skip
    assert not failed, "\n".join(failed)
    return passed


def test_the_first_sample_of_every_operation_is_the_same(capsys):
    assert report(1, capsys) > 450


@pytest.mark.sweep
def test_every_sample_of_every_operation_is_the_same(capsys):
    assert report(None, capsys) > 2_000
