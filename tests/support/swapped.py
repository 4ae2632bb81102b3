"""A family's rules on PyTorch's own samples: each ``op_db`` entry with the swap and without it must agree.

A family's test says which entries and which rules; ``cases`` makes the parameters, ``agree`` does the rest.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import agreement
import op_db_samples
import pytest
import tallies
import torch
from torch.testing._internal.common_methods_invocations import op_db
from torch.utils._pytree import tree_flatten, tree_unflatten

import autograd_lab as lab

DOUBLE = (torch.float64,)
"""What the default run takes; the sweep takes the others too."""
DOUBLE_AND_SINGLE = (torch.float64, torch.float32)
OTHERS = (torch.float16, torch.bfloat16, torch.complex64, torch.complex128)


def cases(names: Iterable[str], dtypes: Sequence[torch.dtype]) -> list[Any]:
    """Each entry of these names, its variants included, with each dtype that native differentiates."""
    names = set(names)
    entries = [entry for entry in op_db if entry.name in names]
    assert {entry.name for entry in entries} == names
    return [
        pytest.param(entry, dtype, id=f"{entry.formatted_name}-{str(dtype).removeprefix('torch.')}")
        for entry in entries
        for dtype in dtypes
        if dtype in entry.supported_backward_dtypes("cpu")
    ]


def bound(entry: Any, sample: Any) -> tuple[Any, list[Any]]:
    """An operation of flat arguments alone, tensors in lists and keywords among them, and these."""
    values, shape = tree_flatten(((sample.input, *sample.args), sample.kwargs))

    def native(*given: Any) -> Any:
        args, kwargs = tree_unflatten(given, shape)
        torch.manual_seed(0)
        return entry.op(*args, **kwargs)

    return native, values


def agree(
    entry: Any,
    dtype: torch.dtype,
    rules: Sequence[str],
    parts: Sequence[Any] | Callable[[list[Any]], Sequence[Any]],
    ulps: float = agreement.ULPS,
    room: float = 0,
    every: int = 1,
) -> Counter[str]:
    """Compares every sample; gives how often each operation was swapped, and with a minus how often it was left.

    ``parts`` are the ways in which each is compared, or say them for the arguments of a sample. With ``every``, only
    one of so many samples is taken.
    """
    counts: Counter[str] = Counter()
    ways: Counter[str] = Counter()
    for sample in itertools.islice(op_db_samples.samples_of(entry, dtype), None, None, every):
        native, values = bound(entry, sample)

        def ours(*given: Any, native: Any = native) -> Any:
            with lab.swap(*rules) as swap:
                result = native(*given)
            counts.update(swap.calls)
            counts.subtract(swap.left)
            return result

        chosen = parts(values) if callable(parts) else parts
        agreement.agree(ours, native, values, f"{entry.formatted_name} {sample.name}", chosen, ulps, room)
        ways.update(part.__name__ for part in chosen)
    for way, count in ways.items():
        tallies.note(f"op_db, the other rules, {way}: {{}} samples equal", count)
    return counts
