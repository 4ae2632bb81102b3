"""The random state that every call starts from.

Note [The same random numbers]
Every call starts from the same random state, so that a Function that draws (dropout) can be compared with anything.
Generators among the arguments are set to it too. A forward that draws from somewhere else (NumPy, the time) gives
another result in each run; then no check that needs two runs says anything, and the report says that instead.

The generators are seeded one by one. ``torch.manual_seed`` would do more: for each device that isn't in use yet it
queues a seed, which the user's own first call there would then meet.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable

import torch

from autograd_lab.hold import Hold


def seed_all(seed: int, more: Iterable[object] = ()) -> None:
    """Sets the generators of the CPU and of all devices in use, and those among some arguments."""
    for generator in _generators(more):
        generator.manual_seed(seed)


def keep_random_state(held: Hold, more: Iterable[object] = ()) -> None:
    """Leaves the random states of the CPU, of devices in use and of generators among some arguments as they were.

    Args:
        held: For how long.
        more: The arguments.
    """
    for generator in _generators(more):
        held.add(functools.partial(generator.set_state, generator.get_state()))


def _generators(more: Iterable[object]) -> list[torch.Generator]:
    own = [each for each in more if isinstance(each, torch.Generator)]
    return [torch.default_generator, *_of_devices(), *own]


def _of_devices() -> tuple[torch.Generator, ...]:
    if torch.accelerator.current_accelerator() is None:
        return ()
    module = torch.get_device_module()
    in_use = getattr(module, "is_initialized", lambda: False)()
    return tuple(getattr(module, "default_generators", ())) if in_use else ()
