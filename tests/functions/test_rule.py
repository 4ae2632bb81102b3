"""What every rule must hold, generated from its samples: a new rule needs no new test."""

from __future__ import annotations

import inspect
import sys
import weakref

import agreement
import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from autograd_lab.functions import Rule, formula, in_own_code, rules
from autograd_lab.functions.rule import rule as enter
from autograd_lab.functions.unbroadcast import fit, like

DTYPES = (torch.float64, torch.complex128, torch.float32, torch.complex64, torch.float16, torch.bfloat16)
EXACT = (torch.float64, torch.complex128)
QUICK = (*EXACT, torch.float32)
"""What the default run takes; the sweep takes the others too."""

ROOM = {
    "layer_norm": 16,  # what goes through a norm nearly cancels; PyTorch's double backward is another formula
    "batch_norm": 16,  # likewise
    "group_norm": 16,  # likewise
    "rms_norm": 16,  # likewise
    "convolution": 8,  # a sum over taps and channels, in another order
    "addmm": 16,  # a product of batches under vmap becomes one larger product, whose sums BLAS orders otherwise
}
"""Roundings of the largest number that a rule may be from PyTorch, where `agreement.ULPS` doesn't do; and why."""


def room(rule, sample):
    """Those of the rule; where ``masked_fill`` puts in a number of a finer dtype, roundings of the coarser one.

    The number's gradient is a sum in the tensor's dtype. Over a batch PyTorch sums from 2.14 on in the number's.
    """
    finenesses = {torch.finfo(v.dtype).eps for v in sample.args if agreement.measured_in(v)}
    of_coarser = max(finenesses) / min(finenesses) if rule.name == "masked_fill" and finenesses else 1
    return ROOM.get(rule.name, 0) if of_coarser == 1 else of_coarser


ALL = (agreement.reverse, agreement.forward, agreement.mapped)
NOT_RIGHT_IN_PYTORCH = {
    ("embedding", "a padding row"): (agreement.reverse, agreement.forward),
    ("embedding", "indices of 32 bits"): (agreement.reverse, agreement.forward),
    ("embedding", "by frequency"): (agreement.gradients, agreement.forward),
    ("embedding", "none"): (agreement.gradients, agreement.forward, agreement.mapped),
}
"""By rule and sample, what can be compared where PyTorch itself isn't right in the rest.

- An embedding under vmap forgets its ``padding_idx``, and counts frequencies over the whole batch; the second order
  forgets ``scale_grad_by_freq``, and raises if there are no indices. ``test_lookup.py`` has the truth.
"""


def cases(dtypes, quick=QUICK):
    for rule in rules.values():
        for dtype in dtypes:
            for sample in rule.samples(dtype):
                name = f"{rule.name}-{str(dtype).removeprefix('torch.')}-{sample.name}"
                marks = () if dtype in quick else pytest.mark.sweep
                yield pytest.param(rule, sample, id=name.replace(" ", "_"), marks=marks)


def checkable(sample):
    """Whether finite differences can check it: they need a smooth function and double precision."""
    return sample.smooth and all(v.dtype in EXACT for v in sample.args if isinstance(v, torch.Tensor))


def exception(rule, sample):
    """Where PyTorch's own forward mode isn't right, so that a rule can't equal it; the reverse modes always count.

    - A real base to a complex power: PyTorch's tangent lacks the imaginary part (``handle_r_to_c`` in
      ``pow_backward_self`` is for gradients). The next test shows it.
    - ``clamp`` on a bound that's a tensor, and where anything is NaN: PyTorch's tangent goes to the bound and its
      gradient to the tensor (up to 2.13), or NaN is masked in another way (from 2.14 on).
    - A complex number plus or minus a real tensor: PyTorch's tangent is real though the result is complex.
    """
    if rule.name == "clamp" and not sample.smooth:
        return any(isinstance(bound, torch.Tensor) for bound in sample.args[1:])
    if rule.name == "pow":
        first, second = sample.args
        return (
            isinstance(second, torch.Tensor)
            and second.is_complex()
            and isinstance(first, torch.Tensor)
            and not first.is_complex()
        )
    first, second = (*sample.args, None)[:2]
    return rule.name in ("add", "sub") and isinstance(first, complex) and not second.is_complex()


def test_a_real_base_to_a_complex_power_has_the_whole_tangent():
    x, y = torch.tensor([1.5], dtype=torch.float64), torch.tensor([0.5 + 1j], dtype=torch.complex128)
    slope = (torch.pow(x + 1e-6, y) - torch.pow(x - 1e-6, y)) / 2e-6

    def tangent(function):
        with torch.autograd.forward_ad.dual_level() as _:
            dual = torch.autograd.forward_ad.make_dual(x, torch.ones_like(x))
            return torch.autograd.forward_ad.unpack_dual(function(dual, y)).tangent

    assert torch.allclose(tangent(rules["pow"].apply), slope)
    assert not torch.allclose(tangent(torch.pow), slope)  # if this fails, torch is mended: drop the exception


def mappable(rule, sample):
    """Where PyTorch's own vmap gives gradients.

    It doesn't for ``clamp`` between two tensors, one of which has a batch: its backward ands masks of different shapes
    in place (``clamp_backward``). ``test_clamp.py`` shows it, and checks the rule against another oracle.
    """
    return rule.name != "clamp" or not all(isinstance(bound, torch.Tensor) for bound in sample.args[1:])


@pytest.mark.filterwarnings("ignore:There is a performance drop:UserWarning")  # vmap of torch's masked_fill
# PyTorch's own mse_loss warns so in its backward, under a vmap over one of its operands:
@pytest.mark.filterwarnings("ignore:An output with one or more elements was resized")
@pytest.mark.parametrize(("rule", "sample"), list(cases(DTYPES)))
def test_equals_pytorch(rule, sample):
    left_out = []
    if not mappable(rule, sample):
        left_out.append(agreement.mapped)
    if exception(rule, sample):
        left_out.append(agreement.forward)
    parts = [part for part in NOT_RIGHT_IN_PYTORCH.get((rule.name, sample.name), ALL) if part not in left_out]
    agreement.agree(rule.apply, rule.forward, sample.args, rule.name, parts, room=room(rule, sample))


@pytest.mark.parametrize(
    ("rule", "sample"),
    [case for case in cases(EXACT, quick=(torch.float64,)) if checkable(case.values[1])],
)
def test_finite_differences(rule, sample):
    inputs = agreement.leaves(sample.args)

    def function(*given):
        there = {id(was): now for was, now in zip(inputs, given, strict=True)}
        return rule.apply(*(there.get(id(v), v) for v in sample.args))

    assert gradcheck(function, inputs, check_forward_ad=True, check_batched_grad=True)
    # Along random directions, which takes a third of the time of one element after another.
    assert gradgradcheck(function, inputs, check_fwd_over_rev=not exception(rule, sample), fast_mode=True)


@pytest.mark.parametrize("rule", rules.values(), ids=rules)
def test_is_complete(rule):
    assert list(rule.samples(torch.float64))
    parameters = inspect.signature(inspect.unwrap(rule.forward)).parameters
    assert set(rule.formula) <= {*parameters, "result"}
    assert "result" in rule.formula
    assert ".. math::" in rule.__doc__
    assert "Source:" in rule.__doc__


@pytest.mark.parametrize("dtype", EXACT)
@pytest.mark.parametrize("rule", rules.values(), ids=rules)
def test_the_formula_is_what_backward_computes(rule, dtype):
    parameters = inspect.signature(inspect.unwrap(rule.forward)).parameters
    names = list(parameters)
    sample = next(iter(rule.samples(dtype)), None)
    if sample is None:  # PyTorch doesn't have the operation for this dtype
        assert dtype.is_complex
        return
    values = agreement.fresh(sample.args)
    result, *others = agreement.outputs(rule.apply(*values))
    known = {
        **vars(formula),
        **vars(sys.modules[rule.__module__]),
        "result": result.detach(),
        **{f"result{i}": other for i, other in enumerate(others, 1)},
        "grad": agreement.noise(result, 1),
    }
    known |= {name: parameter.default for name, parameter in parameters.items()}
    known |= {
        name: v.detach() if isinstance(v, torch.Tensor) else v for name, v in zip(names, values, strict=False)
    }
    grads = torch.autograd.grad(result, agreement.leaves(values), known["grad"])
    differentiable = [name for name in names if name in rule.formula]
    for name, grad in zip(differentiable, grads, strict=True):
        found = eval(rule.formula[name], known)
        wanted = like(known[name])  # what the formulas leave out: see Note [Unbroadcast]
        agreement.assert_same(fit(found, wanted), grad, name, room=ROOM.get(rule.name, 0))
    tangents = {name: agreement.noise(known[name], 7) for name in differentiable}
    known |= {f"{name}_t": tangents[name] for name in tangents}
    wanted = agreement.forward(rule.apply, sample.args)[-1]
    agreement.assert_same(eval(rule.formula["result"], known), wanted, "result", room=ROOM.get(rule.name, 0))


@pytest.mark.parametrize("rule", rules.values(), ids=rules)
def test_computes_what_needs_a_gradient_and_nothing_else(rule):
    for sample in rule.samples(torch.float64):
        values = agreement.fresh(sample.args)
        result, *others = agreement.outputs(rule.apply(*values))
        if result.requires_grad:
            grads = result.grad_fn.apply(torch.ones_like(result), *(None for _ in others))
            grads = grads if isinstance(grads, tuple) else (grads,)
            needed = [isinstance(v, torch.Tensor) and v.requires_grad for v in values]
            assert [grad is not None for grad in grads][: len(needed)] == needed, sample.name


@pytest.mark.parametrize("rule", rules.values(), ids=rules)
def test_changes_nothing(rule):
    for sample in rule.samples(torch.float64):
        values = agreement.fresh(sample.args)
        before = [v.detach().clone() if isinstance(v, torch.Tensor) else v for v in values]
        result = agreement.outputs(rule.apply(*values))[0]
        result.backward(torch.ones_like(result))
        for was, now in zip(before, values, strict=True):
            if isinstance(was, torch.Tensor):
                same = (was == now) | (was.isnan() & now.isnan())
                assert same.all(), sample.name


@pytest.mark.parametrize("rule", rules.values(), ids=rules)
def test_frees_what_it_saved(rule):
    values = [
        v.clone() if isinstance(v, torch.Tensor) else v for v in next(iter(rule.samples(torch.float64))).args
    ]
    result = agreement.outputs(rule.apply(*values))[0]
    result.sum().backward()
    known = [weakref.ref(v) for v in values if isinstance(v, torch.Tensor)]
    assert known
    values.clear()  # the result is still there: its node must not hold them
    assert [ref() for ref in known] == [None] * len(known)


def test_saves_what_pytorchs_node_saves():
    x, y = torch.ones(2, requires_grad=True), torch.ones(2)
    assert [t is not None for t in rules["mul"].apply(x, y).grad_fn.saved_tensors] == [False, True]
    assert [t is not None for t in rules["pow"].apply(x, y).grad_fn.saved_tensors] == [True, True, True]
    assert not any(t is not None for t in rules["sub"].apply(x, y, 1).grad_fn.saved_tensors)


def test_a_rule_of_your_own_says_all_that_a_rule_must():
    class Half(Rule):
        name = "half"

    with pytest.raises(ValueError, match="rule Half has no replaces, formula, samples, forward"):
        enter(Half)


def test_what_a_familys_base_writes_is_a_rules_own_code():
    ran = []

    class Family(Rule):
        @classmethod
        def backward(cls, ctx, grad):
            ran.append((cls.name, in_own_code()))
            return grad

    parts = {k: v for k, v in vars(rules["abs"]).items() if not k.startswith("__") and k != "backward"}
    members = [
        type(name, (Family,), parts | {"name": name, "replaces": {name: None}, "in_place": {}})
        for name in ("asin", "acos")
    ]
    try:
        for member in members:
            enter(member)
        for member in members:
            member.apply(torch.ones(1, requires_grad=True)).backward()
    finally:
        for member in members:
            rules.pop(member.name, None)
    assert ran == [("asin", True), ("acos", True)]


def test_a_name_or_an_operation_is_taken_once():
    parts = {k: v for k, v in vars(rules["abs"]).items() if not k.startswith("__")}
    with pytest.raises(ValueError, match="there is a rule 'abs' already"):
        enter(type("Again", (Rule,), parts))
    with pytest.raises(ValueError, match="rule 'abs' stands for 'abs' already"):
        enter(type("Again", (Rule,), parts | {"name": "negative"}))
    assert "negative" not in rules


@pytest.mark.parametrize("rule", rules.values(), ids=rules)
def test_a_result_can_be_changed_in_place_as_pytorchs_can(rule):
    """A Function's result can't be where it's a view of something that was made in there."""
    for sample in rule.samples(torch.float64):
        for change in (torch.Tensor.zero_, lambda made: made[...].zero_()):
            made = rule.apply(*sample.args)
            change(made[0] if isinstance(made, tuple) else made)
