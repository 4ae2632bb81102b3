"""Small models for the whole project's tests: every shape of graph that the lab promises to take.

``CASES`` maps a name to a ``Case``; ``CASES[name].build()`` makes it anew, with the same random numbers each time, and
``shared(name)`` makes it once for each test process, for tests that neither free a graph nor put anything on it.

Relies on torch, and on ``transformers`` for the models whose names begin with ``gpt2`` and ``bert``.
"""

from __future__ import annotations

import functools
import threading
import warnings
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint


class Built(NamedTuple):
    """What a builder gives: what ``capture`` is called with."""

    outputs: Any
    model: nn.Module | None = None
    names: Mapping[str, torch.Tensor] | None = None


class Case(NamedTuple):
    """A model of the registry.

    Attributes:
        name: The builder's name.
        make: The builder.
        not_torchviz: Why ``torchviz.make_dot`` raises or draws other nodes; ``None`` where it can take it.
        numbers: Whether its tensors have numbers, so that a backward gives gradients that can be compared.
    """

    name: str
    make: Callable[[], Built]
    not_torchviz: str | None = None
    numbers: bool = True

    def build(self) -> Built:
        """Makes the model, its input and its loss."""
        torch.manual_seed(0)
        return self.make()


CASES: dict[str, Case] = {}


def case(
    *, not_torchviz: str | None = None, numbers: bool = True
) -> Callable[[Callable[[], Built]], Callable[[], Built]]:
    """Enters a builder into the registry, under its own name."""

    def enter(make: Callable[[], Built]) -> Callable[[], Built]:
        name = make.__name__
        assert name not in CASES, name
        CASES[name] = Case(name, make, not_torchviz, numbers)
        return make

    return enter


@functools.cache
def shared(name: str) -> Built:
    """Gives a case built once for this process. Run backwards on it with ``retain_graph=True`` only."""
    return CASES[name].build()


# --- what the tests need to know of any of them -------------------------------------------


def flat(outputs: Any) -> list[torch.Tensor]:
    """Gives the tensors with a graph in a nesting, in order; an own version, not the lab's."""
    if isinstance(outputs, torch.Tensor):
        return [outputs] if outputs.requires_grad else []
    if isinstance(outputs, Mapping):
        outputs = list(outputs.values())
    return [tensor for item in outputs for tensor in flat(item)] if isinstance(outputs, list | tuple) else []


def live_nodes(outputs: Any) -> list[Any]:
    """Gives every live node, by an own walk, so that the lab's isn't checked against itself."""
    roots = [torch.autograd.graph.get_gradient_edge(tensor).node for tensor in flat(outputs)]
    met = dict.fromkeys(roots)
    waiting = list(met)
    while waiting:
        for target, _ in waiting.pop().next_functions:
            if target is not None and target not in met:
                met[target] = None
                waiting.append(target)
    return list(met)


def backward(outputs: Any, *, retain_graph: bool = True) -> None:
    """Runs the native backward from every output, with gradients of ones, into leaves whose ``.grad`` is ``None``."""
    for leaf in leaf_tensors(outputs):
        leaf.grad = None  # torch can't add to a nested one
    tensors = flat(outputs)
    torch.autograd.backward(tensors, [ones_for(tensor) for tensor in tensors], retain_graph=retain_graph)


def ones_for(output: torch.Tensor) -> torch.Tensor:
    """Gives a gradient of ones that fits an output."""
    return torch.ones_like(output.detach())


def leaf_tensors(outputs: Any) -> list[torch.Tensor]:
    """Gives every leaf of a graph."""
    return [node.variable for node in live_nodes(outputs) if hasattr(node, "variable")]


def raw_bytes(tensor: torch.Tensor | None) -> Any:
    """Gives a tensor's bits, whatever its layout, so that 0.0 and -0.0 differ and a NaN equals itself."""
    if tensor is None:
        return None
    if tensor.is_nested:
        return [raw_bytes(part) for part in tensor.unbind()]
    if tensor.layout is torch.sparse_coo:
        tensor = tensor.coalesce()
        return raw_bytes(tensor.indices()), raw_bytes(tensor.values())
    copy = tensor.detach().resolve_conj().resolve_neg().clone(memory_format=torch.contiguous_format)
    return copy.dtype, tuple(copy.shape), bytes(copy.untyped_storage())


def leaves(count: int, *shape: int, dtype: torch.dtype = torch.float32) -> list[torch.Tensor]:
    """Makes leaves that all differ."""
    return [torch.randn(*shape, dtype=dtype).requires_grad_() for _ in range(count)]


# --- the worked example and plain networks ------------------------------------------------


@case()
def seed() -> Built:
    w, x, y = torch.tensor(0.0, requires_grad=True), torch.tensor(2.0), torch.tensor(4.0)
    y_hat = w * x
    s = y_hat - y
    return Built(s**2, None, {"w": w, "x": x, "y": y, "ŷ": y_hat, "s": s})


@case()
def mlp() -> Built:
    model = nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 5), nn.Tanh(), nn.Linear(5, 2))
    x = torch.randn(4, 3)
    return Built(nn.functional.cross_entropy(model(x), torch.tensor([0, 1, 1, 0])), model, {"x": x})


@case()
def cnn() -> Built:
    model = nn.Sequential(
        nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(12, 2)
    )
    x = torch.randn(2, 2, 6, 6)
    return Built(model(x).logsumexp(-1).sum(), model, {"x": x})


class ResidualBlock(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + torch.relu_(self.norm(self.conv(x)))


@case()
def residual_cnn() -> Built:
    model = nn.Sequential(nn.Conv2d(1, 2, 1), ResidualBlock(2), ResidualBlock(2), nn.AdaptiveAvgPool2d(1))
    return Built(model(torch.randn(2, 1, 4, 4)).square().mean(), model)


@case()
def lstm() -> Built:
    model = nn.LSTM(3, 4, num_layers=2, bidirectional=True)
    output, (hidden, cell) = model(torch.randn(4, 2, 3))
    return Built((output.sum(), {"hidden": hidden.sum(), "cell": cell.square().sum()}), model)


@case()
def gru() -> Built:
    model = nn.GRU(3, 4, num_layers=2, batch_first=True)
    return Built(model(torch.randn(2, 4, 3))[0].square().sum(), model)


@case()
def recurrence_by_hand() -> Built:
    """The outputs of all steps are stacked: the root leads to every step."""
    model = nn.RNNCell(2, 3)
    hidden, states = torch.zeros(1, 3), []
    for _ in range(5):
        hidden = model(torch.randn(1, 2), hidden)
        states.append(hidden)
    return Built(torch.stack(states).sum(), model)


@case()
def transformer_layer() -> Built:
    model = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    x = torch.randn(2, 3, 8)
    return Built(model(x).square().mean(), model, {"x": x})


@case()
def transformer_stack() -> Built:
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, norm_first=True)
    model = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
    return Built(model(torch.randn(3, 2, 8)).square().mean(), model)


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(7, 4)
        self.out = nn.Linear(4, 7, bias=False)
        self.out.weight = self.embedding.weight
        self.register_buffer("scale", torch.full((4,), 0.5))

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.out(self.embedding(ids) * self.scale)


@case()
def tied_embedding() -> Built:
    model = Tied()
    return Built(model(torch.tensor([[1, 2, 2]])).logsumexp(-1).sum(), model)


@case()
def frozen() -> Built:
    """Edges that lead nowhere."""
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3), nn.Linear(3, 3))
    model[0].requires_grad_(False)
    model[1].weight.requires_grad_(False)
    return Built(model(torch.randn(2, 3)).sum(), model)


def _transformers(kind: str, attention: str) -> Built:
    import transformers as hf

    ids = torch.randint(0, 30, (2, 6))
    if kind == "gpt2":
        model = hf.GPT2LMHeadModel(
            hf.GPT2Config(
                n_layer=2, n_embd=16, n_head=2, vocab_size=30, n_positions=16, bos_token_id=0, eos_token_id=0,
                loss_type="ForCausalLM", attn_implementation=attention,
            )
        )  # fmt: skip
    else:
        model = hf.BertForMaskedLM(
            hf.BertConfig(
                hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, vocab_size=30,
                attn_implementation=attention,
            )
        )  # fmt: skip
    return Built(model(input_ids=ids, labels=ids).loss, model)


@case()
def gpt2_sdpa() -> Built:
    return _transformers("gpt2", "sdpa")


@case()
def gpt2_eager() -> Built:
    return _transformers("gpt2", "eager")


@case()
def bert_sdpa() -> Built:
    return _transformers("bert", "sdpa")


@case()
def bert_eager() -> Built:
    return _transformers("bert", "eager")


# --- ties, parallel edges, several outputs ------------------------------------------------


@case()
def leaves_tied() -> Built:
    """Many leaves become ready at once, some of them late."""
    mixed = [leaf * 1 if i % 3 == 0 else leaf for i, leaf in enumerate(leaves(23, 2))]
    return Built(torch.cat(mixed).square().sum())


class Drops(torch.autograd.Function):
    """Returns no gradient."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, grad):
        return None


class Several(torch.autograd.Function):
    """Two results, a saved ``None``, as many leaves as one likes."""

    @staticmethod
    def forward(ctx: Any, *xs: torch.Tensor) -> Any:
        ctx.save_for_backward(xs[0], None)
        return torch.stack(xs).sum(0), xs[0] * 2.0

    @staticmethod
    def backward(ctx: Any, first: torch.Tensor, second: torch.Tensor) -> Any:
        _, nothing = ctx.saved_tensors
        assert nothing is None
        return first + second * 2.0, *[first] * (len(ctx.needs_input_grad) - 1)


class DrawsNoise(torch.autograd.Function):
    """A gradient with random numbers in it."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        return x * 1

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> torch.Tensor:
        return grad * torch.rand_like(grad)


NONE_SAVED = "it asks every saved tensor of a Python Function for its size, and this one saved None"


@case(not_torchviz=NONE_SAVED)
def custom_function() -> Built:
    first, second = Several.apply(*leaves(9, 2))
    return Built((first * second).sum())


@case(not_torchviz=NONE_SAVED)
def custom_function_at_the_root() -> Built:
    return Built(list(Several.apply(*leaves(5, 3))))


@case()
def parallel_edges() -> Built:
    (x,) = leaves(1, 3)
    y = x.exp()
    return Built((y * y + x * x + torch.stack([y, y, y]).sum(0)).sum(), None, {"x": x, "y": y})


@case()
def several_outputs() -> Built:
    """One node under three roots, one root above another, one given twice, and what has no gradient between."""
    (x,) = leaves(1, 3)
    trunk = x.exp()
    first, second = trunk.sum(), (trunk * 2).sum()
    outputs = [
        first,
        {"other": second, "number": 3, "trunk": trunk, "nothing": None},
        (first, torch.arange(3)),
    ]
    return Built(outputs, None, {"x": x, "trunk": trunk})


@case()
def a_leaf_is_an_output() -> Built:
    x, y = leaves(2, 2)
    return Built([x, (x * y).sum(), y])


@case(not_torchviz="it draws nothing but the output's tensor where that has no grad_fn")
def one_leaf() -> Built:
    (x,) = leaves(1, 2)
    return Built(x, None, {"x": x})


@case()
def made_in_two_threads() -> Built:
    """Each thread counts its own ``sequence_nr``, so nodes of different branches have equal ones."""
    branches: list[torch.Tensor] = []

    def make() -> None:
        torch.manual_seed(1)
        (x,) = leaves(1, 3)
        y = x * 1.5
        branches.append((y.sin() * x.exp()) + y)

    for _ in range(4):
        thread = threading.Thread(target=make)
        thread.start()
        thread.join()
    return Built(torch.stack(branches).sum())


@case()
def random_graph() -> Built:
    """Binary operations between whatever is there: skips, parallel edges, unequal depths."""
    generator = torch.Generator().manual_seed(3)

    def draw(bound: int) -> int:
        return int(torch.randint(bound, (), generator=generator))

    made = leaves(4, 2)
    for _ in range(60):
        a, b = made[draw(len(made))], made[draw(len(made))]
        made.append((a + b) * 0.5 if draw(3) else torch.tanh(a * b))
    return Built([tensor.sum() for tensor in made[-3:]])


# --- views, in place, several results -----------------------------------------------------


@case()
def in_place_on_views() -> Built:
    """``CopySlices`` and ``AsStridedBackward0``."""
    (x,) = leaves(1, 4)
    base = x.clone()
    view = base[:2]
    view.mul_(3)
    base.as_strided((2, 2), (1, 1)).add_(1)
    base[2:].exp_()
    return Built((base * view.sum()).sum(), None, {"x": x, "base": base, "view": view})


@case()
def a_view_is_an_output() -> Built:
    """The output is a view whose base was changed later: its ``grad_fn`` is made anew when it's asked for."""
    (x,) = leaves(1, 4)
    base = x.clone()
    view = base.view(2, 2)
    base.mul_(2)
    return Built([view, base.sum()])


@case()
def in_place_chain() -> Built:
    (x,) = leaves(1, 4)
    y = x.clone()
    for _ in range(5):
        y.mul_(2).add_(1)
    return Built(y.sigmoid_().sum(), None, {"y": y})


@case()
def several_results() -> Built:
    (x,) = leaves(1, 3, 3)
    first, _, third = (x + 0.5).unbind(0)
    left, right = x.split([1, 2], dim=1)
    u, s, _ = torch.linalg.svd(x + 3 * torch.eye(3))
    top, _ = x.topk(2)
    std, mean = torch.std_mean(x, dim=0)
    loss = (first * third).sum() + left.sum() * right.sum() + s.sum() + u.abs().sum() * top.sum()
    return Built(loss + std.sum() + mean.sum(), None, {"x": x})


@case()
def indexing() -> Built:
    """Saved lists of tensors with holes, and sizes."""
    (x,) = leaves(1, 4, 3)
    picked = x[torch.tensor([0, 2, 2]), 1:]
    return Built((picked * x[:, torch.tensor([1])].mean()).sum() + x.gather(1, torch.tensor([[2]])).sum())


@case()
def double_backward() -> Built:
    (x,) = leaves(1, 3)
    model = nn.Sequential(nn.Linear(3, 3), nn.Tanh())
    (grad,) = torch.autograd.grad((model(x).exp() * x.sin()).sum(), x, create_graph=True)
    return Built(grad.square().sum(), model, {"x": x, "grad": grad})


@case()
def vmapped() -> Built:
    model = nn.Linear(3, 2)
    batch = torch.randn(4, 3)
    return Built(torch.func.vmap(lambda row: model(row).square().sum())(batch).sum(), model)


# --- who holds what was saved ---------------------------------------------------------------


@case()
def checkpointed() -> Built:
    model = nn.Sequential(nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 3))
    return Built(checkpoint(model, torch.randn(2, 3).requires_grad_(), use_reentrant=False).sum(), model)


@case()
def checkpointed_reentrant() -> Built:
    model = nn.Sequential(nn.Linear(3, 3), nn.Tanh())
    return Built(checkpoint(model, torch.randn(2, 3).requires_grad_(), use_reentrant=True).sum(), model)


@case()
def offloaded() -> Built:
    model = nn.Sequential(nn.Linear(3, 3), nn.Tanh())
    with torch.autograd.graph.save_on_cpu(pin_memory=False):
        return Built(model(torch.randn(2, 3)).square().sum(), model)


# --- dtypes, layouts, devices, subclasses -----------------------------------------------------


@case()
def complex_numbers() -> Built:
    (x,) = leaves(1, 4)
    (z,) = leaves(1, 4, dtype=torch.complex64)
    return Built(torch.fft.fft(x).abs().sum() + torch.view_as_real(x * z * (1 - 2j)).sum(), None, {"z": z})


@case()
def a_complex_output() -> Built:
    (z,) = leaves(1, 2, dtype=torch.complex128)
    return Built(z.conj() * z.exp())


@case()
def half() -> Built:
    (x,) = leaves(1, 3, dtype=torch.float16)
    return Built((x.float().exp() * x).sum().half())


@case()
def bfloat16() -> Built:
    model = nn.Sequential(nn.Linear(3, 2), nn.GELU())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        return Built(model(torch.ones(1, 3)).sum(), model)


@case(numbers=False)
def on_meta() -> Built:
    model = nn.Linear(3, 2, device="meta")
    return Built(model(torch.ones(4, 3, device="meta")).exp().sum(), model)


@case(numbers=False)
def fake() -> Built:
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode():
        model = nn.Linear(3, 2)
        return Built(model(torch.ones(4, 3)).exp().sum(), model)


@case()
def sparse() -> Built:
    matrix = torch.eye(3).to_sparse().requires_grad_()
    dense = torch.randn(3, 2, requires_grad=True)
    embedding = nn.Embedding(5, 2, sparse=True)
    return Built(torch.sparse.mm(matrix, dense).sum() + embedding(torch.tensor([1, 1, 3])).sum(), embedding)


def _nested(layout: torch.layout) -> torch.Tensor:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The PyTorch API of nested tensors")
        return torch.nested.nested_tensor(
            [torch.ones(2, 3), torch.ones(4, 3)], layout=layout, requires_grad=True
        )


@case(not_torchviz="it prints a gradient's shape as if all sizes were numbers")
def nested_jagged() -> Built:
    return Built(_nested(torch.jagged).sin() * 2.0)


@case(not_torchviz="it asks a strided nested tensor for its size, which torch can't tell")
def nested_strided() -> Built:
    return Built(_nested(torch.strided) * 2.0)


class Marked(torch.Tensor):
    """A subclass that does nothing of its own."""


@case()
def subclass() -> Built:
    x = torch.randn(3).as_subclass(Marked).requires_grad_()
    return Built((x.exp() * x).sum(), None, {"x": x})


@case()
def compiled() -> Built:
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
    torch.compiler.reset()
    return Built(torch.compile(model, backend="aot_eager")(torch.randn(2, 3)).sum(), model)
