"""Captures deep graphs of many shapes and lets them go; for ``test_deep.py``, in a process of its own.

Arguments: how many levels, the KiB of stack of the thread that does it (0 for the main thread), and the shapes' names.
Prints each shape before it's let go of, and a last line if the interpreter is still alive.
"""

from __future__ import annotations

import random
import signal
import sys
import threading
import time

import torch

import autograd_lab as lab


class Twice(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        ctx.note = object()
        return x * 2.0

    @staticmethod
    def backward(ctx, grad):
        return grad * 2.0


def leaf():
    return torch.ones(2, requires_grad=True)


def grown(y, levels):
    for _ in range(levels):
        y = y * 1.0
    return y


# Each gives what is captured, and what a user might keep beside it.


def chain(levels):
    return grown(leaf(), levels), []


def middle_kept(levels):
    middle = grown(leaf(), levels // 2)
    return grown(middle, levels // 2), [middle]


def two_heads_on_a_trunk(levels):
    trunk = grown(leaf(), levels // 2)
    return [grown(trunk, levels // 2), grown(trunk, levels // 3)], [trunk]


def residual(levels):
    x = leaf()
    for _ in range(levels):
        x = x + torch.tanh(x) * 0.1
    return x, []


def stacked(levels):
    """As a recurrent network that returns all of its states: the root leads to every level."""
    states = [leaf()]
    for _ in range(levels):
        states.append(states[-1] * 1.0)
    return torch.stack(states).sum(), states[-1:]


def stacked_backwards(levels):
    states = [leaf()]
    for _ in range(levels):
        states.append(states[-1] * 1.0)
    return torch.stack(states[::-1]).sum(), []


def losses_summed(levels):
    """As a loss that grows step by step, while the state that it's computed from is kept for the next batch."""
    total, state = torch.zeros(2), leaf()
    for _ in range(levels):
        state = state * 1.0
        total = state + total
    return total, [state]


def losses_summed_backwards(levels):
    total, state = torch.zeros(2), leaf()
    for _ in range(levels):
        state = state * 1.0
        total = total + state
    return total, [state]


def functions(levels):
    y = leaf()
    for _ in range(levels):
        y = Twice.apply(y)
    return y, []


def squares(levels):
    y = leaf()
    for _ in range(levels):
        y = y * y
    return y, []


def views_changed_in_place(levels):
    base = leaf().clone()
    for _ in range(levels):
        base[:1].mul_(1.0)
    return base, []


def anything(levels):
    generator, pool = random.Random(0), [leaf() * 1.0 for _ in range(8)]
    for _ in range(3 * levels):
        a, b = generator.randrange(8), generator.randrange(8)
        pool[a] = pool[a] + pool[b] if generator.random() < 0.5 else pool[b] * 1.0
    return pool[:3], pool[3:]


SHAPES = (
    chain, middle_kept, two_heads_on_a_trunk, residual, stacked, stacked_backwards, losses_summed,
    losses_summed_backwards, functions, squares, views_changed_in_place, anything,
)  # fmt: skip


def let_go(shape, levels, *, kept_first):
    outputs, kept = shape(levels)
    started = time.perf_counter()
    graph = lab.capture(outputs)
    took = time.perf_counter() - started
    print(f"{shape.__name__}: {len(graph)} nodes, {took / len(graph) * 1e6:.1f} us each", flush=True)
    assert len(graph) >= levels // 2
    any_kept = bool(kept)
    del graph
    if kept_first:
        kept.clear()
    del outputs
    kept.clear()
    return any_kept


def again(levels):
    """Captured, grown, captured again, and captured from the middle."""
    middle = grown(leaf(), levels)
    lab.capture(middle)
    loss = grown(middle, levels)
    for _ in range(2):
        lab.capture(loss)
    lab.capture([middle, loss])
    print("again", flush=True)
    del loss
    lab.capture(middle)


def interrupted(levels):
    """Ctrl-C after a part of the time that a capture takes, and the loss let go of."""
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    started = time.perf_counter()
    lab.capture(grown(leaf(), levels))
    took = time.perf_counter() - started
    times = 0
    for part in (0.1, 0.5):
        loss = grown(leaf(), levels)
        try:
            signal.setitimer(signal.ITIMER_REAL, part * took)
            lab.capture(loss)
            signal.setitimer(signal.ITIMER_REAL, 0)
        except KeyboardInterrupt:
            times += 1
        print(f"interrupted {times} times", flush=True)
        del loss


def main(levels, names):
    if names == ["interrupted"]:
        interrupted(levels)
    for shape in SHAPES:
        wanted = not names or shape.__name__ in names
        if wanted and let_go(shape, levels, kept_first=False):
            let_go(shape, levels, kept_first=True)
    if not names:
        again(levels)
    print("alive")


if __name__ == "__main__":
    levels, stack, *names = sys.argv[1:]
    if int(stack):
        threading.stack_size(int(stack) << 10)
        thread = threading.Thread(target=main, args=(int(levels), names))
        thread.start()
        thread.join()
    else:
        main(int(levels), names)
