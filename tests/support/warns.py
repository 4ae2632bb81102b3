"""A program that warns in every way that a program can: by its own hand and by torch's, in Python and in C++.

It's run as a script, with actions that ``warnings.simplefilter`` knows, and prints a line for each warning.
"""

from __future__ import annotations

import sys
import warnings

import torch
from torch import nn
from torch.nn import functional

LEVELS = range(-1, 14)


def say(what):
    for level in LEVELS:
        warnings.warn(f"{what}, level {level}", stacklevel=level)


class Warns(nn.Module):
    def forward(self, x):
        say("in a forward")
        warnings.warn("deprecated", DeprecationWarning, 2)
        return functional.softmax(x * 2)


class Double(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        say("in a Function's forward")
        return x * 2

    @staticmethod
    def backward(ctx, grad):
        say("in a Function's backward")
        float(grad.requires_grad_().sum())
        return grad.detach() * 2


class Asks(torch.Tensor):
    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        say("in a subclass")
        return super().__torch_function__(func, types, args, kwargs or {})


@torch.library.custom_op("autograd_lab_warns::copy", mutates_args=())
def copy(x: torch.Tensor) -> torch.Tensor:
    say("in an operator")
    return x.clone()


def hook(grad):
    say("in a hook")
    return grad * 1


def after(leaf):
    say("in a leaf's hook")


def hooked(module, args, output):
    say("in a module's hook")


def forward(x):
    float(x.sum())
    torch.tensor(x.sum())
    (x * 2).grad
    torch.ones(2, 2, 2).mT.T
    functional.softmax(x), functional.softmin(x), functional.dropout2d(x), nn.Softmax()(x)
    torch.ones(2).apply_(lambda value: (say("in a call from C++"), value)[1])
    f"{x.sum():.1f}"
    y = nn.Sequential(Warns(), nn.Sequential(Warns()))(x)
    y.as_subclass(Asks) + functional.relu(y.as_subclass(Asks))
    with torch.no_grad():
        nn.Sequential(Warns())(x)
    return y


def step():
    x = torch.ones(2, 3, requires_grad=True)
    with_hook = Warns()
    with_hook.register_forward_hook(hooked)
    y = Double.apply(forward(x)) + copy(x.detach()) + with_hook(x)
    y.register_hook(hook)
    x.register_post_accumulate_grad_hook(after)
    y.to(torch.complex64).real.sum().backward(retain_graph=True, create_graph=True)
    torch.autograd.grad(y.sum(), x, create_graph=True)
    x.grad = None


def main(action):
    def show(message, category, filename, lineno, file=None, line=None):
        print(category.__name__, filename, lineno, message, flush=True)

    torch.set_warn_always(True)
    warnings.showwarning = show
    warnings.simplefilter("ignore")
    step()  # what torch imports now changes the filters
    warnings.simplefilter(action)
    say("in a script")
    for _ in range(3):
        step()


if __name__ == "__main__":
    for each in sys.argv[1:]:
        main(each)
