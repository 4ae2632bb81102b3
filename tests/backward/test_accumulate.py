"""What a leaf's node makes of a gradient: stolen, copied or added, and with which layout."""

from __future__ import annotations

import gradients
import models
import pytest
import torch

import autograd_lab as lab

LEAVES = {
    "plain": lambda: torch.randn(2, 3),
    "one element": lambda: torch.randn(1),
    "a row": lambda: torch.randn(1, 3),
    "none": lambda: torch.randn(0, 3),
    "transposed": lambda: torch.randn(3, 2).t(),
    "channels last": lambda: torch.randn(2, 3, 4, 4).contiguous(memory_format=torch.channels_last),
    "with gaps": lambda: torch.randn(2, 6)[:, ::2],
    "overlapping": lambda: torch.randn(3).expand(2, 3),
    "no dimensions": lambda: torch.randn(()),
}
USES = {
    "sum": lambda w: w.sum(),
    "twice": lambda w: (w * w).sum(),
    "scaled": lambda w: (w * 3).sum(),
    "contiguous": lambda w: w.contiguous().exp().sum(),
    "also elsewhere": lambda w: (w * 3 + w).sum(),
    "mean": lambda w: w.mean(),
}


@pytest.mark.parametrize("use", list(USES))
@pytest.mark.parametrize("leaf", list(LEAVES))
@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.filterwarnings("ignore:Using backward\\(\\) with create_graph=True")
def test_how_and_with_which_layout_is_as_natively(leaf, use, create_graph):
    w = LEAVES[leaf]().requires_grad_()
    loss = USES[use](w)
    glass = lab.replay(loss, names={"w": w}, create_graph=create_graph)
    real = lab.trace(loss, names={"w": w}, retain_graph=True, create_graph=create_graph)
    assert glass.steps[-1].accumulation.how == real.steps[-1].accumulation.how
    assert models.raw_bytes(glass.grads["w"]) == models.raw_bytes(w.grad)
    assert glass.grads["w"].stride() == w.grad.stride()
    w.grad = None


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.filterwarnings("ignore:Using backward\\(\\) with create_graph=True")
def test_with_accumulate_gradients_add_up_as_natively(create_graph):
    leaves = []
    for run in (
        lambda loss: loss.backward(retain_graph=True, create_graph=create_graph),
        lambda loss: lab.replay(loss, accumulate=True, create_graph=create_graph),
    ):
        torch.manual_seed(1)
        w = torch.randn(3, requires_grad=True)
        loss = (w.exp() * w).sum()
        run(loss)
        first = w.grad
        run(loss)
        assert (w.grad is first) is not create_graph
        leaves.append(w)
    assert models.raw_bytes(leaves[0].grad) == models.raw_bytes(leaves[1].grad)
    assert leaves[1].grad.requires_grad is create_graph
    for w in leaves:
        w.grad = None


def test_the_trace_says_what_was_in_grad_before_and_after():
    w = torch.tensor([3.0, 4.0], requires_grad=True)
    w.grad = torch.tensor([0.0, 1.0])
    step = lab.replay(w.sum(), accumulate=True).steps[-1]
    assert step.accumulation.how == "added"
    assert (step.accumulation.before.norm, step.accumulation.after.norm) == (1.0, pytest.approx(5**0.5))


class Sends(torch.autograd.Function):
    """Sends a leaf a gradient that it makes, and notes where that is in memory, or its values if it's sparse."""

    @staticmethod
    def forward(ctx, leaf, make, noted):
        ctx.make, ctx.noted = make, noted
        return torch.ones(())

    @staticmethod
    def backward(ctx, grad):
        made = ctx.make()
        ctx.noted.append(memory(made))
        return made, None, None


def memory(grad):
    if grad.layout is torch.sparse_coo:
        return grad._values().data_ptr()
    return torch.ops.mkldnn.data_ptr(grad) if grad.is_mkldnn else grad.data_ptr()


def sparse(*, coalesced=False, contiguous=True):
    values = torch.arange(1.0, 5).reshape(2, 2)
    values = values if contiguous else values.t()
    made = torch.sparse_coo_tensor(torch.tensor([[0, 1]]), values, (3, 2), check_invariants=True)
    return made.coalesce() if coalesced else made


KEPT = []


def kept():
    KEPT[:] = [torch.arange(6.0).reshape(3, 2)]
    return KEPT[0]


MADE = {
    "plain": lambda: torch.arange(6.0).reshape(3, 2),
    "somebody's own": kept,
    "a view of it": lambda: kept()[:],
    "transposed": lambda: torch.arange(6.0).reshape(2, 3).t(),
    "expanded": lambda: torch.ones(()).expand(3, 2),
    "of a row": lambda: torch.arange(2.0).expand(3, 2),
    "sparse": sparse,
    "sparse and coalesced": lambda: sparse(coalesced=True),
    "sparse with a gap": lambda: sparse(contiguous=False),
}
HOLDERS = {
    "nobody": lambda *_: None,
    "a pre-hook": lambda leaf, node, held: node.register_prehook(lambda grads: held.append(grads[0])),
    "a hook of the leaf": lambda leaf, node, held: leaf.register_hook(held.append) and None,
    "a post-hook, for a moment": lambda leaf, node, held: node.register_hook(lambda *_: None),
    "a pre-hook, and a post-hook": lambda leaf, node, held: (
        node.register_prehook(lambda grads: held.append(grads[0])), node.register_hook(lambda *_: None)
    ),
    "what steps in the backward": lambda leaf, node, held: leaf.register_post_accumulate_grad_hook(
        lambda leaf: held.append(leaf.grad) or setattr(leaf, "grad", None)
    ),
    "what writes into it": lambda leaf, node, held: leaf.register_post_accumulate_grad_hook(
        lambda leaf: leaf.grad.mul_(2).requires_grad or None
    ),
}  # fmt: skip
BEFORE = {"None": lambda: None, "a gradient": lambda: torch.ones(3, 2)}


@pytest.mark.parametrize("before", list(BEFORE))
@pytest.mark.parametrize("holder", list(HOLDERS))
@pytest.mark.parametrize("made", list(MADE))
def test_with_accumulate_grad_is_the_memory_that_it_is_natively(made, holder, before):
    def run(backward):
        noted, held = [], []
        leaf = torch.zeros(3, 2, requires_grad=True)
        leaf.grad = BEFORE[before]()
        loss = Sends.apply(leaf, MADE[made], noted)
        HOLDERS[holder](leaf, loss.grad_fn.next_functions[0][0], held)
        trace = backward(loss)
        grad = held[0] if leaf.grad is None else leaf.grad
        place = memory(grad) == noted[0], leaf.grad is None, [memory(each) == noted[0] for each in held]
        layout = grad.layout, grad.stride() if grad.layout is torch.strided else grad.is_coalesced()
        return (trace.steps[-1].accumulation, place, layout, models.raw_bytes(grad.to_dense())), trace

    native, _ = run(lambda loss: lab.trace(loss))
    glass, trace = run(lambda loss: lab.replay(loss, accumulate=True))
    assert glass == native
    (apart,) = trace.grads.values()
    assert models.raw_bytes(apart.to_dense()) == models.raw_bytes(MADE[made]().to_dense().contiguous())


def test_with_accumulate_an_mkldnn_gradient_is_stolen_as_natively():
    if not torch.backends.mkldnn.is_available():
        pytest.skip("torch was built without it")
    stolen = []
    for backward in (torch.Tensor.backward, lambda loss: lab.replay(loss, accumulate=True)):
        noted = []
        leaf = torch.zeros(3, 2).to_mkldnn().requires_grad_()
        backward(Sends.apply(leaf, lambda: torch.ones(3, 2).to_mkldnn(), noted))
        stolen.append(memory(leaf.grad) == noted[0])
    assert stolen == [True, True]


class SendsTwice(torch.autograd.Function):
    """Sends two leaves one and the same gradient."""

    @staticmethod
    def forward(ctx, first, second, made):
        ctx.made = made
        return torch.ones(())

    @staticmethod
    def backward(ctx, grad):
        sent = torch.arange(3.0)
        ctx.made.append(memory(sent))
        return sent, sent, None


@pytest.mark.parametrize("before", [(), (0,), (1,)])
@pytest.mark.parametrize("transposed", [False, True])
def test_with_accumulate_the_last_of_two_leaves_steals_as_natively(before, transposed):
    """A leaf that adds, or copies for its layout, leaves the gradient to the other one."""
    runs = []
    for backward in (torch.Tensor.backward, lambda loss: lab.replay(loss, accumulate=True)):
        made = []
        leaves = [torch.zeros(3, requires_grad=True), torch.zeros(3, requires_grad=True)]
        if transposed:
            leaves[0] = torch.zeros(6)[::2].requires_grad_()
        for index in before:
            leaves[index].grad = torch.ones(3)
        backward(SendsTwice.apply(*leaves, made))
        runs.append([(memory(leaf.grad) == made[0], leaf.grad.tolist()) for leaf in leaves])
    assert runs[1] == runs[0]
    assert any(stolen for stolen, _ in runs[0]) is (before != (1,))


OTHER_KINDS = {
    "a dense gradient of a COO leaf": (lambda: torch.eye(3).to_sparse_coo(), lambda: torch.ones(3, 3)),
    "a dense gradient of a CSR leaf": (lambda: torch.eye(3).to_sparse_csr(), lambda: torch.ones(3, 3)),
    "a COO gradient of a COO leaf": (
        lambda: torch.eye(3).to_sparse_coo(),
        lambda: torch.eye(3).to_sparse_coo(),
    ),
    "a CSR gradient of a CSR leaf": (
        lambda: torch.eye(3).to_sparse_csr(),
        lambda: torch.eye(3).to_sparse_csr(),
    ),
    "another dtype": (lambda: torch.eye(3), lambda: torch.ones(3, 3, dtype=torch.float64)),
}


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support is in beta")
@pytest.mark.parametrize("kind", list(OTHER_KINDS))
def test_with_accumulate_a_gradient_of_another_kind_is_written_as_natively(kind):
    leaf_of, grad_of = OTHER_KINDS[kind]
    runs = []
    for backward in (torch.Tensor.backward, lambda loss: lab.replay(loss, accumulate=True)):
        leaf = leaf_of().requires_grad_()
        if kind == "another dtype":
            leaf.grad_dtype = None
        loss = gradients.Gradient.apply(leaf, grad_of)
        backward(loss)
        grad = leaf.grad
        runs.append((grad.layout, grad.dtype, grad.shape, models.raw_bytes(grad.to_dense())))
    assert runs[1] == runs[0]
