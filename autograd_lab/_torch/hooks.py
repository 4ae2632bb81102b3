"""Which hooks are there already, found without adding one; and the lab's own, which don't count among them.

Relies on:

- ``Tensor._backward_hooks`` and ``Tensor._post_accumulate_grad_hooks``: a tensor's own hooks. No public way.
- ``torch.utils.hooks.RemovableHandle.next_id``: whether there can be any. Without it capture takes longer.
- ``torch.autograd.function._HookMixin._register_hook``: see Note [Looking at a node's hooks].

Note [Looking at a node's hooks]
Torch has no way to list a node's hooks. But ``node.register_hook(f)`` and ``node.register_prehook(f)`` hand
the node's present dictionary of hooks (or ``None``) to the Python function ``_HookMixin._register_hook``, and
add to the node only once that has returned. While ``reading_allowed`` is open, that function is replaced
by one that knows a probe: given the probe it keeps the dictionary and raises, so that nothing is ever added.
Given anything else, from any thread, it does what it did before. (``registerFunctionHook`` in
``torch/csrc/autograd/python_cpp_function.cpp``.) Registering and removing instead would leave an empty
dictionary on every node for as long as the graph lives.

Note [The lab's own hooks]
A trace puts two hooks on every node. Registered as a user's are, they would take several microseconds each, and be
counted, so that every later capture would have to look at each node for hooks that a user may have registered. So the
replaced function puts them into the node's dictionary without a handle and without a number: the key is the object
whose method the hook is.

Note [Between accumulation and its hooks]
What a leaf's ``AccumulateGrad`` did to ``.grad`` can only be seen before the user's post-accumulate hooks run: an
optimizer that steps in the backward sets ``.grad`` to ``None`` in one. There is no hook that torch calls earlier, and
none can be put in front: torch calls them in the order of the dictionary. So for the length of the leaf's turn the
first of them is replaced, in its place in the dictionary, by one that looks and then calls it. On leaves without such
hooks nothing is put.

Hooks on an intermediate *tensor* live in C++ where neither way reaches them; they are seen through a tensor
that can be had: an output, a named tensor or a saved one.
"""

from __future__ import annotations

import functools
import operator
import threading
from collections.abc import Callable, Iterable, Mapping
from types import MethodType
from typing import Any

import torch
from torch.autograd.function import _HookMixin
from torch.autograd.graph import Node
from torch.utils.hooks import RemovableHandle

Hooks = Mapping[int, Callable[..., Any]]

_NONE: Hooks = {}

NEITHER: tuple[Hooks, Hooks] = (_NONE, _NONE)
"""What ``of_node`` gives for a node without hooks."""


class Own:
    """What has a pre-hook and a post-hook of the lab's, so that nobody else's are taken for them."""

    __slots__ = ()

    def before(self, grad_outputs: tuple[torch.Tensor | None, ...], /) -> None:
        """Is called with a node's ``grad_outputs`` before the node runs."""
        raise NotImplementedError

    def after(
        self, grad_inputs: tuple[torch.Tensor | None, ...], grad_outputs: tuple[torch.Tensor | None, ...], /
    ) -> None:
        """Is called with a node's ``grad_inputs`` and its ``grad_outputs`` when the node has run."""
        raise NotImplementedError


def is_own(hook: Any) -> bool:
    """Says whether a hook is the lab's own."""
    return type(hook) is MethodType and isinstance(hook.__self__, Own)


class _Hooks(dict[Any, Any]):
    """A node's hooks, where there were none. ``RemovableHandle`` needs a dictionary that can be referred to weakly."""

    __slots__ = ("__weakref__",)


class _SeenError(Exception):
    """Leaves ``_register_hook`` with what it was given, before anything is registered."""


class _NoneSeenError(_SeenError):
    """The same where there was nothing: by far the most common case, and quicker to raise without an argument."""


def _probe() -> None:
    """Is never called: it only marks a registration that is none."""


class _Door:
    """Puts a function that knows the probe in place, and takes it away when the last reader has left."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.readers = 0
        self.original: Any = None

    def __enter__(self) -> None:
        with self.lock:
            self.readers += 1
            if self.readers == 1:
                self.original = vars(_HookMixin)["_register_hook"]
                _HookMixin._register_hook = _knowing_the_probe(self.original)  # type: ignore[method-assign]

    def __exit__(self, *_: object) -> None:
        with self.lock:
            self.readers -= 1
            if self.readers == 0:
                _HookMixin._register_hook = self.original  # type: ignore[method-assign]


def _knowing_the_probe(original: Any) -> Any:
    register = original.__func__

    def look(hooks: Any, hook: Any, probe: Any = _probe) -> Any:
        if hook is probe:
            if not hooks:
                raise _NoneSeenError
            raise _SeenError(hooks)
        if is_own(hook):
            hooks = _Hooks() if hooks is None else hooks
            hooks[hook.__self__] = hook
            return hooks, hooks
        return register(hooks, hook)

    return staticmethod(look)


reading_allowed = _Door()
"""The context in which ``of_node`` works. One for all threads: see Note [Looking at a node's hooks]."""


def put_on(nodes: Iterable[Node], own: Iterable[Own]) -> Callable[[], None]:
    """Puts the lab's own hooks on nodes, behind those that are there. See Note [The lab's own hooks].

    Args:
        nodes: The nodes.
        own: For each, whose ``before`` and ``after`` are its hooks.

    Returns:
        A function that takes them off again.
    """
    put: list[tuple[Any, Own]] = []

    def take_off() -> None:
        for hooks, each in put:
            del hooks[each]
        put.clear()

    try:
        with reading_allowed:
            for node, each in zip(nodes, own, strict=True):
                put.append((node.register_prehook(each.before), each))
                put.append((node.register_hook(each.after), each))
    except BaseException:
        take_off()
        raise
    return take_off


def none_yet() -> bool:
    """Says whether no hook of any kind was ever registered in this process, so that there's none to look for.

    ``RemovableHandle.next_id`` counts them: whoever registers a hook from Python gets such a handle.
    """
    return RemovableHandle.next_id == 0


def registered() -> int:
    """Gives how many hooks of any kind were ever registered in this process: see ``none_yet``."""
    return RemovableHandle.next_id


def of_node(node: Node) -> tuple[Hooks, Hooks]:
    """Gives a node's pre-hooks and post-hooks.

    Args:
        node: Any backward node.

    Returns:
        Two mappings from the hook's number to the callable, in the order in which they fire; ``NEITHER`` itself
        where there are none.
    """
    before, after = pre_hooks(node), post_hooks(node)
    return NEITHER if before is _NONE and after is _NONE else (before, after)


def pre_hooks(node: Node) -> Hooks:
    """Gives what ``Node.register_prehook`` registered, in the order in which they fire."""
    return _looked_at(node.register_prehook)


def post_hooks(node: Node) -> Hooks:
    """Gives what ``Node.register_hook`` registered, in the order in which they fire."""
    return _looked_at(node.register_hook)


def _looked_at(register: Callable[..., Any]) -> Hooks:
    """See Note [Looking at a node's hooks]."""
    try:
        register(_probe)
    except _NoneSeenError:
        return _NONE
    except _SeenError as seen:
        hooks: Hooks = seen.args[0]
        return hooks
    raise AssertionError("looking at hooks needs reading_allowed to be open: a probe was registered")


def of_tensor(tensor: torch.Tensor) -> Hooks:
    """Gives what ``Tensor.register_hook`` registered."""
    return tensor._backward_hooks or _NONE


def on_intermediate(tensor: torch.Tensor) -> bool:
    """Says whether a tensor has hooks and isn't a leaf; quick, as it's asked of every saved tensor."""
    return (tensor.retains_grad or bool(tensor._backward_hooks)) and tensor.grad_fn is not None


after_accumulation: Callable[[torch.Tensor], Hooks | None] = operator.attrgetter(
    "_post_accumulate_grad_hooks"
)
"""Gives what ``Tensor.register_post_accumulate_grad_hook`` registered; ``None`` if it never did.

No Python function, since a hook asks it of every leaf.
"""


class _Front:
    """A user's hook with those who look before it. See Note [Between accumulation and its hooks]."""

    def __init__(self, hook: Callable[..., Any]) -> None:
        functools.update_wrapper(self, hook)  # whoever asks what this hook is finds the user's
        self.hook = hook
        self.lookers: list[Callable[[], None]] = []

    def __call__(self, leaf: torch.Tensor) -> Any:
        __tracebackhide__ = True
        for look in tuple(self.lookers):
            look()
        return self.hook(leaf)


_fronts = threading.Lock()


def before_those_after_accumulation(
    leaf: torch.Tensor, look: Callable[[], None]
) -> Callable[[], None] | None:
    """Has a function called when a leaf's gradient was accumulated, before the hooks of the user's that come then.

    Args:
        leaf: The leaf.
        look: Is called without arguments, in whichever thread and backward.

    Returns:
        A function that undoes it; ``None`` if the leaf has no such hooks, so that nothing was done.
    """
    hooks: Any = after_accumulation(leaf)
    if not hooks:
        return None
    with _fronts:
        number, first = next(iter(hooks.items()))
        front = first if isinstance(first, _Front) else _Front(first)
        front.lookers.append(look)
        hooks[number] = front

    def undo() -> None:
        with _fronts:
            front.lookers.remove(look)
            if not front.lookers and hooks.get(number) is front:
                hooks[number] = front.hook

    return undo
