"""What of torch's own the lab relies on, feature by feature, and whether it is there.

Relies on nothing itself: names are looked up, so that what's missing is a finding and no error.

A *ground* is one or more private names of torch and how they behave. Whoever uses a feature asks `need` first, which
looks the names up, once: where one is gone, that is said in one line. ``autograd-lab doctor`` also tries how they
behave (`examine`). A test holds that every private name in the other modules of ``_torch/`` is in `GROUNDS`.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch

from autograd_lab._torch import tries_backward, tries_graph, tries_swap
from autograd_lab.errors import GroundError


class Ground(NamedTuple):
    """Names of torch's own and a try of how they behave; the features that rest on them."""

    features: tuple[str, ...]
    names: tuple[str, ...]
    look: Callable[[], None]


FEATURES = ("capture", "trace", "watch", "kernels", "Engine", "swap")

_RUNS = ("trace", "watch", "kernels", "Engine")
_GRAPH = ("capture", *_RUNS)
_NODE = "torch._C._functions.AccumulateGrad."
_FUNCTION = "torch._C._FunctionBase."
_TENSOR = "torch.Tensor."
_EXP = "torch._C._functions.ExpBackward0."
_SAVED = "torch._C._autograd.SavedTensor."
_DISPATCH = "torch.utils._python_dispatch."

GROUNDS = (
    Ground(_GRAPH, (_NODE + "_sequence_nr",), tries_graph.order),
    Ground(_GRAPH, (_NODE + "_input_metadata",), tries_graph.metadata_of_slots),
    Ground(_GRAPH, (_NODE + "variable",), tries_graph.leaf_node),
    Ground(_GRAPH, (), tries_graph.function_node),
    Ground(
        _GRAPH,
        (_EXP + "_saved_result", _EXP + "_raw_saved_result", _SAVED + "data", _SAVED + "unpack_hook"),
        tries_graph.saved,
    ),
    Ground(
        _GRAPH,
        ("torch._C._has_storage", "torch.UntypedStorage._cdata", _TENSOR + "_version", _TENSOR + "_base"),
        tries_graph.storages,
    ),
    Ground(_RUNS, (_TENSOR + "_values", _TENSOR + "_indices", _TENSOR + "_nnz"), tries_graph.sparse),
    Ground(
        _RUNS,
        ("torch._C._DisableTorchDispatch", "torch._C._get_privateuse1_backend_name"),
        tries_graph.subclass_detached,
    ),
    Ground(
        _GRAPH,
        (
            _DISPATCH + "_push_mode",
            "torch._C._InferenceMode",
            "torch._C.DisableTorchFunction",
            "torch._C._len_torch_dispatch_stack",
        ),
        tries_graph.modes_put_aside,
    ),
    Ground(_RUNS, ("torch._subclasses.fake_tensor.FakeTensor",), tries_graph.fake_tensors),
    Ground(_GRAPH, ("torch.autograd.function._HookMixin._register_hook",), tries_graph.hooks_read),
    Ground(
        _GRAPH,
        (
            _TENSOR + "_backward_hooks",
            _TENSOR + "_post_accumulate_grad_hooks",
            "torch.utils.hooks.RemovableHandle.next_id",
        ),
        tries_graph.hooks_of_tensors,
    ),
    Ground(_GRAPH, (_NODE + "metadata",), tries_graph.edges_before_metadata),
    Ground(
        ("trace", "watch", "kernels"), ("torch.autograd._engine_run_backward",), tries_backward.engine_called
    ),
    Ground(
        _RUNS,
        ("torch._C._current_graph_task_id", "torch._C._current_autograd_node"),
        tries_backward.which_backward,
    ),
    Ground(
        ("trace", "watch", "kernels"),
        (
            "torch._C._stash_obj_in_tls",
            "torch._C._is_key_in_tls",
            "torch._C._get_obj_in_tls",
            "torch._C._remove_obj_from_tls",
        ),
        tries_backward.kept_by_thread,
    ),
    Ground(
        ("trace", "watch", "kernels"),
        (
            "torch._C._functorch.is_legacy_batchedtensor",
            "torch._guards.TracingContext.try_get",
        ),
        tries_backward.not_transformed,
    ),
    Ground(
        ("trace", "watch", "kernels", "swap"),
        (
            "torch._C._are_functorch_transforms_active",
            "torch._C._functorch._grad_increment_nesting",
            "torch._C._functorch._grad_decrement_nesting",
        ),
        tries_backward.transforms,
    ),
    Ground(
        ("watch",),
        ("torch._C._autograd._get_sequence_nr", "torch._C._get_tracing_state"),
        tries_backward.forward_counted,
    ),
    Ground(
        ("watch",),
        (
            "torch._C._push_on_torch_function_stack",
            "torch._C._pop_torch_function_stack",
            "torch._GLOBAL_DEVICE_CONTEXT",
            "torch._C._len_torch_function_stack",
            "torch._C._get_function_stack_at",
        ),
        tries_backward.function_modes,
    ),
    Ground(
        ("watch",),
        (
            "torch.nn.modules.module._global_forward_pre_hooks",
            "torch.nn.modules.module._global_forward_hooks",
            "torch.nn.modules.module._global_forward_hooks_always_called",
            "torch.nn.modules.module._global_backward_pre_hooks",
            "torch.nn.modules.module._global_backward_hooks",
            "torch.nn.Module._call_impl",
        ),
        tries_backward.module_hooks,
    ),
    Ground(
        ("kernels",),
        (
            _DISPATCH + "TorchDispatchMode._should_skip_dynamo",
            "torch._C._get_dispatch_stack_at",
            "torch._C._pop_torch_dispatch_stack",
            "torch._C._push_on_torch_dispatch_stack",
            "torch._C._profiler.gather_traceback",
            "torch._C._profiler.symbolize_tracebacks",
        ),
        tries_backward.kernels_seen,
    ),
    Ground(
        ("Engine",),
        ("torch.autograd._make_grads", "torch.autograd._tensor_or_tensors_to_tuple"),
        tries_backward.starts,
    ),
    Ground(
        ("Engine",), ("torch.autograd.Variable._execution_engine.run_backward",), tries_backward.tensor_hooks
    ),
    Ground(("Engine",), (_TENSOR + "_use_count",), tries_backward.nodes_called),
    Ground(_RUNS, ("torch._C._set_grad_enabled",), tries_backward.gradient_mode),
    Ground(("Engine",), (), tries_backward.flag_of_function),
    Ground(
        ("Engine",),
        ("torch._C._will_engine_execute_node", "torch.autograd._is_checkpoint_valid"),
        tries_backward.told_which_backward,
    ),
    Ground(
        ("swap",),
        (
            "torch._C._ExcludeDispatchKeyGuard",
            "torch._C._IncludeDispatchKeyGuard",
            "torch._C._dispatch_has_kernel_for_dispatch_key",
            "torch.autograd.forward_ad._current_level",
            "torch._C._enter_dual_level",
            "torch._C._exit_dual_level",
        ),
        tries_swap.native_kernel,
    ),
    Ground(
        ("swap",),
        ("torch._C._dispatch_library", "torch.ops.aten.mul.Tensor._dispatch_cache"),
        tries_swap.kernel_replaced,
    ),
    Ground(
        ("watch", "swap"),
        (
            "torch.autograd.function.BackwardCFunction",
            "torch.nn.modules._functions.BackwardHookFunction",
        ),
        tries_swap.function_applied,
    ),
    Ground(("swap",), ("torch.utils.checkpoint._CheckpointFrame",), tries_swap.recomputed),
)
"""Everything that the modules of this folder list in their docstrings."""


def examine() -> Iterator[tuple[str, tuple[str, ...]]]:
    """Tries every ground.

    Yields:
        Each feature, and one line for each of its grounds that isn't there or behaves in another way.
    """
    failed = {ground: line for ground in GROUNDS if (line := _tried(ground)) is not None}
    for feature in FEATURES:
        yield feature, tuple(line for ground, line in failed.items() if feature in ground.features)


def need(feature: str) -> None:
    """Raises if something is gone that a feature relies on; looks once in a process.

    Args:
        feature: One of `FEATURES`.

    Raises:
        GroundError: A name is missing.
    """
    gone = _gone(feature)
    if gone is not None:
        raise GroundError(
            f"{feature} doesn't work with torch {torch.__version__}, which has no {gone}: "
            "`autograd-lab doctor` says what does"
        )


@functools.cache
def _gone(feature: str) -> str | None:
    for ground in GROUNDS:
        if feature in ground.features:
            for name in ground.names:
                if not _there(name):
                    return name
    return None


def _tried(ground: Ground) -> str | None:
    for name in ground.names:
        if not _there(name):
            return f"torch has no {name}"
    try:
        ground.look()
    except Exception as error:  # whatever it is, it's what was to be found out
        what = (ground.look.__doc__ or "").strip().rstrip(".")
        why = f" ({' '.join(str(error).split())})" if str(error) else ""
        return f"no longer so: {what}{why}"
    return None


def _there(name: str) -> bool:
    """Whether a dotted name leads somewhere; modules on the way are imported."""
    found: Any = torch
    path = "torch"
    for part in name.split(".")[1:]:
        path = f"{path}.{part}"
        if not hasattr(found, part):
            try:
                importlib.import_module(path)
            except ImportError:
                return False
        if not hasattr(found, part):
            return False
        found = getattr(found, part)
    return True
