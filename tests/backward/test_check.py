"""``check_engine``: what it says when the engines differ, each way planted, and what it leaves behind."""

from __future__ import annotations

import functools

import models
import pytest
import torch
import torch._functorch.config
from torch import nn
from torch.testing._internal.two_tensor import TwoTensor
from torch.utils.checkpoint import CheckpointPolicy, checkpoint, create_selective_checkpoint_contexts

import autograd_lab as lab
from autograd_lab.backward import accumulate, buffers, call, graph_task, receive
from autograd_lab.backward.engine import Engine
from autograd_lab.capture.order import ReadyQueue


def network():
    """A fan-in, a bias that was broadcast, two leaves to choose from."""
    torch.manual_seed(2)
    model = nn.Sequential(nn.Linear(3, 3), nn.Tanh())
    bias = torch.randn(3, requires_grad=True)
    hidden = model(torch.randn(4, 3)) + bias
    return (hidden * hidden.exp()).sum(), model


class LowestFirst(ReadyQueue):
    """Takes out what should come last."""

    def push(self, key, item):
        super().push(-key, item)


def first_difference(check):
    assert not check.ok
    return check.difference


def test_another_order_is_found(monkeypatch):
    monkeypatch.setattr(graph_task, "ReadyQueue", LowestFirst)
    found = first_difference(lab.check_engine(network()[0]))
    assert (found.what, found.step, found.name, found.expected, found.found) == (
        "order", 4, "leaf0", "#4", "#5",
    )  # fmt: skip


def test_one_bit_in_a_sum_is_found(monkeypatch):
    monkeypatch.setattr(buffers, "_sum", lambda old, new: torch.nextafter(old + new, torch.tensor(torch.inf)))
    loss, model = network()
    check = lab.check_engine(loss, model=model)
    found = first_difference(check)
    assert (found.what, found.slot, found.name) == ("grad_outputs", 0, "AddBackward0")
    assert found.expected != found.found
    assert check.deterministic
    assert str(check).splitlines()[0] == "different at step 3, node 3 (AddBackward0): grad_outputs[0]"


def test_a_gradient_that_was_not_reduced_is_found(monkeypatch):
    monkeypatch.setattr(receive, "_sum_to", lambda grad, *_: grad)
    w = torch.ones(4, 3, requires_grad=True)  # of the shape that the gradient of its sum wrongly keeps
    found = first_difference(lab.check_engine((torch.ones(4, 3) + w.sum()).exp().sum()))
    assert (found.what, found.name) == ("grad_inputs", "AddBackward0")
    assert found.expected.startswith("float32[] ")
    assert found.found.startswith("float32[4, 3] ")


def test_another_gradient_at_a_leaf_is_found(monkeypatch):
    right = accumulate.accumulated
    monkeypatch.setattr(accumulate, "accumulated", lambda *a, **k: (right(*a, **k)[0] * 2, "copied"))
    loss, model = network()
    found = first_difference(lab.check_engine(loss, model=model))
    assert (found.what, found.name) == ("grad", "leaf0")


def test_an_error_is_found(monkeypatch):
    def fails(node, grads, **_):
        raise RuntimeError("planted")

    monkeypatch.setattr(call, "run", fails)
    found = first_difference(lab.check_engine(network()[0]))
    assert (found.what, found.step) == ("error", 0)
    assert "planted" in found.found


def test_a_run_that_ends_early_is_found(monkeypatch):
    right = Engine.run
    monkeypatch.setattr(Engine, "run", lambda self: right(self, until=3))
    check = lab.check_engine(network()[0])
    found = first_difference(check)
    assert (found.what, found.expected, found.found) == ("length", str(check.steps), "3")


def test_another_random_state_is_found(monkeypatch):
    right = call.run

    def draws(node, grads, **options):
        torch.rand(1)
        return right(node, grads, **options)

    monkeypatch.setattr(call, "run", draws)
    assert first_difference(lab.check_engine(network()[0])).what == "random_state"


def unsteady(size):
    """A graph whose gradient is another one each time."""
    count = [0]

    class Unsteady(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, grad):
            count[0] += 1
            return grad + count[0] * size

    return Unsteady.apply(torch.ones(2, dtype=torch.float64, requires_grad=True)).sum()


def test_what_is_not_deterministic_is_compared_within_a_tolerance():
    check = lab.check_engine(unsteady(1e-12))
    assert check.ok
    assert not check.deterministic
    assert "within a tolerance (the native engine differs too)" in " ".join(str(check).split())
    check = lab.check_engine(unsteady(1.0))
    assert (check.ok, check.deterministic) == (False, False)


def test_random_numbers_alone_do_not_make_the_native_engine_differ(monkeypatch):
    y = models.DrawsNoise.apply(torch.ones(3, requires_grad=True))
    loss = (y * 2 + y.exp()).sum()
    check = lab.check_engine(loss)
    assert (check.ok, check.deterministic) == (True, True)
    monkeypatch.setattr(buffers, "_sum", lambda old, new: torch.nextafter(old + new, torch.tensor(torch.inf)))
    check = lab.check_engine(loss)
    assert (check.ok, check.deterministic) == (False, True)


def test_a_gpus_random_numbers_are_compared_and_put_back_too(monkeypatch):
    """On a GPU that is nothing but its random state; ``tests/test_cuda.py`` has a real one."""
    began, state = torch.tensor([7]), [torch.tensor([7])]
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_rng_state_all", lambda: [each.clone() for each in state])
    monkeypatch.setattr(
        torch.cuda, "set_rng_state_all", lambda states: state.__setitem__(0, states[0].clone())
    )
    assert lab.check_engine(network()[0]).ok
    right = call.run

    def draws(node, grads, **options):
        state[0] = state[0] + 1
        return right(node, grads, **options)

    monkeypatch.setattr(call, "run", draws)
    assert first_difference(lab.check_engine(network()[0])).what == "random_state"
    assert torch.equal(state[0], began)


@pytest.mark.parametrize("fails", [False, True])
def test_everything_is_as_it_was(monkeypatch, fails):
    loss, model = network()
    frozen = torch.ones(2, requires_grad=True)
    kept = [torch.ones_like(p) for p in model.parameters()]
    for parameter, grad in zip(model.parameters(), kept, strict=True):
        parameter.grad = grad
    calls = []
    handle = model[0].weight.register_post_accumulate_grad_hook(lambda _: calls.append(1))
    before, state = lab.capture(loss, model=model), torch.get_rng_state()
    if fails:
        monkeypatch.setattr(call, "run", lambda *_, **__: (None,) * 99)
    assert lab.check_engine(loss, model=model, accumulate=True).ok is not fails
    for parameter, grad in zip(model.parameters(), kept, strict=True):
        assert parameter.grad is grad
        assert torch.equal(grad, torch.ones_like(grad))
    assert torch.equal(state, torch.get_rng_state())
    assert lab.capture(loss, model=model) == before
    assert (calls, frozen.grad) == ([], None)
    loss.backward()
    assert calls == [1]
    handle.remove()


# --- what runs only once --------------------------------------------------------------


def hook_that_pops():
    """Opacus keeps activations in a list, and its hooks take them out."""
    kept, y = [torch.ones(2)], torch.ones(2, requires_grad=True) * 2
    y.register_hook(lambda g: g * kept.pop())
    return y.sum()


def checkpoint_that_keeps_some():
    def keeps(_, op, *__, **___):
        wanted = op == torch.ops.aten.exp.default
        return CheckpointPolicy.MUST_SAVE if wanted else CheckpointPolicy.PREFER_RECOMPUTE

    contexts = functools.partial(create_selective_checkpoint_contexts, keeps)
    x = torch.ones(2, requires_grad=True)
    return checkpoint(lambda x: x.exp().sin().exp(), x, use_reentrant=False, context_fn=contexts).sum()


def function_that_overwrites():
    class Destroys(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x.cos())
            return x.sin()

        @staticmethod
        def backward(ctx, grad):
            return ctx.saved_tensors[0].data.mul_(grad * 2).clone()

    return Destroys.apply(torch.tensor([0.3, 0.7], requires_grad=True) * 1).sum()


def hook_that_counts_down():
    left, y = [1], torch.ones(2, requires_grad=True) * 2
    y.register_hook(lambda g: g * ((left and left.pop()) or 5))
    return y.sum()


ONCE = {
    hook_that_pops: "the second native run raised IndexError: pop from empty list",
    checkpoint_that_keeps_some: "the second native run raised RuntimeError",
    function_that_overwrites: "the second native run differs at node 1 (DestroysBackward), gradient 0",
    hook_that_counts_down: "the second native run differs at node 1 (MulBackward0), gradient 0",
}


@pytest.mark.parametrize("made", list(ONCE), ids=lambda made: made.__name__)
def test_a_graph_that_runs_only_once_is_called_that(made):
    check = lab.check_engine(made())
    assert not check.ok
    assert check.difference.what == "runs_once"
    assert " ".join(str(check).split()).startswith(
        "can't be run twice natively, so the engines can't be compared: " + ONCE[made]
    )


@pytest.mark.filterwarnings("ignore")
def test_a_compiled_function_that_runs_only_once_gets_a_line_that_says_what_to_do():
    def compiled():
        torch._dynamo.reset()
        function = torch.compile(lambda x: (x.sin().exp() * x.cos()).sum(), backend="aot_eager")
        function(torch.ones(3, requires_grad=True)).backward()
        return function(torch.ones(3, requires_grad=True))

    for run in (lab.replay, lambda loss: lab.Engine(loss).run(), lab.check_engine):
        with pytest.raises(
            lab.ReleasedError, match=r"torch\._functorch\.config\.donated_buffer = False"
        ) as found:
            run(compiled())
        assert "\n" not in str(found.value)
    with torch._functorch.config.patch(donated_buffer=False):
        assert lab.check_engine(compiled()).ok
    torch._dynamo.reset()


# --- what a check undoes ---------------------------------------------------------------


def queue(callback):
    torch.autograd.Variable._execution_engine.queue_callback(callback)


def _assigns(other):
    other.grad = torch.full_like(other, 7.0)


def _adds(other):
    other.grad = torch.ones_like(other) if other.grad is None else other.grad.add_(1)


def _adds_in_place(other):
    if other.grad is None:
        other.grad = torch.zeros_like(other)
    other.grad += 1


def _takes_away(other):
    del other.grad


class Sharded(torch.autograd.Function):
    """Moves a gradient to another parameter in its backward, as sharded data parallelism does."""

    @staticmethod
    def forward(ctx, x, other):
        ctx.other = other
        return x.clone()

    @staticmethod
    def backward(ctx, grad):
        _adds(ctx.other)
        return grad, None


KINDS = {
    "plain": lambda: torch.ones(2, requires_grad=True),
    "parameter": lambda: nn.Parameter(torch.ones(2)),
    "subclass": lambda: nn.Parameter(TwoTensor(torch.ones(2), torch.ones(2))),
}


@pytest.mark.parametrize("had", [False, True])
@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("writes", [_assigns, _adds, _adds_in_place, _takes_away])
def test_a_gradient_of_whatever_tensor_is_as_it_was(writes, kind, had):
    """Written by a hook, a node or a final callback, for a parameter that the graph doesn't have."""
    other = KINDS[kind]()
    if had:
        other.grad = torch.ones_like(other)
    was, x = other.grad, torch.ones(2, requires_grad=True)
    y = Sharded.apply(x, other) if writes is _adds else x * 2
    y.register_hook(lambda _: writes(other))
    y.grad_fn.register_hook(lambda *_: queue(lambda: writes(other)))
    check = lab.check_engine(y.sum())
    assert check.ok, check
    assert other.grad is was
    if had:
        ones = torch.ones(2)
        held = [was.a, was.b] if kind == "subclass" else [was]
        assert all(torch.equal(each, ones) for each in held)
    assert "grad" not in vars(torch.Tensor)


def test_memory_that_torch_writes_a_leafs_gradient_into_is_as_it_was():
    """As DDP's buckets: what was put aside shares memory with what is written."""
    x = torch.ones(2, requires_grad=True)
    bucket = x.grad = torch.zeros(2)
    x.register_hook(lambda grad: bucket.copy_(grad))
    assert lab.check_engine((x * 3).sum()).ok
    assert x.grad is bucket
    assert bucket.tolist() == [0.0, 0.0]


def test_a_subclass_sees_nothing_of_it():
    """The function that its ``__torch_function__`` gets for ``.grad`` is torch's own."""
    seen = []

    class Sees(torch.Tensor):
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            seen.append(func)
            return super().__torch_function__(func, types, args, kwargs or {})

    other = torch.ones(2).as_subclass(Sees).requires_grad_()
    getters = []
    y = torch.ones(2, requires_grad=True) * 2
    y.register_hook(lambda _: getters.append((seen.clear(), other.grad, [*seen])) and None)
    assert lab.check_engine(y.sum()).ok
    assert [found for *_, found in getters] == [[torch.Tensor.grad.__get__]] * 2


# --- whole graphs of higher order ----------------------------------------------------


def of_order(loss, inputs, order):
    """The sum of squares of the gradients of the sum of squares of the gradients …"""
    for _ in range(order - 1):
        grads = torch.autograd.grad(loss, inputs, create_graph=True, allow_unused=True)
        loss = sum(grad.abs().square().sum() for grad in grads if grad is not None and grad.requires_grad)
    return loss


@pytest.mark.filterwarnings("ignore:Using backward\\(\\) with create_graph=True")
@pytest.mark.parametrize(("name", "order"), [
    *((name, order) for order in (2, 3) for name in (
        "seed", "mlp", "cnn", "recurrence_by_hand", "tied_embedding", "parallel_edges", "in_place_on_views",
        "complex_numbers", "checkpointed",
    )),
    *((name, 2) for name in ("gru", "transformer_layer", "gpt2_eager")),
    *(pytest.param(name, 3, marks=pytest.mark.sweep) for name in ("gru", "transformer_layer", "gpt2_eager")),
    *(pytest.param("bert_eager", order, marks=pytest.mark.sweep) for order in (2, 3)),
])  # fmt: skip
def test_graphs_of_higher_order_are_the_same(name, order):
    built = models.CASES[name].build()
    loss = models.flat(built.outputs)[0]
    inputs = [leaf for leaf in models.leaf_tensors(loss) if leaf.requires_grad]
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        loss = of_order(loss, inputs, order)
        check = lab.check_engine(loss, model=built.model)
    assert check.ok, check
    assert check.deterministic
    assert lab.check_engine(loss, model=built.model, create_graph=True).ok
