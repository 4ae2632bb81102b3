"""What is acquired for a while, and its release, right under an interrupt at any moment.

Relies on two things of CPython: a ``with`` statement looks up ``__exit__`` before it calls ``__enter__`` and keeps what
it found on the interpreter's stack alone; and an object without references is freed at once. Promises that whatever was
noted with `Hold.add` is undone exactly when the ``with`` statement is over, that no exception is replaced by one of the
release, and that there is no moment in between at which a ``KeyboardInterrupt`` leaves something acquired.

Note [The undo before the deed]
An undo is noted first, then the thing is acquired. So an undo has to be *idempotent*: right where the thing wasn't
acquired, was half acquired or is released already. ``set.discard`` is, ``list.remove`` isn't; "put the original back if
mine is there" is, "subtract one" isn't. Then an interrupt needs no care at any of the moments in between, and an undo
that was interrupted is called again.

Note [With blocks and interrupts]
Python looks for signals at the beginning of every Python function, so also of ``__exit__``: an interrupt there leaves a
``with`` statement without its exit. (The same holds for ``contextlib.contextmanager``, whose ``__exit__`` is a Python
function.) So ``__exit__`` is a descriptor. What the ``with`` statement finds is a partial made for it, which
nothing else refers to. Should the statement let go of it before the release was complete, because ``__enter__``,
the exit or an undo was interrupted, then a weak reference tells and the rest is released there. If the release
was complete, the weak reference is gone already: what it calls can raise nothing that anybody would see.
"""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self, overload

Undo = Callable[[], object]
_Leave = Callable[..., None]


class _Exit:
    """``__exit__`` of a `Hold`: see Note [With blocks and interrupts]."""

    @overload
    def __get__(self, hold: None, kind: type[Hold]) -> _Leave: ...
    @overload
    def __get__(self, hold: Hold, kind: type[Hold]) -> _Leave: ...
    def __get__(self, hold: Hold | None, kind: type[Hold]) -> _Leave:
        if hold is None:  # contextlib.ExitStack looks in the class
            return kind._leave
        return hold._exit()


class Hold:
    """A ``with`` block that releases what was acquired in it, last in first out.

    A block of its own kind derives from it, acquires in ``__enter__`` and calls ``super().__enter__()`` first.

    Example:
        >>> things = []
        >>> with Hold() as held:
        ...     held.add(things.clear)
        ...     things.append("acquired")
        >>> things
        []
    """

    def __init__(self) -> None:
        self._undos: list[Undo] = []
        self._entered = False
        self._let_go: weakref.ref[Any] | None = None

    def __enter__(self) -> Self:
        self._entered = True
        return self

    __exit__ = _Exit()

    def add(self, undo: Undo) -> None:
        """Notes what undoes the thing that is acquired next. See Note [The undo before the deed].

        Args:
            undo: Is called without arguments when the block is over; has to be idempotent.
        """
        self._undos.append(undo)

    def release(self) -> None:
        """Undoes everything that was noted. An undo that is interrupted is called again; no undo is left out.

        Raises:
            BaseException: The interrupt, or what the first undo that failed raised, after everything was undone.
        """
        failed: BaseException | None = None
        while self._undos:
            try:
                self._undos[-1]()
            except Exception as error:  # an undo that fails by itself would fail again
                failed = failed or error
            except BaseException as interrupt:
                failed = interrupt
                continue
            self._undos.pop()
        if failed is not None:
            raise failed

    def _exit(self) -> _Leave:
        """Returns what a ``with`` statement calls at its end, and has it noticed when that is let go of."""
        if self._entered:  # somebody looks at an attribute; the statement's own is on the stack already
            return functools.partial(type(self)._leave, self)
        exit_ = functools.partial(type(self)._leave, self)
        self._let_go = weakref.ref(exit_, lambda _: self._finish())
        return exit_

    def _leave(
        self,
        _kind: type[BaseException] | None = None,
        _error: BaseException | None = None,
        _traceback: TracebackType | None = None,
        /,
    ) -> None:
        """Ends the block."""
        self._finish()

    def _finish(self) -> None:
        self.release()
        self._entered = False
        self._let_go = None
