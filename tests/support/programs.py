"""Random programs: what people do around ``loss.backward()``, drawn by hypothesis, run with and without the lab.

A program is plain data: leaves and instructions. ``run`` carries it out on a pool of tensors and returns an account of
everything that the program could notice: bits, layouts and memory of gradients, what hooks were called with and in
which order, and every exception. An instruction names its operands by numbers that are taken modulo the pool, so that
each program means something; what torch refuses is part of the account.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from hypothesis import strategies as st
from torch.utils.checkpoint import checkpoint

SHAPES = ((), (3,), (2, 3), (3, 3), (1, 3), (0, 3), (2, 1, 3))
DTYPES = (torch.float64, torch.float32, torch.bfloat16, torch.complex64)
GRADS = ("none", "none", "none", "dense", "strided", "expanded", "sparse", "differentiable", "shared")


class Leaf(NamedTuple):
    """A leaf: its shape and dtype by index, whether it needs a gradient, and what is in ``.grad`` at first."""

    shape: int
    dtype: int
    requires_grad: bool
    grad: str


class Instruction(NamedTuple):
    """An operation's name and three numbers, which mean operands and options."""

    name: str
    a: int
    b: int
    c: int


class Program(NamedTuple):
    """The leaves and what is done with them."""

    leaves: tuple[Leaf, ...]
    instructions: tuple[Instruction, ...]


class Tools(NamedTuple):
    """How a program reaches autograd: torch's own functions, or what takes their place.

    Attributes:
        backward: Called as ``torch.autograd.backward``.
        grad: Called as ``torch.autograd.grad``.
        look: Is shown the outputs before each backward.
    """

    backward: Callable[..., Any] = torch.autograd.backward
    grad: Callable[..., Any] = torch.autograd.grad
    look: Callable[[Any], Any] = lambda _: None


# --- the operations ----------------------------------------------------------------------------------------------

ONE: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "sin": torch.sin,
    "exp": lambda x: x.exp(),
    "tanh": torch.tanh,
    "relu": torch.relu,
    "gelu": torch.nn.functional.gelu,
    "square": lambda x: x**2,
    "double": lambda x: 2 * x,
    "root": lambda x: x.abs().sqrt(),
    "softmax": lambda x: x.softmax(-1),
    "sum": torch.sum,
    "mean last": lambda x: x.mean(-1),
    "amax": lambda x: x.amax(0),
    "clone": torch.clone,
    "contiguous": lambda x: x.contiguous(),
    "to float": lambda x: x.to(torch.float32),
    "to double": lambda x: x.double(),
    "dropout": lambda x: torch.nn.functional.dropout(x, 0.5),
    "same twice": lambda x: x * x,
    "view": lambda x: x.view(-1),
    "transpose": lambda x: x.t(),
    "first": lambda x: x[0],
    "narrow": lambda x: x.narrow(-1, 0, 2),
    "unsqueeze": lambda x: x.unsqueeze(0),
    "expand": lambda x: x.expand(2, *x.shape),
    "chunk": lambda x: x.chunk(2, -1)[1],
    "unbind": lambda x: x.unbind(0)[-1],
    "detach": torch.detach,
    "diagonal": torch.diagonal,
    "as real": torch.view_as_real,
    "real": torch.real,
    "index": lambda x: x[torch.tensor([0, 0, 1])],
    "requires grad": lambda x: x.detach().requires_grad_(),
}

TWO: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "add": torch.add,
    "mul": torch.mul,
    "sub": torch.sub,
    "div": torch.div,
    "maximum": torch.maximum,
    "matmul": torch.matmul,
    "where": lambda x, y: torch.where(x.real > 0, x, y),
    "cat": lambda x, y: torch.cat([x, y]),
    "addcmul": lambda x, y: torch.addcmul(x, y, y, value=0.5),
}

IN_PLACE: dict[str, Callable[[torch.Tensor, torch.Tensor], Any]] = {
    "add_": lambda x, y: x.add_(y),
    "mul_": lambda x, y: x.mul_(y),
    "relu_": lambda x, y: x.relu_(),
    "zero_": lambda x, y: x.zero_(),
    "copy_": lambda x, y: x.copy_(y),
    "write first": lambda x, y: x.__setitem__(0, 1.0),
    "write view": lambda x, y: x.view(-1)[1:].mul_(2),
    "fill": lambda x, y: x.masked_fill_(x.real > 0, 0.5),
    "write data": lambda x, y: x.data.mul_(2),
    "write unseen": lambda x, y: torch.no_grad()(lambda: x.add_(1))(),
}


class Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, y):
        ctx.save_for_backward(x, y)
        return x * y

    @staticmethod
    def backward(ctx, g):
        x, y = ctx.saved_tensors
        return g * y, g * x


class Both(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, y):
        ctx.set_materialize_grads(False)
        ctx.mark_non_differentiable(index := torch.zeros(2, dtype=torch.int64))
        return x * 1, y * 2, index

    @staticmethod
    def backward(ctx, g, h, _):
        return g, None if h is None else h * 2


class Written(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, _y):
        ctx.mark_dirty(x)
        return x.mul_(3)

    @staticmethod
    def backward(ctx, g):
        return g * 3, None


class Fails(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, y):
        return x + y

    @staticmethod
    def backward(ctx, g):
        raise OwnError("in the backward")


class WrongShape(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, y):
        return x + y

    @staticmethod
    def backward(ctx, g):
        return g.unsqueeze(0).expand(5, *g.shape), g.sum()


class OwnError(Exception):
    """The program's own exception."""


FUNCTIONS: dict[str, Callable[[torch.Tensor, torch.Tensor], Any]] = {
    "Product": Product.apply,
    "Both": lambda x, y: Both.apply(x, y)[0],
    "second of Both": lambda x, y: Both.apply(x, y)[1],
    "Written": Written.apply,
    "Fails": Fails.apply,
    "WrongShape": WrongShape.apply,
}


def _block(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return (x * y).sin().exp() * x


def _dropped(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.dropout(x * y.tanh(), 0.5)


def _inner(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return checkpoint(_block, x, y, use_reentrant=False).tanh() * x


CHECKPOINTS: dict[str, Callable[[torch.Tensor, torch.Tensor], Any]] = {
    "reentrant": lambda x, y: checkpoint(_block, x, y, use_reentrant=True),
    "not reentrant": lambda x, y: checkpoint(_block, x, y, use_reentrant=False),
    "with dropout": lambda x, y: checkpoint(_dropped, x, y, use_reentrant=False),
    "nested": lambda x, y: checkpoint(_inner, x, y, use_reentrant=False),
    "both nested": lambda x, y: checkpoint(_inner, x, y, use_reentrant=True),
}

HOOKS = (
    "tensor hook",
    "scaling hook",
    "node hook",
    "node pre-hook",
    "retain grad",
    "post-accumulate hook",
    "stepping hook",
    "failing hook",
)
BACKWARDS = ("backward", "retained", "into inputs", "second order", "grad", "several", "of a sum")
OPERATIONS = (*ONE, *TWO, *TWO, *TWO, *FUNCTIONS, *IN_PLACE, *CHECKPOINTS)

_leaves = st.builds(
    Leaf,
    st.sampled_from((0, 1, 1, 2, 2, 2, 3, 3, 3, 4, 5, 6)),
    st.sampled_from((0, 0, 0, 0, 0, 1, 1, 2, 3)),
    st.sampled_from((True, True, True, False)),
    st.sampled_from(GRADS),
)


def _some(names: tuple[str, ...], least: int, most: int) -> st.SearchStrategy[list[Instruction]]:
    numbers = st.integers(0, 7)
    one = st.builds(Instruction, st.sampled_from(names), numbers, numbers, numbers)
    return st.lists(one, min_size=least, max_size=most)


_turn = st.tuples(
    _some(OPERATIONS, 3, 8), _some(HOOKS, 0, 3), _some(OPERATIONS, 0, 3), _some(BACKWARDS, 1, 2)
)
"""A forward, hooks in the middle of it, and a backward or two."""

programs = st.builds(
    lambda leaves, turns: Program(leaves, tuple(each for turn in turns for part in turn for each in part)),
    st.lists(_leaves, min_size=1, max_size=3).map(
        lambda some: (some[0]._replace(requires_grad=True), *some[1:])
    ),
    st.lists(_turn, min_size=1, max_size=3),
)
"""Programs."""


# --- running one --------------------------------------------------------------------------------------------------


class Account:
    """Everything that a program could notice, in order."""

    def __init__(self) -> None:
        self.lines: list[Any] = []

    def note(self, *what: Any) -> None:
        """Notes something."""
        self.lines.append(what)

    def tried(self, name: str, call: Callable[[], Any]) -> Any:
        """Calls something; an exception is noted, with its type, its text and its cause's type."""
        try:
            return call()
        except Exception as error:
            cause = type(error.__cause__).__name__
            text = re.sub(r"0x[0-9a-f]+", "0x", str(error))
            self.note(name, "raised", type(error).__module__, type(error).__name__, text, cause)
            return None


def bits(tensor: torch.Tensor | None) -> Any:
    """Returns what tells two tensors apart: type, shape, layout, strides and bits."""
    if tensor is None:
        return None
    if tensor.layout == torch.sparse_coo:
        parts = (bits(tensor._indices()), bits(tensor._values()), tensor.is_coalesced())
        return "sparse", tuple(tensor.shape), *parts
    flat = torch.view_as_real(tensor.detach().resolve_conj()) if tensor.is_complex() else tensor.detach()
    content = (
        flat.clone(memory_format=torch.contiguous_format).reshape(-1).view(torch.uint8).numpy().tobytes()
        if flat.numel()
        else b""
    )
    strides = tensor.stride() if tensor.numel() else ()
    return str(tensor.dtype), tuple(tensor.shape), strides, tensor.requires_grad, content


def run(program: Program, tools: Tools) -> Account:
    """Carries a program out.

    Args:
        program: The program.
        tools: How it reaches autograd.

    Returns:
        The account. Equal programs with equal tools have equal ones.
    """
    torch.manual_seed(0)
    account = Account()
    leaves = [_leaf(leaf, i) for i, leaf in enumerate(program.leaves)]
    _shared_grads(program, leaves)
    before = [leaf.grad for leaf in leaves]
    machine = _Machine(account, tools, leaves)
    for instruction in program.instructions:
        account.tried(instruction.name, lambda instruction=instruction: machine.do(instruction))
    for leaf, old in zip(leaves, before, strict=True):
        grad = leaf.grad
        account.note("grad", bits(grad), grad is old, grad is not None and _same_memory(grad, old))
    grads = [leaf.grad for leaf in leaves if leaf.grad is not None]
    account.note("shared", [[_same_memory(one, two) for one in grads] for two in grads])
    account.note("random", torch.rand(()).item())
    return account


def _same_memory(one: torch.Tensor, two: torch.Tensor | None) -> bool:
    if two is None or torch.sparse_coo in (one.layout, two.layout):
        return one is two
    return one.untyped_storage().data_ptr() == two.untyped_storage().data_ptr()


def _leaf(leaf: Leaf, number: int) -> torch.Tensor:
    shape, dtype = SHAPES[leaf.shape], DTYPES[leaf.dtype]
    tensor = torch.randn(shape, generator=torch.Generator().manual_seed(number), dtype=torch.float64).to(
        dtype
    )
    tensor.requires_grad_(leaf.requires_grad)
    if leaf.requires_grad:
        tensor.grad = _grad(leaf.grad, tensor)
    return tensor


def _grad(kind: str, leaf: torch.Tensor) -> torch.Tensor | None:
    ones = torch.ones_like(leaf)
    match kind:
        case "strided":
            return torch.ones((*leaf.shape, 2), dtype=leaf.dtype)[..., 0]
        case "expanded":
            return torch.ones((), dtype=leaf.dtype).expand(leaf.shape)
        case "sparse" if leaf.dim() and leaf.numel():
            return ones.to_sparse()
        case "differentiable":
            return (torch.ones((), dtype=leaf.dtype, requires_grad=True) * ones).clone()
        case "dense":
            return ones
    return None


def _shared_grads(program: Program, leaves: list[torch.Tensor]) -> None:
    """Leaves that say so share their ``.grad``'s memory with the first leaf's."""
    first = leaves[0].grad
    for described, leaf in zip(program.leaves, leaves, strict=True):
        fits = first is not None and leaf.shape == first.shape and leaf.dtype == first.dtype
        if described.grad == "shared" and leaf.requires_grad and fits and leaf is not leaves[0]:
            leaf.grad = first


class _Hook:
    """A hook of each kind; notes what it is called with."""

    def __init__(self, account: Account, number: int) -> None:
        self.account = account
        self.number = number

    def note(self, *given: Any) -> None:
        flat = [each for group in given for each in (group if isinstance(group, tuple) else (group,))]
        self.account.note("hook", self.number, *[bits(each) for each in flat])

    def scale(self, grad: torch.Tensor) -> torch.Tensor:
        self.note(grad)
        return grad * 2

    def fail(self, grad: torch.Tensor) -> None:
        self.note(grad)
        raise OwnError("in a hook")

    def accumulated(self, leaf: torch.Tensor) -> None:
        self.note(leaf.grad)

    def step(self, leaf: torch.Tensor) -> None:
        self.note(leaf.grad)
        leaf.grad = None


class _Machine:
    """Carries instructions out on a pool of tensors."""

    def __init__(self, account: Account, tools: Tools, leaves: list[torch.Tensor]) -> None:
        self.account = account
        self.tools = tools
        self.leaves = leaves
        self.pool = list(leaves)
        self.hooks = 0

    def do(self, instruction: Instruction) -> None:
        """Carries one out."""
        name, a, b, c = instruction
        x, y, leaf = self.any(a), self.any(b), self.leaves[c % len(self.leaves)]
        if name in ONE:
            self.pool.append(ONE[name](x))
        elif name in IN_PLACE:
            if x.is_leaf and c:  # else most programs would only see that torch refuses
                self.pool.append(x := x * 1)
            IN_PLACE[name](x, y)
        elif name in HOOKS:
            self.hook(name, self.with_graph(a), leaf)
        elif name in BACKWARDS:
            self.backward(name, self.with_graph(a if a == 7 else a // 3), self.with_graph(b), leaf)
        else:
            self.pool.append((TWO.get(name) or FUNCTIONS.get(name) or CHECKPOINTS[name])(x, y))

    def any(self, number: int) -> torch.Tensor:
        """Returns a tensor, sooner one that was made lately."""
        return self.pool[-1 - number % len(self.pool)]

    def with_graph(self, number: int) -> torch.Tensor:
        """Returns one that requires a gradient, but for the number 7, where that doesn't matter."""
        some = [each for each in self.pool if each.requires_grad or number == 7]
        return some[-1 - number % len(some)]

    def hook(self, kind: str, x: torch.Tensor, leaf: torch.Tensor) -> None:
        """Registers a hook that notes what it's called with."""
        self.hooks += 1
        hook = _Hook(self.account, self.hooks)
        node = x.grad_fn
        register: dict[str, Callable[[], Any]] = {
            "tensor hook": lambda: x.register_hook(hook.note),
            "scaling hook": lambda: x.register_hook(hook.scale),
            "failing hook": lambda: x.register_hook(hook.fail),
            "node hook": lambda: node and node.register_hook(hook.note),
            "node pre-hook": lambda: node and node.register_prehook(hook.note),
            "retain grad": x.retain_grad,
            "post-accumulate hook": lambda: leaf.register_post_accumulate_grad_hook(hook.accumulated),
            "stepping hook": lambda: leaf.register_post_accumulate_grad_hook(hook.step),
        }
        register[kind]()

    def backward(self, kind: str, x: torch.Tensor, y: torch.Tensor, leaf: torch.Tensor) -> None:
        """Runs a backward of that kind and notes what came of it."""
        start = torch.ones_like(x)
        self.account.tried("look", lambda: self.tools.look([x]))
        match kind:
            case "backward":
                self.tools.backward([x], [start])
            case "retained":
                self.tools.backward([x], [start], retain_graph=True)
            case "into inputs":
                self.tools.backward([x], [start], inputs=[leaf], retain_graph=True)
            case "second order":
                self.tools.backward([x], [start], create_graph=True)
            case "several":
                self.tools.backward([x, y], [start, torch.ones_like(y)])
            case "of a sum":
                self.tools.backward([x.sum()], None)
            case "grad":
                self.account.note("grads", bits(self.tools.grad([x], [leaf], [start], allow_unused=True)[0]))
        self.account.note(
            "kept", [bits(each.grad) for each in self.pool if not each.is_leaf and each.retains_grad]
        )
