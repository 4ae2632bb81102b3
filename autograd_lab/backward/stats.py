"""A gradient in a few numbers, at the least cost.

What is computed is in ``numbers.py``; here is when, for which tensors, and how the results come to the CPU.

Note [Measured once]
What a node returns is most often the very tensor that the next one is given, or a view of what it was given itself: a
gradient transposed has the same norm. So a measure is kept with a weak reference to its tensor and the tensor's version
(which views share), and as long as both are the same neither the tensor nor what fills the same memory is measured
again. A weak reference holds nothing: what could be stolen still can.

Note [What can't be measured]
A gradient that can't be measured mustn't stop the user's backward. What kinds there are, and the reasons that the
record gives, is in ``_torch/readable.py``. Besides, memory may be short for a sum, and devices that live outside torch
may lack a reduction: then torch's own words are the reason.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from typing import Any, Literal, TypeAlias

import torch

from autograd_lab._torch import saved as _saved, tensors as _tensors
from autograd_lab._torch.readable import ORDINARY, readable
from autograd_lab.backward.numbers import numbers
from autograd_lab.capture.saved import MetaTable
from autograd_lab.errors import OptionError
from autograd_lab.records import GradStats, TensorMeta

StatsLevel: TypeAlias = Literal["norm", "full"] | None
"""How much a user wants measured."""


def checked(stats: StatsLevel) -> StatsLevel:
    """Returns what a user passed as ``stats``, if it is a level.

    Raises:
        OptionError: It is no level.
    """
    if stats not in (None, "norm", "full"):
        raise OptionError(f"stats={stats!r} can't be measured; use None, 'norm' or 'full'")
    return stats


class Measure:
    """A measured gradient, whose numbers may still be on their device."""

    __slots__ = ("_finished", "_meta", "numbers")

    def __init__(self, meta: TensorMeta, numbers: dict[str, Any]) -> None:
        self._meta = meta
        self.numbers = numbers
        self._finished: GradStats | None = None

    def finish(self) -> GradStats:
        """Returns the record. See Note [Statistics stay on the device] in ``numbers.py``."""
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
        for unread in waiting.values():
            values = torch.stack([numbers[name] for numbers, name in unread]).tolist()
            for (numbers, name), value in zip(unread, values, strict=True):
                numbers[name] = value


class Meter:
    """Measures gradients; one for each trace. See Note [Measured once].

    Args:
        level: ``None`` (nothing is measured), ``"meta"`` (shape, dtype and device), ``"norm"`` or ``"full"``.
    """

    def __init__(self, level: StatsLevel | Literal["meta"]) -> None:
        self.measures = level is not None
        self._level = level
        self._metas = MetaTable()
        self._known: dict[Any, _Known] = {}

    def measure(self, grad: torch.Tensor | None) -> Measure | None:
        """Returns a gradient's measure; ``None`` for an undefined one, or where nothing is to be measured."""
        if grad is None or self._level is None:
            return None
        with _tensors.no_torch_function():
            if self._level == "meta":
                return Measure(self._metas.of_tensor(grad), {})
            if type(grad) not in ORDINARY:
                return Measure(self._metas.of_tensor(grad), self._numbers(grad))
            version = _saved.version(grad)
            known = self._known.get(id(grad))
            if known is not None and known[1] == version and known[0]() is grad:
                return known[2]
            return self._measure(grad, version)

    def measure_again(self, grad: torch.Tensor | None) -> Measure | None:
        """Measures a gradient that may have been changed through ``.data``, which doesn't raise its version."""
        if grad is not None and type(grad) in ORDINARY:
            self._known.pop(id(grad), None)
            self._known.pop(_tensors.filled(grad), None)
        return self.measure(grad)

    def _measure(self, grad: torch.Tensor, version: int | None) -> Measure:
        meta, memory = self._metas.of_tensor(grad), _tensors.filled(grad)
        found = None if memory is None else self._numbers_in(memory, version)
        measure = Measure(meta, self._numbers(grad) if found is None else found)
        if version is not None:
            known = self._known[id(grad)] = (weakref.ref(grad), version, measure)
            if memory is not None:
                self._known[memory] = known
        return measure

    def _numbers_in(self, memory: Any, version: int | None) -> dict[str, Any] | None:
        """What was measured of a tensor that is still there."""
        known = self._known.get(memory)
        if known is None or known[1] != version:
            return None
        tensor = known[0]()
        return known[2].numbers if tensor is not None and _tensors.filled(tensor) == memory else None

    def _numbers(self, grad: torch.Tensor) -> dict[str, Any]:
        """See Note [What can't be measured]."""
        try:
            with _tensors.unseen():
                found = readable(grad)
                if isinstance(found, str):
                    return {"unmeasured": found}
                return numbers(found, full=self._level == "full")
        except RuntimeError as error:
            return {"unmeasured": str(error).partition("\n")[0]}


_Known: TypeAlias = tuple[weakref.ref[torch.Tensor], int, Measure]
"""The tensor that was measured, its version then, and its measure."""
