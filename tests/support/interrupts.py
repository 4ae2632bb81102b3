"""Interrupts at every moment: what a test needs to show that the lab is right under ``KeyboardInterrupt``.

An interrupt comes between two bytecodes. ``interrupted(n, call)`` raises one before the n-th bytecode that runs in the
lab's own files, ``each_moment(call)`` at every one in turn. Coarser, but with a real signal and inside C too, are the
storms in ``test_storm.py``.
"""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import autograd_lab

LAB = str(Path(autograd_lab.__file__).parent)


class Interrupt(KeyboardInterrupt):
    """The test's own interrupt: ``except KeyboardInterrupt`` sees it, and it can't be taken for another one."""


def interrupted(moment: int, call: Callable[[], Any], *, within: str = LAB) -> bool:
    """Calls a function and interrupts it once.

    Args:
        moment: Before which bytecode, counted from 1, of those that run in the files chosen.
        call: The function.
        within: Only files whose path begins so count.

    Returns:
        Whether the call ran that long. The interrupt has come out of it: if not, the test has failed.
    """
    left = moment

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal left
        if not frame.f_code.co_filename.startswith(within):
            return None
        _wants_opcodes(frame, trace)
        if _is_moment(frame, event) and left > 0:
            left -= 1
            if left == 0:
                sys.settrace(None)
                raise Interrupt
        return trace

    before = sys.gettrace()
    came = False
    collects = gc.isenabled()
    gc.disable()  # Python prints what is raised in a collector's callback, hypothesis's own for one, and goes on
    _trace(trace)
    try:
        call()
    except Interrupt:
        came = True
    finally:
        sys.settrace(before)
        if collects:
            gc.enable()
    if came:
        _give_locks_back()
    assert came == (left == 0), f"the interrupt at moment {moment} was lost"
    return came


def _is_moment(frame: FrameType, event: str) -> bool:
    """Whether a bytecode is one of a line: those that only clean up, as in a generator that ends, notice no signal."""
    return event == "opcode" and frame.f_lineno is not None


def _wants_opcodes(frame: FrameType, function: Any) -> None:
    """Has a frame tell of each bytecode. Python 3.13 does so only if its function is set by then."""
    frame.f_trace = function
    frame.f_trace_opcodes = True
    frame.f_trace_lines = False


def _trace(function: Any) -> None:
    """Begins to trace each bytecode. Python 3.12 does so only if a frame has asked for that before."""
    sys._getframe().f_trace_opcodes = True
    sys.settrace(function)


_RLOCK = type(threading.RLock())


def _give_locks_back() -> None:
    """Releases those locks of the lab's modules that an interrupt left with this thread.

    A signal of the system's can't do that: Python handles it after a call or at a jump, and so neither before a
    ``with`` block has begun nor between its end and the lock's release. A trace function raises there too.
    """
    for name, module in tuple(sys.modules.items()):
        if name.startswith("autograd_lab"):
            for lock in vars(module).values():
                while isinstance(lock, _RLOCK) and lock._is_owned():
                    lock.release()


def each_moment(call: Callable[[], Any], *, step: int = 1, within: str = LAB) -> Iterator[int]:
    """Interrupts a call at each of its moments in turn, and yields after each, for the test to look around.

    Args:
        call: The function; is called anew each time.
        step: Only every so many moments, for long calls.
        within: As for ``interrupted``.
    """
    moment = 1
    while interrupted(moment, call, within=within):
        yield moment
        moment += step
    assert moment > 1, "nothing of the lab ran"


def first_moments(call: Callable[[], Any], *, without: tuple[str, ...] = ()) -> list[int]:
    """Returns the moments at which each bytecode of the lab's runs for the first time.

    Args:
        call: The function; is called once. It has to do the same each time.
        without: Folders and files of the lab that don't count: those that acquire nothing.
    """
    moment = 0
    first: dict[tuple[Any, int], int] = {}

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal moment
        name = frame.f_code.co_filename
        if not name.startswith(LAB):
            return None
        _wants_opcodes(frame, trace)
        if _is_moment(frame, event):
            moment += 1
            if not name.removeprefix(LAB).startswith(without):
                first.setdefault((frame.f_code, frame.f_lasti), moment)
        return trace

    before = sys.gettrace()
    _trace(trace)
    try:
        call()
    finally:
        sys.settrace(before)
    return sorted(first.values())
