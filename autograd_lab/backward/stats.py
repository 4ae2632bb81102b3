"""A gradient in a few numbers, at the least cost.

The choice of reduction decides what statistics cost: ``vector_norm`` passes once over the memory, while
``isfinite().all()`` takes fifteen times as long. So the norm comes first, and only a norm that isn't finite has NaN
and inf counted.

Note [Measured once]
What a node returns is most often the very tensor that the next one is given. So a measure is kept with a weak
reference to its tensor and the tensor's version, and as long as both are the same it isn't measured again. A weak
reference holds nothing: what could be stolen still can.

Note [Statistics stay on the device]
Reading a number from a GPU waits until the GPU has done all the work given to it, so reading one for each node would
serialise the backward. Numbers of a tensor that isn't on the CPU stay there, as tensors without dimensions, until
``Measure.finish`` reads them when the backward is over. Whether the norm is finite can't be asked before that, so NaN
and inf are counted there only with ``"full"``.
"""

from __future__ import annotations

import math
import weakref
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

    __slots__ = ("_meta", "_numbers")

    def __init__(self, meta: TensorMeta, numbers: dict[str, Any]) -> None:
        self._meta = meta
        self._numbers = numbers

    def finish(self) -> GradStats:
        """Reads the numbers. See Note [Statistics stay on the device]."""
        with _tensors.unseen():
            read: dict[str, Any] = {
                name: number.item() if isinstance(number, torch.Tensor) else number
                for name, number in self._numbers.items()
            }
        return GradStats(self._meta, **read)


def finished(measure: Measure | None) -> GradStats | None:
    """Reads a measure's numbers, if there is one."""
    return None if measure is None else measure.finish()


class Meter:
    """Measures gradients; one for each trace. See Note [Measured once].

    Args:
        level: ``None`` (nothing is measured), ``"meta"`` (shape, dtype and device), ``"norm"`` or ``"full"``.
    """

    def __init__(self, level: Level | Literal["meta"]) -> None:
        self.measures = level is not None
        self._level = level
        self._metas = MetaTable()
        self._known: dict[int, tuple[weakref.ref[torch.Tensor], int, Measure]] = {}

    def measure(self, grad: torch.Tensor | None) -> Measure | None:
        """Measures a gradient; ``None`` for an undefined one, or where nothing is to be measured."""
        if grad is None or self._level is None:
            return None
        if self._level == "meta":
            return Measure(self._metas.of_tensor(grad), {})
        version = _saved.version(grad)
        known = self._known.get(id(grad))
        if known is not None and known[0]() is grad and known[1] == version:
            return known[2]
        with torch.no_grad(), _tensors.unseen():
            measure = Measure(self._metas.of_tensor(grad), self._numbers(grad.detach()))
        if version is not None:
            self._known[id(grad)] = (weakref.ref(grad), version, measure)
        return measure

    def _numbers(self, grad: torch.Tensor) -> dict[str, Any]:
        values = _tensors.elements(grad)
        if values is None:
            return {}
        full = self._level == "full"
        wide = torch.float32 if values.dtype in _NARROW else None
        norm = torch.linalg.vector_norm(values, dtype=wide)
        found: dict[str, Any] = {"norm": norm.item() if values.is_cpu else norm}
        if full or (values.is_cpu and not math.isfinite(found["norm"])):
            found["nans"] = torch.isnan(values).sum()
            found["infs"] = torch.isinf(values).sum()
        if full and values.numel():
            found["mean"] = values.mean(dtype=wide)
            found["max_abs"] = torch.linalg.vector_norm(values, math.inf, dtype=wide)
            found["zeros"] = values.numel() - torch.count_nonzero(values)
        return found


_NARROW = (torch.float16, torch.bfloat16)
"""The sum of their squares would overflow, or lose its digits."""
