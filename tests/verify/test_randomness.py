"""The same random numbers for each run, and the user's own afterwards."""

from __future__ import annotations

import torch

from autograd_lab.hold import Hold
from autograd_lab.verify.randomness import keep_random_state, seed_all


def drawn(*more: torch.Generator) -> list[float]:
    return [torch.rand(()).item(), *(torch.rand((), generator=each).item() for each in more)]


def test_a_seed_sets_every_generator():
    own = torch.Generator()
    with Hold() as held:
        keep_random_state(held, [own])
        seed_all(3, [own])
        first = drawn(own)
        assert drawn(own) != first
        seed_all(3, [own, "no generator"])
        assert drawn(own) == first


def test_the_state_is_put_back():
    own = torch.Generator()
    states = torch.get_rng_state(), own.get_state()
    with Hold() as held:
        keep_random_state(held, [1.0, own])
        seed_all(3, [own])
    assert all(map(torch.equal, (torch.get_rng_state(), own.get_state()), states))
