"""Which hooks are there already, found without adding one; and the lab's own, which don't count among them.

Relies on:

- ``Tensor._backward_hooks`` and ``Tensor._post_accumulate_grad_hooks``: a tensor's own hooks. No public way.
- ``torch.utils.hooks.RemovableHandle.next_id``: whether there can be any. Without it capture takes longer.
- ``torch.autograd.function._HookMixin._register_hook``: see Note [Looking at a node's hooks].

Note [Looking at a node's hooks]
Torch has no way to list a node's hooks. But ``node.register_hook(f)`` and ``node.register_prehook(f)`` hand
the node's present dictionary of hooks (or ``None``) to the Python function ``_HookMixin._register_hook``, and
add to the node only once that has returned. Inside ``reading_allowed()``, that function is replaced
by one that knows a probe: given the probe it keeps the dictionary and raises, so that nothing is ever added.
Given anything else, from any thread, it does what it did before. (``registerFunctionHook`` in
``torch/csrc/autograd/python_cpp_function.cpp``.) Registering and removing instead would leave an empty
dictionary on every node for as long as the graph lives. That happens only where somebody else's function has taken the
place of this one in the meantime; the probe can be called like any hook and does nothing.

Note [The lab's own hooks]
A trace puts two hooks on every node. Registered as a user's are, they would take several microseconds each, and be
counted, so that every later capture would have to look at each node for hooks that a user may have registered. So the
replaced function puts them into the node's dictionary without a handle and without a number: the key is the object
whose method the hook is. It notes the dictionary before it puts a hook there, so that there's no moment at which a hook
is on a node and nobody knows where.

Note [Hooks that come while their node runs]
The engine hands a node's ``grad_outputs`` to its post-hooks only if it had post-hooks when its turn began
(``call_function`` in ``torch/csrc/autograd/engine.cpp``). A hook that is registered while the node runs, by what it
unpacks or by a Function's ``backward``, is called in the same turn, with ``()``. The lab's own hook would have it
called with the gradients. So in a dictionary that is there only because of the lab's hook, one that comes while the
node runs is called with ``()`` that one time.

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
import threading
from collections.abc import Callable, Iterable, Mapping
from types import MethodType
from typing import Any, Self, TypeAlias

import torch
from torch.autograd.function import _HookMixin
from torch.autograd.graph import Node
from torch.utils.hooks import RemovableHandle

from autograd_lab._torch import tensors as _tensors
from autograd_lab.hold import Hold

Hooks = Mapping[int, Callable[..., Any]]

_NONE: Hooks = {}

NEITHER: tuple[Hooks, Hooks] = (_NONE, _NONE)
"""What ``of_node`` gives for a node without hooks."""


class Own:
    """What has a pre-hook and a post-hook of the lab's, so that nobody else's are taken for them."""

    __slots__ = ()

    @property
    def runs(self) -> bool:
        """Whether its node is running in a backward of torch's: its pre-hook was called, and its post-hook not yet."""
        return False

    def before(self, grad_outputs: tuple[torch.Tensor | None, ...], /) -> None:
        """Is called with a node's ``grad_outputs`` before the node runs."""
        raise NotImplementedError

    def after(
        self, grad_inputs: tuple[torch.Tensor | None, ...], grad_outputs: tuple[torch.Tensor | None, ...], /
    ) -> None:
        """Is called with a node's ``grad_inputs`` and its ``grad_outputs`` when the node has run."""
        raise NotImplementedError


def is_own(hook: Any) -> bool:
    """Returns whether a hook is the lab's own."""
    return type(hook) is MethodType and isinstance(hook.__self__, Own)


class _Hooks(dict[Any, Any]):
    """A node's hooks, where there were none. ``RemovableHandle`` needs a dictionary that can be referred to weakly."""

    __slots__ = ("__weakref__",)


class _PostHooks(_Hooks):
    """The same for post-hooks. See Note [Hooks that come while their node runs]."""

    __slots__ = ()

    def __setitem__(self, key: Any, hook: Any) -> None:
        if not is_own(hook) and all(map(is_own, self.values())) and any(own.runs for own in self):
            hook = _Late(self, key, hook)
        super().__setitem__(key, hook)


class _Late:
    """A user's post-hook that came while its node ran. See Note [Hooks that come while their node runs]."""

    def __init__(self, hooks: _PostHooks, key: Any, hook: Callable[..., Any]) -> None:
        functools.update_wrapper(self, hook)  # torch says its name in errors
        self.hooks = hooks
        self.key = key
        self.hook = hook

    def __call__(self, grad_inputs: Any, _grad_outputs: Any) -> Any:
        __tracebackhide__ = True
        self.replace()
        return self.hook(grad_inputs, ())

    def replace(self) -> None:
        """Puts the user's hook in its place, if it wasn't removed."""
        if self.hooks.get(self.key) is self:
            dict.__setitem__(self.hooks, self.key, self.hook)


class _SeenError(Exception):
    """Leaves ``_register_hook`` with what it was given, before anything is registered."""


class _NoneSeenError(_SeenError):
    """The same where there was nothing: by far the most common case, and quicker to raise without an argument."""


def _probe(*_grads: object) -> None:
    """Marks a registration that is none. As a hook, it would do nothing."""


class _Placing:
    """A hook of the lab's on its way into a node's dictionary; `put` is every place that may have got one."""

    __slots__ = ("hook", "made", "own", "put")

    def __init__(self) -> None:
        self.put: list[tuple[Any, Own]] = []
        self.own: Own
        self.hook: Any
        self.made: type[_Hooks]

    def before(self, node: Any, own: Own) -> Any:
        """Puts a pre-hook on a node. What torch calls a handle is the dictionary here."""
        self.own, self.hook, self.made = own, own.before, _Hooks
        return node.register_prehook(self)

    def after(self, node: Any, own: Own) -> Any:
        """Puts a post-hook on a node."""
        self.own, self.hook, self.made = own, own.after, _PostHooks
        return node.register_hook(self)

    def place(self, hooks: Any) -> Any:
        """Puts the hook there. Noted first: see Note [The undo before the deed] in ``hold.py``."""
        hooks = self.made() if hooks is None else hooks
        self.put.append((hooks, self.own))
        hooks[self.own] = self.hook
        return hooks

    def take_off(self) -> None:
        """Takes every hook off again."""
        while self.put:
            hooks, own = self.put[-1]
            hooks.pop(own, None)
            if type(hooks) is _PostHooks and hooks:
                for hook in tuple(hooks.values()):
                    if type(hook) is _Late:  # the node raised, so it was never called
                        hook.replace()
            self.put.pop()


_lock = threading.RLock()
_readers: set[Hold] = set()
_door: tuple[Any, Any] = (None, None)
"""The function that knows the probe, and the one whose place it takes."""


class _Reading(Hold):
    """A reader of hooks. The first puts the function that knows the probe in place, the last takes it away."""

    def __enter__(self) -> Self:
        super().__enter__()
        self.add(self._shut)
        with _lock:
            _readers.add(self)
            _open()
        return self

    def _shut(self) -> None:
        with _lock:
            _readers.discard(self)
            if not _readers and vars(_HookMixin)["_register_hook"] is _door[0]:
                _HookMixin._register_hook = _door[1]  # type: ignore[method-assign]


def reading_allowed() -> Hold:
    """Returns a block in which `of_node` works. See Note [Looking at a node's hooks]."""
    return _Reading()


def _open() -> None:
    global _door  # noqa: PLW0603 - torch's function is shared by all threads too
    present = vars(_HookMixin)["_register_hook"]
    if present is not _door[0]:
        _door = _knowing_the_probe(present), present
        _HookMixin._register_hook = _door[0]  # type: ignore[method-assign]


def _knowing_the_probe(original: Any) -> Any:
    register = original.__func__

    def look(hooks: Any, hook: Any, probe: Any = _probe) -> Any:
        if hook is probe:
            if not hooks:
                raise _NoneSeenError
            raise _SeenError(hooks)
        if type(hook) is _Placing:
            hooks = hook.place(hooks)
            return hooks, hooks
        return register(hooks, hook)

    return staticmethod(look)


def put_on(held: Hold, nodes: Iterable[Node], own: Iterable[Own]) -> None:
    """Puts the lab's own hooks on nodes, behind those that are there. See Note [The lab's own hooks].

    Args:
        held: Takes them off again.
        nodes: The nodes.
        own: For each, whose ``before`` and ``after`` are its hooks.
    """
    placing = _Placing()
    held.add(placing.take_off)
    with reading_allowed():
        for node, each in zip(nodes, own, strict=True):
            placing.before(node, each)
            placing.after(node, each)


def put_before(held: Hold, node: Node, own: Own) -> Any:
    """Puts a pre-hook of the lab's on a node. Needs `reading_allowed`.

    Args:
        held: Takes it off again.
        node: The node.
        own: Whose ``before`` it is.

    Returns:
        The dictionary of all the node's pre-hooks.
    """
    placing = _Placing()
    held.add(placing.take_off)
    return placing.before(node, own)


def put_after(held: Hold, node: Node, own: Own) -> Any:
    """Does the same for a post-hook.

    Args:
        held: Takes it off again.
        node: The node.
        own: Whose ``after`` it is.

    Returns:
        The dictionary of all the node's post-hooks.
    """
    placing = _Placing()
    held.add(placing.take_off)
    return placing.after(node, own)


def none_yet() -> bool:
    """Returns whether no hook of any kind was ever registered in this process, so that there's none to look for.

    ``RemovableHandle.next_id`` counts them: whoever registers a hook from Python gets such a handle.
    """
    return RemovableHandle.next_id == 0


def registered() -> int:
    """Returns how many hooks of any kind were ever registered in this process: see ``none_yet``."""
    return RemovableHandle.next_id


def of_node(node: Node) -> tuple[Hooks, Hooks]:
    """Returns a node's pre-hooks and post-hooks.

    Args:
        node: Any backward node.

    Returns:
        Two mappings from the hook's number to the callable, in the order in which they fire; ``NEITHER`` itself
        where there are none.
    """
    before, after = pre_hooks(node), post_hooks(node)
    return NEITHER if before is _NONE and after is _NONE else (before, after)


def pre_hooks(node: Node) -> Hooks:
    """Returns what ``Node.register_prehook`` registered, in the order in which they fire."""
    return _looked_at(node.register_prehook)


def post_hooks(node: Node) -> Hooks:
    """Returns what ``Node.register_hook`` registered, in the order in which they fire."""
    return _looked_at(node.register_hook)


def _looked_at(register: Callable[..., Any]) -> Hooks:
    """See Note [Looking at a node's hooks]."""
    try:
        handle = register(_probe)
    except _NoneSeenError:
        return _NONE
    except _SeenError as seen:
        hooks: Hooks = seen.args[0]
        return hooks
    registered: Hooks = handle.hooks_dict_ref()
    handle.remove()
    return registered or _NONE


def of_tensor(tensor: torch.Tensor) -> Hooks:
    """Returns what ``Tensor.register_hook`` registered."""
    return tensor._backward_hooks or _NONE


def on_intermediate(tensor: torch.Tensor) -> bool:
    """Returns whether a tensor has hooks and isn't a leaf; quick, as it's asked of every saved tensor."""
    return (tensor.retains_grad or bool(tensor._backward_hooks)) and tensor.grad_fn is not None


def after_accumulation(tensor: torch.Tensor) -> Hooks | None:
    """Returns what ``Tensor.register_post_accumulate_grad_hook`` registered; ``None`` if it never did."""
    with _tensors.no_torch_function():
        return _after_accumulation(tensor)


_after_accumulation: Callable[[torch.Tensor], Hooks | None] = vars(torch._C.TensorBase)[
    "_post_accumulate_grad_hooks"
].__get__


class _Front:
    """A user's hook with those who look before it. See Note [Between accumulation and its hooks]."""

    def __init__(self, hook: Callable[..., Any]) -> None:
        functools.update_wrapper(self, hook)  # whoever asks what this hook is finds the user's
        self.hook = hook
        self.lookers: list[LookAt] = []

    def __call__(self, leaf: torch.Tensor) -> Any:
        __tracebackhide__ = True
        for look in tuple(self.lookers):
            look()
        return self.hook(leaf)


LookAt: TypeAlias = Callable[[], None]

_fronts = threading.RLock()


def look_before_those_after_accumulation(leaf: torch.Tensor, look: LookAt) -> None:
    """Has a function called when a leaf's gradient was accumulated, before the hooks of the user's that come then.

    Args:
        leaf: The leaf. Where it has no such hooks, nothing is done.
        look: Is called without arguments, in whichever thread and backward, until ``look_no_more``.
    """
    hooks: Any = after_accumulation(leaf)
    with _fronts:
        for number, first in tuple((hooks or _NONE).items())[:1]:
            front = first if isinstance(first, _Front) else _Front(first)
            front.lookers.append(look)
            hooks[number] = front


def look_no_more(leaf: torch.Tensor, look: LookAt) -> None:
    """Undoes ``look_before_those_after_accumulation``, if it was done.

    Args:
        leaf: The leaf.
        look: The function.
    """
    hooks: Any = after_accumulation(leaf)
    with _fronts:
        for number, front in tuple((hooks or _NONE).items()):
            if isinstance(front, _Front):
                front.lookers = [each for each in front.lookers if each != look]
                if not front.lookers and hooks.get(number) is front:
                    hooks[number] = front.hook
