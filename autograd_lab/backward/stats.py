"""A gradient in a few numbers, at the least cost.

The choice of reduction decides what statistics cost: ``vector_norm`` passes once over the memory, while
``isfinite().all()`` takes fifteen times as long. So the norm comes first, and only a norm that isn't finite has NaN
and inf counted.

Note [A norm in parts]
On the CPU torch adds up the squares of a whole tensor in a few running sums, so that the norm of a matrix of 50,000 by
768 numbers in float32 is wrong in its third digit. The norm of the norms of small parts has seven right digits, and is
quicker.

Note [Measured once]
What a node returns is most often the very tensor that the next one is given, or a view of what it was given itself: a
gradient transposed has the same norm. So a measure is kept with a weak reference to its tensor and the tensor's version
(which views share), and as long as both are the same neither the tensor nor what fills the same memory is measured
again. A weak reference holds nothing: what could be stolen still can.

Note [Statistics stay on the device]
Reading a number from a GPU waits until the GPU has done all the work given to it, so reading one for each node would
serialise the backward. Numbers of a tensor that isn't on the CPU stay there, as tensors without dimensions, until the
backward is over. Then ``bring`` has them all come over together. Whether the norm is finite can't be asked before that,
so NaN and inf are counted there only with ``"full"``.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Iterable
from typing import Any, Literal, TypeAlias

import torch

from autograd_lab._torch import saved as _saved
from autograd_lab._torch import tensors as _tensors
from autograd_lab.capture.saved import MetaTable
from autograd_lab.errors import OptionError
from autograd_lab.records import GradStats, TensorMeta

Level: TypeAlias = Literal["norm", "full"] | None
"""How much a user wants measured."""


def checked(stats: Level) -> Level:
    """Gives back what a user passed as ``stats``.

    Raises:
        OptionError: It is no level.
    """
    if stats not in (None, "norm", "full"):
        raise OptionError(f"stats={stats!r} isn't one; use None, 'norm' or 'full'")
    return stats


class Measure:
    """A measured gradient, whose numbers may still be on their device."""

    __slots__ = ("_finished", "_meta", "numbers")

    def __init__(self, meta: TensorMeta, numbers: dict[str, Any]) -> None:
        self._meta = meta
        self.numbers = numbers
        self._finished: GradStats | None = None

    def finish(self) -> GradStats:
        """Reads the numbers. See Note [Statistics stay on the device]."""
        if self._finished is None:
            bring((self,))
            self._finished = GradStats(self._meta, **self.numbers)
        return self._finished


def finished(measure: Measure | None) -> GradStats | None:
    """Reads a measure's numbers, if there is one."""
    return None if measure is None else measure.finish()


def bring(measures: Iterable[Measure | None]) -> None:
    """Brings the numbers of many measures to the CPU, all of a kind at once.

    Args:
        measures: Those that will be finished.
    """
    waiting: dict[Any, list[tuple[dict[str, Any], str]]] = {}
    with _tensors.unseen():
        for measure in filter(None, measures):
            for name, number in measure.numbers.items():
                if isinstance(number, torch.Tensor):
                    waiting.setdefault((number.device, number.dtype), []).append((measure.numbers, name))
        for places in waiting.values():
            values = torch.stack([numbers[name] for numbers, name in places]).tolist()
            for (numbers, name), value in zip(places, values, strict=True):
                numbers[name] = value


class Meter:
    """Measures gradients; one for each trace. See Note [Measured once].

    Args:
        level: ``None`` (nothing is measured), ``"meta"`` (shape, dtype and device), ``"norm"`` or ``"full"``.
    """

    def __init__(self, level: Level | Literal["meta"]) -> None:
        self.measures = level is not None
        self._level = level
        self._metas = MetaTable()
        self._known: dict[Any, _Known] = {}

    def measure(self, grad: torch.Tensor | None) -> Measure | None:
        """Measures a gradient; ``None`` for an undefined one, or where nothing is to be measured."""
        if grad is None or self._level is None:
            return None
        with _tensors.no_torch_function():
            if self._level == "meta":
                return Measure(self._metas.of_tensor(grad), {})
            version = _saved.version(grad)
            known = self._known.get(id(grad))
            if known is not None and known[1] == version and known[0]() is grad:
                return known[2]
            return self._measure(grad, version)

    def measure_again(self, grad: torch.Tensor | None) -> Measure | None:
        """Measures a gradient that may have been changed through ``.data``, which doesn't raise its version."""
        if grad is not None:
            self._known.pop(id(grad), None)
            self._known.pop(_tensors.filled(grad), None)
        return self.measure(grad)

    def _measure(self, grad: torch.Tensor, version: int | None) -> Measure:
        meta, place = self._metas.of_tensor(grad), _tensors.filled(grad)
        numbers = None if place is None else self._numbers_at(place, version)
        if numbers is None:
            with _tensors.unseen():
                numbers = self._numbers(grad.detach() if grad.requires_grad else grad)
        measure = Measure(meta, numbers)
        if version is not None:
            known = self._known[id(grad)] = (weakref.ref(grad), version, measure)
            if place is not None:
                self._known[place] = known
        return measure

    def _numbers_at(self, place: Any, version: int | None) -> dict[str, Any] | None:
        """What was measured of a tensor that is still there."""
        known = self._known.get(place)
        if known is None or known[1] != version:
            return None
        tensor = known[0]()
        return known[2].numbers if tensor is not None and _tensors.filled(tensor) == place else None

    def _numbers(self, grad: torch.Tensor) -> dict[str, Any]:
        values = _tensors.elements(grad)
        if values is None:
            return {}
        full = self._level == "full"
        wide = torch.float32 if values.dtype in _NARROW else None
        norm = _norm(values, wide)
        found: dict[str, Any] = {"norm": norm.item() if values.is_cpu else norm}
        if full or (values.is_cpu and not math.isfinite(found["norm"])):
            found["nans"] = torch.isnan(values).sum()
            found["infs"] = torch.isinf(values).sum()
        if full and values.numel():
            found["mean"] = values.mean(dtype=wide)
            found["max_abs"] = torch.linalg.vector_norm(values, math.inf, dtype=wide)
            found["zeros"] = values.numel() - torch.count_nonzero(values)
        return found


def _norm(values: torch.Tensor, dtype: torch.dtype | None) -> torch.Tensor:
    """See Note [A norm in parts]."""
    norm: Callable[..., torch.Tensor] = torch.linalg.vector_norm
    if values.numel() <= _MANY or not values.is_cpu:
        return norm(values, dtype=dtype)
    strides = [
        stride if size > 1 else math.inf for size, stride in zip(values.shape, values.stride(), strict=True)
    ]
    along = strides.index(min(strides))
    if _FEW <= values.shape[along] <= _MANY:
        return _norm(norm(values, dim=along, dtype=dtype), None)
    flat = _tensors.in_memory_order(values)
    if flat is None:
        half = values.tensor_split(2, values.shape.index(max(values.shape)))
        return norm(torch.stack([_norm(part, dtype) for part in half]))
    rows = flat[: flat.numel() // _MANY * _MANY].view(-1, _MANY)
    return norm(
        torch.stack([_norm(norm(rows, dim=1, dtype=dtype), None), norm(flat[rows.numel() :], dtype=dtype)])
    )


_FEW, _MANY = 2**5, 2**15
"""Of how many numbers a norm is taken at once, where there are many."""

_Known: TypeAlias = tuple[weakref.ref[torch.Tensor], int, Measure]
"""The tensor that was measured, its version then, and its measure."""

_NARROW = (torch.float16, torch.bfloat16)
"""The sum of their squares would overflow, or lose its digits."""
