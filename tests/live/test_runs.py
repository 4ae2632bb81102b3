"""What a thread says of itself, and that waiting for it has a bound."""

from __future__ import annotations

import time

import pytest

from autograd_lab.live.runs import Task, wait


@pytest.mark.parametrize("error", [None, ValueError(), SystemExit()])
def test_it_is_over_whatever_ends_it(error):
    running = Task()
    seen = []

    def function(*given):
        seen.append((given, running.over))
        if error:
            raise error

    if error:
        with pytest.raises(type(error)):
            running.call(function, 1, 2)
    else:
        running.call(function, 1, 2)
    assert seen == [((1, 2), False)]
    assert running.over


def test_a_wait_ends_with_what_runs_or_in_time():
    left = [True, True, False]
    wait(lambda: left.pop(0), time.monotonic() + 60)
    assert not left
    wait(lambda: True, time.monotonic() + 0.01)
