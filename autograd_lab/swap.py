"""Rules in, PyTorch's own out, and back again.

Relies on ``_torch/dispatch.py`` to put a kernel where PyTorch's autograd kernel was. So whatever reaches an operation
is swapped: a model's Python, an optimiser's, a composite written in C++, the second order of a PyTorch node. Promises
that gradients are those of the rules inside the block and PyTorch's outside, in every thread; that nothing stays
registered after the last block; and that what a swap doesn't take is counted, never computed otherwise.

Note [A registration is the process's, a setting the thread's]
The dispatcher has one table. While any thread is inside a swap, every thread's calls of that operation reach our
kernel. A context variable holds the blocks that are open *here*: in a new thread, none; in an asyncio task, those that
were open where the task was made. Where a rule is off, the kernel calls PyTorch's own, which makes PyTorch's own node.
Blocks that overlap share one registration, which goes with the last one. Threads of your own that should see the swap
open one themselves (or run in ``contextvars.copy_context()``).

Note [Blocks end in any order]
Two tasks that take turns, generators, an ``ExitStack`` or an exit in another thread end blocks in another order than
that in which they began. So a block says itself whether it is open, and what holds the blocks is a tuple that nobody
changes. A block that ends leaves the tuple where it ends; wherever else a context still holds it, it counts no more.

Note [What a swap leaves to PyTorch]
- A rule's own code: see Note [A rule's own operations are PyTorch's] in ``functions/rule.py``.
- Calls that a rule says aren't its own: an embedding with sparse gradients, say.
- Tensors that aren't plain: sparse, MKLDNN, nested or quantized ones, and those of a class of their own (fake tensors,
  ``DTensor``). See `dispatch.plain`.
- Compiled code. What is traced for compiling is PyTorch's: else a rule would stay in the compiled code after the block.
  A compiled function that has a backward is counted each time that it is called, as ``"CompiledFunction"``, whenever it
  was compiled. TorchScript's executor can differentiate for itself too, and tells nobody.
- Operations inside ``torch.func.grad``, ``jvp`` and their kin: a Function that starts in the middle of the dispatcher
  would lose a derivative when these are nested. ``torch.func.vmap`` alone is fine. Rules can be called by name there.
  A Python number in such an operation reaches no kernel in Python at all: torch raises, and the block says what to
  do.
- Composites (``linear``, ``dropout``) inside ``torch.func.vmap``: torch takes them apart before any kernel of ours, and
  nothing can count them. The operations that they are made of are swapped if their rules are on.
- Calls in which nothing can need a gradient or has a tangent: there's no node to make.
- ``out=`` forms: they have no gradient in PyTorch either. Tensors that are neither on the CPU nor on the accelerator.

Note [Operands that are changed]
Torch refuses a backward when a tensor that a node saved was changed since. Rules save what PyTorch's nodes save, so a
swapped program is refused where it would be without the swap. Except: pools, ``gather`` and ``nll_loss`` keep the
input's shape, for which PyTorch keeps the input, and let a change of it pass; it changes no gradient. ``rms_norm`` and
``scaled_dot_product_attention`` save their inputs, where PyTorch may save what it makes of them, and so refuse more.
"""

from __future__ import annotations

import functools
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from contextvars import ContextVar
from types import TracebackType
from typing import Any, TypeAlias, overload

from autograd_lab._torch import applied, changes, checkpoint, dispatch
from autograd_lab._torch.grounds import need
from autograd_lab.errors import SwapError, article, nearest
from autograd_lab.functions import Rule, rules
from autograd_lab.hold import Hold
from autograd_lab.swap_kernel import Setting, apply, apply_in_place, kernel


class _Exit:
    """``swap.__exit__``: the one of a block of its own for each ``with`` statement."""

    @overload
    def __get__(self, swapped: None, kind: type[swap]) -> Callable[..., None]: ...
    @overload
    def __get__(self, swapped: swap, kind: type[swap]) -> Callable[..., None]: ...
    def __get__(self, swapped: swap | None, kind: type[swap]) -> Callable[..., None]:
        return kind._end if swapped is None else swapped._begin().__exit__


class swap:  # noqa: N801 - read as a verb: ``with lab.swap("mul"):``
    """Makes those operations build the lab's own nodes instead of PyTorch's, in all code that runs inside.

    Args:
        names: Rules' names, as in `lab.functions.rules`, lists of them, or several in one text, ``"mul, pow"``;
            none, or ``"all"``, for every rule there is.

    Attributes:
        calls: How often each ATen operation was swapped, by overload name.
        left: How often one of these rules' operations was left to PyTorch where a gradient was at stake, because the
            rule doesn't take such a call or it ran inside ``torch.func``. See Note [What a swap leaves to PyTorch].

    Raises:
        SwapError: A name isn't a rule's, or a list is empty. When the block ends: a number met one of the operations
            inside ``torch.func.grad``.

    Source: PyTorch's dispatcher; the kernels are registered with ``torch.library``.

    Example:
        >>> import torch
        >>> import autograd_lab as lab
        >>> x = torch.tensor(3.0, requires_grad=True)
        >>> with lab.swap("mul", "pow") as swapped:
        ...     y = (2 * x) ** 2
        >>> y.grad_fn.name(), (2 * x).grad_fn.name()
        ('PowBackward', 'MulBackward0')
        >>> dict(swapped.calls)
        {'mul.Tensor': 1, 'pow.Tensor_Scalar': 1}
    """

    def __init__(self, *names: str | Iterable[str]) -> None:
        need("swap")
        chosen = [rule for given in names or (ALL,) for name in _names(given) for rule in _find(name)]
        self.calls: Counter[str] = Counter()
        self.left: Counter[str] = Counter()
        self._settings = {
            name: Setting(rule, adapt, way, self)
            for rule in chosen
            for way, forms in ((apply, rule.replaces), (apply_in_place, rule.in_place))
            for name, adapt in forms.items()
        }
        self._beginning: dict[int, _Block] = {}
        self.blocks: dict[_Block, None] = {}

    def __enter__(self) -> swap:
        block = self._beginning.pop(threading.get_ident(), None) or _Block(self._settings, self)
        block.__enter__()
        return self

    __exit__ = _Exit()

    def _begin(self) -> _Block:
        """Returns the block that this thread's next ``__enter__`` enters: ``with`` asks for the exit first."""
        block = self._beginning[threading.get_ident()] = _Block(self._settings, self)
        return block

    def _end(self, *error: Any) -> None:
        """Ends the block that was entered last, of those that are open here if there are any."""
        here = [block for block in _HERE.get() if block in self.blocks]
        for block in (here or list(self.blocks))[-1:]:
            block._leave(*error)


_Settings: TypeAlias = Mapping[str, Setting]


class _Block(Hold):
    """One ``with`` block of a `swap`, which may have several. See Note [Blocks end in any order]."""

    def __init__(self, settings: _Settings, owner: swap | None) -> None:
        super().__init__()
        self.settings = settings
        self.open = False
        self._owner = owner

    def __enter__(self) -> _Block:
        super().__enter__()
        self.add(self._close)
        if self._owner is not None:
            self._owner.blocks[self] = None
        changes.need(self, [*map(_registration, self.settings), _CHECKPOINTS, _COMPILED])
        self.open = True
        _HERE.set((*(block for block in _HERE.get() if block.open), self))
        return self

    def _leave(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        """Ends the block; one that was never entered stands for its swap's last: ``exit`` was called by hand."""
        if not self._entered and self._owner is not None:
            self._owner._end(kind, error, traceback)
            return
        super()._leave(kind, error, traceback)
        if error is not None and dispatch.number_in_a_transform(error):
            raise SwapError(
                "a number met a swapped operation inside torch.func.grad or its kin, where torch hides it; "
                "run the transform outside lab.swap, or make the number a tensor"
            ) from error

    def _close(self) -> None:
        self.open = False
        if self._owner is not None:
            self._owner.blocks.pop(self, None)
        if self in _HERE.get():
            _HERE.set(tuple(block for block in _HERE.get() if block.open))
        changes.let_go(self)


_HERE: ContextVar[tuple[_Block, ...]] = ContextVar("swaps", default=())


ALL = "all"
"""What stands for every rule there is."""


def _names(given: Any) -> Iterable[str]:
    """Returns the names in one argument: a text's, where commas part them, or those of a list of texts."""
    names = (given,) if not isinstance(given, list | tuple | Set | Iterator) else tuple(given)
    for name in names:
        if not isinstance(name, str):
            raise SwapError(
                f'{article(type(name).__name__)} is no rule\'s name; give names, as in lab.swap("mul", "pow"), or "all"'
            )
    if not names:
        raise SwapError(
            "there is no name in this list; give at least one, or no list for every rule there is"
        )
    return [part for name in names for part in _parts(name)]


def _parts(name: str) -> list[str]:
    """Returns what stands between commas; where nothing does, the whole text, which no rule is called."""
    return [part for part in map(str.strip, name.split(",")) if part] or [name]


def _find(name: str) -> tuple[type[Rule], ...]:
    if name == ALL:
        return tuple(rules.values())
    if name in rules:
        return (rules[name],)
    raise SwapError(f"there is no rule {name!r}; {nearest(name, (*sorted(rules), ALL))}")


def _setting(name: str) -> Setting | None:
    """Returns what becomes of an operation here: as the innermost open block says that speaks of it."""
    for block in reversed(_HERE.get()):
        if block.open and name in block.settings:
            return block.settings[name]
    return None


def _settings_here() -> tuple[_Settings, ...]:
    return tuple(block.settings for block in _HERE.get() if block.open)


def _under(settings: tuple[_Settings, ...], function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    """Calls a function with these blocks open, and no others."""
    if settings == _settings_here():
        return function(*args)
    with Hold() as held:
        here = _HERE.get()
        held.add(lambda: _HERE.set(here))
        _HERE.set(())
        for each in settings:
            block = _Block(each, None)
            held.add(block.release)
            block.__enter__()
        return function(*args)


def _count_compiled(function: type) -> None:
    """Counts a call of compiled code in every block that is open here."""
    if not applied.is_compiled(function):
        return
    for settings in _settings_here():
        for setting in settings.values():
            setting.owner.left[function.__name__] += 1
            break


_NOTHING: tuple[_Settings, ...] = ()
_CHECKPOINTS = checkpoint.recomputations(_settings_here, _under, _NOTHING)
_COMPILED = applied.Noticing(_count_compiled)


@functools.cache
def _registration(name: str) -> dispatch.Registration:
    """See Note [A registration is the process's, a setting the thread's]."""
    return dispatch.Registration(name, kernel(name, _setting))
