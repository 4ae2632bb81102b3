"""Tries of what running a backward and replacing kernels relies on: see ``tries_graph.py``.

Relies on what ``grounds.py`` lists.
"""

# mypy: disable-error-code="no-untyped-call, attr-defined"

from __future__ import annotations

import sys
from typing import Any

import torch
from torch.autograd.graph import GradientEdge

from autograd_lab._torch.tries_graph import Double, leaf, node_of


def engine_called() -> None:
    """All of torch's ways into a backward go through one function."""
    called = []
    native = torch.autograd._engine_run_backward

    def run(*args: Any, **kwargs: Any) -> Any:
        called.append(len(args))
        assert "accumulate_grad" in kwargs
        return native(*args, **kwargs)

    x = leaf()
    torch.autograd._engine_run_backward = run
    try:
        x.sum().backward()
        torch.autograd.backward(x.sum())
        torch.autograd.grad(x.sum(), x)
    finally:
        torch.autograd._engine_run_backward = native
    assert len(called) == 3
    assert min(called) >= 4


def which_backward() -> None:
    """A hook can tell which node runs, in which backward."""
    seen: list[Any] = []
    x = leaf()
    y = x * 2
    node = node_of(y)

    class Told:
        def before(self, _: Any) -> None:
            seen.append((torch._C._current_graph_task_id(), torch._C._current_autograd_node()))

    _hooked(node, Told().before)
    assert torch._C._current_graph_task_id() == -1
    assert torch._C._current_autograd_node() is None
    y.sum().backward()
    ((number, current),) = seen
    assert number >= 0
    assert current is node


def _hooked(node: Any, hook: Any) -> None:
    """Puts a pre-hook on a node without a handle, which would be counted as a user's."""
    from torch.autograd import function

    class Hooks(dict[Any, Any]):
        """One that can be referred to weakly."""

    mixin: Any = function._HookMixin
    original = vars(mixin)["_register_hook"]

    def put(hooks: Any, hook: Any) -> Any:
        hooks = Hooks() if hooks is None else hooks
        hooks["tried"] = hook
        return hooks, hooks

    mixin._register_hook = staticmethod(put)
    try:
        node.register_prehook(hook)
    finally:
        mixin._register_hook = original


def kept_by_thread() -> None:
    """What a thread stashes is there in a backward that it starts."""
    key, mark, seen = "autograd_lab: tried", object(), []
    y = leaf() * 2
    _hooked(node_of(y), lambda _: seen.append(torch._C._get_obj_in_tls(key)))
    torch._C._stash_obj_in_tls(key, mark)
    try:
        assert torch._C._is_key_in_tls(key)
        y.sum().backward()
    finally:
        torch._C._remove_obj_from_tls(key)
    assert seen == [mark]
    assert not torch._C._is_key_in_tls(key)


def not_transformed() -> None:
    """Outside of ``torch.func`` and ``torch.compile`` nothing says that they are at work."""
    from torch._guards import TracingContext

    functorch: Any = torch._C._functorch
    assert not functorch.is_legacy_batchedtensor(torch.ones(2, device="cpu"))
    assert TracingContext.try_get() is None


def transforms() -> None:
    """Whether a transform of ``torch.func`` is at work."""
    functorch: Any = torch._C._functorch
    assert not torch._C._are_functorch_transforms_active()
    functorch._grad_increment_nesting()  # what torch.func.grad does; importing that takes seconds
    try:
        inside = torch._C._are_functorch_transforms_active()
    finally:
        functorch._grad_decrement_nesting()
    assert inside
    assert not torch._C._are_functorch_transforms_active()


def forward_counted() -> None:
    """The number that the next node gets, read without making one."""
    before = torch._C._autograd._get_sequence_nr()
    node = node_of(leaf() * 2)
    assert node._sequence_nr() == before
    assert torch._C._autograd._get_sequence_nr() == before + 1
    assert torch._C._get_tracing_state() is None


def function_modes() -> None:
    """A mode is put on the thread's stack and taken off, and sees the calls between."""
    from torch.overrides import TorchFunctionMode

    seen = []

    class Mode(TorchFunctionMode):
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            del types
            seen.append(func)
            return func(*args, **(kwargs or {}))

    mode, depth = Mode(), torch._C._len_torch_function_stack()
    torch._C._push_on_torch_function_stack(mode)
    try:
        torch.add(torch.ones(1, device="cpu"), 1)
        assert torch._C._get_function_stack_at(depth) is mode
    finally:
        torch._C._pop_torch_function_stack()
    assert torch.add in seen
    assert torch._C._len_torch_function_stack() == depth


def gradient_mode() -> None:
    """Gradient mode can be set without an object that sets it back."""
    before = torch.is_grad_enabled()
    torch._C._set_grad_enabled(not before)
    try:
        assert torch.is_grad_enabled() is not before
    finally:
        torch._C._set_grad_enabled(before)


def module_hooks() -> None:
    """A hook in torch's table of hooks around all modules is called, also when a module raises."""
    from torch.nn.modules import module as modules

    class Fails(torch.nn.Module):
        def forward(self) -> None:
            raise ZeroDivisionError

    called: list[str] = []
    tables: tuple[Any, ...] = (
        modules._global_forward_pre_hooks,
        modules._global_forward_hooks,
        modules._global_forward_hooks_always_called,
    )
    key = object()
    tables[0][key] = lambda *_: called.append("before")
    tables[1][key] = lambda *_: called.append("after")
    tables[2][key] = True
    try:
        Fails()()
    except ZeroDivisionError:
        pass
    finally:
        for table in tables:
            del table[key]
    assert called == ["before", "after"]
    assert Fails._call_impl is torch.nn.Module._call_impl


def starts() -> None:
    """What an output's gradient starts as, with torch's own checks."""
    outputs = (leaf().sum(),)
    given = torch.autograd._tensor_or_tensors_to_tuple(None, 1)
    (start,) = torch.autograd._make_grads(outputs, given, is_grads_batched=False)
    assert start is not None
    assert start.item() == 1.0


def tensor_hooks() -> None:
    """The native engine, asked for the gradient of a slot that it's given, calls just the hooks of that slot."""
    y = leaf() * 2
    called: list[int] = []

    def hook(grad: torch.Tensor) -> torch.Tensor:
        called.append(1)
        return grad * 3

    hooks: Any = {}
    y._backward_hooks = hooks
    node_of(y)._register_hook_dict(y)
    hooks[0] = hook
    edges: Any = (GradientEdge(node_of(y), 0),)
    engine: Any = torch.autograd.Variable._execution_engine
    given = torch.ones(2, device="cpu")
    (got,) = engine.run_backward(
        edges, (given,), True, False, edges, allow_unreachable=True, accumulate_grad=False
    )
    assert called == [1]
    assert got.tolist() == [3.0, 3.0]


def nodes_called() -> None:
    """A node can be called by itself, and a Python Function's applied."""
    x, one = leaf(), torch.ones(2, device="cpu")
    assert node_of(x * 2)(one)[0].tolist() == [2.0, 2.0]
    result: Any = node_of(Double.apply(x)).apply(one)
    assert result.tolist() == [2.0, 2.0]
    assert one._use_count() == 1


def told_which_backward() -> None:
    """What torch's Python code asks of its backward it asks through names that can be replaced."""
    import inspect

    from torch.utils import checkpoint

    source = inspect.getsource(checkpoint)
    assert "torch._C._current_graph_task_id()" in source
    assert "torch.autograd._is_checkpoint_valid()" in source
    assert callable(torch._C._will_engine_execute_node)


def kernels_seen() -> None:
    """A mode sees each kernel of a backward, and the C++ stack says who runs it."""
    from torch.utils._python_dispatch import TorchDispatchMode

    seen: list[Any] = []

    class Mode(TorchDispatchMode):
        @classmethod
        def _should_skip_dynamo(cls) -> bool:
            return False

        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            del types
            if sys.platform == "linux":
                seen.append(torch._C._profiler.gather_traceback(python=False, script=False, cpp=True))
            return func(*args, **(kwargs or {}))

    y = (leaf() * 2).sum()
    with Mode():
        y.backward()
    if sys.platform == "linux":
        frames = [frame["name"] for stack in torch._C._profiler.symbolize_tracebacks(seen) for frame in stack]
        assert any("torch::autograd::Engine::execute(" in name for name in frames)
        assert any("torch::autograd::Node::operator()" in name for name in frames)


def flag_of_function() -> None:
    """Of the bytes of a Python Function's node exactly one is changed by its flag."""
    import ctypes

    node: Any = node_of(Double.apply(leaf()))
    seen = []
    for flag in (False, True):
        node.materialize_grads = flag
        seen.append(ctypes.string_at(id(node), type(node).__basicsize__))
    assert [(a, b) for a, b in zip(*seen, strict=True) if a != b] == [(0, 1)]
