"""A user's exception under the lab: the same object, unchanged but for the trace, whatever class it is."""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import weakref

import pytest
import torch

import autograd_lab as lab
from autograd_lab.exceptions import attach, described, origins, set_traceback, traceback


class UserError(Exception):
    """None of its methods may be called by the lab."""

    def refuse(self, *_):
        raise AssertionError("the lab ran a user's code")


class Plain(Exception):
    pass


@dataclasses.dataclass(frozen=True)
class Frozen(Exception):
    code: int = 3


class Slots(Exception):
    __slots__ = ("code",)


class NoRepr(UserError):
    __repr__ = __str__ = UserError.refuse


class NoSetattr(UserError):
    __setattr__ = UserError.refuse


class NoGetattr(UserError):
    __getattr__ = UserError.refuse


class NoHash(UserError):
    __eq__ = __hash__ = __bool__ = __len__ = UserError.refuse


class OfANastyArgument(Exception):
    def __init__(self):
        super().__init__("text", NoRepr())


class NoGetattribute(UserError):
    __getattribute__ = UserError.refuse


class AnErrorOfTorchs(RuntimeError):
    __str__ = UserError.refuse


class Property(UserError):
    autograd_lab_trace = property(UserError.refuse, UserError.refuse)


class Base(BaseException):
    pass


KINDS = [
    Plain, Frozen, Slots, NoRepr, NoSetattr, NoGetattr, NoHash, OfANastyArgument, AnErrorOfTorchs, Property,
    Base, StopIteration, GeneratorExit, KeyboardInterrupt, SystemExit, RuntimeError, KeyError,
]  # fmt: skip


ARGUMENTS = BaseException.__dict__["args"].__get__


def attributes(error):
    """An exception's own, whatever its class makes of ``__dict__``."""
    return BaseException.__dict__["__dict__"].__get__(error)


class Raises(torch.autograd.Function):
    """Its backward raises what it was given."""

    @staticmethod
    def forward(ctx, x, error, cause):
        ctx.error, ctx.cause = error, cause
        return x * 1

    @staticmethod
    def backward(ctx, grad):
        raise ctx.error from ctx.cause


def watched(loss):
    with lab.watch():
        loss.backward()


def watched_outside_of_what_is_traced(loss):
    with lab.watch(limit=0):
        loss.backward()


def watched_twice(loss):
    with lab.watch(), lab.watch(kernels=True, stats="full", keep="all"):
        torch.autograd.backward(loss)


def swapped(loss):
    with lab.swap():
        loss.backward()


WAYS = [
    lab.trace, watched, watched_twice, watched_outside_of_what_is_traced, swapped, lab.replay,
    lambda loss: lab.trace(loss, kernels=True, keep="all"),
]  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", KINDS)
def test_an_exception_comes_out_as_it_went_in(kind, way):
    error, cause = kind(), ValueError("cause")
    arguments, before = ARGUMENTS(error), set(attributes(error))
    x = torch.ones(2, requires_grad=True)
    caught = None
    try:
        way(Raises.apply(x, error, cause).sum())
    except BaseException as raised:
        caught = raised
    assert caught is error
    assert type(caught) is kind
    assert ARGUMENTS(caught) is arguments
    assert list(origins(caught)) == [cause]
    assert set(attributes(error)) - before <= {"autograd_lab_trace"}


@pytest.mark.parametrize("block", [lab.swap, lab.watch, lambda: lab.watch(limit=0)])
def test_a_block_asks_nothing_of_an_exception_that_ends_it(block):
    """Torch itself asks one that comes out of a Function."""
    error = NoGetattribute()
    caught = None
    try:
        with block():
            raise error
    except BaseException as raised:
        caught = raised
    assert id(caught) == id(error)  # pytest would ask it too, to show it


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("way", WAYS[:2])
def test_the_trace_is_attached_and_describes_it(kind, way):
    error = kind()
    x = torch.ones(2, requires_grad=True)
    with contextlib.suppress(kind):
        way(Raises.apply(x, error, None).sum())
    trace = attributes(error)["autograd_lab_trace"]
    assert len(trace.steps) == 2
    assert trace.error.startswith(kind.__name__ + "(")


def test_a_description_runs_no_code_of_the_users():
    assert described(NoRepr("text", 3)) == "NoRepr('text', 3)"
    assert described(OfANastyArgument()) == "OfANastyArgument('text', <NoRepr>)"
    for plain in (KeyError("w"), RuntimeError("a", 1, None), OSError(2, "gone"), KeyboardInterrupt()):
        assert described(plain) == repr(plain)


@pytest.mark.parametrize("kind", KINDS)
def test_what_reads_and_writes_an_exception_runs_none_of_its_code(kind):
    error, cause = kind(), ValueError("cause")
    with contextlib.suppress(kind):
        raise error from cause
    assert list(origins(error)) == [cause]
    assert traceback(error).tb_lineno
    set_traceback(error, None)
    assert traceback(error) is None
    attach(error, 3)
    assert attributes(error)["autograd_lab_trace"] == 3


@pytest.mark.parametrize("way", [*WAYS, torch.autograd.backward])
def test_a_backward_that_raises_leaves_no_circle(way):
    gc.collect()
    gc.disable()
    try:
        x = torch.ones(2, requires_grad=True)
        loss = (x * 1).sum()
        loss.grad_fn.next_functions[0][0].register_hook(lambda *_: 1 / 0)
        token = loss.grad_fn.metadata["token"] = Plain()
        held = weakref.ref(token), weakref.ref(x)
        with contextlib.suppress(ZeroDivisionError):
            way(loss)
        del loss, x, token
        assert [each() for each in held] == [None, None]
    finally:
        gc.enable()
