"""``inputs=``: which nodes run, what they compute, and which gradients are handed over."""

from __future__ import annotations

import models
import pytest
import torch
from torch.autograd.graph import get_gradient_edge
from torch.testing._internal.two_tensor import TwoTensor
from torch.utils.checkpoint import checkpoint

import autograd_lab as lab


def same(a, b):
    return models.raw_bytes(a) == models.raw_bytes(b)


def test_inputs_run_only_what_leads_to_them():
    w, v = torch.randn(3, requires_grad=True), torch.randn(3, requires_grad=True)
    y = w.exp()
    loss = (y.sin() * v.cos()).sum()
    for inputs in ([w], [v], [y], [w, v], [get_gradient_edge(v)], [y, w]):
        real = lab.trace(loss, inputs=inputs, retain_graph=True)
        glass = lab.Engine(loss, inputs=inputs, names={"w": w, "v": v})
        glass.run()
        assert [step.node for step in glass.steps] == [step.node for step in real.steps]
        found = [glass.grads[f"inputs[{i}]"] for i in range(len(inputs))]
        for one, expected in zip(found, torch.autograd.grad(loss, inputs, retain_graph=True), strict=True):
            assert same(one, expected)
        y.grad = w.grad = v.grad = None


def test_what_nobody_receives_is_not_computed():
    """A post-hook sees ``None`` there, as natively; a Python Function has computed it all the same."""

    class Product(torch.autograd.Function):
        @staticmethod
        def forward(ctx, a, b):
            return a * b

        @staticmethod
        def backward(ctx, grad):
            return grad * 2, grad * 3

    for product in (torch.mul, Product.apply):
        seen = []
        w, v = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
        y = product(w * 1, v * 1)
        y.grad_fn.register_hook(lambda gi, _, seen=seen: seen.append([g is None for g in gi]))
        torch.autograd.backward(y.sum(), inputs=[w], retain_graph=True)
        lab.replay(y.sum(), inputs=[w])
        assert seen[0] == seen[1] == [False, product is torch.mul]


@pytest.mark.parametrize("join", [torch.cat, torch.stack, lambda parts: torch.block_diag(*parts)])
def test_a_list_of_tensors_is_computed_as_a_whole(join):
    seen = []
    for run in (torch.autograd.backward, lab.replay):
        w, v = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
        y = join([w * 1, torch.ones(2), v * 1])
        y.grad_fn.register_hook(lambda gi, _: seen.append([None if g is None else g.tolist() for g in gi]))
        run((y * y).sum(), inputs=[w])
    assert seen[0] == seen[1]
    assert seen[0][2] is not None


def test_what_is_computed_for_nobody_is_the_same():
    """Of an empty tensor that needs no gradient, ``cat`` gives one all the same; a cache of keys begins like that."""
    w = torch.ones(2, requires_grad=True)
    loss = torch.cat([torch.zeros(0), w * 1]).sum()
    check = lab.check_engine(loss, inputs=[w])
    assert check.ok, check


NOT_WITH_INPUTS = {
    "checkpointed_reentrant": "torch refuses inputs= there; see the last test of this file",
    "nested_strided": "torch.autograd.graph.get_gradient_edge fails on a nested leaf of the strided layout",
}
"""Case → why it can't be run with ``inputs=``."""


@pytest.mark.parametrize("name", [name for name in models.CASES if name not in NOT_WITH_INPUTS])
@pytest.mark.filterwarnings("ignore")
def test_every_model_is_the_same_with_inputs(name):
    built = models.CASES[name].build()
    outputs = models.flat(built.outputs)
    check = lab.check_engine(
        outputs,
        model=built.model,
        grad_tensors=[models.ones_for(output) for output in outputs],
        inputs=[leaf for leaf in models.leaf_tensors(outputs) if leaf.requires_grad][-1:],
    )
    assert check.ok, check
    assert check.deterministic
    assert check.steps > 0


def test_an_inputs_gradient_is_what_its_hooks_made_of_it():
    w = torch.ones(2, requires_grad=True)
    y = w * 2
    y.register_hook(lambda g: g * 10)
    loss = (y * 3).sum()
    for inputs in ([y], [y, w], [w]):
        y.grad = w.grad = None
        torch.autograd.backward(loss, inputs=inputs, retain_graph=True)
        grads = lab.replay(loss, inputs=inputs).grads
        for index, one in enumerate(inputs):
            assert same(one.grad, grads[f"inputs[{index}]"])


def test_a_leaf_that_is_an_input_still_steals():
    w = torch.ones(3, requires_grad=True)
    loss = (w * 3).sum()
    real = lab.trace(loss, inputs=[w], retain_graph=True)
    glass = lab.replay(loss, inputs=[w], names={"w": w})
    assert glass.steps[-1].accumulation.how == real.steps[-1].accumulation.how == "stole"
    assert glass.grads["inputs[0]"] is glass.grads["w"]


def test_with_a_graph_of_the_backward_an_input_has_what_arrived():
    def nodes_of_the_gradient(gradient):
        w = torch.tensor([0.5, 2.0], requires_grad=True)
        return [node.name for node in lab.capture(gradient(w.exp().sum(), w)).nodes]

    native = nodes_of_the_gradient(lambda loss, w: torch.autograd.grad(loss, w, create_graph=True)[0])
    glass = nodes_of_the_gradient(
        lambda loss, w: lab.replay(loss, inputs=[w], create_graph=True).grads["inputs[0]"]
    )
    assert glass == native


def test_with_accumulate_an_input_that_is_no_leaf_keeps_its_gradient():
    grads = []
    for run in (torch.autograd.backward, lambda *a, **k: lab.replay(*a, **k, accumulate=True)):
        w = torch.ones(2, requires_grad=True)
        y = w * 2
        run((y * 3).sum(), inputs=[y])
        grads.append((y.grad.tolist(), w.grad))
    assert grads[0] == grads[1] == ([3.0, 3.0], None)


def test_the_check_takes_inputs_and_leaves_them_alone():
    w, v = torch.randn(3, requires_grad=True), torch.randn(3, requires_grad=True)
    y = w.exp()
    loss = (y.sin() * v.cos()).sum()
    for inputs in ([w], [v], [y], [w, v], [get_gradient_edge(v)], [y, w], [{"y": y}, [v]]):
        check = lab.check_engine(loss, inputs=inputs)
        assert check.ok, (inputs, check)
    assert not y.retains_grad
    assert (w.grad, v.grad) == (None, None)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [(3, "holds no tensor"), ([], "holds no tensor"), ([torch.ones(2)], r"inputs\[0\] requires no gradient")],
)
def test_inputs_that_are_none_are_refused(inputs, message):
    loss = (torch.ones(2, requires_grad=True) * 2).sum()
    for run in (lab.replay, lab.check_engine):
        with pytest.raises(lab.OptionError, match=message):
            run(loss, inputs=inputs)


def test_a_reentrant_checkpoint_refuses_inputs_as_natively():
    w = torch.randn(5, requires_grad=True)
    loss = checkpoint(torch.exp, w, use_reentrant=True).sum()
    with pytest.raises(RuntimeError, match="use_reentrant=True"):
        lab.replay(loss, inputs=[w])


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support is in beta")
@pytest.mark.parametrize("layout", ["sparse", "csr", "mkldnn", "subclass"])
def test_an_input_may_have_any_layout(layout):
    """Of some of these torch can't make a view, by way of which ``get_gradient_edge`` gets at a leaf's node."""
    if layout == "mkldnn" and not torch.backends.mkldnn.is_available():
        pytest.skip("torch was built without it")
    made = {
        "sparse": lambda: torch.eye(3).to_sparse(),
        "csr": lambda: torch.eye(3).to_sparse_csr(),
        "mkldnn": lambda: torch.eye(3).to_mkldnn(),
        "subclass": lambda: TwoTensor(torch.eye(3), torch.eye(3)),
    }
    leaf = made[layout]().requires_grad_()
    loss = leaf.to_dense().sum() if layout != "subclass" else leaf.sum()
    (expected,) = torch.autograd.grad(loss, leaf, retain_graph=True)
    trace = lab.replay(loss, inputs=[leaf], stats=None)
    dense = torch.Tensor.to_dense if layout != "subclass" else lambda grad: grad.a
    assert torch.equal(dense(trace.grads["inputs[0]"]), dense(expected))


# --- which hooks are called ------------------------------------------------------------


class Doubles(torch.autograd.Function):
    """Gives its second input no gradient."""

    @staticmethod
    def forward(ctx, x, other):
        return x * 2 + other

    @staticmethod
    def backward(ctx, grad):
        return grad * 2, None


def made_of_parts(x):
    first, second = x.expand(2).split(1)
    return first.sum() * second.sum()


ROOTS = {
    "an operation": lambda w, v: [w * 3],
    "a chain": lambda w, v: [(w * 3).exp().sin()],
    "a Function": lambda w, v: [Doubles.apply(w, v)],
    "a Function with nothing for one": lambda w, v: [Doubles.apply(w * 1, v * 1).exp()],
    "a leaf": lambda w, v: [w],
    "two": lambda w, v: [w * 3, v * 2],
    "one twice": lambda w, v: [w * 3] * 2,
    "one of several results": lambda w, v: [(w.expand(2) * 3).split(1)[1].squeeze()],
    "several results": lambda w, v: [made_of_parts(w)],
    "a view": lambda w, v: [(w * 3).view(1)[0]],
}
INPUTS = {
    "all": lambda w, v, far, roots: None,
    "one that can't be reached": lambda w, v, far, roots: [far],
    "w": lambda w, v, far, roots: [w],
    "v": lambda w, v, far, roots: [v],
    "v and one that can't be reached": lambda w, v, far, roots: [v, far],
    "the root": lambda w, v, far, roots: roots[:1],
}


@pytest.mark.parametrize("inputs", list(INPUTS))
@pytest.mark.parametrize("root", list(ROOTS))
def test_hooks_of_every_kind_are_called_as_natively(root, inputs):
    runs = []
    for run in (
        torch.autograd.backward,
        lambda *args, **options: lab.replay(*args, **options, accumulate=True),
    ):
        calls = []
        w, v, far = (torch.tensor(number, requires_grad=True) for number in (0.5, 2.0, 3.0))
        roots = ROOTS[root](w, v)
        for name, tensor in {"w": w, "v": v, "far": far, "root": roots[0], "last": roots[-1]}.items():
            tensor.register_hook(lambda grad, calls=calls, name=name: calls.append((name, str(grad))))
            tensor.retain_grad()
            if tensor.is_leaf:
                tensor.register_post_accumulate_grad_hook(
                    lambda leaf, calls=calls, name=name: calls.append((name, "after", str(leaf.grad)))
                )
        for node in {get_gradient_edge(tensor).node: None for tensor in (w, v, *roots)}:
            name = node.name()
            node.register_prehook(lambda grads, calls=calls, name=name: calls.append((name, str(grads))))
            node.register_hook(lambda *grads, calls=calls, name=name: calls.append((name, str(grads))))
        given = INPUTS[inputs](w, v, far, roots)
        run(roots, inputs=given)
        runs.append((calls, [tensor.grad for tensor in (w, v, far, *roots)]))
    assert runs[1] == runs[0]


def test_a_hook_of_an_output_that_is_not_run_may_raise_and_add_a_callback():
    w, far = torch.ones((), requires_grad=True), torch.ones((), requires_grad=True)
    loss, calls = w * 2, []

    def hook(grad):
        torch.autograd.Variable._execution_engine.queue_callback(lambda: calls.append("over"))
        calls.append("hook")

    handle = loss.register_hook(hook)
    engine = lab.Engine(loss, inputs=[far])
    with pytest.raises(lab.OptionError, match=r"none of inputs= can be reached"):
        engine.step()
    assert calls == []
    assert len(engine.run().steps) == len(engine.run().steps) == 0
    assert calls == ["hook", "over"]
    handle.remove()
    loss.register_hook(lambda grad: 1 / 0)
    engine = lab.Engine(loss, inputs=[far])
    with pytest.raises(ZeroDivisionError) as raised:
        engine.run()
    assert raised.value.autograd_lab_trace.error == "ZeroDivisionError('division by zero')"
    with pytest.raises(lab.OptionError, match="has raised"):
        engine.run()
