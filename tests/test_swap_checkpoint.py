"""Swapping around checkpoints and saved-tensor hooks: what is computed again is computed as it was in the forward."""

from __future__ import annotations

import itertools
import re
import threading
from functools import partial

import agreement
import pytest
import tallies
import torch
from calls import CALLS, IDS
from swapped import bound
from torch.testing._internal.common_methods_invocations import op_db
from torch.utils._pytree import tree_leaves
from torch.utils.checkpoint import CheckpointPolicy, checkpoint, create_selective_checkpoint_contexts

import autograd_lab as lab
from autograd_lab.functions import rules

not_reentrant = partial(checkpoint, use_reentrant=False)
eager_all_the_way = partial(not_reentrant, early_stop=False)


def selective(save):
    """A checkpoint that keeps what these operations return."""

    def policy(_ctx, operation, *_args, **_kwargs):
        return CheckpointPolicy.MUST_SAVE if operation in save else CheckpointPolicy.PREFER_RECOMPUTE

    return partial(not_reentrant, context_fn=lambda: create_selective_checkpoint_contexts(policy))


def nested(function, *args):
    return not_reentrant(lambda *given: not_reentrant(function, *given) * 1, *args)


def offloaded(function, *args):
    with torch.autograd.graph.save_on_cpu():
        return function(*args)


CHECKPOINTS = {
    "not reentrant": not_reentrant,
    "run to its end": eager_all_the_way,
    "nested": nested,
    "selective, products kept": selective([torch.ops.aten.mm.default]),
    "selective, nothing kept": selective([]),
    "reentrant": partial(checkpoint, use_reentrant=True),
    "offloaded": offloaded,
    "offloaded inside": lambda function, *args: not_reentrant(
        lambda *given: offloaded(function, *given), *args
    ),
    "offloaded outside": lambda function, *args: offloaded(
        lambda *given: not_reentrant(function, *given), *args
    ),
}


def gradients(function, values, names=None, backward="inside"):
    """The gradients of all leaves, with these rules swapped in around the forward, or around the backward, or both."""
    values = agreement.fresh(values)
    leaves = agreement.leaves(values)
    around_forward, around_backward = (
        lab.swap(*names) if names is not None and backward in where else torch.enable_grad()
        for where in (("inside", "after"), ("inside", "alone"))
    )
    with around_forward:
        made = [each for each in tree_leaves(function(*values)) if isinstance(each, torch.Tensor)]
        made = [each for each in made if each.requires_grad]
    with around_backward:
        torch.autograd.backward(made, [agreement.noise(each, 5 + i) for i, each in enumerate(made)])
    return [leaf.grad for leaf in leaves]


def same(found, wanted, what):
    for one, other in zip(found, wanted, strict=True):
        assert (one is None) == (other is None), what
        if other is not None:
            torch.testing.assert_close(one, other, equal_nan=True, msg=lambda text: f"{what}: {text}")


@pytest.mark.parametrize("call", CALLS, ids=IDS)
def test_each_rules_operation_in_a_checkpoint(call):
    with lab.swap(call.rule) as swapped:
        call.function(*call.inputs)
    assert swapped.calls
    wanted = gradients(call.function, call.inputs)
    for around in (not_reentrant, offloaded):
        for backward in ("inside", "after", "alone"):
            found = gradients(partial(around, call.function), call.inputs, (call.rule,), backward)
            same(found, wanted, f"{call.rule}, {backward}")


def test_every_rule_has_a_call():
    assert {call.rule for call in CALLS} == set(rules)


X = torch.tensor([[2.0, 3], [-1, 1]], dtype=torch.float64, requires_grad=True)
Y = torch.tensor([[5.0, 7], [11, 13]], dtype=torch.float64, requires_grad=True)
PROGRAMS = {
    "a product": torch.mul,
    "a matrix product": torch.mm,
    "a power": lambda x, y: x.abs() ** y,
    "a linear layer": lambda x, y: torch.nn.functional.linear(x, y, y[0]),
    "several": lambda x, y: (torch.softmax(x @ y, -1) * x / y).sin() * torch.mm(y, x),
    "in place": lambda x, y: (x * y).mul_(y).add_(x).relu_() * y,
    "a view": lambda x, y: (x * y)[0] * y[1] * x[:, 0],
    "dropout": lambda x, y: torch.nn.functional.dropout(x * y, 0.5) * y,
    "a checkpoint of its own": lambda x, y: (
        not_reentrant(torch.mul, x * y, y) * not_reentrant(torch.mm, x, y)
    ),
}


@pytest.mark.parametrize("around", CHECKPOINTS)
@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_in_a_checkpoint(program, around):
    function = PROGRAMS[program]

    def step(*args):
        torch.manual_seed(3)
        return CHECKPOINTS[around](function, *args)

    wanted = gradients(step, (X, Y))
    for names, backward in itertools.product(((), ("mul",), ("mm", "pow")), ("inside", "after", "alone")):
        same(gradients(step, (X, Y), names, backward), wanted, f"{names}, {backward}")


def test_the_rules_of_the_forward_hold_in_the_recomputation_alone():
    """The backward's own rules hold for all else: they come back when the recomputation is over."""
    names = []

    def noted(x):
        y = x * x
        names.append(y.grad_fn.name())
        return y.exp()

    with lab.swap("mul"):
        loss = not_reentrant(noted, X).sum()

    def hook(_):
        with torch.enable_grad():
            names.append((X * X).grad_fn.name())

    loss.register_hook(hook)
    with lab.swap("exp"):
        torch.autograd.grad(loss, X)
        names.append((X * X).grad_fn.name())
        names.append(X.exp().grad_fn.name())
    names.append(X.exp().grad_fn.name())
    assert names == [
        "MulBackward",
        "MulBackward0",
        "MulBackward",
        "MulBackward0",
        "ExpBackward",
        "ExpBackward0",
    ]


def test_a_recomputation_in_another_thread():
    with lab.swap("mul") as swapped:
        x = X.detach().requires_grad_()
        loss = not_reentrant(torch.mul, x, Y.detach()).sum()
    thread = threading.Thread(target=loss.backward)
    thread.start()
    thread.join()
    assert torch.equal(x.grad, Y.detach())
    assert swapped.calls == {"mul.Tensor": 1}


def test_what_a_hook_runs_is_not_the_rules_own_code():
    """Although a rule's ``backward`` asks for it. What the hook sets in its context stays set, too."""
    seen = []

    def unpack(value):
        with torch.enable_grad():
            seen.append((X * X).grad_fn.name())
        return value

    with torch.autograd.graph.saved_tensors_hooks(lambda value: value, unpack), lab.swap("exp"):
        inside, after = X.exp().sum(), X.exp().sum()
    with lab.swap("mul"):
        torch.autograd.grad(inside, X)
    torch.autograd.grad(after, X)
    assert seen == ["MulBackward", "MulBackward0"]


def test_an_exception_of_a_hook_comes_out_as_it_is():
    """Also one that Python itself takes for a missing attribute."""
    calls = []

    def unpack(_):
        calls.append(1)
        raise error

    for error in (AttributeError("mine"), KeyError("mine")):
        calls.clear()
        with torch.autograd.graph.saved_tensors_hooks(lambda value: value, unpack), lab.swap("exp"):
            loss = X.exp().sum()
        with pytest.raises(type(error)) as raised:
            loss.backward()
        assert raised.value is error
        assert len(calls) == 1


def test_gpt2_with_gradient_checkpointing():
    transformers = pytest.importorskip("transformers")
    config = transformers.GPT2Config(
        n_layer=2,
        n_head=2,
        n_embd=16,
        vocab_size=50,
        n_positions=32,
        bos_token_id=0,
        eos_token_id=0,
        use_cache=False,
        loss_type="ForCausalLM",
    )
    torch.manual_seed(0)
    model = transformers.GPT2LMHeadModel(config).double()
    model.activation_checkpointing_enable({"use_reentrant": False})
    ids = torch.randint(0, 50, (2, 8))

    def step(names=None):
        torch.manual_seed(1)
        model.zero_grad()
        with lab.swap(*names) if names is not None else torch.enable_grad():
            loss = model(input_ids=ids, labels=ids).loss
            if names != ():
                loss.backward()
        if names == ():
            loss.backward()
        return [p.grad.clone() for p in model.parameters()]

    wanted = step()
    for names in ((), ("mul", "addmm", "softmax", "layer_norm")):
        for found, native in zip(step(names), wanted, strict=True):
            # transformers takes the loss in single precision, so its gradient is rounded to that
            room = 8 * torch.finfo(torch.float32).eps * native.abs().max().item()
            torch.testing.assert_close(found, native, rtol=0, atol=room)


TRIED = 4
"""How many samples of each entry the sweep takes."""

ENTRIES = [entry for entry in op_db if torch.float64 in entry.supported_backward_dtypes("cpu")]


@pytest.mark.sweep
@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.formatted_name)
def test_op_db(entry):
    """Gradients are bit for bit those of the swap without the checkpoint, and PyTorch's."""
    count = 0
    torch.manual_seed(0)
    for sample in itertools.islice(entry.sample_inputs("cpu", torch.float64, requires_grad=True), TRIED):
        native, values = bound(entry, sample)
        with lab.swap() as swapped:
            native(*agreement.fresh(values))
        if not swapped.calls:
            continue
        what = f"{entry.formatted_name} {sample.name}"
        checkpointed = partial(not_reentrant, native)
        try:
            wanted = gradients(checkpointed, values)
        except RuntimeError as error:  # it changes its inputs
            with pytest.raises(RuntimeError, match=re.escape(str(error).partition(" is at version")[0])):
                gradients(checkpointed, values, ())
            continue
        plain = gradients(native, values, ())
        for backward in ("inside", "after"):
            found = gradients(checkpointed, values, (), backward)
            same(found, wanted, f"{what}, {backward}")
            for one, other in zip(found, plain, strict=True):
                assert one is other or torch.equal(one.nan_to_num(), other.nan_to_num()), what
        count += 1
    if count:
        tallies.note("op_db, a swap around a checkpoint: {} samples equal", count)
        tallies.note("op_db, a swap around a checkpoint: {} operations tried", 1)
