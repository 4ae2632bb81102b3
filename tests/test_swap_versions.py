"""What changes an operand, or the result, between forward and backward: refused under a swap where PyTorch refuses it.

Torch counts the changes of each tensor that a node saves. A rule that saves what PyTorch's node saves is refused the
same. Where a rule saves something else, that is named here with the reason; and what isn't refused changes no gradient.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator

import models
import pytest
import torch
from torch.testing._internal.common_methods_invocations import op_db
from torch.utils._pytree import tree_flatten, tree_unflatten

import autograd_lab as lab

SHAPE = "PyTorch's node saves the input for its shape; the rule keeps the shape"
ENTRIES = {
    "abs": ["abs"],
    "adaptive_avg_pool": ["nn.functional.adaptive_avg_pool2d"],
    "add": ["add"],
    "addmm": ["addmm"],
    "amax": ["amax"],
    "avg_pool": ["nn.functional.avg_pool2d"],
    "batch_norm": ["nn.functional.batch_norm"],
    "bmm": ["bmm"],
    "clamp": ["clamp", "clamp_max", "clamp_min"],
    "convolution": ["nn.functional.conv2d", "nn.functional.conv_transpose2d"],
    "div": ["div"],
    "dropout": ["nn.functional.dropout"],
    "embedding": ["nn.functional.embedding"],
    "exp": ["exp"],
    "gather": ["gather"],
    "gelu": ["nn.functional.gelu"],
    "group_norm": ["nn.functional.group_norm"],
    "index_select": ["index_select"],
    "layer_norm": ["nn.functional.layer_norm"],
    "linear": ["nn.functional.linear"],
    "log": ["log"],
    "log_softmax": ["log_softmax"],
    "masked_fill": ["masked_fill"],
    "max_pool": ["nn.functional.max_pool2d"],
    "mean": ["mean"],
    "mm": ["mm"],
    "mse_loss": ["nn.functional.mse_loss"],
    "mul": ["mul"],
    "neg": ["neg"],
    "nll_loss": ["nn.functional.nll_loss"],
    "pow": ["pow", "__rpow__", "float_power"],
    "relu": ["nn.functional.relu"],
    "rms_norm": ["nn.functional.rms_norm"],
    "rsqrt": ["rsqrt"],
    "scaled_dot_product_attention": ["nn.functional.scaled_dot_product_attention"],
    "sigmoid": ["sigmoid"],
    "silu": ["nn.functional.silu"],
    "softmax": ["softmax"],
    "sqrt": ["sqrt"],
    "sub": ["sub", "rsub"],
    "sum": ["sum"],
    "tanh": ["tanh"],
    "var": ["var"],
    "where": ["where"],
}
"""Rule → the entries of ``op_db`` that come to it."""

ALLOWS_MORE = {
    "adaptive_avg_pool": SHAPE,
    "avg_pool": SHAPE,
    "gather": SHAPE,
    "max_pool": SHAPE,
    "nll_loss": SHAPE,
}
"""Rule → why it lets pass what PyTorch refuses."""

REFUSES_MORE = {
    "rms_norm": "PyTorch takes it apart into operations that save what they make of the input; the rule saves that",
    "scaled_dot_product_attention": "PyTorch takes some calls apart into operations that save scaled copies; the rule "
    "saves query and key",
}
"""Rule → why it refuses what PyTorch lets pass."""

NO_GRADIENT = {"batch_norm": (1, 2), "nll_loss": (2,)}
"""Rule → the places of tensors that have none: running statistics, weights of classes."""

REFUSED = "modified by an inplace operation"
RESULT = "result"


def outcome(call, values, wants, changed):
    """The gradients; what was refused; ``None`` where nothing can be changed or differentiated."""
    flat, shape = tree_flatten(values)
    leaves = [
        value.detach().clone().requires_grad_(i in wants) if isinstance(value, torch.Tensor) else value
        for i, value in enumerate(flat)
    ]
    given = [leaf.clone() if isinstance(leaf, torch.Tensor) else leaf for leaf in leaves]
    torch.manual_seed(0)
    made = call(tree_unflatten(given, shape))
    results = [
        each for each in tree_flatten(made)[0] if isinstance(each, torch.Tensor) and each.requires_grad
    ]
    if not results:
        return None
    if changed is not None:
        tensor = results[0] if changed == RESULT else given[changed]
        with torch.no_grad():
            tensor.logical_not_() if tensor.dtype is torch.bool else tensor.add_(1)
    try:
        grads = torch.autograd.grad(results, [leaves[i] for i in wants], list(map(torch.ones_like, results)))
    except RuntimeError as error:
        if REFUSED in str(error):
            return REFUSED
        raise
    return [models.raw_bytes(grad) for grad in grads]


def real(rule, values) -> tuple[int, ...]:
    """The indices of the operands that can have a gradient."""
    flat, _ = tree_flatten(values)
    return tuple(
        i
        for i, value in enumerate(flat)
        if isinstance(value, torch.Tensor)
        and value.is_floating_point()
        and i not in NO_GRADIENT.get(rule, ())
    )


def changes(rule, values) -> Iterator[tuple]:
    """Which operands need a gradient, all or one, and what is changed."""
    flat, _ = tree_flatten(values)
    tensors = [i for i, value in enumerate(flat) if isinstance(value, torch.Tensor)]
    places = real(rule, values)
    for wants in dict.fromkeys([places, *((i,) for i in places)]):
        for changed in [*tensors, RESULT]:
            yield wants, changed


def programs(rule, most) -> Iterator[tuple]:
    """The first samples of each entry that come to a rule (a dropout of nothing doesn't), natively and swapped."""
    for entry in (entry for entry in op_db if entry.name in ENTRIES[rule]):
        found = 0
        for sample in entry.sample_inputs("cpu", torch.float64):
            swap = lab.swap(rule)

            def native(given, entry=entry):
                args, kwargs = given
                return entry.op(*args, **kwargs)

            def swapped(given, swap=swap, native=native):
                with swap:
                    return native(given)

            values = ((sample.input, *sample.args), sample.kwargs)
            outcome(swapped, values, real(rule, values), None)
            if swap.calls:
                yield f"{entry.formatted_name} {sample.name}", values, native, swapped
                found += 1
            if found == most:
                break


def differences(rule, most):
    """How a rule's operations differ from PyTorch's on the first samples, and how many were tried."""
    found, tried = [], 0
    for name, values, native, swapped in programs(rule, most):
        unchanged = functools.cache(
            lambda wants, values=values, swapped=swapped: outcome(swapped, values, wants, None)
        )
        for wants, changed in changes(rule, values):
            expected = outcome(native, values, wants, changed)
            if expected is None:
                continue
            ours = outcome(swapped, values, wants, changed)
            tried += 1
            what = f"{name}: of {wants}, {changed} changed"
            if ours == REFUSED != expected:
                found.append(("refuses", what))
            elif expected == REFUSED != ours:
                found.append(("allows", what))
            if ours != REFUSED:
                assert ours == unchanged(wants), what
    return found, tried


@pytest.mark.filterwarnings("ignore:var.*degrees of freedom is")
@pytest.mark.parametrize("rule", list(ENTRIES))
def test_what_pytorch_refuses_is_refused(rule):
    found, tries = differences(rule, 2)
    assert tries
    assert {kind for kind, _ in found} == {
        *(["allows"] if rule in ALLOWS_MORE else []),
        *(["refuses"] if rule in REFUSES_MORE else []),
    }, found


def test_every_rule_is_tried():
    assert set(ENTRIES) == set(lab.functions.rules)
