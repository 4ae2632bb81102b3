"""Swapping: where it holds, what it leaves, and that nothing is left behind."""

from __future__ import annotations

import subprocess
import sys
import threading

import agreement
import pytest
import torch
from torch.utils.checkpoint import checkpoint

import autograd_lab as lab
from autograd_lab.functions import Sample, rule, rules
from autograd_lab.functions.rule import Rule


@pytest.fixture
def x():
    return torch.tensor([1.5, -2.0, 3.0], requires_grad=True)


def name(tensor):
    return tensor.grad_fn.name()


def test_swaps_inside_and_restores_outside(x):
    with lab.swap("mul") as swapped:
        assert (name(x * x), name(x * 2), name(2 * x), name(x - 1)) == (*["MulBackward"] * 3, "SubBackward0")
    assert name(x * x) == "MulBackward0"
    assert (swapped.calls, swapped.left) == ({"mul.Tensor": 3}, {})


def test_restores_on_an_error(x):
    def fails():
        with lab.swap():
            assert name(x**2) == "PowBackward"
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    assert name(x**2) == "PowBackward0"


def test_an_error_in_an_operation_is_pytorchs_own_and_leaves_nothing(x):
    with lab.swap(), pytest.raises(RuntimeError, match="size of tensor"):
        x * torch.ones(2)
    with lab.swap():
        assert name(x * x) == "MulBackward"
    assert name(x * x) == "MulBackward0"


def test_nests_and_selects(x):
    with lab.swap("mul") as outer:
        with lab.swap("pow", "mul") as inner:
            assert (name(x * x), name(x**2), name(x - x)) == ("MulBackward", "PowBackward", "SubBackward0")
        assert (name(x * x), name(x**2)) == ("MulBackward", "PowBackward0")
    assert (outer.calls, inner.calls) == ({"mul.Tensor": 1}, {"mul.Tensor": 1, "pow.Tensor_Scalar": 1})
    assert name(x * x) == "MulBackward0"


def test_one_object_can_be_entered_again_and_in_itself(x):
    swap = lab.swap("sub")
    for _ in range(2):
        with swap, swap:
            assert name(x - 1) == "SubBackward"
        assert name(x - 1) == "SubBackward0"


def test_refuses_a_name_that_it_does_not_know():
    with pytest.raises(lab.SwapError, match=r"^there is no rule 'mull'; did you mean 'mul'"):
        lab.swap("mull")
    with pytest.raises(lab.SwapError, match="there is no rule 'zzz'; use one of abs, "):
        lab.swap("zzz")


@pytest.mark.parametrize("names", [["mul"], ("mul", "sub"), {"mul"}, iter(["mul"]), ["all"], "sub, mul"])
def test_names_may_come_in_lists(x, names):
    with lab.swap("sub", names):
        assert (name(x * x), name(x - x)) == ("MulBackward", "SubBackward")
    assert name(x * x) == "MulBackward0"


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (None, "None is no rule's name; give names"),
        (3, "an int is no rule's name; give names"),
        (torch.mul, "a builtin_function_or_method is no rule's name; give names"),
        (lab.functions.Mul, "a FunctionMeta is no rule's name; give names"),
        (b"mul", "a bytes is no rule's name; give names"),
        (torch.ones(()), "a Tensor is no rule's name; give names"),
        (["mul", ["sub"]], "a list is no rule's name; give names"),
        ([], "there is no name in this list"),
        ("al", "there is no rule 'al'; did you mean 'all'"),
    ],
)
def test_what_names_no_rule_is_refused_in_one_line(given, says):
    with pytest.raises(lab.SwapError) as caught:
        lab.swap(given)
    assert str(caught.value).startswith(says)
    assert "\n" not in str(caught.value)


def test_composites_written_in_cpp_are_swapped_too(x):
    with lab.swap("mul", "pow") as swapped:
        assert name(torch.square(x)) == "PowBackward"
        torch.nn.functional.cosine_similarity(x, x + 1, dim=0)
    assert swapped.calls["mul.Tensor"] >= 1


def in_place_on_views(x):
    y = x * 1
    view = y[1:]
    view.mul_(3.0)
    y.pow_(2)
    y[:2].sub_(y[2], alpha=2)
    view.div_(x[1:])
    y.neg_()
    return y + view.sum()


def test_in_place_forms_are_swapped_under_views_too(x):
    parts = (agreement.reverse, agreement.forward)
    with lab.swap() as swapped:
        y = in_place_on_views(x)
    graph = lab.capture(y)
    assert {"mul_.Tensor", "pow_.Scalar", "sub_.Tensor", "div_.Tensor", "neg_"} <= set(swapped.calls)
    assert not swapped.left
    assert not [
        n.name for n in graph.nodes if n.kind == "op" and n.name[:3] in ("Mul", "Pow", "Sub", "Div", "Neg")
    ]

    def ours(x):
        with lab.swap():
            return in_place_on_views(x)

    agreement.agree(ours, in_place_on_views, [x], "in place", parts)


def test_in_place_gives_back_the_tensor_itself_and_counts_its_version(x):
    with lab.swap():
        y = x * 1
        assert y.mul_(2) is y
        assert y._version == 1
        assert name(y).endswith("CopyBackwards")
        assert [edge[0].name() for edge in y.grad_fn.next_functions] == ["MulBackward", "MulBackward"]


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (lambda x: x.mul_(2), "a leaf Variable that requires grad is being used in an in-place operation"),
        (lambda x: (x * 1)[:1].mul_(x), "output with shape"),
        (lambda x: torch.ones(3, dtype=torch.long).mul_(x), "can't be cast to the desired output type Long"),
        (lambda x: (x * 1).mul_(x.to(torch.complex64)), "can't be cast to the desired output type Float"),
    ],
)
def test_in_place_what_pytorch_refuses_is_refused_in_its_words(x, step, message):
    with pytest.raises(RuntimeError, match=message):
        step(x)
    with pytest.raises(RuntimeError, match=message), lab.swap():
        step(x)


def test_in_place_on_a_saved_tensor_is_refused_at_the_backward(x):
    with lab.swap():
        y = x * 1
        z = y * y
        y.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        z.sum().backward()


def test_in_place_what_is_left_to_pytorch_is_reported(x):
    with lab.swap("mul") as swapped:
        torch.func.grad(lambda t: (t * t).mul_(t).sum())(x.detach())
    assert swapped.left["mul_.Tensor"] == 1


def test_in_place_copies_only_what_a_gradient_needs(x):
    with lab.swap():
        for step, copies in ((lambda y: y.add_(2), 0), (lambda y: y.neg_(), 0), (lambda y: y.mul_(x), 1)):
            assert len(lab.capture(step(x * 1)).find("CloneBackward")) == copies


def test_a_composite_runs_for_other_threads_as_ever(x):
    """Ours is registered for the process; inside PyTorch's composite the other thread's own rules must still hold."""
    seen = {}

    def other():
        with lab.swap("mul"):
            y = torch.dropout(x, 0.5, True)
            seen["names"] = name(y)

    with lab.swap():
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert seen["names"] == "MulBackward"


def test_out_is_pytorchs_own(x):
    out = torch.empty(3)
    with lab.swap():
        torch.mul(x.detach(), 2, out=out)
        with pytest.raises(RuntimeError, match=r"out=... arguments don't support automatic differentiation"):
            torch.mul(x, 2, out=out)
    assert torch.equal(out, x.detach() * 2)


def test_no_grad_and_inference_mode(x):
    with lab.swap() as swapped:
        with torch.no_grad():
            assert (x * 2).grad_fn is None
        with torch.inference_mode():
            made = x * 2
            assert made.is_inference()
        x.detach() * 2
    assert not swapped.calls


def test_autocast(x):
    layer = torch.nn.Linear(3, 3)

    def step():
        with torch.autocast("cpu", torch.bfloat16):
            return torch.autograd.grad(((layer(x) * x) ** 2).float().sum(), [x, *layer.parameters()])

    wanted = step()
    with lab.swap() as swapped:
        found = step()
    assert swapped.calls
    for one, other in zip(found, wanted, strict=True):
        agreement.assert_same(one, other, "autocast")


def test_functional_call(x):
    layer = torch.nn.LayerNorm(3)
    with lab.swap("mul"):
        y = torch.func.functional_call(layer, {"weight": x, "bias": x}, (x,)) * x
    assert name(y) == "MulBackward"


def cube(t):
    return (t * t * t - t**2 / (t * t + torch.ones(3))).sum()


@pytest.mark.parametrize(
    "transform",
    [
        torch.func.grad,
        torch.func.hessian,
        torch.func.jacfwd,
        torch.func.jacrev,
        lambda f: torch.func.grad(lambda t: torch.func.grad(f)(t).sum()),
        lambda f: lambda t: torch.vmap(torch.func.grad(f))(torch.stack([t, t + t])),
        lambda f: lambda t: torch.func.jvp(f, (t,), (t,))[1],
        lambda f: lambda t: torch.func.jvp(torch.func.grad(f), (t,), (t,))[1],
    ],
)
def test_inside_torch_func_gradients_are_right_and_the_operations_reported(transform, x):
    wanted = transform(cube)(x.detach())
    with lab.swap() as swapped:
        found = transform(cube)(x.detach())
    agreement.assert_same(found, wanted, "transformed")
    assert swapped.left["mul.Tensor"]


def test_a_number_inside_torch_func_grad_gets_a_clear_error(x):
    with pytest.raises(lab.SwapError, match=r"run the transform outside lab\.swap"), lab.swap("mul"):
        torch.func.grad(lambda t: (t * 2).sum())(x.detach())
    assert name(x * x) == "MulBackward0"


def test_vmap_is_swapped(x):
    with lab.swap() as swapped:
        y = torch.vmap(lambda t: t * 2)(x)
    assert (name(y), swapped.calls) == ("MulBackward", {"mul.Tensor": 1})


def test_each_thread_has_its_own_setting(x):
    seen = {}
    go, done = threading.Event(), threading.Event()

    def other():
        go.wait(10)
        y = (x * 2) * x
        seen["node"] = name(y)
        seen["grad"] = torch.autograd.grad(y.sum(), x)[0]
        with lab.swap("sub"):
            seen["own"] = name(x - 1), name(x * 1)
        done.set()

    thread = threading.Thread(target=other)
    thread.start()
    with lab.swap("mul") as swapped:
        go.set()
        assert done.wait(10)
        assert (name(x * x), name(x - 1)) == ("MulBackward", "SubBackward0")
    thread.join()
    assert seen["node"] == "MulBackward0"
    assert seen["own"] == ("SubBackward", "MulBackward0")
    assert torch.equal(seen["grad"], 4 * x.detach())
    assert swapped.calls == {"mul.Tensor": 1}


def test_many_threads_enter_and_leave(x):
    wrong = []

    def work(on):
        for _ in range(50):
            if on:
                with lab.swap("mul"):
                    wrong.append(name(x * x) != "MulBackward")
            wrong.append(name(x * x) != "MulBackward0")

    threads = [threading.Thread(target=work, args=(k % 2,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(wrong) == 300
    assert not any(wrong)


@pytest.mark.parametrize("inside", [True, False])
def test_a_backward_inside_or_outside_the_block(x, inside):
    (wanted,) = torch.autograd.grad((x**3 * x).sum(), x)
    with lab.swap() as swapped:
        y = (x**3 * x).sum()
        before = dict(swapped.calls)
        if inside:
            (grad,) = torch.autograd.grad(y, x)
            assert dict(swapped.calls) == before
    if not inside:
        (grad,) = torch.autograd.grad(y, x)
    assert torch.equal(grad, wanted)


def test_a_rules_own_backward_builds_pytorchs_nodes(x):
    with lab.swap("mul"):
        (grad,) = torch.autograd.grad((x * x * x).sum(), x, create_graph=True)
        assert "MulBackward0" in str(lab.capture(grad))
        (second,) = torch.autograd.grad(grad.sum(), x)
    assert torch.allclose(second, 6 * x)


@pytest.mark.parametrize("reentrant", [True, False])
def test_checkpointing_recomputes_with_the_same_rules(x, reentrant):
    def block(t):
        return (t * t) ** 2

    (wanted,) = torch.autograd.grad(block(x).sum(), x)
    with lab.swap():
        checkpoint(block, x, use_reentrant=reentrant).sum().backward()
    assert torch.equal(x.grad, wanted)


def test_capture_shows_swapped_nodes_as_functions(x):
    with lab.swap("mul"):
        graph = lab.capture((x * x - 1).sum())
    (node,) = graph.find("MulBackward")
    assert (node.name, node.kind, node.rule) == ("MulBackward", "function", "mul")
    assert node.source.file.endswith("arithmetic.py")
    assert {each.rule for each in graph.nodes if each is not node} == {None}


def test_watch_shows_swapped_nodes_as_such(x):
    with lab.watch() as watcher, lab.swap("mul"):
        (x * x - 1).sum().backward()
    (node,) = watcher.traces[0].graph.find("MulBackward")
    assert (node.rule, node.call.name) == ("mul", "torch.Tensor.mul")


def test_a_rule_of_your_own_is_swapped_in(x):
    class Sinus(Rule):
        name = "sin"
        replaces = {"sin": lambda self: (self,)}  # noqa: RUF012
        formula = {"angle": "grad * angle.cos()", "result": "angle_t * angle.cos()"}  # noqa: RUF012

        @staticmethod
        def forward(angle):
            return torch.sin(angle)

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_backward(*inputs)

        @staticmethod
        def backward(ctx, grad):
            return grad * ctx.saved_tensors[0].cos()

        @staticmethod
        def jvp(ctx, self_t):
            return self_t * ctx.saved_tensors[0].cos()

        @staticmethod
        def vmap(info, in_dims, self):
            return Sinus.apply(self), in_dims[0]

        @staticmethod
        def samples(dtype):
            yield Sample("one", (torch.ones(1, dtype=dtype, requires_grad=True),))

    rule(Sinus)
    try:
        with lab.swap("sin"):
            y = x.sin()
        assert name(y) == "SinusBackward"
        assert torch.equal(torch.autograd.grad(y.sum(), x)[0], x.detach().cos())
    finally:
        del rules["sin"]


def test_gpt2_gradients_equal_native():
    transformers = pytest.importorskip("transformers")
    config = transformers.GPT2Config(
        n_layer=2,
        n_head=2,
        n_embd=16,
        vocab_size=50,
        n_positions=32,
        attn_pdrop=0,
        embd_pdrop=0,
        resid_pdrop=0,
    )
    model = transformers.GPT2LMHeadModel(config).double()
    ids = torch.randint(0, 50, (2, 8))

    def step():
        model.zero_grad()
        model(input_ids=ids, labels=ids).loss.backward()
        return [p.grad.clone() for p in model.parameters()]

    wanted = step()
    with lab.swap() as swapped:
        found = step()
    assert swapped.calls["mul.Tensor"] >= 6
    assert swapped.calls["pow.Tensor_Scalar"] == 2
    for one, other in zip(found, wanted, strict=True):
        # transformers takes the loss in single precision, so its gradient is rounded to that
        room = 8 * torch.finfo(torch.float32).eps * other.abs().max().item()
        torch.testing.assert_close(one, other, rtol=0, atol=room)


LEAVES_NOTHING = """
import torch, autograd_lab as lab
def table():
    return [torch._C._dispatch_dump_table("aten::" + n) for n in ("mul.Tensor", "mul_.Tensor", "pow.Scalar", "neg")]
before = table()
with lab.swap():
    assert table() != before
assert table() == before
"""


def test_the_dispatcher_is_as_before_and_nothing_is_printed():
    ran = subprocess.run([sys.executable, "-c", LEAVES_NOTHING], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")


def test_all_stands_for_every_rule_as_on_the_command_line():
    x = torch.ones(2, requires_grad=True)
    with lab.swap("all") as swapped:
        (x * 2).exp().sum()
    assert dict(swapped.calls) == {"mul.Tensor": 1, "exp": 1, "sum": 1}
