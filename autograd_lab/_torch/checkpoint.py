"""What a checkpoint runs again, and under which settings.

Relies on, of torch:

- ``torch.utils.checkpoint._CheckpointFrame`` and its attribute ``recompute_fn``, which non-reentrant checkpointing sets
  in the forward and calls when the first of its saved tensors is asked for. Without it a recomputation would run under
  the settings of the backward. See Note [A recomputation has the forward's settings].

Note [A recomputation has the forward's settings]
Non-reentrant checkpointing runs the forward again in the backward, and takes the tensors that this saves, first to
first, second to second, for those that the forward saved. What is saved, and in which order, depends on the rules that
are on: ``mul`` saves its operands in one order, its rule in the other. With other rules the gradients are wrong, and
where the shapes happen to agree nobody notices. So whatever the rules are where the recomputation starts (the block may
be over, or another one open, or it may be another thread), it runs under those that the checkpoint's forward ran under.
Reentrant checkpointing needs no such thing: it makes a new graph and differentiates that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from torch.utils import checkpoint

from autograd_lab._torch.changes import Attribute

S = TypeVar("S")


class _Recomputation(Generic[S]):
    """Runs what a checkpoint runs again, under settings."""

    def __init__(
        self,
        function: Callable[..., Any],
        settings: S,
        under: Callable[[S, Callable[..., Any], tuple[Any, ...]], Any],
    ) -> None:
        self.function = function
        self.settings = settings
        self.under = under

    def __call__(self, *args: Any) -> Any:
        return self.under(self.settings, self.function, args)


def recomputations(
    here: Callable[[], S],
    under: Callable[[S, Callable[..., Any], tuple[Any, ...]], Any],
    elsewhere: S,
) -> Attribute:
    """Returns the change that has recomputations run under the forward's settings.

    Checkpoints whose forward runs while the change is made keep their settings when it is undone.

    Args:
        here: Returns the settings where it is called.
        under: Is called with settings, a function and its arguments, and calls it.
        elsewhere: The settings of a forward that ran before the change was made.
    """

    def get(frame: Any) -> _Recomputation[S]:
        function = vars(frame)["recompute_fn"]
        if isinstance(function, _Recomputation):
            return function
        return _Recomputation(function, elsewhere, under)

    def put(frame: Any, function: Callable[..., Any]) -> None:
        vars(frame)["recompute_fn"] = _Recomputation(function, here(), under)

    return Attribute(checkpoint._CheckpointFrame, "recompute_fn", property(get, put))
