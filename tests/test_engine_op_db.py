"""Every operation that torch itself tests: the glass engine against the native one, order and bits.

The samples come from torch's own table, ``op_db``. Without ``-m sweep`` the first sample of every operation is taken,
with it all of them, and complex ones too. The counts are printed at the end of the run, under "figures".
"""

from __future__ import annotations

import gc
import warnings
from typing import NamedTuple

import pytest
import torch
from op_db_samples import samples_of
from torch.testing._internal.common_methods_invocations import op_db

import autograd_lab as lab

DTYPES = (torch.float64, torch.complex128)
"""An operation is tried with the first of these for which it has a backward, or with each."""

EXCEPTIONS: dict[str, str] = {}
"""Operation → why its bits or order can't be compared."""

NOT_DETERMINISTIC: dict[str, str] = {}
"""Operation → why the native engine's own bits differ from run to run, so that a tolerance has to do."""

NOT_ON_CPU = {
    "torch.ops.aten._flash_attention_forward": "runs on GPUs only",
    "torch.ops.aten._efficient_attention_forward": "runs on GPUs only",
    "nn.functional.batch_norm.without_cudnn": "is batch_norm once more, for GPUs; the entry without the suffix runs",
    "nn.functional.one_hot": "takes and gives integers, which have no gradient",
}
"""Operations that the table marks as differentiable, but gives no dtype of a backward on the CPU for: name → why."""

DIFFERENTIABLE = [op for op in op_db if op.supports_autograd]


class Outcome(NamedTuple):
    """What came of the samples of one operation."""

    same: int
    without: int
    failed: list[str]
    deterministic: bool


def dtypes(op):
    """Those of ``DTYPES`` for which an operation has a backward on the CPU."""
    return [dtype for dtype in DTYPES if dtype in op.supported_backward_dtypes("cpu")]


def tensors(result):
    if isinstance(result, torch.Tensor):
        return [result]
    if isinstance(result, (tuple, list)):
        return [tensor for part in result for tensor in tensors(part)]
    return []


def check(op, sample):
    """Gives the check of one sample; ``None`` where no output of it requires a gradient."""
    torch.manual_seed(0)
    result = sample.output_process_fn_grad(op(sample.input, *sample.args, **sample.kwargs))
    outputs = [tensor for tensor in tensors(result) if tensor.requires_grad]
    return lab.check_engine(outputs, grad_tensors=list(map(start, outputs))) if outputs else None


def start(output):
    """Random numbers; for a sparse output, its own."""
    return torch.randn_like(output) if output.layout is torch.strided else output.detach().clone()


def outcome(op, dtype, most):
    """Checks at most so many samples of an operation; all of them for ``None``."""
    same, without, failed, deterministic = 0, 0, [], True
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for index, sample in enumerate(samples_of(op, dtype)):
            if same == most:
                break
            try:
                found = check(op, sample)
            except Exception as error:
                failed.append(f"{op.full_name}[{index}]: {error!r}")
                continue
            if found is None:
                without += 1
            elif found.ok:
                same += 1
                deterministic &= found.deterministic
            else:
                failed.append(f"{op.full_name}[{index}]: {found}")
    return Outcome(same, without, failed, deterministic)


@pytest.fixture
def _frozen():
    """A check looks through all objects that aren't frozen."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def compare(cases, most, what, figure):
    """Checks samples of each (operation, dtype), and prints the count."""
    found = {op.full_name: outcome(op, dtype, most) for op, dtype in cases if op.full_name not in EXCEPTIONS}
    loose = sorted(name for name, each in found.items() if not each.deterministic)
    figure(
        f"op_db, {what}: {sum(each.same for each in found.values())} samples of {len(found)} operations the same, in "
        f"order and bits; {sum(each.without for each in found.values())} samples have no backward; "
        f"{len(EXCEPTIONS)} named exceptions; not deterministic: {', '.join(loose) or 'none'}"
    )
    failed = [line for each in found.values() for line in each.failed]
    assert not failed, "\n".join(failed)
    assert [name for name, each in found.items() if not each.same] == []
    assert set(loose) <= set(NOT_DETERMINISTIC)


def test_every_operation_with_a_backward_on_the_cpu_has_a_case():
    without = {op.full_name for op in DIFFERENTIABLE if not op.supported_backward_dtypes("cpu")}
    assert without == set(NOT_ON_CPU)
    assert all(dtypes(op) for op in DIFFERENTIABLE if op.full_name not in NOT_ON_CPU)
    assert len(DIFFERENTIABLE) - len(NOT_ON_CPU) > 540


@pytest.mark.usefixtures("_frozen")
def test_the_first_sample_of_every_operation_is_the_same(figure):
    cases = [(op, dtypes(op)[0]) for op in DIFFERENTIABLE if op.full_name not in NOT_ON_CPU]
    compare(cases, 1, "first samples", figure)


@pytest.mark.sweep
@pytest.mark.usefixtures("_frozen")
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_sample_of_every_operation_is_the_same(dtype, figure):
    cases = [(op, dtype) for op in DIFFERENTIABLE if dtype in dtypes(op)]
    compare(cases, None, f"all samples, {str(dtype).removeprefix('torch.')}", figure)
