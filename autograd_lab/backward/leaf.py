"""``Leaf``: what an ``AccumulateGrad`` did to its leaf's ``.grad``.

Note [No gradient is held]
The engine steals a gradient for ``.grad`` if nobody else holds it (``accumulateGrad`` in
``torch/csrc/autograd/functions/accumulate_grad.h``). So nothing here holds one: of what was there a weak reference is
kept, of what came at most the address.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Sequence

import torch

from autograd_lab._torch import hooks as _hooks, saved as _saved, tensors as _tensors
from autograd_lab.backward.stats import Measure, Meter, finished
from autograd_lab.records import Accumulation


class Leaf:
    """Looks at ``.grad`` before an ``AccumulateGrad`` runs, right after, and when hooks have had their say.

    The first and the last of these are called in hooks: see Note [Cold hooks] in ``turn.py``.

    Args:
        variable: The leaf.
        meter: Measures gradients.
    """

    __slots__ = (
        "_after",
        "_before",
        "_came",
        "_came_measured",
        "_how",
        "_looks",
        "_measured",
        "_meter",
        "_thread",
        "_variable",
        "_version",
    )

    def __init__(self, variable: torch.Tensor, meter: Meter) -> None:
        self._variable = variable
        self._meter = meter
        self._how: str | None = None
        self._looks = False

    def before(self, came: torch.Tensor | None, measured: Sequence[Measure | None]) -> None:
        """Looks at ``.grad`` as the turn begins.

        Args:
            came: The gradient that came.
            measured: What it measures; nothing where nothing is measured.
        """
        variable = self._variable
        before = _tensors.grad(variable)
        self._before = None if before is None else weakref.ref(before)
        self._how = None
        self._measured: Measure | None = None
        self._after: Measure | None = None
        if measured:
            (self._came_measured,) = measured
            self._version = None if came is None else _saved.version(came)
            self._measured = self._meter.measure(before)
        if _hooks.after_accumulation(variable):
            self._thread = threading.get_ident()
            self._came = None if came is None else (_tensors.address(came),)
            self._looks = True
            _hooks.look_before_those_after_accumulation(variable, self._look)

    def close(self) -> None:
        """Leaves the leaf's hooks as they were."""
        if self._looks:
            _hooks.look_no_more(self._variable, self._look)
            self._looks = False

    def after(self, came: torch.Tensor | None) -> None:
        """Looks at ``.grad`` when the turn is over.

        Args:
            came: The gradient that came.
        """
        hooked = self._how is not None
        if self._looks:
            self.close()
        grad = _tensors.grad(self._variable)
        if not hooked:
            took = None if grad is None or came is None else _tensors.same_memory(grad, came)
            self._how = self._found(grad, came is not None, took)
        if self._meter.measures:
            self._after = self._measure_after(grad, hooked)

    def accumulation(self) -> Accumulation | None:
        """Returns the record, once numbers may be read; ``None`` if the turn never ended."""
        if self._how is None:
            return None
        return Accumulation(self._how, finished(self._measured), finished(self._after))

    def _look(self) -> None:
        """See Note [Between accumulation and its hooks] in ``_torch/hooks.py``. A hook may start another backward."""
        if self._how is None and threading.get_ident() == self._thread:
            grad, came = _tensors.grad(self._variable), self._came
            here = None if grad is None else _tensors.address(grad)
            took = None if here is None or came is None or came[0] is None else came[0] == here
            self._how = self._found(grad, came is not None, took)

    def _found(self, grad: torch.Tensor | None, came: bool, took: bool | None) -> str:
        """What happened, given ``.grad``, whether a gradient came, and whether its memory is what ``.grad`` has.

        Of a subclass with code of its own the last isn't known.
        """
        if grad is None or not came:
            return "nothing"
        if self._before is not None:
            return "added" if self._before() is grad else "replaced"
        return "stole or copied" if took is None else "stole" if took else "copied"

    def _measure_after(self, grad: torch.Tensor | None, hooked: bool) -> Measure | None:
        """What was stolen is what came, unless a hook had it; not every change of a hook's raises its version."""
        if self._how == "stole" and not hooked and grad is not None and _saved.version(grad) == self._version:
            return self._came_measured
        return self._meter.measure_again(grad) if hooked else self._meter.measure(grad)
