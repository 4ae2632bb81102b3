"""What is changed in torch for the whole process, as long as anybody needs it.

Relies on nothing of torch's itself. Promises that a change is there from the moment when the first `need` of it returns
until `let_go` of the last returns, in whatever order those who need it come and go, in whatever thread, and that an
interrupt at any moment leaves no change behind.

Note [Who needs a change]
Counting those who need a change would go wrong under an interrupt: was one added before it, or not? So there are no
counts. A table says who needs what; what is made is then brought to agree with it, by whoever changed the table. To
make or undo a change twice does no harm, so an interrupt anywhere is mended by the next to come: the interrupted
block's own undo, at the latest.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any, Protocol

from autograd_lab.hold import Hold


class Change(Protocol):
    """A change that can be made and undone; to do so again, or after half of it was done, is right too."""

    def make(self) -> None:
        """Makes the change."""

    def undo(self) -> None:
        """Puts back what was there before."""


class Attribute:
    """A class's attribute, set for a while; a `Change`.

    Args:
        owner: The class.
        name: The attribute's name; the class itself has none of this name.
        value: What it becomes.
    """

    def __init__(self, owner: type, name: str, value: Any) -> None:
        self._owner = owner
        self._name = name
        self._value = value

    def make(self) -> None:
        """Sets the attribute, unless somebody else has set it."""
        if self._name not in vars(self._owner):
            setattr(self._owner, self._name, self._value)

    def undo(self) -> None:
        """Removes the attribute, if it is still this one."""
        if vars(self._owner).get(self._name) is self._value:
            delattr(self._owner, self._name)


_NEEDED: dict[object, tuple[Change, ...]] = {}
_MADE: dict[Change, None] = {}
_LOCK = threading.RLock()  # a block may end within another's beginning: by a collection, say


def need(who: object, changes: Iterable[Change]) -> None:
    """Makes changes, those that aren't made yet.

    Args:
        who: Who needs them, told by its identity; to be given to `let_go`.
        changes: The changes.
    """
    _NEEDED[who] = tuple(changes)
    _agree()


def let_go(who: object) -> None:
    """Undoes those changes that nobody else needs; does nothing where ``who`` needs none."""
    _NEEDED.pop(who, None)
    _agree()


def _agree() -> None:
    """Brings what is made to agree with what is needed. See Note [Who needs a change]."""
    with Hold() as held:
        held.add(_unlock)
        _LOCK.acquire()
        needed = {change: None for changes in list(_NEEDED.values()) for change in changes}
        for change in list(_MADE):
            if change not in needed:
                change.undo()
                _MADE.pop(change, None)
        for change in needed:
            _MADE[change] = None
            change.make()


def _unlock() -> None:
    try:
        _LOCK.release()
    except RuntimeError:  # it wasn't acquired, or is released already
        return
