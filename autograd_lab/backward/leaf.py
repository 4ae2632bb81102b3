"""``Leaf``: what an ``AccumulateGrad`` did to its leaf's ``.grad``.

Note [No gradient is held]
The engine steals a gradient for ``.grad`` if nobody else holds it (``accumulateGrad`` in
``torch/csrc/autograd/functions/accumulate_grad.h``). So nothing here holds one: of what came only the address is
kept, of what was there a weak reference.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable

import torch

from autograd_lab._torch import hooks as _hooks
from autograd_lab._torch import saved as _saved
from autograd_lab._torch import tensors as _tensors
from autograd_lab.backward.stats import Measure, Meter, finished
from autograd_lab.records import Accumulation


class Leaf:
    """Looks at ``.grad`` before an ``AccumulateGrad`` runs, right after, and when hooks have had their say.

    Args:
        variable: The leaf.
        came: The gradient that came.
        measured: What it measures.
        meter: Measures gradients.
    """

    def __init__(
        self, variable: torch.Tensor, came: torch.Tensor | None, measured: Measure | None, meter: Meter
    ) -> None:
        self._variable = variable
        self._meter = meter
        self._came = None if came is None else _tensors.address(came)
        self._came_measured = measured
        self._version = _saved.version(came) if measured is not None and came is not None else None
        before = variable.grad
        self._before = None if before is None else weakref.ref(before)
        self._measured = meter.measure(before)
        self._how: str | None = None
        self._thread = threading.get_ident()
        self._undo = _hooks.before_those_after_accumulation(variable, self._look)

    def close(self) -> None:
        """Leaves the leaf's hooks as they were."""
        if self._undo is not None:
            self._undo()
            self._undo = None

    def look_again(self) -> Callable[[], Accumulation]:
        """Looks at ``.grad`` when the turn is over; what is returned makes the record once numbers may be read."""
        self.close()
        hooked = self._how is not None
        how = self._how or self._found()
        before, after = self._measured, self._measure_after(how, hooked)
        return lambda: Accumulation(how, finished(before), finished(after))

    def _look(self) -> None:
        """See Note [Between accumulation and its hooks] in ``_torch/hooks.py``. A hook may start another backward."""
        if self._how is None and threading.get_ident() == self._thread:
            self._how = self._found()

    def _found(self) -> str:
        grad = self._variable.grad
        if self._came is None or grad is None:
            return "nothing"
        if self._before is not None:
            return "added" if self._before() is grad else "replaced"
        return "stole" if _tensors.address(grad) == self._came else "copied"

    def _measure_after(self, how: str, hooked: bool) -> Measure | None:
        """What was stolen is what came, unless a hook had it; not every change of a hook's raises its version."""
        if not self._meter.measures:
            return None
        grad = self._variable.grad
        if how == "stole" and not hooked and grad is not None and _saved.version(grad) == self._version:
            return self._came_measured
        return self._meter.measure_again(grad) if hooked else self._meter.measure(grad)
