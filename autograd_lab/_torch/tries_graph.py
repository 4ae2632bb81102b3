"""Tries of what reading a graph relies on, on tensors of two numbers; each raises where torch behaves in another way.

They are run by ``autograd-lab doctor`` only. Relies on what ``grounds.py`` lists. Whatever a try puts in place it takes
away again. Nothing is imported from the lab: a module of it may be what can't be imported.
"""

# mypy: disable-error-code="no-untyped-call, attr-defined"

from __future__ import annotations

import weakref
from typing import Any

import torch


def leaf(value: float = 2.0) -> torch.Tensor:
    """Returns a leaf of two numbers."""
    return torch.tensor([value, value], requires_grad=True, device="cpu")


def node_of(tensor: torch.Tensor) -> Any:
    """Returns the node that made a tensor."""
    node = tensor.grad_fn
    assert node is not None
    return node


class Double(torch.autograd.Function):
    """Twice a tensor."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        """Saves its input."""
        ctx.save_for_backward(x)
        return x * 2

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        """Needs nothing that was saved."""
        del ctx
        return grads[0] * 2


def order() -> None:
    """A later node has a higher number, and a leaf's the highest."""
    x = leaf()
    first, second = node_of(x * 2), node_of(x * 2)
    assert first._sequence_nr() < second._sequence_nr() < 2**64 - 1
    assert first.next_functions[0][0]._sequence_nr() == 2**64 - 1
    assert first.next_functions[0][0] is second.next_functions[0][0]


def metadata_of_slots() -> None:
    """Each slot's shape, dtype and device."""
    (slot,) = node_of(leaf() * 2)._input_metadata
    assert (tuple(slot.shape), slot.dtype, str(slot.device)) == ((2,), torch.float32, "cpu")
    assert slot.is_cpp_nested_tensor is False


def leaf_node() -> None:
    """The type of a leaf's node, and its variable."""
    x = leaf()
    node: Any = node_of(x * 2).next_functions[0][0]
    assert type(node) is torch._C._functions.AccumulateGrad
    assert node.variable is x


def function_node() -> None:
    """The Function that a Python node came from."""
    node = node_of(Double.apply(leaf()))
    assert node._forward_cls is Double
    assert not hasattr(Double, "_lazy_backward_info")


def saved() -> None:
    """What was saved, read without unpacking; what a backward has freed says so."""
    x = leaf()
    y = x.exp()
    node = node_of(y)
    raw = node._raw_saved_result
    assert raw.data is not None
    assert raw.unpack_hook is None
    assert node._saved_result is not None
    y.sum().backward()
    try:
        _ = node._saved_result
    except RuntimeError as error:
        assert "after they have already been freed" in str(error)  # noqa: PT017 - no test of pytest's
    else:
        raise AssertionError
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: (tensor,), lambda packed: packed[0]):
        packed = node_of(x.exp())._raw_saved_result
    assert packed.unpack_hook is not None


def storages() -> None:
    """Which tensors share memory, and which is a view of which."""
    x = torch.zeros(2, device="cpu")
    view, other = x[:1], torch.zeros(2, device="cpu")
    assert torch._C._has_storage(x)
    assert view.untyped_storage()._cdata == x.untyped_storage()._cdata != other.untyped_storage()._cdata
    assert view._base is x
    before = x._version
    x.add_(1)
    assert x._version == view._version == before + 1


def sparse() -> None:
    """The stored values of a sparse tensor that isn't coalesced."""
    index, values = torch.tensor([[0, 0]], device="cpu"), torch.ones(2, device="cpu")
    tensor = torch.sparse_coo_tensor(index, values, (3,), check_invariants=False)
    assert tensor._values().tolist() == [1.0, 1.0]
    assert tensor._indices().tolist() == [[0, 0]]
    assert tensor._nnz() == 2
    assert not tensor.is_coalesced()


def subclass_detached() -> None:
    """A subclass's tensor can be detached without its code."""

    class Own(torch.Tensor):
        @classmethod
        def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            raise AssertionError(func)

    own = torch.ones(2, device="cpu").as_subclass(Own)
    with torch._C.DisableTorchFunction(), torch._C._DisableTorchDispatch():
        assert torch.Tensor.detach(own).shape == (2,)
    assert torch._C._get_privateuse1_backend_name()


def fake_tensors() -> None:
    """Tensors without data, as compiling and exporting use them, have a type of their own."""
    from torch._subclasses.fake_tensor import FakeTensor

    assert issubclass(FakeTensor, torch.Tensor)


def modes_put_aside() -> None:
    """A mode or subclass of the user's doesn't see what runs while both are put aside."""
    from torch.utils._python_dispatch import TorchDispatchMode, _push_mode

    seen = []

    class Mode(TorchDispatchMode):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            del types
            seen.append(func)
            return func(*args, **(kwargs or {}))

    class Sub(torch.Tensor):
        @classmethod
        def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            seen.append(func)
            return super().__torch_function__(func, types, args, kwargs)

    x, sub = torch.zeros(2, device="cpu"), torch.zeros(2, device="cpu").as_subclass(Sub)
    seen.clear()
    with Mode() as mode:
        assert torch._C._len_torch_dispatch_stack() == 1
        assert torch._C._get_dispatch_stack_at(0) is mode
        torch._C._pop_torch_dispatch_stack(None)
        try:
            with torch._C.DisableTorchFunction():
                _ = x + 1, sub.shape
        finally:
            _push_mode(mode)
    assert seen == []
    with torch.inference_mode(), torch._C._InferenceMode(False):
        assert not torch.is_inference_mode_enabled()


def hooks_read() -> None:
    """``register_hook`` hands the node's hooks to Python first, and adds none where that raises."""
    from torch.autograd import function

    seen: list[Any] = []
    mixin: Any = function._HookMixin
    original = vars(mixin)["_register_hook"]

    class LeaveError(Exception):
        pass

    def look(hooks: Any, hook: Any) -> Any:
        seen.append((hooks, hook))
        raise LeaveError

    node = node_of(leaf() * 2)
    for register in (node.register_hook, node.register_prehook):
        mixin._register_hook = staticmethod(look)
        try:
            register(print)
        except LeaveError:
            pass
        finally:
            mixin._register_hook = original
    assert seen == [(None, print), (None, print)]


def hooks_of_tensors() -> None:
    """A tensor's own hooks are dictionaries, or ``None``; the handles are counted."""
    x: Any = leaf()
    assert x._backward_hooks is None
    assert x._post_accumulate_grad_hooks is None
    assert type(torch.utils.hooks.RemovableHandle.next_id) is int


def edges_before_metadata() -> None:
    """A dying node lets go of its edges first, then of its metadata."""

    class Watched:
        pass

    died: list[str] = []
    inner, in_metadata = Watched(), Watched()
    watching = [
        weakref.ref(inner, lambda _: died.append("edge")),
        weakref.ref(in_metadata, lambda _: died.append("metadata")),
    ]
    below = Double.apply(leaf())
    node_of(below).inner = inner
    y = below * 2
    node: Any = node_of(y)
    node.metadata["tried"] = in_metadata
    del inner, in_metadata, below, node, y
    assert died == ["edge", "metadata"]
    del watching
